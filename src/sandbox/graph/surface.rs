//! What PIM gives: a directory role or a place in a group, active or eligible (`contracts/graph.md §2, §3`).
//!
//! The four surfaces differ in paths and names of fields; behind them is one engine.

use serde_json::{Value, json};

/// One of PIM's four tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `roleManagement/directory/roleAssignment…`
    #[default]
    RoleAssignment,
    /// `roleManagement/directory/roleEligibility…`
    RoleEligibility,
    /// `identityGovernance/privilegedAccess/group/assignment…`
    GroupAssignment,
    /// `identityGovernance/privilegedAccess/group/eligibility…`
    GroupEligibility,
}

/// Whether something is given, or may be activated by its holder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// In effect while it runs.
    #[default]
    Assignment,
    /// Grants nothing until the holder activates it.
    Eligibility,
}

/// A place in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// `member`
    #[default]
    Member,
    /// `owner`
    Owner,
}

/// What a principal holds or may activate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory role in a scope.
    Role {
        /// Role definition id.
        role: String,
        /// `/`, an administrative unit, or one object.
        scope: String,
        /// Active or eligible.
        level: Level,
    },
    /// A place in a group.
    Group {
        /// Object id of the group.
        group: String,
        /// Member or owner.
        access: Access,
        /// Active or eligible.
        level: Level,
    },
}

impl Surface {
    /// All four.
    pub const ALL: [Self; 4] =
        [Self::RoleAssignment, Self::RoleEligibility, Self::GroupAssignment, Self::GroupEligibility];

    pub(super) fn level(self) -> Level {
        match self {
            Self::RoleAssignment | Self::GroupAssignment => Level::Assignment,
            Self::RoleEligibility | Self::GroupEligibility => Level::Eligibility,
        }
    }

    pub(super) fn is_of_groups(self) -> bool {
        matches!(self, Self::GroupAssignment | Self::GroupEligibility)
    }

    /// The path of its collections, below `/v1.0`.
    pub(super) fn base(self) -> &'static str {
        if self.is_of_groups() { "identityGovernance/privilegedAccess/group" } else { "roleManagement/directory" }
    }

    /// How the names of its collections begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::RoleAssignment => "roleAssignment",
            Self::RoleEligibility => "roleEligibility",
            Self::GroupAssignment => "assignment",
            Self::GroupEligibility => "eligibility",
        }
    }

    /// The field of an instance that names its schedule.
    pub(super) fn schedule_field(self) -> String {
        format!("{}ScheduleId", self.prefix())
    }
}

impl Access {
    pub(super) const ALL: [Self; 2] = [Self::Member, Self::Owner];

    /// As PIM writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.as_str().eq_ignore_ascii_case(text))
    }
}

impl What {
    /// A role in effect.
    #[must_use]
    pub fn role(role: &str, scope: &str) -> Self {
        Self::Role { role: role.to_ascii_lowercase(), scope: scope.to_owned(), level: Level::Assignment }
    }

    /// A role that may be activated.
    #[must_use]
    pub fn eligible_role(role: &str, scope: &str) -> Self {
        Self::role(role, scope).at(Level::Eligibility)
    }

    /// A place in a group, in effect.
    #[must_use]
    pub fn group(group: &str, access: Access) -> Self {
        Self::Group { group: group.to_ascii_lowercase(), access, level: Level::Assignment }
    }

    /// A place in a group that may be activated.
    #[must_use]
    pub fn eligible_group(group: &str, access: Access) -> Self {
        Self::group(group, access).at(Level::Eligibility)
    }

    /// The same, active or eligible.
    #[must_use]
    pub fn at(mut self, to: Level) -> Self {
        match &mut self {
            Self::Role { level, .. } | Self::Group { level, .. } => *level = to,
        }
        self
    }

    /// Where it is asked for and read.
    #[must_use]
    pub fn surface(&self) -> Surface {
        match self {
            Self::Role { level: Level::Assignment, .. } => Surface::RoleAssignment,
            Self::Role { level: Level::Eligibility, .. } => Surface::RoleEligibility,
            Self::Group { level: Level::Assignment, .. } => Surface::GroupAssignment,
            Self::Group { level: Level::Eligibility, .. } => Surface::GroupEligibility,
        }
    }

    /// PIM's own form of an id that it made: composite for groups, plain for roles (§3).
    pub(super) fn schedule_id(&self, guid: &str) -> String {
        match self {
            Self::Role { .. } => guid.to_owned(),
            Self::Group { group, access, .. } => format!("{group}_{}_{guid}", access.as_str()),
        }
    }

    /// The fields of a row that name it.
    pub(super) fn fields(&self, principal: &str) -> Value {
        match self {
            Self::Role { role, scope, .. } => json!({
                "principalId": principal, "roleDefinitionId": role, "directoryScopeId": scope, "appScopeId": null,
            }),
            Self::Group { group, access, .. } => {
                json!({"principalId": principal, "groupId": group, "accessId": access.as_str()})
            }
        }
    }
}
