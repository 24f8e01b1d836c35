//! A login service and a Graph on one port, which answer what they are told and remember what they were asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};
use url::Url;
use uuid::Uuid;

use crate::{
    clock::{Clock, ManualClock},
    domain::id::TenantName,
    graph::{
        TenantGraph,
        settings::{App, AppCredential, Material, TenantSettings},
    },
    outbound::{Limits, Wire},
};

pub(super) const TENANT: &str = "6f1c0c1e-4b6a-4f6e-9d53-0a7b1c2d3e4f";
pub(super) const CLIENT: &str = "5d0a7a4e-1b1f-4f7d-8a53-7b6d9c1e2f30";
pub(super) const TOKEN_PATH: &str = "/6f1c0c1e-4b6a-4f6e-9d53-0a7b1c2d3e4f/oauth2/v2.0/token";

pub(super) const METADATA_PATH: &str = "/metadata/identity/oauth2/token";

/// One answer to come.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: String,
}

/// One call that came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The server, and a clock that stands still.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) url: Url,
    pub(super) clock: Arc<ManualClock>,
    memory: Arc<Mutex<Memory>>,
    gate: Arc<Semaphore>,
}

#[derive(Default)]
struct Memory {
    asked: Vec<Asked>,
    replies: HashMap<String, VecDeque<Reply>>,
    tokens: usize,
    token_takes: SignedDuration,
    when_asked: Option<Box<dyn FnMut() + Send>>,
    in_flight: usize,
    most_in_flight: usize,
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better without borrows")]
pub(super) fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status: StatusCode::from_u16(status).expect("a status"), headers: vec![], body: body.to_string() }
}

impl Reply {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), value.to_owned()));
        self
    }
}

impl Server {
    /// A server on a free port; every call it has no answer for is a 404 that says nothing.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Self {
            url: Url::parse(&format!("http://{address}")).expect("a url"),
            clock: ManualClock::at(super::start()),
            memory: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// The answers to `METHOD path`, in order; the last one stays.
    pub(super) fn on(&self, call: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.memory().replies.insert(call.to_owned(), replies);
    }

    /// Lets the clock run on by so much while a token is fetched.
    pub(super) fn fetching_a_token_takes(&self, time: SignedDuration) {
        self.memory().token_takes = time;
    }

    /// Does this whenever a token is asked for.
    pub(super) fn when_a_token_is_asked(&self, act: impl FnMut() + Send + 'static) {
        self.memory().when_asked = Some(Box::new(act));
    }

    /// Lets no answer of Graph leave any more, but so many as are let go with [`Server::let_go`].
    pub(super) fn hold_answers(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn let_go(&self, answers: usize) {
        self.gate.add_permits(answers);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.memory().in_flight
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.memory().most_in_flight
    }

    /// The calls that came for `METHOD path`.
    pub(super) fn asked(&self, call: &str) -> Vec<Asked> {
        let matching = |asked: &&Asked| name(&asked.method, &asked.uri) == call;
        self.memory().asked.iter().filter(matching).cloned().collect()
    }

    pub(super) fn tokens_asked(&self) -> usize {
        self.asked(&format!("POST {TOKEN_PATH}")).len()
    }

    /// A tenant of this server, signing in with a secret.
    pub(super) fn graph(&self) -> TenantGraph {
        self.graph_with(AppCredential::Secret(Material::fixed("s3cret & more")), &self.url)
    }

    pub(super) fn graph_with(&self, credential: AppCredential, graph_url: &Url) -> TenantGraph {
        self.graph_of(credential, None, graph_url)
    }

    /// A tenant with a second application for removals.
    pub(super) fn graph_of(&self, credential: AppCredential, remover: Option<App>, graph_url: &Url) -> TenantGraph {
        let settings = TenantSettings {
            name: TenantName::new("contoso"),
            tenant_id: TENANT.parse::<Uuid>().expect("an id"),
            client_id: CLIENT.into(),
            credential,
            remover,
            graph_url: graph_url.clone(),
            login_url: self.url.clone(),
        };
        let wire = Wire::new(Limits::default()).expect("a client");
        TenantGraph::new(settings, wire, Clock::manual(self.clock.clone())).expect("a usable credential")
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().expect("no panic in the server")
    }

    fn next_reply(&self, asked: Asked) -> Reply {
        let mut memory = self.memory();
        let name = name(&asked.method, &asked.uri);
        memory.asked.push(asked);
        let told = memory.replies.get_mut(&name).and_then(|replies| match replies.len() {
            0 | 1 => replies.front().cloned(),
            _ => replies.pop_front(),
        });
        if name.ends_with("/token") {
            self.clock.advance(memory.token_takes);
            memory.tokens += 1;
            if let Some(act) = &mut memory.when_asked {
                act();
            }
        }
        told.unwrap_or_else(|| untold(&name, memory.tokens))
    }
}

fn name(method: &Method, uri: &Uri) -> String {
    format!("{method} {}", uri.path())
}

fn untold(name: &str, tokens: usize) -> Reply {
    if name.ends_with("/token") {
        return reply(200, token(&format!("token-{tokens}")));
    }
    reply(404, "")
}

pub(super) fn token(text: &str) -> Value {
    json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": text})
}

/// What the token endpoint was sent.
pub(super) fn form(asked: &Asked) -> HashMap<String, String> {
    url::form_urlencoded::parse(&asked.body).into_owned().collect()
}

/// A refusal of the token endpoint.
pub(super) fn refusal(code: u32) -> Value {
    json!({"error": "invalid_client", "error_codes": [code], "error_description": "AADSTS: s3cret & more"})
}

pub(super) fn token_call() -> String {
    format!("POST {TOKEN_PATH}")
}

async fn answer(State(server): State<Server>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let is_call = !uri.path().ends_with("/token");
    let reply = server.next_reply(Asked { method, uri, headers, body });
    if is_call {
        server.wait_for_the_gate().await;
    }
    let mut response = (reply.status, reply.body).into_response();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

impl Server {
    async fn wait_for_the_gate(&self) {
        {
            let mut memory = self.memory();
            memory.in_flight += 1;
            memory.most_in_flight = memory.most_in_flight.max(memory.in_flight);
        }
        self.gate.acquire().await.expect("never closed").forget();
        self.memory().in_flight -= 1;
    }
}
