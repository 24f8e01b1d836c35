//! Two processes under load: tickets are approved and told, and whoever kills something does so meanwhile.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use stint::{
    outbound::{Body, Call, Credential, Limits, Wire},
    sandbox::{
        ApiToken,
        graph::User,
        jira::{IssueDraft, Webhook, WebhookKind},
        story,
    },
};
use uuid::Uuid;

use crate::{books::Asked, dice::Dice, ground::Ground, process::Process};

/// Real time for an answer to a webhook.
const ANSWER: Duration = Duration::from_secs(10);

/// Real time before a sender repeats.
const PAUSE: Duration = Duration::from_millis(30);

/// Real time for coming to rest.
const REST: Duration = Duration::from_millis(500);

/// A sender that was not answered for so long gives up, and the run with it.
const NEVER: Duration = Duration::from_mins(2);

/// How many times each ticket's webhook is sent at once: ticket systems send twice now and then.
const COPIES: usize = 2;

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub acked: u64,
    pub repeated: u64,
    pub refused: u64,
    pub unanswered: u64,
}

/// The load, and the processes that bear it.
pub struct Load {
    pub ground: Ground,
    pub asked: Vec<Asked>,
    replicas: [tokio::sync::Mutex<Option<Process>>; 2],
    urls: Mutex<[Option<String>; 2]>,
    database_url: String,
    noted: Mutex<Noted>,
}

/// What senders noted.
#[derive(Default)]
struct Noted {
    counts: Counts,
    acked: Vec<String>,
    faults: Vec<String>,
    /// When deliveries were answered 2xx.
    moments: Vec<Instant>,
}

impl Load {
    /// Both processes serve, on this database.
    pub async fn begins(ground: Ground, database_url: String) -> Self {
        let replicas = [tokio::sync::Mutex::new(None), tokio::sync::Mutex::new(None)];
        let (urls, noted) = (Mutex::default(), Mutex::default());
        let load = Self { ground, asked: vec![], replicas, urls, database_url, noted };
        load.start(0).await;
        load.start(1).await;
        load
    }

    /// Kills one of them and starts it again.
    pub async fn kill(&self, which: usize) {
        let mut slot = self.replicas[which].lock().await;
        self.urls.lock().expect("not poisoned")[which] = None;
        if let Some(process) = slot.take() {
            process.kill().await;
        }
        drop(slot);
        self.start(which).await;
    }

    /// Starts one, as often as it takes: without its database it ends again.
    async fn start(&self, which: usize) {
        let mut slot = self.replicas[which].lock().await;
        let begun = Instant::now();
        while slot.is_none() {
            assert!(begun.elapsed() < NEVER, "a process never starts");
            *slot = Process::start(&self.ground, &self.database_url).await;
        }
        self.urls.lock().expect("not poisoned")[which] = slot.as_ref().map(|process| process.url.clone());
    }

    /// So many people ask, and are approved; gives their tickets.
    pub fn file(&mut self, dice: &mut Dice, count: u64) -> Vec<String> {
        let tickets: Vec<_> =
            (0..count).map(|_| self.file_one(60 + i64::try_from(dice.below(20)).unwrap_or(0))).collect();
        self.ground.clock.advance(SignedDuration::from_secs(30));
        tickets
    }

    fn file_one(&mut self, minutes: i64) -> String {
        let (id, jira) = (Uuid::new_v4().to_string(), &self.ground.sandbox.jira);
        let upn = format!("u{id}@contoso.example");
        self.ground.sandbox.graph.add_user(story::TENANT, User::member(&id, &upn, "Somebody"));
        let draft = IssueDraft { principal: upn, duration: format!("PT{minutes}M"), ..IssueDraft::default() };
        let ticket = jira.create_issue(draft).id;
        jira.request_approval(&ticket, &[story::OMAR_ACCOUNT]);
        jira.approve(&ticket, story::OMAR_ACCOUNT);
        let time = SignedDuration::from_mins(minutes);
        self.asked.push(Asked { time, ..Asked::of(&ticket, "expired") });
        ticket
    }

    /// The ticket is cancelled: however far its request has come, it gives nothing any more.
    pub fn cancel(&mut self, ticket: &str) {
        self.ground.sandbox.jira.cancel(ticket);
        for asked in self.asked.iter_mut().filter(|asked| asked.ticket == ticket) {
            asked.cancelled = true;
        }
    }

    /// Each ticket's webhook is posted, by senders of their own, until it is answered 2xx.
    pub async fn tell(&self, tickets: &[String], seed: u64) {
        let sending = tickets.iter().enumerate().flat_map(|(number, ticket)| {
            let mut webhook = self.ground.sandbox.jira.webhook_for(ticket, WebhookKind::Updated);
            webhook.sign_jira_hub(story::WEBHOOK_SECRET);
            let dice = move |copy: usize| Dice::of(seed, (number * COPIES + copy) as u64);
            (0..COPIES).map(move |copy| self.send(webhook.clone(), dice(copy)))
        });
        join_all(sending).await;
    }

    async fn send(&self, mut webhook: Webhook, mut dice: Dice) {
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(dice.below(700))).await;
        while begun.elapsed() < NEVER {
            let url = self.urls.lock().expect("not poisoned")[usize::from(dice.below(2) == 1)].clone();
            let status = match url {
                Some(url) => {
                    let url = format!("{url}/webhooks/jira-cloud");
                    let answer = tokio::time::timeout(ANSWER, webhook.deliver(&url)).await;
                    answer.ok().and_then(Result::ok).map(|(status, _, _)| status)
                }
                None => None,
            };
            if self.note(&webhook, status) {
                return;
            }
            webhook = webhook.retry();
            tokio::time::sleep(PAUSE).await;
        }
        self.noted.lock().expect("not poisoned").faults.push("a delivery is never taken".into());
    }

    /// Notes an answer; whether it was the last.
    fn note(&self, webhook: &Webhook, status: Option<u16>) -> bool {
        let mut noted = self.noted.lock().expect("not poisoned");
        match status {
            Some(200 | 202) => {
                noted.counts.acked += 1;
                noted.moments.push(Instant::now());
                noted.acked.extend(webhook.header("X-Atlassian-Webhook-Identifier").map(ToOwned::to_owned));
                return true;
            }
            None => noted.counts.unanswered += 1,
            Some(503) => noted.counts.refused += 1,
            Some(other) => noted.faults.push(format!("a delivery was answered {other}")),
        }
        noted.counts.repeated += 1;
        false
    }

    /// Lets time pass, so many seconds at a time, until this is done.
    pub async fn while_time_passes(&self, grain: i64, work: impl Future<Output = ()>) {
        let passing = async {
            loop {
                self.ground.clock.advance(SignedDuration::from_secs(grain));
                self.tell_time().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = passing => {}
        }
    }

    async fn tell_time(&self) {
        let now = self.ground.clock.now();
        for slot in &self.replicas {
            // One that is just being replaced starts with the time.
            if let Ok(mut slot) = slot.try_lock()
                && let Some(process) = slot.as_mut()
            {
                process.tell(now).await;
            }
        }
    }

    /// Plays on until nothing is due any more; `false` when that never comes.
    pub async fn until_nothing_is_due(&self) -> bool {
        for _ in 0..4000 {
            if self.step(None).await {
                return true;
            }
        }
        false
    }

    /// Plays on for so long.
    pub async fn pass(&self, time: SignedDuration) {
        let until = self.ground.clock.now() + time;
        while self.ground.clock.now() < until {
            self.step(Some(until)).await;
        }
    }

    /// What is due is done, and the clock moves on to what is due next, at most until then; whether nothing is due any more.
    async fn step(&self, until: Option<Timestamp>) -> bool {
        // So that coming to rest is not taken for having rested before.
        self.ground.clock.advance(SignedDuration::from_millis(1));
        self.tell_time().await;
        let now = self.ground.clock.now();
        let mut rested = true;
        for slot in &self.replicas {
            let mut slot = slot.lock().await;
            rested &= slot.as_mut().expect("a process").rests(now, REST).await;
        }
        // A database that was just killed takes a moment.
        let Ok(due) = self.ground.store.next_due().await else { return false };
        let next = due.filter(|due| rested && *due > now).unwrap_or(now + SignedDuration::from_secs(1));
        self.ground.clock.set(next.min(until.unwrap_or(next)).max(now));
        rested && due.is_none()
    }

    /// What was counted so far, deliveries that were answered 2xx, and what is wrong already.
    pub fn noted(&self) -> (Counts, Vec<String>, Vec<String>) {
        let noted = self.noted.lock().expect("not poisoned");
        (noted.counts, noted.acked.clone(), noted.faults.clone())
    }

    /// The longest time without a delivery answered 2xx that includes this moment, or begins with it.
    pub fn silence_around(&self, moment: Instant) -> Duration {
        let noted = self.noted.lock().expect("not poisoned");
        let mut moments: Vec<_> = noted.moments.iter().copied().filter(|at| *at > moment).chain([moment]).collect();
        moments.sort();
        moments.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap_or_default()
    }

    /// The whole audit log as the API gives it out, checked by `stint audit verify`; what that says where it does not hold.
    pub async fn verify_log(&self) -> Result<(), String> {
        let (head, log) = (self.ground.file("checkpoint.txt"), self.ground.file("log.ndjson"));
        // In this order: a log that ends before a head has lost its tail.
        std::fs::write(&head, self.read("/v1/audit/checkpoint").await?).map_err(|e| e.to_string())?;
        std::fs::write(&log, self.read("/v1/audit/events?format=ndjson").await?).map_err(|e| e.to_string())?;
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stint"));
        command.args(["audit", "verify"]).args([&head, &log]).args(["--key", self.ground.key.verifier_key().as_str()]);
        let output = command.output().await.map_err(|e| e.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stdout).into_owned()) }
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let auditor =
            ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
        let credential = Credential::Bearer(self.ground.sandbox.entra.issue_api_token(&auditor).into());
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let call = Call { method: http::Method::GET, path: path.into(), query, headers: vec![], body: Body::Empty };
        let base = self.urls.lock().expect("not poisoned")[0].clone().ok_or("no process")?;
        let wire = Wire::new(Limits::default()).map_err(|e| e.to_string())?;
        let base = base.parse().map_err(|_| "no address")?;
        let answer = wire.send(&base, &call, &credential).await.map_err(|e| e.to_string())?;
        if answer.status.is_success() { Ok(answer.body.clone()) } else { Err(format!("{path}: {}", answer.status)) }
    }

    /// Ends both processes.
    pub async fn ends(&self) {
        for slot in &self.replicas {
            if let Some(process) = slot.lock().await.take() {
                process.kill().await;
            }
        }
    }
}
