//! What Jira sends and answers, as the tests need it.

#![expect(clippy::needless_pass_by_value, reason = "a body is made, used and gone")]

use std::{path::Path, sync::Arc};

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use regex::Regex;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    super::settings::{Common, ConnectionSettings, FieldNames, SignIn, WebhookScheme, WebhookSettings},
    super::{VerifiedBody, verify},
    ApprovalMode, Deployment, Jira, Settings,
};
use crate::{
    domain::{
        duration::Duration,
        id::{ConnectionName, TenantName},
    },
    outbound::{Answer, Credential},
};

pub(in crate::tickets) const SECRET: &str = "fixture-jira-webhook-secret-one";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/jira/", $name, ".json")).as_slice()
    };
}
pub(in crate::tickets) use fixture;

/// A sample of the contract; `None`, said so, where no contract lies beside the project.
pub(in crate::tickets) fn sample(name: &str) -> Option<Value> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contracts/ticket-samples"));
    if !folder.exists() {
        println!("no contract lies beside the project: {name} is not tried");
        return None;
    }
    Some(parsed(&std::fs::read(folder.join(format!("{name}.json"))).expect("a sample")))
}

pub(in crate::tickets) fn webhook(scheme: WebhookScheme, secrets: &[&str]) -> WebhookSettings {
    let secrets = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    WebhookSettings { scheme, secrets, tolerance: Duration::minutes(5) }
}

/// A connection's settings, whatever system is behind it.
pub(in crate::tickets) fn common(base_url: &str) -> Common {
    Common {
        name: ConnectionName::new("jira-cloud"),
        tenants: vec![TenantName::new("contoso")],
        base_url: base_url.parse().expect("a URL"),
        account: Some("stint@contoso.example".into()),
        ticket_pattern: Regex::new("^ITSEC-[1-9][0-9]*$").expect("a pattern"),
        fields: FieldNames {
            entitlement: "customfield_10051".into(),
            principal: "customfield_10052".into(),
            duration: "customfield_10053".into(),
            tenant: None,
            window_start: None,
            window_end: None,
        },
        max_approval_age: Duration::hours(24),
        poll_interval: Duration::minutes(5),
        internal_notes: true,
        dry_run: false,
    }
}

pub(in crate::tickets) fn settings(base_url: &str) -> ConnectionSettings {
    let common = common(base_url);
    let system = Arc::new(Jira::new(&common, own(ApprovalMode::Jsm)));
    let username = "stint@contoso.example".into();
    ConnectionSettings {
        common,
        webhook: webhook(WebhookScheme::JiraHub, &[SECRET]),
        auth: SignIn::Fixed(Credential::Basic { username, password: "fixture-api-token".into() }),
        system,
    }
}

pub(super) fn own(approval: ApprovalMode) -> Settings {
    Settings {
        deployment: Deployment::Cloud,
        projects: vec!["ITSEC".into()],
        approved_statuses: vec!["10016".into(), "10018".into()],
        withdrawn_statuses: vec!["10020".into()],
        approval,
    }
}

pub(super) fn jira(approval: ApprovalMode) -> Jira {
    Jira::new(&common("https://contoso.atlassian.net"), own(approval))
}

/// A site of Data Center, below a path as such sites often are.
pub(super) fn data_center(approval: ApprovalMode) -> Jira {
    let own = Settings { deployment: Deployment::DataCenter, ..own(approval) };
    Jira::new(&common("https://jira.contoso.example/jira"), own)
}

/// A genuine delivery of this body.
pub(super) fn delivery(body: &[u8]) -> VerifiedBody {
    named_delivery(body, "")
}

/// A genuine delivery with its sender's identifier.
pub(super) fn named_delivery(body: &[u8], identifier: &str) -> VerifiedBody {
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
    let mut headers = HeaderMap::new();
    let pairs = [
        ("x-hub-signature", format!("sha256={}", hex::encode(signature))),
        ("x-atlassian-webhook-identifier", identifier.to_owned()),
    ];
    for (name, value) in pairs {
        headers.insert(name, HeaderValue::from_str(&value).expect("a header"));
    }
    let settings = webhook(WebhookScheme::JiraHub, &[SECRET]);
    verify(&settings, &headers, Bytes::copy_from_slice(body), Timestamp::UNIX_EPOCH).expect("a genuine delivery")
}

/// A delivery of an Automation rule, whose only proof is a token in its header.
pub(super) fn bearer_delivery(body: &[u8]) -> VerifiedBody {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {SECRET}")).expect("a header");
    headers.insert(http::header::AUTHORIZATION, value);
    let settings = webhook(WebhookScheme::Bearer, &[SECRET]);
    verify(&settings, &headers, Bytes::copy_from_slice(body), Timestamp::UNIX_EPOCH).expect("a genuine delivery")
}

pub(in crate::tickets) fn parsed(fixture: &[u8]) -> Value {
    crate::json::parse(fixture).expect("JSON")
}

pub(in crate::tickets) fn answer(status: u16, body: impl ToString) -> Answer {
    let status = StatusCode::from_u16(status).expect("a status");
    Answer { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() }
}

/// The fixture as an answer of success.
pub(in crate::tickets) fn ok(fixture: &[u8]) -> Answer {
    answer(200, parsed(fixture))
}

/// The document with one member replaced, or added.
pub(in crate::tickets) fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent).expect("a parent") {
        Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value,
        parent => parent[name] = value,
    }
    document
}

/// The document without one member.
pub(in crate::tickets) fn without(mut document: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    document.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|o| o.remove(name)).expect("a member");
    document
}

/// Every place in a document, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            found.push(format!("{at}/{name}"));
            places(member, &format!("{at}/{name}"), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| {
            found.push(format!("{at}/{n}"));
            places(item, &format!("{at}/{n}"), found);
        }),
        _ => {}
    }
}

/// Values of every kind, edges of numbers and texts among them.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("10016"),
        json!("x".repeat(300)),
        json!("ITSEC-1"),
        json!("é\u{202e}"),
        json!([]),
        json!([null, 1, "x", {}]),
        json!({}),
        json!({"id": [], "finalDecision": {}, "createdDate": {"epochMillis": i64::MAX}}),
    ]
}

/// The document with each of its places taken by each odd value in turn.
pub(in crate::tickets) fn mutants(document: &Value) -> impl Iterator<Item = Value> {
    let mut found = Vec::new();
    places(document, "", &mut found);
    found.into_iter().flat_map(move |place| {
        odd_values().into_iter().map({
            let document = document.clone();
            move |odd| {
                let mut document = document.clone();
                if let Some(value) = document.pointer_mut(&place) {
                    *value = odd;
                }
                document
            }
        })
    })
}
