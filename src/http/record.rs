//! A request as the API writes it. What is not known yet is null, never guessed.
//!
//! What the database keeps as JSON is handed on as the text it is: only the parts that stand elsewhere in the answer are
//! looked for. What these parts look like is told in [`shape`].

pub(super) mod example;
pub(super) mod shape;

use std::borrow::Cow;

use jiff::Timestamp;
use jiff_sqlx::Timestamp as Column;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use self::shape::{
    Approver, Assignment, Attempt as AttemptShape, CoHolder, Entitlement, Entry, Failure, Principal, Reason, Snapshot,
    StatusName,
};
use super::error::Problem;
use crate::{
    domain::{attempt::Attempt, audit::TimelineEntry, request::Status},
    store::history::{Dossier, HolderRecord, Json, NoteRecord, Record},
};

/// A request as lists show it.
#[derive(Serialize, ToSchema)]
#[schema(as = RequestSummary)]
pub(super) struct Summary<'a> {
    /// Its id.
    id: Uuid,
    /// The tenant it is for; null until the ticket was read.
    #[schema(required)]
    tenant: Option<&'a str>,
    /// The connection its ticket came through.
    connection: &'a str,
    /// Where it stands.
    #[schema(value_type = StatusName)]
    status: &'a str,
    /// When the delivery that made it was committed.
    received_at: Timestamp,
    /// When anything of it last changed.
    updated_at: Timestamp,
    /// The ticket it rests on.
    ticket: Ticket<'a>,
    /// Who receives it.
    #[schema(value_type = Option<Principal>, required)]
    principal: Part<'a>,
    /// What is granted, as the catalog described it then.
    #[schema(value_type = Option<Entitlement>, required)]
    entitlement: Part<'a>,
    /// What the ticket asked for, in ISO 8601 where it was understood.
    #[schema(value_type = Option<String>, required)]
    requested_duration: Part<'a>,
    /// The approval it rests on.
    #[schema(required)]
    approval: Option<Approval<'a>>,
    /// What was decided: with a duration and what bound it, or with every reason why not.
    #[schema(required)]
    decision: Option<Decision<'a>>,
    /// Whether PIM was only asked if it would grant this.
    #[schema(required)]
    dry_run: Option<bool>,
    /// The assignment as it was read back.
    #[schema(value_type = Option<Assignment>, required)]
    assignment: Part<'a>,
    /// How it ended or is ending.
    #[schema(required)]
    end: Option<End<'a>>,
    /// Why it failed at Graph.
    #[schema(value_type = Option<Failure>, required)]
    failure: Part<'a>,
    /// What it is held by.
    #[schema(required)]
    hold: Option<Hold<'a>>,
}

/// A request with its ticket snapshot, attempts, notes and timeline.
#[derive(Serialize, ToSchema)]
#[schema(as = Request)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    /// Calls that change something in Graph, each recorded before it was sent; oldest first.
    #[schema(value_type = Vec<AttemptShape>)]
    attempts: &'a [Attempt],
    /// What stint wrote on the ticket, oldest first.
    notes: Vec<Note<'a>>,
    /// What happened, oldest first.
    #[schema(value_type = Vec<Entry>)]
    timeline: &'a [TimelineEntry],
    /// Other requests that held the same assignment for some of its time, oldest first.
    holders: Vec<Holder<'a>>,
}

/// Text of the database that is JSON already.
type Part<'a> = Option<&'a RawValue>;

/// A ticket.
#[derive(Serialize, ToSchema)]
struct Ticket<'a> {
    /// The connection it came through.
    system: &'a str,
    /// Its number.
    number: &'a str,
    /// Its immutable id.
    id: &'a str,
    /// Where a person opens it.
    #[schema(required)]
    url: Option<&'a str>,
    /// Digest of the snapshot that was decided on.
    #[schema(required)]
    snapshot_digest: Option<&'a str>,
    /// What stands behind the snapshot: `read-back` from its own system, or a signed `webhook`'s word alone.
    #[schema(value_type = Option<String>, required)]
    basis: Option<Cow<'a, RawValue>>,
    /// The ticket as it was read; only in the whole document, and null once it was dropped after its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Snapshot>)]
    snapshot: Option<Part<'a>>,
}

/// An approval.
#[derive(Serialize, ToSchema)]
struct Approval<'a> {
    /// Its id in the ticket system: one approval never grants twice.
    #[schema(value_type = Option<String>, required)]
    id: Part<'a>,
    /// When it was given.
    #[schema(value_type = Option<Timestamp>, required)]
    approved_at: Part<'a>,
    /// Who counted as approvers.
    #[schema(value_type = Vec<Approver>)]
    approvers: Part<'a>,
}

/// A decision.
#[derive(Serialize, ToSchema)]
struct Decision<'a> {
    /// When it was made.
    #[schema(value_type = Timestamp)]
    decided_at: Moment<'a>,
    /// What is granted; null for a refusal.
    #[schema(value_type = Option<String>, required)]
    duration: Part<'a>,
    /// Which limit made it so: `requested`, `entitlement` or `change-window`.
    #[schema(value_type = Option<String>, required)]
    bound_by: Part<'a>,
    /// The catalog it was decided by.
    #[schema(value_type = Option<String>, required)]
    catalog_version: Part<'a>,
    /// Digest of the ticket snapshot it was decided on.
    #[schema(value_type = Option<String>, required)]
    snapshot_digest: Part<'a>,
    /// Every reason why not; empty when it was granted.
    #[schema(value_type = Vec<Reason>)]
    reasons: Cow<'a, RawValue>,
}

/// How an assignment ends.
#[derive(Serialize, ToSchema)]
struct End<'a> {
    /// `expired`, `revoked`, `withdrawn` or `dry-run`.
    cause: &'a str,
    /// When it was ordered, or when its time was over.
    #[schema(value_type = Timestamp)]
    ordered_at: &'a RawValue,
    /// Who ordered it.
    #[schema(value_type = String)]
    ordered_by: &'a RawValue,
    /// Why, in words.
    #[schema(value_type = String)]
    reason: &'a RawValue,
    /// When nothing of it was left to be read.
    #[schema(value_type = Option<Timestamp>, required)]
    confirmed_at: Part<'a>,
    /// Seconds from the moment it was to end until the end was proved.
    #[schema(required)]
    lag_seconds: Option<i64>,
    /// Who held the assignment when this request's part in it was over.
    #[schema(value_type = Vec<CoHolder>)]
    continued_by: Cow<'a, RawValue>,
    /// When it is next looked at.
    #[schema(required)]
    next_look_at: Option<Timestamp>,
}

/// What a request is held by.
#[derive(Serialize, ToSchema)]
struct Hold<'a> {
    /// A stable code.
    #[schema(value_type = String)]
    reason: &'a RawValue,
    /// What to know or do about it.
    #[schema(value_type = String)]
    detail: &'a RawValue,
    /// When it is next looked at.
    #[schema(required)]
    next_look_at: Option<Timestamp>,
}

/// What stint writes on the ticket.
#[derive(Serialize, ToSchema)]
struct Note<'a> {
    /// Which step it tells.
    step: &'a str,
    /// What it says.
    text: &'a str,
    /// When the move was made.
    created_at: Timestamp,
    /// When the ticket took it.
    #[schema(required)]
    written_at: Option<Timestamp>,
    /// Tries begun.
    tries: u32,
    /// Why the last try failed.
    #[schema(required)]
    last_error: Option<&'a str>,
}

/// Another request that held the same assignment.
#[derive(Serialize, ToSchema)]
struct Holder<'a> {
    /// The request.
    request: Uuid,
    /// Its ticket's number.
    ticket: &'a str,
    /// Where it stands.
    #[schema(value_type = StatusName)]
    status: &'a str,
    /// From when it held it.
    starts_at: Timestamp,
    /// Until when its own approval lets it.
    ends_at: Timestamp,
}

/// A moment as the database has it in JSON, or as it has it in a column.
#[derive(Serialize)]
#[serde(untagged)]
enum Moment<'a> {
    Kept(&'a RawValue),
    Read(Timestamp),
}

/// A decision as the database keeps it: the parts that the document shows.
#[derive(Deserialize)]
struct KeptDecision<'a> {
    #[serde(borrow)]
    decided_at: &'a RawValue,
    approval: Part<'a>,
    approved_at: Part<'a>,
    approvers: Part<'a>,
    principal: Part<'a>,
    entitlement: Part<'a>,
    requested: Part<'a>,
    duration: Part<'a>,
    bound_by: Part<'a>,
    catalog_version: Part<'a>,
    snapshot_digest: Part<'a>,
    basis: Part<'a>,
    #[serde(default)]
    dry_run: bool,
}

/// An order to end as the database keeps it.
#[derive(Deserialize)]
struct KeptOrder<'a> {
    cause: &'a str,
    #[serde(borrow)]
    ordered_at: &'a RawValue,
    actor: &'a RawValue,
    reason: &'a RawValue,
    confirmed_at: Part<'a>,
    continued_by: Part<'a>,
}

#[derive(Deserialize)]
struct Held<'a> {
    #[serde(borrow)]
    code: &'a RawValue,
    detail: &'a RawValue,
}

/// What a snapshot tells before there is a decision.
#[derive(Default, Deserialize)]
struct Seen<'a> {
    #[serde(borrow, default)]
    basis: Part<'a>,
    #[serde(borrow, default)]
    duration: Option<Written<'a>>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, default)]
    text: Part<'a>,
}

#[derive(Deserialize)]
struct Ends {
    ends_at: Timestamp,
}

impl<'a> Summary<'a> {
    /// # Errors
    /// 500 when the row does not hold what it must.
    pub fn of(record: &'a Record) -> Result<Self, Problem> {
        let decided: Option<KeptDecision<'_>> = read(record.decision.as_ref())?;
        let seen: Option<Seen<'_>> = read(record.snapshot.as_ref())?;
        let decided = decided.as_ref();
        Ok(Self {
            id: record.id,
            tenant: record.tenant.as_deref(),
            connection: &record.connection,
            status: &record.state,
            received_at: record.received_at.to_jiff(),
            updated_at: record.updated_at.to_jiff(),
            ticket: ticket(record, decided, seen.as_ref()),
            principal: decided.and_then(|d| d.principal),
            entitlement: decided.and_then(|d| d.entitlement),
            requested_duration: match decided {
                Some(decided) => decided.requested,
                None => seen.and_then(|seen| seen.duration).and_then(|written| written.text),
            },
            approval: decided.map(approval),
            decision: decision(record, decided),
            dry_run: decided.map(|d| d.dry_run),
            assignment: raw(record.assignment.as_ref()),
            end: end(record)?,
            failure: raw(record.failure.as_ref()),
            hold: hold(record)?,
        })
    }
}

impl<'a> Whole<'a> {
    /// # Errors
    /// 500 when a row does not hold what it must.
    pub fn of(dossier: &'a Dossier) -> Result<Self, Problem> {
        let mut summary = Summary::of(&dossier.record)?;
        summary.ticket.snapshot = Some(raw(dossier.record.snapshot.as_ref()));
        Ok(Self {
            summary,
            attempts: &dossier.attempts,
            notes: dossier.notes.iter().map(note).collect(),
            timeline: &dossier.timeline,
            holders: dossier.holders.iter().map(holder).collect(),
        })
    }
}

fn raw(json: Option<&Json>) -> Part<'_> {
    json.map(|json| &*json.0)
}

fn read<'a, T: Deserialize<'a>>(json: Option<&'a Json>) -> Result<Option<T>, Problem> {
    let read = raw(json).map(|text| serde_json::from_str(text.get())).transpose();
    read.map_err(|error| {
        tracing::error!(%error, "a row of requests does not hold what it must");
        Problem::internal()
    })
}

fn ticket<'a>(record: &'a Record, decided: Option<&KeptDecision<'a>>, seen: Option<&Seen<'a>>) -> Ticket<'a> {
    // Rows from before there were webhooks without a read-back say nothing of it.
    let told = decided.map(|d| d.basis).or(seen.map(|s| s.basis));
    Ticket {
        system: &record.connection,
        number: &record.ticket_number,
        id: &record.ticket_id,
        url: record.ticket_url.as_deref(),
        snapshot_digest: record.snapshot_digest.as_deref(),
        basis: told.map(|basis| basis.map_or_else(|| literal("\"read-back\""), Cow::Borrowed)),
        snapshot: None,
    }
}

/// JSON text of ours.
fn literal(text: &'static str) -> Cow<'static, RawValue> {
    serde_json::from_str(text).map_or(Cow::Borrowed(RawValue::NULL), Cow::Borrowed)
}

fn approval<'a>(decided: &KeptDecision<'a>) -> Approval<'a> {
    Approval { id: decided.approval, approved_at: decided.approved_at, approvers: decided.approvers }
}

fn decision<'a>(record: &'a Record, decided: Option<&KeptDecision<'a>>) -> Option<Decision<'a>> {
    let reasons = raw(record.reasons.as_ref());
    if decided.is_none() && reasons.is_none() {
        return None;
    }
    Some(Decision {
        decided_at: decided.map_or(Moment::Read(record.updated_at.to_jiff()), |d| Moment::Kept(d.decided_at)),
        duration: decided.and_then(|d| d.duration),
        bound_by: decided.and_then(|d| d.bound_by),
        catalog_version: decided.and_then(|d| d.catalog_version),
        snapshot_digest: decided.and_then(|d| d.snapshot_digest),
        reasons: reasons.map_or_else(|| literal("[]"), Cow::Borrowed),
    })
}

fn end(record: &Record) -> Result<Option<End<'_>>, Problem> {
    let Some(order) = read::<KeptOrder<'_>>(record.end_order.as_ref())? else { return Ok(None) };
    Ok(Some(End {
        cause: order.cause,
        ordered_at: order.ordered_at,
        ordered_by: order.actor,
        reason: order.reason,
        confirmed_at: order.confirmed_at,
        lag_seconds: lag_seconds(record, &order),
        continued_by: order.continued_by.map_or_else(|| literal("[]"), Cow::Borrowed),
        next_look_at: record.due_at.filter(|_| record.state == Status::Ending.as_str()).map(Column::to_jiff),
    }))
}

/// From the moment it was to end until the end was proved.
fn lag_seconds(record: &Record, order: &KeptOrder<'_>) -> Option<i64> {
    let confirmed = moment(order.confirmed_at?)?;
    let own_end = || serde_json::from_str::<Ends>(raw(record.assignment.as_ref())?.get()).ok();
    let from = if order.cause == "expired" { own_end().map(|ends| ends.ends_at) } else { None };
    let from = from.or_else(|| moment(order.ordered_at))?;
    Some(confirmed.duration_since(from).as_secs())
}

fn moment(value: &RawValue) -> Option<Timestamp> {
    serde_json::from_str(value.get()).ok()
}

fn hold(record: &Record) -> Result<Option<Hold<'_>>, Problem> {
    let held = read::<Held<'_>>(record.hold.as_ref())?;
    let next_look_at = record.due_at.map(Column::to_jiff);
    Ok(held.map(|held| Hold { reason: held.code, detail: held.detail, next_look_at }))
}

fn holder(holder: &HolderRecord) -> Holder<'_> {
    Holder {
        request: holder.request,
        ticket: &holder.ticket_number,
        status: &holder.state,
        starts_at: holder.starts_at,
        ends_at: holder.ends_at,
    }
}

fn note(note: &NoteRecord) -> Note<'_> {
    Note {
        step: &note.step,
        text: &note.text,
        created_at: note.created_at,
        written_at: note.written_at,
        tries: note.tries,
        last_error: note.last_error.as_deref(),
    }
}
