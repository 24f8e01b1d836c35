//! A request as the API writes it. What is not known yet is null, never guessed.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as Column;
use serde_json::{Value, json};

use crate::{
    domain::{attempt::Attempt, ticket::Basis},
    store::history::{Dossier, HolderRecord, NoteRecord, Record},
};

/// A request as lists show it.
pub(super) fn summary(record: &Record) -> Value {
    let decision = record.decision.as_ref();
    json!({
        "id": record.id,
        "tenant": record.tenant,
        "connection": record.connection,
        "status": record.state,
        "received_at": record.received_at.to_jiff(),
        "updated_at": record.updated_at.to_jiff(),
        "ticket": ticket(record),
        "principal": decision.map(|d| d["principal"].clone()),
        "entitlement": decision.map(|d| d["entitlement"].clone()),
        "requested_duration": requested(record),
        "approval": decision.map(approval),
        "decision": decided(record),
        "dry_run": decision.map(|d| d.get("dry_run") == Some(&json!(true))),
        "assignment": record.assignment,
        "end": end(record),
        "failure": record.failure,
        "hold": hold(record),
    })
}

/// A request with its ticket snapshot, attempts, notes and timeline.
pub(super) fn whole(dossier: &Dossier) -> Value {
    let record = &dossier.record;
    let mut document = summary(record);
    document["ticket"]["snapshot"] = json!(record.snapshot);
    document["attempts"] = dossier.attempts.iter().map(attempt).collect();
    document["notes"] = dossier.notes.iter().map(note).collect();
    document["timeline"] = json!(dossier.timeline);
    document["holders"] = dossier.holders.iter().map(holder).collect();
    document
}

fn ticket(record: &Record) -> Value {
    json!({
        "system": record.connection,
        "number": record.ticket_number,
        "id": record.ticket_id,
        "url": record.ticket_url,
        "snapshot_digest": record.snapshot_digest,
        "basis": basis(record),
    })
}

/// Whether the ticket was read back from its system or rests on a signed webhook's word.
fn basis(record: &Record) -> Option<Value> {
    let known = [record.decision.as_ref(), record.snapshot.as_ref()];
    let known = known.into_iter().flatten().next()?;
    Some(known.get("basis").cloned().unwrap_or_else(|| json!(Basis::ReadBack)))
}

/// What the ticket asked for: as decided on, or as the snapshot has it.
fn requested(record: &Record) -> Value {
    let decided = record.decision.as_ref().map(|d| d["requested"].clone());
    let written = || record.snapshot.as_ref().and_then(|s| s.pointer("/duration/text").cloned());
    decided.or_else(written).unwrap_or(Value::Null)
}

fn approval(decision: &Value) -> Value {
    json!({ "id": decision["approval"], "approved_at": decision["approved_at"], "approvers": decision["approvers"] })
}

/// The decision either way: with a duration and what bound it, or with every reason why not.
fn decided(record: &Record) -> Value {
    let decision = record.decision.as_ref();
    if decision.is_none() && record.reasons.is_none() {
        return Value::Null;
    }
    let part = |name: &str| decision.map_or(Value::Null, |d| d[name].clone());
    let refused_at = || json!(record.updated_at.to_jiff());
    json!({
        "decided_at": decision.map_or_else(refused_at, |d| d["decided_at"].clone()),
        "duration": part("duration"),
        "bound_by": part("bound_by"),
        "catalog_version": part("catalog_version"),
        "snapshot_digest": part("snapshot_digest"),
        "reasons": record.reasons.clone().unwrap_or_else(|| json!([])),
    })
}

fn end(record: &Record) -> Value {
    let Some(order) = &record.end_order else { return Value::Null };
    json!({
        "cause": order["cause"],
        "ordered_at": order["ordered_at"],
        "ordered_by": order["actor"],
        "reason": order["reason"],
        "confirmed_at": order["confirmed_at"],
        "lag_seconds": lag_seconds(record, order),
        "continued_by": order.get("continued_by").cloned().unwrap_or_else(|| json!([])),
        "next_look_at": (record.state == "ending").then_some(record.due_at).flatten().map(Column::to_jiff),
    })
}

/// From the moment it was to end until the end was proved.
fn lag_seconds(record: &Record, order: &Value) -> Option<i64> {
    let confirmed = moment(&order["confirmed_at"])?;
    let own_end = || record.assignment.as_ref().and_then(|a| moment(&a["ends_at"]));
    let from = if order["cause"] == "expired" { own_end() } else { None };
    let from = from.or_else(|| moment(&order["ordered_at"]))?;
    Some(confirmed.duration_since(from).as_secs())
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn hold(record: &Record) -> Value {
    let Some(hold) = &record.hold else { return Value::Null };
    json!({ "reason": hold["code"], "detail": hold["detail"], "next_look_at": record.due_at.map(Column::to_jiff) })
}

fn attempt(attempt: &Attempt) -> Value {
    json!(attempt)
}

/// Another request that held the same assignment at the same time.
fn holder(holder: &HolderRecord) -> Value {
    json!({
        "request": holder.request,
        "ticket": holder.ticket_number,
        "status": holder.state,
        "starts_at": holder.starts_at,
        "ends_at": holder.ends_at,
    })
}

fn note(note: &NoteRecord) -> Value {
    json!({
        "step": note.step,
        "text": note.text,
        "created_at": note.created_at,
        "written_at": note.written_at,
        "tries": note.tries,
        "last_error": note.last_error,
    })
}
