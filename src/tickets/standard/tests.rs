use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{
        Connection,
        jira::fixtures::{sample, webhook},
        settings::{ConnectionSettings, SignIn, WebhookScheme},
    },
    fixtures::{
        TOKEN, answer, bad, common, delivery, desk, fixture, mutants, parsed, read, replaced, step, ticket, time, with,
        without,
    },
    *,
};
use crate::{
    clock::{Clock, ManualClock},
    domain::{
        approval::{AccountKind, Outcome},
        id::TicketNumber,
        ticket::{Field, Standing, Window},
    },
    outbound::{Credential, Limits, Wire},
};

fn text(text: &str) -> Field {
    Field::Text(text.into())
}

#[test]
fn a_ticket_is_read_by_its_id_in_one_call() {
    let Ok(Step::Send(call)) = desk(Source::ReadBack).read(&TicketId::new("t#5/1"), &[]) else { panic!("a call") };
    assert_eq!((call.method.as_str(), call.path.as_str(), call.query.len()), ("GET", "/tickets/t%235%2F1", 0));
    let ticket = read(&ticket());
    assert_eq!((ticket.id.as_str(), ticket.number.as_str()), ("t-5531", "DESK-204"));
    assert_eq!(ticket.url.as_deref(), Some("https://desk.contoso.example/t/5531"));
    assert_eq!((ticket.in_scope, ticket.standing, ticket.basis), (true, Standing::Approved, Basis::ReadBack));
    assert_eq!(ticket.entitlement, text("exchange-admin"));
    assert_eq!(ticket.principal, text("mara.lind@contoso.example"));
    assert_eq!((ticket.duration, ticket.tenant), (text("PT2H"), None));
    assert_eq!(ticket.fields_changed_at, Some(time("2026-11-03T08:55:40Z")));
    let (start, end) = (Some(time("2026-11-03T10:00:00Z")), Some(time("2026-11-03T17:00:00Z")));
    assert_eq!(ticket.window, Window { start, end, unknown: None });
    assert_eq!(ticket.time_zone.as_deref(), Some("Europe/Stockholm"));
    let requester = ticket.requester.expect("a requester");
    assert_eq!((requester.id.as_str(), requester.kind, requester.active), ("p31", AccountKind::Unstated, None));
    assert_eq!(requester.email.as_deref(), Some("mara.lind@contoso.example"));
    let creator = ticket.creator.expect("a creator");
    assert_eq!((creator.id.as_str(), creator.kind, creator.active), ("p40", AccountKind::Person, Some(true)));
}

#[test]
fn the_answer_is_about_the_ticket_that_was_asked_for() {
    assert_eq!(bad(&replaced("/id", json!("t-5532"))), "another ticket than the one asked for");
    assert_eq!(bad(&replaced("/id", json!(5531))), "/id is not a text");
    assert!(!read(&replaced("/number", json!("OPS-204"))).in_scope, "moved");
    assert_eq!(bad(&json!([])), "the text is not an object");
}

#[test]
fn a_status_says_whether_the_ticket_still_stands() {
    for (word, standing) in [
        ("pending", Standing::Open),
        ("approved", Standing::Approved),
        ("rejected", Standing::Open),
        ("cancelled", Standing::Closed),
        ("closed", Standing::Closed),
    ] {
        assert_eq!(read(&replaced("/status", json!(word))).standing, standing, "{word}");
    }
    for odd in [json!("Approved"), json!("done"), json!(""), json!(null), json!(1)] {
        assert!(bad(&replaced("/status", odd)).starts_with("/status is not "));
    }
}

#[test]
fn a_field_is_text_empty_hidden_or_unreadable() {
    for name in ["principal", "entitlement", "duration"] {
        let of = |document: &Value| match name {
            "principal" => read(document).principal,
            "entitlement" => read(document).entitlement,
            _ => read(document).duration,
        };
        let path = format!("/{name}");
        assert_eq!(of(&replaced(&path, json!(" x\n"))), text("x"));
        assert_eq!(of(&replaced(&path, json!(null))), Field::Empty);
        assert_eq!(of(&replaced(&path, json!(" "))), Field::Empty);
        assert_eq!(of(&replaced(&path, json!(["x"]))), Field::Unreadable);
        assert_eq!(of(&without(ticket(), &path)), Field::Hidden);
    }
}

#[test]
fn a_mapped_tenant_is_a_member_of_the_document() {
    let mut common = common();
    common.fields.tenant = Some("customer".into());
    let desk = Standard::new(&common, Source::ReadBack);
    let tenant = |document: &Value| match desk.read(&TicketId::new("t-5531"), &[answer(200, document)]) {
        Ok(Step::Done(Reading::Found(ticket))) => ticket.tenant,
        other => panic!("not a ticket: {other:?}"),
    };
    assert_eq!(tenant(&replaced("/customer", json!("contoso"))), Some(text("contoso")));
    assert_eq!(tenant(&ticket()), Some(Field::Hidden));
}

#[test]
fn an_edit_can_hide_neither_in_silence_nor_in_a_strange_date() {
    assert_eq!(bad(&without(ticket(), "/fields_changed_at")), "/fields_changed_at is not a time, nor null for never");
    for odd in [json!("yesterday"), json!(1_793_697_242), json!(""), json!(false), json!("2026-11-03")] {
        assert!(bad(&replaced("/fields_changed_at", odd)).starts_with("/fields_changed_at is not a "));
    }
    assert_eq!(read(&replaced("/fields_changed_at", json!(null))).fields_changed_at, None);
}

#[test]
fn nobody_is_known_without_an_id() {
    for path in ["/requester", "/created_by"] {
        let of =
            |document: &Value| if path == "/requester" { read(document).requester } else { read(document).creator };
        assert_eq!(of(&without(ticket(), path)), None);
        for nobody in [json!(null), json!({}), json!({"id": null, "name": "Mara Lind"})] {
            assert_eq!(of(&replaced(path, nobody)), None);
        }
        for odd in ["", "p 31", "p31\u{200b}", "\u{440}31", &"p".repeat(256)] {
            assert_eq!(
                bad(&replaced(path, json!({"id": odd}))),
                format!("{path}/id is not 1 to 255 visible ASCII characters")
            );
        }
        assert_eq!(bad(&replaced(path, json!({"id": 31}))), format!("{path}/id is not a text"));
        assert_eq!(bad(&replaced(path, json!(["p31"]))), format!("{path} is not an object"));
    }
}

#[test]
fn an_account_says_what_it_is_in_known_words() {
    let of =
        |account: Value| read(&replaced("/requester", account)).requester.map(|a| (a.kind, a.active, a.name, a.email));
    assert_eq!(
        of(json!({"id": "p", "kind": "app", "active": false})),
        Some((AccountKind::App, Some(false), None, None))
    );
    assert_eq!(
        of(json!({"id": "p", "name": " ", "email": null, "kind": null})),
        Some((AccountKind::Unstated, None, None, None))
    );
    for (member, value) in [
        ("kind", json!("bot")),
        ("kind", json!(1)),
        ("active", json!("true")),
        ("email", json!(["a@b"])),
        ("name", json!({})),
    ] {
        let why = bad(&replaced("/requester", json!({"id": "p", member: value})));
        assert!(why.starts_with(&format!("/requester/{member} is not ")), "{why}");
    }
}

#[test]
fn a_window_is_open_where_it_says_so_and_unknown_where_it_cannot_be_read() {
    let window = |value: Value| read(&replaced("/window", value)).window;
    let open = Window::default();
    assert_eq!(read(&without(ticket(), "/window")).window, open);
    for value in [json!(null), json!({}), json!({"start": null, "end": null})] {
        assert_eq!(window(value), open);
    }
    let start = time("2026-11-03T10:00:00Z");
    assert_eq!(window(json!({"start": "2026-11-03T10:00:00Z"})), Window { start: Some(start), ..Window::default() });
    let unknown = Some(Field::Unreadable);
    for odd in
        [json!("10:00"), json!(["x"]), json!({"end": "18:00"}), json!({"start": 7}), json!({"start": "", "end": null})]
    {
        assert_eq!(window(odd), Window { unknown: unknown.clone(), ..Window::default() });
    }
    let half = window(json!({"start": "2026-11-03T10:00:00Z", "end": "soon"}));
    assert_eq!(half, Window { start: Some(start), end: None, unknown });
}

#[test]
fn a_link_that_people_click_on_leads_to_https_or_to_the_desk_itself() {
    let url = |text: &str| read(&replaced("/url", json!(text))).url;
    assert_eq!(url("https://elsewhere.example/1").as_deref(), Some("https://elsewhere.example/1"));
    for odd in ["javascript:alert(1)", "http://desk.contoso.example/1", "data:text/html,x", "/t/5531", ""] {
        assert_eq!(url(odd), None, "{odd}");
    }
    assert_eq!(read(&replaced("/url", json!({}))).url, None);
    assert_eq!(read(&without(ticket(), "/url")).url, None);
    let common = Common { base_url: "http://127.0.0.1:4010/api".parse().expect("a URL"), ..common() };
    let desk = Standard::new(&common, Source::ReadBack);
    let document = replaced("/url", json!("http://127.0.0.1:4010/t/1"));
    let Ok(Step::Done(Reading::Found(found))) = desk.read(&TicketId::new("t-5531"), &[answer(200, document)]) else {
        panic!("a ticket")
    };
    assert_eq!(found.url.as_deref(), Some("http://127.0.0.1:4010/t/1"));
    for odd in [json!("Europe/Stockholm\n"), json!(1), json!("")] {
        assert_eq!(read(&replaced("/time_zone", odd)).time_zone, None);
    }
}

#[test]
fn a_ticket_that_is_not_there_is_absent_and_a_strange_answer_is_an_error() {
    let read = |answer: Answer| desk(Source::ReadBack).read(&TicketId::new("t-5531"), &[answer]);
    assert_eq!(read(answer(404, json!({"error": "no such ticket"}))), Ok(Step::Done(Reading::Absent)));
    for strange in
        [answer(413, "{}"), answer(200, ""), answer(204, ""), answer(200, "null"), answer(200, r#"{"id":1,"id":1}"#)]
    {
        assert!(matches!(read(strange), Err(TicketError::BadAnswer { .. })));
    }
}

fn note() -> Note {
    Note { ticket: TicketId::new("t-5531"), key: "r1:granted".into(), text: "Access granted.\n".into(), internal: true }
}

#[test]
fn a_note_is_posted_with_its_key_whether_or_not_it_may_be_there() {
    for maybe_written in [false, true] {
        let Ok(Step::Send(call)) = desk(Source::ReadBack).write_note(&note(), maybe_written, &[]) else {
            panic!("a call")
        };
        assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/tickets/t-5531/notes"));
        assert_eq!(call.body, Body::Json(json!({"key": "r1:granted", "text": "Access granted."})));
    }
}

#[test]
fn what_becomes_of_a_note_is_said_by_the_status() {
    let written = |status| desk(Source::ReadBack).write_note(&note(), false, &[answer(status, "{}")]);
    for status in [200, 201, 202, 204] {
        assert_eq!(written(status), Ok(Step::Done(())));
    }
    assert_eq!(written(404), Err(TicketError::Absent));
    assert_eq!(written(413), Err(TicketError::Full));
}

fn window() -> Lookback {
    Lookback { since: time("2026-11-03T09:00:00.75Z"), now: time("2026-11-03T09:10:00Z") }
}

fn list(answers: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
    desk(Source::ReadBack).changed(&window(), answers)
}

fn pages() -> [Answer; 2] {
    [fixture!("list-1"), fixture!("list-2")].map(|page| answer(200, parsed(page)))
}

#[test]
fn changed_tickets_are_listed_page_by_page() {
    let asked = |answers: &[Answer]| match list(answers) {
        Ok(Step::Send(call)) => {
            let query: Vec<_> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}?{}", call.method, call.path, query.join("&"))
        }
        other => panic!("not a call: {other:?}"),
    };
    let first = "GET /tickets?status=approved&updated_since=2026-11-03T09:00:00Z";
    assert_eq!(asked(&[]), first);
    assert_eq!(asked(&pages()[..1]), format!("{first}&cursor=p2"));
    let Ok(Step::Done(found)) = list(&pages()) else { panic!("a list") };
    let found: Vec<_> = found.iter().map(|listed| (listed.ticket.as_str(), listed.number.as_str())).collect();
    assert_eq!(found, [("t-5531", "DESK-204"), ("t-5542", "DESK-206"), ("t-5550", "DESK-210")], "and nobody else's");
}

#[test]
fn a_system_without_the_list_lists_nothing_but_half_a_list_is_an_error() {
    let absent = || answer(404, json!({"error": "not found"}));
    assert_eq!(list(&[absent()]), Ok(Step::Done(vec![])));
    let [first, _] = pages();
    assert!(matches!(list(&[first.clone(), absent()]), Err(TicketError::BadAnswer { .. })));
    for odd in [
        json!([]),
        json!({}),
        json!({"items": {}}),
        json!({"items": [{"id": 1, "number": "DESK-1"}]}),
        json!({"items": [{"id": "1"}]}),
        json!({"items": [], "next": 2}),
    ] {
        assert!(matches!(list(&[answer(200, odd)]), Err(TicketError::BadAnswer { .. })));
    }
    assert!(matches!(list(&vec![first; 50]), Err(TicketError::BadAnswer { .. })), "no end");
}

#[test]
fn where_nothing_is_read_back_nobody_is_called() {
    assert_eq!(desk(Source::Webhooks).changed(&window(), &[]), Ok(Step::Done(vec![])));
    assert_eq!(
        (desk(Source::Webhooks).source(), desk(Source::ReadBack).source()),
        (Source::Webhooks, Source::ReadBack)
    );
}

#[test]
fn one_connection_serves_all_tickets_of_an_address() {
    assert_eq!(desk(Source::ReadBack).territory(), desk(Source::Webhooks).territory());
}

#[test]
fn no_change_of_any_member_makes_the_reader_panic_or_read_another_ticket() {
    for mutant in mutants(&ticket()) {
        if let Ok(Step::Done(Reading::Found(found))) = step(&mutant) {
            assert_eq!(found.id.as_str(), "t-5531");
            assert!(
                found.approvals.iter().all(|round| round.outcome != Outcome::Approved || round.decided_at.is_some())
            );
        }
    }
    for mutant in mutants(&parsed(fixture!("list-1"))) {
        if let Ok(Step::Done(found)) = list(&[answer(200, mutant)]) {
            assert!(found.iter().all(|listed| listed.number != TicketNumber::new("OPS-7")));
        }
    }
}

/// A connection whose tickets are only told, and the present.
fn told_only() -> (Connection, Timestamp) {
    let now = time("2026-11-03T09:20:00Z");
    let common = common();
    let settings = ConnectionSettings {
        system: Arc::new(Standard::new(&common, Source::Webhooks)),
        webhook: webhook(WebhookScheme::Bearer, &[TOKEN]),
        auth: SignIn::Fixed(Credential::Nobody),
        common,
    };
    let wire = Wire::new(Limits::default()).expect("a client");
    (Connection::new(settings, wire, Clock::manual(ManualClock::at(now))), now)
}

#[test]
fn no_ticket_is_told_for_a_time_to_come() {
    let (connection, now) = told_only();
    let hear = |seconds: i64| {
        let at = now + jiff::SignedDuration::from_secs(seconds);
        let body = with(parsed(fixture!("told-approved")), "/timestamp", json!(at.to_string()));
        connection.hear(&delivery(body.to_string().as_bytes()))
    };
    for fine in [-86_400, 0, 300] {
        assert!(matches!(hear(fine), Ok(Heard::Hint(_))), "{fine}");
    }
    for early in [301, 86_400_000] {
        assert!(matches!(hear(early), Err(NotHeard::Malformed(_))), "{early}");
    }
}

#[test]
fn without_a_way_to_sign_in_no_note_is_written() {
    let (connection, _) = told_only();
    assert!(!connection.takes_notes());
    assert_eq!(connection.source(), Source::Webhooks);
}

#[test]
fn the_contracts_sample_is_read_whole() {
    let Some(document) = sample("rest-standard-ticket-200") else { return };
    let read = |id: &str| desk(Source::ReadBack).read(&TicketId::new(id), &[answer(200, document.clone())]);
    let Ok(Step::Done(Reading::Found(ticket))) = read("8841") else { panic!("{:?}", read("8841")) };
    assert_eq!((ticket.number.as_str(), ticket.standing, ticket.in_scope), ("DESK-12", Standing::Approved, true));
    assert_eq!((ticket.entitlement, ticket.duration), (text("exchange-admin"), text("PT4H")));
    assert_eq!(ticket.principal, text("nina.keller@acme-msp.example"));
    let [round] = ticket.approvals.as_slice() else { panic!("one round") };
    assert_eq!((round.outcome, round.decided_at), (Outcome::Approved, Some(time("2026-11-03T08:31:07Z"))));
    assert!(matches!(read("8842"), Err(TicketError::BadAnswer { .. })), "another ticket's");
    let foreign = sample("rest-freshservice-approvals-200").expect("a sample");
    let foreign = desk(Source::ReadBack).read(&TicketId::new("8841"), &[answer(200, foreign)]);
    assert!(matches!(foreign, Err(TicketError::BadAnswer { .. })), "another system's");
}
