//! How connections, tenants and the audit log stand, as those see it who watch over stint.

use jiff::Timestamp;
use serde_json::{Value, json};
use stint::sandbox::{
    graph::{Fault, FaultKind, On},
    jira::{IssueDraft, JiraFault, JiraFaultKind, JiraOn},
    story,
};

use crate::world::{It, minutes, morning};

async fn health(it: &It) -> Value {
    let seen = it.get("/v1/health", &it.auditor()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    seen.body
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().expect("a list").iter().find(|entry| entry["name"] == name).unwrap_or(&Value::Null)
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().expect("a moment").parse().expect("a moment")
}

#[tokio::test]
async fn nothing_is_told_that_has_not_happened_yet() {
    let it = It::begins().await;
    let health = health(&it).await;
    assert_eq!(health["at"], morning().to_string());
    let names: Vec<_> = health["connections"].as_array().expect("a list").iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["jira-cloud", "service-desk", "servicenow"]);
    let jira = named(&health["connections"], "jira-cloud");
    let nothing = json!({
        "name": "jira-cloud", "tenants": ["contoso"], "last_delivery_at": null, "last_delivery_outcome": null,
        "searched_until": null, "next_search_at": null, "search_failures": 0, "search_error": null
    });
    assert_eq!(*jira, nothing);
    let tenant = json!({
        "name": "contoso", "compared_at": null, "next_comparison_at": null, "comparison_failures": 0,
        "comparison_error": null
    });
    assert_eq!(health["tenants"], json!([tenant]));
    let log = json!({ "events": 0, "waiting": 0, "waiting_since": null, "checkpoint": null });
    assert_eq!(health["audit_log"], log);
    it.ends().await;
}

#[tokio::test]
async fn what_last_went_well_is_told_with_its_time() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    let taken_at = it.world.clock.now();
    let waiting = health(&it).await["audit_log"].clone();
    assert_eq!((&waiting["events"], &waiting["waiting"]), (&json!(1), &json!(1)));
    assert_eq!(waiting["waiting_since"], taken_at.to_string());
    it.until(&id, "ended").await;
    it.pass(minutes(16)).await;
    // A proof is of what is sealed.
    assert_eq!(it.get(&format!("/v1/requests/{id}/evidence"), &it.auditor()).await.status, 200);

    let health = health(&it).await;
    let jira = named(&health["connections"], "jira-cloud");
    assert_eq!(jira["last_delivery_at"], taken_at.to_string());
    assert_eq!((&jira["last_delivery_outcome"], &jira["search_error"]), (&json!("accepted"), &Value::Null));
    let now = it.world.clock.now();
    assert!(moment(&jira["searched_until"]) > now - minutes(6), "{jira:#}");
    assert!(moment(&jira["next_search_at"]) > now, "{jira:#}");
    assert_eq!(named(&health["connections"], "servicenow")["last_delivery_at"], Value::Null);
    let contoso = named(&health["tenants"], "contoso");
    assert!(moment(&contoso["compared_at"]) > now - minutes(16), "{contoso:#}");
    let checkpoint = &health["audit_log"]["checkpoint"];
    assert_eq!((&checkpoint["signed"], &health["audit_log"]["waiting"]), (&json!(true), &json!(0)));
    assert_eq!(checkpoint["tree_size"], health["audit_log"]["events"]);
    it.ends().await;
}

#[tokio::test]
async fn what_fails_is_told_with_its_reason_until_it_goes_well_again() {
    let it = It::begins().await;
    it.right_after_a_search().await;
    let well = health(&it).await;
    it.world.sandbox.jira.fault(JiraFault { on: JiraOn::Search, kind: JiraFaultKind::Status(503), times: 1000 });
    it.world.sandbox.graph.fault(Fault { on: On::ReadInstances, kind: FaultKind::Html(200), times: 100_000 });
    it.pass(minutes(20)).await;
    let ill = health(&it).await;
    let (before, jira) = (named(&well["connections"], "jira-cloud"), named(&ill["connections"], "jira-cloud"));
    assert!(jira["search_error"].is_string() && jira["search_failures"].as_u64() > Some(1), "{jira:#}");
    assert_eq!(jira["searched_until"], before["searched_until"], "the last success stays told");
    assert_eq!(named(&ill["connections"], "servicenow")["search_error"], Value::Null);
    let contoso = named(&ill["tenants"], "contoso");
    assert!(
        contoso["comparison_error"].is_string() && contoso["comparison_failures"].as_u64() > Some(0),
        "{contoso:#}"
    );

    it.world.sandbox.jira.clear_faults();
    it.world.sandbox.graph.clear_faults();
    it.pass(minutes(40)).await;
    let again = health(&it).await;
    let jira = named(&again["connections"], "jira-cloud");
    assert_eq!((&jira["search_error"], &jira["search_failures"]), (&Value::Null, &json!(0)));
    assert_eq!(named(&again["tenants"], "contoso")["comparison_failures"], 0);
    it.ends().await;
}

#[tokio::test]
async fn a_connection_is_told_of_to_those_who_see_every_tenant_it_serves() {
    let it = It::begins().await;
    let as_role = async |role: &str| {
        let seen = it.get("/v1/health", &it.world.token(story::LENA_ID, "Somebody", &[role])).await;
        let count = |list: &str| seen.body[list].as_array().map(Vec::len);
        (seen.status, count("connections"), count("tenants"))
    };
    assert_eq!(as_role("Stint.Operator").await, (200, Some(3), Some(1)));
    assert_eq!(as_role("Stint.Auditor.contoso").await, (200, Some(3), Some(1)));
    assert_eq!(as_role("Stint.Auditor.fabrikam").await, (200, Some(0), Some(0)));
    assert_eq!(as_role("Stint.Requester").await, (403, None, None));
    assert_eq!(it.get("/v1/health?tenant=contoso", &it.auditor()).await.status, 400);
    it.ends().await;
}
