//! What a delivery of Jira hints at: an issue, and whether it was approved or otherwise changed.
//!
//! Three kinds of body arrive (`contracts/tickets.md` A3, A5): webhooks, which name their event; the custom data
//! `stint.approval.v1` of an Automation rule; and an Automation rule's bare issue. Members stint does not know are
//! passed over.

use serde_json::Value;

use super::{
    super::{Heard, NotHeard, VerifiedBody},
    ApprovalMode, Jira, shape,
};
use crate::{
    domain::{
        id::{ApprovalId, TicketId, TicketNumber},
        ticket::{Hint, HintEvent},
    },
    json,
};

/// The custom data that stint asks Automation rules to send.
const CUSTOM_DATA: &str = "stint.approval.v1";

/// Longer names of events are cut where they are recorded.
const MAX_NAME: usize = 60;

/// A delivery, before its issue is looked at.
struct Said<'a> {
    issue: Option<&'a Value>,
    event: HintEvent,
    approval: Option<String>,
    /// The whole body.
    body: &'a Value,
}

pub(super) fn hear(jira: &Jira, body: &VerifiedBody) -> Result<Heard, NotHeard> {
    let body = json::parse(body.bytes()).map_err(|fault| malformed(&fault))?;
    json::object(&body, "").map_err(|fault| malformed(&fault))?;
    match sort(jira, &body).map_err(|fault| malformed(&fault))? {
        Ok(said) => hint(jira, said),
        Err(why) => Ok(Heard::Ignored(why)),
    }
}

fn malformed(fault: &json::Fault) -> NotHeard {
    NotHeard::Malformed(fault.to_string())
}

/// What kind of body this is; the inner error says why it is nothing for stint.
fn sort<'a>(jira: &Jira, body: &'a Value) -> Result<Result<Said<'a>, String>, json::Fault> {
    if let Some(event) = json::optional_text(body, "/webhookEvent")? {
        return Ok(webhook(jira, body, event));
    }
    match json::optional_text(body, "/schema")? {
        Some(CUSTOM_DATA) => custom_data(jira, body).map(Ok),
        Some(other) => Ok(Err(format!("the schema {}", name(other)))),
        None => Ok(Ok(bare_issue(jira, body))),
    }
}

fn webhook<'a>(jira: &Jira, body: &'a Value, event: &str) -> Result<Said<'a>, String> {
    let of = |event, approval| Ok(Said { issue: body.get("issue"), event, approval, body });
    match event {
        "jira:issue_updated" if is_only_a_comment(body) => Err("a comment".into()),
        "jira:issue_updated" if enters_approved(jira, body) => of(HintEvent::Approved, transition(jira, body)),
        // An issue may be created in an approved status, which nobody approved.
        "jira:issue_updated" | "jira:issue_created" | "jira:issue_deleted" => of(HintEvent::Changed, None),
        other => Err(format!("the event {}", name(other))),
    }
}

fn custom_data<'a>(jira: &Jira, body: &'a Value) -> Result<Said<'a>, json::Fault> {
    let approved = json::text(body, "/event")? == "approval.approved";
    let event = if approved { HintEvent::Approved } else { HintEvent::Changed };
    // A rule cannot know the changelog's id, which is the approval's where Service Management is not used.
    let round = body.pointer("/approval/id").filter(|_| jira.own.approval == ApprovalMode::Jsm);
    Ok(Said { issue: body.get("issue"), event, approval: shape::id(round), body })
}

/// Automation sends the issue at the root, or, from Service Management, beside its event's members.
fn bare_issue<'a>(jira: &Jira, body: &'a Value) -> Said<'a> {
    let issue = body.get("issue").unwrap_or(body);
    let status = shape::id(issue.pointer("/fields/status/id"));
    let approved = status.is_some_and(|status| jira.is_approved(&status));
    let event = if approved { HintEvent::Approved } else { HintEvent::Changed };
    Said { issue: Some(issue), event, approval: None, body }
}

fn hint(jira: &Jira, said: Said<'_>) -> Result<Heard, NotHeard> {
    let not = |what: &str| NotHeard::NotATicket(format!("the delivery has no {what}"));
    let issue = said.issue.ok_or_else(|| not("issue"))?;
    let id = shape::id(issue.get("id")).ok_or_else(|| not("issue id of digits"))?;
    let key = issue.get("key").and_then(Value::as_str).filter(|key| shape::project_of(key).is_some());
    let key = key.ok_or_else(|| not("issue key such as ITSEC-482"))?;
    if !jira.is_ours(key) && !left_us(jira, said.body) {
        return Ok(Heard::Ignored(format!("{key} is not for this connection")));
    }
    let approval = said.approval.or_else(|| newest_round(jira, issue));
    Ok(Heard::Hint(Hint {
        ticket: TicketId::new(id),
        number: TicketNumber::new(key),
        event: said.event,
        approval: approval.map(ApprovalId::new),
        told: None,
    }))
}

fn items(body: &Value) -> &[Value] {
    json::array(body, "/changelog/items").unwrap_or_default()
}

fn enters_approved(jira: &Jira, body: &Value) -> bool {
    items(body).iter().any(|item| jira.enters_approved(item))
}

/// Some sites send an update for each comment, stint's own notes included; very old ones do not name the kind of update.
fn is_only_a_comment(body: &Value) -> bool {
    let comment = match body.get("issue_event_type_name").and_then(Value::as_str) {
        Some(kind) => kind.starts_with("issue_comment"),
        None => body.get("comment").is_some_and(Value::is_object),
    };
    comment && items(body).is_empty()
}

/// Whether an issue was moved away from where stint may act: a request resting on it must hear of that.
fn left_us(jira: &Jira, body: &Value) -> bool {
    let was_ours = |item: &Value| item.get("fromString").and_then(Value::as_str).is_some_and(|key| jira.is_ours(key));
    items(body).iter().any(|item| (shape::is_about(item, "issuekey") || shape::is_about(item, "key")) && was_ours(item))
}

/// Without Service Management the change of status is the approval, and the changelog's id is the approval's.
fn transition(jira: &Jira, body: &Value) -> Option<String> {
    let stands_alone = jira.own.approval == ApprovalMode::StatusTransition;
    stands_alone.then(|| shape::id(body.pointer("/changelog/id"))).flatten()
}

/// The newest approval round that any field of the issue embeds.
fn newest_round(jira: &Jira, issue: &Value) -> Option<String> {
    if jira.own.approval != ApprovalMode::Jsm {
        return None;
    }
    let fields = issue.get("fields")?.as_object()?;
    let rounds = fields.values().filter_map(Value::as_array).flatten().filter(|row| row.get("finalDecision").is_some());
    let dated =
        rounds.filter_map(|row| Some((shape::desk_moment(row.get("createdDate")?)?, shape::id(row.get("id"))?)));
    let newest = dated.max_by(|(at, id), (other_at, other)| at.cmp(other_at).then(shape::by_number(id, other)));
    newest.map(|(_, id)| id)
}

/// A name from outside, fit to be recorded.
fn name(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(MAX_NAME).collect()
}

#[cfg(test)]
#[path = "hint_tests.rs"]
mod tests;
