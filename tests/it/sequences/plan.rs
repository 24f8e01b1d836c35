//! What happens in one sequence, and the weather of the world it plays in. Everything follows from the seed.

use std::fmt;

use stint::sandbox::{
    Retry,
    graph::{Access, Casing, Fault, FaultKind, Knobs, On, What},
    story,
};
use uuid::Uuid;

use crate::mutation::Dice;

/// The group whose places are given.
pub const GROUP: &str = "3f0b7c52-8d14-4e6a-9b21-5c7d8e9f0a11";

/// So many sequences share a world.
pub const PER_WORLD: u64 = 50;

/// A world lasts so long before its faults stop.
const STORMY: i64 = 150 * 60;

/// What can be asked for: the entitlement's key, and what it gives.
pub const PLACES: [&str; 4] = ["role", "eligible-role", "member", "eligible-member"];

/// What a place is to PIM.
pub fn what(place: usize) -> What {
    match place {
        0 => What::role(story::EXCHANGE_ADMINISTRATOR, "/"),
        1 => What::eligible_role(story::HELPDESK_ADMINISTRATOR, "/"),
        2 => What::group(GROUP, Access::Member),
        _ => What::eligible_group(GROUP, Access::Member),
    }
}

/// One principal with tickets, and what befalls them.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub number: u64,
    pub principal: Uuid,
    pub tickets: Vec<Ask>,
    /// In seconds from the world's beginning, in order.
    pub steps: Vec<(i64, Step)>,
}

/// What a ticket asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub place: usize,
    pub seconds: i64,
    /// A change window: seconds from the ticket's approval.
    pub window: Option<(i64, i64)>,
}

/// One step; tickets are named by their place in the sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is filed and approved, and perhaps a webhook says so.
    File { ticket: usize, told: bool },
    /// A webhook about it comes once more.
    Repeat(usize),
    /// An operator revokes its request.
    Revoke(usize),
    /// It is cancelled.
    Cancel { ticket: usize, told: bool },
    /// A second round of approval is declined.
    Decline { ticket: usize, told: bool },
    /// Somebody changes the duration after the approval.
    Edit(usize),
    /// Somebody else grants the same thing; without minutes, for good.
    Foreign(usize, Option<i64>),
    /// Somebody takes away whatever is there.
    Take(usize),
    /// Somebody takes it away and grants it anew.
    Replace(usize, i64),
    /// The principal activates it.
    Activate(usize, i64),
}

/// What befalls everybody.
#[derive(Clone, Debug)]
pub enum Weather {
    Fault(Fault),
    Bent(Box<Knobs>),
    /// No faults, a well-behaved Graph.
    Calm,
    /// stint does nothing for so many seconds.
    Asleep(i64),
    /// A worker leases what is due and is dropped at its n-th wait.
    Crash(usize),
}

impl Sequence {
    /// The one of this number.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut dice = Dice::of(seed, number);
        let principal = Uuid::from_u128(u128::from(dice.next()) << 64 | u128::from(number));
        let main = dice.below(PLACES.len());
        let begins = between(&mut dice, 0, 40 * 60);
        let (mut tickets, mut steps) = (vec![], vec![]);
        for ticket in 0..=dice.below(4) {
            tickets.push(Ask::any(&mut dice, main));
            let filed = begins + if ticket == 0 { 0 } else { between(&mut dice, 0, 30 * 60) };
            steps.push((filed, Step::File { ticket, told: !dice.once_in(5) }));
            later_steps(&mut dice, ticket, filed, &mut steps);
        }
        if dice.once_in(3) {
            foreign_steps(&mut dice, main, begins, &mut steps);
        }
        steps.sort_by_key(|(at, _)| *at);
        Self { number, principal, tickets, steps }
    }

    /// The principal's name in the directory and on tickets.
    pub fn upn(&self) -> String {
        format!("sequence{}@contoso.example", self.number)
    }
}

impl Ask {
    fn any(dice: &mut Dice, main: usize) -> Self {
        let place = if dice.once_in(8) { dice.below(PLACES.len()) } else { main };
        let seconds = 60 * *dice.pick(&[5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60]);
        let window = dice.once_in(6).then(|| {
            let start = *dice.pick(&[-600, 0, 0, 300, 900]);
            (start, start.max(0) + between(dice, 6 * 60, 50 * 60))
        });
        Self { place, seconds, window }
    }
}

/// What may happen to a ticket once it is there.
fn later_steps(dice: &mut Dice, ticket: usize, filed: i64, steps: &mut Vec<(i64, Step)>) {
    let told = !dice.once_in(3);
    let step = match dice.below(10) {
        0..=2 => Some(Step::Revoke(ticket)),
        3 => Some(Step::Cancel { ticket, told }),
        4 => Some(Step::Decline { ticket, told }),
        5 => Some(Step::Edit(ticket)),
        _ => None,
    };
    // Of an edit in the very moment of the approval no time tells which of the two came first.
    steps.extend(step.map(|step| (filed + soon_or_late(dice).max(i64::from(step == Step::Edit(ticket))), step)));
    if dice.once_in(4) {
        steps.push((filed + soon_or_late(dice), Step::Repeat(ticket)));
    }
}

/// Other people's hands, before or between.
fn foreign_steps(dice: &mut Dice, place: usize, begins: i64, steps: &mut Vec<(i64, Step)>) {
    for _ in 0..=dice.below(2) {
        let minutes = between(dice, 6, 90);
        let step = match dice.below(6) {
            0 | 1 => Step::Foreign(place, (!dice.once_in(4)).then_some(minutes)),
            2 => Step::Take(place),
            3 | 4 => Step::Replace(place, minutes),
            _ => Step::Activate(place, minutes),
        };
        let at = if dice.once_in(4) { begins } else { begins + soon_or_late(dice) };
        steps.push((at, step));
    }
}

/// Seconds, minutes, or past many an end.
fn soon_or_late(dice: &mut Dice) -> i64 {
    match dice.below(4) {
        0 => between(dice, 0, 40),
        1 => between(dice, 40, 6 * 60),
        2 => between(dice, 6 * 60, 25 * 60),
        _ => between(dice, 25 * 60, 70 * 60),
    }
}

fn between(dice: &mut Dice, from: i64, to: i64) -> i64 {
    from + i64::try_from(dice.below(usize::try_from(to - from).unwrap_or(1))).unwrap_or(0)
}

/// The weather of a world, in seconds from its beginning; about half of the time it is calm.
pub fn weather(seed: u64, world: u64) -> Vec<(i64, Weather)> {
    let mut dice = Dice::of(seed.rotate_left(32), world);
    let (mut at, mut weather) = (0, vec![]);
    while at < STORMY {
        at += between(&mut dice, 60, 12 * 60);
        for _ in 0..=dice.below(12) {
            weather.push((at, stormy(&mut dice)));
            at += between(&mut dice, 5, 100);
        }
        weather.push((at, Weather::Calm));
    }
    weather
}

fn stormy(dice: &mut Dice) -> Weather {
    match dice.below(24) {
        0..=13 => Weather::Fault(fault(dice)),
        14..=19 => Weather::Bent(Box::new(knobs(dice))),
        20 | 21 => Weather::Asleep(if dice.once_in(3) { between(dice, 300, 1500) } else { between(dice, 20, 300) }),
        _ => Weather::Crash(1 + dice.below(200)),
    }
}

fn fault(dice: &mut Dice) -> Fault {
    let on = *dice.pick(&[
        On::Create,
        On::Create,
        On::Create,
        On::Create,
        On::Remove,
        On::Remove,
        On::Cancel,
        On::ReadRequests,
        On::ReadSchedules,
        On::ReadInstances,
        On::ReadUsers,
        On::Any,
    ]);
    Fault { on, kind: kind(dice, on), times: 1 + dice.below(4) }
}

fn kind(dice: &mut Dice, on: On) -> FaultKind {
    let status = *dice.pick(&[401, 403, 500, 502, 503, 504]);
    let unclear = *dice.pick(&[500, 502, 503, 504]);
    match dice.below(40) {
        0..=4 => FaultKind::Throttle(*dice.pick(&[
            Retry::Seconds(7),
            Retry::Seconds(90),
            Retry::Zero,
            Retry::HttpDate(20),
            Retry::Absent,
        ])),
        5..=8 => FaultKind::Status(status),
        9..=13 => FaultKind::StatusAfterCommit(unclear),
        14..=17 => FaultKind::DropBeforeCommit,
        23..=25 => FaultKind::Truncated201,
        26 | 27 => FaultKind::Html(*dice.pick(&[200, 502, 503])),
        28 | 29 => FaultKind::HtmlAfterCommit(*dice.pick(&[200, 201, 502])),
        30 if dice.once_in(3) => dice.pick(&[FaultKind::StallBeforeCommit, FaultKind::StallAfterCommit]).clone(),
        18..=22 | 30 => FaultKind::DropAfterCommit,
        31 | 32 => {
            let (status, code) = *dice.pick(&CODES);
            FaultKind::WrappedCode { status, code: code.into(), message: "said the sandbox".into() }
        }
        33..=36 => {
            let (status, code) = *dice.pick(&CODES);
            FaultKind::Code { status, code: code.into(), message: "said the sandbox".into() }
        }
        _ => {
            // A removal that worked may be denied in any words; a create that worked is at most said to exist.
            let (status, code) = if matches!(on, On::Remove | On::Cancel) {
                *dice.pick(&CODES)
            } else {
                *dice.pick(&[(400, "RoleAssignmentExists"), (400, "PendingRoleAssignmentRequest"), (400, "Unheard")])
            };
            FaultKind::CodeAfterCommit { status, code: code.into(), message: "said the sandbox".into() }
        }
    }
}

const CODES: [(u16, &str); 9] = [
    (400, "RoleAssignmentExists"),
    (400, "PendingRoleAssignmentRequest"),
    (400, "RoleAssignmentDoesNotExist"),
    (400, "ActiveDurationTooShort"),
    (404, "SubjectNotFound"),
    (403, "Authorization_RequestDenied"),
    (400, "AadPremiumLicenseRequired"),
    (400, "Unheard"),
    (409, "Conflict"),
];

/// A few bends at once.
fn knobs(dice: &mut Dice) -> Knobs {
    let mut knobs = Knobs::default();
    for _ in 0..=dice.below(3) {
        match dice.below(20) {
            0..=4 => knobs.read_lag_seconds = *dice.pick(&[5, 30, 60, 90, 119]),
            5 | 6 => knobs.granted_seconds = *dice.pick(&[5, 40, 90]),
            7 => knobs.provision_delay_seconds = *dice.pick(&[5, 40, 90]),
            8 => knobs.later_end_seconds = *dice.pick(&[30, 600, 7200]),
            9 | 18 => knobs.no_end = dice.once_in(2),
            19 => knobs.later_end_seconds = 900,
            10 | 11 => knobs.update_keeps_schedule = true,
            12 => knobs.early_updates_refused = true,
            13 => knobs.short_updates = true,
            14 => knobs.casing = Casing::Pascal,
            15 => {
                let status = *dice.pick(&["Provisioned", "ScheduleCreated", "PendingProvisioning", "Unheard"]);
                knobs.status = Some(status.into());
            }
            16 => {
                knobs.pending_status = Some((*dice.pick(&["PendingProvisioning", "PendingScheduleCreation"])).into());
                knobs.granted_forever = dice.once_in(4);
            }
            _ => (knobs.wrap_errors, knobs.activation_blocks_assign, knobs.page_size) = (true, true, 2),
        }
    }
    knobs
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let webhook = |told: &bool| if *told { "with a webhook" } else { "without a webhook" };
        match self {
            Self::File { ticket, told } => write!(f, "ticket {ticket} is approved, {}", webhook(told)),
            Self::Repeat(ticket) => write!(f, "a webhook about ticket {ticket} comes"),
            Self::Revoke(ticket) => write!(f, "an operator revokes ticket {ticket}"),
            Self::Cancel { ticket, told } => write!(f, "ticket {ticket} is cancelled, {}", webhook(told)),
            Self::Decline { ticket, told } => write!(f, "ticket {ticket} is declined anew, {}", webhook(told)),
            Self::Edit(ticket) => write!(f, "ticket {ticket} is edited"),
            Self::Foreign(place, minutes) => write!(f, "somebody grants {} for {minutes:?} minutes", PLACES[*place]),
            Self::Take(place) => write!(f, "somebody takes {} away", PLACES[*place]),
            Self::Replace(place, minutes) => {
                write!(f, "somebody takes {} away and grants it for {minutes} minutes", PLACES[*place])
            }
            Self::Activate(place, minutes) => {
                write!(f, "the principal activates {} for {minutes} minutes", PLACES[*place])
            }
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(Fault { on, kind, times }) => write!(f, "{times} times on {on:?}: {kind:?}"),
            Self::Bent(knobs) => write!(f, "{}", unlike_default(knobs)),
            Self::Calm => write!(f, "calm"),
            Self::Asleep(seconds) => write!(f, "stint stands still for {seconds} s"),
            Self::Crash(waits) => write!(f, "a worker is dropped at wait {waits}"),
        }
    }
}

/// The knobs that are not as they usually are.
fn unlike_default(knobs: &Knobs) -> String {
    let (bent, usual) = (format!("{knobs:#?}"), format!("{:#?}", Knobs::default()));
    let lines = bent.lines().filter(|line| !usual.lines().any(|other| other == *line));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_same_seed_makes_the_same_sequences_and_another_one_others() {
    let told = |seed| format!("{:?} {:?}", Sequence::of(seed, 3), weather(seed, 0));
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}
