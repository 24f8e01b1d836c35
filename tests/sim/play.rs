//! One seed, played: whose turn it is, what goes wrong with it, and what happens in between.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use jiff::{SignedDuration, Timestamp};
use stint::{
    clock::ManualClock,
    domain::{
        attempt::AttemptOutcome,
        audit::Actor,
        request::EndOrder,
        ticket::{Hint, HintEvent},
    },
};

use crate::{
    check::{Checker, Violation},
    entra::carry_out,
    fault::Fault,
    people,
    pim::{Bend, Pim},
    plan::{Happens, Plan},
    postgres::Told,
    rng::Rng,
    scene::{At, Scene, World, play_here},
    tally::Tally,
    tickets::{Desks, Kept},
    worker::{Task, Worker},
};

/// What a seed came to.
#[derive(Debug)]
pub struct Outcome {
    pub violations: Vec<Violation>,
    pub tally: Tally,
    /// The same for the same choices.
    pub digest: u64,
    pub lines: Vec<String>,
}

/// After calm everything must have come to its end by then: the longest access, the longest wait between two tries, and
/// somebody else's assignment in the way.
const HORIZON: SignedDuration = SignedDuration::from_mins(190);

/// Nobody looks for work more rarely.
const IDLE: SignedDuration = SignedDuration::from_mins(5);

/// Moments that schedules begin at: an ordinary morning, the night before a leap day, an hour that clocks show twice.
const BEGINNINGS: [&str; 3] = ["2026-11-03T08:00:00Z", "2028-02-28T23:30:00Z", "2026-10-25T00:40:00Z"];

/// No schedule takes so many steps.
const MOST_STEPS: u64 = 60_000;

enum Event {
    Happens(Happens),
    Approve(usize),
    Deliver(Box<Told>),
    Calm,
}

struct Player<'a> {
    plan: &'a Plan,
    scene: Scene,
    clocks: Vec<Arc<ManualClock>>,
    workers: Vec<Worker>,
    events: BTreeMap<(Timestamp, u64), Event>,
    drawn: u64,
    checker: Checker,
    calm_at: Timestamp,
    delivered: u64,
    /// What is to happen while a call is prepared, to which ticket.
    midway: Vec<(usize, Fault, u64)>,
}

/// Plays a plan to its end, or to its first violation. `told`: the trace is kept in words.
pub fn play(plan: &Plan, told: bool) -> Outcome {
    let mut player = Player::new(plan, told);
    play_here(&player.scene);
    player.begin();
    while player.checker.violations.is_empty() && player.step() {}
    player.end()
}

impl<'a> Player<'a> {
    fn new(plan: &'a Plan, told: bool) -> Self {
        let mut rng = Rng::new(plan.seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let began: Timestamp = rng.pick(&BEGINNINGS).parse().expect("a moment");
        let clocks: Vec<_> = (0..plan.workers).map(|_| ManualClock::at(began)).collect();
        let pims = people::TENANTS.iter().map(|_| Pim::default()).collect();
        let (faults, per_mille) = (plan.faults.clone(), plan.per_mille);
        let world = World::new(began, rng, faults, per_mille, clocks.clone(), pims, Desks::default(), told);
        let scene = Scene::new(world);
        let workers = (0..plan.workers).map(|worker| Worker::new(&scene, &clocks[worker], began)).collect();
        let calm_at = began + SignedDuration::from_secs(plan.calm_at);
        let checker = Checker::new(plan, calm_at);
        Self {
            plan,
            scene,
            clocks,
            workers,
            events: BTreeMap::new(),
            drawn: 0,
            checker,
            calm_at,
            delivered: 0,
            midway: vec![],
        }
    }

    fn begin(&mut self) {
        let began = self.scene.world().began;
        let at = |seconds: i64| began + SignedDuration::from_secs(seconds);
        for (place, ticket) in self.plan.tickets.iter().enumerate() {
            self.plan_event(at(ticket.approved_at), Event::Approve(place));
            let kept = Kept { connection: ticket.connection, plan: ticket.clone(), versions: vec![], rounds: 0 };
            self.scene.world().desks.tickets.push(kept);
        }
        for (seconds, happens) in &self.plan.events {
            self.plan_event(at(*seconds), Event::Happens(*happens));
        }
        self.plan_event(self.calm_at, Event::Calm);
    }

    fn plan_event(&mut self, at: Timestamp, event: Event) {
        self.drawn += 1;
        self.events.insert((at, self.drawn), event);
    }

    fn now(&self) -> Timestamp {
        self.scene.world().now
    }

    /// One choice, and what follows from it; `false` once nothing is left to happen.
    fn step(&mut self) -> bool {
        self.happen();
        self.tend();
        let ready = self.ready();
        if ready.is_empty() {
            if self.is_over() {
                return false;
            }
            return self.let_time_pass();
        }
        let gate = {
            let world = &mut *self.scene.world();
            let place = usize::try_from(world.rng.below(ready.len() as u64)).unwrap_or(0);
            ready[place]
        };
        self.let_through(gate);
        self.check();
        self.strike_midway();
        let world = self.scene.world();
        world.tally.steps < MOST_STEPS
    }

    fn check(&mut self) {
        let world = &mut *self.scene.world();
        self.checker.check(world, self.plan);
    }

    /// The gates that somebody may pass now.
    fn ready(&self) -> Vec<u64> {
        let world = self.scene.world();
        let up = |worker: usize| self.workers[worker].is_up();
        let may = |gate: &&crate::scene::Gate| {
            !gate.is_open && up(gate.worker) && gate.not_before.is_none_or(|at| at <= world.now)
        };
        world.gates.iter().filter(may).map(|gate| gate.id).collect()
    }

    /// Lets one pass, with whatever goes wrong there.
    fn let_through(&mut self, id: u64) {
        let (worker, task) = {
            let world = &mut *self.scene.world();
            let Some(place) = world.gates.iter().position(|gate| gate.id == id) else { return };
            let (worker, task, at) = (world.gates[place].worker, world.gates[place].task, world.gates[place].at);
            let slowed = world.gates[place].not_before.is_some();
            let fault = if slowed { None } else { decide(world, at) };
            if let Some(fault) = fault {
                world.tally.fault(fault);
            }
            if matches!(fault, Some(Fault::GraphSlow | Fault::TicketSlow)) {
                let wait = SignedDuration::from_secs(world.rng.between(4, 45));
                world.gates[place].not_before = Some(world.now + wait);
                return;
            }
            (world.gates[place].is_open, world.gates[place].fault) = (true, fault);
            world.tally.steps += 1;
            let latency = latency(&mut world.rng);
            world.pass(latency);
            let (now, elapsed) = (world.now, world.elapsed());
            let told = [worker as u64, task, fault.map_or(0, |fault| fault as u64 + 1)];
            world.trace.keep(now, told, || {
                let fault = fault.map(|fault| format!("  !! {}", fault.name())).unwrap_or_default();
                format!("{elapsed:9.3}  w{worker} t{task:<4} {}{fault}", at.name())
            });
            (worker, task)
        };
        self.poll(worker, task);
        self.poll_blocked(worker);
    }

    /// Lets a task go on until it waits again.
    fn poll(&mut self, worker: usize, task: u64) {
        let Some(place) = self.workers[worker].tasks.iter().position(|known| known.id == task) else { return };
        self.scene.world().polled = (worker, task);
        let mut context = Context::from_waker(Waker::noop());
        let polled = self.workers[worker].tasks[place].work.as_mut().poll(&mut context);
        let Poll::Ready(leased) = polled else { return };
        let ended = self.workers[worker].tasks.remove(place);
        let now = self.now();
        self.workers[worker].looks_at = now;
        if ended.is_lease && leased.is_empty() {
            self.workers[worker].looks_at = self.next_look(worker);
        }
        for due in leased {
            self.drawn += 1;
            let begun = self.workers[worker].perform(self.drawn, due, now);
            self.start(worker, begun);
        }
    }

    fn start(&mut self, worker: usize, task: Task) {
        let id = task.id;
        self.workers[worker].tasks.push(task);
        self.poll(worker, id);
    }

    /// Tasks that wait for each other instead of at a gate.
    fn poll_blocked(&mut self, worker: usize) {
        let at_gates: Vec<_> = self.scene.world().gates.iter().filter(|g| g.worker == worker).map(|g| g.task).collect();
        let blocked = self.workers[worker].tasks.iter().map(|task| task.id).filter(|id| !at_gates.contains(id));
        let blocked: Vec<_> = blocked.collect();
        for task in blocked {
            self.poll(worker, task);
        }
    }

    /// When a worker that found nothing looks again.
    fn next_look(&self, worker: usize) -> Timestamp {
        let world = self.scene.world();
        let ahead = self.clocks[worker].now().duration_since(world.now);
        let due = world.database.next_of_all().map_or(Timestamp::MAX, |due| due.saturating_sub(ahead).unwrap_or(due));
        // What is due and could not be leased is somebody else's, or waits for this one's own plan.
        let due = if due <= world.now { world.now + SignedDuration::from_secs(10) } else { due };
        due.min(world.now + IDLE)
    }

    /// Looks after the workers: who is back, who took too long, who looks for work.
    fn tend(&mut self) {
        let now = self.now();
        for worker in 0..self.workers.len() {
            if self.workers[worker].dead.is_some_and(|until| until <= now) {
                self.workers[worker] = Worker::new(&self.scene, &self.clocks[worker], now);
            }
            if self.workers[worker].stopped.is_some_and(|until| until <= now) {
                self.workers[worker].stopped = None;
                self.workers[worker].looks_at = now;
                // What is ready goes on first: tokio asks the work before its time limit.
                let grace = now + SignedDuration::from_millis(500);
                for task in &mut self.workers[worker].tasks {
                    task.until = task.until.max(grace);
                }
            }
            if self.workers[worker].is_up() {
                self.workers[worker].tasks.retain(|task| task.until > now);
            }
            if self.workers[worker].looks(now) {
                self.drawn += 1;
                let lease = self.workers[worker].lease(self.drawn, now);
                self.start(worker, lease);
            }
        }
    }

    /// Goes on to the next moment at which anything can happen.
    fn let_time_pass(&mut self) -> bool {
        let now = self.now();
        let mut moments: Vec<Timestamp> = self.events.keys().map(|(at, _)| *at).take(1).collect();
        for worker in &self.workers {
            moments.extend(worker.dead.into_iter().chain(worker.stopped));
            if worker.is_up() {
                moments.extend(worker.tasks.iter().map(|task| task.until));
                if !worker.tasks.iter().any(|task| task.is_lease) {
                    moments.push(worker.looks_at);
                }
            }
        }
        let mut world = self.scene.world();
        let up = |worker: usize| self.workers[worker].is_up();
        moments.extend(world.gates.iter().filter(|gate| up(gate.worker)).filter_map(|gate| gate.not_before));
        moments.extend(world.late.iter().map(|(at, _)| *at));
        let Some(next) = moments.into_iter().filter(|at| *at > now).min() else { return false };
        world.pass(next.duration_since(now));
        true
    }

    /// Whether everything came to its end, or had its time to.
    fn is_over(&self) -> bool {
        let world = self.scene.world();
        if !world.calm {
            return false;
        }
        let waits = self.events.is_empty() && world.late.is_empty();
        let quiet = self.calm_at + SignedDuration::from_mins(17) < world.now;
        let over = world.database.rows.iter().all(|row| row.state.status().is_terminal());
        let told = world.database.notes.iter().all(|note| note.due_at.is_none());
        let gone = world.pims.iter().flat_map(|pim| &pim.grants).all(|g| g.call.is_none() || !g.is_in_force(world.now));
        (waits && quiet && over && told && gone) || world.now > self.calm_at + HORIZON + self.plan.apart()
    }

    fn happen(&mut self) {
        loop {
            let now = self.now();
            let late = {
                let world = &mut *self.scene.world();
                let place = world.late.iter().position(|(at, _)| *at <= now);
                place.map(|place| world.late.remove(place).1)
            };
            if let Some(late) = late {
                let world = &mut *self.scene.world();
                world.say(|| format!("{} is carried out late", late.order.name()));
                let _ = carry_out(world, late.tenant, &late.order, Bend::Not, false);
            } else if let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= now) {
                let event = entry.remove();
                self.occur(event);
            } else {
                return;
            }
            self.check();
        }
    }

    fn occur(&mut self, event: Event) {
        match event {
            Event::Happens(happens) => self.go_wrong(happens),
            Event::Approve(ticket) => self.approve(ticket),
            Event::Deliver(told) => self.deliver(&told),
            Event::Calm => self.calm_down(),
        }
    }

    fn calm_down(&mut self) {
        let world = &mut *self.scene.world();
        world.say(|| "calm".into());
        world.calm = true;
        world.down.clear();
        for (clock, worker) in self.clocks.iter().zip(&mut self.workers) {
            clock.jump(world.now.duration_since(clock.now()));
            worker.looks_at = world.now;
        }
    }

    fn go_wrong(&mut self, happens: Happens) {
        let now = self.now();
        let seconds = |seconds: i64| SignedDuration::from_secs(seconds);
        self.scene.world().say(|| format!("{happens:?}"));
        let met = match happens {
            Happens::Kill(worker, back) => {
                self.workers[worker].tasks.clear();
                self.workers[worker].stopped = None;
                self.workers[worker].dead = Some(now + seconds(back));
                Some(Fault::Kill)
            }
            Happens::Stop(worker, time) => {
                let up = self.workers[worker].dead.is_none();
                self.workers[worker].stopped = up.then(|| now + seconds(time));
                up.then_some(Fault::Stop)
            }
            Happens::Jump(worker, by) => {
                self.clocks[worker].jump(seconds(by));
                self.workers[worker].looks_at = now;
                Some(if by > 0 { Fault::ClockAhead } else { Fault::ClockBack })
            }
            Happens::Outage(fault, time) => {
                self.outage(fault, now + seconds(time));
                Some(fault)
            }
            Happens::Ticket(ticket, into) => self.turn(ticket, into).then_some(into),
            Happens::Order(ticket) => self.order(ticket).then_some(Fault::Ordered),
            Happens::HandRevoke(ticket) => {
                let (tenant, holding) = self.held_by(ticket);
                self.scene.world().pims[tenant].hand_revoke(&holding, now).then_some(Fault::HandRevoked)
            }
            Happens::HandGrant(ticket) => {
                let (tenant, holding) = self.held_by(ticket);
                self.scene.world().pims[tenant].hand_grant(&holding, now).then_some(Fault::HandGranted)
            }
            Happens::Midway(ticket, into, turns) => {
                self.midway.push((ticket, into, turns));
                None
            }
        };
        if let Some(met) = met {
            self.scene.world().tally.fault(met);
        }
    }

    fn held_by(&self, ticket: usize) -> (usize, stint::domain::assignment::Holding) {
        let ticket = &self.plan.tickets[ticket];
        (people::CONNECTIONS[ticket.connection].1, people::holding(ticket))
    }

    /// What was to happen while a call is prepared, once its attempt is recorded and the call has not left.
    fn strike_midway(&mut self) {
        let prepared: Vec<_> = self.midway.iter().map(|(ticket, ..)| self.is_prepared(*ticket)).collect();
        let mut struck = vec![];
        for (place, _) in prepared.iter().enumerate().filter(|(_, prepared)| **prepared) {
            let (ticket, into, turns) = &mut self.midway[place];
            match turns.checked_sub(1) {
                Some(left) => *turns = left,
                None => struck.push((place, *ticket, *into)),
            }
        }
        for (place, ticket, into) in struck.into_iter().rev() {
            self.midway.remove(place);
            self.scene.world().say(|| format!("midway: {} of ticket {ticket}", into.name()));
            let met = if into == Fault::Ordered { self.order(ticket) } else { self.turn(ticket, into) };
            if met {
                self.scene.world().tally.fault(into);
            }
            self.check();
        }
    }

    /// Whether a call for access of the ticket's request is recorded, and has not left.
    fn is_prepared(&self, ticket: usize) -> bool {
        let world = self.scene.world();
        let (id, connection) = (people::ticket_id(ticket), people::connection(self.plan.tickets[ticket].connection));
        let its = world.database.rows.iter().filter(|row| row.ticket == id && row.connection == connection);
        let open = its.flat_map(|row| world.database.attempts_of(row.id));
        let mut open = open.filter(|attempt| attempt.is_for_access() && attempt.outcome == AttemptOutcome::Open);
        open.any(|attempt| world.ledger.sent.iter().all(|sent| sent.call != attempt.id.0))
    }

    /// A neighbour is gone. At a failover what was about to be committed is, or is not, and nobody learns which.
    fn outage(&mut self, fault: Fault, until: Timestamp) {
        let key = if fault == Fault::Failover { Fault::DbOutage } else { fault };
        self.scene.world().down.insert(key, until);
        if fault != Fault::Failover {
            return;
        }
        let cut: Vec<_> = {
            let world = &mut *self.scene.world();
            let mut cut = vec![];
            for gate in world.gates.iter_mut().filter(|gate| matches!(gate.at, At::Commit(_)) && !gate.is_open) {
                gate.is_open = true;
                gate.fault = Some(if world.rng.chance(500) { Fault::DbUnknown } else { Fault::DbLost });
                cut.push((gate.worker, gate.task));
            }
            cut
        };
        for (worker, task) in cut {
            // Who stands still learns of it later.
            if self.workers[worker].is_up() {
                self.poll(worker, task);
            }
        }
    }

    fn approve(&mut self, place: usize) {
        let plan = &self.plan.tickets[place];
        {
            let world = &mut *self.scene.world();
            let (began, now) = (world.began, world.now);
            let ticket = people::ticket(place, plan, began, now);
            world.desks.tickets[place].versions.push((now, Some(ticket)));
            world.say(|| format!("ticket {place} is approved"));
        }
        self.send_delivery(place, HintEvent::Approved);
    }

    fn turn(&mut self, place: usize, into: Fault) -> bool {
        let turned = {
            let world = &mut *self.scene.world();
            let now = world.now;
            world.desks.tickets[place].turn(into, now)
        };
        if turned {
            let event = if into == Fault::Reapproved { HintEvent::Approved } else { HintEvent::Changed };
            self.send_delivery(place, event);
        }
        turned
    }

    /// The ticket system tells of a change, sooner or later, once or twice, or never.
    fn send_delivery(&mut self, place: usize, event: HintEvent) {
        self.delivered += 1;
        let (told, delays) = {
            let world = &mut *self.scene.world();
            let kept = &world.desks.tickets[place];
            let newest = kept.newest().and_then(|ticket| ticket.newest_approval()).map(|approval| approval.id.clone());
            let ticket = people::ticket_id(place);
            let number = stint::domain::id::TicketNumber::new(format!("SIM-{place}"));
            let hint = Hint { ticket, number, event, approval: newest, told: None };
            let connection = people::connection(kept.connection);
            let tenant = people::only_tenant(kept.connection);
            let told = Told { connection, tenant, key: format!("delivery-{}", self.delivered), hint };
            (told, delays(world))
        };
        for delay in delays {
            let at = self.now() + delay;
            self.plan_event(at, Event::Deliver(Box::new(told.clone())));
        }
    }

    /// A delivery reaches whichever worker is up; what is not answered is sent again.
    fn deliver(&mut self, told: &Told) {
        let again = |player: &mut Self, seconds: i64| {
            let at = player.now() + SignedDuration::from_secs(seconds);
            player.plan_event(at, Event::Deliver(Box::new(told.clone())));
        };
        let up: Vec<_> = (0..self.workers.len()).filter(|worker| self.workers[*worker].is_up()).collect();
        let down = {
            let world = self.scene.world();
            world.down.get(&Fault::DbOutage).is_some_and(|until| *until > world.now)
        };
        if up.is_empty() || down {
            return again(self, 20);
        }
        let unanswered = {
            let world = &mut *self.scene.world();
            let worker = world.rng.pick(&up);
            let at = self.clocks[worker].now();
            let request = world.database.receive(told, at);
            let fault = (!world.calm).then(|| met(world, &[Fault::DeliveryUnacknowledged], 0)).flatten();
            if let Some(fault) = fault {
                world.tally.fault(fault);
            }
            world.say(|| format!("{} of {} arrives, for {request:?}", told.key, told.hint.number));
            if fault.is_none()
                && let Some(request) = request
            {
                world.ledger.acknowledged.push((told.connection.clone(), request));
            }
            fault.is_some()
        };
        if unanswered {
            again(self, 15);
        }
        let now = self.now();
        self.workers.iter_mut().for_each(|worker| worker.looks_at = worker.looks_at.min(now));
    }

    /// An operator revokes the ticket's newest request.
    fn order(&mut self, place: usize) -> bool {
        let world = &mut *self.scene.world();
        let ticket = people::ticket_id(place);
        let connection = people::connection(self.plan.tickets[place].connection);
        let newest = world.database.rows.iter().rev().find(|row| row.ticket == ticket && row.connection == connection);
        let Some(id) = newest.filter(|row| !row.state.status().is_terminal()).map(|row| row.id) else { return false };
        let now = world.now;
        let actor = Actor::stint();
        let ordered = world.database.order_end(id, &EndOrder::revocation(actor, "enough", self.clocks[0].now()));
        if ordered == stint::store::Ordered::Recorded {
            world.ledger.ordered.push((id, now));
        }
        self.workers.iter_mut().for_each(|worker| worker.looks_at = worker.looks_at.min(now));
        true
    }

    fn end(mut self) -> Outcome {
        let world = &mut *self.scene.world();
        if self.checker.violations.is_empty() {
            self.checker.at_the_end(world, self.plan, world.tally.steps >= MOST_STEPS);
        }
        world.tally.requests = world.database.rows.len() as u64;
        world.tally.creates = world.pims.iter().flat_map(|pim| &pim.grants).filter(|g| g.call.is_some()).count() as u64;
        let (tally, trace) = (world.tally.clone(), std::mem::take(&mut world.trace));
        Outcome {
            violations: std::mem::take(&mut self.checker.violations),
            tally,
            digest: trace.digest,
            lines: trace.lines.unwrap_or_default(),
        }
    }
}

impl Drop for Player<'_> {
    fn drop(&mut self) {
        // Futures look after their gates when they are dropped, while nobody else holds the world.
        self.workers.clear();
    }
}

/// How long whatever passed a gate took.
fn latency(rng: &mut Rng) -> SignedDuration {
    let most = match rng.below(1000) {
        0..5 => 4_000,
        5..100 => 700,
        _ => 50,
    };
    SignedDuration::from_millis(rng.between(1, most))
}

/// What goes wrong at a gate, if anything.
fn decide(world: &mut World, at: At) -> Option<Fault> {
    if world.calm || world.faults.is_empty() && world.down.is_empty() {
        return None;
    }
    if let Some((outage, fault)) = at.outage()
        && world.down.get(&outage).is_some_and(|until| *until > world.now)
    {
        return Some(fault);
    }
    // Few calls change anything, so what may go wrong with them does more often.
    let least = if matches!(at, At::GraphSend(_)) { 400 } else { 0 };
    met(world, at.faults(), least)
}

/// One of these that the plan has, now and then, and so many times in a thousand at least.
fn met(world: &mut World, of: &[Fault], least: u64) -> Option<Fault> {
    let may: Vec<_> = of.iter().copied().filter(|fault| world.faults.contains(fault)).collect();
    if may.is_empty() {
        return None;
    }
    let fault = world.rng.pick(&may);
    let often = if fault == Fault::GraphLag { 500 } else { world.per_mille.max(least) };
    world.rng.chance(often).then_some(fault)
}

/// When the copies of a delivery arrive.
fn delays(world: &mut World) -> Vec<SignedDuration> {
    let soon = SignedDuration::from_millis(world.rng.between(50, 2_000));
    let of = [Fault::DeliveryLost, Fault::DeliveryRepeated, Fault::DeliveryLate];
    let fault = if world.calm { None } else { met(world, &of, 100) };
    if let Some(fault) = fault {
        world.tally.fault(fault);
    }
    match fault {
        Some(Fault::DeliveryLost) => vec![],
        Some(Fault::DeliveryRepeated) => vec![soon, SignedDuration::from_secs(world.rng.between(1, 400))],
        Some(Fault::DeliveryLate) => vec![SignedDuration::from_secs(world.rng.between(5, 300))],
        _ => vec![soon],
    }
}
