//! What a kind of target says about itself: its name, its keys in the catalog, and how it is made from them.
//!
//! The configuration takes all of this from the list of kinds: which values `target.kind` and `assignment` may have, which
//! further keys belong to each, and what their values must be. A new kind changes no line there.

use super::AssignmentTarget;
use crate::domain::target::{AssignmentKind, Target};

/// One kind of target, given in one way.
pub struct TargetKind {
    /// The value of `target.kind` in the catalog.
    pub name: &'static str,
    /// The value of `assignment` in the catalog. A kind that is given in both ways stands in the list twice.
    pub assignment: AssignmentKind,
    /// Its further keys in `target`.
    pub keys: &'static [TargetKey],
    /// The name of a target that can make its holder anything; the catalog must then say `protected = true`.
    pub tier0: fn(&Target) -> Option<&'static str>,
    /// Makes it from keys that were read; `None` when one is no such value after all.
    pub make: fn(&Target) -> Option<Box<dyn AssignmentTarget>>,
}

/// A key of a kind's `target` table in the catalog; its value is a text.
pub struct TargetKey {
    /// Its name.
    pub name: &'static str,
    /// What it means, for the catalog's schema.
    pub about: &'static str,
    /// What its value is, as words that follow "is not".
    pub wanted: &'static str,
    /// What counts when it is not given; `None` when it must be.
    pub default: Option<&'static str>,
    /// The value as Graph spells it; `None` when it is none.
    pub read: fn(&str) -> Option<String>,
}

impl TargetKind {
    /// Whether this kind makes that target.
    #[must_use]
    pub fn takes(&self, target: &Target) -> bool {
        self.name == target.kind && self.assignment == target.assignment
    }
}

impl std::fmt::Debug for TargetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.assignment.as_str(), self.name)
    }
}
