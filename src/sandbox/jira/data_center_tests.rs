//! The simulated Jira as Data Center (`contracts/tickets.md A6`).

use serde_json::{Value, json};

use super::super::story::{self, FIELD_DURATION, NINA_ACCOUNT, NINA_USER_KEY, OMAR_USER_KEY, STATUS_APPROVED};
use super::super::testing::World;
use super::tests::{approved, jira};
use super::{Flavour, Issue, WebhookKind};

async fn data_center() -> (World, Issue) {
    let world = World::story().await;
    jira(&world).set_flavour(Flavour::DataCenter);
    let names = approved(&world);
    (world, names)
}

async fn call(world: &World, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = world.http.request(method.parse().unwrap(), format!("{}{path}", jira(world).url()));
    let request = request.bearer_auth(story::JIRA_PAT);
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    call(world, "GET", path, &Value::Null).await
}

fn assert_is_nina(user: &Value) {
    assert_eq!((&user["name"], &user["key"]), (&json!("nina.keller"), &json!(NINA_USER_KEY)));
    assert_eq!((&user["emailAddress"], &user["timeZone"]), (&json!(story::NINA_UPN), &json!("Europe/Zurich")));
    assert!(user.get("accountId").is_none() && user.get("accountType").is_none(), "{user}");
}

#[tokio::test]
async fn people_have_names_and_keys_and_the_changelog_comes_with_the_issue() {
    let (world, names) = data_center().await;
    jira(&world).edit_field(&names.id, FIELD_DURATION, "PT8H", NINA_ACCOUNT);
    let (status, body) = get(&world, &format!("/rest/api/2/issue/{}?expand=changelog", names.id)).await;
    assert_eq!((status, &body["fields"]["status"]["id"]), (200, &json!(STATUS_APPROVED)));
    assert_is_nina(&body["fields"]["reporter"]);
    let histories = body["changelog"]["histories"].as_array().unwrap();
    assert_eq!(histories[1]["author"]["key"], OMAR_USER_KEY);
    let edit = &histories[2]["items"][0];
    assert_eq!((&edit["field"], edit.get("fieldId")), (&json!("Duration"), None));
    assert_eq!(get(&world, &format!("/rest/api/2/issue/{}/changelog", names.id)).await.0, 404);
}

#[tokio::test]
async fn only_version_2_and_only_a_token_are_served() {
    let (world, names) = data_center().await;
    assert_eq!(get(&world, &format!("/rest/api/3/issue/{}", names.id)).await.0, 404);
    assert_eq!(world.jira("GET", "/rest/api/2/myself", None).await.unwrap().0, 401, "basic logins are off");
    let (_, myself) = get(&world, "/rest/api/2/myself").await;
    assert_eq!((&myself["name"], &myself["key"]), (&json!("stint"), &json!(story::JIRA_SERVICE_USER_KEY)));
    assert_eq!(get(&world, "/rest/api/2/serverInfo").await.1["deploymentType"], "Server");
}

#[tokio::test]
async fn a_comment_is_wiki_text() {
    let (world, names) = data_center().await;
    let path = format!("/rest/api/2/issue/{}/comment", names.id);
    let internal = json!([{"key": "sd.public.comment", "value": {"internal": true}}]);
    let (status, body) = call(&world, "POST", &path, &json!({"body": "*granted*", "properties": internal})).await;
    assert_eq!((status, &body["body"], &body["author"]["name"]), (201, &json!("*granted*"), &json!("stint")));
    assert!(jira(&world).comments(&names.id)[0].internal);
    let document = json!({"body": {"type": "doc", "version": 1, "content": []}});
    assert_eq!(call(&world, "POST", &path, &document).await.0, 400);
    assert_eq!(get(&world, &path).await.1["comments"][0]["body"], "*granted*");
}

#[tokio::test]
async fn approvals_have_a_condition_and_approvers_a_key() {
    let (world, names) = data_center().await;
    let (_, page) = get(&world, &format!("/rest/servicedeskapi/request/{}/approval", names.id)).await;
    let round = &page["values"][0];
    assert_eq!(round["condition"], json!({"type": "number", "value": "1"}));
    let approver = &round["approvers"][0]["approver"];
    assert_eq!((&approver["key"], approver.get("accountId")), (&json!(OMAR_USER_KEY), None));
}

#[tokio::test]
async fn the_classic_search_counts_and_pages_by_number() {
    let (world, one) = data_center().await;
    let two = approved(&world);
    let jql = "project in (ITSEC) AND status in (10016) AND updated >= -15m ORDER BY updated ASC";
    let query = json!({"jql": jql, "fields": ["status"], "maxResults": 1, "startAt": 1});
    let (_, body) = call(&world, "POST", "/rest/api/2/search", &query).await;
    assert_eq!((&body["total"], &body["startAt"], &body["maxResults"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(body["issues"][0]["key"], two.key.as_str());
    let (_, body) = get(&world, "/rest/api/2/search?jql=project%3DITSEC&maxResults=1").await;
    assert_eq!((&body["issues"][0]["id"], &body["total"]), (&json!(one.id), &json!(2)));
    assert_eq!(call(&world, "POST", "/rest/api/2/search/jql", &query).await.0, 404);
}

#[tokio::test]
async fn a_delivery_has_no_identifier_and_no_field_ids() {
    let (world, names) = data_center().await;
    let mut webhook = jira(&world).webhook_for(&names.id, WebhookKind::Updated);
    webhook.sign_jira_hub(story::WEBHOOK_SECRET);
    assert_eq!(webhook.header("x-atlassian-webhook-identifier"), None);
    assert!(webhook.header("x-hub-signature").is_some());
    let body: Value = serde_json::from_slice(&webhook.body).unwrap();
    let item = json!({
        "field": "status", "fieldtype": "jira", "from": story::STATUS_WAITING, "fromString": "Waiting for approval",
        "to": STATUS_APPROVED, "toString": "Approved",
    });
    assert_eq!(body["changelog"]["items"], json!([item]));
    assert_eq!(body["user"]["emailAddress"], story::OMAR_UPN);
    assert_is_nina(&body["issue"]["fields"]["creator"]);
    assert!(body["issue"]["self"].as_str().unwrap().contains("/rest/api/2/issue/"));
}
