//! Role management policies: what the owner of a role or group allows (`contracts/graph.md §4`).

use super::state::Tenant;
use super::surface::{Access, Level, What};

/// The two rules that bind an administrator who assigns, or makes eligible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePolicy {
    /// Longest assignment, as an ISO 8601 duration. `PT0S` refuses every duration.
    pub maximum_duration: String,
    /// Whether an assignment must end.
    pub expiration_required: bool,
    /// `Justification`, `Ticketing`, `MultiFactorAuthentication`.
    pub enabled_rules: Vec<String>,
}

/// What a policy is about. The scope of a role does not matter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum PolicyKey {
    Role(String, Level),
    Group(String, Access, Level),
}

impl Default for RolePolicy {
    fn default() -> Self {
        Self {
            maximum_duration: "P15D".to_owned(),
            expiration_required: true,
            enabled_rules: vec!["Justification".to_owned()],
        }
    }
}

impl RolePolicy {
    /// What holds for eligibility while nobody has said otherwise.
    #[must_use]
    pub fn of_eligibility() -> Self {
        Self { maximum_duration: "P365D".to_owned(), expiration_required: false, enabled_rules: Vec::new() }
    }

    /// The rules an assignment breaks, as the service names them. An application never satisfies MFA.
    pub(super) fn broken(
        &self,
        justified: bool,
        ticketed: bool,
        length_seconds: Option<i64>,
        minimum_seconds: i64,
    ) -> Vec<&'static str> {
        let enabled = |name: &str| self.enabled_rules.iter().any(|rule| rule == name);
        let maximum = duration_seconds(&self.maximum_duration).unwrap_or(0);
        let bad_length = match length_seconds {
            Some(seconds) => seconds < minimum_seconds || (self.expiration_required && seconds > maximum),
            None => self.expiration_required,
        };
        let rules = [
            ("MfaRule", enabled("MultiFactorAuthentication")),
            ("JustificationRule", enabled("Justification") && !justified),
            ("TicketingRule", enabled("Ticketing") && !ticketed),
            ("ExpirationRule", bad_length),
        ];
        rules.into_iter().filter(|(_, broken)| *broken).map(|(name, _)| name).collect()
    }
}

impl PolicyKey {
    pub(super) fn of(what: &What) -> Self {
        match what {
            What::Role { role, level, .. } => Self::Role(role.clone(), *level),
            What::Group { group, access, level } => Self::Group(group.clone(), *access, *level),
        }
    }

    fn level(&self) -> Level {
        match self {
            Self::Role(_, level) | Self::Group(_, _, level) => *level,
        }
    }
}

impl Tenant {
    pub(super) fn policy_for(&self, what: &What) -> RolePolicy {
        let key = PolicyKey::of(what);
        self.policies.get(&key).map_or_else(|| default_at(key.level()), |(policy, _)| policy.clone())
    }
}

fn default_at(level: Level) -> RolePolicy {
    match level {
        Level::Assignment => RolePolicy::default(),
        Level::Eligibility => RolePolicy::of_eligibility(),
    }
}

/// No assignment is shorter, and none is removed earlier.
pub(super) const MINIMUM_SECONDS: i64 = 300;

/// An ISO 8601 duration of days, hours, minutes and seconds; years, months and weeks are not allowed.
pub(super) fn duration_seconds(text: &str) -> Option<i64> {
    let date = text.split('T').next()?;
    if !text.starts_with('P') || text.ends_with('T') || date.contains(['Y', 'M', 'W']) {
        return None;
    }
    let span: jiff::Span = text.parse().ok()?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(length.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_know_days_but_not_months() {
        assert_eq!(duration_seconds("PT4H"), Some(14_400));
        assert_eq!(duration_seconds("P1DT1M"), Some(86_460));
        assert_eq!(duration_seconds("P1M"), None);
        assert_eq!(duration_seconds("8 hours"), None);
    }
}
