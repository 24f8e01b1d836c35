//! A model of one tenant's PIM: what is true there, and what its lists show of that, sooner or later.

use jiff::{SignedDuration, Timestamp};
use stint::domain::{
    assignment::{
        AssignOrder, Holding, Instance, Progress, RemoveOrder, Schedule, ScheduleAction, ScheduleRequest, Sighting,
        UpdateOrder,
    },
    id::RequestId,
    sweep::Held,
};
use uuid::Uuid;

/// PIM removes nothing younger, and takes no end that is nearer.
const FIVE_MINUTES: SignedDuration = SignedDuration::from_mins(5);

/// Everything that is true of one tenant.
#[derive(Debug, Default)]
pub struct Pim {
    pub grants: Vec<Grant>,
    asks: Vec<Ask>,
}

/// An assignment, from its beginning to whatever became of it.
#[derive(Debug)]
pub struct Grant {
    pub holding: Holding,
    /// The call that made it; `None`: somebody else.
    pub call: Option<Uuid>,
    pub request: Option<RequestId>,
    pub start: Timestamp,
    /// PIM gave it another end than was asked for.
    pub bent: bool,
    instance: String,
    /// Its schedule, and since when.
    schedules: Vec<(Timestamp, String)>,
    /// When it ends, and since when that is so.
    ends: Vec<(Timestamp, Option<Timestamp>)>,
    /// When it was removed.
    pub removed: Option<Timestamp>,
    /// The schedule request behind it.
    ask: usize,
}

/// A schedule request.
#[derive(Debug)]
struct Ask {
    id: String,
    holding: Holding,
    action: ScheduleAction,
    justification: String,
    created_at: Timestamp,
    schedule: Option<String>,
    progress: Vec<(Timestamp, Progress)>,
    /// Carried out then: an assignment that is made, or gets another end.
    pending: Option<(Timestamp, Pending)>,
}

#[derive(Clone, Debug)]
struct Pending {
    call: Uuid,
    duration: SignedDuration,
    bend: Bend,
    request: Option<RequestId>,
}

/// How PIM makes of an order something else than was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bend {
    #[default]
    Not,
    /// Its word for how far it has come is unknown.
    Odd,
    /// Taken, and carried out so many seconds later; never when there is no number.
    Pending(Option<i64>),
    EndsLate,
    Endless,
    /// Taken, and failed.
    Fails,
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    Exists,
    Missing,
    TooEarly,
    NotCancellable,
}

impl Grant {
    pub fn end_at(&self, moment: Timestamp) -> Option<Timestamp> {
        self.ends.iter().rev().find(|(since, _)| *since <= moment).and_then(|(_, end)| *end)
    }

    /// The end as it stands, or stood last.
    pub fn end(&self) -> Option<Timestamp> {
        self.ends.last().and_then(|(_, end)| *end)
    }

    pub fn is_in_force(&self, moment: Timestamp) -> bool {
        let removed = self.removed.is_some_and(|removed| removed <= moment);
        self.start <= moment && !removed && self.end_at(moment).is_none_or(|end| end > moment)
    }

    fn schedule_at(&self, moment: Timestamp) -> String {
        let known = self.schedules.iter().rev().find(|(since, _)| *since <= moment).or(self.schedules.first());
        known.map(|(_, id)| id.clone()).unwrap_or_default()
    }

    fn instance_at(&self, moment: Timestamp) -> Instance {
        Instance {
            id: self.instance.clone(),
            schedule_id: Some(self.schedule_at(moment)),
            direct: true,
            starts_at: Some(self.start),
            ends_at: self.end_at(moment),
        }
    }
}

impl Ask {
    fn at(&self, moment: Timestamp) -> ScheduleRequest {
        let progress = self.progress.iter().rev().find(|(since, _)| *since <= moment).or(self.progress.first());
        let progress = progress.map_or(Progress::Unknown, |(_, progress)| *progress);
        ScheduleRequest {
            id: self.id.clone(),
            action: self.action,
            progress,
            status: word(progress).to_owned(),
            justification: Some(self.justification.clone()),
            schedule_id: self.schedule.clone(),
            created_at: Some(self.created_at),
            only_validated: false,
        }
    }
}

fn word(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "Provisioned",
        Progress::Granted => "Granted",
        Progress::Underway => "PendingProvisioning",
        Progress::Revoked => "Revoked",
        Progress::Over => "Failed",
        Progress::Unknown => "Whatever",
    }
}

impl Pim {
    /// Carries out what has become due.
    pub fn settle(&mut self, now: Timestamp) {
        for at in 0..self.asks.len() {
            let Some((due, pending)) = self.asks[at].pending.clone().filter(|(due, _)| *due <= now) else { continue };
            self.asks[at].pending = None;
            self.provision(at, due, &pending);
        }
    }

    fn provision(&mut self, ask: usize, at: Timestamp, pending: &Pending) {
        let schedule = format!("schedule-{}", self.grants.len());
        let end = match pending.bend {
            Bend::Endless => None,
            Bend::EndsLate => Some(at + pending.duration + SignedDuration::from_mins(30)),
            _ => Some(at + pending.duration),
        };
        self.grants.push(Grant {
            holding: self.asks[ask].holding.clone(),
            call: Some(pending.call),
            request: pending.request,
            start: at,
            bent: matches!(pending.bend, Bend::Endless | Bend::EndsLate),
            instance: format!("instance-{}", self.grants.len()),
            schedules: vec![(at, schedule.clone())],
            ends: vec![(at, end)],
            removed: None,
            ask,
        });
        let ask = &mut self.asks[ask];
        ask.schedule = Some(schedule);
        ask.progress.push((at, if pending.bend == Bend::Odd { Progress::Unknown } else { Progress::Done }));
    }

    fn in_force(&self, holding: &Holding, now: Timestamp) -> Option<usize> {
        self.grants.iter().position(|grant| grant.holding == *holding && grant.is_in_force(now))
    }

    fn ask(&mut self, holding: &Holding, action: ScheduleAction, justification: &str, now: Timestamp) -> usize {
        self.asks.push(Ask {
            id: format!("ask-{}", self.asks.len()),
            holding: holding.clone(),
            action,
            justification: justification.to_owned(),
            created_at: now,
            schedule: None,
            progress: vec![],
            pending: None,
        });
        self.asks.len() - 1
    }

    /// Makes an assignment, or refuses since there is one.
    pub fn assign(
        &mut self,
        order: &AssignOrder,
        request: Option<RequestId>,
        bend: Bend,
        now: Timestamp,
    ) -> Result<ScheduleRequest, No> {
        self.settle(now);
        let waits = self.asks.iter().any(|ask| ask.holding == order.holding && ask.pending.is_some());
        if waits || self.in_force(&order.holding, now).is_some() {
            return Err(No::Exists);
        }
        let at = self.ask(&order.holding, ScheduleAction::Assign, &order.justification, now);
        let pending = Pending { call: order.call_id, duration: order.duration.signed(), bend, request };
        match bend {
            Bend::Fails => self.asks[at].progress.push((now, Progress::Over)),
            Bend::Pending(after) => {
                self.asks[at].progress.push((now, Progress::Granted));
                let due = after.map_or(Timestamp::MAX, |after| now + SignedDuration::from_secs(after));
                self.asks[at].pending = Some((due, pending));
            }
            _ => self.provision(at, now, &pending),
        }
        Ok(self.asks[at].at(now))
    }

    /// Removes whatever direct assignment there is; which one that was.
    pub fn remove(&mut self, order: &RemoveOrder, now: Timestamp) -> Result<(ScheduleRequest, usize), No> {
        self.settle(now);
        let grant = self.in_force(&order.holding, now).ok_or(No::Missing)?;
        if now < self.grants[grant].start + FIVE_MINUTES {
            return Err(No::TooEarly);
        }
        self.end_now(grant, now);
        let at = self.ask(&order.holding, ScheduleAction::Remove, &order.justification, now);
        self.asks[at].progress.push((now, Progress::Revoked));
        Ok((self.asks[at].at(now), grant))
    }

    /// Gives whatever direct assignment there is another end; which one that was.
    pub fn update(&mut self, order: &UpdateOrder, anew: bool, now: Timestamp) -> Result<(ScheduleRequest, usize), No> {
        self.settle(now);
        let grant = self.in_force(&order.holding, now).ok_or(No::Missing)?;
        if order.ends_at < now + FIVE_MINUTES {
            return Err(No::TooEarly);
        }
        let at = self.ask(&order.holding, ScheduleAction::Update, &order.justification, now);
        if anew {
            let id = format!("schedule-{grant}-{at}");
            self.grants[grant].schedules.push((now, id));
            self.grants[grant].ask = at;
        }
        self.grants[grant].ends.push((now, Some(order.ends_at)));
        self.asks[at].schedule = Some(self.grants[grant].schedule_at(now));
        self.asks[at].progress.push((now, Progress::Done));
        Ok((self.asks[at].at(now), grant))
    }

    /// Cancels what was taken and not carried out.
    pub fn cancel(&mut self, id: &str, now: Timestamp) -> Result<ScheduleRequest, No> {
        self.settle(now);
        let ask = self.asks.iter_mut().find(|ask| ask.id == id && ask.pending.is_some()).ok_or(No::NotCancellable)?;
        ask.pending = None;
        ask.progress.push((now, Progress::Over));
        Ok(ask.at(now))
    }

    fn end_now(&mut self, grant: usize, now: Timestamp) {
        self.grants[grant].removed = Some(now);
        let made = self.grants[grant].ask;
        if let Some(ask) = self.asks.get_mut(made) {
            ask.progress.push((now, Progress::Revoked));
        }
    }

    /// Somebody removes it in Entra; whether there was anything of stint's.
    pub fn hand_revoke(&mut self, holding: &Holding, now: Timestamp) -> bool {
        self.settle(now);
        let Some(grant) = self.in_force(holding, now).filter(|grant| self.grants[*grant].call.is_some()) else {
            return false;
        };
        self.end_now(grant, now);
        true
    }

    /// Somebody grants it in Entra for half an hour, unless anything was there lately.
    ///
    /// What replaced an assignment of stint's within the time that lists lag cannot be told from it by anybody, and PIM's
    /// calls name no assignment; so nobody does that here.
    pub fn hand_grant(&mut self, holding: &Holding, now: Timestamp) -> bool {
        self.settle(now);
        let lately = now - SignedDuration::from_mins(4);
        let there = |grant: &Grant| {
            let over = grant.removed.or(grant.end()).unwrap_or(Timestamp::MAX);
            grant.holding == *holding && over > lately
        };
        let waits = self.asks.iter().any(|ask| ask.holding == *holding && ask.pending.is_some());
        if waits || self.grants.iter().any(there) {
            return false;
        }
        let ask = self.ask(holding, ScheduleAction::Assign, "by hand", now);
        let (call, duration) = (Uuid::nil(), SignedDuration::from_mins(30));
        self.provision(ask, now, &Pending { call, duration, bend: Bend::Not, request: None });
        if let Some(grant) = self.grants.last_mut() {
            grant.call = None;
        }
        true
    }

    /// What each of its three lists shows of a holding, as it was then.
    pub fn look(&self, holding: &Holding, [asks, schedules, instances]: [Timestamp; 3]) -> Sighting {
        let of = |grant: &&Grant| grant.holding == *holding;
        let listed = self.asks.iter().filter(|ask| ask.holding == *holding && ask.created_at <= asks);
        let current = self.grants.iter().filter(of).filter(|grant| grant.is_in_force(schedules));
        let schedule = |grant: &Grant| Schedule {
            id: grant.schedule_at(schedules),
            created_using: self.asks.get(grant.ask).map(|ask| ask.id.clone()),
            direct: true,
        };
        let now = self.grants.iter().filter(of).filter(|grant| grant.is_in_force(instances));
        Sighting {
            requests: listed.map(|ask| ask.at(asks)).collect(),
            schedules: current.map(schedule).collect(),
            instances: now.map(|grant| grant.instance_at(instances)).collect(),
        }
    }

    /// Everybody who held anything at that moment.
    pub fn everybody(&self, moment: Timestamp) -> Vec<Held> {
        let held = |grant: &Grant| Held { holding: grant.holding.clone(), instance: grant.instance_at(moment) };
        self.grants.iter().filter(|grant| grant.is_in_force(moment)).map(held).collect()
    }
}
