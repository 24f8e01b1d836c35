//! The invariants, asked after every step of what the neighbours' ledgers and the committed rows say.
//!
//! Nothing here reads what the engine keeps in memory. What an invariant rests on that these models do not have is said at
//! [`SEEN`]. Times are the world's; where a plan sets wall clocks, what can only be told by comparing moments of different
//! clocks is left out, and the lengths of what is given are still checked.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use stint::domain::{
    attempt::{ABSENT_APART, Attempt, AttemptKind, AttemptOutcome, SETTLE},
    duration::Duration,
    id::RequestId,
    request::{Decision, State, Status},
    ticket::{Field, Standing, Ticket},
};

use crate::{
    ledger::{Asks, Done, Sent, What},
    people,
    plan::{Plan, TicketPlan},
    postgres::{AttemptRow, Database, Event, Row},
    scene::World,
    tally::EDGES,
};

/// PIM may end it so much later than was approved.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// So old may the reading of a ticket be when a call that assigns leaves.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// What PIM's lists show may be so old, and the step that read them takes a while.
const LAG: SignedDuration = SignedDuration::from_secs(120 + 80);

/// After calm an open request waits no longer than this without being held: the longest wait that began before, and what
/// follows it. Clocks that were set add as much as they are apart.
const SETTLES: SignedDuration = SignedDuration::from_mins(15 + 20);

/// Which invariants are asked here, and in what way.
pub const SEEN: [(&str, &str); 20] = [
    ("I1", "assignments made by approval, in PIM's books"),
    ("I2", "each call against the attempt and decision committed before it left"),
    ("I3", "each acknowledged delivery's request, at the end"),
    ("I4", "the end PIM gave, against the first call that left; at the end nothing of stint's is in force"),
    ("I5", "each row's state against its chain of events; that the log verifies is not played (tests/it/tampering)"),
    ("I6", "each move against the table; active and ended against PIM's books"),
    ("I7", "open attempts by request and holding; the time and looks before a second call"),
    ("I8", "no call for a ticket whose requester approved it"),
    ("I9", "what leaves against the version of the ticket that was read, and when"),
    ("I10", "no removal or update meets somebody else's assignment"),
    ("I11", "no call and no move to active after an order to end or a final state"),
    ("I12", "how attempts are closed, against what PIM did"),
    ("I13", "the tenant of each call against its request's and its connection's"),
    ("I14", "not seen: no secret reaches the engine (tests/it reads every line of the log)"),
    ("I15", "as I4, for every later call of a request"),
    ("I16", "in part: requests that are due are not left behind; memory and connections are not played"),
    ("I17", "not seen: nothing is served over HTTP here (tests/it/mutation)"),
    ("I18", "each removal that PIM carried out, against the rows of those who hold it"),
    ("I19", "each open request, from calm on"),
    ("notes", "each stands on its ticket once"),
];

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
}

#[derive(Debug, Default)]
pub struct Checker {
    pub violations: Vec<Violation>,
    sent: usize,
    done: usize,
    events: usize,
    grants: usize,
    attempts: Vec<AttemptRow>,
    /// How each request stands, and since when.
    standing: Vec<(RequestId, Status, Timestamp)>,
    jumps: bool,
    /// How long after calm an open request may wait without being held.
    settles: SignedDuration,
    calm_at: Option<Timestamp>,
    looked_at: Option<Timestamp>,
}

impl Checker {
    pub fn new(plan: &Plan, calm_at: Timestamp) -> Self {
        let settles = SETTLES + plan.apart();
        Self { jumps: plan.jumps(), settles, calm_at: Some(calm_at), ..Self::default() }
    }

    fn wrong(&mut self, invariant: &'static str, what: impl FnOnce() -> String) {
        self.violations.push(Violation { invariant, what: what() });
    }

    fn must(&mut self, holds: bool, invariant: &'static str, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(invariant, what);
        }
    }

    /// Asks everything that the last step may have changed.
    pub fn check(&mut self, world: &mut World, plan: &Plan) {
        while self.sent < world.ledger.sent.len() {
            let sent = world.ledger.sent[self.sent].clone();
            self.sent += 1;
            self.left(world, &sent, plan);
        }
        while self.done < world.ledger.done.len() {
            let done = world.ledger.done[self.done].clone();
            self.done += 1;
            self.carried_out(world, &done);
        }
        let grants = world.pims.iter().map(|pim| pim.grants.len()).sum();
        if grants != self.grants {
            self.grants = grants;
            self.made(world);
        }
        if self.events != world.database.events.len() {
            let events = world.database.events[self.events..].to_vec();
            self.events = world.database.events.len();
            for event in &events {
                self.moved(world, event);
            }
            self.states_are_told(&world.database);
            self.attempts_are_closed(world);
        }
        self.is_alive(world);
    }

    /// A call left a worker.
    fn left(&mut self, world: &World, sent: &Sent, plan: &Plan) {
        let database = &world.database;
        let Some(attempt) = database.attempts.iter().find(|row| row.attempt.id.0 == sent.call) else {
            return self.wrong("I2", || format!("{:?} {} left without a committed attempt", sent.what, sent.call));
        };
        let Some(row) = database.row(attempt.request) else {
            return self.wrong("I2", || format!("{:?} left for no request", sent.what));
        };
        let tenant = people::tenant(sent.tenant);
        let own = people::CONNECTIONS
            .iter()
            .any(|(name, place, _)| *name == row.connection.as_str() && *place == sent.tenant);
        self.must(own && row.tenant.as_ref() == Some(&tenant) && attempt.tenant == tenant, "I13", || {
            format!("{:?} for {} went to {tenant}", sent.what, row.id)
        });
        let marked = sent.request.is_none_or(|marked| marked == row.id);
        let same = sent.holding.as_ref().is_none_or(|holding| *holding == attempt.holding);
        self.must(marked && same, "I2", || format!("{:?} of {} is not what its attempt says", sent.what, row.id));
        if attempt.attempt.is_for_access() || sent.what == What::Validate {
            self.must(attempt.attempt.outcome == AttemptOutcome::Open, "I2", || "its attempt was closed".into());
            self.asks_for_access(world, sent, (row, &attempt.attempt), plan);
        }
    }

    /// A call that asks for access left a worker.
    fn asks_for_access(&mut self, world: &World, sent: &Sent, (row, attempt): (&Row, &Attempt), plan: &Plan) {
        let id = row.id;
        let Some(decision) = row.state.decision().filter(|_| row.stands() == Status::Assigning) else {
            return self.wrong("I11", || format!("{id} is {} and asks for access", row.state.status()));
        };
        let place = world.desks.tickets.iter().position(|kept| {
            let is_it = |t: &Ticket| t.id == row.ticket;
            people::connection(kept.connection) == row.connection
                && kept.versions.iter().filter_map(|(_, ticket)| ticket.as_ref()).any(is_it)
        });
        let Some(place) = place else { return self.wrong("I2", || format!("{id} has no ticket")) };
        let kept = &world.desks.tickets[place];
        let approved =
            kept.versions.iter().filter_map(|(_, ticket)| ticket.as_ref()).flat_map(|t| &t.approvals).any(|a| {
                let yes = a.outcome == stint::domain::approval::Outcome::Approved;
                yes && a.id == decision.approval && a.decided_at == Some(decision.approved_at)
            });
        let whole = !decision.approvers.is_empty()
            && decision.snapshot_digest.starts_with("sha256:")
            && !decision.catalog_version.is_empty();
        self.must(approved && whole, "I2", || format!("{id} rests on no approval that was ever given"));
        let protected = people::is_protected(kept.plan.entitlement);
        self.must(!kept.plan.approver.never_counts(protected), "I8", || {
            format!("{id} was approved by {:?}", kept.plan.approver)
        });
        self.keeps_to_its_limits(world, sent, id, &kept.plan);
        self.is_as_approved(world, sent, (place, id, attempt), decision);
        let asked = world.ledger.may_send.iter().find(|asked| (asked.0, asked.1) == (sent.worker, sent.task));
        let asked = asked.map(|(_, _, at)| *at);
        let ordered = world.ledger.ordered.iter().find(|(ordered, _)| *ordered == id).map(|(_, at)| *at);
        let in_time = ordered.is_none_or(|ordered| asked.is_some_and(|asked| asked <= ordered));
        self.must(in_time, "I11", || format!("{id} was ordered to end before the call for access left"));
        let rehearsed = plan.tickets.get(place).is_some_and(|ticket| people::CONNECTIONS[ticket.connection].2);
        self.must(!rehearsed || sent.what == What::Validate, "I2", || {
            format!("{id} is a dry run, and asks for access")
        });
        self.comes_after_silence(world, sent, id);
    }

    /// What leaves is what was read, which is what was approved.
    fn is_as_approved(
        &mut self,
        world: &World,
        sent: &Sent,
        (place, id, attempt): (usize, RequestId, &Attempt),
        decision: &Decision,
    ) {
        let read = world.ledger.read.iter().find(|read| (read.worker, read.task) == (sent.worker, sent.task));
        let Some(read) = read.filter(|read| read.ticket == place && !read.spoilt) else {
            return self.wrong("I9", || format!("{id} asks for access without a reading of its ticket"));
        };
        let age = sent.at.duration_since(read.at);
        self.must(age <= FRESH, "I9", || format!("{id} asks for access {age:#} after its ticket was read"));
        let Some(ticket) = &world.desks.tickets[place].versions[read.version].1 else { return };
        let text = |field: &Field| if let Field::Text(text) = field { text.clone() } else { String::new() };
        let asked = text(&ticket.duration).parse::<Duration>().map(Duration::signed);
        let given = attempt.duration.map(Duration::signed);
        let newest = ticket.newest_approval();
        let unedited = ticket.fields_changed_at.is_none_or(|edited| edited <= decision.approved_at);
        let same = ticket.standing == Standing::Approved
            && ticket.in_scope
            && newest.is_some_and(|newest| newest.id == decision.approval)
            && text(&ticket.principal) == decision.principal.id.to_string()
            && sent.holding.as_ref().is_some_and(|holding| holding.principal == decision.principal.id)
            && text(&ticket.entitlement) == decision.entitlement.key.as_str()
            && asked.is_ok_and(|asked| given.is_some_and(|given| given <= asked));
        self.must(same && unedited, "I9", || format!("{id} asks for what its ticket does not say: {ticket:?}"));
        let within = match sent.asks {
            Asks::For(time) => time <= decision.duration.signed(),
            Asks::Until(_) | Asks::Nothing => true,
        };
        self.must(within, "I4", || format!("{id} asks for {:?}, and {} was approved", sent.asks, decision.duration));
    }

    /// A second call waits until the first one can no longer take effect unseen.
    fn comes_after_silence(&mut self, world: &World, sent: &Sent, id: RequestId) {
        let own = world.database.attempts.iter().filter(|row| row.request == id && row.attempt.is_for_access());
        let earlier = own.filter(|row| row.attempt.id.0 != sent.call);
        let mut wrong = vec![];
        for AttemptRow { attempt, .. } in earlier {
            let left = world.ledger.sent.iter().find(|sent| sent.call == attempt.id.0 && !sent.surely_not);
            let unknown = matches!(attempt.outcome, AttemptOutcome::Absent | AttemptOutcome::NotSent);
            let Some(left) = left.filter(|_| unknown) else { continue };
            let settled = self.jumps || sent.at >= attempt.send_not_after + SETTLE;
            let looked = self.jumps || looked_twice(world, left, sent);
            if !settled || attempt.absent_reads < 2 || !looked {
                wrong.push(format!(
                    "{id} asks again {:#} after a call of unknown outcome",
                    sent.at.duration_since(left.at)
                ));
            }
        }
        let same =
            |row: &AttemptRow| row.tenant == people::tenant(sent.tenant) && Some(&row.holding) == sent.holding.as_ref();
        let open = |row: &&AttemptRow| row.attempt.outcome == AttemptOutcome::Open && (row.request == id || same(row));
        let open = world.database.attempts.iter().filter(open).count();
        self.must(open == 1, "I7", || format!("{open} attempts are open for {id} and what it asks for"));
        for what in wrong {
            self.wrong("I7", || what);
        }
    }

    /// What is asked for lies within the entitlement's longest time and the ticket's change window.
    fn keeps_to_its_limits(&mut self, world: &World, sent: &Sent, id: RequestId, ticket: &TicketPlan) {
        let moment = |seconds: i64| world.began + SignedDuration::from_secs(seconds);
        let begins = self.jumps || ticket.starts_at.is_none_or(|start| sent.at >= moment(start));
        self.must(begins, "I9", || format!("{id} asks for access before its change window begins"));
        let Asks::For(time) = sent.asks else { return };
        let longest = people::longest(ticket.entitlement);
        self.must(time <= longest, "I4", || format!("{id} asks for {time:#}, and its entitlement gives {longest:#}"));
        let ends = self.jumps || ticket.ends_at.is_none_or(|end| sent.at + time <= moment(end) + TOLERANCE);
        self.must(ends, "I4", || format!("{id} asks for access beyond its change window"));
    }

    /// Until when a request may have what it asks for, by the first call that may have been carried out.
    fn approved_until(world: &World, request: RequestId) -> Option<Timestamp> {
        let row = world.database.row(request)?;
        let decision = row.decision.as_ref()?;
        let access = |sent: &&Sent| {
            let attempt = world.database.attempts.iter().find(|row| row.attempt.id.0 == sent.call);
            attempt.is_some_and(|row| row.request == request && row.attempt.is_for_access()) && !sent.surely_not
        };
        let first = world.ledger.sent.iter().find(access)?;
        // A call may take half a minute to arrive, and PIM counts from then.
        let end = first.at + decision.duration.signed() + TOLERANCE;
        Some(decision.not_after.map_or(end, |window| window.min(end) + TOLERANCE))
    }

    /// PIM carried a call out.
    fn carried_out(&mut self, world: &World, done: &Done) {
        self.must(!done.foreign, "I10", || format!("{:?} at {} met somebody else's assignment", done.what, done.at));
        let Some(request) = done.request else { return };
        if done.what == What::Remove && !done.foreign {
            self.removed(world, done, request);
        }
        let Asks::Until(end) = asks(world, done) else { return };
        let of = world.database.rows.iter().filter(|row| {
            row.decision
                .as_ref()
                .is_some_and(|d| d.holding() == done.holding && d.tenant == people::tenant(done.tenant))
        });
        let until = of.filter_map(|row| Self::approved_until(world, row.id)).max();
        let in_time = self.jumps || until.is_some_and(|until| end <= until + SignedDuration::from_secs(30));
        self.must(in_time, "I4", || format!("an update to {end}, and approvals last until {until:?}"));
    }

    /// An assignment of stint's was removed.
    fn removed(&mut self, world: &World, done: &Done, request: RequestId) {
        let database = &world.database;
        let ends = |row: &Row| {
            row.end_requested.is_some() || row.stands() == Status::Ending || row.state.status().is_terminal()
        };
        let meant = database.row(request).is_some_and(ends);
        self.must(meant, "I18", || format!("{request} is not to end, and its assignment was removed"));
        let holds = |row: &&Row| {
            let same = row
                .state
                .decision()
                .is_some_and(|d| d.holding() == done.holding && d.tenant == people::tenant(done.tenant));
            let until = match row.state.underlying() {
                State::Active(_, assignment) => Some(assignment.ends_at),
                _ => None,
            };
            same && row.id != request && row.end_requested.is_none() && until.is_some_and(|until| until > done.at)
        };
        let cut_off = database.rows.iter().find(holds).filter(|_| !self.jumps);
        let words = cut_off.map(|row| format!("{} is in force, and was removed with {request}", row.id));
        self.must(words.is_none(), "I18", || words.unwrap_or_default());
    }

    /// An assignment was made.
    fn made(&mut self, world: &World) {
        let mut seen: Vec<(String, String, String)> = vec![];
        let mut wrong: Vec<(&'static str, String)> = vec![];
        for (tenant, pim) in world.pims.iter().enumerate() {
            for grant in pim.grants.iter().filter(|grant| grant.call.is_some()) {
                let Some(row) = grant.request.and_then(|request| world.database.row(request)) else {
                    wrong.push(("I2", format!("an assignment for no request, {:?}", grant.request)));
                    continue;
                };
                let Some(decision) = &row.decision else { continue };
                let key = (row.connection.to_string(), row.ticket.to_string(), decision.approval.to_string());
                if seen.contains(&key) {
                    wrong.push(("I1", format!("a second assignment on {key:?} in tenant {tenant}")));
                }
                seen.push(key);
                let until = Self::approved_until(world, row.id);
                let end = grant.end_at(grant.start);
                let length = end.map(|end| end.duration_since(grant.start));
                let kept = end.zip(until).is_some_and(|(end, until)| end <= until + SignedDuration::from_secs(120));
                let late = grant.start.duration_since(world.now).abs() < SignedDuration::from_secs(1);
                if late && row.state.status().is_terminal() && !self.jumps {
                    wrong.push(("I11", format!("{} is {}, and its assignment begins", row.id, row.state.status())));
                }
                let short = length.is_some_and(|length| length <= decision.duration.signed() + TOLERANCE);
                if !grant.bent && late && !(short && (kept || self.jumps)) {
                    wrong.push(("I4", format!("{} ends at {end:?}, approved until {until:?}", row.id)));
                }
            }
        }
        for (invariant, what) in wrong {
            self.wrong(invariant, || what);
        }
    }

    /// A move was committed.
    fn moved(&mut self, world: &mut World, event: &Event) {
        let (Some(id), Some((from, to))) = (event.request, event.moved) else { return };
        let known = self.standing.iter().position(|(known, ..)| *known == id);
        let before = known.map(|place| self.standing[place].1);
        self.must(before == from, "I5", || format!("{id} moved from {from:?}, and stood at {before:?}"));
        if let Some(from) = from {
            world.tally.edge(from, to);
            let resumed = from == Status::Held && event.name == "resumed";
            let legal = EDGES.contains(&(from, to)) || resumed;
            self.must(legal && !from.is_terminal(), "I6", || {
                format!("{id} moved from {from} to {to} by {}", event.name)
            });
        } else {
            self.must(to == Status::Received, "I6", || format!("{id} began as {to}"));
        }
        match known {
            Some(place) => self.standing[place] = (id, to, world.now),
            None => self.standing.push((id, to, world.now)),
        }
        match event.name {
            "active" => self.is_active(world, id),
            _ if to == Status::Ended => self.is_gone(world, id),
            "rejected" | "failed" => self.came_to_nothing(world, id),
            _ => {}
        }
    }

    fn is_active(&mut self, world: &World, id: RequestId) {
        let ordered = world.ledger.ordered.iter().any(|(ordered, _)| *ordered == id);
        self.must(!ordered, "I11", || format!("{id} became active after it was ordered to end"));
        let Some(row) = world.database.row(id) else { return };
        let Some(decision) = &row.decision else { return };
        let place = people::tenant_place(&decision.tenant).unwrap_or(0);
        let lately = world.now - LAG;
        let was = world.pims[place].grants.iter().any(|grant| {
            let over = grant.removed.or(grant.end()).unwrap_or(Timestamp::MAX);
            grant.call.is_some() && grant.holding == decision.holding() && grant.start <= world.now && over >= lately
        });
        self.must(was, "I6", || format!("{id} became active, and nothing of it was in force"));
        let until = Self::approved_until(world, id);
        let bent = world.pims[place].grants.iter().find(|grant| {
            let late =
                grant.end().is_none_or(|end| until.is_some_and(|until| end > until + SignedDuration::from_secs(120)));
            grant.request == Some(id) && grant.bent && grant.is_in_force(world.now) && late
        });
        self.must(bent.is_none(), "I4", || format!("{id} became active with another end than was approved: {bent:?}"));
        let dry = people::CONNECTIONS.iter().any(|(name, _, dry)| *name == row.connection.as_str() && *dry);
        self.must(!dry, "I6", || format!("{id} is a dry run and became active"));
    }

    /// What a request made and is in force now.
    fn in_force(world: &World, id: RequestId) -> Option<Timestamp> {
        let grants = world.pims.iter().flat_map(|pim| &pim.grants);
        let own = grants.filter(|grant| grant.request == Some(id) && grant.is_in_force(world.now));
        own.map(|grant| grant.start).next()
    }

    fn is_gone(&mut self, world: &World, id: RequestId) {
        let Some(row) = world.database.row(id) else { return };
        let continued = row.end_order.as_ref().is_some_and(|order| !order.continued_by.is_empty());
        let Some(decision) = row.decision.as_ref().filter(|_| !continued && !self.jumps) else { return };
        let holds = |other: &Row| {
            let same = other.id != id && other.state.decision().is_some_and(|d| d.holding() == decision.holding());
            same && matches!(other.stands(), Status::Active | Status::Assigning | Status::Ending)
        };
        let shared = world.database.rows.iter().any(holds);
        let left = Self::in_force(world, id).filter(|_| !shared);
        self.must(left.is_none(), "I6", || format!("{id} ended, and its assignment of {left:?} is in force"));
    }

    fn came_to_nothing(&mut self, world: &World, id: RequestId) {
        if self.jumps {
            return;
        }
        let left = Self::in_force(world, id);
        self.must(left.is_none(), "I12", || {
            format!("{id} came to nothing, and its assignment of {left:?} is in force")
        });
    }

    /// Each row stands where its last event says.
    fn states_are_told(&mut self, database: &Database) {
        for row in &database.rows {
            let told = self.standing.iter().find(|(id, ..)| *id == row.id).map(|(_, status, _)| *status);
            let is = row.state.status();
            self.must(told == Some(is), "I5", || format!("{} is {is}, and its last event says {told:?}", row.id));
        }
    }

    /// Attempts are closed as they came out.
    fn attempts_are_closed(&mut self, world: &World) {
        let rows = &world.database.attempts;
        let mut wrong = vec![];
        for (place, row) in rows.iter().enumerate() {
            let before = self.attempts.get(place).map(|row| row.attempt.outcome);
            let now = row.attempt.outcome;
            if before != Some(now) && now != AttemptOutcome::Open && row.attempt.is_for_access() {
                wrong.extend(misjudged(world, row, self.jumps));
            }
        }
        self.attempts.clone_from(rows);
        for what in wrong {
            self.wrong("I12", || what);
        }
    }

    /// Once faults stopped, nothing open stands still without a reason.
    fn is_alive(&mut self, world: &World) {
        let Some(calm_at) = self.calm_at.filter(|calm_at| world.now > *calm_at + self.settles) else { return };
        if self.looked_at.is_some_and(|at| world.now < at + SignedDuration::from_mins(1)) {
            return;
        }
        self.looked_at = Some(world.now);
        let mut wrong = vec![];
        for row in &world.database.rows {
            let since = self.standing.iter().find(|(id, ..)| *id == row.id).map_or(calm_at, |(_, _, since)| *since);
            let waits = match &row.state {
                State::Received | State::Verifying | State::Assigning(_) | State::Ending(..) => true,
                State::Approved(decision) => decision.not_before.is_none_or(|start| start < world.now),
                State::Active(_, assignment) => assignment.ends_at + SignedDuration::from_mins(10) < world.now,
                _ => false,
            };
            if waits && world.now.duration_since(since.max(calm_at)) > self.settles {
                wrong.push(format!(
                    "{} is {} since {since}, and faults stopped at {calm_at}",
                    row.id,
                    row.state.status()
                ));
            }
        }
        for what in wrong {
            self.wrong("I19", || what);
        }
        self.what_was_called_off_is_gone(world, calm_at);
    }

    /// What was ordered to end, or whose ticket was closed, is not in force for long.
    fn what_was_called_off_is_gone(&mut self, world: &World, calm_at: Timestamp) {
        let ordered = world.ledger.ordered.iter().copied();
        let closed = world.database.rows.iter().filter_map(|row| {
            let kept = world.desks.tickets.iter().enumerate().find(|(place, kept)| {
                people::ticket_id(*place) == row.ticket && people::connection(kept.connection) == row.connection
            });
            let (since, ticket) = kept?.1.versions.last()?;
            let is_closed = ticket.as_ref().is_some_and(|ticket| ticket.standing == Standing::Closed);
            is_closed.then_some((row.id, *since))
        });
        let called_off: Vec<_> = ordered.chain(closed).collect();
        for (id, at) in called_off {
            let long = world.now > at.max(calm_at) + self.settles;
            let Some(row) = world.database.row(id).filter(|row| long && row.state.status() != Status::Held) else {
                continue;
            };
            let holding = row.decision.as_ref().map(Decision::holding);
            let shared = world.database.rows.iter().any(|other| {
                let same = other.decision.as_ref().map(Decision::holding) == holding;
                other.id != id && same && !other.state.status().is_terminal()
            });
            let left = Self::in_force(world, id).filter(|_| !shared);
            self.must(left.is_none(), "I11", || format!("{id} was called off at {at}, and is in force"));
        }
    }

    /// What must hold when everything has had its time.
    pub fn at_the_end(&mut self, world: &World, _: &Plan, exhausted: bool) {
        self.must(!exhausted, "I19", || "the schedule takes too many steps".into());
        for (connection, request) in &world.ledger.acknowledged {
            let row = world.database.row(*request);
            let settled = row.is_some_and(|row| row.state.status().is_terminal() || row.state.status() == Status::Held);
            self.must(settled, "I3", || format!("{connection}: {request} is {:?}", row.map(|row| row.state.status())));
        }
        let is_over = |id| world.database.row(id).is_some_and(|row| row.state.status().is_terminal());
        let open = |row: &&AttemptRow| row.attempt.outcome == AttemptOutcome::Open && row.attempt.is_for_access();
        for row in world.database.attempts.iter().filter(open).filter(|row| is_over(row.request)) {
            self.wrong("I7", || format!("{} is over, and keeps others from its holding", row.request));
        }
        let left: Vec<_> = world.database.rows.iter().filter(|row| !row.state.status().is_terminal()).collect();
        for row in left {
            self.must(row.state.status() == Status::Held, "I19", || format!("{} is {}", row.id, row.state.status()));
        }
        let grants = world.pims.iter().flat_map(|pim| &pim.grants);
        let left =
            grants.filter(|grant| grant.call.is_some() && grant.is_in_force(world.now)).find(|g| g.request.is_some());
        self.must(left.is_none(), "I4", || format!("{left:?} is in force when all is over"));
        // By a clock that was set, a lease may lapse while its holder writes.
        if !self.jumps {
            let notes: BTreeSet<_> = world.desks.notes.iter().collect();
            let twice = world.desks.notes.len() - notes.len();
            self.must(twice == 0, "notes", || format!("{twice} stand on their tickets twice"));
        }
    }
}

/// Whether PIM was looked at twice for the holding between these calls, long enough apart.
fn looked_twice(world: &World, left: &Sent, sent: &Sent) -> bool {
    let looks = world.ledger.looked.iter().filter(|(at, tenant, holding)| {
        *at > left.at && *at < sent.at && *tenant == sent.tenant && Some(holding) == sent.holding.as_ref()
    });
    let (first, last) = (looks.clone().map(|(at, ..)| *at).min(), looks.map(|(at, ..)| *at).max());
    first.zip(last).is_some_and(|(first, last)| last.duration_since(first) >= ABSENT_APART)
}

/// What a call asked for.
fn asks(world: &World, done: &Done) -> Asks {
    world.ledger.sent.iter().find(|sent| sent.call == done.call).map_or(Asks::Nothing, |sent| sent.asks)
}

/// Whether an attempt was closed otherwise than it came out.
fn misjudged(world: &World, row: &AttemptRow, jumps: bool) -> Option<String> {
    let attempt = &row.attempt;
    let done = |call| world.ledger.done.iter().any(|done| done.call == call && done.what != What::Validate);
    let gave = |call| world.pims.iter().flat_map(|pim| &pim.grants).any(|grant| grant.call == Some(call));
    let (carried_out, made) = (done(attempt.id.0), gave(attempt.id.0));
    let own = || world.database.attempts.iter().filter(|other| other.request == row.request);
    // One of them made what shows, and an attempt is closed for it.
    let any = own().any(|other| done(other.attempt.id.0));
    let wrong = match attempt.outcome {
        AttemptOutcome::Accepted => !(carried_out || any),
        // The settle time is told by a wall clock, and one that was set ahead tells that it is over.
        AttemptOutcome::Absent if jumps => false,
        AttemptOutcome::Refused | AttemptOutcome::NotSent | AttemptOutcome::Absent => {
            if attempt.kind == AttemptKind::Update { false } else { made && lives(world, attempt) }
        }
        AttemptOutcome::Open => false,
    };
    wrong.then(|| {
        format!("{:?} of {} is closed as {:?} ({:?})", attempt.kind, row.request, attempt.outcome, attempt.code)
    })
}

/// Whether what the attempt made is in force.
fn lives(world: &World, attempt: &Attempt) -> bool {
    let grants = world.pims.iter().flat_map(|pim| &pim.grants);
    grants.filter(|grant| grant.call == Some(attempt.id.0)).any(|grant| grant.is_in_force(world.now))
}
