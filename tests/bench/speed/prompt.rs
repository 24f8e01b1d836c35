//! How soon a webhook leads to the call that assigns, above what the neighbours themselves take to answer.
//!
//! What one ticket needs is told by the simulators, and asked of them once more without stint: as many at a time, one call
//! after the other, those that stint makes at the same time counted once.

use std::{
    collections::HashMap,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use stint::{
    clock::Clock,
    sandbox::{Call, Graph, story},
};

use crate::{
    calls::{Slow, one_after_the_other},
    client::Client,
    grants::await_active,
    report::{Must, Report, Times, say},
    world::{Stint, Ticket, World, post, tenant_id},
};

/// How long Graph takes to answer, in milliseconds.
const LATENCY: u64 = 50;

/// Requests in flight.
const IN_FLIGHT: u64 = 8;

/// What stint may add, at the median and for all but one in a hundred, in microseconds.
const MEDIAN: f64 = 10_000.0;
const LATE: f64 = 60_000.0;

/// When Graph was asked to assign, by the principal's object id.
#[derive(Default)]
struct Creates {
    arrived: Mutex<HashMap<String, Timestamp>>,
    changed: Condvar,
    over: AtomicBool,
}

/// Ends the watch, whether all went well or not.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Measures it.
pub fn measure(world: &World<'_>, report: &mut Report) {
    say("webhook to Graph");
    let database = world.database();
    let stint = world.stint(&database, None);
    let creates = Creates::default();
    let (latency, each) = (world.size.of(LATENCY, 10), world.size.of(25, 3));
    let (totals, own) = std::thread::scope(|scope| {
        scope.spawn(|| creates.watch(&world.sandbox.graph));
        let _over = Over(&creates.over);
        // The first one of each tenant fetches tokens.
        for _ in 0..world.tenants {
            creates.one(&stint, &world.ticket());
        }
        await_active(world, &database, world.tenants);
        let _slow = Slow::by(&world.sandbox.graph, latency);
        let calls = calls_of_one(world, &creates, &stint, latency);
        let (mut totals, mut own) = (vec![], vec![]);
        for _ in 0..world.size.of(3, 1) {
            own.extend(on_every_hand(|| (0..each).map(|_| answered(&calls)).collect()));
            totals.extend(on_every_hand(|| (0..each).map(|_| creates.one(&stint, &world.ticket())).collect()));
        }
        (Times::of(totals), Times::of(own))
    });
    let own = own.quantile(0.5);
    for (name, part, most) in [("p50", 0.5, MEDIAN), ("p99", 0.99, LATE)] {
        let ratio = (totals.quantile(part) - own) / most;
        let limit = most / 1000.0;
        let what = format!("webhook to Graph above the neighbours' answers, {name} of {IN_FLIGHT}, to {limit} ms");
        report.ratio(&what, ratio, Must::AtMost(1.0));
    }
}

/// What so many hands at a time measure.
fn on_every_hand(measure: impl Fn() -> Vec<f64> + Sync) -> Vec<f64> {
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(&measure)).collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("measured")).collect()
    })
}

impl Creates {
    /// Notes what arrives at Graph, until told that it is over.
    fn watch(&self, graph: &Graph) {
        let mut seen = graph.ledger().len();
        while !self.over.load(Ordering::Relaxed) {
            let new = graph.ledger_after(seen);
            seen += new.len();
            if !new.is_empty() {
                let new = new.into_iter().map(|entry| (entry.principal.to_ascii_lowercase(), entry.at));
                self.arrived.lock().expect("not poisoned").extend(new);
                self.changed.notify_all();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// From before a webhook is sent to the arrival of its call at Graph, in microseconds.
    fn one(&self, stint: &Stint, ticket: &Ticket) -> f64 {
        let mut client = Client::new(&stint.process.address, "");
        let began = Clock::system().now();
        post(&mut client, &ticket.path, &ticket.webhook);
        self.await_one(ticket).duration_since(began).as_secs_f64() * 1e6
    }

    fn await_one(&self, ticket: &Ticket) -> Timestamp {
        let arrived = self.arrived.lock().expect("not poisoned");
        let patience = Duration::from_mins(1);
        let is_missing = |arrived: &mut HashMap<_, _>| !arrived.contains_key(&ticket.principal);
        let (arrived, _) = self.changed.wait_timeout_while(arrived, patience, is_missing).expect("not poisoned");
        *arrived.get(&ticket.principal).expect("every ticket leads to a call")
    }
}

/// A call that stint makes between a webhook and the assignment: whom it asks, and as whom.
struct Asked {
    address: String,
    bearer: String,
    call: Call,
}

/// What is asked for one ticket before the call that assigns.
fn calls_of_one(world: &World<'_>, creates: &Creates, stint: &Stint, latency: u64) -> Vec<Asked> {
    let (began, ticket) = (Clock::system().now(), world.ticket());
    creates.one(stint, &ticket);
    let (graph, desk) = (&world.sandbox.graph, &ticket.desk);
    let of_desk: Vec<_> = desk.calls().into_iter().filter(|call| call.at >= began).collect();
    let of_graph = one_after_the_other(graph, began, latency);
    let asked = |url: String, bearer: &str, calls: Vec<Call>| {
        let (address, bearer) = (address(&url), bearer.to_owned());
        calls.into_iter().map(move |call| Asked { address: address.clone(), bearer: bearer.clone(), call })
    };
    let of_graph = asked(graph.url(), &graph_token(world, ticket.tenant), of_graph);
    let mut all: Vec<_> = of_graph.chain(asked(desk.url(), story::DESK_TOKEN, of_desk)).collect();
    all.sort_by_key(|asked| asked.call.at);
    let sent = all.iter().position(|asked| asked.call.method == "POST").expect("an assignment");
    all.truncate(sent);
    assert!(all.iter().all(|asked| asked.call.method == "GET"), "what is read can be read again");
    all
}

/// The headers of who shows this token.
pub fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\naccept: application/json\r\n")
}

/// Where a service listens.
pub fn address(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

/// How long the neighbours take for all of that, one after the other, in microseconds.
fn answered(calls: &[Asked]) -> f64 {
    let mut clients = HashMap::new();
    let times = calls.iter().map(|Asked { address, bearer, call }| {
        let client = clients.entry(address).or_insert_with(|| Client::new(address, &self::bearer(bearer)));
        let answer = client.get(&call.path);
        assert_eq!(answer.status, call.status, "{}", call.path);
        answer.micros
    });
    times.sum()
}

/// A token that Graph takes for this tenant.
pub fn graph_token(world: &World<'_>, tenant: u64) -> String {
    let form = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials&scope={}/.default",
        story::CLIENT_ID,
        story::CLIENT_SECRET,
        world.sandbox.graph.url().trim_end_matches('/')
    );
    let path = format!("/{}/oauth2/v2.0/token", tenant_id(tenant));
    let headers = "content-type: application/x-www-form-urlencoded\r\n";
    let answer = Client::new(&address(&world.sandbox.entra.url()), "").post(&path, headers, form.as_bytes());
    let body: Value = serde_json::from_slice(&answer.body).expect("a document");
    body["access_token"].as_str().expect("a token").to_owned()
}
