//! What a sighting means for one request: whose assignment it is, and whether it keeps to what was approved.

use jiff::{SignedDuration, Timestamp};

use super::{
    assignment::{Instance, Progress, ScheduleAction, ScheduleRequest, Sighting},
    attempt::{Attempt, AttemptKind},
    duration::Duration,
    id::RequestId,
    request::Request,
};

/// Ends may differ from the plan by this much, since PIM counts from its own provisioning (`contracts/graph.md` §2.5).
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// What a sighting shows for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Our assignment is in force.
    InForce {
        /// The instance.
        instance: Instance,
        /// The schedule behind it.
        schedule_id: String,
        /// The schedule request that made it, where PIM still lists it.
        schedule_request_id: Option<String>,
        /// Whether somebody else's assignment shows beside it; PIM keeps only one, so one of the two rows is stale.
        contested: bool,
    },
    /// The assignment of another request of stint's is in force, and none of this one's.
    OfKin {
        /// The instance.
        instance: Instance,
        /// Whether somebody else's assignment shows beside it.
        contested: bool,
    },
    /// PIM knows our schedule request; nothing is in force.
    Known(ScheduleRequest),
    /// Our schedule request came to nothing.
    Over(ScheduleRequest),
    /// Somebody else's assignment is there, and nothing of ours.
    Foreign {
        /// Whether it is another stint request's.
        of_stint: bool,
    },
    /// Nothing.
    Nothing,
}

/// Judges a sighting. An assignment is ours only by the marker of this very request, or by an id that PIM gave in
/// answer to one of its attempts; it is our kin's by the marker or an attempt of another request for the same holding.
#[must_use]
pub fn judge(sighting: &Sighting, request: RequestId, attempts: &[Attempt], kin: &[Request]) -> Seen {
    let ours = our_schedule_requests(sighting, request, attempts);
    let schedules = our_schedules(sighting, &ours, attempts);
    let mut of_stint = schedules.clone();
    of_stint.extend(kin.iter().flat_map(|kin| schedules_of(sighting, kin)));
    let contested = is_foreign(sighting, &of_stint);
    if let Some((instance, schedule_id)) = in_force(sighting, &schedules) {
        return Seen::InForce {
            instance: instance.clone(),
            schedule_id: schedule_id.to_owned(),
            schedule_request_id: made_by(sighting, &ours, schedule_id),
            contested,
        };
    }
    if let Some((instance, _)) = in_force(sighting, &of_stint) {
        return Seen::OfKin { instance: instance.clone(), contested };
    }
    if let Some(known) = ours.iter().rev().find(|r| is_coming(r)) {
        return Seen::Known((*known).clone());
    }
    if contested {
        return Seen::Foreign { of_stint: is_of_stint(sighting) };
    }
    // An update that came to nothing leaves its request as it was.
    let over = ours.iter().rev().find(|r| r.action == ScheduleAction::Assign);
    over.map_or(Seen::Nothing, |over| Seen::Over((*over).clone()))
}

/// The schedule request that an attempt made: by the id that PIM gave, else the newest one with the request's marker and the
/// attempt's action that no other attempt is known to have made.
#[must_use]
pub fn made_by_attempt<'a>(
    sighting: &'a Sighting,
    request: &Request,
    attempt: &Attempt,
) -> Option<&'a ScheduleRequest> {
    let action = match attempt.kind {
        AttemptKind::Assign => ScheduleAction::Assign,
        AttemptKind::Update => ScheduleAction::Update,
        _ => return None,
    };
    if let Some(id) = &attempt.schedule_request_id {
        return sighting.requests.iter().find(|made| made.id == *id);
    }
    let others: Vec<_> = request.attempts.iter().filter_map(|other| other.schedule_request_id.as_deref()).collect();
    let in_time = |made: &ScheduleRequest| made.created_at.is_none_or(|at| at + TOLERANCE >= attempt.recorded_at);
    let candidates = sighting.requests.iter().filter(|made| made.action == action && made.is_marked(request.id));
    candidates.filter(|made| !others.contains(&made.id.as_str()) && in_time(made)).max_by_key(|made| made.created_at)
}

/// A schedule request of ours that PIM took, has not carried out, and may still carry out.
#[must_use]
pub fn hanging<'a>(sighting: &'a Sighting, request: &Request) -> Option<&'a ScheduleRequest> {
    let acts = request.attempts.iter().filter(|attempt| attempt.may_have_moved_the_end());
    acts.rev().find_map(|attempt| {
        let made = made_by_attempt(sighting, request, attempt)?;
        let underway = matches!(made.progress, Progress::Granted | Progress::Underway);
        (underway && !has_effect(sighting, attempt, made)).then_some(made)
    })
}

/// Whether what a schedule request was to bring about is there, whatever PIM says of the request itself.
fn has_effect(sighting: &Sighting, attempt: &Attempt, made: &ScheduleRequest) -> bool {
    let asked = |end: Timestamp| attempt.ends_at.is_some_and(|asked| end.duration_since(asked).abs() <= TOLERANCE);
    let moved = |i: &Instance| attempt.kind == AttemptKind::Assign || i.ends_at.is_some_and(asked);
    sighting.instances.iter().any(|i| i.direct && i.schedule_id == made.schedule_id && moved(i))
}

/// Every instance that stint's own requests stand behind, this one's and its kin's.
pub(super) fn instances_of_stint<'a>(
    sighting: &'a Sighting,
    request: &'a Request,
    kin: &'a [Request],
) -> Vec<&'a Instance> {
    let all = std::iter::once(request).chain(kin);
    let schedules: Vec<_> = all.flat_map(|one| schedules_of(sighting, one)).collect();
    let ours = |i: &&Instance| i.direct && i.schedule_id.as_deref().is_some_and(|id| schedules.contains(&id));
    sighting.instances.iter().filter(ours).collect()
}

/// The ids of the schedules that a request's attempts made.
fn schedules_of<'a>(sighting: &'a Sighting, request: &'a Request) -> Vec<&'a str> {
    let theirs = our_schedule_requests(sighting, request.id, &request.attempts);
    our_schedules(sighting, &theirs, &request.attempts)
}

/// A direct instance of one of these schedules.
fn in_force<'a>(sighting: &'a Sighting, schedules: &[&str]) -> Option<(&'a Instance, &'a str)> {
    sighting.instances.iter().find_map(|instance| {
        let id = instance.schedule_id.as_deref().filter(|_| instance.direct)?;
        schedules.contains(&id).then_some((instance, id))
    })
}

fn our_schedule_requests<'a>(
    sighting: &'a Sighting,
    request: RequestId,
    attempts: &[Attempt],
) -> Vec<&'a ScheduleRequest> {
    let answered = |id: &str| attempts.iter().any(|a| a.schedule_request_id.as_deref() == Some(id));
    let is_ours = |r: &&ScheduleRequest| makes_schedules(r.action) && (r.is_marked(request) || answered(&r.id));
    let mut ours: Vec<_> = sighting.requests.iter().filter(is_ours).collect();
    ours.sort_by_key(|r| r.created_at);
    ours
}

/// An update may give the assignment another schedule (`contracts/graph.md` §2.3).
fn makes_schedules(action: ScheduleAction) -> bool {
    matches!(action, ScheduleAction::Assign | ScheduleAction::Update)
}

fn our_schedules<'a>(sighting: &'a Sighting, ours: &[&'a ScheduleRequest], attempts: &'a [Attempt]) -> Vec<&'a str> {
    let listed = ours.iter().filter_map(|r| r.schedule_id.as_deref());
    let made_by_us = |id: &Option<String>| id.as_ref().is_some_and(|id| ours.iter().any(|r| r.id == *id));
    let made = sighting.schedules.iter().filter(|s| made_by_us(&s.created_using)).map(|s| s.id.as_str());
    let assigned = attempts.iter().filter(|a| matches!(a.kind, AttemptKind::Assign | AttemptKind::Update));
    let answered = assigned.filter_map(|a| a.schedule_id.as_deref());
    listed.chain(made).chain(answered).collect()
}

fn made_by(sighting: &Sighting, ours: &[&ScheduleRequest], schedule_id: &str) -> Option<String> {
    let listed = ours.iter().find(|r| r.schedule_id.as_deref() == Some(schedule_id)).map(|r| r.id.clone());
    let schedule = sighting.schedules.iter().find(|s| s.id == schedule_id);
    listed.or_else(|| schedule.and_then(|s| s.created_using.clone()))
}

/// Whether something may come of it yet. An update that was carried out has been, whatever became of the assignment since.
fn is_coming(request: &ScheduleRequest) -> bool {
    let done = request.action == ScheduleAction::Update && request.progress == Progress::Done;
    !done && !is_over(request)
}

fn is_over(request: &ScheduleRequest) -> bool {
    matches!(request.progress, Progress::Over | Progress::Revoked)
}

fn is_foreign(sighting: &Sighting, ours: &[&str]) -> bool {
    let foreign_instance = |i: &Instance| i.direct && i.schedule_id.as_deref().is_none_or(|id| !ours.contains(&id));
    let foreign_schedule = sighting.schedules.iter().any(|s| s.direct && !ours.contains(&s.id.as_str()));
    foreign_schedule || sighting.instances.iter().any(foreign_instance)
}

/// Whether what is there carries the marker of another stint request.
fn is_of_stint(sighting: &Sighting) -> bool {
    let marked = |r: &&ScheduleRequest| r.justification.as_deref().is_some_and(|j| j.contains(" stint:"));
    let schedules: Vec<_> = sighting.requests.iter().filter(marked).filter_map(|r| r.schedule_id.as_ref()).collect();
    sighting.instances.iter().any(|i| i.direct && i.schedule_id.as_ref().is_some_and(|id| schedules.contains(&id)))
}

/// How the end of an assignment in force compares with what was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCheck {
    /// It ends when it should; its start and end.
    Kept(Timestamp, Timestamp),
    /// It has no end, or no start to count from.
    Missing,
    /// It ends later than approved.
    Late(Timestamp),
}

/// Compares the end PIM set with the attempt that asked for it: counted from PIM's own start, and never past the
/// change window.
#[must_use]
pub fn check_end(instance: &Instance, attempts: &[Attempt], not_after: Option<Timestamp>) -> EndCheck {
    let (Some(start), Some(end)) = (instance.starts_at, instance.ends_at) else {
        return EndCheck::Missing;
    };
    let Some(asked) = asked_duration(attempts, start) else {
        return EndCheck::Late(end);
    };
    let by_duration = start + asked.signed();
    let limit = not_after.map_or(by_duration, |window| window.min(by_duration));
    if end > limit + TOLERANCE { EndCheck::Late(end) } else { EndCheck::Kept(start, end) }
}

/// What the attempt behind an assignment that started then had asked for: the last one recorded before it.
fn asked_duration(attempts: &[Attempt], start: Timestamp) -> Option<Duration> {
    let asked: Vec<_> = attempts.iter().filter(|a| a.kind == AttemptKind::Assign).collect();
    let before = asked.iter().rev().find(|a| a.recorded_at <= start + TOLERANCE);
    before.or_else(|| asked.first()).and_then(|a| a.duration)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id() -> RequestId {
        RequestId(Uuid::from_u128(7))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    fn schedule_request(id: &str, justification: &str, progress: Progress) -> ScheduleRequest {
        ScheduleRequest {
            id: id.into(),
            action: ScheduleAction::Assign,
            progress,
            status: "Provisioned".into(),
            justification: Some(justification.into()),
            schedule_id: Some(format!("schedule-{id}")),
            only_validated: false,
            created_at: Some(at("2026-11-03T08:31:10Z")),
        }
    }

    fn instance(schedule: &str) -> Instance {
        Instance {
            id: "i".into(),
            schedule_id: Some(schedule.into()),
            direct: true,
            starts_at: Some(at("2026-11-03T08:31:12Z")),
            ends_at: Some(at("2026-11-03T12:31:12Z")),
        }
    }

    fn ours() -> ScheduleRequest {
        schedule_request("a", &format!("ITSEC-482 {}", id().marker()), Progress::Done)
    }

    #[test]
    fn ours_is_known_by_the_whole_marker_only() {
        let longer = schedule_request("b", &format!("ITSEC-482 {}0", id().marker()), Progress::Done);
        let sighting =
            Sighting { requests: vec![longer], instances: vec![instance("schedule-b")], ..Sighting::default() };
        assert_eq!(judge(&sighting, id(), &[], &[]), Seen::Foreign { of_stint: true });
        let sighting =
            Sighting { requests: vec![ours()], instances: vec![instance("schedule-a")], ..Sighting::default() };
        assert!(matches!(judge(&sighting, id(), &[], &[]), Seen::InForce { .. }));
    }

    #[test]
    fn a_standing_or_unlisted_assignment_is_foreign() {
        let sighting = Sighting { instances: vec![instance("somebody")], ..Sighting::default() };
        assert_eq!(judge(&sighting, id(), &[], &[]), Seen::Foreign { of_stint: false });
    }

    #[test]
    fn an_activated_or_inherited_row_is_nobodys_business() {
        let row = Instance { direct: false, ..instance("somebody") };
        let sighting = Sighting { instances: vec![row], ..Sighting::default() };
        assert_eq!(judge(&sighting, id(), &[], &[]), Seen::Nothing);
    }

    #[test]
    fn an_instance_is_ours_by_the_id_that_graph_answered_even_while_lists_lag() {
        let mut attempt = Attempt::assign(Duration::hours(4), at("2026-11-03T08:31:10Z"));
        attempt.schedule_id = Some("schedule-a".into());
        let sighting = Sighting { instances: vec![instance("schedule-a")], ..Sighting::default() };
        assert!(matches!(judge(&sighting, id(), &[attempt], &[]), Seen::InForce { .. }));
    }

    #[test]
    fn an_update_that_failed_or_is_long_done_says_nothing_of_what_may_be_assigned() {
        for progress in [Progress::Over, Progress::Revoked, Progress::Done] {
            let update = ScheduleRequest { action: ScheduleAction::Update, progress, ..ours() };
            let sighting = Sighting { requests: vec![update], ..Sighting::default() };
            assert_eq!(judge(&sighting, id(), &[], &[]), Seen::Nothing, "{progress:?}");
        }
    }

    #[test]
    fn our_failed_schedule_request_is_over_unless_another_one_lives() {
        let failed = ScheduleRequest { progress: Progress::Over, ..ours() };
        let sighting = Sighting { requests: vec![failed.clone()], ..Sighting::default() };
        assert!(matches!(judge(&sighting, id(), &[], &[]), Seen::Over(_)));
        let sighting = Sighting { requests: vec![failed, ours()], ..Sighting::default() };
        assert!(matches!(judge(&sighting, id(), &[], &[]), Seen::Known(_)));
    }

    #[test]
    fn an_end_is_late_when_it_outlives_what_its_own_attempt_asked_for() {
        let first = Attempt::assign(Duration::hours(4), at("2026-11-03T08:31:10Z"));
        let second = Attempt::assign(Duration::hours(3), at("2026-11-03T09:31:10Z"));
        let attempts = [first, second];
        assert!(matches!(check_end(&instance("a"), &attempts, None), EndCheck::Kept(..)));
        let from_second = Instance { starts_at: Some(at("2026-11-03T09:31:12Z")), ..instance("a") };
        assert!(matches!(check_end(&from_second, &attempts, None), EndCheck::Kept(..)));
        let late = Instance { ends_at: Some(at("2026-11-03T12:33:00Z")), ..from_second };
        assert!(matches!(check_end(&late, &attempts, None), EndCheck::Late(_)));
        let endless = Instance { ends_at: None, ..late };
        assert_eq!(check_end(&endless, &attempts, None), EndCheck::Missing);
        let window = Some(at("2026-11-03T12:00:00Z"));
        assert!(matches!(check_end(&instance("a"), &attempts, window), EndCheck::Late(_)));
    }
}
