//! One story played on a process that is stopped somewhere, and on what takes its place.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection as _, PgConnection};
use stint::sandbox::{
    Postgres,
    jira::{IssueDraft, WebhookKind},
    story,
};
use tokio::sync::watch;

use crate::{
    cases::{Case, Recovery, Story},
    director::{self, Director},
    ground::Ground,
    process::Process,
    proxy::Proxy,
};

/// Real time for coming to rest; what waits for a neighbour that is silent takes longer and is left to it.
const REST: Duration = Duration::from_millis(700);

/// Real time for an answer to a webhook.
const ANSWER: Duration = Duration::from_secs(5);

/// As long as leases last, and a little.
const LEASE: SignedDuration = SignedDuration::from_secs(121);

/// So many steps the other process makes before the first one goes on.
const AHEAD: u32 = 4;

/// More steps than any story takes.
const STEPS: u32 = 700;

/// The stage, and what happened so far.
pub struct Field {
    pub ground: Ground,
    pub director: Arc<Director>,
    pub faults: Vec<String>,
    /// Identifiers of the deliveries that were answered 2xx.
    pub acked: Vec<String>,
    /// How many side effects were seen when the part of the story began that the case is about.
    pub mark: usize,
    database: String,
    proxies: [Proxy; 2],
    recovery: Recovery,
    struck: watch::Receiver<bool>,
    recovered: bool,
    live: Vec<Process>,
    stopped: Option<(Process, u32)>,
}

impl Field {
    /// The first process serves.
    pub async fn begins(cluster: &Postgres, database: String, case: &Case) -> Self {
        let director = Director::new(case.plan.clone(), case.recovery == Recovery::Both);
        let ground = Ground::begins(cluster.url(&database), &director::gate(&director)).await;
        let socket = cluster.folder().join(".s.PGSQL.5432").display().to_string();
        let proxies = [Proxy::open(socket.clone(), Some(Arc::clone(&director))).await, Proxy::open(socket, None).await];
        let struck = director.struck();
        let mut field = Self {
            ground,
            director,
            faults: vec![],
            acked: vec![],
            mark: 0,
            database,
            proxies,
            recovery: case.recovery,
            struck,
            recovered: false,
            live: vec![],
            stopped: None,
        };
        field.start(0).await;
        field
    }

    /// The ticket is approved and told, the access begins and ends; gives the ticket.
    pub async fn plays(&mut self, story: Story) -> String {
        let draft = IssueDraft { duration: "PT1H".into(), ..IssueDraft::default() };
        let ticket = self.ground.sandbox.jira.create_issue(draft).id;
        self.ground.sandbox.jira.request_approval(&ticket, &[story::OMAR_ACCOUNT]);
        self.ground.clock.advance(SignedDuration::from_mins(18));
        self.ground.sandbox.jira.approve(&ticket, story::OMAR_ACCOUNT);
        self.deliver(&ticket).await;
        self.until("active").await;
        if story == Story::Withdrawn {
            self.pass(SignedDuration::from_mins(6)).await;
            self.mark = self.director.seen().len();
            self.ground.sandbox.jira.cancel(&ticket);
            self.deliver(&ticket).await;
        }
        self.until("ended").await;
        self.until_nothing_is_due().await;
        ticket
    }

    /// Ends every process.
    pub async fn ends(&mut self) {
        for process in self.live.drain(..).chain(self.stopped.take().map(|(process, _)| process)) {
            process.kill().await;
        }
    }

    /// Whether the process was stopped as planned.
    pub fn was_struck(&self) -> bool {
        *self.struck.borrow()
    }

    /// Posts Jira's webhook as Jira does: until it is answered 2xx.
    async fn deliver(&mut self, ticket: &str) {
        let mut webhook = self.ground.sandbox.jira.webhook_for(ticket, WebhookKind::Updated);
        webhook.sign_jira_hub(story::WEBHOOK_SECRET);
        for _ in 0..60 {
            let url = self.live.last().map(|process| format!("{}/webhooks/jira-cloud", process.url));
            let posted = tokio::time::timeout(ANSWER, webhook.deliver(url.as_deref().unwrap_or("http://127.0.0.1:1")));
            let mut struck = self.struck.clone();
            let stopped = async {
                // Only the stroke itself: later it is old news.
                let _ = struck.wait_for(|struck| *struck && !self.recovered).await;
            };
            let answer = tokio::select! {
                answer = posted => answer.ok().and_then(Result::ok),
                () = stopped => None,
            };
            match answer.map(|(status, _, _)| status) {
                Some(200 | 202) => {
                    self.acked.extend(webhook.header("X-Atlassian-Webhook-Identifier").map(ToOwned::to_owned));
                    return;
                }
                None | Some(503) => {}
                Some(other) => self.faults.push(format!("a delivery was answered {other}")),
            }
            webhook = webhook.retry();
            self.step(None).await;
        }
        self.faults.push("a delivery is never taken".into());
    }

    async fn until(&mut self, state: &str) {
        for _ in 0..STEPS {
            if self.state().await.as_deref() == Some(state) {
                return;
            }
            self.step(None).await;
        }
        let at = self.state().await;
        self.faults.push(format!("the request never comes to be {state}, but stays {at:?}"));
    }

    async fn until_nothing_is_due(&mut self) {
        for _ in 0..STEPS {
            let due = self.ground.store.next_due().await.expect("a working database");
            if due.is_none() && (self.recovered || !self.was_struck()) && self.stopped.is_none() {
                return;
            }
            self.step(None).await;
        }
        self.faults.push("there is always something due".into());
    }

    async fn pass(&mut self, time: SignedDuration) {
        let until = self.ground.clock.now() + time;
        while self.ground.clock.now() < until {
            self.step(Some(until)).await;
        }
    }

    async fn state(&self) -> Option<String> {
        let mut sql = PgConnection::connect(&self.ground.database_url).await.expect("a connection");
        let newest = "select state from requests order by id desc limit 1";
        let state = sqlx::query_scalar(newest).fetch_optional(&mut sql).await.expect("a request");
        let _ = sql.close().await;
        state
    }

    /// What is due is done, and the clock moves on to what is due next, at most until then.
    async fn step(&mut self, until: Option<Timestamp>) {
        if self.was_struck() && !self.recovered {
            self.recover().await;
        }
        if let Some((process, steps)) = self.stopped.take() {
            if steps >= AHEAD {
                self.goes_on(process).await;
            } else {
                self.stopped = Some((process, steps + 1));
            }
        }
        // So that coming to rest is not taken for having rested before.
        self.ground.clock.advance(SignedDuration::from_millis(1));
        let now = self.ground.clock.now();
        let rested = self.rest(now).await;
        if self.was_struck() && !self.recovered {
            return;
        }
        let due = self.ground.store.next_due().await.expect("a working database");
        let next = due.filter(|due| rested && *due > now).unwrap_or(now + SignedDuration::from_secs(1));
        self.ground.clock.set(next.min(until.unwrap_or(next)).max(now));
    }

    async fn rest(&mut self, now: Timestamp) -> bool {
        for process in &mut self.live {
            process.tell(now).await;
        }
        let mut struck = self.struck.clone();
        let recovered = self.recovered;
        let resting = async {
            let mut all = true;
            for process in &mut self.live {
                all &= process.rests(now, REST).await;
            }
            all
        };
        tokio::select! {
            rested = resting => rested,
            _ = struck.wait_for(|struck| *struck && !recovered) => false,
        }
    }

    async fn recover(&mut self) {
        self.recovered = true;
        let Some(first) = self.live.pop() else { return self.start(1).await };
        match self.recovery {
            Recovery::Same => {
                first.kill().await;
                self.start(0).await;
            }
            Recovery::Other => {
                first.kill().await;
                self.ground.clock.advance(LEASE);
                self.start(1).await;
            }
            Recovery::Both => {
                self.proxies[0].freeze(true);
                self.stopped = Some((first, 0));
                self.ground.clock.advance(LEASE);
                self.start(1).await;
            }
        }
    }

    /// The process that stood still goes on beside the other one. It has the time before it gets anything else.
    async fn goes_on(&mut self, mut process: Process) {
        self.ground.clock.advance(SignedDuration::from_millis(1));
        let now = self.ground.clock.now();
        process.tell(now).await;
        self.director.wakes(true);
        process.goes_on();
        process.takes_note(now).await;
        self.director.wakes(false);
        self.proxies[0].freeze(false);
        self.live.insert(0, process);
    }

    async fn start(&mut self, proxy: usize) {
        for _ in 0..3 {
            if let Some(process) = Process::start(&self.ground, &self.proxies[proxy].url(&self.database)).await {
                if !self.recovered {
                    self.director.directs(process.pid);
                }
                return self.live.push(process);
            }
            // It may be stopped by the plan before it says that it serves; nothing else may keep it from that.
            if !self.was_struck() || self.recovered {
                break;
            }
            self.recovered = true;
        }
        self.faults.push("a process does not start".into());
    }
}
