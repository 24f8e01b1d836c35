//! The sender: what is repeated, what never is, and where a token may go.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener};
use url::Url;

use super::{
    CALL_ID, ROLE, assign_order, call_id, error_body, holding, instance_row, remove_order, request_row, role_at,
    schedule_row,
    server::{Reply, Server, reply},
};
use crate::{
    domain::assignment::{Answer, Progress},
    graph::{
        TenantGraph,
        settings::{AppCredential, Material},
    },
};

const REQUESTS: &str = "/v1.0/roleManagement/directory/roleAssignmentScheduleRequests";
const SCHEDULES: &str = "/v1.0/roleManagement/directory/roleAssignmentSchedules";
const INSTANCES: &str = "/v1.0/roleManagement/directory/roleAssignmentScheduleInstances";

/// Long after anything here.
const IN_TIME: Duration = Duration::from_hours(1);

fn list(rows: &[serde_json::Value]) -> Reply {
    reply(200, json!({"value": rows}))
}

/// A server whose lists show nothing but these instances.
async fn showing_instances(replies: impl IntoIterator<Item = Reply>) -> Server {
    let server = Server::start().await;
    server.on(&format!("GET {REQUESTS}"), [list(&[])]);
    server.on(&format!("GET {SCHEDULES}"), [list(&[])]);
    server.on(&format!("GET {INSTANCES}"), replies);
    server
}

async fn answering(replies: impl IntoIterator<Item = Reply>) -> Server {
    let server = Server::start().await;
    server.on(&format!("POST {REQUESTS}"), replies);
    server
}

fn posts(server: &Server) -> usize {
    server.asked(&format!("POST {REQUESTS}")).len()
}

fn bearers(server: &Server, call: &str) -> Vec<String> {
    let asked = server.asked(call);
    let bearer = |headers: &http::HeaderMap| headers["authorization"].to_str().expect("text").to_owned();
    asked.iter().map(|asked| bearer(&asked.headers)).collect()
}

#[tokio::test]
async fn a_look_shows_all_three_lists_through_all_pages() {
    let server = Server::start().await;
    let next = format!("{}{}?$skiptoken=a%2Bb+c", &server.url.as_str().trim_end_matches('/'), INSTANCES);
    server.on(&format!("GET {REQUESTS}"), [list(&[request_row(&json!({}))])]);
    server.on(&format!("GET {SCHEDULES}"), [list(&[schedule_row(&json!({}))])]);
    let first = json!({"value": [instance_row(&json!({}))], "@odata.nextLink": next});
    let other_scope = instance_row(&json!({"directoryScopeId": "/other"}));
    let second = [instance_row(&json!({"id": "second"})), other_scope];
    server.on(&format!("GET {INSTANCES}"), [reply(200, first), list(&second)]);

    let sighting = server.graph().look(&holding()).await.expect("a whole look");
    assert_eq!((sighting.requests.len(), sighting.schedules.len()), (1, 1));
    assert_eq!(sighting.instances.iter().map(|i| i.id.len()).collect::<Vec<_>>(), [45, 6]);

    let asked = server.asked(&format!("GET {INSTANCES}"));
    let queries: Vec<_> = asked.iter().filter_map(|asked| asked.uri.query()).collect();
    assert!(queries[0].ends_with(&format!("roleDefinitionId%20eq%20%27{ROLE}%27")), "{queries:?}");
    assert_eq!(queries[1], "$skiptoken=a%2Bb+c");
    assert!(asked[0].headers.contains_key("client-request-id"));
    assert_ne!(asked[0].headers["client-request-id"], asked[1].headers["client-request-id"]);
}

#[tokio::test]
async fn one_unreadable_row_or_list_fails_the_whole_look() {
    for unreadable in [
        list(&[instance_row(&json!({})), instance_row(&json!({"memberType": null}))]),
        reply(200, "<html>"),
        reply(200, json!({})),
        reply(200, json!({"value": {}})),
        reply(404, "<html>"),
    ] {
        let server = showing_instances([unreadable]).await;
        let error = server.graph().look(&holding()).await.expect_err("nothing is known");
        assert_eq!(error.code(), "graph-bad-answer");
    }
}

#[tokio::test]
async fn a_next_page_elsewhere_is_refused_and_gets_no_token() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    let page = json!({"value": [], "@odata.nextLink": format!("{}v1.0/users", elsewhere.url)});
    server.on(&format!("GET {REQUESTS}"), [reply(200, page)]);
    server.on(&format!("GET {SCHEDULES}"), [list(&[])]);
    server.on(&format!("GET {INSTANCES}"), [list(&[])]);
    let error = server.graph().look(&holding()).await.expect_err("a foreign page");
    assert_eq!(error.code(), "graph-bad-answer");
    assert!(elsewhere.asked("GET /v1.0/users").is_empty());
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let server = showing_instances([]).await;
    let again = format!("{}{INSTANCES}", server.url.as_str().trim_end_matches('/'));
    let page = json!({"value": [], "@odata.nextLink": again});
    server.on(&format!("GET {INSTANCES}"), [reply(200, page)]);
    let error = server.graph().look(&holding()).await.expect_err("no end");
    assert_eq!(error.code(), "graph-bad-answer");
    assert_eq!(server.asked(&format!("GET {INSTANCES}")).len(), 50);
}

#[tokio::test]
async fn a_read_with_a_refused_token_gets_a_new_one_and_is_repeated_once() {
    let stale = reply(401, error_body("InvalidAuthenticationToken", "expired"));
    let server = showing_instances([stale.clone(), list(&[])]).await;
    let graph = server.graph();
    graph.look(&holding()).await.expect("a look with the new token");
    assert_eq!(bearers(&server, &format!("GET {INSTANCES}")), ["Bearer token-1", "Bearer token-2"]);

    server.on(&format!("GET {INSTANCES}"), [stale]);
    let error = graph.look(&holding()).await.expect_err("refused for good");
    assert_eq!(error.code(), "graph-credential");
    assert_eq!(server.asked(&format!("GET {INSTANCES}")).len(), 4);
}

#[tokio::test]
async fn a_read_is_repeated_once_after_an_outage_unless_told_to_wait() {
    let outage = || reply(503, error_body("ServiceUnavailable", ""));
    for (replies, calls, code) in [
        (vec![outage(), list(&[])], 2, None),
        (vec![outage()], 2, Some("graph-unavailable")),
        (vec![outage().header("retry-after", "30")], 1, Some("graph-unavailable")),
        (vec![reply(429, "")], 1, Some("graph-throttled")),
        (vec![reply(403, error_body("PermissionScopeNotGranted", ""))], 1, Some("graph-permission")),
    ] {
        let server = showing_instances(replies).await;
        let looked = server.graph().look(&holding()).await;
        assert_eq!(looked.err().map(|error| error.code()), code);
        assert_eq!(server.asked(&format!("GET {INSTANCES}")).len(), calls);
    }
}

#[tokio::test]
async fn an_assignment_is_sent_with_its_call_id_and_accepted_by_201() {
    let created = reply(201, request_row(&json!({}))).header("request-id", "1d9b8a76");
    let server = answering([created]).await;
    let sent = server.graph().assign(&assign_order(), IN_TIME).await;
    assert!(matches!(sent.answer, Answer::Accepted(request) if request.progress == Progress::Done));
    assert_eq!((sent.http_status, sent.graph_request_id.as_deref()), (Some(201), Some("1d9b8a76")));
    let asked = server.asked(&format!("POST {REQUESTS}"));
    assert_eq!(asked[0].headers["client-request-id"], CALL_ID);
}

#[tokio::test]
async fn a_removal_is_accepted_by_its_own_echo() {
    let changes = json!({"action": "adminRemove", "status": "Revoked", "targetScheduleId": null});
    let server = answering([reply(201, request_row(&changes))]).await;
    let graph = server.graph();
    // On a task of its own, as the engine calls.
    let sent = tokio::spawn(async move { graph.remove(&remove_order(), IN_TIME).await }).await.expect("no panic");
    assert!(matches!(sent.answer, Answer::Accepted(request) if request.progress == Progress::Revoked));
}

#[tokio::test]
async fn a_cancellation_goes_to_the_schedule_request_and_is_accepted_by_204() {
    let server = Server::start().await;
    server.on(&format!("POST {REQUESTS}/a4d8/cancel"), [reply(204, "")]);
    let sent = server.graph().cancel(&role_at("/"), "a4d8", call_id(), IN_TIME).await;
    assert!(matches!(sent.answer, Answer::Accepted(request) if request.progress == Progress::Over));
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_comes_back() {
    for status in [200, 201, 302, 400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504] {
        let server = answering([reply(status, "<html>")]).await;
        let sent = server.graph().assign(&assign_order(), IN_TIME).await;
        assert_eq!((posts(&server), sent.http_status), (1, Some(status)));
        assert!(matches!(sent.answer, Answer::Unclear { .. } | Answer::Throttled { .. }), "{status}");
    }
}

#[tokio::test]
async fn the_write_after_a_refused_token_has_a_new_one() {
    let stale = reply(401, error_body("InvalidAuthenticationToken", "expired"));
    let server = answering([stale, reply(201, request_row(&json!({})))]).await;
    let graph = server.graph();
    let refused = graph.assign(&assign_order(), IN_TIME).await;
    assert!(matches!(refused.answer, Answer::NotYet { .. }));
    assert_eq!(posts(&server), 1);
    graph.assign(&assign_order(), IN_TIME).await;
    assert_eq!(bearers(&server, &format!("POST {REQUESTS}")), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_write_is_not_sent_once_its_time_has_passed_while_a_token_was_fetched() {
    let server = answering([reply(201, request_row(&json!({})))]).await;
    server.fetching_a_token_takes(SignedDuration::from_secs(6));
    let graph = server.graph();
    let sent = graph.assign(&assign_order(), Duration::from_secs(5)).await;
    assert!(matches!(sent.answer, Answer::NotSent { .. }));
    assert_eq!((posts(&server), sent.http_status), (0, None));

    let sent = graph.assign(&assign_order(), Duration::from_secs(6)).await;
    assert!(matches!(sent.answer, Answer::Accepted(_)), "the last moment is in time");
}

#[tokio::test]
async fn a_lost_answer_is_unclear_and_an_absent_server_was_never_reached() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let graph = graph_at(&server, &url);
    let hang_up = async {
        let (mut caller, _) = listener.accept().await.expect("a caller");
        caller.read_exact(&mut [0]).await.expect("a call");
        drop(caller);
    };
    let order = assign_order();
    let (sent, ()) = tokio::join!(graph.assign(&order, IN_TIME), hang_up);
    assert!(matches!(sent.answer, Answer::Unclear { .. }), "{sent:?}");

    drop(listener);
    let sent = graph.assign(&assign_order(), IN_TIME).await;
    assert!(matches!(sent.answer, Answer::NotSent { .. }), "{sent:?}");
}

fn graph_at(server: &Server, url: &str) -> TenantGraph {
    server.graph_with(AppCredential::Secret(Material::fixed("s3cret")), &Url::parse(url).expect("a url"))
}

#[tokio::test]
async fn no_more_than_two_writes_and_four_reads_are_under_way() {
    let server = showing_instances([list(&[])]).await;
    server.on(&format!("POST {REQUESTS}"), [reply(503, "")]);
    let graph = server.graph();
    graph.token_works().await.expect("a token");
    server.hold_answers();

    let order = assign_order();
    let writes = futures_util::future::join_all((0..6).map(|_| graph.assign(&order, IN_TIME)));
    let let_go = async {
        for answered in 0..6 {
            wait_until(|| posts(&server) >= (answered + 2).min(6)).await;
            server.let_go(1);
        }
    };
    tokio::join!(writes, let_go);
    assert_eq!((posts(&server), server.most_in_flight()), (6, 2));

    let holding = holding();
    let reads = futures_util::future::join_all((0..4).map(|_| graph.look(&holding)));
    let let_go = async {
        wait_until(|| server.in_flight() >= 4).await;
        server.let_go(12);
    };
    let (looks, ()) = tokio::join!(reads, let_go);
    assert!(looks.iter().all(Result::is_ok));
    assert_eq!(server.most_in_flight(), 4);
}

/// Lets others run until it is so.
async fn wait_until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it happens in time");
}
