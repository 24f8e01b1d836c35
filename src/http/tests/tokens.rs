//! Every way in which a token can be wrong, and what a right one allows.

use aws_lc_rs::{hmac, signature::RSA_PKCS1_SHA256};
use axum::response::IntoResponse as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{
    super::{
        auth::{Denied, Flaw, Visible},
        error::Problem,
    },
    login::{Login, OID, TENANT, bearing, first_key, second_key},
};
use crate::domain::id::{ObjectId, TenantName};

/// The auditor's claims with this one changed; null takes it away.
fn but(login: &Login, claim: &str, value: Value) -> Value {
    let mut claims = login.claims();
    let members = claims.as_object_mut().expect("an object");
    members.remove(claim);
    if !value.is_null() {
        members.insert(claim.into(), value);
    }
    claims
}

async fn denied(login: &Login, token: &str) -> Denied {
    login.tokens.caller(&bearing(token)).await.expect_err("a refusal")
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let login = Login::starts().await;
    let caller = login.tokens.caller(&bearing(&first_key().token(&login.claims()))).await.expect("a caller");
    assert_eq!((caller.oid, caller.tenant, caller.app), (ObjectId(OID), TENANT, false));
    assert_eq!(caller.name.as_deref(), Some("Lena Vogt"));
    assert_eq!(caller.roles.tenants_visible(), Visible::All);
}

#[tokio::test]
async fn an_application_calls_for_itself() {
    let login = Login::starts().await;
    let mut claims = but(&login, "scp", Value::Null);
    claims["idtyp"] = json!("app");
    claims.as_object_mut().expect("an object").remove("name");
    let caller = login.tokens.caller(&bearing(&first_key().token(&claims))).await.expect("a caller");
    assert!(caller.app && caller.name.is_none());
}

#[tokio::test]
async fn exactly_one_bearer_token_is_needed() {
    let login = Login::starts().await;
    let token = first_key().token(&login.claims());
    let mut twice = bearing(&token);
    twice.append(header::AUTHORIZATION, twice[header::AUTHORIZATION].clone());
    let with = |text: &str| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(text).expect("text"))]);
    let huge = bearing(&"x".repeat(16 * 1024 + 1));
    for headers in [HeaderMap::new(), twice, with("Basic eDp5"), with("Bearer"), with(&token), huge] {
        assert_eq!(login.tokens.caller(&headers).await.err(), Some(Denied::NoToken), "{headers:?}");
    }
    assert!(login.tokens.caller(&with(&format!("bearer {token}"))).await.is_ok());
    assert_eq!(login.times_asked(), 1, "keys are asked for only once a token needs them");
}

#[tokio::test]
async fn a_header_must_ask_for_rs256_and_nothing_beyond_it() {
    let login = Login::starts().await;
    let claims = login.claims();
    let with = |head: Value| first_key().token_with(&head, &claims);
    for (head, flaw) in [
        (json!({"alg": "none", "kid": "k1"}), Flaw::Algorithm),
        (json!({"alg": "PS256", "kid": "k1"}), Flaw::Algorithm),
        (json!({"alg": "rs256", "kid": "k1"}), Flaw::Algorithm),
        (json!({"kid": "k1"}), Flaw::Algorithm),
        (json!({"alg": ["RS256"], "kid": "k1"}), Flaw::Shape),
        (json!({"alg": "RS256", "kid": "k1", "typ": "at+jwt"}), Flaw::Shape),
        (json!({"alg": "RS256", "kid": "k1", "crit": ["exp"]}), Flaw::Shape),
        (json!({"alg": "RS256"}), Flaw::Key),
        (json!({"alg": "RS256", "kid": 1}), Flaw::Shape),
        (json!([]), Flaw::Algorithm),
    ] {
        assert_eq!(denied(&login, &with(head.clone())).await, flaw.into(), "{head}");
    }
    assert_eq!(login.times_asked(), 0, "a header alone makes stint ask for nothing");
    let untyped = json!({"alg": "RS256", "kid": "k1"});
    assert!(login.tokens.caller(&bearing(&with(untyped))).await.is_ok());
}

#[tokio::test]
async fn other_algorithms_do_not_pass_even_when_they_verify() {
    let login = Login::starts().await;
    let (key, claims) = (first_key(), login.claims());
    let pss = key.pss_token(&json!({"alg": "PS256", "kid": "k1"}), &claims);
    assert_eq!(denied(&login, &pss).await, Flaw::Algorithm.into());
    let disguised = key.pss_token(&json!({"alg": "RS256", "kid": "k1"}), &claims);
    assert_eq!(denied(&login, &disguised).await, Flaw::Signature.into());
    for (alg, flaw) in [("HS256", Flaw::Algorithm), ("RS256", Flaw::Signature)] {
        for secret in key.public_forms() {
            assert_eq!(denied(&login, &hmac_token(alg, &secret, &claims)).await, flaw.into());
        }
    }
    let unsigned = key.token(&claims).rsplit_once('.').map(|(text, _)| format!("{text}.")).expect("parts");
    assert_eq!(denied(&login, &unsigned).await, Flaw::Signature.into());
}

fn hmac_token(alg: &str, secret: &[u8], claims: &Value) -> String {
    let head = json!({"typ": "JWT", "alg": alg, "kid": "k1"}).to_string();
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[tokio::test]
async fn only_a_published_key_signs() {
    let login = Login::starts().await;
    let claims = login.claims();
    assert_eq!(denied(&login, &second_key().token(&claims)).await, Flaw::Key.into());
    let under_its_name = second_key().token_with(&json!({"alg": "RS256", "kid": "k1"}), &claims);
    assert_eq!(denied(&login, &under_its_name).await, Flaw::Signature.into());
    let good = first_key().token(&claims);
    let parts: Vec<_> = good.split('.').collect();
    let richer = URL_SAFE_NO_PAD.encode(but(&login, "roles", json!(["Stint.Operator"])).to_string());
    let swapped = format!("{}.{richer}.{}", parts[0], parts[2]);
    assert_eq!(denied(&login, &swapped).await, Flaw::Signature.into());
}

#[tokio::test]
async fn every_claim_must_be_exactly_ours() {
    let login = Login::starts().await;
    let other = "0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f";
    let ours = login.claims()["iss"].clone();
    let audience = login.claims()["aud"].clone();
    for (claim, value, flaw) in [
        ("ver", json!("1.0"), Flaw::Version),
        ("ver", json!(2.0), Flaw::Version),
        ("ver", Value::Null, Flaw::Version),
        ("iss", json!(format!("{}{other}/v2.0", login.url)), Flaw::Issuer),
        ("iss", json!(format!("https://sts.windows.net/{TENANT}/")), Flaw::Issuer),
        ("iss", json!([ours]), Flaw::Issuer),
        ("iss", Value::Null, Flaw::Issuer),
        ("tid", json!(other), Flaw::Tenant),
        ("tid", json!(TENANT.simple().to_string()), Flaw::Tenant),
        ("tid", Value::Null, Flaw::Tenant),
        ("aud", json!(other), Flaw::Audience),
        ("aud", json!(format!("api://{}", super::login::AUDIENCE)), Flaw::Audience),
        ("aud", json!([audience, other]), Flaw::Audience),
        ("aud", Value::Null, Flaw::Audience),
        ("oid", json!("lena@contoso.com"), Flaw::Object),
        ("oid", Value::Null, Flaw::Object),
    ] {
        let token = first_key().token(&but(&login, claim, value.clone()));
        assert_eq!(denied(&login, &token).await, flaw.into(), "{claim}: {value}");
    }
}

#[tokio::test]
async fn times_are_read_by_the_given_clock_with_a_minute_of_grace() {
    let login = Login::starts().await;
    let now = login.now().as_second();
    for (claim, value, wanted) in [
        ("exp", json!(now - 59), None),
        ("exp", json!(now - 60), Some(Flaw::Expired)),
        ("nbf", json!(now + 60), None),
        ("nbf", json!(now + 61), Some(Flaw::NotYetValid)),
        ("iat", json!(now + 61), Some(Flaw::NotYetValid)),
        ("exp", Value::Null, Some(Flaw::Times)),
        ("nbf", Value::Null, Some(Flaw::Times)),
        ("iat", Value::Null, Some(Flaw::Times)),
        ("exp", json!((now + 3600).to_string()), Some(Flaw::Times)),
        ("nbf", json!(i64::MIN), None),
        ("exp", json!(i64::MAX), None),
        ("exp", json!(u64::MAX), Some(Flaw::Times)),
    ] {
        let token = first_key().token(&but(&login, claim, value.clone()));
        let flaw = login.tokens.caller(&bearing(&token)).await.err();
        assert_eq!(flaw, wanted.map(Denied::from), "{claim}: {value}");
    }
    let token = first_key().token(&login.claims());
    login.advance(3700);
    assert_eq!(denied(&login, &token).await, Flaw::Expired.into());
}

#[tokio::test]
async fn claims_are_read_strictly_although_they_are_signed() {
    let login = Login::starts().await;
    let claims = login.claims().to_string();
    let doubled = claims.replacen('{', r#"{"tid":"0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f","#, 1);
    let head = r#"{"alg":"RS256","kid":"k1"}"#;
    for body in [doubled.as_str(), "[]", "", "{"] {
        let token = first_key().signed(&RSA_PKCS1_SHA256, head, body);
        assert!(matches!(denied(&login, &token).await, Denied::Invalid(Flaw::Shape | Flaw::Version)), "{body}");
    }
    for token in ["", ".", "..", "a.b.c", "a.b.c.d", "ä.b.c"] {
        let headers = HeaderMap::from_iter([(
            header::AUTHORIZATION,
            HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).expect("bytes"),
        )]);
        assert!(login.tokens.caller(&headers).await.is_err(), "{token}");
    }
}

#[tokio::test]
async fn roles_say_what_a_caller_may_see_and_do() {
    let login = Login::starts().await;
    let (contoso, fabrikam) = (TenantName::new("contoso"), TenantName::new("fabrikam"));
    for (role, reads, acts, requests) in [
        ("Stint.Auditor", (true, true), (false, false), false),
        ("Stint.Auditor.contoso", (true, false), (false, false), false),
        ("Stint.Operator", (true, true), (true, true), false),
        ("Stint.Operator.contoso", (true, false), (true, false), false),
        ("Stint.Requester", (false, false), (false, false), true),
    ] {
        let token = first_key().token(&but(&login, "roles", json!([role, "History.Read"])));
        let roles = login.tokens.caller(&bearing(&token)).await.expect(role).roles;
        assert_eq!((roles.is_auditor_for(&contoso), roles.is_auditor_for(&fabrikam)), reads, "{role}");
        assert_eq!((roles.is_operator_for(&contoso), roles.is_operator_for(&fabrikam)), acts, "{role}");
        assert_eq!(roles.is_requester(), requests, "{role}");
    }
}

#[tokio::test]
async fn a_valid_token_without_one_of_the_roles_is_forbidden() {
    let login = Login::starts().await;
    for roles in [Value::Null, json!([]), json!(["History.Read"]), json!("Stint.Auditor"), json!(["Stint.Auditor."])] {
        let token = first_key().token(&but(&login, "roles", roles.clone()));
        assert_eq!(denied(&login, &token).await, Denied::NoRole, "{roles}");
    }
    let status = |denied: Denied| Problem::from(denied).into_response().status();
    assert_eq!(status(Denied::NoRole), StatusCode::FORBIDDEN);
    assert_eq!(status(Denied::KeysUnavailable), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_refusal_names_the_kind_of_flaw_and_nothing_of_the_token() {
    let login = Login::starts().await;
    let token = first_key().token(&but(&login, "aud", json!("somebody-elses-api")));
    let problem = Problem::from(denied(&login, &token).await);
    assert_eq!(problem.detail(), "the access token is not valid: claims");
    let response = problem.into_response();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
}
