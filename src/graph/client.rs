//! The folder's one sender: bearer token, `client-request-id`, limits and the line in the log, for every call.
//!
//! What changes nothing may be sent twice: after a refused token, an outage or a broken connection, once and at once;
//! the engine does any further waiting. What changes something is sent at most once, whatever comes back, and only
//! while its time to be sent lasts.

use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;
use uuid::Uuid;

use super::{
    answer::Unanswered,
    assertion::CredentialFault,
    error::{self, GraphError},
    gate::{Gate, Heard},
    part::Part,
    settings::{App, TenantSettings},
    token::{Identity, Tokens},
};
use crate::{
    clock::Clock,
    domain::id::TenantName,
    json,
    outbound::{Answer, Body, Call, Credential, Fault, Wire},
};

const VERSION: &str = "/v1.0";

/// PIM throttles early: at most so many calls at one time for each tenant (`contracts/graph.md` §8).
const READS_AT_ONCE: usize = 4;
const WRITES_AT_ONCE: usize = 2;

/// A longer list is an error: half a list must never be taken for the whole.
const MAX_PAGES: usize = 50;

/// The same for a list about everybody.
pub(super) const MAX_PAGES_OF_EVERYBODY: usize = 500;

/// One tenant's way to Graph.
#[derive(Debug)]
pub(super) struct Client {
    tenant: TenantName,
    base: Url,
    wire: Wire,
    clock: Clock,
    main: Tokens,
    remover: Option<Tokens>,
    gate: Gate,
    reads: Semaphore,
    writes: Semaphore,
}

impl Client {
    pub(super) fn new(settings: TenantSettings, wire: Wire, clock: Clock) -> Result<Self, CredentialFault> {
        let mut base = settings.graph_url.clone();
        base.set_path(VERSION);
        let app = App { client_id: settings.client_id.clone(), credential: settings.credential.clone() };
        let tokens = |identity, app| Tokens::new(identity, app, &settings, wire.clone(), clock.clone());
        let main = tokens(Identity::Main, app)?;
        let remover = settings.remover.clone().map(|app| tokens(Identity::Remover, app)).transpose()?;
        let gate = Gate::new(remover.is_some());
        let (reads, writes) = (Semaphore::new(READS_AT_ONCE), Semaphore::new(WRITES_AT_ONCE));
        Ok(Self { tenant: settings.name, base, wire, clock, main, remover, gate, reads, writes })
    }

    /// Makes sure that there is a token for this identity.
    pub(super) async fn sign_in(&self, by: Identity) -> Result<(), GraphError> {
        self.tokens(by).bearer().await.map(drop)
    }

    /// Whose calls these are, in words; `None` where the tenant has one identity only.
    pub(super) fn whose(&self, by: Identity) -> Option<String> {
        self.remover.as_ref().map(|_| self.tokens(by).whose())
    }

    /// The tokens of this identity. A tenant without a remover removes as what it is.
    fn tokens(&self, by: Identity) -> &Tokens {
        match (by, &self.remover) {
            (Identity::Remover, Some(remover)) => remover,
            _ => &self.main,
        }
    }

    /// The document that a call which changes nothing is answered with.
    pub(super) async fn read(&self, call: &Call) -> Result<Value, GraphError> {
        self.read_and_hear(call, Part::read_by(call), Heard::of_read).await
    }

    /// The same for what a target is made of, which stint may do without: that it is not shown stops nothing.
    pub(super) async fn read_if_shown(&self, call: &Call) -> Result<Value, GraphError> {
        self.read_and_hear(call, Part::OBJECTS, Heard::of_optional_read).await
    }

    async fn read_and_hear(
        &self,
        call: &Call,
        part: Part,
        hear: impl FnOnce(&Result<Value, GraphError>) -> Heard,
    ) -> Result<Value, GraphError> {
        // Asked before the queue too: who will not be let through holds no place in it.
        self.gate.check(part, self.clock.monotonic())?;
        let _permit = self.reads.acquire().await.ok();
        let began = self.clock.monotonic();
        self.gate.admit(part, began)?;
        let outcome = self.read_twice(call).await;
        self.heard(part, &hear(&outcome), began, Uuid::new_v4());
        outcome
    }

    async fn read_twice(&self, call: &Call) -> Result<Value, GraphError> {
        let mut outcome = self.read_once(call).await?;
        if is_worth_repeating(&outcome) {
            outcome = self.read_once(call).await?;
        }
        error::document(&outcome?, self.clock.now())
    }

    /// Whatever a call that changes nothing is answered with, a refusal too.
    pub(super) async fn ask(&self, call: &Call) -> Result<Answer, GraphError> {
        let _permit = self.reads.acquire().await.ok();
        Ok(self.read_once(call).await??)
    }

    /// All rows of a list, through all its pages.
    pub(super) async fn list(&self, first: Call) -> Result<Vec<Value>, GraphError> {
        let mut rows = Vec::new();
        let keep = |row: &Value| {
            rows.push(row.clone());
            Ok(())
        };
        self.each_row(first, MAX_PAGES, keep).await?;
        Ok(rows)
    }

    /// Shows each row of a list, one page in memory at a time. After an error nothing is known of the list.
    pub(super) async fn each_row(
        &self,
        first: Call,
        max_pages: usize,
        mut show: impl FnMut(&Value) -> Result<(), json::Fault>,
    ) -> Result<(), GraphError> {
        let mut next = Some(first);
        for _ in 0..max_pages {
            let Some(call) = next else { return Ok(()) };
            let page = self.read(&call).await?;
            json::array(&page, "/value")?.iter().try_for_each(&mut show)?;
            next = self.next_page(&page)?;
        }
        match next {
            None => Ok(()),
            Some(_) => Err(GraphError::bad(format!("a list of more than {max_pages} pages"))),
        }
    }

    /// Sends a call that changes something, once, as this identity, if that is still in time.
    ///
    /// `send_not_after` is compared with [`Clock::monotonic`] as the last thing before sending, so that neither a
    /// queue nor a slow token endpoint can delay the call past it.
    pub(super) async fn write(
        &self,
        by: Identity,
        call: &Call,
        call_id: Uuid,
        send_not_after: Duration,
    ) -> Result<Answer, Unanswered> {
        let part = Part::changed_by(call);
        self.gate.check(part, self.clock.monotonic()).map_err(Unanswered::Stopped)?;
        let _permit = self.writes.acquire().await.ok();
        let began = self.clock.monotonic();
        self.gate.admit(part, began).map_err(Unanswered::Stopped)?;
        let outcome = self.write_once(self.tokens(by), call, call_id, send_not_after).await;
        self.heard(part, &Heard::of_write(&outcome, self.clock.now()), began, call_id);
        outcome
    }

    async fn write_once(
        &self,
        tokens: &Tokens,
        call: &Call,
        call_id: Uuid,
        send_not_after: Duration,
    ) -> Result<Answer, Unanswered> {
        let token = tokens.bearer().await.map_err(Unanswered::NoToken)?;
        if self.clock.monotonic() > send_not_after {
            return Err(Unanswered::TooLate);
        }
        self.send(call, call_id, tokens, token).await.map_err(Unanswered::Fault)
    }

    /// What every call passes.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// An id is random where it ends: that scatters calls which were throttled together.
    fn heard(&self, part: Part, heard: &Heard, began: Duration, id: Uuid) {
        let [.., a, b, c] = *id.as_bytes();
        self.gate.heard(part, heard, began, self.clock.monotonic(), u32::from_be_bytes([0, a, b, c]));
    }

    /// The outer error is a missing token, which is not worth repeating here.
    async fn read_once(&self, call: &Call) -> Result<Result<Answer, Fault>, GraphError> {
        let token = self.main.bearer().await?;
        Ok(self.send(call, Uuid::new_v4(), &self.main, token).await)
    }

    /// A refused token is dropped, of the identity that was refused.
    async fn send(&self, call: &Call, call_id: Uuid, tokens: &Tokens, token: SecretString) -> Result<Answer, Fault> {
        let mut call = call.clone();
        call.headers.push(("client-request-id", call_id.to_string()));
        let started = self.clock.monotonic();
        let outcome = self.wire.send(&self.base, &call, &Credential::Bearer(token.clone())).await;
        self.log(tokens.identity(), &call, call_id, started, &outcome);
        if matches!(&outcome, Ok(answer) if answer.status == StatusCode::UNAUTHORIZED) {
            tokens.forget(&token).await;
        }
        outcome
    }

    /// One line for each call; neither tokens, queries nor bodies.
    fn log(&self, by: Identity, call: &Call, call_id: Uuid, started: Duration, outcome: &Result<Answer, Fault>) {
        let elapsed = self.clock.monotonic().saturating_sub(started);
        let path = call.path.split('?').next().unwrap_or_default();
        let (status, fault) = match outcome {
            Ok(answer) => (Some(answer.status.as_u16()), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        tracing::info!(
            tenant = %self.tenant,
            identity = %by,
            method = %call.method,
            path,
            status,
            fault,
            elapsed_ms = elapsed.as_millis(),
            client_request_id = %call_id,
            request_id = outcome.as_ref().ok().and_then(request_id),
            "called Graph"
        );
    }

    /// The call for the page after this one, exactly as Graph names it.
    fn next_page(&self, page: &Value) -> Result<Option<Call>, GraphError> {
        let link = json::optional_text(page, "/@odata.nextLink")?;
        link.map(|link| follow(&self.base, link)).transpose()
    }
}

/// Graph's own id for the call, from the answer's headers.
pub(super) fn request_id(answer: &Answer) -> Option<String> {
    let id = answer.headers.get("request-id")?.to_str().ok()?;
    Some(id.chars().take(64).collect())
}

/// After an outage that names no time to wait, a broken connection, or a refused token, which [`Client::send`] has
/// dropped by now.
fn is_worth_repeating(outcome: &Result<Answer, Fault>) -> bool {
    match outcome {
        Err(_) => true,
        Ok(answer) if answer.status.is_server_error() => !answer.headers.contains_key(http::header::RETRY_AFTER),
        Ok(answer) => answer.status == StatusCode::UNAUTHORIZED,
    }
}

/// A link is followed only to where calls go anyway: it carries a token there.
fn follow(base: &Url, link: &str) -> Result<Call, GraphError> {
    let foreign = || GraphError::bad("a next page outside the configured Graph");
    let url = Url::parse(link).map_err(|_| foreign())?;
    let path = url.path().strip_prefix(VERSION).filter(|path| path.starts_with('/'));
    let plain = url.username().is_empty() && url.password().is_none();
    match path {
        Some(path) if plain && url.origin() == base.origin() => Ok(Call {
            method: http::Method::GET,
            path: url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
            query: vec![],
            headers: vec![],
            body: Body::Empty,
        }),
        _ => Err(foreign()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_followed_verbatim_within_the_configured_graph_only() {
        let base = Url::parse("https://graph.example/v1.0").expect("url");
        let call = follow(&base, "https://graph.example/v1.0/users?$skiptoken=a+b%2Bc").expect("a page");
        assert_eq!((call.path.as_str(), call.query.len()), ("/users?$skiptoken=a+b%2Bc", 0));
        for link in [
            "https://evil.example/v1.0/users",
            "http://graph.example/v1.0/users",
            "https://graph.example:8443/v1.0/users",
            "https://graph.example/beta/users",
            "https://graph.example/v1.0/../beta/users",
            "https://graph.example/v1.0",
            "https://graph.example/v1.0evil/users",
            "https://graph.example@evil.example/v1.0/users",
            "https://evil@graph.example/v1.0/users",
            "/v1.0/users",
            "",
        ] {
            assert_eq!(follow(&base, link).map_err(|e| e.code()), Err("graph-bad-answer"), "{link}");
        }
    }
}
