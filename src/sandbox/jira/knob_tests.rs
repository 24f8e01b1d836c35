//! What can be bent about the simulated Jira: its doors, its index, its limits, its rules.

use serde_json::{Value, json};

use super::super::Retry;
use super::super::story::{CLOUD_ID, FIELD_END, FIELD_START, JIRA_TOKEN, JIRA_USER, NINA_ACCOUNT, STATUS_CANCELED};
use super::super::testing::World;
use super::tests::{approved, comment_body, get, issue, jira};
use super::{IssueDraft, JiraFault, JiraFaultKind, JiraOn, ThrottleReason, WebhookKind};

const POLL: &str = "project in (ITSEC) AND status in (10016) AND updated >= -15m ORDER BY updated ASC";

async fn keys(world: &World) -> Vec<String> {
    let query = json!({"jql": POLL, "fields": ["status"], "maxResults": 100});
    let (status, body) = world.jira("POST", "/rest/api/3/search/jql", Some(&query)).await.unwrap();
    assert_eq!(status, 200, "{body}");
    body["issues"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap().to_owned()).collect()
}

async fn ask(world: &World, url: &str, user: &str, token: &str) -> (u16, Value) {
    let response = world.http.get(url).basic_auth(user, Some(token)).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

#[tokio::test]
async fn a_scoped_token_works_at_the_gateway_only_and_a_plain_one_at_the_site_only() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).allow_scoped_basic(JIRA_USER, "scoped");
    jira(&world).allow_scoped_bearer("granted");
    let (site, gateway) = (jira(&world).url(), jira(&world).gateway_url());
    let path = format!("/rest/api/3/issue/{}", names.id);
    for (base, token, expected) in
        [(&site, JIRA_TOKEN, 200), (&site, "scoped", 401), (&gateway, "scoped", 200), (&gateway, JIRA_TOKEN, 401)]
    {
        assert_eq!(ask(&world, &format!("{base}{path}"), JIRA_USER, token).await.0, expected, "{base} {token}");
    }
    let (_, body) = ask(&world, &format!("{gateway}{path}"), JIRA_USER, "scoped").await;
    assert_eq!(body["self"], format!("{gateway}{path}"));
    let elsewhere = format!("{}{path}", gateway.replace(CLOUD_ID, "another-site"));
    assert_eq!(ask(&world, &elsewhere, JIRA_USER, "scoped").await.0, 404);
    let bearer = world.http.get(format!("{gateway}{path}")).bearer_auth("granted").send().await.unwrap();
    assert_eq!(bearer.status(), 200);
    let tenant = world.http.get(format!("{site}/_edge/tenant_info")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&tenant).unwrap()["cloudId"], CLOUD_ID);
}

#[tokio::test]
async fn a_lagging_index_shows_the_past_while_a_read_shows_the_present() {
    let world = World::story().await;
    let before = approved(&world);
    jira(&world).search_lag(30);
    let after = approved(&world);
    jira(&world).transition(&before.id, STATUS_CANCELED, NINA_ACCOUNT);
    assert_eq!(keys(&world).await, [before.key.as_str()]);
    assert_eq!(issue(&world, &before.id).await["fields"]["status"]["id"], STATUS_CANCELED);
    world.pass(30);
    assert_eq!(keys(&world).await, [after.key.as_str()]);
    jira(&world).delete(&after.id);
    jira(&world).search_lag(0);
    assert!(keys(&world).await.is_empty());
}

#[tokio::test]
async fn a_search_is_paged_by_token_and_the_old_one_is_gone() {
    let world = World::story().await;
    let (one, two) = (approved(&world), approved(&world));
    let mut query = json!({"jql": POLL, "maxResults": 1});
    let (_, first) = world.jira("POST", "/rest/api/3/search/jql", Some(&query)).await.unwrap();
    assert_eq!((&first["issues"], &first["isLast"]), (&json!([{"id": one.id}]), &json!(false)));
    query["nextPageToken"] = first["nextPageToken"].clone();
    let (_, last) = world.jira("POST", "/rest/api/3/search/jql", Some(&query)).await.unwrap();
    assert_eq!((&last["issues"], last.get("nextPageToken")), (&json!([{"id": two.id}]), None));
    assert_eq!(world.jira("POST", "/rest/api/3/search", Some(&query)).await.unwrap().0, 410);
}

#[tokio::test]
async fn nobody_finds_nothing_and_is_not_refused() {
    let world = World::story().await;
    approved(&world);
    jira(&world).allow_anonymous(true);
    jira(&world).revoke_logins();
    assert!(keys(&world).await.is_empty());
}

#[tokio::test]
async fn an_unlicensed_service_desk_answers_a_page_and_says_so() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).license_service_desk(false);
    assert_eq!(
        get(&world, &format!("/rest/servicedeskapi/request/{}/approval", names.id)).await,
        (403, Value::Null),
        "a page, not JSON"
    );
    assert_eq!(get(&world, "/rest/servicedeskapi/info").await.1["isLicensedForUse"], false);
    assert_eq!(issue(&world, &names.id).await["id"], names.id.as_str());
}

#[tokio::test]
async fn a_full_issue_takes_no_comment_and_a_concealed_one_looks_missing() {
    let world = World::story().await;
    let names = approved(&world);
    let path = format!("/rest/api/3/issue/{}/comment", names.id);
    jira(&world).limit_comments(1);
    for expected in [201, 413] {
        assert_eq!(world.jira("POST", &path, Some(&comment_body("granted"))).await.unwrap().0, expected);
    }
    jira(&world).conceal(&names.id, true);
    assert_eq!(get(&world, &format!("/rest/api/3/issue/{}", names.id)).await.0, 404);
    assert_eq!(world.jira("POST", &path, Some(&comment_body("granted"))).await.unwrap().0, 404);
    assert!(keys(&world).await.is_empty());
}

#[tokio::test]
async fn a_throttled_call_says_which_limit_it_met_and_an_answer_may_break_off() {
    let world = World::story().await;
    let names = approved(&world);
    let path = format!("/rest/api/3/issue/{}/comment", names.id);
    for (reason, expected) in [
        (ThrottleReason::Burst, "jira-burst-based"),
        (ThrottleReason::PerIssueOnWrite, "jira-per-issue-on-write"),
        (ThrottleReason::Quota, "jira-quota-tenant-based"),
    ] {
        jira(&world).fault(JiraFault::once(JiraOn::Any, JiraFaultKind::ThrottleFor(reason, Retry::Seconds(7))));
        let request = world.http.get(format!("{}{path}", jira(&world).url()));
        let response = request.basic_auth(JIRA_USER, Some(JIRA_TOKEN)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["ratelimit-reason"]),
            (429, &expected.parse().unwrap())
        );
    }
    jira(&world).fault(JiraFault::once(JiraOn::Comment, JiraFaultKind::Truncate));
    assert!(world.jira("POST", &path, Some(&comment_body("granted"))).await.is_err());
    assert_eq!(jira(&world).comments(&names.id).len(), 1);
}

#[tokio::test]
async fn a_window_stands_in_two_fields_and_is_edited_like_any_other() {
    let world = World::story().await;
    let start = "2026-11-04T18:00:00.000+0100";
    let draft = IssueDraft { window: (Some(start.to_owned()), None), ..IssueDraft::default() };
    let names = jira(&world).create_issue(draft);
    jira(&world).edit_field(&names.id, FIELD_END, "2026-11-04T20:00:00.000+0100", NINA_ACCOUNT);
    let body = issue(&world, &names.id).await;
    assert_eq!(
        (&body["fields"][FIELD_START], &body["fields"]["reporter"]["timeZone"]),
        (&json!(start), &json!("Europe/Zurich"))
    );
    assert_eq!(body["changelog"]["histories"][0]["items"][0]["fieldId"], FIELD_END);
    let (_, fields) = get(&world, "/rest/api/3/field").await;
    let field = fields.as_array().unwrap().iter().find(|field| field["id"] == FIELD_START).unwrap();
    assert_eq!(field["schema"]["type"], "datetime");
}

#[tokio::test]
async fn a_rule_sends_the_bare_issue_with_numbers_for_ids() {
    let world = World::story().await;
    let names = approved(&world);
    let mut webhook = jira(&world).webhook_for(&names.id, WebhookKind::AutomationIssue);
    webhook.bearer("rule");
    assert_eq!(webhook.header("authorization"), Some("Bearer rule"));
    assert_eq!(webhook.header("x-atlassian-webhook-identifier"), None);
    let body: Value = serde_json::from_slice(&webhook.body).unwrap();
    assert_eq!((&body["id"], &body["key"]), (&json!(10_482), &json!(names.key)));
    assert_eq!(body["changelog"], json!({"startAt": 0, "maxResults": 0, "total": 0, "histories": null}));
    let fields = &body["fields"];
    assert_eq!((&fields["status"]["id"], &fields["project"]["id"]), (&json!(10_016), &json!(10_007)));
    assert_eq!(fields["updated"], world.now().as_millisecond());
    assert!(fields["reporter"].get("emailAddress").is_none());
    assert!(body.get("webhookEvent").is_none());
}
