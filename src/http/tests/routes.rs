//! What holds for every answer: an id, safe headers, and refusals as documents.

use std::{collections::HashMap, sync::Arc};

use axum::{Router, routing::get};
use http::{Method, StatusCode, header};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::{
    super::{Api, Exports, Limits, Wake, cursor::Cursors, document::Written, framed, ops_router, router, serve::serve},
    login::{AUDIENCE, Login, first_key, tokens},
};
use crate::{
    clock::Clock,
    outbound::{Answer, Body, Call, Credential, Limits as Patience, Wire},
    store::{Sealer, Store},
    telemetry::Metrics,
};

/// A served API. Nobody answers for its database: what is tried here does not get that far.
struct Served {
    api: Arc<Api>,
    login: Login,
    url: Url,
    _stop: DropGuard,
}

fn public(api: &Arc<Api>) -> Router {
    router(api, Router::new())
}

async fn served(routes: impl FnOnce(&Arc<Api>) -> Router) -> Served {
    let login = Login::starts().await;
    let api = Arc::new(Api {
        store: Store::open("postgres://nobody@127.0.0.1:1/none", 1).expect("a store"),
        sealer: Arc::new(Sealer::new(
            Store::open("postgres://nobody@127.0.0.1:1/none", 1).expect("a store"),
            None,
            vec![],
        )),
        clock: Clock::manual(Arc::clone(&login.clock)),
        connections: HashMap::new(),
        tenant_ids: HashMap::new(),
        tokens: tokens(&login.url, &login.clock),
        cursors: Cursors::new(None, AUDIENCE),
        public_url: "https://stint.contoso.com".parse().expect("a url"),
        limits: Limits::default(),
        exports: Exports::new(None),
        written: Written::default(),
        metrics: Arc::new(Metrics::new()),
        wake: Wake { here: Arc::new(Notify::new()), elsewhere: Arc::new(Notify::new()) },
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a url");
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, routes(&api), api.limits, stop.clone()));
    Served { api, login, url, _stop: stop.drop_guard() }
}

impl Served {
    async fn send(&self, method: Method, path: &str, credential: &Credential) -> Answer {
        let headers = vec![("x-request-id", "of-the-caller".to_owned())];
        let call = Call { method, path: path.into(), query: vec![], headers, body: Body::Empty };
        let wire = Wire::new(Patience::default()).expect("a client");
        wire.send(&self.url, &call, credential).await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &Credential::Nobody).await
    }
}

/// The problem document, after what holds for all of them was checked.
fn problem(answer: &Answer, status: StatusCode, code: &str) -> Value {
    assert_eq!(answer.status, status);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    let document = answer.json().expect("a document");
    assert_eq!(document["status"], status.as_u16());
    assert_eq!(document["code"], code);
    assert_eq!(document["type"], format!("/problems/{code}"));
    let id = answer.headers["x-request-id"].to_str().expect("text");
    assert_eq!(document["instance"], format!("urn:uuid:{id}"), "the document leads to the log");
    document
}

#[tokio::test]
async fn every_answer_has_an_id_of_our_own_and_safe_headers() {
    let served = served(ops_router).await;
    let (one, two) = (served.get("/livez").await, served.get("/livez").await);
    assert_eq!(one.status, StatusCode::OK);
    let id: uuid::Uuid = one.headers["x-request-id"].to_str().expect("text").parse().expect("not the caller's");
    assert_eq!(id.get_version_num(), 7);
    assert_ne!(one.headers["x-request-id"], two.headers["x-request-id"]);
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("referrer-policy", "no-referrer")]
    {
        assert_eq!(one.headers[name], value);
    }
}

#[tokio::test]
async fn what_leads_nowhere_is_told_in_documents() {
    let served = served(public).await;
    problem(&served.get("/nowhere").await, StatusCode::NOT_FOUND, "not-found");
    let wrong = served.send(Method::DELETE, "/v1/requests", &Credential::Nobody).await;
    problem(&wrong, StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed");
    assert_eq!(wrong.headers[header::ALLOW], "GET,HEAD");
    let token = first_key().token(&served.login.claims());
    let unreadable = served.send(Method::GET, "/v1/requests/%FF", &Credential::Bearer(token.into())).await;
    problem(&unreadable, StatusCode::BAD_REQUEST, "bad-request");
}

#[tokio::test]
async fn a_caller_without_a_good_token_is_told_no_more_than_that() {
    let served = served(public).await;
    let nobody = served.get("/v1/requests").await;
    problem(&nobody, StatusCode::UNAUTHORIZED, "unauthorized");
    assert_eq!(nobody.headers[header::WWW_AUTHENTICATE], "Bearer");
    let token = first_key().token(&serde_json::json!({"ver": "2.0", "iss": "https://elsewhere.example"}));
    let stranger = served.send(Method::GET, "/v1/requests", &Credential::Bearer(token.into())).await;
    let document = problem(&stranger, StatusCode::UNAUTHORIZED, "unauthorized");
    assert_eq!(document["detail"], "the access token is not valid: claims");
}

#[tokio::test]
async fn while_the_keys_cannot_be_had_callers_are_told_to_come_back() {
    let served = served(public).await;
    served.login.is_down(true);
    let token = first_key().token(&served.login.claims());
    let answer = served.send(Method::GET, "/v1/requests", &Credential::Bearer(token.into())).await;
    problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    assert_eq!(answer.headers[header::RETRY_AFTER], "30");
}

#[tokio::test]
async fn what_may_be_kept_says_so_itself() {
    let kept = Router::new().route("/kept", get(async || [(header::CACHE_CONTROL, "no-cache")]));
    let served = served(|api| router(api, kept)).await;
    assert_eq!(served.get("/kept").await.headers[header::CACHE_CONTROL], "no-cache");
    assert_eq!(served.get("/v1/requests").await.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a_panic_is_an_answer_that_says_nothing_of_its_cause() {
    async fn panics() {
        panic!("the secret cause")
    }
    let served = served(|api| framed(Router::new().route("/panics", get(panics)), api)).await;
    let answer = served.get("/panics").await;
    let document = problem(&answer, StatusCode::INTERNAL_SERVER_ERROR, "internal");
    assert!(!document.to_string().contains("secret"), "{document}");
    problem(&served.get("/panics").await, StatusCode::INTERNAL_SERVER_ERROR, "internal");
}

#[tokio::test]
async fn answers_are_counted_by_route_and_never_by_path() {
    let served = served(public).await;
    for path in ["/v1/requests/1", "/v1/requests/2", "/nowhere", "/elsewhere"] {
        served.get(path).await;
    }
    let text = served.api.metrics.text();
    assert!(text.contains(r#"route="/v1/requests/{id}",method="GET",status="401"} 2"#), "{text}");
    assert!(text.contains(r#"route="none",method="GET",status="404"} 2"#), "{text}");
    assert!(!text.contains("nowhere"), "{text}");
}
