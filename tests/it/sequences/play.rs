//! Many sequences side by side in one world, on one clock.

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, task::Poll};

use jiff::{SignedDuration, Timestamp};
use stint::{
    domain::audit::Actor,
    engine::{Pace, Worker},
    sandbox::{
        graph::{Group, Held, Knobs, User},
        jira::IssueDraft,
        story,
    },
    store::{Ordered, Room},
};

use super::plan::{GROUP, PER_WORLD, Sequence, Step, Weather, weather, what};
use crate::{
    mutation::Dice,
    world::{It, minutes, morning, seconds},
};

/// What may be granted here.
const CATALOG: &str = r#"
[entitlements.role]
title = "Role"
target = { kind = "directory-role", role = "29232cdf-9323-42fd-ade2-1d097af3e4de", scope = "/" }
max_duration = "PT8H"

[entitlements.eligible-role]
title = "Eligible role"
target = { kind = "directory-role", role = "729827e3-9c14-49f7-bb1b-9608f156bbb8", scope = "/" }
max_duration = "PT8H"
assignment = "eligible"

[entitlements.member]
title = "Member"
target = { kind = "group", group = "3f0b7c52-8d14-4e6a-9b21-5c7d8e9f0a11", access = "member" }
max_duration = "PT8H"

[entitlements.eligible-member]
title = "Eligible member"
target = { kind = "group", group = "3f0b7c52-8d14-4e6a-9b21-5c7d8e9f0a11", access = "member" }
max_duration = "PT8H"
assignment = "eligible"
"#;

/// What a person must resolve, or what waits for such a thing.
const FOR_PEOPLE: [&str; 8] = [
    "foreign-assignment",
    "contested",
    "said-to-exist",
    "not-cancellable",
    "not-in-force",
    "held-by-another-request",
    "cannot-extend",
    "cut-back-refused",
];

/// So often nothing may come of a step that is due at once.
const SPINS: u32 = 300;

/// A world, its sequences, and what really happened in it.
pub struct Play {
    pub it: It,
    pub sequences: Vec<Sequence>,
    /// By sequence and ticket.
    pub filed: BTreeMap<(usize, usize), Filed>,
    /// By sequence: when somebody else laid hands on which place.
    pub hands: Vec<Vec<(Timestamp, usize)>>,
    /// By sequence and place: a standing assignment of somebody else's is there.
    standing: Vec<(usize, usize)>,
    pub storms: Vec<(Timestamp, Timestamp)>,
    storm_since: Option<Timestamp>,
    asleep_until: Timestamp,
    /// What was held for a person when the faults had stopped.
    pub held: Vec<(String, String)>,
    /// What happened, with its sequence; without one it befell everybody.
    pub log: Vec<(Timestamp, Option<usize>, String)>,
    second: Worker,
    dice: Dice,
}

/// A ticket as it was filed.
pub struct Filed {
    pub issue: String,
    pub number: String,
    pub not_after: Option<Timestamp>,
    pub stopped: Option<Timestamp>,
    pub noticed_within: SignedDuration,
}

enum Act {
    Of(usize, Step),
    All(Weather),
}

impl Play {
    /// Plays the sequences of this world to their end.
    pub async fn whole(seed: u64, world: u64, count: u64) -> Self {
        let numbers = world * PER_WORLD..(world * PER_WORLD + PER_WORLD).min(count);
        let sequences: Vec<_> = numbers.map(|number| Sequence::of(seed, number)).collect();
        let mut play = Self::begins(sequences, Dice::of(!seed, world)).await;
        let mut acts: Vec<_> = weather(seed, world).into_iter().map(|(at, w)| (at, Act::All(w))).collect();
        for (who, sequence) in play.sequences.iter().enumerate() {
            acts.extend(sequence.steps.iter().map(|(at, step)| (*at, Act::Of(who, step.clone()))));
        }
        acts.sort_by_key(|(at, _)| *at);
        for (at, act) in acts {
            play.pass_to(morning() + seconds(at)).await;
            match act {
                Act::Of(who, step) => play.step(who, &step).await,
                Act::All(weather) => play.befalls(weather).await,
            }
        }
        play.settles().await;
        play
    }

    async fn begins(sequences: Vec<Sequence>, dice: Dice) -> Self {
        let catalog = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        std::fs::write(catalog.path(), CATALOG).expect("a catalog");
        let path = catalog.path().display().to_string();
        let it = It::unwatched(|setup| {
            let over = [
                ("TENANTS__CONTOSO__CATALOG", path.as_str()),
                ("CONNECTIONS__JIRA_CLOUD__FIELDS__WINDOW_START", story::FIELD_START),
                ("CONNECTIONS__JIRA_CLOUD__FIELDS__WINDOW_END", story::FIELD_END),
                ("CONNECTIONS__SERVICENOW__POLL_INTERVAL", "PT1H"),
                ("CONNECTIONS__SERVICE_DESK__POLL_INTERVAL", "PT1H"),
            ];
            setup.overrides.extend(over.map(|(key, value)| (format!("STINT__{key}"), value.to_owned())));
        })
        .await;
        let graph = &it.world.sandbox.graph;
        graph.add_group(story::TENANT, Group::security(GROUP, "Operators"));
        for sequence in &sequences {
            let name = format!("Sequence {}", sequence.number);
            graph.add_user(story::TENANT, User::member(&sequence.principal.to_string(), &sequence.upn(), &name));
        }
        let engine = Arc::clone(&it.world.service.engine);
        let second = Worker::new(engine, Pace { in_flight: 8, ..Pace::default() });
        let hands = vec![vec![]; sequences.len()];
        Self {
            it,
            sequences,
            filed: BTreeMap::new(),
            hands,
            standing: vec![],
            storms: vec![],
            storm_since: None,
            asleep_until: Timestamp::MIN,
            held: vec![],
            log: vec![],
            second,
            dice,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.it.world.clock.now()
    }

    /// Two workers do what is due.
    async fn work(&self) {
        let first = self.it.world.service.worker.run_until_idle();
        let (one, two) = tokio::join!(first, self.second.run_until_idle());
        one.and(two).expect("a working database");
    }

    /// Lets time pass. What falls due is done within a few seconds, unless stint stands still.
    async fn pass_to(&mut self, until: Timestamp) {
        let clock = Arc::clone(&self.it.world.clock);
        let until = until.max(clock.now());
        if self.asleep_until > clock.now() {
            clock.set(self.asleep_until.min(until));
        }
        if self.asleep_until > clock.now() {
            return;
        }
        let mut spins = 0;
        loop {
            self.work().await;
            let now = clock.now();
            let Some(next) = self.it.next_event().await.filter(|next| *next <= until) else { break };
            spins = if next <= now { spins + 1 } else { 0 };
            assert!(spins < SPINS, "something is due at {next} again and again");
            if spins > SPINS / 2 {
                // Each process asks by itself, now and then, whether a comparison with Graph is due.
                clock.advance(SignedDuration::from_secs(61));
            }
            let grain = seconds(i64::try_from(self.dice.below(6)).unwrap_or(0));
            clock.set((next + grain).min(until).max(clock.now()));
        }
        clock.set(until);
        self.work().await;
    }

    async fn befalls(&mut self, weather: Weather) {
        let (now, graph) = (self.now(), self.it.world.sandbox.graph.clone());
        self.log.push((now, None, weather.to_string()));
        match weather {
            Weather::Calm => {
                graph.clear_faults();
                graph.set(|knobs| *knobs = Knobs::default());
                // What was bent while it was stormy shows its effect a little longer.
                self.storms.extend(self.storm_since.take().map(|since| (since, now + minutes(2))));
                return;
            }
            Weather::Fault(fault) => graph.fault(fault),
            Weather::Bent(knobs) => graph.set(|now| *now = *knobs),
            Weather::Asleep(time) => {
                self.asleep_until = now + seconds(time);
                self.storms.push((now, self.asleep_until));
            }
            Weather::Crash(waits) => self.crashes(waits).await,
        }
        self.storm_since.get_or_insert(now);
    }

    /// A worker leases what is due and is dropped while it works; its leases lapse after two minutes.
    async fn crashes(&mut self, waits: usize) {
        let store = &self.it.world.service.store;
        let room = Room { ends: 16, others: 16, per_connection: 16, per_tenant: 16 };
        // What falls due in the next moments is due now, so that there is something to be dropped.
        if let Some(next) = store.next_due().await.expect("a working database") {
            self.it.world.clock.set(next.min(self.now() + seconds(30)).max(self.now()));
        }
        let now = self.now();
        let leases = store.lease_due(now, now + seconds(120), room).await.expect("a working database");
        let engine = &self.it.world.service.engine;
        let steps = futures_util::future::join_all(leases.into_iter().map(|lease| engine.step(lease)));
        let mut steps = pin!(steps);
        let mut waited = 0;
        std::future::poll_fn(|context| {
            waited += 1;
            let finished = steps.as_mut().poll(context).is_ready();
            if finished || waited >= waits { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.storms.push((now, now + seconds(121)));
    }

    async fn step(&mut self, who: usize, step: &Step) {
        let now = self.now();
        self.log.push((now, Some(who), step.to_string()));
        match *step {
            Step::File { ticket, told } => {
                self.file(who, ticket);
                self.tell(who, ticket, told).await;
            }
            Step::Repeat(ticket) => self.tell(who, ticket, true).await,
            Step::Revoke(ticket) => self.revoke(who, ticket).await,
            Step::Cancel { ticket, told } => {
                self.it.world.sandbox.jira.cancel(&self.filed[&(who, ticket)].issue);
                // A search tells, if no webhook does.
                self.stopped(who, ticket, minutes(if told { 1 } else { 6 }));
                self.tell(who, ticket, told).await;
            }
            Step::Decline { ticket, told } => {
                let (jira, issue) = (&self.it.world.sandbox.jira, &self.filed[&(who, ticket)].issue);
                jira.request_approval(issue, &[story::OMAR_ACCOUNT]);
                jira.decline(issue, story::OMAR_ACCOUNT);
                // Twice, a minute apart.
                self.stopped(who, ticket, minutes(if told { 3 } else { 8 }));
                self.tell(who, ticket, told).await;
            }
            Step::Edit(ticket) => {
                let issue = &self.filed[&(who, ticket)].issue;
                self.it.world.sandbox.jira.edit_field(issue, story::FIELD_DURATION, "PT2H", story::NINA_ACCOUNT);
            }
            Step::Foreign(place, time) => self.grants(who, place, Held::Direct, time),
            Step::Take(place) => self.takes(who, place),
            Step::Replace(place, time) => {
                self.takes(who, place);
                self.grants(who, place, Held::Direct, Some(time));
            }
            Step::Activate(place, time) => self.grants(who, place, Held::Activated, Some(time)),
        }
    }

    fn file(&mut self, who: usize, ticket: usize) {
        let (sequence, now) = (&self.sequences[who], self.now());
        let ask = &sequence.tickets[ticket];
        let window = ask.window.map(|(start, end)| (now + seconds(start), now + seconds(end)));
        let written = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
        let draft = IssueDraft {
            entitlement: super::plan::PLACES[ask.place].into(),
            principal: sequence.upn(),
            duration: format!("PT{}M", ask.seconds / 60),
            window: (window.map(|(start, _)| written(start)), window.map(|(_, end)| written(end))),
            ..IssueDraft::default()
        };
        let jira = &self.it.world.sandbox.jira;
        let issue = jira.create_issue(draft);
        jira.request_approval(&issue.id, &[story::OMAR_ACCOUNT]);
        jira.approve(&issue.id, story::OMAR_ACCOUNT);
        // Written in whole seconds.
        let not_after = window.map(|(_, end)| end);
        let filed = Filed { issue: issue.id, number: issue.key, not_after, stopped: None, noticed_within: minutes(0) };
        self.filed.insert((who, ticket), filed);
    }

    async fn tell(&self, who: usize, ticket: usize, told: bool) {
        if told {
            let seen = self.it.deliver(&self.filed[&(who, ticket)].issue).await;
            assert!([200, 202].contains(&seen.status), "{seen:?}");
        }
    }

    async fn revoke(&mut self, who: usize, ticket: usize) {
        let newest = "select id::text from requests where ticket_id = $1 order by id desc limit 1";
        let issue = &self.filed[&(who, ticket)].issue;
        let id: Option<String> =
            sqlx::query_scalar(newest).bind(issue).fetch_optional(&mut self.it.sql().await).await.expect("a request");
        let Some(id) = id else { return };
        let id = id.parse().expect("an id");
        let ordered = self.it.world.service.engine.revoke(id, Actor::stint(), "enough").await;
        if ordered.expect("a working database") == Ordered::Recorded {
            self.stopped(who, ticket, seconds(10));
        }
    }

    /// From now on the ticket gives nothing.
    fn stopped(&mut self, who: usize, ticket: usize, noticed_within: SignedDuration) {
        let now = self.now();
        let filed = self.filed.get_mut(&(who, ticket)).expect("a filed ticket");
        if filed.stopped.is_none() {
            (filed.stopped, filed.noticed_within) = (Some(now), noticed_within);
        }
    }

    fn grants(&mut self, who: usize, place: usize, held: Held, time: Option<i64>) {
        let (now, principal) = (self.now(), self.sequences[who].principal.to_string());
        let end = time.map(|time| now + minutes(time));
        self.it.world.sandbox.graph.add_foreign(story::TENANT, &principal, what(place), held, end);
        self.hands[who].push((now, place));
        if end.is_none() {
            self.standing.push((who, place));
        }
    }

    fn takes(&mut self, who: usize, place: usize) {
        let (now, principal) = (self.now(), self.sequences[who].principal.to_string());
        self.it.world.sandbox.graph.remove_what(story::TENANT, &principal, &what(place));
        self.hands[who].push((now, place));
    }

    /// The faults are over: what only a person can resolve is all that is left, and a person resolves it.
    async fn settles(&mut self) {
        self.befalls(Weather::Calm).await;
        self.pass_while_open(minutes(4 * 60)).await;
        let held = "select ticket_number, hold->>'code' from requests where due_at is not null";
        let rows: Vec<(String, Option<String>)> =
            sqlx::query_as(held).fetch_all(&mut self.it.sql().await).await.expect("requests");
        for (number, code) in rows {
            let code = code.unwrap_or_else(|| "open".into());
            let who = self.filed.iter().find(|(_, filed)| filed.number == number).map(|((who, _), _)| *who);
            let why = FOR_PEOPLE.contains(&code.as_str());
            if !why {
                self.log.push((self.now(), who, format!("LEFT OPEN: {number} is {code}")));
            }
            self.held.push((number, code));
        }
        for (who, place) in std::mem::take(&mut self.standing) {
            self.takes(who, place);
        }
        self.pass_while_open(minutes(30 * 60)).await;
    }

    /// Lets time pass while requests are open, for so long at most.
    async fn pass_while_open(&mut self, at_most: SignedDuration) {
        let until = self.now() + at_most;
        while self.now() < until && self.is_open().await {
            self.pass_to(self.now() + minutes(10)).await;
        }
    }

    async fn is_open(&self) -> bool {
        self.it.world.service.store.next_due().await.expect("a working database").is_some()
    }
}
