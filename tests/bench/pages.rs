//! Pages of the list: stint with its token check and its audit event, beside the same statements through pgbench and
//! through a handler of a few lines.

use serde_json::Value;

use crate::{
    client::{Answer, Client},
    pgbench,
    place::Place,
    report::{Must, Report, Times, say},
};

/// Times a handler may take, as a multiple of the bare one's.
const OVERHEAD: f64 = 1.2;

/// Times a late page may take, as a multiple of the first one's.
const LATE: f64 = 1.3;

/// Which page is a late one, of so many entries each.
const LATE_PAGE: u64 = 10_000;
const PAGE: u64 = 50;

/// Different values that are asked for in turn.
const VALUES: u64 = 40;

/// A question that auditors ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The newest requests.
    Newest,
    /// One person's.
    Principal,
    /// Those of one ticket.
    Ticket,
    /// Those for one entitlement in a month.
    Entitlement,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Principal, Self::Ticket, Self::Entitlement];

    /// Its name, in words of a line and of the bare handler's path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Principal => "principal",
            Self::Ticket => "ticket",
            Self::Entitlement => "entitlement",
        }
    }

    /// What the nth asker asks for, of a history of so many requests.
    pub fn value(self, n: u64, requests: u64) -> String {
        // One that was decided, so that it is somebody's.
        let mut request = 1 + n * (requests / (VALUES + 1));
        while request.is_multiple_of(9) || request.is_multiple_of(97) {
            request += 1;
        }
        match self {
            Self::Newest => String::new(),
            Self::Principal => format!("{:08x}-1c5e-4b6f-a1c8-3f4e5d6c7b80", 1 + request * 7919 % 20_000),
            Self::Ticket => format!(
                "{}{}",
                ["ITSEC-", "RITM00", "DESK-"][usize::try_from(request % 3).unwrap_or(0)],
                100_000 + request
            ),
            Self::Entitlement => format!("entitlement-{}", n % 60),
        }
    }

    /// What stint is asked.
    pub fn query(self, value: &str) -> String {
        match self {
            Self::Newest => String::new(),
            Self::Principal => format!("&principal={value}"),
            Self::Ticket => format!("&ticket={value}"),
            Self::Entitlement => format!("&entitlement={value}&from={FROM}&to={TO}"),
        }
    }

    /// What its statement asks for, its value and the month in the form they are given in.
    pub fn clause(self, value: &str, from: &str, to: &str) -> String {
        match self {
            Self::Newest => String::new(),
            Self::Principal => format!(" and principal_id = {value}"),
            Self::Ticket => format!(" and (ticket_number = {value} or ticket_id = {value})"),
            Self::Entitlement => {
                format!(" and entitlement_key = {value} and received_at >= {from} and received_at < {to}")
            }
        }
    }
}

/// The month.
pub const FROM: &str = "2026-03-01T00:00:00Z";
/// Its end.
pub const TO: &str = "2026-04-01T00:00:00Z";

/// Measures every kind of page, and a late one.
pub fn measure(place: &Place<'_>, report: &mut Report) {
    say("pages");
    report.show("pages of 50, p50 / p99: stint; bare handler; the same without an audit event; pgbench");
    for kind in Kind::ALL {
        one_kind(place, kind, report);
    }
    late_page(place, report);
    moments(place, report);
}

fn one_kind(place: &Place<'_>, kind: Kind, report: &mut Report) {
    let samples = place.size.of(5000_usize, 40);
    let (mut stint, mut bare) = (place.auditor(), Client::new(&place.bare.address, ""));
    let values: Vec<_> = (0..VALUES).map(|n| kind.value(n, place.size.requests)).collect();
    let pages = values.iter().map(|value| format!("/v1/requests?limit={PAGE}{}", kind.query(value)));
    let bare_pages = values.iter().map(|value| format!("/page?kind={}&value={value}", kind.name()));
    let noted = bare_pages.clone().map(|page| format!("{page}&note=true"));
    // Side by side, so that what disturbs the machine disturbs both, and each as often first: whoever comes first finds
    // the rows of a value in nobody's cache.
    let asked: Vec<_> = pages.zip(noted).collect();
    let mut times = [vec![], vec![]];
    for n in 0..samples + values.len() {
        let (page, noted) = &asked[n % asked.len()];
        let mut counts = [0; 2];
        for turn in 0..2 {
            let who = (n + n / asked.len() + turn) % 2;
            let answer = if who == 0 { stint.get(page) } else { bare.get(noted) };
            counts[who] = entries(&answer, kind);
            if n >= values.len() {
                times[who].push(answer.micros);
            }
        }
        assert!(counts[0] > 0 && counts[0] == counts[1], "{kind:?} {page}: {counts:?}");
    }
    let [stint, bare_times] = times.map(Times::of);
    let alone = bare_pages.cycle().take(samples).map(|page| bare.get(&page).micros);
    let (bare, unnoted) = (bare_times, Times::of(alone.collect()));
    let by_pgbench = pgbench::page(place, kind);
    let words = [&stint, &bare, &unnoted, &by_pgbench].map(Times::in_words).join("; ");
    report.show(&format!("  {:<12} {words}", kind.name()));
    for (quantile, part) in [("p50", 0.5), ("p99", 0.99)] {
        let ratio = stint.quantile(part) / bare.quantile(part);
        report.ratio(&format!("{} {quantile}, stint to the bare handler", kind.name()), ratio, Must::AtMost(OVERHEAD));
    }
}

/// How many entries an answer holds; that it is whole is seen by reading it.
fn entries(answer: &Answer, kind: Kind) -> usize {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let items = body["items"].as_array().or(body.as_array());
    assert_eq!(answer.status, 200, "{kind:?}: {body}");
    items.expect("a list").len()
}

/// A page far down, walked to by its cursors, and the first one.
fn late_page(place: &Place<'_>, report: &mut Report) {
    let page = LATE_PAGE.min(place.size.requests / PAGE / 2);
    let mut client = place.auditor();
    let mut next = String::new();
    // Steps of 200 lead there sooner.
    for _ in 0..(page - 1) * PAGE / 200 {
        let answer = client.get(&format!("/v1/requests?limit=200{next}"));
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        next = format!("&cursor={}", body["next"].as_str().expect("a further page"));
    }
    let mut times = [vec![], vec![]];
    for _ in 0..place.size.of(2000, 40) {
        let paths = [format!("/v1/requests?limit={PAGE}"), format!("/v1/requests?limit={PAGE}{next}")];
        for (path, times) in paths.iter().zip(&mut times) {
            let answer = client.get(path);
            assert_eq!(entries(&answer, Kind::Newest), 50);
            times.push(answer.micros);
        }
    }
    let [first, late] = times.map(Times::of);
    report.show(&format!("  page 1 {}; page {page} {}", first.in_words(), late.in_words()));
    let ratio = late.quantile(0.5) / first.quantile(0.5);
    report.ratio(&format!("page {page} p50, to page 1"), ratio, Must::AtMost(LATE));
}

/// Who had what at moments of the month. Nothing else answers that, so nothing is compared.
fn moments(place: &Place<'_>, report: &mut Report) {
    let mut client = place.auditor();
    let mut times = vec![];
    for n in 0..place.size.of(1000, 40) {
        let path = format!("/v1/assignments?limit={PAGE}&at=2026-03-{:02}T{:02}:30:00Z", 1 + n % 28, n % 24);
        let answer = client.get(&path);
        entries(&answer, Kind::Newest);
        times.push(answer.micros);
    }
    report.show(&format!("  who had what at a moment {}", Times::of(times).in_words()));
}
