//! Tokens for Graph, one store for each identity of a tenant: kept until shortly before they end.
//!
//! Everybody who needs a token while it is being fetched waits for that one call and shares what came of it, for a
//! moment even a failure. Why this is written here rather than taken from `azure_identity` stands in `ARCHITECTURE.md`.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{
    assertion::CredentialFault,
    error::GraphError,
    login::Login,
    proof::Renewal,
    settings::{App, TenantSettings},
};
use crate::{clock::Clock, domain::id::TenantName, outbound::Wire};

/// A token is not used in the last minutes of its life.
const MARGIN: Duration = Duration::from_mins(5);

/// Whoever asks this soon after a failure is told of it instead of failing again.
const SHARED_FAILURE: Duration = Duration::from_secs(2);

/// As whom a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// stint's application, which may do everything that stint does.
    Main,
    /// The application that may only remove.
    Remover,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Main => "application",
            Self::Remover => "remover",
        })
    }
}

/// The tokens of one identity.
#[derive(Debug)]
pub(super) struct Tokens {
    tenant: TenantName,
    identity: Identity,
    client_id: String,
    wire: Wire,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    kept: Kept,
    login: Login,
}

/// What the last calls came to. Times are [`Clock::monotonic`]'s.
#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    /// The last call's failure, and until when whoever asks is told of it.
    failure: Option<(GraphError, Duration)>,
}

#[derive(Debug)]
struct Token {
    text: SecretString,
    /// From then on another one is fetched.
    refresh_from: Duration,
    /// Until then it is good where no other one is to be had.
    ends_at: Duration,
}

impl Tokens {
    /// The tokens of this application of the tenant; nobody is asked yet.
    pub(super) fn new(
        identity: Identity,
        app: App,
        settings: &TenantSettings,
        wire: Wire,
        clock: Clock,
    ) -> Result<Self, CredentialFault> {
        let client_id = app.client_id.clone();
        let login = Login::new(app, settings.tenant_id, &settings.graph_url, &settings.login_url)?;
        let state = Mutex::new(State { kept: Kept::default(), login });
        Ok(Self { tenant: settings.name.clone(), identity, client_id, wire, clock, state })
    }

    /// Whose they are, in words: `remover 5d0a7a4e-…`.
    pub(super) fn whose(&self) -> String {
        format!("{} {}", self.identity, self.client_id)
    }

    /// As whom calls with them are made.
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// A token that is good for a while: the kept one, or a new one; where none is to be had, the kept one until its end.
    pub(super) async fn bearer(&self) -> Result<SecretString, GraphError> {
        // Held while fetching, so that one call serves everybody who waits; a waiter that is dropped frees it.
        let mut state = self.state.lock().await;
        let asked_at = self.clock.monotonic();
        if let Some(known) = state.kept.at(asked_at) {
            return known;
        }
        match state.login.fetch(&self.wire, &self.clock, |renewal| self.log_renewal(&renewal)).await {
            Ok((text, lifetime)) => {
                let refresh_from = asked_at + lifetime.saturating_sub(MARGIN);
                let token = Token { text: text.clone(), refresh_from, ends_at: asked_at + lifetime };
                state.kept = Kept { token: Some(token), failure: None };
                Ok(text)
            }
            Err(error) => {
                let error = error.met_by(&self.whose());
                tracing::warn!(tenant = %self.tenant, identity = %self.identity, problem = %error, "no token");
                let now = self.clock.monotonic();
                state.kept.failure = Some((error.clone(), now + SHARED_FAILURE));
                state.kept.until_its_end(now).ok_or(error)
            }
        }
    }

    /// Drops this token, which Graph refused; a newer one stays.
    pub(super) async fn forget(&self, refused: &SecretString) {
        let mut state = self.state.lock().await;
        state.kept.token.take_if(|token| token.text.expose_secret() == refused.expose_secret());
    }

    fn log_renewal(&self, renewal: &Renewal) {
        let (tenant, identity) = (&self.tenant, self.identity);
        match renewal {
            Renewal::Same => {}
            Renewal::Replaced => tracing::info!(%tenant, %identity, "took up a new credential"),
            Renewal::Unusable(problem) => {
                tracing::warn!(%tenant, %identity, problem, "the new credential cannot be used; keeping the old one");
            }
        }
    }
}

impl Kept {
    /// What need not be asked for now.
    fn at(&self, now: Duration) -> Option<Result<SecretString, GraphError>> {
        if let Some(token) = self.token.as_ref().filter(|token| now < token.refresh_from) {
            return Some(Ok(token.text.clone()));
        }
        let (error, _) = self.failure.as_ref().filter(|(_, until)| now < *until)?;
        Some(self.until_its_end(now).ok_or_else(|| error.clone()))
    }

    fn until_its_end(&self, now: Duration) -> Option<SecretString> {
        let token = self.token.as_ref().filter(|token| now < token.ends_at)?;
        Some(token.text.clone())
    }
}
