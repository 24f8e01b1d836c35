//! What a seed contains: tickets and what becomes of them, who holds what already, and when the world goes wrong.
//!
//! Everything is drawn before the first step, so that shrinking can leave single parts out.

use jiff::SignedDuration;

use crate::{fault::Fault, rng::Rng};

/// A schedule before it is played. Times are seconds from its beginning.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub workers: usize,
    pub tickets: Vec<TicketPlan>,
    pub events: Vec<(i64, Happens)>,
    /// Which calls may go wrong, and how.
    pub faults: Vec<Fault>,
    /// How many calls of a thousand do.
    pub per_mille: u64,
    /// From then on nothing goes wrong any more.
    pub calm_at: i64,
}

/// A ticket.
#[derive(Clone, Debug)]
pub struct TicketPlan {
    /// Place of its connection among the world's.
    pub connection: usize,
    pub principal: usize,
    pub entitlement: usize,
    pub minutes: u32,
    pub approved_at: i64,
    /// Who approves it.
    pub approver: Approver,
    /// No access before so many seconds.
    pub starts_at: Option<i64>,
    /// No access after so many seconds.
    pub ends_at: Option<i64>,
}

/// Who approves a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approver {
    Boss,
    /// The boss and a deputy, where two are needed.
    Two,
    /// Two accounts of one person, where two are needed.
    Twice,
    /// The boss alone, while the deputy's vote is open, where two are needed.
    OneOfTwo,
    /// Whoever asked.
    Asker,
    /// Whoever created the ticket.
    Clerk,
    /// Whoever receives the access.
    Receiver,
    /// An automation.
    Robot,
    /// Somebody whom Entra does not know.
    Stranger,
}

/// What happens at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happens {
    /// A worker is killed; it is back after so many seconds.
    Kill(usize, i64),
    /// A worker stands still for so many seconds.
    Stop(usize, i64),
    /// A worker's wall clock is set by so many seconds.
    Jump(usize, i64),
    /// A neighbour is gone for so many seconds.
    Outage(Fault, i64),
    /// Something becomes of a ticket.
    Ticket(usize, Fault),
    /// An operator revokes a ticket's request.
    Order(usize),
    /// Somebody removes in Entra what a ticket gives.
    HandRevoke(usize),
    /// Somebody grants in Entra what a ticket asks for.
    HandGrant(usize),
    /// Something becomes of a ticket while a call for it is prepared: so many turns after its attempt was recorded.
    Midway(usize, Fault, u64),
}

/// Faults of single calls.
const CALLS: [Fault; 35] = [
    Fault::DbDown,
    Fault::DbLost,
    Fault::DbUnknown,
    Fault::DbTorn,
    Fault::GraphDown,
    Fault::GraphThrottled,
    Fault::GraphLag,
    Fault::GraphUnreadable,
    Fault::GraphSlow,
    Fault::GraphNotSent,
    Fault::GraphNotYet,
    Fault::GraphPermission,
    Fault::GraphRefused,
    Fault::GraphLostBefore,
    Fault::GraphLostAfter,
    Fault::GraphLate,
    Fault::GraphOdd,
    Fault::GraphPending,
    Fault::GraphHangs,
    Fault::GraphEndsLate,
    Fault::GraphEndless,
    Fault::GraphFails,
    Fault::TicketDown,
    Fault::TicketStale,
    Fault::TicketUnreadable,
    Fault::TicketThrottled,
    Fault::TicketForbidden,
    Fault::TicketCredential,
    Fault::TicketSlow,
    Fault::NoteLost,
    Fault::NoteUnanswered,
    Fault::DeliveryLost,
    Fault::DeliveryRepeated,
    Fault::DeliveryLate,
    Fault::DeliveryUnacknowledged,
];

/// Of calls that change something: what makes their outcome unknown, or another than was asked for.
const SENDS: [Fault; 9] = [
    Fault::GraphNotSent,
    Fault::GraphLostBefore,
    Fault::GraphLostAfter,
    Fault::GraphLate,
    Fault::GraphOdd,
    Fault::GraphPending,
    Fault::GraphHangs,
    Fault::GraphEndsLate,
    Fault::GraphEndless,
];

/// Of single calls too, and drawn less often: nothing else happens where they strike.
const RARE: [Fault; 3] = [Fault::TicketHidden, Fault::TicketAnonymous, Fault::GraphValidates];

/// What may become of a ticket.
const TURNS: [Fault; 7] = [
    Fault::Edited,
    Fault::Withdrawn,
    Fault::Reopened,
    Fault::Moved,
    Fault::Deleted,
    Fault::Declined,
    Fault::Reapproved,
];

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let rng = &mut rng;
        let tickets: Vec<_> = (0..rng.pick(&[1, 1, 2, 2, 2, 3])).map(|_| TicketPlan::drawn(rng)).collect();
        let workers = rng.pick(&[2, 2, 2, 3]);
        let calm_at = rng.between(300, 1500);
        let mut faults: Vec<_> = (0..rng.below(8)).map(|_| rng.pick(&CALLS)).collect();
        if rng.chance(500) {
            faults.push(rng.pick(&SENDS));
        }
        if rng.chance(100) {
            faults.push(rng.pick(&RARE));
        }
        let mut events: Vec<_> = (0..rng.below(5)).map(|_| event(rng, workers, tickets.len(), calm_at)).collect();
        events.sort_by_key(|(at, _)| *at);
        let per_mille = rng.pick(&[0, 20, 60, 150, 300]);
        Self { seed, workers, tickets, events, faults, per_mille, calm_at }
    }

    /// Whether a wall clock is ever set: then ends and waits that are told by it may be off by as much.
    pub fn jumps(&self) -> bool {
        self.events.iter().any(|(_, happens)| matches!(happens, Happens::Jump(..)))
    }

    /// How far two workers' clocks may come to be apart. What one of them says shall wait, waits so much longer for others.
    pub fn apart(&self) -> SignedDuration {
        let seconds = self.events.iter().map(|(_, happens)| match happens {
            Happens::Jump(_, by) => by.abs(),
            _ => 0,
        });
        SignedDuration::from_secs(seconds.sum())
    }
}

impl TicketPlan {
    fn drawn(rng: &mut Rng) -> Self {
        let approved_at = rng.between(5, 400);
        let windowed = rng.chance(120);
        let entitlement = rng.pick(&[0, 0, 0, 1, 1, 2]);
        Self {
            connection: rng.pick(&[0, 0, 0, 0, 0, 1, 2, 3]),
            principal: rng.pick(&[0, 0, 1]),
            entitlement,
            minutes: u32::try_from(rng.pick(&[5, 8, 15, 30, 90])).unwrap_or(5),
            approved_at,
            approver: Approver::drawn(rng, entitlement),
            starts_at: (windowed && rng.chance(600)).then(|| approved_at + rng.between(30, 600)),
            ends_at: windowed.then(|| approved_at + rng.between(600, 2400)),
        }
    }
}

impl Approver {
    fn drawn(rng: &mut Rng, entitlement: usize) -> Self {
        let wrong = rng.chance(80);
        match (entitlement, wrong) {
            (2, false) => Self::Two,
            (2, true) => rng.pick(&[Self::Twice, Self::OneOfTwo]),
            (_, false) => Self::Boss,
            (_, true) => rng.pick(&[Self::Asker, Self::Clerk, Self::Receiver, Self::Robot, Self::Stranger]),
        }
    }

    /// Whether a ticket that only they approved is not approved; `protected` is what it gives.
    pub fn never_counts(self, protected: bool) -> bool {
        match self {
            Self::Boss | Self::Two => false,
            Self::Stranger => protected,
            _ => true,
        }
    }
}

fn event(rng: &mut Rng, workers: usize, tickets: usize, calm_at: i64) -> (i64, Happens) {
    let at = rng.between(5, calm_at - 1);
    let worker = usize::try_from(rng.below(workers as u64)).unwrap_or(0);
    let ticket = usize::try_from(rng.below(tickets as u64)).unwrap_or(0);
    let happens = match rng.below(20) {
        0..3 => Happens::Kill(worker, rng.between(1, 60)),
        3 => Happens::Stop(worker, rng.between(5, 90)),
        // Long enough for its leases to lapse.
        4 => Happens::Stop(worker, rng.between(121, 200)),
        5 => Happens::Jump(worker, 600),
        6 => Happens::Jump(worker, -3600),
        7 => Happens::Outage(
            rng.pick(&[Fault::DbOutage, Fault::Failover, Fault::GraphOutage, Fault::TicketOutage]),
            rng.between(5, 120),
        ),
        8..12 => Happens::Ticket(ticket, rng.pick(&TURNS)),
        12 | 13 => Happens::Order(ticket),
        14 => Happens::HandRevoke(ticket),
        15..19 => {
            let into = rng.pick(&[Fault::Ordered, Fault::Ordered, Fault::Edited, Fault::Withdrawn, Fault::Declined]);
            Happens::Midway(ticket, into, rng.below(9))
        }
        _ => Happens::HandGrant(ticket),
    };
    (at, happens)
}

impl Happens {
    /// The ticket that it names.
    pub fn ticket(self) -> Option<usize> {
        match self {
            Self::Ticket(ticket, _)
            | Self::Order(ticket)
            | Self::HandRevoke(ticket)
            | Self::HandGrant(ticket)
            | Self::Midway(ticket, ..) => Some(ticket),
            _ => None,
        }
    }

    /// The worker that it names.
    pub fn worker(self) -> Option<usize> {
        match self {
            Self::Kill(worker, _) | Self::Stop(worker, _) | Self::Jump(worker, _) => Some(worker),
            _ => None,
        }
    }
}
