//! What somebody must look at: raised, seen by whom it concerns, acknowledged once, cleared, and all of it in the log.

use serde_json::{Value, json};
use stint::{
    domain::id::ConnectionName,
    sandbox::{jira::IssueDraft, story},
    store::NewFinding,
};

use crate::{
    posted::post,
    tenants::two_tenants,
    world::{It, minutes},
};

async fn found(it: &It, query: &str, token: &str) -> Vec<Value> {
    let seen = it.get(&format!("/v1/findings?{query}"), token).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    seen.body["items"].as_array().expect("items").clone()
}

fn kinds(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["kind"].as_str().expect("a kind")).collect()
}

/// What the audit log tells of a kind of finding: each event with its actor.
async fn told(it: &It, kind: &str) -> Vec<(String, String)> {
    let rows = sqlx::query_as(
        "select event, actor from audit_events join audit_details on event_id = id \
         where event like 'finding-%' and detail->>'kind' = $1 order by id",
    );
    rows.bind(kind).fetch_all(&mut it.sql().await).await.expect("the audit log")
}

#[tokio::test]
async fn a_finding_is_raised_acknowledged_once_and_cleared_and_the_log_tells_each() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    it.pass(minutes(20)).await;
    let auditor = it.auditor();
    let open = found(&it, "state=open&kind=out-of-band&tenant=contoso", &auditor).await;
    assert_eq!(open.len(), 1);
    assert_eq!((&open[0]["state"], &open[0]["acknowledged"]), (&json!("open"), &Value::Null));
    assert_eq!(found(&it, "", &auditor).await, open);
    let path = format!("/v1/findings/{}/acknowledge", open[0]["id"].as_str().expect("an id"));

    let as_role = |role: &str| it.world.token(story::LENA_ID, "Lena Vogt", &[role]);
    let why = || Some(json!({ "reason": "agreed with Contoso" }));
    for (role, status) in [
        ("Stint.Auditor", 403),
        ("Stint.Auditor.contoso", 403),
        ("Stint.Operator.fabrikam", 404),
        ("Stint.Requester", 403),
    ] {
        assert_eq!(post(&it, &path, &as_role(role), None, why()).await.status, status, "{role}");
    }
    for body in [json!({ "reason": "" }), json!({ "reason": "a\nb" }), json!({ "why": "x" }), json!(["x"])] {
        let refused = post(&it, &path, &as_role("Stint.Operator"), None, Some(body.clone())).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    let first = post(&it, &path, &as_role("Stint.Operator.contoso"), None, why()).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let document = first.body();
    assert_eq!(document["state"], "acknowledged");
    assert_eq!(document["acknowledged"]["reason"], "agreed with Contoso");
    let operator = format!("caller:{}/{}", story::TENANT, story::LENA_ID);
    assert_eq!(document["acknowledged"]["by"], operator.as_str());
    it.world.clock.advance(minutes(1));
    let other = it.world.token(story::OMAR_ID, "Omar", &["Stint.Operator"]);
    assert_eq!(post(&it, &path, &other, None, None).await, first, "another one changes nothing");
    let read =
        "select actor, tenant from audit_events join audit_details on event_id = id where detail->>'what' = 'finding'";
    let read: Vec<(String, String)> = sqlx::query_as(read).fetch_all(&mut it.sql().await).await.expect("the log");
    let omar = format!("caller:{}/{}", story::TENANT, story::OMAR_ID);
    assert_eq!(read, [(omar, "contoso".to_owned())], "the other one read it");
    assert_eq!(found(&it, "state=open", &auditor).await, Vec::<Value>::new());
    assert_eq!(found(&it, "state=acknowledged", &auditor).await, std::slice::from_ref(&document));

    graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");
    it.pass(minutes(40)).await;
    let cleared = found(&it, "state=cleared", &auditor).await;
    assert_eq!(kinds(&cleared), ["out-of-band"]);
    assert_eq!(cleared[0]["acknowledged"], document["acknowledged"]);
    let stint = || "stint".to_owned();
    let events = [("finding-raised", stint()), ("finding-acknowledged", operator), ("finding-cleared", stint())];
    assert_eq!(told(&it, "out-of-band").await, events.map(|(event, actor)| (event.to_owned(), actor)));
    it.ends().await;
}

#[tokio::test]
async fn a_finding_of_a_request_leads_to_it_and_is_in_the_log() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(5)).await;
    it.world.sandbox.graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");
    it.until(&id, "ended").await;
    let of_request = found(&it, &format!("request={id}"), &it.auditor()).await;
    assert_eq!(kinds(&of_request), ["removed-outside"]);
    assert_eq!((&of_request[0]["tenant"], &of_request[0]["request_id"]), (&json!("contoso"), &json!(id)));
    assert_eq!(told(&it, "removed-outside").await, [("finding-raised".into(), "stint".into())]);
    let timeline = it.document(&id).await["timeline"].clone();
    let raised = timeline.as_array().expect("events").iter().filter(|event| event["event"] == "finding-raised");
    assert_eq!(raised.count(), 1, "{timeline:#}");
    it.ends().await;
}

#[tokio::test]
async fn who_sees_a_finding_of_a_connection_sees_every_tenant_that_it_serves() {
    let it = two_tenants(8).await;
    let store = &it.world.service.store;
    let now = it.world.clock.now();
    for name in ["jira-cloud", "service-desk", "no-longer-configured"] {
        let finding = NewFinding { kind: "ticket-credential", detail: json!({}) };
        let raised = store.raise_of_connection(&ConnectionName::new(name), &finding, now).await;
        assert!(raised.expect("a working database"));
        it.world.clock.advance(minutes(1));
    }
    let seen = async |roles: &[&str]| {
        let items = found(&it, "kind=ticket-credential", &it.world.token(story::LENA_ID, "L", roles)).await;
        items.iter().map(|item| item["connection"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen(&["Stint.Auditor.contoso"]).await, ["jira-cloud"]);
    assert_eq!(seen(&["Stint.Auditor.fabrikam"]).await, ["service-desk"]);
    assert_eq!(seen(&["Stint.Auditor.contoso", "Stint.Operator.fabrikam"]).await, ["service-desk", "jira-cloud"]);
    assert_eq!(seen(&["Stint.Auditor.nobody"]).await, Vec::<String>::new());
    let all = ["no-longer-configured", "service-desk", "jira-cloud"];
    assert_eq!(seen(&["Stint.Auditor"]).await, all);

    let items = found(&it, "connection=service-desk", &it.auditor()).await;
    let path = format!("/v1/findings/{}/acknowledge", items[0]["id"].as_str().expect("an id"));
    let operator = |role: &str| it.world.token(story::LENA_ID, "L", &[role]);
    assert_eq!(post(&it, &path, &operator("Stint.Operator.contoso"), None, None).await.status, 404);
    assert_eq!(post(&it, &path, &operator("Stint.Operator.fabrikam"), None, None).await.status, 200);
    it.world.running.stop().await;
}

#[tokio::test]
async fn findings_are_paged_newest_first() {
    let it = It::begins().await;
    let store = &it.world.service.store;
    let mut expected = vec![];
    for n in 0..5 {
        let finding = NewFinding { kind: "ticket-credential", detail: json!({ "n": n }) };
        let name = ConnectionName::new(format!("desk-{n}"));
        store.raise_of_connection(&name, &finding, it.world.clock.now()).await.expect("a working database");
        expected.insert(0, json!(n));
        it.world.clock.advance(minutes(1));
    }
    let (mut paged, mut path) = (vec![], "/v1/findings?limit=2".to_owned());
    loop {
        let page = it.get(&path, &it.auditor()).await.body;
        paged.extend(page["items"].as_array().expect("items").iter().map(|item| item["detail"]["n"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/findings?limit=2&cursor={next}");
    }
    assert_eq!(paged, expected);
    let from = it.world.clock.now() - minutes(2);
    assert_eq!(found(&it, &format!("from={from}"), &it.auditor()).await.len(), 2);
    assert_eq!(found(&it, &format!("to={from}"), &it.auditor()).await.len(), 3);
    for (query, name) in [("state=new", "state"), ("request=x", "request"), ("sort=up", "sort")] {
        let seen = it.get(&format!("/v1/findings?{query}"), &it.auditor()).await;
        assert!(seen.status == 400 && seen.body["detail"].as_str().expect("words").contains(name), "{}", seen.body);
    }
    it.ends().await;
}
