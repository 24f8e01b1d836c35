use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{
        super::{TicketSystem, jira::fixtures::webhook, settings::WebhookScheme, verify},
        fixtures::{delivery, desk, fixture, mutants, parsed, time, with, without},
    },
    *,
};
use crate::domain::{
    id::ApprovalId,
    ticket::{Field, Standing},
};

fn hear(source: Source, body: &Value) -> Result<Heard, NotHeard> {
    desk(source).hear(&delivery(body.to_string().as_bytes()))
}

fn thin(body: &Value) -> Result<Heard, NotHeard> {
    hear(Source::ReadBack, body)
}

fn whole(body: &Value) -> Result<Heard, NotHeard> {
    hear(Source::Webhooks, body)
}

fn told_body() -> Value {
    parsed(fixture!("told-approved"))
}

fn hint_of(heard: Result<Heard, NotHeard>) -> Hint {
    match heard {
        Ok(Heard::Hint(hint)) => hint,
        other => panic!("no hint: {other:?}"),
    }
}

fn hint(event: HintEvent) -> Hint {
    let (ticket, number) = (TicketId::new("t-5531"), TicketNumber::new("DESK-204"));
    Hint { ticket, number, event, approval: None, told: None }
}

/// Why it is no ticket.
fn not_a_ticket(heard: Result<Heard, NotHeard>) -> String {
    match heard {
        Err(NotHeard::NotATicket(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn malformed(heard: Result<Heard, NotHeard>) -> String {
    match heard {
        Err(NotHeard::Malformed(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_approval_and_a_withdrawal_are_heard() {
    assert_eq!(hint_of(thin(&parsed(fixture!("hook-approved")))), hint(HintEvent::Approved));
    assert_eq!(hint_of(thin(&parsed(fixture!("hook-withdrawn")))), hint(HintEvent::Changed));
}

#[test]
fn what_a_readable_ticket_is_told_to_be_is_not_believed() {
    let body = told_body();
    assert_eq!(hint_of(thin(&body)), hint(HintEvent::Approved));
    let faulty = with(without(body, "/timestamp"), "/data/ticket/status", json!("gone"));
    assert_eq!(hint_of(thin(&faulty)), hint(HintEvent::Approved));
}

#[test]
fn other_events_are_ignored_by_name() {
    let body = parsed(fixture!("hook-approved"));
    for event in ["ticket.created", "Ticket.approved", "ticket.approved ", ""] {
        let heard = thin(&with(body.clone(), "/type", json!(event)));
        assert_eq!(heard, Ok(Heard::Ignored(format!("the event {}", event.trim()))));
    }
    let odd = format!("x\u{202e}\n{}", "y".repeat(500));
    let Ok(Heard::Ignored(why)) = thin(&with(body, "/type", json!(odd))) else { panic!("not ignored") };
    assert!(why.is_ascii() && why.len() < 80 && !why.contains('\n'), "{why:?}");
}

#[test]
fn a_number_outside_the_pattern_is_no_ticket_of_this_connection() {
    let body = parsed(fixture!("hook-approved"));
    for number in [json!("OPS-204"), json!("desk-204"), json!("DESK-0204"), json!("DESK-204\n"), json!(""), json!(204)]
    {
        for body in [&body, &told_body()] {
            let why = not_a_ticket(whole(&with(body.clone(), "/data/ticket/number", number.clone())));
            assert!(why.contains("number"), "{why}");
        }
    }
}

#[test]
fn an_id_is_short_visible_and_no_way_to_elsewhere() {
    let body = parsed(fixture!("hook-approved"));
    let of = |id: Value| thin(&with(body.clone(), "/data/ticket/id", id));
    for good in ["1", "t-5531", "a.b", "~", "..a", "#%?&=", &"x".repeat(64)] {
        assert_eq!(hint_of(of(json!(good))).ticket.as_str(), good);
    }
    for bad in ["", ".", "..", "...", "a/b", "a\\b", "a b", "a\t", "t\u{e9}", "\u{7f}", &"x".repeat(65)] {
        assert!(not_a_ticket(of(json!(bad))).starts_with("in data.ticket /id is not 1 to 64"), "{bad:?}");
    }
    for odd in [json!(5531), json!(null), json!(["t-5531"])] {
        assert_eq!(not_a_ticket(of(odd)), "in data.ticket /id is not a text");
    }
}

#[test]
fn a_delivery_without_a_ticket_says_so() {
    let body = parsed(fixture!("hook-approved"));
    for body in [
        without(body.clone(), "/data"),
        with(body.clone(), "/data", json!([])),
        without(body.clone(), "/data/ticket"),
        with(body, "/data/ticket", json!(["t-5531", "DESK-204"])),
    ] {
        assert_eq!(not_a_ticket(thin(&body)), "/data/ticket is not an object");
    }
}

#[test]
fn what_is_no_event_at_all_is_malformed() {
    for body in
        ["", "approved", "[]", "null", r#"{"type":1}"#, "{}", r#"{"type":"a","type":"b"}"#, r#"{"type":"\u0000"}"#]
    {
        let heard = desk(Source::ReadBack).hear(&delivery(body.as_bytes()));
        assert!(matches!(heard, Err(NotHeard::Malformed(_))), "{body}: {heard:?}");
    }
}

#[test]
fn a_ticket_that_cannot_be_read_back_is_taken_as_it_is_told() {
    let hint = hint_of(whole(&told_body()));
    assert_eq!(hint.approval, Some(ApprovalId::new("2")));
    let told = hint.told.expect("a ticket");
    assert_eq!(told.at, time("2026-11-03T09:14:02.310Z"));
    let ticket = told.ticket;
    assert_eq!((ticket.id, ticket.number), (hint.ticket, hint.number));
    assert_eq!((ticket.basis, ticket.standing, ticket.in_scope), (Basis::Webhook, Standing::Approved, true));
    assert_eq!(ticket.duration, Field::Text("PT2H".into()));
    assert_eq!(ticket.approvals.len(), 1);
}

#[test]
fn a_told_withdrawal_closes_the_ticket_however_little_it_says() {
    let body = parsed(fixture!("hook-withdrawn"));
    let full = with(told_body(), "/type", json!("ticket.withdrawn"));
    for (body, at) in [(body, "2026-11-03T09:40:00Z"), (full, "2026-11-03T09:14:02.310Z")] {
        let hint = hint_of(whole(&body));
        assert_eq!((hint.event, hint.approval), (HintEvent::Changed, None));
        let told = hint.told.expect("a ticket");
        assert_eq!((told.at, told.ticket.standing, told.ticket.basis), (time(at), Standing::Closed, Basis::Webhook));
        assert_eq!((told.ticket.principal, told.ticket.requester), (Field::Hidden, None));
        assert!(told.ticket.approvals.is_empty());
    }
}

#[test]
fn a_faulty_told_ticket_is_refused_by_the_name_of_its_faulty_member() {
    for (path, value, why) in [
        ("/data/ticket/status", json!("open"), "/status is not pending, approved, rejected, cancelled or closed"),
        ("/data/ticket/approvals", json!(null), "/approvals is not an array"),
        (
            "/data/ticket/approvals/0/decided_at",
            json!("today"),
            "/approvals/0/decided_at is not a time such as 2026-11-03T08:31:07Z",
        ),
        ("/data/ticket/fields_changed_at", json!(5), "/fields_changed_at is not a text"),
        ("/data/ticket/requester", json!("p31"), "/requester/id is not there"),
        ("/data/ticket/requester", json!([]), "/requester/id is not there"),
    ] {
        let refused = not_a_ticket(whole(&with(told_body(), path, value)));
        assert_eq!(refused, format!("in data.ticket {why}"));
    }
    for member in
        ["requester", "created_by", "principal", "entitlement", "duration", "fields_changed_at", "status", "approvals"]
    {
        let refused = not_a_ticket(whole(&without(told_body(), &format!("/data/ticket/{member}"))));
        assert!(refused.contains(&format!("/{member}")), "{refused}");
    }
}

#[test]
fn a_telling_says_when_it_was_so() {
    for body in [told_body(), parsed(fixture!("hook-withdrawn"))] {
        let dated = |at: Value| with(body.clone(), "/timestamp", at);
        for odd in [json!(null), json!(1_793_697_242), json!("2026-11-03"), json!("2026-11-03T09:14:02")] {
            assert!(malformed(whole(&dated(odd))).starts_with("/timestamp is not a "));
        }
        assert!(malformed(whole(&without(body.clone(), "/timestamp"))).starts_with("/timestamp is not a time"));
        assert!(whole(&dated(json!("2026-11-03T10:14:02.1234567+01:00"))).is_ok());
    }
}

#[test]
fn deliveries_signed_elsewhere_are_proved_and_known_again_by_their_id() {
    let known = parsed(fixture!("signatures"));
    let secret = known["secret"].as_str().expect("a secret");
    let settings = webhook(WebhookScheme::StandardWebhooks, &[secret]);
    for (name, body) in [
        ("hook-approved", fixture!("hook-approved")),
        ("hook-withdrawn", fixture!("hook-withdrawn")),
        ("told-approved", fixture!("told-approved")),
    ] {
        let mut headers = HeaderMap::new();
        for (header, value) in known["deliveries"][name].as_object().expect("headers") {
            let value = HeaderValue::from_str(value.as_str().expect("a value")).expect("a value");
            headers.insert(HeaderName::from_bytes(header.as_bytes()).expect("a name"), value);
        }
        let signed: i64 = headers["webhook-timestamp"].to_str().expect("a text").parse().expect("a number");
        let now = jiff::Timestamp::from_second(signed + 60).expect("a time");
        let body = verify(&settings, &headers, Bytes::from_static(body), now).expect("a genuine delivery");
        let id = known["deliveries"][name]["webhook-id"].as_str().expect("an id");
        assert_eq!(body.delivery_key(), format!("id:{id}"));
        assert!(matches!(desk(Source::ReadBack).hear(&body), Ok(Heard::Hint(_))), "{name}");
    }
    let unnamed = delivery(b"{}").delivery_key();
    assert_eq!(unnamed, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

#[test]
fn no_change_of_any_member_makes_the_reader_panic_or_name_a_strange_ticket() {
    for body in [fixture!("hook-approved"), fixture!("hook-withdrawn"), fixture!("told-approved")] {
        for mutant in mutants(&parsed(body)) {
            for source in [Source::ReadBack, Source::Webhooks] {
                if let Ok(Heard::Hint(hint)) = hear(source, &mutant) {
                    assert!(document::is_id(hint.ticket.as_str()), "{hint:?}");
                    assert!(hint.number.as_str().starts_with("DESK-"), "{hint:?}");
                    assert_eq!(hint.told.is_some(), source == Source::Webhooks);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(at in any::<prop::sample::Index>(), new in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut body = fixture!("told-approved").to_vec();
        let at = at.index(body.len());
        body[at] = new;
        let _ = desk(Source::Webhooks).hear(&delivery(&body));
        body.truncate(cut.index(body.len()));
        let _ = desk(Source::Webhooks).hear(&delivery(&body));
    }
}
