//! What a standard system sends and answers, as the tests need it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::{
    super::{
        VerifiedBody,
        jira::fixtures::{self, webhook},
        settings::{Common, WebhookScheme},
        verify,
    },
    Source, Standard,
};

pub(super) use super::super::jira::fixtures::{answer, mutants, parsed, with, without};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/standard/", $name, ".json")).as_slice()
    };
}
pub(super) use fixture;

pub(super) const TOKEN: &str = "fixture-desk-webhook-token";

pub(super) fn common() -> Common {
    let pattern = Regex::new("^DESK-[1-9][0-9]*$").expect("a pattern");
    Common { ticket_pattern: pattern, ..fixtures::common("https://desk.contoso.example") }
}

pub(super) fn desk(source: Source) -> Standard {
    Standard::new(&common(), source)
}

/// A genuine delivery of this body, proved by a token.
pub(super) fn delivery(body: &[u8]) -> VerifiedBody {
    let value = HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a header");
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
    let settings = webhook(WebhookScheme::Bearer, &[TOKEN]);
    verify(&settings, &headers, Bytes::copy_from_slice(body), Timestamp::UNIX_EPOCH).expect("a genuine delivery")
}

pub(super) fn ticket() -> Value {
    parsed(fixture!("ticket"))
}

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}
