//! What ServiceNow sends and answers, as the tests need it.

#![expect(clippy::needless_pass_by_value, reason = "a body is made, used and gone")]

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::{
    super::{
        VerifiedBody,
        jira::fixtures as shared,
        settings::{Common, WebhookScheme},
        verify,
    },
    ServiceNow, Settings,
};
use crate::outbound::{Answer, Call};

pub(super) use shared::{answer, mutants, ok, parsed, with, without};

pub(super) const NINA: &str = "0f3a5c7e91b24d68a0c2e4f607182939";
pub(super) const OMAR: &str = "1a4b6d8f02c35e79b1d3f50718293a4b";
pub(super) const LENA: &str = "2b5c7e90a3d46f8ac2e4061829304b5c";
pub(super) const ITEM: &str = "4d7e90b2c5f681ace40628394b5c6d7e";
pub(super) const REQUEST: &str = "5e8fa1c3d60792bdf517394a5c6d7e8f";
pub(super) const CATALOG_ITEM: &str = "6f90b2d4e718a3ce06284a5b6d7e8f90";
pub(super) const CHANGE: &str = "70a1c3e5f829b4df17395b6c7e8f90a1";
pub(super) const TEMPLATE: &str = "81b2d4f6093ac5e0284a6c7d8f90a1b2";

const SECRET: &str = "fixture-servicenow-webhook-secret";

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

/// A genuine delivery of this body.
pub(super) fn delivery(body: &[u8]) -> VerifiedBody {
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {SECRET}")).expect("a header");
    headers.insert("authorization", bearer);
    let settings = shared::webhook(WebhookScheme::Bearer, &[SECRET]);
    verify(&settings, &headers, Bytes::copy_from_slice(body), Timestamp::UNIX_EPOCH).expect("a genuine delivery")
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
