//! Graph's clock, its patience, and how much it is asked at once.

use serde_json::Value;

use super::super::story::{self, TENANT};
use super::super::testing::{INSTANCES, World, assignment};
use super::tests::graph;
use super::{Fault, FaultKind, MostInFlight, On};

async fn header(world: &World, path: &str, name: &str) -> (u16, Option<String>) {
    let url = format!("{}/v1.0/{path}", graph(world).url());
    let response = world.http.get(url).bearer_auth(world.token().await).send().await.unwrap();
    let value = response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), value)
}

#[tokio::test]
async fn every_answer_carries_graphs_own_time() {
    let world = World::story().await;
    let nine = "Tue, 03 Nov 2026 09:00:00 GMT";
    assert_eq!(header(&world, "users", "date").await, (200, Some(nine.to_owned())));
    assert_eq!(header(&world, "nowhere", "date").await, (400, Some(nine.to_owned())));
    graph(&world).fault(Fault::once(On::Any, FaultKind::Html(502)));
    assert_eq!(header(&world, "users", "date").await, (502, Some(nine.to_owned())));
    let refused = world.http.get(format!("{}/v1.0/users", graph(&world).url())).send().await.unwrap();
    assert_eq!(refused.headers().get("date").unwrap().to_str().unwrap(), nine);
}

#[tokio::test]
async fn a_clock_that_is_ahead_dates_answers_and_assignments() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.clock_skew_seconds = 400);
    assert_eq!(header(&world, "users", "date").await.1.unwrap(), "Tue, 03 Nov 2026 09:06:40 GMT");
    world.assign("PT1H").await.unwrap();
    assert_eq!(world.rows(INSTANCES).await[0]["endDateTime"], "2026-11-03T10:06:40.0000000Z");
}

#[tokio::test]
async fn too_many_calls_in_ten_seconds_are_told_when_to_come_back() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.calls_per_ten_seconds = Some(2));
    assert_eq!(header(&world, "users", "retry-after").await, (200, None));
    world.pass(4);
    assert_eq!(header(&world, "users", "retry-after").await, (200, None));
    assert_eq!(world.assign("PT1H").await.unwrap().0, 429);
    assert!(graph(&world).grants(TENANT).is_empty());
    assert_eq!(graph(&world).ledger()[0].error.as_deref(), Some("TooManyRequests"));
    assert_eq!(header(&world, "users", "retry-after").await, (429, Some("10".to_owned())));
    world.pass(10);
    assert_eq!(header(&world, "users", "retry-after").await.0, 200);
}

#[tokio::test]
async fn calls_under_way_at_once_are_counted() {
    let world = World::story().await;
    graph(&world).set(|knobs| knobs.latency_ms = 200);
    let path = format!("users/{}/revokeSignInSessions", story::NINA_ID);
    let validated = {
        let mut body = assignment("PT1H");
        body["isValidationOnly"] = true.into();
        body
    };
    let users = || world.graph_get("users");
    let (first, second, third, write, check) = tokio::join!(
        users(),
        users(),
        users(),
        world.graph_post(&path, &Value::Null),
        world.graph_post(super::super::testing::REQUESTS, &validated),
    );
    assert!([first.0, second.0, third.0, write.unwrap().0, check.unwrap().0].iter().all(|status| *status < 300));
    assert_eq!(graph(&world).most_in_flight(TENANT), MostInFlight { writes: 2, reads: 3 });
}
