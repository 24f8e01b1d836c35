//! The folder's one sender: base URL, credential and the line in the log, for every call.
//!
//! A call is sent once. What comes back is sorted here (`contracts/tickets.md` H8): an answer of success, or one whose
//! meaning only the vendor file knows (404: no such thing; 413: full), goes back to it; everything else is a
//! [`TicketError`]. For a call that changes something, whatever is not definite is an unknown outcome.

use std::time::Duration as Elapsed;

use http::{Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::{
    circuit::{Circuit, Patience},
    error::TicketError,
    oauth::Login,
    settings::{ConnectionSettings, SignIn},
};
use crate::{
    clock::Clock,
    domain::{duration::Duration, id::ConnectionName},
    outbound::{Answer, Call, Fault, Wire},
};

/// No ticket system is believed that it wants to be left alone for longer.
const MAX_WAIT: Duration = Duration::hours(1);

/// Longer messages are cut: they are kept for people to read.
const MAX_DETAIL: usize = 300;

/// One connection's way to its ticket system.
#[derive(Debug)]
pub(super) struct Client {
    connection: ConnectionName,
    base: Url,
    login: Login,
    circuit: Circuit,
    wire: Wire,
    clock: Clock,
}

impl Client {
    pub(super) fn new(settings: &ConnectionSettings, wire: Wire, clock: Clock) -> Self {
        Self {
            connection: settings.common.name.clone(),
            base: settings.common.base_url.clone(),
            login: Login::new(settings.auth.clone()),
            circuit: Circuit::new(patience(settings)),
            wire,
            clock,
        }
    }

    /// Whether there is any way to sign in.
    pub(super) fn can_sign_in(&self) -> bool {
        self.login.is_possible()
    }

    /// Whether its credential was refused, and not taken since.
    pub(super) fn is_stopped(&self) -> bool {
        self.circuit.is_stopped()
    }

    /// Whether anything may be begun now: the credential is not known to be broken, or it is time to try it again. Gives the
    /// moment, for [`Client::accepted`].
    pub(super) fn admit(&self) -> Result<Elapsed, TicketError> {
        let now = self.clock.monotonic();
        self.circuit.admit(now).map(|()| now)
    }

    /// What was begun then was carried through, or refused for another reason, so the credential works.
    pub(super) fn accepted(&self, began: Elapsed) {
        self.circuit.accepted(began);
    }

    /// Sends the call once. One that changes something is not sent after this time of [`Clock::monotonic`], compared as the
    /// last thing before, so that neither a long sign-in nor a stopped process makes it late.
    pub(super) async fn send(&self, call: &Call, change_not_after: Elapsed) -> Result<Answer, TicketError> {
        let credential = match self.login.credential(&self.wire, &self.clock).await {
            Err(TicketError::Credential) => return Err(self.circuit.refused(self.clock.monotonic())),
            credential => credential?,
        };
        let started = self.clock.monotonic();
        if changes_something(call) && started > change_not_after {
            return Err(TicketError::Unavailable { reason: "too late to change anything".to_owned(), after: None });
        }
        let outcome = self.wire.send(&self.base, call, &credential).await;
        self.log(call, self.clock.monotonic().saturating_sub(started), &outcome);
        let sorted = sort(call, outcome, self.clock.now());
        if matches!(sorted, Err(TicketError::Credential)) {
            if !self.login.forget(&credential).await {
                let reason = "a token that has been replaced since was refused".to_owned();
                return Err(TicketError::Unavailable { reason, after: None });
            }
            return Err(self.circuit.refused(self.clock.monotonic()));
        }
        sorted
    }

    /// One line for each call; neither headers, query values nor bodies.
    fn log(&self, call: &Call, elapsed: Elapsed, outcome: &Result<Answer, Fault>) {
        let (status, fault) = match outcome {
            Ok(answer) => (Some(answer.status.as_u16()), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        tracing::info!(
            connection = %self.connection,
            method = %call.method,
            path = call.path,
            status,
            fault,
            elapsed_ms = elapsed.as_millis(),
            "called the ticket system"
        );
    }
}

/// A token may be revoked before its time: then a fresh one is tried first.
fn patience(settings: &ConnectionSettings) -> Patience {
    let own = settings.system.patience();
    match settings.auth {
        SignIn::OauthClient { .. } => Patience { refusals: own.refusals.max(2), ..own },
        SignIn::Fixed(_) => own,
    }
}

/// What came of a call.
fn sort(call: &Call, outcome: Result<Answer, Fault>, now: Timestamp) -> Result<Answer, TicketError> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(Fault::NotSent(reason)) => return Err(TicketError::Unavailable { reason, after: None }),
        Err(Fault::AnswerLost(reason)) => return Err(unclear(call, reason, None)),
    };
    let after = answer.retry_after(now).map(|after| after.min(MAX_WAIT));
    let status = answer.status;
    match status {
        StatusCode::NOT_FOUND if answer.json().is_err() => Err(TicketError::bad("404 that is no JSON")),
        StatusCode::NOT_FOUND => Ok(answer),
        StatusCode::PAYLOAD_TOO_LARGE if changes_something(call) => Ok(answer),
        _ if status.is_success() && is_page(&answer) => Err(unclear(call, format!("a page with {status}"), after)),
        _ if status.is_success() => Ok(answer),
        StatusCode::UNAUTHORIZED => Err(TicketError::Credential),
        StatusCode::FORBIDDEN => Err(TicketError::NotPermitted { detail: detail(&answer) }),
        StatusCode::TOO_MANY_REQUESTS => Err(TicketError::Throttled { after }),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Err(unclear(call, status.to_string(), after)),
        _ if status.is_server_error() => Err(unclear(call, status.to_string(), after)),
        _ if status.is_client_error() => {
            Err(TicketError::CallRefused { status: status.as_u16(), detail: detail(&answer) })
        }
        _ => Err(TicketError::bad(status.to_string())),
    }
}

/// No definite answer: a read has failed, a write may have been carried out.
fn unclear(call: &Call, reason: String, after: Option<Duration>) -> TicketError {
    if changes_something(call) {
        TicketError::OutcomeUnknown { reason, after }
    } else {
        TicketError::Unavailable { reason, after }
    }
}

fn changes_something(call: &Call) -> bool {
    call.method != Method::GET
}

/// Proxies and sign-in pages answer HTML, some with status 200.
fn is_page(answer: &Answer) -> bool {
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().contains("html") || answer.body.trim_ascii_start().starts_with(b"<")
}

/// What the answer says, on one line: every text of its JSON, since the first is not always the true one
/// (`contracts/tickets.md` A7).
fn detail(answer: &Answer) -> String {
    let mut texts = Vec::new();
    if let Ok(body) = answer.json() {
        collect(None, &body, &mut texts);
    }
    let text = if texts.is_empty() { answer.status.to_string() } else { texts.join("; ") };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL).collect()
}

fn collect(name: Option<&str>, value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(name.map_or_else(|| text.clone(), |name| format!("{name}: {text}"))),
        Value::Array(items) => items.iter().for_each(|item| collect(None, item, texts)),
        Value::Object(members) => members.iter().for_each(|(name, member)| collect(Some(name), member, texts)),
        _ => {}
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
