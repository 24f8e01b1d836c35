//! Signed webhooks on several connections: at the full history beside an empty one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use stint::{
    clock::Clock,
    sandbox::{Webhook, story},
};

use crate::{
    client::Client,
    place::Place,
    process::Process,
    report::{Must, Report, say},
};

/// Intake at the full history, as a part of intake at an empty one.
const FLAT: f64 = 0.9;

/// Senders at a time.
const SENDERS: u64 = 8;

static TICKETS: AtomicU64 = AtomicU64::new(0);

/// Measures intake here and there, in turns.
pub fn measure(place: &Place<'_>, report: &mut Report) {
    say("intake");
    let time = Duration::from_millis(place.size.of(8000, 400));
    let (mut full, mut empty) = (0.0, 0.0);
    // The first turn of each warms up.
    for turn in 0..place.size.of(4, 2) {
        let rates = [rate(&place.empty, time), rate(&place.full, time)];
        if turn > 0 {
            empty += rates[0];
            full += rates[1];
        }
    }
    let turns = f64::from(place.size.of(3, 1));
    report.show(&format!(
        "intake of {SENDERS} senders: {:.0} webhooks/s; on an empty history {:.0}",
        full / turns,
        empty / turns
    ));
    report.ratio("webhooks/s, to those on an empty history", full / empty, Must::AtLeast(FLAT));
}

/// Webhooks a second that are answered 202.
fn rate(stint: &Process, time: Duration) -> f64 {
    let began = Instant::now();
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut client = Client::new(&stint.address, "");
                while began.elapsed() < time {
                    send(&mut client);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "some thousand webhooks")]
    let answered = answered.into_inner() as f64;
    answered / began.elapsed().as_secs_f64()
}

fn send(client: &mut Client) {
    let number = TICKETS.fetch_add(1, Ordering::Relaxed);
    let body = format!(
        "{{\"type\":\"ticket.approved\",\"timestamp\":\"2026-11-03T08:31:07Z\",\
         \"data\":{{\"ticket\":{{\"id\":\"new{number}\",\"number\":\"DESK-{}\"}}}}}}",
        900_000_000 + number
    );
    let mut webhook = Webhook { headers: vec![], body: body.into_bytes() };
    webhook.sign_standard(story::DESK_WEBHOOK_SECRET, &format!("msg_new{number}"), Clock::system().now());
    let mut headers = "content-type: application/json\r\n".to_owned();
    for (name, value) in &webhook.headers {
        headers.extend([name.as_ref(), ": ", value.as_str(), "\r\n"]);
    }
    let answer = client.post("/webhooks/service-desk", &headers, &webhook.body);
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
}
