//! Access tokens by client credentials (`contracts/tickets.md` B4): fetched when first needed, kept until shortly before
//! they end, forgotten when the system refuses one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{error::TicketError, settings::SignIn};
use crate::{
    clock::Clock,
    outbound::{Answer, Credential, Fault, Wire},
};

/// A token is not used in its last minute.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// A failure is told to whoever asks within this time.
const FAILED_FOR: Duration = Duration::from_secs(5);

/// No system is believed to give tokens that live longer.
const LONGEST_SECONDS: u64 = 86_400;

/// How one connection signs in.
#[derive(Debug)]
pub(super) struct Login {
    sign_in: SignIn,
    token: Mutex<Kept>,
}

/// What came of the last fetch.
#[derive(Debug, Default)]
enum Kept {
    #[default]
    Nothing,
    Token(Token),
    /// Why there is none, and since when on the monotonic clock.
    Failed(TicketError, Duration),
}

#[derive(Debug)]
struct Token {
    text: SecretString,
    good_until: Timestamp,
}

impl Login {
    pub(super) fn new(sign_in: SignIn) -> Self {
        Self { sign_in, token: Mutex::default() }
    }

    /// Whether there is any way to sign in.
    pub(super) fn is_possible(&self) -> bool {
        !matches!(self.sign_in, SignIn::Fixed(Credential::Nobody))
    }

    /// What the next call is sent with. Callers wait for each other, so that one token is fetched and not many; while the
    /// token endpoint is in trouble they do not wait for it in turn.
    pub(super) async fn credential(&self, wire: &Wire, clock: &Clock) -> Result<Credential, TicketError> {
        let SignIn::OauthClient { client_id, secret, token_url } = &self.sign_in else {
            let SignIn::Fixed(credential) = &self.sign_in else { return Err(TicketError::Credential) };
            return Ok(credential.clone());
        };
        let mut kept = self.token.lock().await;
        match &*kept {
            Kept::Token(token) if clock.now() < token.good_until => return Ok(Credential::Bearer(token.text.clone())),
            Kept::Failed(why, at) if clock.monotonic().saturating_sub(*at) < FAILED_FOR => {
                return Err(TicketError::Unavailable { reason: format!("{why}, a moment ago"), after: None });
            }
            _ => {}
        }
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_secret", secret.expose_secret()),
        ];
        match read(wire.post_form(token_url.clone(), &pairs).await, clock.now()) {
            Ok(token) => {
                let credential = Credential::Bearer(token.text.clone());
                *kept = Kept::Token(token);
                Ok(credential)
            }
            Err(error) => {
                *kept = Kept::Failed(error.clone(), clock.monotonic());
                Err(error)
            }
        }
    }

    /// The system refused this: the next call fetches anew. `false`: somebody has already, and it says nothing about what
    /// is in use by now.
    pub(super) async fn forget(&self, refused: &Credential) -> bool {
        let SignIn::OauthClient { .. } = self.sign_in else { return true };
        let mut kept = self.token.lock().await;
        let (Kept::Token(token), Credential::Bearer(refused)) = (&*kept, refused) else { return false };
        let current = token.text.expose_secret() == refused.expose_secret();
        if current {
            *kept = Kept::Nothing;
        }
        current
    }
}

/// The token in an answer. Its text is never part of an error.
fn read(outcome: Result<Answer, Fault>, now: Timestamp) -> Result<Token, TicketError> {
    let unavailable =
        |reason: String| TicketError::Unavailable { reason: format!("no access token: {reason}"), after: None };
    let answer = outcome.map_err(|fault| unavailable(fault.to_string()))?;
    match answer.status.as_u16() {
        200 => {}
        400 | 401 | 403 => return Err(TicketError::Credential),
        _ => return Err(unavailable(answer.status.to_string())),
    }
    let token = answer.bearer_token().filter(|(_, seconds)| (1..=LONGEST_SECONDS).contains(seconds));
    let (text, lifetime) = token.ok_or_else(|| TicketError::bad("a token answer that cannot be used"))?;
    let lifetime = SignedDuration::from_secs(i64::try_from(lifetime).unwrap_or(0));
    Ok(Token { text, good_until: now + lifetime - MARGIN })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn token(status: u16, body: &str) -> Result<Token, TicketError> {
        let status = StatusCode::from_u16(status).expect("a status");
        read(Ok(Answer { status, headers: HeaderMap::new(), body: body.into() }), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_token_is_kept_until_a_minute_before_it_ends() {
        let good = r#"{"access_token":"abc","scope":"useraccount","token_type":"Bearer","expires_in":1799}"#;
        let token = token(200, good).expect("a token");
        assert_eq!((token.text.expose_secret(), token.good_until.as_second()), ("abc", 1739));
    }

    #[test]
    fn anything_else_is_no_token_and_shows_none() {
        for (status, body, code) in [
            (401, "{}", "ticket-credential"),
            (400, r#"{"error":"invalid_client"}"#, "ticket-credential"),
            (500, "", "ticket-unavailable"),
            (200, "<html>", "ticket-bad-answer"),
            (200, r#"{"access_token":"hidden","token_type":"mac","expires_in":1799}"#, "ticket-bad-answer"),
            (200, r#"{"access_token":"hidden","token_type":"Bearer","expires_in":"1799"}"#, "ticket-bad-answer"),
            (200, r#"{"access_token":"hidden\r\nx: y","token_type":"Bearer","expires_in":1799}"#, "ticket-bad-answer"),
            (200, r#"{"access_token":"","token_type":"Bearer","expires_in":1799}"#, "ticket-bad-answer"),
        ] {
            let error = token(status, body).expect_err(body);
            assert_eq!(error.code(), code, "{body}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}
