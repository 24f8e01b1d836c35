//! What an assignment gives: a role somewhere, a place in a group, whatever PIM assigns.
//!
//! Which kinds there are, and what their keys mean, is known by the files of [`crate::graph`] alone; here a target is only
//! compared, kept and shown.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// What is given, in the catalog's own words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// `target.kind` of the catalog, such as `directory-role`.
    pub kind: String,
    /// Whether it is in force at once, or only may be activated.
    #[serde(default, skip_serializing_if = "AssignmentKind::is_active")]
    pub assignment: AssignmentKind,
    /// The further keys of the catalog's `target`, in Graph's own spelling, since they are compared byte for byte.
    #[serde(flatten)]
    pub keys: BTreeMap<String, String>,
}

/// How an assignment gives its target.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AssignmentKind {
    /// In force for as long as the assignment lasts.
    #[default]
    Active,
    /// The principal may activate it while the assignment lasts, and meets PIM's own demands then.
    Eligible,
}

impl Target {
    /// The value of one of its keys; empty when it has none of this name.
    #[must_use]
    pub fn key(&self, name: &str) -> &str {
        self.keys.get(name).map_or("", String::as_str)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let eligible = if self.assignment.is_active() { "" } else { "eligible " };
        let values: Vec<_> = self.keys.values().map(String::as_str).collect();
        write!(f, "{eligible}{} {}", self.kind, values.join(" at "))
    }
}

impl AssignmentKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Active, Self::Eligible];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Eligible => "eligible",
        }
    }

    /// Whether it is in force at once.
    #[must_use]
    pub fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(assignment: AssignmentKind) -> Target {
        let keys = [("role", "r1"), ("scope", "/")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Target { kind: "directory-role".into(), assignment, keys: keys.into() }
    }

    #[test]
    fn a_target_reads_as_the_catalog_writes_it() {
        let kept = r#"{"kind":"directory-role","role":"r1","scope":"/"}"#;
        assert_eq!(serde_json::to_string(&target(AssignmentKind::Active)).expect("json"), kept);
        assert_eq!(serde_json::from_str::<Target>(kept).expect("a target"), target(AssignmentKind::Active));
        let kept = r#"{"kind":"directory-role","assignment":"eligible","role":"r1","scope":"/"}"#;
        assert_eq!(serde_json::from_str::<Target>(kept).expect("a target"), target(AssignmentKind::Eligible));
    }

    #[test]
    fn eligible_and_active_are_different_targets_in_words_too() {
        assert_eq!(target(AssignmentKind::Active).to_string(), "directory-role r1 at /");
        assert_eq!(target(AssignmentKind::Eligible).to_string(), "eligible directory-role r1 at /");
    }
}
