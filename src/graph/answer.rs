//! What PIM's answer to a write means: definite yes, definite no, go and look, or nobody knows.
//!
//! Pure. Only a 201 that echoes what was asked is a yes (for a cancellation: 204). Only a known code under 400, 401,
//! 403 or 404, a 429, or a call that never left is a no. Everything else is unclear, and unclear is answered by
//! looking, never by repeating (`contracts/graph.md` §6.1 and §7.2).

use jiff::Timestamp;
use serde_json::Value;

use super::error::{ErrorBody, GraphError, is_unknown_to_pim_yet};
use crate::{
    domain::assignment::{Answer, Progress, ScheduleAction, ScheduleRequest},
    json, outbound,
};

/// Refusals for good, whoever asks (`contracts/graph.md` §6.1).
const TERMINAL: &[&str] = &[
    "ActiveDurationTooShort",
    "Authorization_RequestDenied",
    "BadRequest",
    "InsufficientPermissions",
    "InvalidScope",
    "Request_BadRequest",
    "ResourceIsLocked",
    "RoleAssignmentRequestAcrsValidationFailed",
    "UnauthorizedAccessException",
];

/// Why a write has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It was not let through.
    Stopped(GraphError),
    /// There was no token to send it with.
    NoToken(GraphError),
    /// The time to send it had passed.
    TooLate,
    /// It was handed to the network.
    Fault(outbound::Fault),
}

/// What it means to have no answer: only a call that may have left is unclear.
pub(super) fn to_silence(silence: Unanswered) -> Answer {
    match silence {
        Unanswered::Stopped(GraphError::Throttled { after }) => Answer::Throttled { after },
        Unanswered::NoToken(GraphError::Credential { code, detail }) => Answer::TenantRefused { code, detail },
        Unanswered::Stopped(error) | Unanswered::NoToken(error) => not_sent(error.to_string()),
        Unanswered::TooLate => not_sent("too late to send"),
        Unanswered::Fault(fault @ outbound::Fault::NotSent(_)) => not_sent(fault.to_string()),
        Unanswered::Fault(fault @ outbound::Fault::AnswerLost(_)) => unclear(fault.to_string()),
    }
}

/// What the answer to an assignment or a removal means. `read` reads a schedule request of the holding that was asked
/// for, and gives `None` for any other. What was only validated is no yes to an order that was meant.
pub(super) fn to_write(
    (asked, only_validate): (ScheduleAction, bool),
    answer: &outbound::Answer,
    now: Timestamp,
    read: impl FnOnce(&Value) -> Result<Option<ScheduleRequest>, json::Fault>,
) -> Answer {
    // Which of the two says yes to a validation is not documented (§2.6).
    let yes = |status| status == 201 || (only_validate && status == 200);
    if !yes(answer.status.as_u16()) {
        return otherwise(asked, answer, now);
    }
    match answer.json().and_then(|body| read(&body)) {
        Ok(Some(request)) if request.action == asked && request.only_validated == only_validate => {
            Answer::Accepted(request)
        }
        Ok(_) => unclear("status 201 about something else than was asked"),
        Err(fault) => unclear(format!("status 201, but {fault}")),
    }
}

/// What the answer to a cancellation means. A yes carries no document, so what stands in for it says only that this
/// schedule request is over (`contracts/graph.md` §2.1).
pub(super) fn to_cancel(schedule_request_id: &str, answer: &outbound::Answer, now: Timestamp) -> Answer {
    // Only the state of the schedule request makes a cancellation a bad request (§2.1): look which it is.
    match (answer.status.as_u16(), ErrorBody::read(answer)) {
        (204, _) => stand_in(schedule_request_id, Progress::Over, "Canceled"),
        (400, Some(ErrorBody { code, .. })) => Answer::Look { code },
        _ => otherwise(ScheduleAction::Other, answer, now),
    }
}

/// What the answer to revoking sign-in sessions means: 200 and `true`, or nothing to read at all, is a yes.
pub(super) fn to_sessions(answer: &outbound::Answer, now: Timestamp) -> Answer {
    let said = |answer: &outbound::Answer| answer.json().ok().and_then(|body| body.pointer("/value").cloned());
    match answer.status.as_u16() {
        204 => stand_in("", Progress::Revoked, "SessionsRevoked"),
        200 if said(answer) == Some(Value::Bool(true)) => stand_in("", Progress::Revoked, "SessionsRevoked"),
        200 => unclear("status 200 without a yes"),
        _ => otherwise(ScheduleAction::Other, answer, now),
    }
}

/// Stands in for the schedule request that a yes without one does not carry.
fn stand_in(id: &str, progress: Progress, status: &str) -> Answer {
    Answer::Accepted(ScheduleRequest {
        id: id.to_owned(),
        action: ScheduleAction::Other,
        progress,
        status: status.to_owned(),
        justification: None,
        schedule_id: None,
        created_at: None,
        only_validated: false,
    })
}

/// Every answer that is no yes.
fn otherwise(asked: ScheduleAction, answer: &outbound::Answer, now: Timestamp) -> Answer {
    let status = answer.status.as_u16();
    match (status, ErrorBody::read(answer)) {
        (429, _) => Answer::Throttled { after: answer.retry_after(now) },
        (409, Some(error)) => Answer::Look { code: if error.code.is_empty() { "Conflict".into() } else { error.code } },
        (400 | 401 | 403 | 404, Some(error)) => refused(asked, status, error),
        _ => unclear(format!("status {status}")),
    }
}

/// A refusal with an error document. Codes are compared as they are written.
fn refused(asked: ScheduleAction, status: u16, ErrorBody { code, detail }: ErrorBody) -> Answer {
    match code.as_str() {
        "RoleAssignmentExists" | "PendingRoleAssignmentRequest" | "RoleAssignmentDoesNotExist" => Answer::Look { code },
        "InvalidAuthenticationToken" => Answer::NotYet { code },
        known if is_unknown_to_pim_yet(known) => Answer::NotYet { code },
        "ActiveDurationTooShort" if asked != ScheduleAction::Assign => Answer::TooEarly,
        "AadPremiumLicenseRequired" | "PermissionScopeNotGranted" => Answer::TenantRefused { code, detail },
        "RoleAssignmentRequestPolicyValidationFailed" => {
            Answer::Refused { code: with_failed_rules(&code, &detail), detail }
        }
        known if TERMINAL.contains(&known) || known.starts_with("InvalidPolicy") => Answer::Refused { code, detail },
        _ => unclear(format!("status {status} with the unknown code {code:?}")),
    }
}

/// The code, then the policy rules that failed: Graph lists them only in the message, as a JSON array.
fn with_failed_rules(code: &str, message: &str) -> String {
    match failed_rules(message) {
        Some(rules) if !rules.is_empty() => format!("{code}:{}", rules.join(",")),
        _ => code.to_owned(),
    }
}

fn failed_rules(message: &str) -> Option<Vec<String>> {
    let (_, rest) = message.split_once('[')?;
    let (list, _) = rest.split_once(']')?;
    let list = json::parse(format!("[{list}]").as_bytes()).ok()?;
    let names = list.as_array()?.iter().filter_map(Value::as_str);
    let plain = names.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()));
    Some(plain.map(str::to_owned).collect())
}

pub(super) fn not_sent(reason: impl Into<String>) -> Answer {
    Answer::NotSent { reason: reason.into() }
}

fn unclear(reason: impl Into<String>) -> Answer {
    Answer::Unclear { reason: reason.into() }
}
