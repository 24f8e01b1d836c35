//! The simulated Table API, as a client meets it.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::super::ServiceNow;
use super::super::story::{NINA_SYS_ID, SNOW_USER};
use super::super::testing::World;
use super::{ItemDraft, Record, ReferenceShape};

fn snow(world: &World) -> &ServiceNow {
    &world.sandbox.servicenow
}

fn order(world: &World) -> Record {
    snow(world).create_item(ItemDraft::default())
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    world.snow("GET", path, None).await.unwrap()
}

/// Numbers of the items a query finds.
async fn found(world: &World, query: &str) -> Vec<String> {
    let path = format!("table/sc_req_item?sysparm_query={query}&sysparm_fields=number,nonsense");
    let (status, body) = get(world, &path).await;
    assert_eq!(status, 200, "{body}");
    let rows = body["result"].as_array().unwrap().iter();
    rows.map(|row| row["number"].as_str().unwrap().to_owned()).collect()
}

async fn headers(world: &World, path: &str) -> HeaderMap {
    world.ask_snow("GET", path, None).send().await.unwrap().headers().clone()
}

const FIRST: &str = "RITM0010588";
const SECOND: &str = "RITM0010589";

#[tokio::test]
async fn queries_compare_combine_and_order() {
    let world = World::story().await;
    let first = order(&world);
    world.pass(3600);
    order(&world);
    snow(&world).edit_variable(&first.sys_id, "duration", "PT8H", NINA_SYS_ID);
    for (query, expected) in [
        ("number=RITM0010588", vec![FIRST]),
        ("number!=RITM0010588", vec![SECOND]),
        ("numberINRITM0010588,RITM0010589^active=true", vec![FIRST, SECOND]),
        ("numberLIKE0589", vec![SECOND]),
        ("number=RITM0010588^ORnumber=RITM0010589^state=2", vec![]),
        ("number=RITM0010588^NQnumber=RITM0010589", vec![FIRST, SECOND]),
        ("sys_mod_count>0", vec![FIRST]),
        ("ORDERBYDESCnumber", vec![SECOND, FIRST]),
        ("state=1^ORDERBYnumber", vec![FIRST, SECOND]),
        ("requested_for.user_name=nina.keller^ORDERBYDESCsys_created_on", vec![SECOND, FIRST]),
    ] {
        assert_eq!(found(&world, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn dates_are_read_in_the_callers_zone_or_by_script() {
    let world = World::story().await;
    order(&world);
    world.pass(10 * 60 + 30);
    order(&world);
    // Zurich is an hour east of UTC: ten o'clock there is nine.
    assert_eq!(found(&world, "sys_created_on=2026-11-03 10:00:00").await, [FIRST]);
    assert_eq!(found(&world, "sys_created_on>2026-11-03 09:05:00").await, [FIRST, SECOND]);
    assert_eq!(found(&world, "sys_updated_on>=javascript:gs.minutesAgoStart(10)").await, [FIRST, SECOND]);
    assert_eq!(found(&world, "sys_updated_on>javascript:gs.minutesAgoStart(10)").await, [SECOND]);
}

#[tokio::test]
async fn invalid_terms_are_dropped_unless_the_instance_is_strict() {
    let world = World::story().await;
    order(&world);
    order(&world);
    let invalid =
        ["nonsense=1", "number~RITM0010588", "sys_updated_on>yesterday", "number=javascript:gs.minutesAgoStart(1)"];
    for query in invalid {
        assert_eq!(found(&world, query).await.len(), 2, "{query}");
    }
    assert_eq!(found(&world, "nonsense=1^number=RITM0010588").await, [FIRST]);
    snow(&world).strict_queries(true);
    for query in invalid {
        assert_eq!(found(&world, query).await.len(), 0, "{query}");
    }
    assert_eq!(found(&world, "number=RITM0010588").await, [FIRST]);
}

#[tokio::test]
async fn the_window_is_cut_before_rights_are_looked_at() {
    let world = World::story().await;
    let hidden = order(&world);
    order(&world);
    snow(&world).hide_record(&hidden.sys_id);
    let path = "table/sc_req_item?sysparm_query=ORDERBYnumber&sysparm_limit=1";
    assert_eq!(get(&world, path).await, (200, json!({"result": []})));
    let headers = headers(&world, path).await;
    assert_eq!(headers["x-total-count"], "2");
    let link = headers["link"].to_str().unwrap();
    let next = link.split(',').find(|link| link.ends_with("rel=\"next\"")).unwrap();
    let next = next.trim_start_matches('<').split_once('>').unwrap().0;
    let next = next.strip_prefix(&format!("{}/api/now/", snow(&world).url())).unwrap().to_owned();
    assert_eq!(get(&world, &next).await.1["result"][0]["number"], SECOND);
    assert!(!headers.contains_key("x-ratelimit-limit"));
}

#[tokio::test]
async fn records_of_another_domain_are_not_even_counted() {
    let world = World::story().await;
    let foreign = order(&world);
    order(&world);
    snow(&world).move_to_other_domain(&foreign.sys_id);
    assert_eq!(headers(&world, "table/sc_req_item").await["x-total-count"], "1");
    let path = format!("table/sc_req_item/{}", foreign.sys_id);
    assert_eq!(get(&world, &path).await.0, 404);
    assert_eq!(world.snow("PATCH", &path, Some(&json!({"work_notes": "x"}))).await.unwrap().0, 404);
}

#[tokio::test]
async fn hidden_columns_and_variables_are_absent() {
    let world = World::story().await;
    let names = order(&world);
    snow(&world).hide_column("sc_req_item", "opened_by");
    snow(&world).hide_variable("duration");
    let (_, body) = get(&world, &format!("table/sc_req_item/{}?sysparm_fields=number,opened_by", names.sys_id)).await;
    assert_eq!(body["result"], json!({"number": FIRST}));
    let path = format!("table/sc_item_option_mtom?sysparm_query=request_item={}", names.sys_id);
    assert_eq!(get(&world, &path).await.1["result"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn references_come_in_every_shape() {
    let world = World::story().await;
    let names = order(&world);
    let plain = format!("table/sc_req_item/{}?sysparm_fields=opened_by", names.sys_id);
    let bare = format!("{plain}&sysparm_exclude_reference_link=true");
    let link = format!("{}/api/now/table/sys_user/{NINA_SYS_ID}", snow(&world).url());
    let (linked, value) = (json!({"link": link, "value": NINA_SYS_ID}), json!({"value": NINA_SYS_ID}));
    for (shape, asked, excluded) in [
        (ReferenceShape::AsAsked, &linked, &json!(NINA_SYS_ID)),
        (ReferenceShape::Plain, &json!(NINA_SYS_ID), &json!(NINA_SYS_ID)),
        (ReferenceShape::ValueOnly, &linked, &value),
        (ReferenceShape::Linked, &linked, &linked),
    ] {
        snow(&world).reference_shape(shape);
        assert_eq!(&get(&world, &plain).await.1["result"]["opened_by"], asked, "{shape:?}");
        assert_eq!(&get(&world, &bare).await.1["result"]["opened_by"], excluded, "{shape:?}");
    }
}

#[tokio::test]
async fn display_values_are_for_people() {
    let world = World::story().await;
    let names = order(&world);
    let path = format!("table/sc_req_item/{}?sysparm_fields=state,opened_by,opened_at,approval_set", names.sys_id);
    let shown = get(&world, &format!("{path}&sysparm_display_value=true&sysparm_exclude_reference_link=true")).await.1;
    let expected =
        json!({"state": "Open", "opened_by": "Nina Keller", "opened_at": "2026-11-03 10:00:00", "approval_set": ""});
    assert_eq!(shown["result"], expected);
    let both = get(&world, &format!("{path}&sysparm_display_value=all")).await.1;
    assert_eq!(both["result"]["state"], json!({"display_value": "Open", "value": "1"}));
    assert_eq!(both["result"]["opened_by"]["value"], NINA_SYS_ID);
}

#[tokio::test]
async fn missing_hidden_and_deleted_look_alike() {
    let world = World::story().await;
    let (hidden, deleted) = (order(&world), order(&world));
    snow(&world).hide_record(&hidden.sys_id);
    snow(&world).delete(&deleted.sys_id);
    for id in [hidden.sys_id.as_str(), &deleted.sys_id, "00000000000000000000000000000000"] {
        let (status, body) = get(&world, &format!("table/sc_req_item/{id}")).await;
        assert_eq!((status, &body["error"]["message"]), (404, &json!("No Record found")));
    }
    let none = "table/sc_req_item?sysparm_query=number=RITM9999999";
    assert_eq!(get(&world, none).await, (200, json!({"result": []})));
    assert_eq!(get(&world, &format!("v2/{none}")).await.0, 200);
    assert_eq!(get(&world, &format!("v1/{none}")).await.0, 404);
}

#[tokio::test]
async fn a_work_note_is_kept_in_the_journal_and_reads_back_empty() {
    let world = World::story().await;
    let names = order(&world);
    let path = format!("table/sc_req_item/{}", names.sys_id);
    world.pass(60);
    let note = json!({"work_notes": "granted [stint:1:granted]"});
    let (status, body) = world.snow("PATCH", &path, Some(&note)).await.unwrap();
    assert_eq!((status, &body["result"]["work_notes"]), (200, &json!("")));
    assert_eq!((&body["result"]["sys_mod_count"], &body["result"]["sys_updated_by"]), (&json!("1"), &json!(SNOW_USER)));
    let silent = world.ask_snow("PATCH", &path, Some(&json!({"comments": "done"})));
    assert_eq!(silent.header("X-no-response-body", "true").send().await.unwrap().status(), 204);

    let query = format!("element_id={}^element=work_notes^valueLIKE[stint:1:granted]", names.sys_id);
    let fields = "element,value,sys_created_by,sys_created_on";
    let (_, body) =
        get(&world, &format!("table/sys_journal_field?sysparm_query={query}&sysparm_fields={fields}")).await;
    let expected = json!([{
        "element": "work_notes", "value": "granted [stint:1:granted]",
        "sys_created_by": SNOW_USER, "sys_created_on": "2026-11-03 09:01:00",
    }]);
    assert_eq!(body["result"], expected);
    let kept: Vec<_> =
        snow(&world).work_notes(FIRST).into_iter().map(|entry| (entry.internal, entry.created)).collect();
    assert_eq!(kept, [(true, world.now()), (false, world.now())]);
    let forbidden = world.snow("PATCH", &path, Some(&json!({"state": "3"}))).await.unwrap();
    assert_eq!(forbidden.0, 403);
}
