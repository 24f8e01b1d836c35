//! What follows when a tenant's assignments are compared with what stint holds of them, both ways.
//!
//! Everything here is by holding, not by request: several requests may rest on one assignment, and whichever of them made
//! it, it carries them all. A list that lags looks like a list from which something was removed, so nothing here is
//! believed at once: what is missed is looked for by itself, and what has just changed is left out.
//!
//! Whether a ticket still stands is no part of this. Each request asks for itself ([`super::withdrawal`]).

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    assignment::{Holding, Instance, ScheduleAction, Sighting},
    id::{ObjectId, RequestId},
    sight::TOLERANCE,
    target::Target,
};

/// What changed later than this before the lists were read may not show in them yet.
pub const LAG: SignedDuration = SignedDuration::from_secs(3 * 60);

/// Two looks that miss an assignment count as two only this far apart: reads may lag behind writes by two minutes.
pub const MISSED_APART: SignedDuration = SignedDuration::from_secs(150);

/// An assignment in force, as the lists of a whole tenant show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who holds what.
    pub holding: Holding,
    /// How.
    pub instance: Instance,
}

/// What the lists of a tenant showed.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Every direct assignment of a target that was read.
    pub held: Vec<Held>,
    /// Targets whose list was read to its end. Nothing is known of any other.
    pub read: HashSet<Target>,
}

/// A request that rests on a decision, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub request: RequestId,
    /// Who is to hold what.
    pub holding: Holding,
    /// Where it stands.
    pub stands: Stands,
}

/// Where a request stands, as far as the comparison cares. A held one stands where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Has asked for it, or is ending: its own step looks at Graph.
    Underway,
    /// Has asked for nothing yet, so nothing that shows is its own.
    Waiting,
    /// In force.
    InForce {
        /// Until then.
        ends_at: Timestamp,
        /// When that was read back.
        confirmed_at: Timestamp,
        /// When a look first missed it; `None` while it shows.
        unseen_since: Option<Timestamp>,
    },
    /// Over, since then.
    Over(Timestamp),
}

/// What stint holds of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Every open request, and those that are over and made something that shows.
    pub entries: Vec<Entry>,
    /// Whose a schedule is, by every id that PIM gave to an attempt.
    pub made: HashMap<String, RequestId>,
    /// Holdings that an attempt may be changing right now, each with its target in words.
    pub busy: HashSet<(ObjectId, String)>,
    /// Ids of instances that somebody was told of.
    pub told: HashSet<String>,
}

/// What follows for one request or one assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follows {
    /// In force here, and not in the list.
    Missed(Missed),
    /// It was missed, and is there.
    Back(RequestId),
    /// Made by a request that is over, and nobody else's any more.
    Overstays(RequestId, Held),
    /// Made by no attempt that stint knows.
    Stray(Held),
    /// It ends later than any of its requests may last, or never.
    TooLong(Vec<RequestId>, Held),
}

/// A request whose assignment is missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Which.
    pub request: RequestId,
    /// Who should hold what.
    pub holding: Holding,
    /// When a look first missed it; `None` before any look did.
    pub since: Option<Timestamp>,
}

impl Books {
    /// Whether an attempt may be changing this holding right now.
    #[must_use]
    pub fn is_busy(&self, holding: &Holding) -> bool {
        self.busy.contains(&(holding.principal, holding.target.to_string()))
    }

    /// Whether any request for this holding is not over.
    #[must_use]
    pub fn is_open(&self, holding: &Holding) -> bool {
        self.open(holding).next().is_some()
    }

    /// The open requests that something of this holding may belong to.
    fn open<'a>(&'a self, holding: &'a Holding) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |e| e.holding == *holding && !matches!(e.stands, Stands::Over(_) | Stands::Waiting))
    }

    fn entry(&self, request: RequestId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.request == request)
    }
}

/// Compares both ways. The lists were begun to be read at `began`; now it is `now`.
#[must_use]
pub fn compare(books: &Books, shown: &Shown, began: Timestamp, now: Timestamp) -> Vec<Follows> {
    let here = books.entries.iter().filter_map(|entry| of_entry(books, entry, shown, (began, now)));
    let there = shown.held.iter().filter_map(|held| of_held(books, held, began));
    here.chain(there).collect()
}

/// What the lists mean for a request that should be in force.
fn of_entry(books: &Books, entry: &Entry, shown: &Shown, (began, now): (Timestamp, Timestamp)) -> Option<Follows> {
    let Stands::InForce { ends_at, confirmed_at, unseen_since } = entry.stands else { return None };
    if shown.held.iter().any(|held| held.holding == entry.holding) {
        return unseen_since.map(|_| Follows::Back(entry.request));
    }
    let settled = confirmed_at + LAG <= began && now < ends_at && shown.read.contains(&entry.holding.target);
    let missed = Missed { request: entry.request, holding: entry.holding.clone(), since: unseen_since };
    (settled && !books.is_busy(&entry.holding)).then_some(Follows::Missed(missed))
}

/// What stint's books mean for an assignment that shows.
fn of_held(books: &Books, held: &Held, began: Timestamp) -> Option<Follows> {
    // Somebody is at work on it: the next comparison sees what came of that.
    if books.is_busy(&held.holding) || is_fresh(held, began) {
        return None;
    }
    let maker = held.instance.schedule_id.as_ref().and_then(|id| books.made.get(id));
    match maker.and_then(|maker| books.entry(*maker)) {
        Some(maker) if maker.holding == held.holding => of_ours(books, maker, held, began),
        _ if books.told.contains(&held.instance.id) => None,
        _ => Some(Follows::Stray(held.clone())),
    }
}

fn of_ours(books: &Books, maker: &Entry, held: &Held, began: Timestamp) -> Option<Follows> {
    let open: Vec<_> = books.open(&held.holding).collect();
    if open.is_empty() {
        return overstays(maker, held, began);
    }
    let ends: Option<Vec<_>> = open.iter().map(|entry| in_force_until(entry)).collect();
    let last = ends.into_iter().flatten().max()?;
    let in_time = held.instance.ends_at.is_some_and(|end| end <= last + TOLERANCE);
    (!in_time).then(|| Follows::TooLong(open.iter().map(|entry| entry.request).collect(), held.clone()))
}

/// Once no open request rests on it, what a request made and left behind overstays.
fn overstays(maker: &Entry, held: &Held, began: Timestamp) -> Option<Follows> {
    let Stands::Over(since) = maker.stands else { return None };
    (since + LAG <= began).then(|| Follows::Overstays(maker.request, held.clone()))
}

fn in_force_until(entry: &Entry) -> Option<Timestamp> {
    match entry.stands {
        Stands::InForce { ends_at, .. } => Some(ends_at),
        _ => None,
    }
}

fn is_fresh(held: &Held, began: Timestamp) -> bool {
    held.instance.starts_at.is_some_and(|start| began < start + LAG)
}

/// By whose hand an assignment was made that no attempt knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Nothing says that it was stint's.
    Foreign,
    /// The schedule request behind it carries this request's marker.
    Marked(RequestId),
    /// It does not show any more, or something beside it does.
    Unclear,
}

/// Whether PIM can have made it at all. One that was made past PIM is its own schedule (`contracts/graph.md` §2.7).
#[must_use]
pub fn is_of_pim(instance: &Instance) -> bool {
    instance.schedule_id.as_ref().is_some_and(|id| *id != instance.id)
}

/// What a look at its holding says of an assignment that no attempt knows.
#[must_use]
pub fn hand(sighting: &Sighting, instance: &Instance) -> Hand {
    if !is_alone(sighting, instance) {
        return Hand::Unclear;
    }
    let schedule = instance.schedule_id.as_deref();
    let made = sighting.schedules.iter().filter(|s| Some(s.id.as_str()) == schedule);
    let using: Vec<_> = made.filter_map(|s| s.created_using.as_deref()).collect();
    let behind = sighting.requests.iter().filter(|request| {
        matches!(request.action, ScheduleAction::Assign | ScheduleAction::Update)
            && (request.schedule_id.as_deref() == schedule || using.contains(&request.id.as_str()))
    });
    let mut marked = behind.filter_map(|request| marker(request.justification.as_deref()?));
    marked.next().map_or(Hand::Foreign, Hand::Marked)
}

/// Whether this very assignment shows, and nothing else for its holding that a removal could take instead.
#[must_use]
pub fn is_alone(sighting: &Sighting, instance: &Instance) -> bool {
    let mut direct = sighting.instances.iter().filter(|other| other.direct);
    let beside = sighting.schedules.iter().any(|s| s.direct && Some(&s.id) != instance.schedule_id.as_ref());
    shows(sighting, instance) && direct.all(|other| is_same(other, instance)) && !beside
}

/// Whether this very assignment shows, whatever shows beside it.
#[must_use]
pub fn shows(sighting: &Sighting, instance: &Instance) -> bool {
    sighting.instances.iter().any(|other| other.direct && is_same(other, instance))
}

fn is_same(one: &Instance, other: &Instance) -> bool {
    one.id == other.id && one.schedule_id == other.schedule_id
}

/// Whether a look shows anything in force for its holding, by whomever.
#[must_use]
pub fn shows_any(sighting: &Sighting) -> bool {
    sighting.instances.iter().any(|instance| instance.direct)
}

/// The request whose marker a justification carries.
fn marker(justification: &str) -> Option<RequestId> {
    let ids = justification.split_whitespace().filter_map(|word| word.strip_prefix("stint:"));
    let mut ids = ids.filter_map(|id| id.parse::<Uuid>().ok());
    ids.next().map(RequestId)
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
