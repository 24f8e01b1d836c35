//! Tokens for Graph: client credentials, by secret or certificate, kept until shortly before they end.
//!
//! Everybody who needs a token while it is being fetched waits for that one call and shares what came of it, for a
//! moment even a failure. This is written here rather than taken from `azure_identity` because that one refuses plain
//! http on loopback, sends and repeats calls on its own, and reads a clock that nobody can move.

use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

use super::{
    assertion::{CredentialFault, SigningCertificate},
    error::GraphError,
    settings::{AppCredential, TenantSettings},
};
use crate::{clock::Clock, json, outbound};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token is not used in the last minutes of its life.
const MARGIN: Duration = Duration::from_mins(5);

/// Whoever asks this soon after a failure is told of it instead of failing again.
const SHARED_FAILURE: Duration = Duration::from_secs(2);

/// Refusals that a fresh assertion may overcome, once (`contracts/graph.md` §9.1).
const REBUILD_ONCE: &[u64] = &[700_024, 700_027, 7_000_274];

/// Refusals that only a person can lift, in words of our own: Entra's may repeat what it was sent (§9.1).
const TERMINAL: &[(u64, &str)] = &[
    (7_000_215, "the client secret is wrong"),
    (7_000_222, "the client secret has expired"),
    (700_027, "the assertion's signature or key is not accepted"),
    (7_000_274, "the assertion's key is not known to Entra"),
    (700_024, "the assertion is outside its validity: check this machine's clock"),
    (1_000_502, "the certificate is outside its validity"),
    (7_000_214, "the certificate has been revoked"),
    (7_000_277, "the certificate has been revoked"),
    (700_016, "the application is not known in this tenant"),
    (7_000_112, "the application is disabled"),
    (70_011, "the scope is not valid"),
    (90_002, "the tenant does not exist"),
    (900_023, "the tenant id is malformed"),
    (70_021, "no federated credential matches"),
];

/// Where one tenant's tokens come from.
#[derive(Debug)]
pub(super) struct Tokens {
    address: Url,
    scope: String,
    client_id: String,
    proof: Proof,
    wire: outbound::Wire,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum Proof {
    Secret(SecretString),
    Certificate(SigningCertificate),
}

/// What the last call came to, and until when that counts, by [`Clock::monotonic`].
#[derive(Debug)]
enum Kept {
    Nothing,
    Token(SecretString, Duration),
    Failure(GraphError, Duration),
}

impl Tokens {
    pub(super) fn new(settings: TenantSettings, wire: outbound::Wire, clock: Clock) -> Result<Self, CredentialFault> {
        let mut address = settings.login_url;
        address.set_path(&format!("/{}/oauth2/v2.0/token", settings.tenant_id));
        Ok(Self {
            address,
            scope: format!("{}/.default", settings.graph_url.as_str().trim_end_matches('/')),
            client_id: settings.client_id,
            proof: Proof::new(settings.credential)?,
            wire,
            clock,
            kept: Mutex::new(Kept::Nothing),
        })
    }

    /// A token that is good for a while: the kept one, or a new one.
    pub(super) async fn bearer(&self) -> Result<SecretString, GraphError> {
        // Held while fetching, so that one call serves everybody who waits; a waiter that is dropped frees it.
        let mut kept = self.kept.lock().await;
        let asked_at = self.clock.monotonic();
        if let Some(known) = kept.at(asked_at) {
            return known;
        }
        match self.fetch().await {
            Ok((token, lifetime)) => {
                *kept = Kept::Token(token.clone(), asked_at + lifetime.saturating_sub(MARGIN));
                Ok(token)
            }
            Err(error) => {
                *kept = Kept::Failure(error.clone(), self.clock.monotonic() + SHARED_FAILURE);
                Err(error)
            }
        }
    }

    /// Drops this token, which Graph refused; a newer one stays.
    pub(super) async fn forget(&self, refused: &SecretString) {
        let mut kept = self.kept.lock().await;
        if matches!(&*kept, Kept::Token(token, _) if token.expose_secret() == refused.expose_secret()) {
            *kept = Kept::Nothing;
        }
    }

    async fn fetch(&self) -> Result<(SecretString, Duration), GraphError> {
        let mut answer = self.ask().await?;
        if refusals(&answer).iter().any(|code| REBUILD_ONCE.contains(code)) {
            answer = self.ask().await?;
        }
        match answer.status {
            StatusCode::OK => read(&answer),
            _ => Err(refused(&answer, self.clock.now())),
        }
    }

    async fn ask(&self) -> Result<outbound::Answer, GraphError> {
        let (proof, value) = match &self.proof {
            Proof::Secret(secret) => (vec![], ("client_secret", secret.clone())),
            Proof::Certificate(certificate) => {
                (vec![("client_assertion_type", JWT_BEARER)], ("client_assertion", self.assertion(certificate)?))
            }
        };
        let mut form =
            vec![("grant_type", "client_credentials"), ("client_id", &self.client_id), ("scope", &self.scope)];
        form.extend(proof);
        form.push((value.0, value.1.expose_secret()));
        Ok(self.wire.post_form(self.address.clone(), &form).await?)
    }

    fn assertion(&self, certificate: &SigningCertificate) -> Result<SecretString, GraphError> {
        let signed = certificate.assert(&self.client_id, self.address.as_str(), self.clock.now());
        signed
            .map_err(|error| GraphError::Credential { code: "assertion-not-signed".into(), detail: error.to_string() })
    }
}

impl Proof {
    fn new(credential: AppCredential) -> Result<Self, CredentialFault> {
        match credential {
            AppCredential::Secret(secret) => Ok(Self::Secret(secret)),
            AppCredential::Certificate { certificate, private_key } => {
                SigningCertificate::from_pem(&certificate, &private_key).map(Self::Certificate)
            }
        }
    }
}

impl Kept {
    fn at(&self, now: Duration) -> Option<Result<SecretString, GraphError>> {
        match self {
            Self::Token(token, until) if now < *until => Some(Ok(token.clone())),
            Self::Failure(error, until) if now < *until => Some(Err(error.clone())),
            _ => None,
        }
    }
}

/// The token in a good answer, and how long it lives.
fn read(answer: &outbound::Answer) -> Result<(SecretString, Duration), GraphError> {
    let token = answer.bearer_token().map(|(token, seconds)| (token, Duration::from_secs(seconds.min(86_400))));
    token.ok_or_else(|| GraphError::bad("the token endpoint's answer is not a token"))
}

/// What Entra's refusal means: only a known code, or a refused client, is for good.
fn refused(answer: &outbound::Answer, now: jiff::Timestamp) -> GraphError {
    let after = answer.retry_after(now);
    let codes = refusals(answer);
    let terminal = TERMINAL.iter().find(|(code, _)| codes.contains(code));
    match (answer.status.as_u16(), terminal) {
        (429, _) => GraphError::Throttled { after },
        (400 | 401, Some((code, meaning))) => credential(format!("AADSTS{code}"), meaning),
        (400 | 401, None) if is_invalid_client(answer) => {
            credential("invalid_client".into(), "the application is refused")
        }
        (status, _) => {
            GraphError::Unavailable { reason: format!("the token endpoint answered {status} {codes:?}"), after }
        }
    }
}

fn credential(code: String, meaning: &str) -> GraphError {
    GraphError::Credential { code, detail: meaning.to_owned() }
}

fn is_invalid_client(answer: &outbound::Answer) -> bool {
    let error = answer.json().ok();
    error.is_some_and(|body| json::text(&body, "/error") == Ok("invalid_client"))
}

/// `error_codes` of a refusal; empty when there are none.
fn refusals(answer: &outbound::Answer) -> Vec<u64> {
    let Ok(body) = answer.json() else { return vec![] };
    let codes = json::array(&body, "/error_codes").unwrap_or_default();
    codes.iter().filter_map(serde_json::Value::as_u64).take(10).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::graph::error::tests::answer;

    fn code_of(status: u16, body: &str) -> &'static str {
        refused(&answer(status, body), Timestamp::UNIX_EPOCH).code()
    }

    #[test]
    fn known_codes_and_a_refused_client_are_for_good_and_all_else_is_for_later() {
        for (code, meaning) in TERMINAL {
            let body = format!(r#"{{"error":"x","error_codes":[{code}],"error_description":"a secret"}}"#);
            let error = refused(&answer(401, &body), Timestamp::UNIX_EPOCH);
            let expected = credential(format!("AADSTS{code}"), meaning);
            assert_eq!(error, expected);
        }
        assert_eq!(code_of(401, r#"{"error":"invalid_client","error_codes":[1]}"#), "graph-credential");
        assert_eq!(code_of(400, r#"{"error":"x","error_codes":[50196]}"#), "graph-unavailable");
        assert_eq!(code_of(400, "<html>"), "graph-unavailable");
        assert_eq!(code_of(503, r#"{"error":"invalid_client","error_codes":[7000215]}"#), "graph-unavailable");
        assert_eq!(code_of(429, ""), "graph-throttled");
    }

    #[test]
    fn only_a_whole_bearer_token_is_a_token_and_nothing_else_is_repeated() {
        let good = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"abc.def"}"#;
        let (token, lifetime) = read(&answer(200, good)).expect("a token");
        assert_eq!((token.expose_secret(), lifetime.as_secs()), ("abc.def", 3599));
        for bad in [
            r#"{"token_type":"mac","expires_in":3599,"access_token":"hidden"}"#,
            r#"{"token_type":"Bearer","expires_in":"3599","access_token":"hidden"}"#,
            r#"{"token_type":"Bearer","expires_in":-1,"access_token":"hidden"}"#,
            r#"{"token_type":"Bearer","expires_in":3599,"access_token":"hidden\r\nx: y"}"#,
            r#"{"token_type":"Bearer","expires_in":3599,"access_token":""}"#,
            r#"["Bearer",3599,"hidden"]"#,
            "<html>hidden</html>",
        ] {
            let error = read(&answer(200, bad)).expect_err(bad);
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }
}
