//! The simulated Jira, as a client meets it.

use serde_json::{Value, json};

use super::super::story::{
    FIELD_DURATION, LENA_ACCOUNT, NINA_ACCOUNT, OMAR_ACCOUNT, STATUS_APPROVED, STATUS_CANCELED, STATUS_WAITING,
};
use super::super::testing::World;
use super::super::{Jira, Retry};
use super::{Issue, IssueDraft, JiraFault, JiraFaultKind, JiraOn, WebhookKind};

pub(super) fn jira(world: &World) -> &Jira {
    &world.sandbox.jira
}

pub(super) async fn get(world: &World, path: &str) -> (u16, Value) {
    world.jira("GET", path, None).await.unwrap()
}

pub(super) async fn issue(world: &World, id: &str) -> Value {
    let (status, body) = get(world, &format!("/rest/api/3/issue/{id}?expand=changelog")).await;
    assert_eq!(status, 200, "{body}");
    body
}

pub(super) fn approved(world: &World) -> Issue {
    let issue = jira(world).create_issue(IssueDraft::default());
    jira(world).request_approval(&issue.id, &[OMAR_ACCOUNT]);
    world.pass(60);
    jira(world).approve(&issue.id, OMAR_ACCOUNT);
    issue
}

pub(super) fn comment_body(text: &str) -> Value {
    json!({
        "body": {"type": "doc", "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]},
        "properties": [{"key": "sd.public.comment", "value": {"internal": true}}],
    })
}

#[tokio::test]
async fn an_approval_moves_the_issue_and_leaves_its_traces() {
    let world = World::story().await;
    let names = approved(&world);
    assert_eq!((names.id.as_str(), names.key.as_str()), ("10482", "ITSEC-482"));

    let body = issue(&world, &names.id).await;
    assert_eq!(body["fields"]["status"]["id"], STATUS_APPROVED);
    assert_eq!(body["fields"]["updated"], "2026-11-03T10:01:00.000+0100");
    let newest = &body["changelog"]["histories"][0];
    assert_eq!(newest["author"]["accountId"], OMAR_ACCOUNT);
    assert_eq!(newest["items"][0]["to"], STATUS_APPROVED);

    let (_, page) = get(&world, "/rest/servicedeskapi/request/ITSEC-482/approval?start=0&limit=50").await;
    let round = &page["values"][0];
    assert_eq!(round["finalDecision"], "approved");
    assert_eq!(round["completedDate"]["epochMillis"], world.now().as_millisecond());
    assert_eq!(page["isLastPage"], true);
}

#[tokio::test]
async fn a_round_that_needs_two_waits_for_the_second() {
    let world = World::story().await;
    let names = jira(&world).create_issue(IssueDraft::default());
    jira(&world).request_approvals(&names.id, &[OMAR_ACCOUNT, LENA_ACCOUNT], 2);
    jira(&world).approve(&names.id, OMAR_ACCOUNT);
    assert_eq!(issue(&world, &names.id).await["fields"]["status"]["id"], STATUS_WAITING);
    jira(&world).approve(&names.id, LENA_ACCOUNT);
    assert_eq!(issue(&world, &names.id).await["fields"]["status"]["id"], STATUS_APPROVED);
}

#[tokio::test]
async fn the_changelog_is_paged_oldest_first() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).edit_field(&names.id, FIELD_DURATION, "PT8H", NINA_ACCOUNT);
    jira(&world).cancel(&names.id);
    let path = format!("/rest/api/3/issue/{}/changelog?startAt=0&maxResults=3", names.id);
    let (_, page) = get(&world, &path).await;
    assert_eq!((&page["total"], &page["isLast"]), (&json!(4), &json!(false)));
    assert_eq!(page["values"][0]["items"][0]["to"], STATUS_WAITING);
    let edit = &page["values"][2]["items"][0];
    assert_eq!((&edit["fieldId"], &edit["toString"]), (&json!(FIELD_DURATION), &json!("PT8H")));
    let next = page["nextPage"].as_str().unwrap().strip_prefix(&jira(&world).url()).unwrap().to_owned();
    let (_, last) = get(&world, &next).await;
    assert_eq!(last["values"][0]["items"][1]["to"], STATUS_CANCELED);
}

#[tokio::test]
async fn a_moved_issue_answers_to_its_old_key_with_its_new_one() {
    let world = World::story().await;
    let names = approved(&world);
    let moved = jira(&world).move_to_project(&names.id, "ARCH");
    assert_eq!(issue(&world, "itsec-482").await["key"], moved.key.as_str());
    assert_eq!(issue(&world, &moved.key).await["id"], names.id.as_str());
}

#[tokio::test]
async fn missing_and_deleted_look_alike_and_a_wrong_login_does_not() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).delete(&names.id);
    for id in [names.id.as_str(), "ITSEC-9999"] {
        let (status, body) = get(&world, &format!("/rest/api/3/issue/{id}")).await;
        assert_eq!(status, 404);
        assert_eq!(body["errorMessages"][0], "Issue does not exist or you do not have permission to see it.");
    }
    let url = format!("{}/rest/api/3/myself", jira(&world).url());
    let status = world.http.get(url).basic_auth("stint@contoso.example", Some("wrong")).send().await.unwrap().status();
    assert_eq!(status, 401);
}

#[tokio::test]
async fn an_anonymous_site_shows_issues_but_knows_nobody() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).allow_anonymous(true);
    jira(&world).revoke_logins();
    assert_eq!(get(&world, &format!("/rest/api/3/issue/{}", names.id)).await.0, 200);
    assert_eq!(get(&world, "/rest/api/3/myself").await.0, 401);
}

#[tokio::test]
async fn a_hidden_field_is_absent_and_a_stale_read_shows_the_past() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).hide_field(&names.id, FIELD_DURATION);
    assert!(issue(&world, &names.id).await["fields"].get(FIELD_DURATION).is_none());

    jira(&world).stale_for(&names.id, 30);
    jira(&world).cancel(&names.id);
    assert_eq!(issue(&world, &names.id).await["fields"]["status"]["id"], STATUS_APPROVED);
    world.pass(30);
    assert_eq!(issue(&world, &names.id).await["fields"]["status"]["id"], STATUS_CANCELED);
}

#[tokio::test]
async fn a_comment_is_kept_internal_and_found_again_newest_first() {
    let world = World::story().await;
    let names = approved(&world);
    let path = format!("/rest/api/3/issue/{}/comment", names.id);
    for text in ["first", "second"] {
        let (status, body) = world.jira("POST", &path, Some(&comment_body(text))).await.unwrap();
        assert_eq!((status, &body["jsdPublic"]), (201, &json!(false)));
    }
    let (_, page) = get(&world, &format!("{path}?orderBy=-created&maxResults=50")).await;
    assert_eq!(page["comments"][0]["body"]["content"][0]["content"][0]["text"], "second");
    let comments = jira(&world).comments(&names.id);
    assert!(comments.iter().all(|comment| comment.internal));
    assert_eq!(comments[0].text, "first");

    let (status, body) = world.jira("POST", &path, Some(&json!({"body": "plain text"}))).await.unwrap();
    assert_eq!((status, &body["errors"]["comment"]), (400, &json!("Comment body is not valid!")));
}

#[tokio::test]
async fn a_comment_lost_on_the_way_back_is_there_all_the_same() {
    let world = World::story().await;
    let names = approved(&world);
    let path = format!("/rest/api/3/issue/{}/comment", names.id);
    for (kind, count) in [(JiraFaultKind::DropBeforeCommit, 0), (JiraFaultKind::DropAfterCommit, 1)] {
        jira(&world).fault(JiraFault::once(JiraOn::Comment, kind));
        assert!(world.jira("POST", &path, Some(&comment_body("granted"))).await.is_err());
        assert_eq!(jira(&world).comments(&names.id).len(), count);
    }
}

#[tokio::test]
async fn faults_strike_the_calls_they_name() {
    let world = World::story().await;
    let (one, other) = (approved(&world), approved(&world));
    jira(&world).fault(JiraFault::once(JiraOn::Approvals, JiraFaultKind::Html(403)));
    jira(&world).fault(JiraFault::once(JiraOn::Issue, JiraFaultKind::OtherIssue));
    assert_eq!(issue(&world, &one.id).await["id"], other.id.as_str());
    assert_eq!(issue(&world, &one.id).await["id"], one.id.as_str());

    let approvals = format!("{}/rest/servicedeskapi/request/{}/approval", jira(&world).url(), one.id);
    let ask = || world.http.get(&approvals).basic_auth("stint@contoso.example", Some(super::super::story::JIRA_TOKEN));
    let response = ask().send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));

    jira(&world).fault(JiraFault::once(JiraOn::Any, JiraFaultKind::Throttle(Retry::Seconds(7))));
    let response = ask().send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(jira(&world).faults_waiting(), 0);
}

#[tokio::test]
async fn search_finds_what_was_lately_approved() {
    let world = World::story().await;
    let old = approved(&world);
    world.pass(3600);
    let recent = approved(&world);
    let _waiting = jira(&world).create_issue(IssueDraft::default());
    let jql = "project in (ITSEC) AND status in (10016) AND updated >= -15m ORDER BY updated ASC";
    let query = json!({"jql": jql, "fields": ["status", "updated"], "maxResults": 100});
    let (_, body) = world.jira("POST", "/rest/api/3/search/jql", Some(&query)).await.unwrap();
    let hits = body["issues"].as_array().unwrap();
    assert_eq!(hits.len(), 1, "not {}", old.key);
    assert_eq!(hits[0]["key"], recent.key.as_str());
    assert_eq!(hits[0]["fields"].as_object().unwrap().len(), 2);
    assert_eq!(body["isLast"], true);
}

#[tokio::test]
async fn webhooks_tell_each_event_in_its_own_way() {
    let world = World::story().await;
    let names = approved(&world);
    jira(&world).edit_field(&names.id, FIELD_DURATION, "PT8H", NINA_ACCOUNT);
    jira(&world).comment(&names.id, OMAR_ACCOUNT, "fine");
    jira(&world).move_to_project(&names.id, "ARCH");
    let body = |kind| -> Value { serde_json::from_slice(&jira(&world).webhook_for(&names.id, kind).body).unwrap() };

    let updated = body(WebhookKind::Updated);
    assert_eq!(updated["issue_event_type_name"], "issue_generic");
    assert_eq!(updated["changelog"]["items"][0]["to"], STATUS_APPROVED);
    assert_eq!(updated["user"]["accountId"], OMAR_ACCOUNT);
    assert!(updated["user"].get("emailAddress").is_none());
    assert_eq!(body(WebhookKind::Created)["changelog"]["items"][0]["field"], "Status");
    assert_eq!(body(WebhookKind::FieldEdited)["changelog"]["items"][0]["fieldId"], FIELD_DURATION);
    assert_eq!(body(WebhookKind::Moved)["changelog"]["items"][1]["fromString"], "ITSEC-482");
    assert_eq!(body(WebhookKind::CommentCreated)["comment"]["body"], "fine");
    assert!(body(WebhookKind::Deleted).get("issue_event_type_name").is_none());
    let automation = body(WebhookKind::Automation);
    assert_eq!((&automation["schema"], &automation["issue"]["id"]), (&json!("stint.approval.v1"), &json!(names.id)));
}

#[tokio::test]
async fn a_webhook_is_delivered_once_and_its_answer_read() {
    let world = World::story().await;
    let names = approved(&world);
    let mut webhook = jira(&world).webhook_for(&names.id, WebhookKind::Updated);
    webhook.sign_jira_hub(super::super::story::WEBHOOK_SECRET);
    // The login service answers what it does not know with 404, which is answer enough.
    let (status, body, _) = webhook.deliver(&format!("{}/hook", world.sandbox.entra.url())).await.unwrap();
    assert_eq!((status, body.len()), (404, 0));
    let other = jira(&world).webhook_for(&names.id, WebhookKind::Updated);
    let identifier = "x-atlassian-webhook-identifier";
    assert_ne!(webhook.header(identifier), other.header(identifier));
}
