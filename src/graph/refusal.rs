//! What the token endpoint's refusals mean (`contracts/graph.md` §9.1): only a known code, or a refused client, is for
//! good; everything else is for later.

use super::error::GraphError;
use crate::{json, outbound};

/// Refusals that only a person can lift, in words of our own: Entra's may repeat what it was sent (§9.1).
pub(super) const TERMINAL: &[(u64, &str)] = &[
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

/// Entra sees a client that asks in a loop: whatever else it calls that, asking later helps (§9.1).
const ASKED_TOO_OFTEN: u64 = 50_196;

/// What Entra's refusal means.
pub(super) fn meaning(answer: &outbound::Answer, now: jiff::Timestamp) -> GraphError {
    let after = answer.retry_after(now);
    let codes = codes(answer);
    let terminal = TERMINAL.iter().find(|(code, _)| codes.contains(code));
    let backs_off = codes.contains(&ASKED_TOO_OFTEN);
    match (answer.status.as_u16(), terminal) {
        (429, _) => GraphError::Throttled { after },
        (400 | 401, Some((code, meaning))) if !backs_off => credential(format!("AADSTS{code}"), meaning),
        (400 | 401, None) if !backs_off && is_invalid_client(answer) => {
            let code = codes.first().map_or_else(|| "invalid_client".to_owned(), |code| format!("AADSTS{code}"));
            credential(code, "the application is refused")
        }
        (status, _) => {
            GraphError::Unavailable { reason: format!("the token endpoint answered {status} {codes:?}"), after }
        }
    }
}

/// `error_codes` of a refusal; empty when there are none.
pub(super) fn codes(answer: &outbound::Answer) -> Vec<u64> {
    let Ok(body) = answer.json() else { return vec![] };
    let codes = json::array(&body, "/error_codes").unwrap_or_default();
    codes.iter().filter_map(serde_json::Value::as_u64).take(10).collect()
}

fn credential(code: String, meaning: &str) -> GraphError {
    GraphError::Credential { code, detail: meaning.to_owned() }
}

fn is_invalid_client(answer: &outbound::Answer) -> bool {
    let error = answer.json().ok();
    error.is_some_and(|body| json::text(&body, "/error") == Ok("invalid_client"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::graph::error::tests::answer;

    fn code_of(status: u16, body: &str) -> &'static str {
        meaning(&answer(status, body), Timestamp::UNIX_EPOCH).code()
    }

    #[test]
    fn known_codes_and_a_refused_client_are_for_good_and_all_else_is_for_later() {
        for (code, text) in TERMINAL {
            let body = format!(r#"{{"error":"x","error_codes":[{code}],"error_description":"a secret"}}"#);
            let error = meaning(&answer(401, &body), Timestamp::UNIX_EPOCH);
            let expected = credential(format!("AADSTS{code}"), text);
            assert_eq!(error, expected);
        }
        assert_eq!(code_of(401, r#"{"error":"invalid_client","error_codes":[1]}"#), "graph-credential");
        assert_eq!(code_of(400, r#"{"error":"x","error_codes":[50196]}"#), "graph-unavailable");
        assert_eq!(code_of(401, r#"{"error":"invalid_client","error_codes":[50196]}"#), "graph-unavailable");
        assert_eq!(code_of(400, "<html>"), "graph-unavailable");
        assert_eq!(code_of(503, r#"{"error":"invalid_client","error_codes":[7000215]}"#), "graph-unavailable");
        assert_eq!(code_of(429, ""), "graph-throttled");
    }

    #[test]
    fn a_refused_client_is_named_by_entras_code_where_there_is_one() {
        for (body, code) in [
            (r#"{"error":"invalid_client","error_codes":[700213]}"#, "AADSTS700213"),
            (r#"{"error":"invalid_client"}"#, "invalid_client"),
        ] {
            let error = meaning(&answer(401, body), Timestamp::UNIX_EPOCH);
            assert_eq!(error, credential(code.into(), "the application is refused"));
        }
    }
}
