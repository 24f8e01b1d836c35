//! Reading an issue back: the issue, its whole changelog, and its approval rounds (`contracts/tickets.md` H3).
//!
//! The issue is read before its changelog, so that an edit in between shows as an edit. Answers must be about the issue
//! that was asked for; a list must be complete.

use std::cmp::Ordering;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{Step, TicketError},
    ApprovalMode, Deployment, Jira, document, get,
    list::{Listing, Rows, changes},
    shape,
};
use crate::{
    domain::{
        approval::{Approval, Outcome, Vote},
        id::{ApprovalId, TicketId, TicketNumber},
        ticket::{Basis, Reading, Standing, Ticket},
    },
    json,
    outbound::Answer,
};

/// What every reading asks for besides the mapped fields.
const FIELDS: [&str; 5] = ["status", "reporter", "creator", "issuetype", "project"];

pub(super) fn read(jira: &Jira, ticket: &TicketId, so_far: &[Answer]) -> Result<Step<Reading>, TicketError> {
    let deployment = jira.own.deployment;
    let Some((first, rest)) = so_far.split_first() else {
        return Ok(Step::Send(get(deployment.issue(ticket), &[("fields", &fields(jira).join(","))])));
    };
    if first.status == StatusCode::NOT_FOUND {
        return absent(deployment, rest);
    }
    let issue = Issue::from(document(first)?, ticket)?;
    let (changes, rest) = match changes(deployment, &issue, rest)? {
        Rows::Next(call) => return Ok(Step::Send(call)),
        Rows::All(changes, rest) => (changes, rest),
    };
    let approvals = match jira.own.approval {
        ApprovalMode::StatusTransition => match rest.first() {
            None => return Ok(Step::Send(deployment.myself())),
            Some(answer) => signed_in(deployment, answer).and_then(|()| transition(jira, &changes))?,
        },
        ApprovalMode::Jsm => match rounds(&issue, ticket, rest)? {
            Rows::Next(call) => return Ok(Step::Send(call)),
            Rows::All(rounds, _) => sorted(deployment, &rounds)?,
        },
    };
    Ok(Step::Done(Reading::Found(Box::new(found(jira, &issue, &changes, approvals)?))))
}

/// A missing issue and one hidden from a lost credential look alike; who we are tells them apart.
fn absent(deployment: Deployment, rest: &[Answer]) -> Result<Step<Reading>, TicketError> {
    match rest.first() {
        None => Ok(Step::Send(deployment.myself())),
        Some(answer) => signed_in(deployment, answer).map(|()| Step::Done(Reading::Absent)),
    }
}

/// A public project shows its issues to anybody, without the e-mail addresses by which people are told to be one and
/// the same. Service Management shows approvals to nobody unknown; a reading without those must prove who reads.
fn signed_in(deployment: Deployment, answer: &Answer) -> Result<(), TicketError> {
    deployment.own_account(answer).map(|_| ())
}

fn fields(jira: &Jira) -> Vec<&str> {
    let mut fields: Vec<&str> = FIELDS.into_iter().chain(jira.fields.all()).collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// An answer that is about the issue asked for.
pub(super) struct Issue {
    id: String,
    key: String,
    body: Value,
}

impl Issue {
    pub(super) fn from(body: Value, ticket: &TicketId) -> Result<Self, TicketError> {
        let id = shape::id(body.get("id")).filter(|id| id == ticket.as_str());
        let id = id.ok_or_else(|| TicketError::bad("another issue than the one asked for"))?;
        let key = json::text(&body, "/key")?.to_owned();
        shape::project_of(&key).ok_or_else(|| json::not("/key", "an issue key"))?;
        json::object(&body, "/fields")?;
        Ok(Self { id, key, body })
    }

    pub(super) fn ticket(&self) -> TicketId {
        TicketId::new(&self.id)
    }

    /// Whether a page of a list says that it is about another issue.
    pub(super) fn is_foreign(&self, page: &Value) -> bool {
        self.contradicts(page.get("self"), "/issue/") || self.contradicts(page.pointer("/_links/self"), "/request/")
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.body.get("fields")?.get(name)
    }

    /// Whether a link, such as `…/issue/10482/changelog`, speaks of another issue.
    fn contradicts(&self, link: Option<&Value>, kind: &str) -> bool {
        let link = link.and_then(Value::as_str).unwrap_or_default();
        let named = link.split_once(kind).and_then(|(_, rest)| rest.split(['/', '?']).next());
        named.is_some_and(|named| named != self.id && named != self.key)
    }
}

/// The approval rounds of an issue that is also a request of Service Management.
fn rounds<'a>(issue: &Issue, ticket: &TicketId, answers: &'a [Answer]) -> Result<Rows<'a>, TicketError> {
    if answers.iter().any(|answer| answer.status == StatusCode::NOT_FOUND) {
        let detail = format!("{} is no request of Service Management, or its approvals are hidden", issue.key);
        return Err(TicketError::NotPermitted { detail });
    }
    let rows = Listing::rounds(ticket).rows(Some(issue), answers)?;
    if let Rows::All(rounds, _) = &rows
        && rounds.iter().any(|round| issue.contradicts(round.pointer("/_links/self"), "/request/"))
    {
        return Err(TicketError::bad("approvals of another issue"));
    }
    Ok(rows)
}

fn found(jira: &Jira, issue: &Issue, changes: &[Value], approvals: Vec<Approval>) -> Result<Ticket, TicketError> {
    let names = &jira.fields;
    let field = |name: &str| shape::field(issue.field(name));
    let person = |name: &str| shape::account(jira.own.deployment, issue.field(name));
    Ok(Ticket {
        id: issue.ticket(),
        number: TicketNumber::new(&issue.key),
        url: jira.site.as_ref().map(|site| format!("{site}/browse/{}", issue.key)),
        in_scope: in_scope(jira, issue)?,
        standing: standing(jira, issue)?,
        requester: person("reporter"),
        creator: person("creator"),
        entitlement: field(&names.entitlement),
        principal: field(&names.principal),
        duration: field(&names.duration),
        tenant: names.tenant.as_deref().map(field),
        approvals,
        fields_changed_at: fields_changed_at(jira, changes)?,
        window: shape::window(names.window_start.as_deref().map(field), names.window_end.as_deref().map(field)),
        basis: Basis::ReadBack,
        time_zone: shape::time_zone(issue.field("reporter")),
    })
}

fn in_scope(jira: &Jira, issue: &Issue) -> Result<bool, TicketError> {
    let project = json::text(&issue.body, "/fields/project/key")?;
    Ok(shape::project_of(&issue.key) == Some(project) && jira.is_ours(&issue.key))
}

fn standing(jira: &Jira, issue: &Issue) -> Result<Standing, TicketError> {
    let status = shape::id(issue.body.pointer("/fields/status/id"));
    let status = status.ok_or_else(|| json::not("/fields/status/id", "an id"))?;
    let category = json::text(&issue.body, "/fields/status/statusCategory/key")?;
    Ok(if jira.own.withdrawn_statuses.contains(&status) {
        Standing::Closed
    } else if jira.is_approved(&status) {
        Standing::Approved
    } else if category == "done" {
        Standing::Closed
    } else {
        Standing::Open
    })
}

/// When anything the approval rests on last changed. The page's order is not relied on.
fn fields_changed_at(jira: &Jira, changes: &[Value]) -> Result<Option<Timestamp>, TicketError> {
    let watched: Vec<&str> = jira.fields.all().chain(["reporter", "project", "issuekey"]).collect();
    let mut newest = None;
    for change in changes {
        let items = json::array(change, "/items")?;
        if items.iter().any(|item| watched.iter().any(|field| shape::is_about(item, field))) {
            newest = newest.max(Some(created(change)?));
        }
    }
    Ok(newest)
}

fn created(change: &Value) -> Result<Timestamp, TicketError> {
    let moment = shape::moment(json::text(change, "/created")?);
    Ok(moment.ok_or_else(|| json::not("/created", "a time"))?)
}

/// The newest change into an approved status: without Service Management that is the approval, and its author the
/// approver.
fn transition(jira: &Jira, changes: &[Value]) -> Result<Vec<Approval>, TicketError> {
    let mut approvals = Vec::new();
    for change in changes {
        if json::array(change, "/items")?.iter().any(|item| jira.enters_approved(item)) {
            approvals.push(approval_by(jira.own.deployment, change)?);
        }
    }
    Ok(approvals.into_iter().max_by(by_age).into_iter().collect())
}

/// Of two opened at once the higher id is the newer.
fn by_age(a: &Approval, b: &Approval) -> Ordering {
    a.opened_at.cmp(&b.opened_at).then_with(|| shape::by_number(a.id.as_str(), b.id.as_str()))
}

fn approval_by(deployment: Deployment, change: &Value) -> Result<Approval, TicketError> {
    let id = shape::id(change.get("id")).ok_or_else(|| json::not("/id", "an id"))?;
    let at = created(change)?;
    let approver = shape::account(deployment, change.get("author"));
    Ok(Approval {
        id: ApprovalId::new(id),
        outcome: Outcome::Approved,
        opened_at: at,
        decided_at: Some(at),
        votes: vec![Vote { approver, outcome: Outcome::Approved, decided_at: Some(at) }],
        without_approver: false,
    })
}

/// All rounds, oldest first.
fn sorted(deployment: Deployment, rounds: &[Value]) -> Result<Vec<Approval>, TicketError> {
    let mut approvals = rounds.iter().map(|row| round(deployment, row)).collect::<Result<Vec<_>, _>>()?;
    approvals.sort_by(by_age);
    Ok(approvals)
}

fn round(deployment: Deployment, round: &Value) -> Result<Approval, TicketError> {
    let id = shape::id(round.get("id")).ok_or_else(|| json::not("/id", "an id"))?;
    let opened_at = round.get("createdDate").and_then(shape::desk_moment);
    let decided_at = match round.get("completedDate") {
        None | Some(Value::Null) => None,
        Some(date) => Some(shape::desk_moment(date).ok_or_else(|| json::not("/completedDate", "a time"))?),
    };
    Ok(Approval {
        id: ApprovalId::new(id),
        outcome: shape::outcome(round.get("finalDecision")),
        opened_at: opened_at.ok_or_else(|| json::not("/createdDate", "a time"))?,
        decided_at,
        votes: json::array(round, "/approvers")?.iter().map(|row| vote(deployment, row)).collect(),
        without_approver: false,
    })
}

fn vote(deployment: Deployment, vote: &Value) -> Vote {
    Vote {
        approver: shape::account(deployment, vote.get("approver")),
        outcome: shape::outcome(vote.get("approverDecision")),
        decided_at: None,
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
