//! What people do in the simulated ServiceNow, as a client reads it back.

use serde_json::{Value, json};

use super::super::ServiceNow;
use super::super::story::{LENA_SYS_ID, NINA_SYS_ID, NINA_UPN, OMAR_SYS_ID, SNOW_CATALOG_ITEM};
use super::super::testing::World;
use super::{ChangeDraft, ItemDraft, Record, SnowEvent};

fn snow(world: &World) -> &ServiceNow {
    &world.sandbox.servicenow
}

async fn record(world: &World, table: &str, id: &str) -> Value {
    let path = format!("table/{table}/{id}?sysparm_exclude_reference_link=true");
    let (status, body) = world.snow("GET", &path, None).await.unwrap();
    assert_eq!(status, 200, "{body}");
    body["result"].clone()
}

async fn item(world: &World, id: &str) -> Value {
    record(world, "sc_req_item", id).await
}

/// Approver and state of the rows about a task, in the order they were made.
async fn votes(world: &World, task: &str) -> Vec<(String, String)> {
    let path =
        format!("table/sysapproval_approver?sysparm_query=sysapproval={task}&sysparm_exclude_reference_link=true");
    let (_, body) = world.snow("GET", &path, None).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    body["result"].as_array().unwrap().iter().map(|row| (text(&row["approver"]), text(&row["state"]))).collect()
}

fn approved(world: &World) -> Record {
    let names = snow(world).create_item(ItemDraft::default());
    snow(world).request_approval(&names.sys_id, &[OMAR_SYS_ID, LENA_SYS_ID]);
    world.pass(60);
    snow(world).approve(&names.sys_id, OMAR_SYS_ID);
    names
}

fn vote(user: &str, state: &str) -> (String, String) {
    (user.to_owned(), state.to_owned())
}

fn body(world: &World, id: &str, event: SnowEvent) -> Value {
    serde_json::from_slice(&snow(world).webhook_for(id, event).body).unwrap()
}

#[tokio::test]
async fn an_approval_flips_the_item_and_spares_the_other_approver() {
    let world = World::story().await;
    let names = approved(&world);
    assert_eq!(names.number, "RITM0010588");
    let row = item(&world, &names.sys_id).await;
    assert_eq!((&row["approval"], &row["state"], &row["active"]), (&json!("approved"), &json!("2"), &json!("true")));
    assert_eq!((&row["cat_item"], &row["opened_by"]), (&json!(SNOW_CATALOG_ITEM), &json!(NINA_SYS_ID)));
    assert_eq!(
        (&row["sys_updated_on"], &row["sys_updated_by"]),
        (&json!("2026-11-03 09:01:00"), &json!("omar.haddad"))
    );
    let expected = [vote(OMAR_SYS_ID, "approved"), vote(LENA_SYS_ID, "not_required")];
    assert_eq!(votes(&world, &names.sys_id).await, expected);
}

#[tokio::test]
async fn two_approvals_are_two_votes_and_one_rejection_is_enough() {
    let world = World::story().await;
    let names = snow(&world).create_item(ItemDraft::default());
    snow(&world).request_approvals(&names.sys_id, &[OMAR_SYS_ID, LENA_SYS_ID], 2);
    snow(&world).approve(&names.sys_id, OMAR_SYS_ID);
    assert_eq!(item(&world, &names.sys_id).await["approval"], "requested");
    snow(&world).reject(&names.sys_id, LENA_SYS_ID);
    let row = item(&world, &names.sys_id).await;
    assert_eq!((&row["approval"], &row["state"], &row["active"]), (&json!("rejected"), &json!("4"), &json!("false")));
}

#[tokio::test]
async fn rows_on_the_request_decide_the_item_too() {
    let world = World::story().await;
    let names = snow(&world).create_item(ItemDraft::default());
    snow(&world).request_parent_approval(&names.sys_id, &[OMAR_SYS_ID]);
    snow(&world).approve_on_behalf(&names.sys_id, OMAR_SYS_ID, LENA_SYS_ID);
    let request = snow(&world).parent(&names.sys_id);
    assert!(votes(&world, &names.sys_id).await.is_empty());
    assert_eq!(votes(&world, &request).await, [vote(OMAR_SYS_ID, "approved")]);
    assert_eq!(record(&world, "sc_request", &request).await["approval"], "approved");
    assert_eq!(item(&world, &names.sys_id).await["approval"], "approved");
    let row = snow(&world).newest_approval(&names.sys_id).unwrap();
    assert_eq!(record(&world, "sysapproval_approver", &row).await["sys_updated_by"], "lena.vogt");
}

#[tokio::test]
async fn a_delayed_roll_up_leaves_the_record_behind_its_rows() {
    let world = World::story().await;
    snow(&world).delay_roll_up(true);
    let names = approved(&world);
    assert_eq!(votes(&world, &names.sys_id).await[0].1, "approved");
    assert_eq!(item(&world, &names.sys_id).await["approval"], "requested");
    snow(&world).roll_up();
    assert_eq!(item(&world, &names.sys_id).await["approval"], "approved");
}

#[tokio::test]
async fn an_automatic_approval_leaves_no_rows() {
    let world = World::story().await;
    let names = snow(&world).create_item(ItemDraft::default());
    snow(&world).auto_approve(&names.sys_id);
    assert_eq!(item(&world, &names.sys_id).await["approval"], "approved");
    assert!(snow(&world).newest_approval(&names.sys_id).is_none());
}

#[tokio::test]
async fn a_reopened_item_keeps_its_old_rows_and_gets_new_ones() {
    let world = World::story().await;
    let names = approved(&world);
    snow(&world).reopen(&names.sys_id);
    assert_eq!(item(&world, &names.sys_id).await["approval"], "requested");
    snow(&world).request_approval(&names.sys_id, &[LENA_SYS_ID]);
    let states: Vec<_> = votes(&world, &names.sys_id).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["approved", "not_required", "requested"]);
    snow(&world).cancel(&names.sys_id);
    assert_eq!(votes(&world, &names.sys_id).await[2].1, "cancelled");
}

#[tokio::test]
async fn an_edited_variable_tells_when_it_was_edited() {
    let world = World::story().await;
    let names = approved(&world);
    world.pass(60);
    snow(&world).edit_variable(&names.sys_id, "duration", "PT8H", NINA_SYS_ID);
    let fields = "sc_item_option.item_option_new.name,sc_item_option.value,sc_item_option.sys_updated_on";
    let path = format!("table/sc_item_option_mtom?sysparm_query=request_item={}&sysparm_fields={fields}", names.sys_id);
    let (_, body) = world.snow("GET", &path, None).await.unwrap();
    let row = |name: &str, value: &str, edited: &str| {
        json!({
            "sc_item_option.item_option_new.name": name, "sc_item_option.value": value,
            "sc_item_option.sys_updated_on": edited,
        })
    };
    let expected = json!([
        row("entitlement", "exchange-admin", "2026-11-03 09:00:00"),
        row("target_upn", NINA_UPN, "2026-11-03 09:00:00"),
        row("duration", "PT8H", "2026-11-03 09:02:00"),
    ]);
    assert_eq!(body["result"], expected);
    assert_eq!(item(&world, &names.sys_id).await["approval"], "approved");
}

#[tokio::test]
async fn a_change_is_scheduled_held_moved_and_reverted() {
    let world = World::story().await;
    let (start, end) = ("2026-11-03T10:00:00Z".parse().ok(), "2026-11-03T12:00:00Z".parse().ok());
    let names = snow(&world).create_change(&ChangeDraft { start, end, ..ChangeDraft::default() });
    assert_eq!(names.number, "CHG0031877");
    snow(&world).request_approval(&names.sys_id, &[OMAR_SYS_ID]);
    snow(&world).approve(&names.sys_id, OMAR_SYS_ID);
    snow(&world).hold(&names.sys_id, true);
    let row = record(&world, "change_request", &names.sys_id).await;
    assert_eq!((&row["state"], &row["on_hold"]), (&json!("-2"), &json!("true")));
    assert_eq!((&row["start_date"], &row["duration"]), (&json!("2026-11-03 10:00:00"), &json!("PT4H")));
    let saved: u32 = row["sys_mod_count"].as_str().unwrap().parse().unwrap();

    snow(&world).set_window(&names.sys_id, None, end);
    snow(&world).revert_to_new(&names.sys_id);
    let row = record(&world, "change_request", &names.sys_id).await;
    assert_eq!((&row["state"], &row["approval"]), (&json!("-5"), &json!("not requested")));
    assert_eq!((&row["start_date"], &row["sys_mod_count"]), (&json!(""), &json!((saved + 2).to_string())));
}

#[tokio::test]
async fn a_stale_ticket_shows_its_past_as_a_whole() {
    let world = World::story().await;
    let names = snow(&world).create_item(ItemDraft::default());
    snow(&world).stale_for(&names.sys_id, 30);
    snow(&world).request_approval(&names.sys_id, &[OMAR_SYS_ID]);
    snow(&world).approve(&names.sys_id, OMAR_SYS_ID);
    assert_eq!(item(&world, &names.sys_id).await["approval"], "not requested");
    assert!(votes(&world, &names.sys_id).await.is_empty());
    world.pass(30);
    assert_eq!(item(&world, &names.sys_id).await["approval"], "approved");
    assert_eq!(votes(&world, &names.sys_id).await.len(), 1);
}

#[tokio::test]
async fn webhooks_tell_each_event_in_its_own_way() {
    let world = World::story().await;
    let names = approved(&world);
    let told = body(&world, &names.sys_id, SnowEvent::Approved);
    assert_eq!((&told["schema"], &told["event"]), (&json!("stint.servicenow.v1"), &json!("approval.approved")));
    assert_eq!((&told["previous_approval"], &told["approval"]), (&json!("requested"), &json!("approved")));
    assert_eq!((&told["table"], &told["sys_id"]), (&json!("sc_req_item"), &json!(names.sys_id)));
    assert_eq!(
        (&told["approver"]["user_name"], &told["variables"]["duration"]),
        (&json!("omar.haddad"), &json!("PT4H"))
    );
    assert_eq!(told["event_id"], format!("sc_req_item:{}:2", names.sys_id));

    let row = body(&world, &names.sys_id, SnowEvent::ApproverApproved);
    assert_eq!((&row["table"], &row["sysapproval"]["number"]), (&json!("sysapproval_approver"), &json!("RITM0010588")));
    assert_eq!(body(&world, &names.sys_id, SnowEvent::Thin).as_object().unwrap().len(), 6);
    let shown = body(&world, &names.sys_id, SnowEvent::DisplayValues);
    assert_eq!((&shown["approval"], &shown["requested_for"]), (&json!("Approved"), &json!("Nina Keller")));
    assert_eq!((&shown["sys_updated_on"], &shown["schema"]), (&json!("2026-11-03 10:01:00"), &Value::Null));

    let change = snow(&world).create_change(&ChangeDraft::default());
    snow(&world).cancel(&change.sys_id);
    let told = body(&world, &change.sys_id, SnowEvent::Cancelled);
    assert_eq!(
        (&told["event"], &told["previous_state"], &told["state"]),
        (&json!("change.canceled"), &json!("-5"), &json!("4"))
    );
}
