//! What every call to a tenant's Graph passes on its way out, and is told of on its way back.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    TenantGraph,
    answer::Unanswered,
    circuit::{Circuits, News, TenantFault},
    error::{ErrorBody, GraphError, is_lack_of_permission},
    part::{Part, Way},
    pause::Pauses,
};
use crate::{domain::duration::Duration as Wait, outbound};

/// Refusals that PIM's own rules make, once permission and licence are there (`contracts/graph.md` §6.1).
const SAID_BY_RULES: [&str; 6] = [
    "ActiveDurationTooShort",
    "PendingRoleAssignmentRequest",
    "RoleAssignmentDoesNotExist",
    "RoleAssignmentExists",
    "RoleAssignmentRequestAcrsValidationFailed",
    "RoleAssignmentRequestPolicyValidationFailed",
];

/// One tenant's gate.
#[derive(Debug)]
pub(super) struct Gate {
    /// Whether removals are made as an identity of their own.
    has_remover: bool,
    circuits: Circuits,
    pauses: Pauses,
}

/// What an answer says of the tenant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The part serves stint.
    Served,
    /// The token was taken; no more is known.
    SignedIn,
    /// Only a person can mend this.
    Refused(TenantFault, String),
    /// Too many calls; and how long to wait, where that was said.
    Throttled(Option<Wait>),
    /// Nothing.
    Nothing,
}

impl Gate {
    pub(super) fn new(has_remover: bool) -> Self {
        Self { has_remover, circuits: Circuits::default(), pauses: Pauses::default() }
    }

    /// Whether a call may be sent there now; begins nothing.
    pub(super) fn check(&self, part: Part, now: Duration) -> Result<(), GraphError> {
        self.check_pause(part, now)?;
        self.circuits.check(&[self.sign_in(part), part], now)
    }

    /// Lets a call through, which is then to be sent.
    pub(super) fn admit(&self, part: Part, now: Duration) -> Result<(), GraphError> {
        self.check_pause(part, now)?;
        self.circuits.admit(&[self.sign_in(part), part], now)
    }

    /// Minds what a call begun then came to; `jitter` is any number.
    pub(super) fn heard(&self, part: Part, heard: &Heard, began: Duration, now: Duration, jitter: u32) {
        let sign_in = self.sign_in(part);
        match heard {
            Heard::Refused(TenantFault::Credential, detail) => {
                self.circuits.refused(sign_in, TenantFault::Credential, detail, now);
            }
            Heard::Refused(fault, detail) => {
                self.circuits.served(sign_in, began, now);
                self.circuits.refused(part, *fault, detail, now);
            }
            Heard::Served => {
                self.circuits.served(sign_in, began, now);
                self.circuits.served(part, began, now);
                self.answered(part, began);
            }
            Heard::SignedIn => {
                self.circuits.served(sign_in, began, now);
                self.answered(part, began);
            }
            Heard::Throttled(after) => {
                if let Part::Of(area, _) = part {
                    self.pauses.throttled(area.throttled_as(), began, now, *after, jitter);
                }
            }
            Heard::Nothing => {}
        }
    }

    fn check_pause(&self, part: Part, now: Duration) -> Result<(), GraphError> {
        let Part::Of(area, _) = part else { return Ok(()) };
        match self.pauses.rest(area.throttled_as(), now) {
            Some(rest) => Err(GraphError::Throttled { after: Some(rest) }),
            None => Ok(()),
        }
    }

    fn answered(&self, part: Part, began: Duration) {
        if let Part::Of(area, _) = part {
            self.pauses.answered(area.throttled_as(), began);
        }
    }

    fn sign_in(&self, part: Part) -> Part {
        Part::SignIn { remover: self.has_remover && matches!(part, Part::Of(_, Way::Remove)) }
    }
}

impl Heard {
    /// What a reading there came to.
    pub(super) fn of_read(part: Part, outcome: &Result<Value, GraphError>) -> Self {
        match outcome {
            Ok(_) | Err(GraphError::NotFound { .. }) => Self::Served,
            Err(GraphError::Refused { .. }) => Self::SignedIn,
            Err(GraphError::Licence { detail }) => Self::Refused(TenantFault::Licence, detail.clone()),
            Err(GraphError::Permission { code, .. }) if !(part.refuses_as_one() && is_lack_of_permission(code)) => {
                Self::SignedIn
            }
            Err(GraphError::Permission { code, detail }) => {
                Self::Refused(TenantFault::Permission, format!("{code}: {detail}"))
            }
            Err(error) => Self::of_failure(error),
        }
    }

    /// What a call that changes something came to.
    pub(super) fn of_write(outcome: &Result<outbound::Answer, Unanswered>, now: Timestamp) -> Self {
        match outcome {
            Ok(answer) => Self::of_answer(answer, now),
            Err(Unanswered::NoToken(error)) => Self::of_failure(error),
            Err(_) => Self::Nothing,
        }
    }

    fn of_answer(answer: &outbound::Answer, now: Timestamp) -> Self {
        let after = answer.retry_after(now);
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled(after),
            StatusCode::SERVICE_UNAVAILABLE if after.is_some() => Self::Throttled(after),
            StatusCode::UNAUTHORIZED => Self::Nothing,
            status if status.is_success() => Self::Served,
            status if status.is_client_error() => ErrorBody::read(answer).map_or(Self::Nothing, Self::of_refusal),
            _ => Self::Nothing,
        }
    }

    fn of_refusal(ErrorBody { code, detail }: ErrorBody) -> Self {
        match code.as_str() {
            "AadPremiumLicenseRequired" | "PermissionScopeNotGranted" => {
                Self::Refused(TenantFault::of_code(&code), format!("{code}: {detail}"))
            }
            known if SAID_BY_RULES.contains(&known) => Self::Served,
            _ => Self::SignedIn,
        }
    }

    fn of_failure(error: &GraphError) -> Self {
        match error {
            GraphError::Credential { code, detail } => {
                Self::Refused(TenantFault::Credential, format!("{code}: {detail}"))
            }
            GraphError::Throttled { after } | GraphError::Unavailable { after: after @ Some(_), .. } => {
                Self::Throttled(*after)
            }
            _ => Self::Nothing,
        }
    }
}

impl TenantGraph {
    /// Whether calls have told anything about the tenant that nobody took yet.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.client.gate().circuits.has_news()
    }

    /// Takes what calls have told about the tenant, oldest first.
    #[must_use]
    pub fn take_news(&self) -> Vec<News> {
        self.client.gate().circuits.take_news()
    }

    /// Gives back what could not be told on.
    pub fn untold(&self, news: Vec<News>) {
        self.client.gate().circuits.untold(news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{error::tests::answer, part::Area};

    fn wrote(status: u16, code: &str) -> Heard {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#);
        Heard::of_write(&Ok(answer(status, &body)), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_answer_to_a_write_says_what_it_says_of_the_tenant() {
        let refused = |fault, detail: &str| Heard::Refused(fault, detail.to_owned());
        for (heard, expected) in [
            (wrote(201, ""), Heard::Served),
            (wrote(400, "RoleAssignmentExists"), Heard::Served),
            (wrote(400, "RoleAssignmentDoesNotExist"), Heard::Served),
            (wrote(400, "ActiveDurationTooShort"), Heard::Served),
            (wrote(400, "PendingRoleAssignmentRequest"), Heard::Served),
            (wrote(400, "RoleAssignmentRequestPolicyValidationFailed"), Heard::Served),
            (wrote(400, "BadRequest"), Heard::SignedIn),
            (wrote(403, "Authorization_RequestDenied"), Heard::SignedIn),
            (wrote(400, "AadPremiumLicenseRequired"), refused(TenantFault::Licence, "AadPremiumLicenseRequired: why")),
            (
                wrote(403, "PermissionScopeNotGranted"),
                refused(TenantFault::Permission, "PermissionScopeNotGranted: why"),
            ),
            (wrote(401, "InvalidAuthenticationToken"), Heard::Nothing),
            (wrote(429, "TooManyRequests"), Heard::Throttled(None)),
            (wrote(503, "ServiceUnavailable"), Heard::Nothing),
            (wrote(500, "AadPremiumLicenseRequired"), Heard::Nothing),
        ] {
            assert_eq!(heard, expected);
        }
    }

    #[test]
    fn only_what_surely_is_a_missing_permission_stops_a_part_and_never_for_a_single_object() {
        let read = |area, code: &str| {
            let refused = GraphError::Permission { code: code.into(), detail: "why".into() };
            Heard::of_read(Part::Of(area, Way::Read), &Err(refused))
        };
        for area in [Area::Roles, Area::Policies, Area::GroupPolicies, Area::Users, Area::Memberships] {
            for code in ["PermissionScopeNotGranted", "Authorization_RequestDenied"] {
                assert!(matches!(read(area, code), Heard::Refused(TenantFault::Permission, _)), "{area:?} {code}");
            }
            assert_eq!(read(area, "UnauthorizedAccessException"), Heard::SignedIn, "{area:?}");
        }
        for area in [Area::Definitions, Area::Directory] {
            assert_eq!(read(area, "PermissionScopeNotGranted"), Heard::SignedIn, "{area:?}");
        }
    }

    #[test]
    fn what_graph_throttles_rests_as_a_whole() {
        let gate = Gate::new(false);
        let throttled = Part::Of(Area::Definitions, Way::Read);
        gate.heard(throttled, &Heard::Throttled(None), Duration::ZERO, Duration::ZERO, 0);
        assert!(gate.check(Part::Of(Area::EligibleRoles, Way::Write), Duration::ZERO).is_err());
        assert!(gate.check(Part::Of(Area::Policies, Way::Read), Duration::ZERO).is_ok());
    }

    #[test]
    fn a_refusal_by_pims_own_rules_lets_a_stopped_part_go_on() {
        let gate = Gate::new(false);
        let part = Part::Of(Area::Roles, Way::Write);
        let (refused_at, again) = (Duration::ZERO, Duration::from_mins(5));
        gate.heard(part, &wrote(403, "PermissionScopeNotGranted"), refused_at, refused_at, 0);
        assert!(gate.check(part, refused_at).is_err());
        assert!(gate.admit(part, again).is_ok(), "the trial");
        gate.heard(part, &wrote(400, "RoleAssignmentExists"), again, again, 0);
        assert!(gate.check(part, again).is_ok());
    }

    #[test]
    fn a_remover_that_is_refused_stops_removals_alone() {
        let gate = Gate::new(true);
        let area = Area::Roles;
        let heard = Heard::Refused(TenantFault::Credential, "why".into());
        gate.heard(Part::Of(area, Way::Remove), &heard, Duration::ZERO, Duration::ZERO, 0);
        assert!(gate.check(Part::Of(area, Way::Remove), Duration::ZERO).is_err());
        assert!(gate.check(Part::Of(area, Way::Write), Duration::ZERO).is_ok());
    }
}
