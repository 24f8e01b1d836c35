//! What a standard system sends and answers, as the tests need it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::{
    super::{
        Step, TicketError, TicketSystem, VerifiedBody,
        jira::fixtures::{self, webhook},
        settings::{Common, WebhookScheme},
        verify,
    },
    Source, Standard,
};
use crate::domain::{
    id::TicketId,
    ticket::{Reading, Ticket},
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

/// What reading this document comes to.
pub(super) fn step(document: &Value) -> Result<Step<Reading>, TicketError> {
    desk(Source::ReadBack).read(&TicketId::new("t-5531"), &[answer(200, document)])
}

/// The ticket in this document.
pub(super) fn read(document: &Value) -> Ticket {
    match step(document) {
        Ok(Step::Done(Reading::Found(ticket))) => *ticket,
        other => panic!("not a ticket: {other:?}"),
    }
}

/// Why the answer is a bad one.
pub(super) fn bad(document: &Value) -> String {
    match step(document) {
        Err(TicketError::BadAnswer { reason }) => reason,
        other => panic!("not a bad answer: {other:?}"),
    }
}

/// The usual document with one member replaced.
pub(super) fn replaced(path: &str, value: Value) -> Value {
    with(ticket(), path, value)
}
