//! One try at a call that changes something in Graph, recorded before it is sent.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{duration::Duration, id::AttemptId};

/// From recording an attempt to the last moment it may be sent.
pub const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// How long a sent call may still take effect after `send_not_after`: the answer's own limit (30 s) and the time in
/// which reads may lag behind writes (120 s).
pub const SETTLE: SignedDuration = SignedDuration::from_secs(30 + 120);

/// Two reads count as two only this far apart.
pub const ABSENT_APART: SignedDuration = SignedDuration::from_secs(30);

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id; also sent as `client-request-id`.
    pub id: AttemptId,
    /// What it tries.
    pub kind: AttemptKind,
    /// When it was committed, before anything was sent.
    pub recorded_at: Timestamp,
    /// It is never sent after this moment.
    pub send_not_after: Timestamp,
    /// How long the request may have it; only where it asks for access, or whether it may have it.
    pub duration: Option<Duration>,
    /// When the assignment is to end at the latest by plan, for all who hold it; for those and [`AttemptKind::Update`].
    pub ends_at: Option<Timestamp>,
    /// How it came out.
    pub outcome: AttemptOutcome,
    /// Graph's code or stint's own word for what was seen.
    pub code: Option<String>,
    /// The HTTP status, where one was seen.
    pub http_status: Option<u16>,
    /// Graph's `request-id`, for Microsoft's support.
    pub graph_request_id: Option<String>,
    /// PIM's id of the schedule request it made.
    pub schedule_request_id: Option<String>,
    /// PIM's id of the schedule it made.
    pub schedule_id: Option<String>,
    /// When its outcome was known.
    pub closed_at: Option<Timestamp>,
    /// Reads, at least [`ABSENT_APART`] apart, that showed nothing of it.
    pub absent_reads: u32,
    /// The last read counted in `absent_reads`.
    pub last_absent_at: Option<Timestamp>,
}

/// What an attempt tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptKind {
    /// `adminAssign`.
    Assign,
    /// `adminUpdate`: a new end for an assignment that is in force.
    Update,
    /// `adminRemove`.
    Remove,
    /// Cancelling a schedule request that is not in force yet.
    Cancel,
    /// `adminAssign` with `isValidationOnly`: PIM checks it and changes nothing.
    Validate,
    /// Revoking the principal's sign-in sessions.
    RevokeSessions,
}

/// How an attempt came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// Not known yet: maybe sent, maybe carried out.
    Open,
    /// Graph took it, or it was found in Graph.
    Accepted,
    /// Graph refused it, or it came to nothing there.
    Refused,
    /// It surely never left.
    NotSent,
    /// Nothing of it was there: after the settle time or, where it makes nothing, without an answer.
    Absent,
}

impl Attempt {
    /// An attempt about to be recorded.
    #[must_use]
    pub fn new(kind: AttemptKind, now: Timestamp) -> Self {
        Self {
            id: AttemptId(Uuid::now_v7()),
            kind,
            recorded_at: now,
            send_not_after: now + SEND_WITHIN,
            duration: None,
            ends_at: None,
            outcome: AttemptOutcome::Open,
            code: None,
            http_status: None,
            graph_request_id: None,
            schedule_request_id: None,
            schedule_id: None,
            closed_at: None,
            absent_reads: 0,
            last_absent_at: None,
        }
    }

    /// An attempt to assign for this long.
    #[must_use]
    pub fn assign(duration: Duration, now: Timestamp) -> Self {
        Self { duration: Some(duration), ends_at: Some(now + duration.signed()), ..Self::new(AttemptKind::Assign, now) }
    }

    /// An attempt to have PIM check such an assignment, and make none.
    #[must_use]
    pub fn validate(duration: Duration, now: Timestamp) -> Self {
        Self { kind: AttemptKind::Validate, ..Self::assign(duration, now) }
    }

    /// An attempt to join an assignment in force for this long, and to let it end then for all who hold it.
    #[must_use]
    pub fn join(duration: Duration, ends_at: Timestamp, now: Timestamp) -> Self {
        Self { duration: Some(duration), ..Self::cut_back(ends_at, now) }
    }

    /// An attempt to let an assignment end then, for others who still hold it.
    #[must_use]
    pub fn cut_back(ends_at: Timestamp, now: Timestamp) -> Self {
        Self { ends_at: Some(ends_at), ..Self::new(AttemptKind::Update, now) }
    }

    /// Whether it asks for access rather than for its end.
    #[must_use]
    pub fn is_for_access(&self) -> bool {
        self.kind == AttemptKind::Assign || (self.kind == AttemptKind::Update && self.duration.is_some())
    }

    /// Whether it has, or may have, changed how long the assignment lasts.
    #[must_use]
    pub fn may_have_moved_the_end(&self) -> bool {
        let moves = matches!(self.kind, AttemptKind::Assign | AttemptKind::Update);
        moves && matches!(self.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted)
    }

    /// Until when its request may have the assignment; `None` for one that does not ask for access.
    #[must_use]
    pub fn own_end(&self) -> Option<Timestamp> {
        let duration = self.duration.filter(|_| self.is_for_access())?;
        Some(self.recorded_at + duration.signed())
    }

    /// When an attempt of unknown outcome can no longer take effect unseen.
    #[must_use]
    pub fn settled_at(&self) -> Timestamp {
        self.send_not_after + SETTLE
    }

    /// Counts a read that showed nothing of it, if the last counted one is long enough ago.
    pub fn count_absent(&mut self, now: Timestamp) {
        let far_enough = self.last_absent_at.is_none_or(|last| now.duration_since(last) >= ABSENT_APART);
        if far_enough {
            self.absent_reads += 1;
            self.last_absent_at = Some(now);
        }
    }

    /// Whether two absent reads, the last of them after the settle time, say that it came to nothing.
    #[must_use]
    pub fn is_proved_absent(&self, now: Timestamp) -> bool {
        self.absent_reads >= 2 && now >= self.settled_at()
    }

    /// Closes it.
    pub fn close(&mut self, outcome: AttemptOutcome, code: Option<String>, now: Timestamp) {
        self.outcome = outcome;
        self.code = code.or(self.code.take());
        self.closed_at = Some(now);
    }
}

/// Whether sign-in sessions were revoked; `None` when nobody tried to.
#[must_use]
pub fn sessions_revoked(attempts: &[Attempt]) -> Option<bool> {
    let mut tries = attempts.iter().filter(|attempt| attempt.kind == AttemptKind::RevokeSessions).peekable();
    tries.peek()?;
    Some(tries.any(|attempt| attempt.outcome == AttemptOutcome::Accepted))
}

impl AttemptKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Assign, Self::Update, Self::Remove, Self::Cancel, Self::Validate, Self::RevokeSessions];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Cancel => "cancel",
            Self::Validate => "validate",
            Self::RevokeSessions => "revoke-sessions",
        }
    }
}

impl AttemptOutcome {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::NotSent => "not-sent",
            Self::Absent => "absent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_reads_count_only_thirty_seconds_apart_and_prove_nothing_before_the_settle_time() {
        let start: Timestamp = "2026-11-03T08:31:00Z".parse().expect("time");
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        let mut attempt = Attempt::assign(Duration::hours(4), start);
        for seconds in [2, 5, 10, 20] {
            attempt.count_absent(at(seconds));
        }
        assert_eq!(attempt.absent_reads, 1);
        attempt.count_absent(at(32));
        assert_eq!(attempt.absent_reads, 2);
        assert!(!attempt.is_proved_absent(at(179)));
        assert!(attempt.is_proved_absent(at(180)));
    }
}
