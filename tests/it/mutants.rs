//! Spoilt deliveries, most of them genuinely signed so that they get as far as they can: whatever they hold, the answer is
//! one of those that are documented, never a 5xx.
//!
//! `STINT_MUTANTS` says how many; `./dev mutate` runs a hundred thousand. `STINT_MUTANTS_SEED` chooses others.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use futures_util::{StreamExt as _, stream};
use stint::{
    outbound::Credential,
    sandbox::{Webhook, jira::IssueDraft, story},
};

use crate::{
    mutation::{Dice, mutated},
    world::It,
};

const MUTANTS: u64 = 2_000;
const SEED: u64 = 482;
const IN_FLIGHT: usize = 48;

/// What the contract lets a webhook be answered.
const DOCUMENTED: [u16; 7] = [200, 202, 400, 401, 413, 415, 422];

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contracts/ticket-samples");

const TOKEN: &str = "the-static-token-of-an-automation-rule";
const PASSWORD: &str = "the-password-of-a-business-rule";
const TOLD_SECRET: &str = "whsec_dGhlLWtleS1vZi1hLWRlc2stdGhhdC1pcy1uZXZlci1hc2tlZA==";

/// Further connections, so that every system is heard in every way that it has.
const CONNECTIONS: [(&str, &str); 4] = [
    (
        "AUTOMATION",
        r#"{ system = "jira", tenants = ["contoso"], base_url = "https://automation.example",
            auth = { kind = "bearer", token = "unused" }, ticket_pattern = "^ITSEC-[1-9][0-9]*$",
            webhook = { scheme = "bearer", secrets = ["the-static-token-of-an-automation-rule"] },
            projects = ["ITSEC"], approved_statuses = ["10016"], approval = "status-transition",
            fields = { entitlement = "customfield_1", principal = "customfield_2", duration = "customfield_3" } }"#,
    ),
    (
        "DISPLAY",
        r#"{ system = "servicenow", tenants = ["contoso"], base_url = "https://display.example",
            auth = { kind = "bearer", token = "unused" }, ticket_pattern = "^(RITM|CHG)[0-9]{7,12}$",
            webhook = { scheme = "basic", username = "rule", secrets = ["the-password-of-a-business-rule"] },
            fields = { entitlement = "entitlement", principal = "target_upn", duration = "duration" } }"#,
    ),
    (
        "TOLD",
        r#"{ system = "standard", tenants = ["contoso"], base_url = "https://told.example", read_back = "none",
            auth = { kind = "bearer", token = "unused" }, ticket_pattern = "^DESK-[1-9][0-9]*$" }"#,
    ),
    (
        "TOLD__WEBHOOK",
        r#"{ scheme = "standard-webhooks",
            secrets = ["whsec_dGhlLWtleS1vZi1hLWRlc2stdGhhdC1pcy1uZXZlci1hc2tlZA=="] }"#,
    ),
];

/// How a connection's deliveries prove themselves.
#[derive(Clone, Copy)]
enum Proof {
    Hub(&'static str),
    Standard(&'static str),
    Bearer,
    Basic,
}

/// Every connection, and which deliveries belong there.
const DOORS: [(&str, Proof, &str); 6] = [
    ("jira-cloud", Proof::Hub(story::WEBHOOK_SECRET), "jira"),
    ("automation", Proof::Bearer, "jira"),
    ("servicenow", Proof::Standard(story::SNOW_WEBHOOK_SECRET), "servicenow"),
    ("display", Proof::Basic, "servicenow"),
    ("service-desk", Proof::Standard(story::DESK_WEBHOOK_SECRET), "standard"),
    ("told", Proof::Standard(TOLD_SECRET), "told"),
];

/// What the mutants descend from: bodies, each with its kind.
struct Ancestors(Vec<(&'static str, Vec<u8>)>);

impl Ancestors {
    fn read() -> Self {
        let mut bodies = vec![];
        for (system, folder, prefixes) in [
            ("jira", "jira", ["hook", "dc-hook", "automation"].as_slice()),
            ("servicenow", "servicenow", &["hook"]),
            ("standard", "standard", &["hook"]),
            ("told", "standard", &["told"]),
        ] {
            let found = files(&format!("{FIXTURES}/{folder}"), prefixes);
            bodies.extend(found.into_iter().map(|body| (system, body)));
        }
        if Path::new(SAMPLES).exists() {
            for (system, prefix) in [("jira", "jira-"), ("servicenow", "snow-"), ("standard", "standard-")] {
                bodies.extend(files(SAMPLES, &[prefix]).into_iter().map(|body| (system, body)));
            }
        }
        Self(bodies)
    }

    /// One of this kind, and now and then another.
    fn pick(&self, dice: &mut Dice, kind: &str) -> &[u8] {
        loop {
            let (of, body) = dice.pick(&self.0);
            if *of == kind || dice.once_in(20) {
                return body;
            }
        }
    }
}

/// The files with such names, in an order that does not change.
fn files(folder: &str, prefixes: &[&str]) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let begins = |path: &Path| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut paths: Vec<_> = entries.filter(|path| begins(path)).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

/// One spoilt delivery.
struct Mutant {
    connection: &'static str,
    webhook: Webhook,
    /// Whether its proof was left as it must be.
    is_genuine: bool,
}

impl Mutant {
    fn bred(number: u64, seed: u64, ancestors: &Ancestors, it: &It) -> Self {
        let mut dice = Dice::of(seed, number);
        let (connection, proof, kind) = *dice.pick(&DOORS);
        let ancestor = ancestors.pick(&mut dice, kind);
        let mut body = mutated(&mut dice, ancestor);
        if dice.once_in(2_000) {
            body.resize(1_048_577, b' ');
        }
        let mut webhook = Webhook { headers: vec![("content-type".into(), "application/json".into())], body };
        // Every third repeats an identifier, of whatever other delivery.
        let name = if dice.once_in(3) { number / 2 } else { number };
        let id = format!("mutant-{name}");
        webhook.set_header("x-atlassian-webhook-identifier", &id);
        match proof {
            Proof::Hub(secret) => webhook.sign_jira_hub(secret),
            Proof::Standard(secret) => webhook.sign_standard(secret, &id, it.world.clock.now()),
            Proof::Bearer => webhook.bearer(TOKEN),
            Proof::Basic => webhook.basic("rule", PASSWORD),
        }
        if dice.once_in(10) {
            spoil_a_header(&mut dice, &mut webhook);
        }
        let is_genuine = !dice.once_in(12);
        if !is_genuine {
            spoil_the_proof(&mut dice, &mut webhook);
        }
        Self { connection, webhook, is_genuine }
    }

    /// Whether it may be answered so.
    fn allows(&self, status: u16, body: &[u8]) -> bool {
        if self.is_genuine {
            return DOCUMENTED.contains(&status) && status != 401;
        }
        status == 413 || (status == 401 && body.is_empty())
    }

    fn shown(&self) -> String {
        let Self { connection, webhook, is_genuine } = self;
        let (headers, body) = (&webhook.headers, webhook.body.escape_ascii());
        format!("posted to {connection}, genuine: {is_genuine}\n{headers:#?}\n{body}")
    }
}

/// Headers that prove nothing.
fn spoil_a_header(dice: &mut Dice, webhook: &mut Webhook) {
    let long = "x".repeat(1 << dice.below(12));
    let (name, value) = *dice.pick(&[
        ("content-type", "text/plain"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-type", "APPLICATION/JSON;"),
        ("content-type", ""),
        ("content-type", "é"),
        ("content-length-of-mine", "-1"),
        ("x-atlassian-webhook-identifier", ""),
        ("x-atlassian-webhook-identifier", "é\u{202e}"),
        ("x-atlassian-webhook-identifier", &long),
        ("x-atlassian-webhook-retry", "99999999999999999999999"),
        ("x-atlassian-webhook-flow", &long),
        ("x-forwarded-for", "::1, ';--"),
        ("accept", "text/html"),
    ]);
    if dice.once_in(4) {
        // There twice.
        webhook.headers.push((name.into(), value.into()));
    } else {
        webhook.set_header(name, value);
    }
}

fn spoil_the_proof(dice: &mut Dice, webhook: &mut Webhook) {
    const PROOFS: [&str; 3] = ["x-hub-signature", "webhook-signature", "authorization"];
    let is_proof = |name: &str| PROOFS.iter().any(|proof| proof.eq_ignore_ascii_case(name));
    let at = webhook.headers.iter().position(|(name, _)| is_proof(name)).expect("a proof");
    let (name, value) = webhook.headers[at].clone();
    let spoilt = match dice.below(6) {
        0 => return drop(webhook.headers.remove(at)),
        1 => return webhook.headers.push((name, value)),
        2 => value.chars().rev().collect(),
        3 => value[..dice.below(value.len())].to_owned(),
        4 => format!("{value}é"),
        _ => value.replace(['1', 'a', 'e', 'B', 'c', 'Z'], "0"),
    };
    webhook.headers[at].1 = if spoilt == value { String::new() } else { spoilt };
}

/// Posts raw bytes under raw headers, on connections that are kept.
#[expect(clippy::disallowed_methods, reason = "what is posted is what no honest client would send")]
async fn post(client: &reqwest::Client, it: &It, mutant: &Mutant) -> (u16, Vec<u8>) {
    let mut request = client.post(it.world.webhook_url(mutant.connection)).body(mutant.webhook.body.clone());
    for (name, value) in &mutant.webhook.headers {
        request = request.header(name, value.as_bytes());
    }
    let answer = request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}\n{}", mutant.shown()));
    let status = answer.status().as_u16();
    (status, answer.bytes().await.expect("a body").to_vec())
}

fn wanted(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn spoilt_deliveries_get_a_documented_answer_and_never_a_5xx() {
    let (count, seed) = (wanted("STINT_MUTANTS", MUTANTS), wanted("STINT_MUTANTS_SEED", SEED));
    println!("{count} mutants of seed {seed}");
    let it = Arc::new(
        It::with(|setup| {
            let named =
                CONNECTIONS.iter().map(|(key, value)| (format!("STINT__CONNECTIONS__{key}"), (*value).to_owned()));
            setup.overrides.extend(named);
        })
        .await,
    );
    let ancestors = Arc::new(Ancestors::read());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let posts = stream::iter(0..count).map(|number| {
        let (it, ancestors, client) = (Arc::clone(&it), Arc::clone(&ancestors), client.clone());
        let one = async move {
            let mutant = Mutant::bred(number, seed, &ancestors, &it);
            let (status, body) = post(&client, &it, &mutant).await;
            let answer = String::from_utf8_lossy(&body);
            assert!(
                mutant.allows(status, &body),
                "mutant {number} of seed {seed} is answered {status} {answer}\n{}",
                mutant.shown()
            );
            status
        };
        async { tokio::spawn(one).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) }
    });
    let mut counts = BTreeMap::new();
    let mut answers = posts.buffer_unordered(IN_FLIGHT);
    while let Some(status) = answers.next().await {
        *counts.entry(status).or_insert(0_u64) += 1;
    }
    drop(answers);
    println!("answers by status: {counts:?}");
    still_answers(&it).await;
    let it = Arc::into_inner(it).expect("the last holder");
    it.world.running.stop().await;
    it.world.service.store.close().await;
}

/// An ordinary delivery is taken in, and nothing was left half done.
async fn still_answers(it: &It) {
    let ready = it.fetch(&it.world.running.ops_url, "/readyz", &Credential::Nobody).await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    let ticket = it.approved(IssueDraft::default());
    it.taken_in(&ticket).await;
    let half: i64 = sqlx::query_scalar("select count(*) from deliveries where detail = 'being taken in'")
        .fetch_one(&mut it.sql().await)
        .await
        .expect("a count");
    assert_eq!(half, 0);
}
