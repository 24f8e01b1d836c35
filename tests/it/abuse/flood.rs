//! A flood against the program itself, as an operator starts it: good deliveries go on, and memory stays where it is.
//!
//! `STINT_FLOOD` says for how many seconds; `./dev abuse` prints what good deliveries take without and with the flood.
//! Nothing is asserted of times: one machine plays all the parts.

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt as _, stream};
use stint::sandbox::{
    Webhook,
    jira::{IssueDraft, WebhookKind},
    story,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval},
};

use super::{abuse, address, answers_to, honest, statuses};
use crate::serve::{serving, told, world};

/// Attackers, each of whom holds so many connections, and opens one at each tick.
const ATTACKERS: usize = 16;
const HELD: usize = 64;
const TICK: Duration = Duration::from_millis(40);

/// Good deliveries under way.
const IN_FLIGHT: usize = 8;
/// At least so many in each part of the run.
const DELIVERIES: usize = 100;

/// Bodies of all abuses together would be many times this.
const MOST_MEMORY_KB: u64 = 256 * 1024;

/// What an attacker sends and then waits.
fn begun(n: usize) -> Vec<u8> {
    let post = |lines: &str, body: &str| {
        format!("POST /webhooks/jira-cloud HTTP/1.1\r\nHost: stint\r\n{lines}\r\n{body}").into_bytes()
    };
    match n % 8 {
        0 => vec![],
        1 => post("X: never", "")[..40].to_vec(),
        2 => post(&format!("X: {}\r\n", "x".repeat(30_000)), "")[..30_000].to_vec(),
        3 => post("Transfer-Encoding: chunked\r\n", "ffff\r\n{"),
        4 => post("Expect: 100-continue\r\nContent-Length: 1000000\r\n", ""),
        5 => "GET /openapi.json HTTP/1.1\r\nHost: stint\r\n\r\n".repeat(2).into_bytes(),
        // All but the last byte of a body of the greatest length.
        _ => post("Content-Length: 1048576\r\n", &"[".repeat(1_048_575)),
    }
}

/// Opens connection after connection, and holds the newest.
async fn attacks(address: String, first: usize) {
    let (mut held, mut ticks) = (VecDeque::new(), interval(TICK));
    for n in first.. {
        ticks.tick().await;
        let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
        // Whoever is cut off goes on with another connection.
        let _ = tokio::time::timeout(TICK, stream.write_all(&begun(n))).await;
        held.push_back(stream);
        if held.len() > HELD {
            held.pop_front();
        }
    }
}

/// Posts good deliveries for so long; gives what each took, in order of size.
async fn good(address: &str, webhook: &Webhook, run: &str, time: Duration) -> Vec<Duration> {
    let began = Instant::now();
    let numbers = stream::iter(0..).take_while(|n| {
        let goes_on = *n < DELIVERIES || began.elapsed() < time;
        std::future::ready(goes_on)
    });
    let posts = numbers.map(|n: usize| async move {
        let mut webhook = webhook.clone();
        webhook.set_header("X-Atlassian-Webhook-Identifier", format!("{run}-{n}"));
        let (began, sent) = (Instant::now(), abuse("good", honest(&webhook), &[]));
        let answers = statuses(&answers_to(address, &sent).await, "good");
        assert!(answers == [202] || answers == [200], "delivery {run}-{n} is answered {answers:?}");
        began.elapsed()
    });
    let mut taken: Vec<_> = posts.buffer_unordered(IN_FLIGHT).collect().await;
    taken.sort_unstable();
    taken
}

/// A line of `/proc/<pid>/status` in kB; `None` where there is no such file.
fn memory(pid: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().nth(1)?.parse().ok())
}

fn at(taken: &[Duration], percent: usize) -> f64 {
    taken[(taken.len() - 1) * percent / 100].as_secs_f64() * 1000.0
}

#[tokio::test(flavor = "multi_thread")]
async fn good_deliveries_go_on_amid_a_flood_in_bounded_memory() {
    let seconds = std::env::var("STINT_FLOOD").map_or(2, |text| text.parse().expect("STINT_FLOOD is a number"));
    let time = Duration::from_secs(seconds);
    let (sandbox, folder) = world().await;
    assert!(told(&["migrate", "--config", &folder.config()]).await.0.success());
    let (child, url, _) = serving(&folder.config(), Some("http")).await;
    let (pid, address) = (child.id().expect("running"), address(&url));
    let ticket = sandbox.jira.create_issue(IssueDraft::default());
    sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    sandbox.jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    let mut webhook = sandbox.jira.webhook_for(&ticket.id, WebhookKind::Updated);
    webhook.sign_jira_hub(story::WEBHOOK_SECRET);

    let calm = good(&address, &webhook, "calm", time).await;
    let before = memory(pid, "VmRSS");
    let mut flood = JoinSet::new();
    for attacker in 0..ATTACKERS {
        flood.spawn(attacks(address.clone(), attacker));
    }
    let amid = good(&address, &webhook, "amid", time).await;
    let during = memory(pid, "VmRSS");
    drop(flood);
    let after = good(&address, &webhook, "after", Duration::ZERO).await;
    println!("good deliveries of {IN_FLIGHT} at a time, each on a connection of its own:");
    for (name, taken) in [("calm", &calm), ("amid the flood", &amid), ("after it", &after)] {
        let (p50, p99) = (at(taken, 50), at(taken, 99));
        println!("  {name}: {} answered 2xx, p50 {p50:.1} ms, p99 {p99:.1} ms", taken.len());
    }
    println!("  p99 amid the flood to p99 without: {:.1}", at(&amid, 99) / at(&calm, 99));
    println!(
        "  resident kB before {before:?}, amid the flood {during:?}, most {:?}, after {:?}",
        memory(pid, "VmHWM"),
        memory(pid, "VmRSS")
    );
    assert!(memory(pid, "VmHWM").is_none_or(|most| most < MOST_MEMORY_KB), "memory grew with the flood");
}
