//! The model of the database that simulated schedules are played on answers like Postgres does.
//!
//! The same random operations are made on both, one after the other, and every answer is compared. Ids are drawn by each
//! for itself, so they are compared by who was made when.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stint::{
    domain::{
        assignment::{Holding, Instance},
        attempt::{Attempt, AttemptKind, AttemptOutcome},
        audit::Actor,
        duration::Duration,
        id::{
            AccountId, ApprovalId, ConnectionName, EntitlementKey, ObjectId, RequestId, TenantName, TicketId,
            TicketNumber,
        },
        lifecycle::Event,
        request::{
            Approver, Assignment, Bound, Decision, EndCause, EndOrder, Failure, Granted, Hold, Reason, Receiver,
            Request, State,
        },
        sweep::Held,
        target::Target,
        ticket::{Basis, Hint, HintEvent},
        withdrawal::{Doubt, DoubtKind},
    },
    store::{
        Change, Delivery, Lease, Meant, NewFinding, NoteResult, Noticed, Poll, PollResult, Reading, Received, Room,
        Store, StoreError, Sweep, SweepResult, UsedApproval,
    },
};
use uuid::Uuid;

use crate::world::{migrated_database, morning, seconds};

#[expect(dead_code, reason = "the simulation reads more of it")]
#[path = "../sim/postgres/mod.rs"]
mod postgres;
#[path = "../sim/rng.rs"]
mod rng;

use postgres::{Database, Told};
use rng::Rng;

const SEEDS: u64 = 3;
const OPERATIONS: u32 = 220;

/// Room for everybody: who goes first among equals is nobody's promise.
const ROOM: Room = Room { ends: 100, others: 100, per_connection: 100, per_tenant: 100 };

struct Both {
    store: Store,
    model: Database,
    rng: Rng,
    now: Timestamp,
    /// Each request by its real id and its modelled one.
    ids: Vec<(RequestId, RequestId)>,
    leases: Vec<(Lease, Lease)>,
    deliveries: u64,
}

fn target() -> Target {
    Target {
        kind: "directory-role".into(),
        assignment: stint::domain::target::AssignmentKind::Active,
        keys: [("role".to_owned(), "r".to_owned())].into(),
    }
}

fn tenant() -> TenantName {
    TenantName::new("contoso")
}

fn desk() -> ConnectionName {
    ConnectionName::new("desk")
}

fn holding(principal: u64) -> Holding {
    Holding { principal: ObjectId(Uuid::from_u128(u128::from(principal))), target: target() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_the_database_answers_like_postgres() {
    for seed in 0..SEEDS {
        let store = Store::open(&migrated_database().await, 4).expect("a store");
        let mut both = Both {
            store,
            model: Database::default(),
            rng: Rng::new(seed),
            now: morning(),
            ids: vec![],
            leases: vec![],
            deliveries: 0,
        };
        for _ in 0..OPERATIONS {
            both.operate().await;
        }
        both.books_agree().await;
        both.store.close().await;
    }
}

impl Both {
    async fn operate(&mut self) {
        self.now += seconds(self.rng.between(1, 90));
        match self.rng.below(24) {
            0..4 => self.receive().await,
            4..7 => self.lease().await,
            7..16 => self.advance().await,
            16 => self.release().await,
            17 => self.order().await,
            18 => self.notes().await,
            19 => self.miss().await,
            20 => self.remove().await,
            21 => self.jobs().await,
            22 => self.findings().await,
            _ => self.books_agree().await,
        }
    }

    fn real(&self, model: RequestId) -> RequestId {
        self.ids.iter().find(|(_, known)| *known == model).expect("a known request").0
    }

    /// A request of the model under its real id.
    fn translated(&self, request: Request) -> Request {
        Request { id: self.real(request.id), ..request }
    }

    async fn receive(&mut self) {
        let repeat = self.rng.chance(250) && self.deliveries > 0;
        let number = if repeat { self.rng.below(self.deliveries) } else { self.deliveries };
        self.deliveries = self.deliveries.max(number + 1);
        let ticket = number % 4;
        let event = if number % 5 == 4 { HintEvent::Changed } else { HintEvent::Approved };
        let approval = (number % 3 != 2).then(|| ApprovalId::new(format!("round-{}", number % 6)));
        let hint = Hint {
            ticket: TicketId::new(format!("{ticket}")),
            number: TicketNumber::new(format!("SIM-{ticket}")),
            event,
            approval,
            told: None,
        };
        let told = Told { connection: desk(), tenant: Some(tenant()), key: format!("d{number}"), hint: hint.clone() };
        let delivery = Delivery {
            connection: desk(),
            key: told.key.clone(),
            headers: json!({}),
            body: vec![],
            received_at: self.now,
            meant: Meant::Look(hint, Some(tenant())),
        };
        let real = match self.store.receive(&delivery).await.expect("taken in") {
            Received::Request { id, .. } => Some(id),
            _ => None,
        };
        let model = self.model.receive(&told, self.now);
        self.same_request(real, model);
    }

    fn same_request(&mut self, real: Option<RequestId>, model: Option<RequestId>) {
        match (real, model) {
            (Some(real), Some(model)) => {
                if !self.ids.iter().any(|(known, _)| *known == real) {
                    self.ids.push((real, model));
                }
                assert_eq!(self.real(model), real);
            }
            (real, model) => assert_eq!(real, model, "both take it for a request, or neither"),
        }
    }

    async fn lease(&mut self) {
        let until = self.now + seconds(self.rng.pick(&[60, 120, 400]));
        let mut real = self.store.lease_due(self.now, until, ROOM).await.expect("leased");
        let model = self.model.lease_due(self.now, until, ROOM, 0);
        assert_eq!(real.len(), model.len(), "as many are due at {}", self.now);
        for lease in model {
            let id = self.real(lease.request());
            let place = real.iter().position(|other| other.request() == id).expect("the same is due");
            let other = real.remove(place);
            assert_eq!(other.is_end(), lease.is_end());
            self.leases.push((other, lease));
        }
        assert_eq!(self.store.next_due().await.expect("due"), self.model.next_due());
    }

    async fn advance(&mut self) {
        if self.leases.is_empty() {
            return self.lease().await;
        }
        let place = usize::try_from(self.rng.below(self.leases.len() as u64)).expect("a place");
        let id = self.leases[place].0.request();
        let real = self.store.load(id).await.expect("loaded").expect("a request");
        let model = self.model.load(self.leases[place].1.request()).expect("a request");
        assert_eq!(real, self.translated(model));
        // As a step does, before its first move; a later one rests on the move before it.
        if self.rng.chance(500) {
            let (ours, other) = &self.leases[place];
            let held = self.store.read(ours).await.map_err(|error| kind(&error));
            let modelled = self.model.leased(other).map(|request| self.translated(request));
            assert_eq!(held, modelled.map_err(|error| kind(&error)));
        }
        let may = self.store.may_send(&self.leases[place].0).await.expect("asked");
        assert_eq!(may, self.model.may_send(&self.leases[place].1));
        let change = self.change(&real);
        let keeps = change.keep_lease;
        let told = self.store.advance(&self.leases[place].0, change.clone()).await;
        let modelled = self.model.advance(&self.leases[place].1, change.clone());
        match (told, modelled) {
            (Ok(real), Ok(model)) => {
                let kept = self.store.load(id).await.expect("loaded");
                assert_eq!(kept.as_ref(), Some(&real), "what is told is what is kept, after {change:?}");
                assert_eq!(real, self.translated(model), "after {change:?}");
            }
            (Err(real), Err(model)) => assert_eq!(kind(&real), kind(&model), "of {change:?}"),
            (real, model) => panic!("{real:?} and {model:?} of {change:?}"),
        }
        self.follow_ups().await;
        if !keeps || self.rng.chance(200) {
            let left = self.leases.remove(place);
            // A lease that is given back too late changes nothing.
            if self.rng.chance(300) {
                self.give_back(left).await;
            }
        }
    }

    /// Requests that others left behind are known by their tickets.
    async fn follow_ups(&mut self) {
        let unknown: Vec<_> = self
            .model
            .rows
            .iter()
            .filter(|row| !self.ids.iter().any(|(_, id)| *id == row.id))
            .map(|row| (row.id, row.ticket.clone()))
            .collect();
        for (model, ticket) in unknown {
            let hint =
                Hint { ticket, number: TicketNumber::new("x"), event: HintEvent::Changed, approval: None, told: None };
            self.deliveries += 1;
            let told =
                Told { connection: desk(), tenant: None, key: format!("d{}", self.deliveries), hint: hint.clone() };
            let (connection, key, headers, body) = (desk(), told.key.clone(), json!({}), vec![]);
            let delivery =
                Delivery { connection, key, headers, body, received_at: self.now, meant: Meant::Look(hint, None) };
            let Received::Request { id, .. } = self.store.receive(&delivery).await.expect("taken in") else {
                panic!("the model has a follow-up, and Postgres has none");
            };
            assert_eq!(self.model.receive(&told, self.now), Some(model));
            self.ids.push((id, model));
        }
    }

    fn change(&mut self, request: &Request) -> Change {
        let now = self.now;
        let due_at = now + seconds(self.rng.between(0, 200));
        let mut change = Change::later(now, due_at);
        change.keep_lease = self.rng.chance(300);
        change.event = self.event(request);
        change.attempts = self.attempts(request, change.event.as_ref());
        if matches!(request.state.underlying(), State::Verifying) && self.rng.chance(700) {
            change.reading = Some(Reading {
                tenant: Some(tenant()),
                number: TicketNumber::new("SIM-9"),
                url: None,
                snapshot: json!({}),
                digest: "sha256:x".into(),
            });
        }
        if matches!(change.event, Some(Event::Approve(_) | Event::Reject(_))) {
            let id = ApprovalId::new(format!("round-{}", self.rng.below(6)));
            change.approval = Some(UsedApproval { id, given_at: now - seconds(30) });
        }
        if self.rng.chance(200) {
            change.doubt = Some(self.rng.chance(500).then(|| Doubt::again(None, DoubtKind::Standing, now)));
            change.heard_until = self.rng.chance(500).then(|| now - seconds(60));
        }
        change.another_approval = self.rng.chance(60);
        if self.rng.chance(100) {
            change.findings = vec![NewFinding { kind: "end-late", detail: json!({}) }];
        }
        change
    }

    fn event(&mut self, request: &Request) -> Option<Event> {
        let now = self.now;
        if let Some(order) = request.end_requested.clone().filter(|_| self.rng.chance(700)) {
            return Some(Event::End(order));
        }
        if let State::Held { .. } = request.state
            && self.rng.chance(500)
        {
            return Some(Event::Resume);
        }
        let hold = Event::Hold(Hold {
            since: Some(now),
            ..Hold::new(self.rng.pick(&["graph-throttled", "approval-pending", "ticket-credential"]), "wait")
        });
        let end = |cause| Event::End(EndOrder::by_stint(cause, "over", cause != EndCause::Expired, now));
        match (request.state.underlying(), self.rng.below(10)) {
            (_, 0) => None,
            (_, 1) => Some(hold),
            // Mostly not in the table.
            (State::Received, _) | (_, 9) => Some(Event::Take),
            (State::Verifying, 2) => Some(Event::Reject(vec![Reason::new("no", "no")])),
            (State::Verifying, 3) => Some(end(EndCause::Withdrawn)),
            (State::Verifying, _) => Some(Event::Approve(Box::new(self.decision()))),
            (State::Approved(decision), 2..) => Some(Event::Begin(Box::new(decision.clone()))),
            (State::Assigning(_), 2) => Some(Event::Fail(Failure { code: "no".into(), detail: "no".into() })),
            (State::Assigning(_), 3..7) => Some(Event::Confirm(Assignment {
                schedule_request_id: Some("ask".into()),
                schedule_id: "schedule".into(),
                starts_at: now,
                ends_at: now + seconds(self.rng.between(100, 900)),
                confirmed_at: now,
                joined: vec![],
            })),
            (State::Assigning(_), 7) => Some(end(EndCause::Revoked)),
            (State::Active(..), 2..6) => Some(end(self.rng.pick(&[EndCause::Expired, EndCause::Withdrawn]))),
            (State::Ending(..), 2..6) => Some(Event::Gone(now, vec![])),
            _ => None,
        }
    }

    /// A new attempt, or another outcome of the last one.
    fn attempts(&mut self, request: &Request, event: Option<&Event>) -> Vec<Attempt> {
        let now = self.now;
        let begins = matches!(event, Some(Event::Begin(_)));
        let rests = matches!(request.state.underlying(), State::Assigning(_) | State::Active(..) | State::Ending(..));
        if !(begins || rests) {
            return vec![];
        }
        let mut attempts = vec![];
        if let Some(open) = request.attempts.iter().rfind(|attempt| attempt.outcome == AttemptOutcome::Open) {
            let mut open = open.clone();
            match self.rng.below(4) {
                0 => open.count_absent(now),
                1 => open.close(AttemptOutcome::Absent, None, now),
                2 => open.close(AttemptOutcome::Accepted, Some("Provisioned".into()), now),
                _ => {}
            }
            open.schedule_id = Some(format!("schedule-{}", self.rng.below(4)));
            attempts.push(open);
        }
        if begins || self.rng.chance(300) {
            let kind = self.rng.pick(&[AttemptKind::Remove, AttemptKind::Cancel]);
            let ends = matches!(request.state.underlying(), State::Ending(..));
            attempts.push(if ends { Attempt::new(kind, now) } else { Attempt::assign(Duration::minutes(15), now) });
        }
        attempts
    }

    fn decision(&mut self) -> Decision {
        let principal = self.rng.below(2);
        Decision {
            decided_at: self.now,
            tenant: tenant(),
            approval: ApprovalId::new("round-0"),
            approved_at: self.now - seconds(30),
            approvers: vec![Approver { id: AccountId::new("boss"), name: None, decided_at: None }],
            principal: Receiver { id: holding(principal).principal, name: "User".into(), kind: None, named: None },
            entitlement: Granted {
                key: EntitlementKey::new("reader"),
                title: "Reader".into(),
                target: target(),
                revoke_sessions: false,
            },
            requested: Duration::minutes(15),
            duration: Duration::minutes(15),
            bound_by: Bound::Requested,
            not_before: self.rng.chance(200).then(|| self.now + seconds(200)),
            not_after: None,
            catalog_version: "sha256:c".into(),
            snapshot_digest: "sha256:x".into(),
            basis: Basis::ReadBack,
            time_zone: None,
            dry_run: false,
        }
    }

    async fn release(&mut self) {
        if let Some(lease) = self.leases.pop() {
            self.give_back(lease).await;
        }
    }

    async fn give_back(&mut self, (real, model): (Lease, Lease)) {
        let due_at = self.now + seconds(5);
        self.store.release(real, due_at).await.expect("given back");
        self.model.release(&model, due_at);
    }

    fn any(&mut self) -> Option<(RequestId, RequestId)> {
        (!self.ids.is_empty()).then(|| self.rng.pick(&self.ids))
    }

    async fn order(&mut self) {
        let Some((real, model)) = self.any() else { return };
        let order = EndOrder::revocation(Actor::stint(), "enough", self.now);
        let ordered = self.store.order_end(real, &Actor::stint(), &order).await.expect("ordered");
        assert_eq!(ordered, self.model.order_end(model, &order));
    }

    async fn notes(&mut self) {
        let until = self.now + seconds(60);
        let mut real = self.store.lease_notes(self.now, until, 100, 100).await.expect("leased");
        let model = self.model.lease_notes(self.now, until, 100, 100);
        assert_eq!(real.len(), model.len());
        for note in model {
            let is_it =
                |other: &stint::store::DueNote| other.request == self.real(note.request) && other.step == note.step;
            let other = real.remove(real.iter().position(is_it).expect("the same note"));
            assert_eq!(other.tries, note.tries);
            let result = match self.rng.below(3) {
                0 => NoteResult::Written,
                1 => NoteResult::Later(self.now + seconds(20), "later".into()),
                _ => continue,
            };
            self.store.conclude_note(&other, &result, self.now).await.expect("concluded");
            self.model.conclude_note(&note, &result);
        }
    }

    async fn miss(&mut self) {
        let Some((real, model)) = self.any() else { return };
        let since = self.model.row(model).and_then(|row| row.unseen_since);
        match (self.rng.below(3), since) {
            (0, _) => {
                self.store.find_again(real).await.expect("found");
                self.model.find_again(model);
            }
            (1, Some(since)) => {
                let order = EndOrder::by_stint(EndCause::Revoked, "gone", false, self.now);
                let finding = NewFinding { kind: "removed-outside", detail: json!({}) };
                let ended = self.store.end_missed(real, since, &order, &finding).await.expect("ended");
                assert_eq!(ended, self.model.end_missed(model, since, &order, &finding));
            }
            _ => {
                self.store.miss(real, self.now).await.expect("missed");
                self.model.miss(model, self.now);
            }
        }
    }

    async fn remove(&mut self) {
        let Some((real, model)) = self.any() else { return };
        let holding = holding(self.rng.below(2));
        let mut attempt = Attempt::new(AttemptKind::Remove, self.now);
        let number = self.store.record_removal(&tenant(), real, &holding, &attempt).await.expect("recorded");
        assert_eq!(number, self.model.record_removal(&tenant(), model, &holding, &attempt));
        if number.is_some() && self.rng.chance(600) {
            attempt.close(AttemptOutcome::Refused, Some("no".into()), self.now);
            self.store.close_removal(&tenant(), real, &holding, &attempt, &[]).await.expect("closed");
            self.model.close_removal(&tenant(), model, &holding, &attempt, &[]).expect("closed");
        }
        self.store.show_again(real).await.expect("shown");
        self.model.show_again(model);
        let shown = self.shown();
        self.store.settle_removals(&tenant(), &[target()], &shown, self.now).await.expect("settled");
        self.model.settle_removals(&tenant(), &[target()], &shown, self.now);
    }

    fn shown(&mut self) -> Vec<Held> {
        let instance = |at: u64| Instance {
            id: format!("i{at}"),
            schedule_id: Some(format!("schedule-{at}")),
            direct: true,
            starts_at: None,
            ends_at: None,
        };
        (0..self.rng.below(3)).map(|at| Held { holding: holding(at % 2), instance: instance(at) }).collect()
    }

    async fn jobs(&mut self) {
        let (now, until) = (self.now, self.now + seconds(100));
        let (polls, sweeps) = ([(desk(), now + seconds(50))], [(tenant(), now + seconds(70))]);
        let real: Vec<Poll> = self.store.lease_polls(&polls, now, until, 5).await.expect("leased");
        let model = self.model.lease_polls(&polls, now, until, 5);
        assert_eq!(real.len(), model.len());
        for (real, model) in real.iter().zip(&model) {
            let known = |poll: &Poll| (poll.known_since, poll.covered_until, poll.broken_off.clone(), poll.failures);
            assert_eq!(known(real), known(model));
            let result = match self.rng.below(3) {
                0 => PollResult::Whole(now - seconds(5)),
                1 => PollResult::Partly(now, TicketId::new("3")),
                _ => PollResult::Failed("no".into(), None),
            };
            self.store.conclude_poll(real, &result, now + seconds(200)).await.expect("concluded");
            self.model.conclude_poll(model, &result, now + seconds(200));
        }
        assert_eq!(self.store.next_poll(&[desk()]).await.expect("next"), self.model.next_poll(&[desk()]));
        let real: Vec<Sweep> = self.store.lease_sweeps(&sweeps, now, until, 5).await.expect("leased");
        let model = self.model.lease_sweeps(&sweeps, now, until, 5);
        assert_eq!(real.len(), model.len());
        for (real, model) in real.iter().zip(&model) {
            assert_eq!(real.failures, model.failures);
            assert_eq!(self.store.may_sweep(real).await.expect("asked"), self.model.may_sweep(model));
            let result = if self.rng.chance(500) { SweepResult::Whole(now) } else { SweepResult::Failed("no".into()) };
            self.store.conclude_sweep(real, &result, now + seconds(90)).await.expect("concluded");
            self.model.conclude_sweep(model, &result, now + seconds(90));
        }
        assert_eq!(self.store.next_sweep(&[tenant()]).await.expect("next"), self.model.next_sweep(&[tenant()]));
        self.notice().await;
    }

    async fn notice(&mut self) {
        let ticket = self.rng.below(5);
        let approval = Some(ApprovalId::new(format!("round-{}", self.rng.below(6))));
        let (ticket, number) = (TicketId::new(format!("{ticket}")), TicketNumber::new("SIM-5"));
        let hint = Hint { ticket: ticket.clone(), number, event: HintEvent::Approved, approval, told: None };
        let made = |noticed| match noticed {
            Noticed::Made(id) => Some(id),
            Noticed::Known => None,
        };
        let real = made(self.store.notice(&desk(), &hint, Some(&tenant()), self.now).await.expect("noticed"));
        let model = made(self.model.notice(&desk(), &hint, Some(&tenant()), self.now));
        self.same_request(real, model);
        let asked: Vec<_> = (0..5).map(|ticket| TicketId::new(format!("{ticket}"))).collect();
        let mut real = self.store.read_by_requests(&desk(), &asked).await.expect("read");
        let mut model = self.model.read_by_requests(&desk(), &asked);
        real.sort();
        model.sort();
        assert_eq!(real, model);
    }

    async fn findings(&mut self) {
        let now = self.now;
        let kind = self.rng.pick(&["ticket-credential", "graph-throttled"]);
        let finding = NewFinding { kind, detail: json!({ "target": "role" }) };
        let (desk, tenant) = (desk(), tenant());
        match self.rng.below(7) {
            0 => {
                let raised = self.store.raise_of_connection(&desk, &finding, now).await.expect("raised");
                assert_eq!(raised, self.model.raise_of_connection(&desk, &finding));
            }
            1 => {
                let cleared = self.store.clear_of_connection(&desk, kind, now).await.expect("cleared");
                assert_eq!(cleared, self.model.clear_of_connection(&desk, kind, now));
            }
            2 => {
                let part = self.rng.pick(&["read", "write"]);
                let raised = self.store.raise_of_tenant(&tenant, part, &finding, now).await.expect("raised");
                assert_eq!(raised, self.model.raise_of_tenant(&tenant, part, &finding));
            }
            3 => {
                let part = self.rng.pick(&["read", "write"]);
                let mut cleared = self.store.clear_of_tenant(&tenant, part, now).await.expect("cleared");
                let mut modelled = self.model.clear_of_tenant(&tenant, part, now);
                cleared.sort();
                modelled.sort();
                assert_eq!(cleared, modelled);
            }
            4 => {
                let subject = self.rng.pick(&["i0", "i1"]);
                let raised = self.store.raise_of_subject(&tenant, subject, &finding, now).await.expect("raised");
                assert_eq!(raised, self.model.raise_of_subject(&tenant, subject, &finding));
            }
            5 => {
                let (keep, targets) = (vec!["i0".to_owned()], vec![]);
                self.store.clear_of_subjects(&tenant, &[kind], &keep, &targets, now).await.expect("cleared");
                self.model.clear_of_subjects(&tenant, &[kind], &keep, &targets);
            }
            _ => {
                let Some((real, model)) = self.any() else { return };
                self.store.raise_of_request(&tenant, real, &finding, now).await.expect("raised");
                self.model.raise_of_request(&tenant, model, &finding, now);
            }
        }
    }

    /// Everything that can be asked about all of them.
    async fn books_agree(&mut self) {
        let shown = self.shown();
        let real = self.store.books(&tenant(), &shown).await.expect("books");
        let model = self.model.books(&tenant(), &shown);
        let mut entries: Vec<_> =
            model.entries.into_iter().map(|e| (self.real(e.request), e.holding, e.stands)).collect();
        let mut theirs: Vec<_> = real.entries.into_iter().map(|e| (e.request, e.holding, e.stands)).collect();
        entries.sort_by_key(|(id, ..)| *id);
        theirs.sort_by_key(|(id, ..)| *id);
        assert_eq!(theirs, entries);
        assert_eq!((real.busy, real.told), (model.busy, model.told));
        let made: Vec<_> = model.made.iter().map(|(id, request)| (id.clone(), self.real(*request))).collect();
        assert!(made.iter().all(|(id, request)| real.made.get(id) == Some(request)), "{made:?} and {:?}", real.made);
        assert_eq!(real.made.len(), made.len());
        let mut targets = self.store.open_targets(&tenant()).await.expect("targets");
        targets.sort();
        assert_eq!(targets, self.model.open_targets(&tenant()));
        assert_eq!(self.store.next_due().await.expect("due"), self.model.next_due());
        for (id, model) in self.ids.clone() {
            self.one_agrees(id, model).await;
        }
    }

    async fn one_agrees(&mut self, id: RequestId, model: RequestId) {
        let now = self.now;
        let real = self.store.load(id).await.expect("loaded").expect("a request");
        let modelled = self.model.load(model).expect("a request");
        assert_eq!(real, self.translated(modelled));
        let spent = self.store.spent(&desk(), &real.ticket, id).await.expect("spent");
        assert_eq!(spent, self.model.spent(&desk(), &real.ticket, model));
        let (key, since) = (EntitlementKey::new("reader"), now - SignedDuration::from_mins(20));
        let begun = self.store.begun_since(&tenant(), &key, since, id).await.expect("begun");
        assert_eq!(begun, self.model.begun_since(&tenant(), &key, since, model));
        for principal in 0..2 {
            let kin = self.store.kin(id, &tenant(), &holding(principal), now).await.expect("kin");
            let mut theirs: Vec<_> = self.model.kin(model, &tenant(), &holding(principal), now);
            theirs = theirs.into_iter().map(|request| self.translated(request)).collect();
            theirs.sort_by_key(|request| request.id);
            assert_eq!(kin, theirs);
        }
    }
}

/// An error by its kind.
fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::LeaseLost(_) => "lease-lost",
        StoreError::ApprovalUsed(_) => "approval-used",
        StoreError::HoldingBusy(_) => "holding-busy",
        StoreError::EndOrdered(_) => "end-ordered",
        StoreError::Illegal(..) => "illegal",
        _ => "another",
    }
}
