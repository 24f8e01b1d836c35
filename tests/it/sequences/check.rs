//! What must hold for everything that one principal was given, judged from the simulator's books alone: its ledger, its
//! grants, the approvals as the test made them, and what was recorded before each call.

use jiff::{SignedDuration, Timestamp};
use stint::sandbox::graph::{Entry, Grant, Held};

use crate::world::{minutes, seconds};

/// PIM may end it so much later than was approved.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// PIM removes nothing younger; with stint's margin.
const REMOVABLE: SignedDuration = SignedDuration::from_secs(5 * 60 + 20);

/// An early end comes within this in calm weather.
const PROMPT: SignedDuration = SignedDuration::from_mins(8);

/// After trouble it may take so much calm: the longest wait between two tries is a quarter of an hour.
const CALM_NEEDED: SignedDuration = SignedDuration::from_mins(25);

/// What one principal had to do with one thing that is given.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub approvals: Vec<Approval>,
    pub calls: Vec<Recorded>,
    pub entries: Vec<Entry>,
    pub grants: Vec<Grant>,
    /// When somebody else granted it or took it away.
    pub hands: Vec<Timestamp>,
    /// From when to when faults, bends and standstills were about.
    pub storms: Vec<(Timestamp, Timestamp)>,
}

/// A ticket's approval, as the test gave it.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// The ticket's number.
    pub ticket: String,
    pub duration: SignedDuration,
    /// The end of its change window.
    pub not_after: Option<Timestamp>,
    /// When an operator revoked it or its ticket stopped standing.
    pub stopped: Option<Timestamp>,
    /// How long that may stay unnoticed.
    pub noticed_within: SignedDuration,
    /// When stint first said that it is in force.
    pub active: Option<Timestamp>,
}

/// A call as it was recorded before it was sent.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    pub id: String,
    pub ticket: String,
    pub at: Timestamp,
    /// How long its ticket may have it; absent where it asks for no access.
    pub duration: Option<SignedDuration>,
    pub ends_at: Option<Timestamp>,
    /// It surely was not carried out.
    pub surely_not: bool,
    /// It was not needed: others hold it for long enough.
    pub covered: bool,
}

impl Case {
    /// Everything that is wrong, in words.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.doubles();
        faults.extend(self.foreign());
        faults.extend(self.nameless());
        faults.extend(self.after_the_stop());
        faults.extend(self.ours().filter_map(|grant| self.outlives(grant)));
        faults.extend(self.approvals.iter().filter_map(|approval| self.cut_off(approval)));
        faults
    }

    /// Rule 1: at most one create for each approval, by marker and by ticket.
    fn doubles(&self) -> Vec<String> {
        let creates: Vec<_> = self.committed().filter(|entry| is(entry, "adminAssign")).collect();
        let mut faults = vec![];
        for (at, entry) in creates.iter().enumerate() {
            let before = &creates[..at];
            let marker = |entry: &Entry| entry.justification.clone();
            if before.iter().any(|e| marker(e) == marker(entry) || e.ticket_number == entry.ticket_number) {
                faults.push(format!("a second create for {:?}", entry.justification));
            }
        }
        faults
    }

    /// Rule 3: nothing of others was touched.
    fn foreign(&self) -> Vec<String> {
        let touched = self.committed().filter(|entry| entry.removed_foreign || entry.updated_foreign);
        touched.map(|entry| format!("{} of somebody else's at {}", entry.action, entry.at)).collect()
    }

    /// No call without its record.
    fn nameless(&self) -> Vec<String> {
        let known = |entry: &&Entry| self.record_of(entry).is_none();
        let calls = self.committed().filter(known);
        calls.map(|entry| format!("{} at {} was never recorded", entry.action, entry.at)).collect()
    }

    /// No access is asked for once its ticket was stopped.
    fn after_the_stop(&self) -> Vec<String> {
        let mut faults = vec![];
        for approval in &self.approvals {
            let Some(stopped) = approval.stopped else { continue };
            let late = self.committed().filter(|e| self.asks_for(e, approval) && e.at > stopped);
            faults
                .extend(late.map(|e| format!("{} asked for {} after its end at {stopped}", e.action, approval.ticket)));
        }
        faults
    }

    /// Rule 2: at every moment some approval covers what is ours.
    fn outlives(&self, grant: &Grant) -> Option<String> {
        let start = grant.start?;
        let over = grant.ended_at.or(grant.end);
        let covered = self.covered_from(start);
        let allowed = if self.is_bent(grant) { covered.max(self.grace(start + REMOVABLE)) } else { covered };
        // Somebody else's row beside a bent one keeps stint from removing either.
        let excused = self.is_bent(grant) && !self.hands.is_empty();
        let late = over.is_none_or(|over| over > allowed) && !excused;
        late.then(|| format!("{} lasts until {over:?}, allowed until {allowed}", grant.schedule_id))
    }

    /// Until when, from this moment on, one approval after the other covers it.
    fn covered_from(&self, start: Timestamp) -> Timestamp {
        let mut until = start;
        loop {
            let held = self.approvals.iter().filter_map(|a| Some((self.first_asked(a)?, self.allowed_until(a)?)));
            let next = held.filter(|(from, _)| *from <= until + TOLERANCE).map(|(_, to)| to).max();
            match next.filter(|next| *next > until) {
                Some(next) => until = next,
                None => return until,
            }
        }
    }

    /// Until when the approval may have it at the latest.
    fn allowed_until(&self, approval: &Approval) -> Option<Timestamp> {
        let natural = self.own_end(approval)? + self.provisioning(approval);
        let natural = approval.not_after.map_or(natural, |window| natural.min(window)) + TOLERANCE;
        // Beside somebody else's row nothing is removed.
        let stopped = approval.stopped.filter(|_| self.hands.is_empty());
        let stopped = stopped.map(|at| {
            let removable = self.last_start(at).map_or(at, |start| start + REMOVABLE);
            self.grace((at + approval.noticed_within).max(removable))
        });
        Some(stopped.map_or(natural, |stopped| natural.min(stopped)))
    }

    /// What the approval allows, from the first call that may have been carried out.
    fn own_end(&self, approval: &Approval) -> Option<Timestamp> {
        let end = self.first_asked(approval)? + approval.duration;
        Some(approval.not_after.map_or(end, |window| end.min(window)))
    }

    fn first_asked(&self, approval: &Approval) -> Option<Timestamp> {
        let recorded = self.calls.iter().filter(|call| call.ticket == approval.ticket && call.duration.is_some());
        let recorded = recorded.filter(|call| call.covered || !call.surely_not).map(|call| call.at);
        let carried_out = self.committed().filter(|entry| self.asks_for(entry, approval)).map(|entry| entry.at);
        recorded.chain(carried_out).min()
    }

    /// PIM counts from where it brings an assignment into force.
    fn provisioning(&self, approval: &Approval) -> SignedDuration {
        let creates = self.committed().filter(|e| is(e, "adminAssign") && self.asks_for(e, approval));
        let delays = creates.filter_map(|e| Some(e.start?.duration_since(e.at)));
        delays.max().unwrap_or_default()
    }

    /// Whether the call asks for access for this ticket.
    fn asks_for(&self, entry: &Entry, approval: &Approval) -> bool {
        let gives = is(entry, "adminAssign") || is(entry, "adminUpdate");
        let for_access = self.record_of(entry).is_none_or(|call| call.duration.is_some());
        gives && for_access && entry.ticket_number.as_deref() == Some(&approval.ticket)
    }

    /// When whatever was in force at that moment, or came soon after, had begun.
    fn last_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.ours().filter_map(|grant| grant.start).filter(|start| *start <= at + minutes(3)).max()
    }

    /// Rule 4: from when it is said to be in force it is, until shortly before the approval's end.
    fn cut_off(&self, approval: &Approval) -> Option<String> {
        let from = approval.active?;
        let spoilt = self.hands.iter().copied().chain(self.ours().filter(|g| self.is_bent(g)).filter_map(|g| g.start));
        let until = self.own_end(approval)? - TOLERANCE;
        let until = spoilt.chain(approval.stopped).fold(until, Timestamp::min);
        let mut held: Vec<_> =
            self.ours().filter_map(|g| Some((g.start?, g.ended_at.or(g.end).unwrap_or(Timestamp::MAX)))).collect();
        held.sort_unstable();
        let mut reached = from;
        for (start, over) in held {
            if start <= reached + seconds(1) {
                reached = reached.max(over);
            }
        }
        (from < until && reached < until)
            .then(|| format!("{} is cut off at {reached}, approved until {until} at least", approval.ticket))
    }

    /// Graph itself ends it later than it was asked to.
    fn is_bent(&self, grant: &Grant) -> bool {
        let entry =
            self.entries.iter().find(|e| e.committed && e.request_id.is_some() && e.request_id == grant.request_id);
        let Some((entry, call)) = entry.and_then(|entry| Some((entry, self.record_of(entry)?))) else { return false };
        let asked = if is(entry, "adminAssign") {
            entry.start.or(Some(entry.at)).zip(call.duration).map(|(start, duration)| start + duration)
        } else {
            call.ends_at
        };
        // A call repeated for what remains asks for less than its record's plan, never for more.
        asked.is_some_and(|asked| entry.end.is_none_or(|end| end > asked + seconds(1)))
    }

    /// By when an early end that is due from then on must have come.
    fn grace(&self, from: Timestamp) -> Timestamp {
        let stormy = |from: Timestamp, to: Timestamp| self.storms.iter().any(|(begin, end)| *begin < to && *end > from);
        if !stormy(from - minutes(15), from + PROMPT) {
            return from + PROMPT;
        }
        let (mut at, mut needed) = (from, CALM_NEEDED);
        for (begin, end) in self.storms.iter().filter(|(_, end)| *end > from) {
            let calm = begin.duration_since(at).max(SignedDuration::ZERO);
            if calm >= needed {
                break;
            }
            needed -= calm;
            at = at.max(*end);
        }
        at + needed
    }

    fn ours(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(|grant| !grant.foreign && grant.held == Held::Direct)
    }

    fn committed(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.committed)
    }

    fn record_of(&self, entry: &Entry) -> Option<&Recorded> {
        self.calls.iter().find(|call| entry.client_request_id.as_deref() == Some(&call.id))
    }
}

fn is(entry: &Entry, action: &str) -> bool {
    entry.action.eq_ignore_ascii_case(action)
}
