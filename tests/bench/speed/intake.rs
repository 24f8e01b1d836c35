//! Durable intake beside pgbench, which makes the same inserts with one transaction for each webhook.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use stint::{clock::Clock, sandbox::Webhook};

use crate::{
    client::Client,
    programs::program,
    report::{Must, Report, say},
    world::{Stint, World, path, post, webhook_secret},
};

/// Connections at a time, the part of pgbench's rate that is expected, and webhooks a turn.
const LOADS: [(u64, f64, u64); 2] = [(8, 0.9, 3_000), (64, 1.3, 8_000)];

/// Resident memory under this load, as a multiple of what is allowed to an idle stint.
const MEMORY: f64 = 2.0;

/// The rows that stint writes for a webhook. Identifiers grow, as stint's do; no text has a colon before a letter, which
/// would be a variable.
const SCRIPT: &str = r#"\set n :n + 1
begin;
insert into requests (id, connection, tenant, ticket_id, ticket_number, state, received_at, updated_at, state_since, hinted_at, due_at) values ((lpad(to_hex(:n::bigint), 16, '0') || lpad(to_hex(:client_id::bigint), 16, '0'))::uuid, 'desk0', null, 'new' || :n || '-' || :client_id, 'DESK-' || :n || :client_id, 'received', now(), now(), now(), now(), now());
insert into deliveries (connection, delivery_key, request_id, outcome, headers, body, received_at) values ('desk0', 'msg_' || :n || '-' || :client_id, (lpad(to_hex(:n::bigint), 16, '0') || lpad(to_hex(:client_id::bigint), 16, '0'))::uuid, 'accepted', '{"flow": null, "identifier": "msg_1", "retry": null}', '{"type":"ticket.approved","timestamp":"2026-11-03T08-31-07Z","data":{"ticket":{"id":"new1000000","number":"DESK-900000000"}}}', now());
with event as (insert into audit_events (at, request_id, connection, tenant, event, actor, state_from, state_to, detail_sha256) values (now(), (lpad(to_hex(:n::bigint), 16, '0') || lpad(to_hex(:client_id::bigint), 16, '0'))::uuid, 'desk0', null, 'received', 'connection-desk0', null, 'received', sha256('')) returning id), detail as (insert into audit_details (event_id, detail) select id, '{"because": {"delivery": "msg_1"}, "ticket": {"id": "new1000000", "number": "DESK-900000000"}}' from event) insert into audit_pending (event_id) select id from event;
commit;
"#;

/// Measures both, in turns.
pub fn measure(world: &World<'_>, report: &mut Report) {
    say("intake");
    let mut sent = 0;
    for (connections, least, webhooks) in LOADS {
        let webhooks = world.size.of(webhooks, 640);
        let (ours, theirs) = (world.database(), world.database());
        let stint = world.stint(&ours, Some("http"));
        let (mut stints, mut pgbenchs) = (vec![], vec![]);
        // The first turn of each warms up.
        for turn in 0..world.size.of(5, 2) {
            let signed = sign(sent, connections, webhooks);
            sent += webhooks;
            let times = [intake(&stint, signed), pgbench(&theirs, turn * 1_000_000, connections, webhooks)];
            if turn > 0 {
                stints.push(times[0]);
                pgbenchs.push(times[1]);
            }
        }
        for (database, turns) in [(&ours, world.size.of(5, 2)), (&theirs, world.size.of(5, 2))] {
            let rows = "select least((select count(*) from requests), (select count(*) from deliveries \
                        where outcome = 'accepted'), (select count(*) from audit_pending))";
            let expected = i64::try_from(turns * (webhooks / connections * connections)).expect("a number");
            assert_eq!(world.number(database, rows), expected, "every webhook is there");
        }
        let ratio = median(pgbenchs).as_secs_f64() / median(stints).as_secs_f64();
        report.ratio(
            &format!("durable intake at {connections} connections, to pgbench's"),
            ratio,
            Must::AtLeast(least),
        );
        if connections == 64 {
            #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
            let memory = stint.process.most_resident() as f64 / crate::lean::IDLE_MEMORY;
            report.ratio("resident memory under that load, to what is allowed when idle", memory, Must::AtMost(MEMORY));
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What each connection will send.
fn sign(first: u64, connections: u64, webhooks: u64) -> Vec<Vec<Webhook>> {
    let (secret, now) = (webhook_secret(0), Clock::system().now());
    let webhook = |number: u64| {
        let body = format!(
            "{{\"type\":\"ticket.approved\",\"timestamp\":\"2026-11-03T08:31:07Z\",\
             \"data\":{{\"ticket\":{{\"id\":\"new{number}\",\"number\":\"DESK-{}\"}}}}}}",
            900_000_000 + number
        );
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let mut webhook = Webhook { headers, body: body.into_bytes() };
        webhook.sign_standard(&secret, &format!("msg_new{number}"), now);
        webhook
    };
    let each = webhooks / connections;
    let of = |connection: u64| (0..each).map(|nth| webhook(first + connection * each + nth)).collect();
    (0..connections).map(of).collect()
}

/// How long stint takes for all of them.
fn intake(stint: &Stint, signed: Vec<Vec<Webhook>>) -> Duration {
    let clients = signed.into_iter().map(|webhooks| (Client::new(&stint.process.address, ""), webhooks));
    let clients: Vec<_> = clients.collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (mut client, webhooks) in clients {
            scope.spawn(move || webhooks.iter().for_each(|webhook| post(&mut client, &path(0), webhook)));
        }
    });
    began.elapsed()
}

/// How long pgbench takes, by its own word: without what it takes to connect.
fn pgbench(database: &str, first: u64, connections: u64, webhooks: u64) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("webhook.sql");
    std::fs::write(&script, SCRIPT).expect("a script");
    let mut command = Command::new(program("pgbench"));
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    command.arg(format!("--client={connections}")).arg(format!("--transactions={}", webhooks / connections));
    command.arg(format!("--define=n={first}")).arg("--file").arg(&script).arg(database);
    let output = command.current_dir(folder.path()).output().expect("pgbench");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    #[expect(clippy::cast_precision_loss, reason = "some thousand webhooks")]
    let webhooks = (webhooks / connections * connections) as f64;
    Duration::from_secs_f64(webhooks / rate.expect("a rate"))
}
