//! What each fault looks like to a client, and what it leaves behind.

use serde_json::Value;

use super::super::Retry;
use super::super::story::TENANT;
use super::super::testing::{INSTANCES, REQUESTS, World, assignment};
use super::tests::{code, graph};
use super::{Fault, FaultKind, On};

#[tokio::test]
async fn a_fault_before_the_commit_leaves_nothing_and_one_after_it_leaves_the_grant() {
    let kinds = [
        (FaultKind::Status(500), 0),
        (FaultKind::Html(502), 0),
        (FaultKind::DropBeforeCommit, 0),
        (FaultKind::Throttle(Retry::Zero), 0),
        (FaultKind::StatusAfterCommit(504), 1),
        (FaultKind::HtmlAfterCommit(502), 1),
        (FaultKind::DropAfterCommit, 1),
        (FaultKind::Truncated201, 1),
    ];
    for (kind, grants) in kinds {
        let world = World::story().await;
        graph(&world).fault(Fault::once(On::Create, kind.clone()));
        assert_eq!(world.rows(INSTANCES).await.len(), 0, "a read must not use up the fault");
        let answer = world.assign("PT1H").await;
        assert!(answer.is_err() || answer.unwrap().0 != 201, "{kind:?}");
        assert_eq!(graph(&world).grants(TENANT).len(), grants, "{kind:?}");
        assert_eq!(graph(&world).faults_waiting(), 0);
        let ledger = graph(&world).ledger();
        assert_eq!((ledger.len(), ledger[0].committed), (1, grants == 1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_stall_commits_or_not_and_never_answers() {
    for (kind, grants) in [(FaultKind::StallBeforeCommit, 0), (FaultKind::StallAfterCommit, 1)] {
        let world = World::story().await;
        graph(&world).fault(Fault::once(On::Create, kind));
        let unanswered = async {
            while graph(&world).calls().last().is_none_or(|call| call.status != 0) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = world.assign("PT1H") => panic!("answered: {answer:?}"),
            () = unanswered => {}
        }
        assert_eq!(graph(&world).grants(TENANT).len(), grants);
        assert_eq!(graph(&world).calls().last().unwrap().status, 0);
    }
}

#[tokio::test]
async fn throttling_says_when_to_come_back_in_four_ways() {
    let world = World::story().await;
    let url = format!("{}/v1.0/users", graph(&world).url());
    let token = world.token().await;
    let expected = [
        (Retry::Seconds(7), Some("7")),
        (Retry::Zero, Some("0")),
        (Retry::HttpDate(90), Some("Tue, 03 Nov 2026 09:01:30 GMT")),
        (Retry::Absent, None),
    ];
    for (retry, header) in expected {
        graph(&world).fault(Fault::once(On::Any, FaultKind::Throttle(retry)));
        let response = world.http.get(&url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), header);
    }
}

#[tokio::test]
async fn errors_can_come_wrapped() {
    let world = World::story().await;
    let name = "PermissionScopeNotGranted".to_owned();
    let kind = FaultKind::WrappedCode { status: 403, code: name, message: "missing".to_owned() };
    graph(&world).fault(Fault::once(On::ReadUsers, kind));
    let (status, body) = world.graph_get("users").await;
    assert_eq!((status, code(&body)), (403, "UnknownError"));
    let inner: Value = serde_json::from_str(body["error"]["message"].as_str().unwrap()).unwrap();
    assert_eq!(inner["errorCode"], "PermissionScopeNotGranted");
}

#[tokio::test]
async fn a_truncated_answer_says_201_and_then_breaks_off() {
    let world = World::story().await;
    graph(&world).fault(Fault::once(On::Create, FaultKind::Truncated201));
    let url = format!("{}/v1.0/{REQUESTS}", graph(&world).url());
    let body = assignment("PT1H").to_string();
    let response = world.http.post(url).bearer_auth(world.token().await).body(body).send().await.unwrap();
    assert_eq!(response.status(), 201);
    let mut response = response;
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"{"));
    assert!(response.chunk().await.is_err());
}
