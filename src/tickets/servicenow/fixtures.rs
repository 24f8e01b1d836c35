//! What ServiceNow sends and answers, as the tests need it.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::{
    super::{
        VerifiedBody,
        jira::fixtures as shared,
        settings::{Common, ConnectionSettings, SignIn, WebhookScheme},
        verify,
    },
    ServiceNow, Settings,
};
use crate::outbound::{Answer, Call, Credential};

pub(super) use shared::{mutants, parsed, with, without};

pub(super) const NINA: &str = "0f3a5c7e91b24d68a0c2e4f607182939";
pub(super) const OMAR: &str = "1a4b6d8f02c35e79b1d3f50718293a4b";
pub(super) const LENA: &str = "2b5c7e90a3d46f8ac2e4061829304b5c";
pub(in crate::tickets) const ITEM: &str = "4d7e90b2c5f681ace40628394b5c6d7e";
pub(super) const REQUEST: &str = "5e8fa1c3d60792bdf517394a5c6d7e8f";
pub(super) const CATALOG_ITEM: &str = "6f90b2d4e718a3ce06284a5b6d7e8f90";
pub(super) const CHANGE: &str = "70a1c3e5f829b4df17395b6c7e8f90a1";
pub(super) const TEMPLATE: &str = "81b2d4f6093ac5e0284a6c7d8f90a1b2";

const SECRET: &str = "fixture-servicenow-webhook-secret";
const KEY: &str = "Zml4dHVyZS1zZXJ2aWNlbm93LXNpZ25pbmcta2V5LW9uZQ==";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/servicenow/", $name, ".json")).as_slice()
    };
}
pub(super) use fixture;

pub(super) fn common(base_url: &str) -> Common {
    let mut common = shared::common(base_url);
    common.account = Some("stint.svc".into());
    common.ticket_pattern = Regex::new("^(?:(RITM|CHG)[0-9]{7,12})$").expect("a pattern");
    common.fields.entitlement = "entitlement".into();
    common.fields.principal = "target_upn".into();
    common.fields.duration = "duration".into();
    common
}

pub(super) fn own() -> Settings {
    Settings {
        catalog_items: vec![],
        change_types: vec!["normal".into()],
        standard_templates: vec![],
        allow_without_approver: false,
        parent_request_approval: true,
    }
}

pub(super) fn with_own(change: impl FnOnce(&mut Settings)) -> ServiceNow {
    let mut own = own();
    change(&mut own);
    ServiceNow::new(&common("https://contoso.service-now.com"), own)
}

pub(super) fn snow() -> ServiceNow {
    with_own(|_| ())
}

pub(in crate::tickets) fn settings(base_url: &str) -> ConnectionSettings {
    let common = common(base_url);
    let system = Arc::new(ServiceNow::new(&common, own()));
    let webhook = shared::webhook(WebhookScheme::Bearer, &[SECRET]);
    ConnectionSettings { webhook, system, common, auth: SignIn::Fixed(Credential::Bearer("a-token".into())) }
}

/// A genuine delivery with its sender's id, signed as the customer's script signs it.
pub(super) fn signed_delivery(body: &[u8], id: &str) -> VerifiedBody {
    let key = STANDARD.decode(KEY).expect("Base64");
    let content = [format!("{id}.0.").as_bytes(), body].concat();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &content);
    let mut headers = HeaderMap::new();
    let signature = format!("v1,{}", STANDARD.encode(mac));
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", "0"), ("webhook-signature", &signature)] {
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
    }
    let settings = shared::webhook(WebhookScheme::StandardWebhooks, &[&format!("whsec_{KEY}")]);
    verify(&settings, &headers, Bytes::copy_from_slice(body), Timestamp::UNIX_EPOCH).expect("a genuine delivery")
}

/// A genuine delivery of this body.
pub(super) fn delivery(body: &[u8]) -> VerifiedBody {
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {SECRET}")).expect("a header");
    headers.insert("authorization", bearer);
    let settings = shared::webhook(WebhookScheme::Bearer, &[SECRET]);
    verify(&settings, &headers, Bytes::copy_from_slice(body), Timestamp::UNIX_EPOCH).expect("a genuine delivery")
}

/// An answer as ServiceNow gives it: a list says how many rows it has in all.
pub(super) fn answer(status: u16, body: impl ToString) -> Answer {
    let mut answer = shared::answer(status, body);
    let rows = answer.json().ok().and_then(|body| body.get("result")?.as_array().map(Vec::len));
    if let Some(rows) = rows {
        answer.headers.insert("x-total-count", rows.into());
    }
    answer
}

/// A successful answer with this body.
pub(super) fn ok(fixture: &[u8]) -> Answer {
    answer(200, parsed(fixture))
}

/// An answer that counts so many rows.
pub(super) fn counted(body: Value, rows: usize) -> Answer {
    let mut answer = answer(200, body);
    answer.headers.insert("x-total-count", rows.into());
    answer
}

pub(super) fn address(call: &Call) -> String {
    let query: Vec<_> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {}?{}", call.method, call.path, query.join("&"))
}

/// The value of one parameter of a call.
pub(super) fn parameter<'a>(call: &'a Call, name: &str) -> &'a str {
    call.query.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}
