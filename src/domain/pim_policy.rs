//! What the owner of a role or group allows those who assign it: the rules of PIM's policy that bind stint.
//!
//! PIM enforces them itself. Reading them first means that a refusal names the rule and who may change it, and comes before
//! anything was asked for.

use super::{
    duration::{Duration, GRANTABLE},
    request::Reason,
    target::{AssignmentKind, Target},
};

/// The rules of one target's policy that bind an administrator's assignment of it (`contracts/graph.md` §4).
///
/// Rules for activation by the user, and for approval inside PIM, bind nobody who assigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PimPolicy {
    /// The longest assignment, days being 24 hours; `None` when the rule names no length. It counts even where no end
    /// is required, since PIM may apply it there too (§2.5).
    pub maximum: Option<Duration>,
    /// Whether an assignment must end. stint's always do.
    pub expiration_required: bool,
    /// What whoever assigns must bring along.
    pub demands: Vec<Demand>,
}

/// Something that PIM demands of whoever assigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// A sign-in with several factors, which an application never has.
    Mfa,
    /// A justification. stint always gives one.
    Justification,
    /// A ticket. stint always names one.
    Ticketing,
    /// A demand that stint does not know, by PIM's name. PIM decides on it when it is asked.
    Unknown(String),
}

impl PimPolicy {
    /// Every rule that this assignment would break; of the length nothing is said while it is not known.
    #[must_use]
    pub fn refusals(&self, target: &Target, duration: Option<Duration>) -> Vec<Reason> {
        let mfa = self.demands.contains(&Demand::Mfa).then(|| mfa_required(target));
        let length = self.maximum.and_then(|maximum| too_long(target, duration, maximum));
        mfa.into_iter().chain(length).collect()
    }
}

/// The rule that bounds how long an assignment may last.
#[must_use]
pub fn expiration_rule(kind: AssignmentKind) -> &'static str {
    match kind {
        AssignmentKind::Active => "Expiration_Admin_Assignment",
        AssignmentKind::Eligible => "Expiration_Admin_Eligibility",
    }
}

/// The rule that says what whoever assigns must bring along.
#[must_use]
pub fn enablement_rule(kind: AssignmentKind) -> &'static str {
    match kind {
        AssignmentKind::Active => "Enablement_Admin_Assignment",
        AssignmentKind::Eligible => "Enablement_Admin_Eligibility",
    }
}

fn mfa_required(target: &Target) -> Reason {
    let rule = enablement_rule(target.assignment);
    let detail = format!(
        "PIM demands multifactor authentication of whoever assigns {target}, which an application can never satisfy: who \
         administers its PIM settings must take MultiFactorAuthentication out of the rule {rule}"
    );
    Reason::new("pim-mfa-required", detail)
}

fn too_long(target: &Target, duration: Option<Duration>, maximum: Duration) -> Option<Reason> {
    let rule = expiration_rule(target.assignment);
    if maximum < *GRANTABLE.start() {
        let detail = format!(
            "PIM allows no assignment of {target} at all: the maximum of the rule {rule} is {maximum}; who administers \
             its PIM settings must raise it"
        );
        return Some(Reason::new("pim-duration-none", detail));
    }
    let duration = duration.filter(|duration| *duration > maximum)?;
    let detail = format!(
        "PIM allows at most {maximum} for {target} (rule {rule}), and {duration} would be asked for: ask for less, or have \
         the rule raised"
    );
    Some(Reason::new("pim-duration-too-long", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PimPolicy {
        PimPolicy {
            maximum: Some(Duration::hours(8)),
            expiration_required: true,
            demands: vec![Demand::Justification, Demand::Ticketing],
        }
    }

    fn target(assignment: AssignmentKind) -> Target {
        Target { kind: "group".into(), assignment, keys: [("group".to_owned(), "g1".to_owned())].into() }
    }

    fn refusals(policy: &PimPolicy, duration: Option<Duration>) -> Vec<Reason> {
        policy.refusals(&target(AssignmentKind::Active), duration)
    }

    #[test]
    fn what_stint_always_brings_along_refuses_nothing() {
        assert_eq!(refusals(&policy(), Some(Duration::hours(8))), []);
        let unlimited = PimPolicy { maximum: None, demands: vec![Demand::Unknown("Fingerprint".into())], ..policy() };
        assert_eq!(refusals(&unlimited, Some(Duration::hours(24))), []);
    }

    #[test]
    fn several_factors_refuse_whatever_the_length_and_name_the_rule_of_the_level() {
        let policy = PimPolicy { demands: vec![Demand::Mfa], ..policy() };
        let [reason] = &refusals(&policy, None)[..] else { panic!("one reason") };
        assert_eq!(reason.code, "pim-mfa-required");
        assert!(reason.detail.contains("Enablement_Admin_Assignment"), "{}", reason.detail);
        let eligible = policy.refusals(&target(AssignmentKind::Eligible), None);
        assert!(eligible[0].detail.contains("Enablement_Admin_Eligibility"), "{}", eligible[0].detail);
    }

    #[test]
    fn a_length_over_the_maximum_is_refused_and_the_maximum_named_even_where_no_end_is_required() {
        for expiration_required in [true, false] {
            let policy = PimPolicy { expiration_required, ..policy() };
            let [reason] = &refusals(&policy, Some(Duration::seconds(8 * 3600 + 1)))[..] else { panic!("one reason") };
            assert_eq!(reason.code, "pim-duration-too-long");
            assert!(reason.detail.contains("PT8H") && reason.detail.contains("Expiration_Admin_Assignment"));
        }
    }

    #[test]
    fn a_maximum_below_what_pim_can_give_at_all_refuses_everything() {
        for maximum in [Duration::seconds(0), Duration::seconds(299)] {
            let policy = PimPolicy { maximum: Some(maximum), ..policy() };
            let [reason] = &refusals(&policy, None)[..] else { panic!("one reason") };
            assert_eq!(reason.code, "pim-duration-none");
        }
        let just_enough = PimPolicy { maximum: Some(Duration::minutes(5)), ..policy() };
        assert_eq!(refusals(&just_enough, Some(Duration::minutes(5))), []);
    }
}
