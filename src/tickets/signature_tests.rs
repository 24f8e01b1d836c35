use http::HeaderName;
use serde_json::Value;

use super::{
    super::jira::fixtures::{SECRET, fixture, webhook},
    *,
};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        (name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

fn check(
    scheme: WebhookScheme,
    secrets: &[&str],
    pairs: &[(&str, &str)],
    body: &'static [u8],
) -> Result<(), Unverified> {
    verify(&webhook(scheme, secrets), &headers(pairs), Bytes::from_static(body), Timestamp::UNIX_EPOCH).map(drop)
}

/// The published vector (`contracts/tickets.md` A2).
const VECTOR: (&str, &[u8], &str) = (
    "It's a Secret to Everybody",
    b"Hello World!",
    "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
);

fn hub(signatures: &[&str]) -> Result<(), Unverified> {
    let pairs: Vec<_> = signatures.iter().map(|signature| ("x-hub-signature", *signature)).collect();
    check(WebhookScheme::JiraHub, &[VECTOR.0], &pairs, VECTOR.1)
}

#[test]
fn the_published_vectors_hold() {
    assert_eq!(hub(&[VECTOR.2]), Ok(()));
    let other = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(check(WebhookScheme::JiraHub, &[VECTOR.0], &[("X-Hub-Signature", other)], b"Hello, World!"), Ok(()));
}

#[test]
fn deliveries_signed_elsewhere_are_proved_and_no_other_bytes_are() {
    let known: Value = crate::json::parse(fixture!("signatures")).expect("JSON");
    let deliveries = [
        ("hook-approved", fixture!("hook-approved")),
        ("hook-created-approved", fixture!("hook-created-approved")),
        ("hook-canceled", fixture!("hook-canceled")),
        ("hook-reopened", fixture!("hook-reopened")),
        ("hook-edited", fixture!("hook-edited")),
        ("hook-moved", fixture!("hook-moved")),
        ("hook-deleted", fixture!("hook-deleted")),
        ("hook-comment", fixture!("hook-comment")),
    ];
    for (name, body) in deliveries {
        let signature = known["signatures"][name].as_str().expect("a signature");
        let pairs = [("x-hub-signature", signature)];
        assert_eq!(check(WebhookScheme::JiraHub, &[SECRET], &pairs, body), Ok(()), "{name}");
        let shorter = body.strip_suffix(b"\n").expect("a last line");
        assert_eq!(check(WebhookScheme::JiraHub, &[SECRET], &pairs, shorter), Err(Unverified::Mismatch), "{name}");
    }
}

#[test]
fn hex_digits_of_either_case_are_the_same_signature() {
    let upper = VECTOR.2.to_uppercase().replace("SHA256", "sha256");
    assert_eq!(hub(&[&upper]), Ok(()));
}

#[test]
fn a_missing_empty_doubled_or_unreadable_signature_proves_nothing() {
    assert_eq!(hub(&[]), Err(Unverified::Missing));
    assert_eq!(hub(&[""]), Err(Unverified::Missing));
    assert_eq!(hub(&[VECTOR.2, VECTOR.2]), Err(Unverified::Doubled));
    assert_eq!(hub(&[VECTOR.2, "sha256=00"]), Err(Unverified::Doubled));
    let digits = VECTOR.2.strip_prefix("sha256=").expect("a method");
    let longer = format!("{}00", VECTOR.2);
    for malformed in [digits, "sha256", "sha256=", "sha256=zz", &VECTOR.2[..70], &longer, "sha256==00", "é=00"] {
        assert_eq!(hub(&[malformed]), Err(Unverified::Malformed), "{malformed}");
    }
    let twice = format!("{}, {}", VECTOR.2, VECTOR.2);
    assert_eq!(hub(&[&twice]), Err(Unverified::Malformed));
}

#[test]
fn another_method_is_refused_whatever_follows() {
    let digits = VECTOR.2.strip_prefix("sha256=").expect("a method");
    for method in ["sha1", "sha512", "SHA256", "sha256 ", "", "none"] {
        assert_eq!(hub(&[&format!("{method}={digits}")]), Err(Unverified::Method), "{method:?}");
    }
}

#[test]
fn the_current_and_the_previous_secret_prove_and_no_other() {
    let sent = [("x-hub-signature", VECTOR.2)];
    for secrets in [&[VECTOR.0, "another"], &["another", VECTOR.0]] {
        assert_eq!(check(WebhookScheme::JiraHub, secrets, &sent, VECTOR.1), Ok(()));
    }
    for secrets in [&["another", "third"][..], &[]] {
        assert_eq!(check(WebhookScheme::JiraHub, secrets, &sent, VECTOR.1), Err(Unverified::Mismatch));
    }
}

#[test]
fn an_empty_secret_proves_nothing() {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), VECTOR.1);
    let signature = format!("sha256={}", hex::encode(tag));
    let sent = [("x-hub-signature", signature.as_str())];
    assert_eq!(check(WebhookScheme::JiraHub, &[""], &sent, VECTOR.1), Err(Unverified::Mismatch));
    assert_eq!(check(WebhookScheme::Bearer, &[""], &[("authorization", "Bearer ")], b"{}"), Err(Unverified::Malformed));
}

#[test]
fn a_bearer_token_is_proved_by_exactly_one_header() {
    let bearer = |values: &[&str]| {
        let pairs: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        check(WebhookScheme::Bearer, &["current-token", "previous-token"], &pairs, b"{}")
    };
    for good in ["Bearer current-token", "bearer previous-token", "Bearer  current-token"] {
        assert_eq!(bearer(&[good]), Ok(()), "{good}");
    }
    for wrong in ["Bearer current-toke", "Bearer current-token2", "Bearer current-token previous-token", "Bearer x"] {
        assert_eq!(bearer(&[wrong]), Err(Unverified::Mismatch), "{wrong}");
    }
    assert_eq!(bearer(&[]), Err(Unverified::Missing));
    assert_eq!(bearer(&[""]), Err(Unverified::Missing));
    assert_eq!(bearer(&["Bearer"]), Err(Unverified::Malformed));
    assert_eq!(bearer(&["current-token"]), Err(Unverified::Malformed));
    assert_eq!(bearer(&["Basic current-token"]), Err(Unverified::Method));
    assert_eq!(bearer(&["Bearer current-token", "Bearer current-token"]), Err(Unverified::Doubled));
}

#[test]
fn a_name_and_a_password_are_proved_by_exactly_one_header() {
    let scheme = || WebhookScheme::Basic { username: "desk".into() };
    let pair = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let basic = |values: &[&str]| {
        let pairs: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        check(scheme(), &["current-password", "previous:password"], &pairs, b"{}")
    };
    let good = pair("desk:current-password");
    for good in [&good, &good.replace("Basic", "bAsIc"), &pair("desk:previous:password")] {
        assert_eq!(basic(&[good]), Ok(()), "{good}");
    }
    for wrong in [
        "desk:current-passwor",
        "desk:current-password2",
        "Desk:current-password",
        ":current-password",
        "desk:",
        "desk",
        "",
    ] {
        let expected = if wrong.is_empty() { Unverified::Malformed } else { Unverified::Mismatch };
        assert_eq!(basic(&[&pair(wrong)]), Err(expected), "{wrong}");
    }
    for odd in ["Basic", "Basic desk:current-password", &good[..good.len() - 1], &format!("{good} x")] {
        assert_eq!(basic(&[odd]), Err(Unverified::Malformed), "{odd}");
    }
    assert_eq!(basic(&[]), Err(Unverified::Missing));
    assert_eq!(basic(&[&good, &good]), Err(Unverified::Doubled));
    assert_eq!(basic(&["Bearer current-password"]), Err(Unverified::Method));
    let empty = pair("desk:");
    let checked = check(scheme(), &[""], &[("authorization", &empty)], b"{}");
    assert_eq!(checked, Err(Unverified::Mismatch), "an empty password");
}

#[test]
fn a_delivery_is_named_by_the_header_its_scheme_signs() {
    let named = headers(&[("webhook-id", "msg_1"), ("x-atlassian-webhook-identifier", "5f1d6b0e")]);
    let identifier = |scheme| kept(&scheme, &named).identifier;
    assert_eq!(identifier(WebhookScheme::StandardWebhooks).as_deref(), Some("msg_1"));
    assert_eq!(identifier(WebhookScheme::JiraHub).as_deref(), Some("5f1d6b0e"));
}

#[test]
fn a_proof_of_one_scheme_is_none_of_the_other() {
    let token = [("authorization", "Bearer It's a Secret to Everybody")];
    let signature = [("x-hub-signature", VECTOR.2)];
    assert_eq!(check(WebhookScheme::JiraHub, &[VECTOR.0], &token, VECTOR.1), Err(Unverified::Missing));
    assert_eq!(check(WebhookScheme::Bearer, &[VECTOR.0], &signature, VECTOR.1), Err(Unverified::Missing));
    let both = [token[0], ("x-hub-signature", "sha256=00")];
    assert_eq!(check(WebhookScheme::JiraHub, &[VECTOR.0], &both, VECTOR.1), Err(Unverified::Malformed));
}

#[test]
fn what_is_kept_and_shown_of_a_delivery_holds_no_credential_and_no_body() {
    let sent = headers(&[
        ("x-hub-signature", VECTOR.2),
        ("authorization", "Bearer something"),
        ("x-atlassian-webhook-identifier", "5f1d6b0e"),
        ("x-atlassian-webhook-retry", "1"),
        ("x-atlassian-webhook-flow", "Primary"),
    ]);
    let body = Bytes::from_static(VECTOR.1);
    let body = verify(&webhook(WebhookScheme::JiraHub, &[VECTOR.0]), &sent, body, Timestamp::UNIX_EPOCH)
        .expect("a genuine delivery");
    assert_eq!(body.bytes().as_ref(), VECTOR.1);
    let kept = serde_json::to_string(body.headers()).expect("JSON");
    assert_eq!(kept, r#"{"identifier":"5f1d6b0e","retry":"1","flow":"Primary"}"#);
    let shown = format!("{body:?} {:?}", webhook(WebhookScheme::JiraHub, &[VECTOR.0]));
    for hidden in ["Hello", "something", "a4771c39", "Everybody"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn a_doubled_or_overlong_identifier_is_not_kept() {
    let long = "x".repeat(MAX_HEADER + 1);
    let name = "x-atlassian-webhook-identifier";
    for identifiers in [&[(name, "a"), (name, "b")][..], &[(name, &long)], &[(name, "")], &[]] {
        assert_eq!(kept(&WebhookScheme::JiraHub, &headers(identifiers)).identifier, None);
    }
}
