//! Who was asked to approve, and what they said: rows of `sysapproval_approver`, told apart by rounds.
//!
//! Rows carry no round. A round is a run of rows created no more than [`ASKED_TOGETHER`] apart; whoever is asked later, after
//! a ticket was reverted or reopened or as the next stage of a flow, is asked in a round of their own. Only what never changes
//! tells rounds apart: an old approved row stays in its round whatever is written to it later, and a round's id, made of the
//! moment it was opened, stays the same whichever of its rows are answered, cancelled, or no longer required. So the same
//! approval never reads as a new one, an old answer never answers a newer question, and only the newest round decides.
//! Should a ticket be approved, reverted and asked about again within seconds, both share a round, which is never used twice.
//!
//! An answer counts only if the approver gave it. `sys_updated_by` says who wrote the row last: where that is somebody else,
//! by delegation, on behalf, or by a script, nobody knows what the approver said, and the row's date need not be that of the
//! answer. Such a vote stays visible and counts for nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    super::TicketError,
    list::{Answers, Listing, Pause},
    people::{People, Person},
    shape,
};
use crate::domain::{
    approval::{Account, AccountKind, Approval, Outcome, Vote},
    id::{AccountId, ApprovalId},
};

/// Rows of one round are written one after the other.
const ASKED_TOGETHER: SignedDuration = SignedDuration::from_secs(30);

/// Longer user names are cut where they are shown.
const MAX_NAME: usize = 60;

/// Everybody ever asked about one record.
pub(super) struct Asked {
    /// The record's `sys_id`.
    of: String,
    /// Oldest first.
    rows: Vec<Row>,
}

struct Row {
    state: State,
    approver: Option<String>,
    created: Timestamp,
    updated: Timestamp,
    updated_by: String,
    sys_id: String,
}

/// What a row says (`contracts/tickets.md` B3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Approved,
    Rejected,
    /// Asked, or to be asked.
    Open,
    /// Nobody waits for it any more.
    Idle,
    /// A word that stint does not know.
    Unknown,
}

/// Everybody asked about this record. Each row must be about it: a query that ServiceNow does not take as a whole brings others.
pub(super) fn asked(of: &str, answers: &mut Answers<'_>) -> Result<Asked, Pause> {
    let rows = answers.all(&Listing {
        table: "sysapproval_approver",
        query: format!("sysapproval={of}^ORDERBYsys_created_on"),
        fields: "sys_id,state,approver,sysapproval,document_id,sys_created_on,sys_updated_on,sys_updated_by",
        whole: true,
    })?;
    let mut rows = rows.iter().map(|values| row(values, of)).collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.sys_id.cmp(&b.sys_id)));
    Ok(Asked { of: of.to_owned(), rows })
}

fn row(values: &Value, of: &str) -> Result<Row, TicketError> {
    let (task, document) = (shape::column(values, "sysapproval")?, shape::column(values, "document_id")?);
    if task != of && document != of {
        return Err(TicketError::bad("approvals of another record"));
    }
    let sys_id = shape::reference(values, "sys_id")?.ok_or_else(|| TicketError::bad("an approval without sys_id"))?;
    Ok(Row {
        state: state(shape::column(values, "state")?),
        approver: shape::reference(values, "approver")?.map(str::to_owned),
        created: shape::time(values, "sys_created_on")?,
        updated: shape::time(values, "sys_updated_on")?,
        updated_by: shape::column(values, "sys_updated_by")?.to_owned(),
        sys_id: sys_id.to_owned(),
    })
}

fn state(word: &str) -> State {
    match word {
        "approved" => State::Approved,
        "rejected" => State::Rejected,
        "requested" | "not requested" | "not_requested" => State::Open,
        "cancelled" | "not_required" | "skipped" => State::Idle,
        _ => State::Unknown,
    }
}

impl Asked {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Everybody whose row says approved.
    pub(super) fn approving(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.state == State::Approved).filter_map(|row| row.approver.as_deref())
    }

    /// Every round, oldest first. The newest has come out only once the ticket itself says so.
    pub(super) fn rounds(&self, ticket_says: &str, people: &People) -> Vec<Approval> {
        let rounds: Vec<_> = self.rows.chunk_by(|a, b| b.created.duration_since(a.created) <= ASKED_TOGETHER).collect();
        let newest = rounds.len().saturating_sub(1);
        let says = |index| (index == newest).then_some(ticket_says);
        rounds.iter().enumerate().filter_map(|(index, rows)| self.round(rows, says(index), people)).collect()
    }

    fn round(&self, rows: &[Row], ticket_says: Option<&str>, people: &People) -> Option<Approval> {
        let opened_at = rows.first()?.created;
        let votes: Vec<_> = rows.iter().map(|row| vote(row, people)).collect();
        let outcome = outcome(rows, ticket_says);
        Some(Approval {
            id: ApprovalId::new(format!("{}@{opened_at}", self.of)),
            outcome,
            opened_at,
            decided_at: decided_at(rows, &votes, outcome),
            votes,
            without_approver: false,
        })
    }
}

/// How a round came out. One that nobody is left to answer, and nobody approved, is not approved by what was said before.
fn outcome(rows: &[Row], ticket_says: Option<&str>) -> Outcome {
    let any = |state| rows.iter().any(|row| row.state == state);
    if any(State::Rejected) || ticket_says == Some("rejected") {
        Outcome::Declined
    } else if any(State::Open) || ticket_says.is_some_and(|word| word != "approved") {
        // Rows are answered before their ticket follows (`contracts/tickets.md` B1).
        Outcome::Pending
    } else if any(State::Unknown) || !any(State::Approved) || is_asked_after_an_answer(rows) {
        Outcome::Unknown
    } else {
        Outcome::Approved
    }
}

/// Whether a row came after another was approved: within seconds nobody can tell a next stage from a new round.
fn is_asked_after_an_answer(rows: &[Row]) -> bool {
    let approved: Vec<_> = rows.iter().filter(|row| row.state == State::Approved).map(|row| row.updated).collect();
    rows.iter().any(|row| approved.iter().any(|at| *at < row.created))
}

/// When the last vote that counts was given; an answer entered by somebody else dates nothing.
fn decided_at(rows: &[Row], votes: &[Vote], outcome: Outcome) -> Option<Timestamp> {
    let newest = |state| rows.iter().filter(|row| row.state == state).map(|row| row.updated).max();
    match outcome {
        Outcome::Approved => {
            let counting = votes.iter().filter(|vote| vote.outcome == Outcome::Approved && vote.approver.is_some());
            counting.filter_map(|vote| vote.decided_at).max().or_else(|| newest(State::Approved))
        }
        Outcome::Declined => newest(State::Rejected),
        Outcome::Pending | Outcome::Unknown => None,
    }
}

fn vote(row: &Row, people: &People) -> Vote {
    let person = row.approver.as_deref().and_then(|approver| people.of(approver));
    match (row.state, person) {
        (State::Approved, Some(person)) if person.user_name == row.updated_by => {
            Vote { approver: Some(person.account.clone()), outcome: Outcome::Approved, decided_at: Some(row.updated) }
        }
        (State::Approved, Some(person)) => {
            Vote { approver: Some(entered_by(person, row)), outcome: Outcome::Unknown, decided_at: Some(row.updated) }
        }
        (State::Approved, None) => Vote { approver: None, outcome: Outcome::Approved, decided_at: Some(row.updated) },
        (state, _) => Vote { approver: row.approver.as_deref().map(unseen), outcome: said(state), decided_at: None },
    }
}

fn entered_by(person: &Person, row: &Row) -> Account {
    let name = person.account.name.as_deref().unwrap_or(&person.user_name);
    let by = shape::shown(&row.updated_by, MAX_NAME);
    Account { name: Some(format!("{name} (entered by {by})")), ..person.account.clone() }
}

/// Somebody whose answer approves nothing: their account was not asked for.
fn unseen(approver: &str) -> Account {
    Account { id: AccountId::new(approver), name: None, email: None, kind: AccountKind::Unstated, active: None }
}

fn said(state: State) -> Outcome {
    match state {
        State::Approved => Outcome::Approved,
        State::Rejected => Outcome::Declined,
        State::Open => Outcome::Pending,
        State::Idle | State::Unknown => Outcome::Unknown,
    }
}
