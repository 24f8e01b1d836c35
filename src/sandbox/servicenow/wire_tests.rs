//! Logins of the simulated ServiceNow, and what goes wrong with its calls.

use serde_json::{Value, json};

use super::super::story::{OMAR_SYS_ID, SNOW_API_KEY, SNOW_OAUTH_CLIENT, SNOW_OAUTH_SECRET, SNOW_PASSWORD, SNOW_USER};
use super::super::testing::World;
use super::super::{Retry, ServiceNow};
use super::{ItemDraft, Record, SnowFault, SnowFaultKind, SnowOn};

fn snow(world: &World) -> &ServiceNow {
    &world.sandbox.servicenow
}

fn order(world: &World) -> Record {
    snow(world).create_item(ItemDraft::default())
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    world.snow("GET", path, None).await.unwrap()
}

#[tokio::test]
async fn media_types_are_mandatory() {
    let world = World::story().await;
    let names = order(&world);
    let url = format!("{}/api/now/table/sc_req_item/{}", snow(&world).url(), names.sys_id);
    let login = |request: reqwest::RequestBuilder| request.basic_auth(SNOW_USER, Some(SNOW_PASSWORD));
    assert_eq!(login(world.http.get(&url)).send().await.unwrap().status(), 400);
    let patch = login(world.http.patch(&url)).header("accept", "application/json").body(r#"{"work_notes":"x"}"#);
    assert_eq!(patch.send().await.unwrap().status(), 400);
    assert!(snow(&world).work_notes(&names.sys_id).is_empty());
}

#[tokio::test]
async fn every_login_works_until_it_is_revoked_or_expires() {
    let world = World::story().await;
    let url = format!("{}/api/now/table/sys_user?sysparm_query=user_name={SNOW_USER}", snow(&world).url());
    let ask = || world.http.get(&url).header("accept", "application/json");
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(ask()).await, 401);
    assert_eq!(status(ask().header("x-sn-apikey", SNOW_API_KEY)).await, 200);

    let client = [("client_id", SNOW_OAUTH_CLIENT), ("client_secret", SNOW_OAUTH_SECRET)];
    let password = [("grant_type", "password"), ("username", SNOW_USER), ("password", SNOW_PASSWORD)];
    for form in [vec![("grant_type", "client_credentials")], password.to_vec()] {
        let (code, body) = world.snow_login(&[&client[..], &form].concat()).await;
        assert_eq!((code, &body["expires_in"]), (200, &json!(1799)));
        let token = body["access_token"].as_str().unwrap();
        world.pass(1798);
        assert_eq!(status(ask().bearer_auth(token)).await, 200);
        world.pass(1);
        assert_eq!(status(ask().bearer_auth(token)).await, 401);
    }
    assert_eq!(world.snow_login(&[("grant_type", "client_credentials"), client[0]]).await.0, 401);
    snow(&world).revoke_logins();
    assert_eq!(status(ask().header("x-sn-apikey", SNOW_API_KEY)).await, 401);
}

#[tokio::test]
async fn faults_strike_the_calls_they_name() {
    let world = World::story().await;
    let (one, other) = (order(&world), order(&world));
    snow(&world).request_approval(&one.sys_id, &[OMAR_SYS_ID]);
    let path = format!("table/sc_req_item/{}", one.sys_id);
    let strike = |on, kind| snow(&world).fault(SnowFault::once(on, kind));

    strike(SnowOn::Items, SnowFaultKind::Throttle(Retry::Seconds(1273)));
    let response = world.ask_snow("GET", &path, None).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers());
    assert_eq!((status, &headers["retry-after"]), (429, &"1273".parse().unwrap()));
    let reset: i64 = headers["x-ratelimit-reset"].to_str().unwrap().parse().unwrap();
    assert_eq!((&headers["x-ratelimit-limit"], reset - world.now().as_second()), (&"100".parse().unwrap(), 3600));
    assert_eq!(headers["x-ratelimit-rule"].len(), 32);

    strike(SnowOn::Any, SnowFaultKind::Html(200));
    assert_eq!(get(&world, &path).await, (200, Value::Null));
    strike(SnowOn::Approvals, SnowFaultKind::ErrorInside);
    strike(SnowOn::Items, SnowFaultKind::OtherRecord);
    assert_eq!(get(&world, &path).await.1["result"]["sys_id"], other.sys_id.as_str());
    let (status, body) = get(&world, "table/sysapproval_approver").await;
    assert_eq!((status, &body["status"], body["result"].as_array().unwrap().len()), (200, &json!("failure"), 1));
    strike(SnowOn::Items, SnowFaultKind::OtherRecord);
    let unrelated = get(&world, "table/sc_req_item?sysparm_query=number=RITM0010589").await.1;
    assert_eq!(unrelated["result"].as_array().unwrap().len(), 2);
    strike(SnowOn::Items, SnowFaultKind::Truncate);
    assert!(world.snow("GET", &path, None).await.is_err());
    assert_eq!(snow(&world).faults_waiting(), 0);
}

#[tokio::test]
async fn a_note_lost_on_the_way_back_is_there_all_the_same() {
    let world = World::story().await;
    let names = order(&world);
    let path = format!("table/sc_req_item/{}", names.sys_id);
    for (kind, count) in [(SnowFaultKind::DropBeforeCommit, 0), (SnowFaultKind::DropAfterCommit, 1)] {
        snow(&world).fault(SnowFault::once(SnowOn::Note, kind));
        assert!(world.snow("PATCH", &path, Some(&json!({"work_notes": "granted"}))).await.is_err());
        assert_eq!(snow(&world).work_notes(&names.sys_id).len(), count);
    }
    assert_eq!(snow(&world).calls().last().unwrap().status, 0);
}
