//! The simulated Graph, as a client meets it.

use serde_json::{Value, json};

use super::super::Graph;
use super::super::story::{self, TENANT};
use super::super::testing::{INSTANCES, REQUESTS, ROLE, SCHEDULES, World, assignment};
use super::{Casing, RolePolicy, User};

pub(super) fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap()
}

pub(super) fn graph(world: &World) -> &Graph {
    &world.sandbox.graph
}

#[tokio::test]
async fn an_assignment_is_there_until_its_end_and_not_a_second_longer() {
    let world = World::story().await;
    let (status, body) = world.assign("PT1H").await.unwrap();
    assert_eq!((status, body["status"].as_str()), (201, Some("Provisioned")));

    let row = world.rows(INSTANCES).await.remove(0);
    assert_eq!(row["roleAssignmentScheduleId"], body["targetScheduleId"]);
    assert_eq!(row["endDateTime"], "2026-11-03T10:00:00.0000000Z");
    assert_eq!(world.rows(SCHEDULES).await[0]["createdUsing"], body["id"]);

    world.pass(3599);
    assert_eq!(world.rows(INSTANCES).await.len(), 1);
    world.pass(1);
    assert!(world.rows(INSTANCES).await.is_empty());
    let grant = graph(&world).grants(TENANT).remove(0);
    assert_eq!(grant.ended_at, grant.end);
    assert!(graph(&world).active_grants(TENANT).is_empty());
}

#[tokio::test]
async fn a_second_assignment_of_the_same_triple_is_refused() {
    let world = World::story().await;
    world.assign("PT1H").await.unwrap();
    let (status, body) = world.assign("PT2H").await.unwrap();
    assert_eq!((status, code(&body)), (400, "RoleAssignmentExists"));
    let ledger = graph(&world).ledger();
    assert_eq!(ledger.iter().map(|entry| entry.committed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(ledger[1].error.as_deref(), Some("RoleAssignmentExists"));
    assert_eq!(ledger[0].ticket_number.as_deref(), Some("ITSEC-482"));
}

#[tokio::test]
async fn nothing_is_removed_in_its_first_five_minutes() {
    let world = World::story().await;
    world.assign("PT1H").await.unwrap();
    world.pass(299);
    assert_eq!(code(&world.remove().await.1), "ActiveDurationTooShort");
    world.pass(1);
    let (status, body) = world.remove().await;
    assert_eq!((status, body["status"].as_str(), &body["scheduleInfo"]), (201, Some("Revoked"), &Value::Null));
    assert!(world.rows(INSTANCES).await.is_empty());
    assert_eq!(code(&world.remove().await.1), "RoleAssignmentDoesNotExist");
}

#[tokio::test]
async fn a_removal_takes_away_what_somebody_else_made() {
    let world = World::story().await;
    let schedule = graph(&world).add_foreign_grant(TENANT, story::NINA_ID, ROLE, "/", None);
    let row = world.rows(INSTANCES).await.remove(0);
    assert_eq!((&row["id"], &row["startDateTime"]), (&json!(schedule), &Value::Null));
    world.pass(301);
    assert_eq!(world.remove().await.0, 201);
    assert!(graph(&world).ledger()[0].removed_foreign);
}

#[tokio::test]
async fn the_policy_names_every_rule_that_failed() {
    let world = World::story().await;
    let policy = RolePolicy {
        maximum_duration: "PT2H".to_owned(),
        expiration_required: true,
        enabled_rules: vec!["MultiFactorAuthentication".to_owned(), "Ticketing".to_owned()],
    };
    graph(&world).set_policy(TENANT, ROLE, policy);
    let mut body = assignment("PT3H");
    body["ticketInfo"] = Value::Null;
    let (status, body) = world.graph_post(REQUESTS, &body).await.unwrap();
    assert_eq!((status, code(&body)), (400, "RoleAssignmentRequestPolicyValidationFailed"));
    let message = body["error"]["message"].as_str().unwrap();
    let listed = message.strip_prefix("The following policy rules failed: ").unwrap();
    let rules: Vec<String> = serde_json::from_str(listed).unwrap();
    assert_eq!(rules, ["MfaRule", "TicketingRule", "ExpirationRule"]);
}

#[tokio::test]
async fn the_policy_can_be_read_with_its_rules() {
    let world = World::story().await;
    let filter = format!("scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '{ROLE}'");
    let path = format!("policies/roleManagementPolicyAssignments?$filter={filter}&$expand=policy($expand=rules)");
    let (status, body) = world.graph_get(&path).await;
    assert_eq!(status, 200);
    assert_eq!(body["value"].as_array().unwrap().len(), 1);
    let rules = body["value"][0]["policy"]["rules"].as_array().unwrap();
    let expiration = rules.iter().find(|rule| rule["id"] == "Expiration_Admin_Assignment").unwrap();
    assert_eq!(expiration["maximumDuration"], "P15D");
    assert_eq!(world.graph_get("policies/roleManagementPolicyAssignments").await.0, 400);
}

#[tokio::test]
async fn less_than_five_minutes_and_no_end_break_the_expiration_rule() {
    let world = World::story().await;
    for expiration in [json!({"type": "afterDuration", "duration": "PT4M"}), json!({"type": "noExpiration"})] {
        let mut body = assignment("PT1H");
        body["scheduleInfo"]["expiration"] = expiration;
        let (_, body) = world.graph_post(REQUESTS, &body).await.unwrap();
        assert_eq!(code(&body), "RoleAssignmentRequestPolicyValidationFailed");
    }
}

#[tokio::test]
async fn a_young_principal_is_not_known_yet_and_a_strange_role_never() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.young_principal_seconds = 60);
    graph(&world).update_user(TENANT, story::NINA_ID, |user| user.created_at = world.now());
    let (status, body) = world.assign("PT1H").await.unwrap();
    assert_eq!((status, code(&body)), (404, "SubjectNotFound"));
    world.pass(60);
    assert_eq!(world.assign("PT1H").await.unwrap().0, 201);

    let mut strange = assignment("PT1H");
    strange["roleDefinitionId"] = json!("00000000-0000-4000-8000-000000000000");
    assert_eq!(code(&world.graph_post(REQUESTS, &strange).await.unwrap().1), "RoleNotFound");
}

#[tokio::test]
async fn reads_lag_behind_writes_but_the_guard_does_not() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.read_lag_seconds = 30);
    let (_, body) = world.assign("PT1H").await.unwrap();
    let one = format!("{REQUESTS}/{}", body["id"].as_str().unwrap());
    assert_eq!(world.graph_get(&one).await.0, 404);
    assert!(world.rows(INSTANCES).await.is_empty());
    assert!(world.rows(REQUESTS).await.is_empty());
    assert_eq!(code(&world.assign("PT1H").await.unwrap().1), "RoleAssignmentExists");
    world.pass(30);
    assert_eq!(world.graph_get(&one).await.0, 200);
    assert_eq!(world.rows(INSTANCES).await.len(), 1);
}

#[tokio::test]
async fn a_grant_in_flight_is_pending_and_anchors_its_end_when_it_starts() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.granted_seconds = 40);
    assert_eq!(world.assign("PT1H").await.unwrap().1["status"], "Granted");
    assert_eq!(code(&world.assign("PT1H").await.unwrap().1), "PendingRoleAssignmentRequest");
    assert!(world.rows(INSTANCES).await.is_empty());
    world.pass(40);
    assert_eq!(world.rows(REQUESTS).await[0]["status"], "Provisioned");
    assert_eq!(world.rows(INSTANCES).await[0]["endDateTime"], "2026-11-03T10:00:40.0000000Z");
}

#[tokio::test]
async fn an_endless_grant_never_starts_and_can_be_cancelled() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.granted_forever = true);
    let (_, body) = world.assign("PT1H").await.unwrap();
    world.pass(86_400);
    assert_eq!(world.rows(REQUESTS).await[0]["status"], "Granted");
    let cancel = format!("{REQUESTS}/{}/cancel", body["id"].as_str().unwrap());
    assert_eq!(world.graph_post(&cancel, &Value::Null).await.unwrap().0, 204);
    assert_eq!(world.rows(REQUESTS).await[0]["status"], "Canceled");
    assert_eq!(world.graph_post(&cancel, &Value::Null).await.unwrap().0, 400);
    assert!(graph(&world).grants(TENANT)[0].start.is_none());
}

#[tokio::test]
async fn a_future_start_is_granted_until_it_comes() {
    let world = World::story().await;
    let mut body = assignment("PT1H");
    body["scheduleInfo"]["startDateTime"] = json!("2026-11-03T12:00:00Z");
    let (_, answer) = world.graph_post(REQUESTS, &body).await.unwrap();
    assert_eq!(answer["status"], "Granted");
    assert_eq!(code(&world.graph_post(REQUESTS, &body).await.unwrap().1), "RoleAssignmentExists");
    world.pass(3 * 3600);
    assert_eq!(world.rows(INSTANCES).await[0]["endDateTime"], "2026-11-03T13:00:00.0000000Z");
}

#[tokio::test]
async fn knobs_bend_the_end_the_status_the_casing_and_the_creation_time() {
    let world = World::story().await;
    graph(&world).set(|knobs| {
        knobs.later_end_seconds = 600;
        knobs.status = Some("PendingApprovalProvisioning".to_owned());
        knobs.casing = Casing::Pascal;
    });
    let (_, answer) = world.assign("PT1H").await.unwrap();
    assert_eq!(answer["status"], "PendingApprovalProvisioning");
    assert_eq!(answer["action"], "AdminAssign");
    assert_eq!(answer["scheduleInfo"]["expiration"]["type"], "AfterDuration");
    assert_ne!(world.rows(REQUESTS).await[0]["createdDateTime"], answer["createdDateTime"]);
    assert_eq!(world.rows(INSTANCES).await[0]["endDateTime"], "2026-11-03T10:10:00.0000000Z");
}

#[tokio::test]
async fn a_grant_without_end_shows_none() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.no_end = true);
    world.assign("PT1H").await.unwrap();
    assert_eq!(world.rows(INSTANCES).await[0]["endDateTime"], Value::Null);
}

#[tokio::test]
async fn lists_come_in_pages_with_links_back_here() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.page_size = 2);
    let url = graph(&world).url();
    let (_, first) = world.graph_get("users?$select=id&$filter=accountEnabled eq true").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = first["@odata.nextLink"].as_str().unwrap().strip_prefix(&format!("{url}/v1.0/")).unwrap().to_owned();
    let (_, second) = world.graph_get(&next).await;
    assert_eq!(second["value"].as_array().unwrap().len(), 1);
    assert!(second.get("@odata.nextLink").is_none());
}

#[tokio::test]
async fn a_user_is_found_by_id_name_mail_and_proxy_address() {
    let world = World::story().await;
    let guest = User {
        upn: "kim_partner.example#EXT#@contoso.example".to_owned(),
        mail: Some("kim@partner.example".to_owned()),
        user_type: "Guest".to_owned(),
        ..User::member("7d5b90e2-1c34-4a8f-b6d7-e0f1a2b3c4d5", "", "Kim Park")
    };
    graph(&world).add_user(TENANT, guest.clone());
    let by_name = "users/kim_partner.example%23EXT%23@contoso.example?$select=id,userType";
    assert_eq!(world.graph_get(by_name).await.1["userType"], "Guest");
    for filter in ["mail eq 'KIM@partner.example'", "proxyAddresses/any(p:p eq 'smtp:kim@partner.example')"] {
        let (_, body) = world.graph_get(&format!("users?$filter={filter}")).await;
        assert_eq!(body["value"][0]["id"], guest.id.as_str(), "{filter}");
        assert!(body["value"][0].get("userType").is_none());
    }
    let (status, body) = world.graph_get("users/nobody@contoso.example").await;
    assert_eq!((status, code(&body)), (404, "Request_ResourceNotFound"));
}

#[tokio::test]
async fn a_token_of_one_tenant_shows_nothing_of_another() {
    let world = World::story().await;
    let (tenant, client) = (uuid::Uuid::from_u128(7), "fabrikam-app");
    world.sandbox.entra.register_app(tenant, client, Some("fabrikam-secret"), None);
    let form = format!(
        "grant_type=client_credentials&client_id={client}&client_secret=fabrikam-secret&scope={}/.default",
        graph(&world).url()
    );
    let login = format!("{}/{tenant}/oauth2/v2.0/token", world.sandbox.entra.url());
    let ask = |request: reqwest::RequestBuilder| async { request.send().await.unwrap().bytes().await.unwrap() };
    let answer: Value = serde_json::from_slice(&ask(world.http.post(login).body(form)).await).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let users = world.http.get(format!("{}/v1.0/users", graph(&world).url())).bearer_auth(token);
    let answer: Value = serde_json::from_slice(&ask(users).await).unwrap();
    assert_eq!(answer["value"], json!([]));
}

#[tokio::test]
async fn a_refused_token_is_told_apart_from_a_good_one() {
    let world = World::story().await;
    let token = world.token().await;
    let url = format!("{}/v1.0/users", graph(&world).url());
    let ask = || async { world.http.get(&url).bearer_auth(&token).send().await.unwrap().status().as_u16() };
    assert_eq!(ask().await, 200);
    world.pass(3600);
    assert_eq!(ask().await, 401);
    assert_eq!(world.token().await.len(), 43);
    world.sandbox.entra.revoke_tokens();
    assert_eq!(ask().await, 401);
    assert_eq!(world.sandbox.entra.tokens_issued(), 2);
}

#[tokio::test]
async fn validation_only_checks_and_changes_nothing() {
    let world = World::story().await;
    let mut body = assignment("PT1H");
    body["isValidationOnly"] = json!(true);
    let (status, answer) = world.graph_post(REQUESTS, &body).await.unwrap();
    assert_eq!((status, &answer["isValidationOnly"]), (201, &json!(true)));
    assert!(graph(&world).grants(TENANT).is_empty() && world.rows(REQUESTS).await.is_empty());
    let ledger = graph(&world).ledger();
    assert_eq!((ledger.len(), ledger[0].validation_only, ledger[0].committed), (1, true, false));

    world.assign("PT1H").await.unwrap();
    assert_eq!(code(&world.graph_post(REQUESTS, &body).await.unwrap().1), "RoleAssignmentExists");
    assert!(graph(&world).ledger()[2].validation_only);
}

#[tokio::test]
async fn purged_requests_are_gone_and_the_assignment_stays() {
    let world = World::story().await;
    world.assign("PT1H").await.unwrap();
    graph(&world).purge_requests(TENANT);
    assert!(world.rows(REQUESTS).await.is_empty());
    assert_eq!(world.rows(INSTANCES).await.len(), 1);
    assert!(graph(&world).remove_grant(TENANT, story::NINA_ID, ROLE, "/"));
    assert!(world.rows(INSTANCES).await.is_empty());
}
