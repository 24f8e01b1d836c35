//! Tokens of the machine's own identity, from its metadata service (`contracts/graph.md` §9.3).
//!
//! The service is reached on the link itself, in plain http and never through a proxy. Nothing is tried again here: what
//! passes by itself, a service that is being updated among it, is for later, as an outage of Entra is.

use http::{Method, StatusCode};
use url::Url;

use super::{
    error::GraphError,
    login::{Fetched, read},
};
use crate::{
    clock::Clock,
    outbound::{Answer, Body, Call, Credential, Wire},
};

const PATH: &str = "/metadata/identity/oauth2/token";
const API_VERSION: &str = "2018-02-01";

/// One identity of this machine.
#[derive(Debug)]
pub(super) struct ManagedIdentity {
    endpoint: Url,
    call: Call,
}

impl ManagedIdentity {
    /// The identity with this client id, or the machine's own without one. The resource is Graph's origin.
    pub(super) fn new(endpoint: Url, client_id: Option<String>, graph: &Url) -> Self {
        let resource = format!("{}/", graph.as_str().trim_end_matches('/'));
        let mut query = vec![("api-version".to_owned(), API_VERSION.to_owned()), ("resource".to_owned(), resource)];
        query.extend(client_id.map(|id| ("client_id".to_owned(), id)));
        let headers = vec![("Metadata", "true".to_owned())];
        Self { endpoint, call: Call { method: Method::GET, path: PATH.into(), query, headers, body: Body::Empty } }
    }

    pub(super) async fn fetch(&self, wire: &Wire, clock: &Clock) -> Fetched {
        let answer = wire.send(&self.endpoint, &self.call, &Credential::Nobody).await?;
        match answer.status {
            StatusCode::OK => read(answer.bearer_token_by_text()),
            _ => Err(refused(&answer, clock.now())),
        }
    }
}

/// What its refusal means. Its words are not repeated: they may show what it was asked with.
fn refused(answer: &Answer, now: jiff::Timestamp) -> GraphError {
    let status = answer.status.as_u16();
    let after = answer.retry_after(now);
    match status {
        429 => GraphError::Throttled { after },
        404 | 408 | 410 | 500..=599 => {
            GraphError::Unavailable { reason: format!("the machine's metadata service answered {status}"), after }
        }
        400..=499 => GraphError::Credential {
            code: format!("managed-identity-{status}"),
            detail: "the machine's metadata service gives no token: is this identity assigned to the machine?".into(),
        },
        _ => GraphError::bad(format!("the machine's metadata service answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::graph::{Retry, error::tests::answer};

    #[test]
    fn what_passes_by_itself_is_for_later_and_a_missing_identity_is_not() {
        let meaning = |status| {
            let error = refused(&answer(status, r#"{"error":"invalid_request"}"#), Timestamp::UNIX_EPOCH);
            (error.code(), error.retry())
        };
        for status in [404, 410, 500, 502, 503, 504] {
            assert_eq!(meaning(status), ("graph-unavailable", Retry::Later), "{status}");
        }
        assert_eq!(meaning(429), ("graph-throttled", Retry::Later));
        assert_eq!(meaning(400), ("graph-credential", Retry::Never));
        assert_eq!(meaning(403), ("graph-credential", Retry::Never));
        assert_eq!(meaning(302).0, "graph-bad-answer");
    }

    #[test]
    fn the_resource_is_graphs_origin_and_a_machines_own_identity_has_no_name() {
        let asked = |client_id: Option<&str>, graph: &str| {
            let (endpoint, graph) = (Url::parse("http://169.254.169.254"), Url::parse(graph).expect("a url"));
            let identity = ManagedIdentity::new(endpoint.expect("a url"), client_id.map(Into::into), &graph);
            identity.call.query.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        let version = "api-version=2018-02-01".to_owned();
        let named = asked(Some("5d0a7a4e"), "https://graph.microsoft.us");
        assert_eq!(
            named,
            [version.clone(), "resource=https://graph.microsoft.us/".into(), "client_id=5d0a7a4e".into()]
        );
        let own = asked(None, "https://microsoftgraph.chinacloudapi.cn/");
        assert_eq!(own, [version, "resource=https://microsoftgraph.chinacloudapi.cn/".into()]);
    }
}
