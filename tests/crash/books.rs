//! What must hold in the end, read from the simulators' ledgers, the sender's acknowledgements and the database.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use sqlx::{Connection as _, PgConnection, Row as _};
use stint::{
    domain::proof::read_checkpoint,
    sandbox::{graph::Entry, story},
    store::{Sealer, Sealing, StoreError},
};

use crate::ground::Ground;

/// Within this Postgres notices that who held a lock is gone.
const NOTICED: Duration = Duration::from_secs(30);

/// A ticket that was approved and told.
pub struct Asked {
    /// Its id in Jira.
    pub ticket: String,
    /// How its access must have ended.
    pub cause: String,
    /// For how long it was approved.
    pub time: SignedDuration,
    /// It was cancelled at some moment: it may never have begun, or have ended early.
    pub cancelled: bool,
}

impl Asked {
    /// One for an hour.
    pub fn of(ticket: &str, cause: &str) -> Self {
        Self {
            ticket: ticket.to_owned(),
            cause: cause.to_owned(),
            time: SignedDuration::from_hours(1),
            cancelled: false,
        }
    }
}

/// Everything that is wrong once all is over and no process runs.
pub async fn faults(ground: &Ground, asked: &[Asked], kept: &[String]) -> Vec<String> {
    let mut sql = PgConnection::connect(&ground.database_url).await.expect("a connection");
    let mut faults = vec![];
    for asked in asked {
        of_ticket(ground, &mut sql, asked, &mut faults).await;
    }
    let ledger = ground.sandbox.graph.ledger();
    let created = ledger.iter().filter(|entry| is_create(entry)).count();
    if created > asked.len() {
        faults.push(format!("{created} creates for {} approvals", asked.len()));
    }
    if ledger.iter().any(|entry| entry.removed_foreign || entry.updated_foreign) {
        faults.push("something foreign was touched".into());
    }
    let left = ground.sandbox.graph.active_grants(story::TENANT);
    if !left.is_empty() {
        faults.push(format!("still in force: {left:?}"));
    }
    for id in kept {
        let query = "select count(*) from deliveries where headers->>'identifier' = $1";
        let count: i64 = sqlx::query_scalar(query).bind(id).fetch_one(&mut sql).await.expect("a count");
        if count != 1 {
            faults.push(format!("the delivery {id} was answered 2xx and is kept {count} times"));
        }
    }
    events(&mut sql, &mut faults).await;
    log(ground, &mut sql, &mut faults).await;
    logged(ground, &mut faults);
    faults
}

fn is_create(entry: &Entry) -> bool {
    entry.committed && entry.action.eq_ignore_ascii_case("adminAssign")
}

async fn of_ticket(ground: &Ground, sql: &mut PgConnection, asked: &Asked, faults: &mut Vec<String>) {
    let Asked { ticket, cause, time, cancelled } = asked;
    let requests = "select id::text, state, coalesce(end_order->>'cause', '') from requests where ticket_id = $1";
    let requests: Vec<(String, String, String)> =
        sqlx::query_as(requests).bind(ticket).fetch_all(&mut *sql).await.expect("requests");
    let [(id, state, ended)] = &requests[..] else {
        return faults.push(format!("ticket {ticket} has {} requests", requests.len()));
    };
    let is_over = ["ended", "rejected", "failed"].contains(&state.as_str());
    if !is_over || (!cancelled && (state.as_str(), ended.as_str()) != ("ended", cause.as_str())) {
        faults.push(format!("request {id} of ticket {ticket} stands as {state} {ended}, and not ended {cause}"));
    }
    let marker = format!("stint:{id}");
    let ledger = ground.sandbox.graph.ledger();
    let ours = |entry: &&Entry| entry.justification.as_deref().is_some_and(|text| text.contains(&marker));
    let creates = ledger.iter().filter(ours).filter(|entry| is_create(entry)).count();
    if creates > 1 || (creates == 0 && !cancelled) {
        faults.push(format!("request {id} of ticket {ticket} has {creates} creates"));
    }
    for grant in ground.sandbox.graph.grants(story::TENANT) {
        let is_its = grant.justification.as_deref().is_some_and(|text| text.contains(&marker));
        let latest = grant.start.map(|start| start + *time + SignedDuration::from_secs(60));
        if is_its && (grant.ended_at.is_none() || grant.ended_at > latest) {
            faults.push(format!("the access of {id} lasted too long: {grant:?}"));
        }
    }
    let notes: Vec<String> = ground.sandbox.jira.comments(ticket).into_iter().map(|note| note.text).collect();
    let unlike = notes.iter().collect::<std::collections::BTreeSet<_>>().len();
    if unlike != notes.len() || (notes.len() != 2 && !cancelled) {
        faults.push(format!("ticket {ticket} has {} notes: {notes:#?}", notes.len()));
    }
}

/// Each request's events chain from state to state without gap or double, and end where the row stands; nobody has two open
/// attempts.
async fn events(sql: &mut PgConnection, faults: &mut Vec<String>) {
    let broken = "with moves as (select request_id, id, state_from, state_to, \
         lag(state_to) over (partition by request_id order by id) as stood, \
         lead(id) over (partition by request_id order by id) as next from audit_events where state_to is not null) \
         select m.request_id::text, m.state_from, m.stood, m.state_to, r.state \
         from moves m join requests r on r.id = m.request_id \
         where m.state_from is distinct from m.stood or (m.next is null and m.state_to <> r.state)";
    for row in sqlx::query(broken).fetch_all(&mut *sql).await.expect("the audit log") {
        let said: Vec<Option<String>> = (0..5).map(|column| row.get(column)).collect();
        faults.push(format!("a move is missing or doubled: {said:?}"));
    }
    let open = "select count(*) from attempts where outcome = 'open'";
    let open: i64 = sqlx::query_scalar(open).fetch_one(sql).await.expect("a count");
    if open > 0 {
        faults.push(format!("{open} attempts are still open"));
    }
}

/// Seals what is left. Postgres may not have noticed yet that a service which was killed while it sealed is gone.
async fn sealed(ground: &Ground, sealer: &Sealer) -> Result<Sealing, StoreError> {
    let began = Instant::now();
    loop {
        match sealer.seal(ground.clock.now()).await {
            Ok(Sealing::Busy) if began.elapsed() < NOTICED => tokio::time::sleep(Duration::from_millis(50)).await,
            state => return state,
        }
    }
}

/// What was appended is sealed whole, the tree is what its leaves make, and the newest head is signed and has its root.
async fn log(ground: &Ground, sql: &mut PgConnection, faults: &mut Vec<String>) {
    let sealer = Sealer::new(ground.store.clone(), Some(ground.key.clone()), vec![]);
    let state = sealed(ground, &sealer).await;
    if !matches!(state, Ok(Sealing::Whole(_))) || sealer.is_forked() {
        faults.push(format!("the audit log is not sealed: {state:?}, forked: {}", sealer.is_forked()));
    }
    let unsealed = "select (select count(*) from audit_events) - (select count(*) from audit_leaves)";
    let unsealed: i64 = sqlx::query_scalar(unsealed).fetch_one(sql).await.expect("a count");
    if unsealed != 0 {
        faults.push(format!("{unsealed} events have no place in the audit log"));
    }
    let head = ground.store.signed_head(None).await;
    let Ok(Some(head)) = head else { return faults.push(format!("the audit log has no signed head: {head:?}")) };
    let read = read_checkpoint(&head.note, &[ground.key.verifier_key().clone()]);
    let root = ground.store.tree_root(head.head.size).await;
    if !matches!((&read, &root), (Ok(read), Ok(root)) if read.root == *root) {
        faults.push(format!("the audit log is not what was signed: {read:?}, {root:?}"));
    }
}

/// No process panicked, nor told of an error of its own.
fn logged(ground: &Ground, faults: &mut Vec<String>) {
    let log = ground.log.lock().expect("not poisoned");
    let bad = ["panicked", "broke off", "audit log is no longer", "audit-log-forked"];
    let told = log.iter().filter(|line| bad.iter().any(|word| line.contains(word)));
    faults.extend(told.map(|line| format!("logged: {line}")));
}
