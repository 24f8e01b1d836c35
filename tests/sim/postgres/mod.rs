//! A model of stint's database: rows in memory, each method one transaction, with the conditions of `src/store`.
//!
//! It is written from what the statements promise, a second time; `tests/it/model.rs` plays the same operations on it and
//! on a real Postgres and compares the answers. What only people read (texts of notes, details of findings) is not kept.
//! Tables are small, so every search is from the first row to the last.

mod advance;
mod books;
mod findings;
mod intake;
mod jobs;
mod leases;
mod requests;

use jiff::Timestamp;
use stint::{
    domain::{
        assignment::Holding,
        attempt::{Attempt, AttemptOutcome},
        id::{ApprovalId, ConnectionName, RequestId, TenantName, TicketId, TicketNumber},
        request::{Assignment, Decision, EndOrder, Request, State, Status},
        withdrawal::Doubt,
    },
    store::StoreError,
};
use uuid::Uuid;

pub use intake::Told;

/// Everything that is committed.
#[derive(Debug, Default)]
pub struct Database {
    pub rows: Vec<Row>,
    pub attempts: Vec<AttemptRow>,
    pub events: Vec<Event>,
    pub notes: Vec<Note>,
    pub findings: Vec<Finding>,
    deliveries: Vec<Delivered>,
    polls: Vec<PollRow>,
    sweeps: Vec<SweepRow>,
    drawn: u64,
}

/// A row of `requests`.
#[derive(Debug)]
pub struct Row {
    pub id: RequestId,
    pub connection: ConnectionName,
    pub tenant: Option<TenantName>,
    pub ticket: TicketId,
    pub number: TicketNumber,
    pub state: State,
    pub received_at: Timestamp,
    pub state_since: Timestamp,
    pub hinted_at: Timestamp,
    pub looks: u32,
    pub due_at: Option<Timestamp>,
    pub lease: Option<(Uuid, Timestamp)>,
    /// Who leased it last.
    worker: usize,
    pub woken: bool,
    pub hinted_approval: Option<String>,
    pub end_requested: Option<EndOrder>,
    pub doubt: Option<Doubt>,
    pub approval: Option<ApprovalId>,
    pub approval_given_at: Option<Timestamp>,
    /// Kept when the state no longer shows it.
    pub decision: Option<Decision>,
    pub assignment: Option<Assignment>,
    pub end_order: Option<EndOrder>,
    pub unseen_since: Option<Timestamp>,
    pub in_force_from: Option<Timestamp>,
    pub in_force_until: Option<Timestamp>,
}

/// A row of `attempts`.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    pub request: RequestId,
    pub tenant: TenantName,
    pub holding: Holding,
    pub attempt: Attempt,
}

/// A row of the audit log, as far as a checker needs it.
#[derive(Clone, Debug)]
pub struct Event {
    pub request: Option<RequestId>,
    pub name: &'static str,
    pub moved: Option<(Option<Status>, Status)>,
}

/// A row of `notes`.
#[derive(Debug)]
pub struct Note {
    pub request: RequestId,
    pub step: String,
    pub text: String,
    pub created_at: Timestamp,
    pub due_at: Option<Timestamp>,
    pub lease: Option<(Uuid, Timestamp)>,
    pub tries: u32,
}

/// A row of `findings`.
#[derive(Debug)]
pub struct Finding {
    pub kind: String,
    pub tenant: Option<TenantName>,
    pub request: Option<RequestId>,
    pub connection: Option<ConnectionName>,
    pub subject: Option<String>,
    /// `detail.target`, in words; empty when it names none.
    pub target: String,
    /// Which parts of the tenant it is about.
    pub parts: Vec<String>,
    pub cleared: bool,
}

/// A row of `deliveries`.
#[derive(Debug)]
struct Delivered {
    connection: ConnectionName,
    key: String,
    request: Option<RequestId>,
}

/// A row of `polls`.
#[derive(Debug)]
struct PollRow {
    connection: ConnectionName,
    known_since: Timestamp,
    covered_until: Timestamp,
    due_at: Timestamp,
    broken_off: Option<(Timestamp, TicketId)>,
    failures: u32,
    lease: Option<(Uuid, Timestamp)>,
}

/// A row of `sweeps`.
#[derive(Debug)]
struct SweepRow {
    tenant: TenantName,
    due_at: Timestamp,
    failures: u32,
    lease: Option<(Uuid, Timestamp)>,
}

impl Row {
    /// Where it stands, or goes on.
    pub fn stands(&self) -> Status {
        self.state.underlying().status()
    }

    /// Whether this token is what its lease was drawn with.
    fn is_leased_by(&self, token: Uuid) -> bool {
        self.lease.is_some_and(|(held, _)| held == token)
    }

    /// Whether nobody works on it.
    fn is_free(&self, now: Timestamp) -> bool {
        is_free(self.lease, now)
    }
}

/// Whether a lease lapsed, or there is none.
fn is_free(lease: Option<(Uuid, Timestamp)>, now: Timestamp) -> bool {
    lease.is_none_or(|(_, until)| until <= now)
}

impl Database {
    /// The row of this request.
    pub fn row(&self, id: RequestId) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    fn row_mut(&mut self, id: RequestId) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.id == id)
    }

    /// The attempts of a request, oldest first.
    pub fn attempts_of(&self, id: RequestId) -> Vec<Attempt> {
        self.attempts.iter().filter(|row| row.request == id).map(|row| row.attempt.clone()).collect()
    }

    /// The request as a step loads it.
    pub fn load(&self, id: RequestId) -> Option<Request> {
        let row = self.row(id)?;
        Some(Request {
            id,
            connection: row.connection.clone(),
            ticket: row.ticket.clone(),
            number: row.number.clone(),
            received_at: row.received_at,
            state: row.state.clone(),
            state_since: row.state_since,
            hinted_at: row.hinted_at,
            looks: row.looks,
            attempts: self.attempts_of(id),
            end_requested: row.end_requested.clone(),
            doubt: row.doubt,
        })
    }

    /// A number that nobody had before, mixed so that its last bytes are spread.
    fn draw(&mut self) -> u128 {
        self.drawn += 1;
        let mixed = self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (u128::from(self.drawn) << 64) | u128::from(mixed ^ (mixed >> 29))
    }

    fn token(&mut self) -> Uuid {
        Uuid::from_u128(self.draw())
    }

    /// Writes an attempt whole, unless a further open one would stand beside another.
    fn put(
        &mut self,
        request: RequestId,
        tenant: &TenantName,
        holding: &Holding,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        let open = attempt.outcome == AttemptOutcome::Open;
        let same = |row: &AttemptRow| row.tenant == *tenant && row.holding == *holding;
        let busy = |row: &AttemptRow| {
            row.attempt.id != attempt.id
                && row.attempt.outcome == AttemptOutcome::Open
                && (row.request == request || same(row))
        };
        if open && self.attempts.iter().any(busy) {
            return Err(StoreError::HoldingBusy(request));
        }
        match self.attempts.iter_mut().find(|row| row.attempt.id == attempt.id) {
            Some(row) => row.attempt = attempt.clone(),
            None => self.attempts.push(AttemptRow {
                request,
                tenant: tenant.clone(),
                holding: holding.clone(),
                attempt: attempt.clone(),
            }),
        }
        Ok(())
    }

    fn tell(&mut self, request: Option<RequestId>, name: &'static str, moved: Option<(Option<Status>, Status)>) {
        self.events.push(Event { request, name, moved });
    }

    /// When anything falls due next.
    pub fn next_of_all(&self) -> Option<Timestamp> {
        let at = |due: Timestamp, lease: Option<(Uuid, Timestamp)>| lease.map_or(due, |(_, until)| due.max(until));
        let polls = self.polls.iter().map(|row| at(row.due_at, row.lease));
        let sweeps = self.sweeps.iter().map(|row| at(row.due_at, row.lease));
        polls.chain(sweeps).chain(self.next_due()).min()
    }
}
