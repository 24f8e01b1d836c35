//! Where one application's tokens come from: Entra's token endpoint, or the machine's metadata service.

use std::time::Duration;

use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    assertion::CredentialFault,
    error::GraphError,
    managed_identity::ManagedIdentity,
    proof::{Proof, Renewal},
    refusal,
    settings::{App, AppCredential},
};
use crate::{
    clock::Clock,
    outbound::{Answer, Wire},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// No service is believed to give tokens that live longer, in seconds.
const LONGEST_LIFE: u64 = 86_400;

/// A token, and how long it lives.
pub(super) type Fetched = Result<(SecretString, Duration), GraphError>;

/// The two ways to a token.
#[derive(Debug)]
pub(super) enum Login {
    Entra(TokenEndpoint),
    Machine(ManagedIdentity),
}

/// Entra's token endpoint, as one application uses it (`contracts/graph.md` §9.1).
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    address: Url,
    scope: String,
    client_id: String,
    proof: Proof,
}

impl Login {
    /// The way of this application to tokens for this Graph. The scope follows Graph's host and nothing else: neither
    /// host is derived from the other (§10).
    pub(super) fn new(app: App, tenant_id: uuid::Uuid, graph: &Url, login: &Url) -> Result<Self, CredentialFault> {
        let App { client_id, credential } = app;
        let proof = match credential {
            AppCredential::ManagedIdentity { endpoint, system_assigned } => {
                let client_id = (!system_assigned).then_some(client_id);
                return Ok(Self::Machine(ManagedIdentity::new(endpoint, client_id, graph)));
            }
            AppCredential::Secret(secret) => Proof::secret(secret),
            AppCredential::Certificate { certificate, private_key } => Proof::certificate(certificate, private_key)?,
            AppCredential::WorkloadIdentity { token_file } => Proof::federated(token_file),
        };
        let mut address = login.clone();
        address.set_path(&format!("/{tenant_id}/oauth2/v2.0/token"));
        let scope = format!("{}/.default", graph.as_str().trim_end_matches('/'));
        Ok(Self::Entra(TokenEndpoint { address, scope, client_id, proof }))
    }

    /// A new token. `told` hears what became of proofs that were read again.
    pub(super) async fn fetch(&mut self, wire: &Wire, clock: &Clock, told: impl Fn(Renewal)) -> Fetched {
        match self {
            Self::Entra(endpoint) => endpoint.fetch(wire, clock, told).await,
            Self::Machine(identity) => identity.fetch(wire, clock).await,
        }
    }
}

impl TokenEndpoint {
    async fn fetch(&mut self, wire: &Wire, clock: &Clock, told: impl Fn(Renewal)) -> Fetched {
        told(self.proof.renew().await);
        let mut answer = self.ask(wire, clock).await?;
        let (once_more, renewal) = self.proof.renew_after(&refusal::codes(&answer)).await;
        told(renewal);
        if once_more {
            answer = self.ask(wire, clock).await?;
        }
        match answer.status {
            StatusCode::OK => read(answer.bearer_token()),
            _ => Err(refusal::meaning(&answer, clock.now())),
        }
    }

    async fn ask(&self, wire: &Wire, clock: &Clock) -> Result<Answer, GraphError> {
        let shown = self.proof.show(&self.client_id, self.address.as_str(), clock.now()).await?;
        let mut form =
            vec![("grant_type", "client_credentials"), ("client_id", &self.client_id), ("scope", &self.scope)];
        if shown.is_assertion {
            form.push(("client_assertion_type", JWT_BEARER));
        }
        let name = if shown.is_assertion { "client_assertion" } else { "client_secret" };
        form.push((name, shown.value.expose_secret()));
        Ok(wire.post_form(self.address.clone(), &form).await?)
    }
}

/// The token in a good answer, and how long it lives.
pub(super) fn read(token: Option<(SecretString, u64)>) -> Fetched {
    let token = token.map(|(token, seconds)| (token, Duration::from_secs(seconds.min(LONGEST_LIFE))));
    token.ok_or_else(|| GraphError::bad("what came for a token is none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::error::tests::answer;

    #[test]
    fn only_a_whole_bearer_token_is_a_token_and_nothing_else_is_repeated() {
        let good = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"abc.def"}"#;
        let (token, lifetime) = read(answer(200, good).bearer_token()).expect("a token");
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
            let error = read(answer(200, bad).bearer_token()).expect_err(bad);
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }

    #[test]
    fn in_each_cloud_the_scope_follows_graph_and_the_address_the_login_service() {
        let tenant = uuid::uuid!("6f1c0c1e-4b6a-4f6e-9d53-0a7b1c2d3e4f");
        for (graph, login) in [
            ("graph.microsoft.com", "login.microsoftonline.com"),
            ("graph.microsoft.us", "login.microsoftonline.us"),
            ("dod-graph.microsoft.us", "login.microsoftonline.us"),
            ("microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
            ("microsoftgraph.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
        ] {
            let credential = AppCredential::WorkloadIdentity { token_file: "token".into() };
            let app = App { client_id: "client".into(), credential };
            let url = |host: &str| Url::parse(&format!("https://{host}")).expect("a url");
            let asked = Login::new(app, tenant, &url(graph), &url(login)).expect("a login");
            let Login::Entra(TokenEndpoint { address, scope, .. }) = asked else { panic!("Entra") };
            assert_eq!(scope, format!("https://{graph}/.default"));
            assert_eq!(address.as_str(), format!("https://{login}/{tenant}/oauth2/v2.0/token"));
        }
    }
}
