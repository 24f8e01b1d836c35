//! The parts of Graph that work or fail each by itself: a right to roles says nothing of groups, nor one to read of one
//! to write.

use serde_json::Value;

use super::{TenantGraph, policy};
use crate::outbound::{Body, Call};

/// What of Graph a call is about. Each has permissions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Area {
    /// PIM for directory roles that are in force.
    Roles,
    /// PIM for directory roles that may be activated.
    EligibleRoles,
    /// PIM for groups, places that are in force.
    Groups,
    /// PIM for groups, places that may be activated.
    EligibleGroups,
    /// PIM's policies for roles.
    Policies,
    /// PIM's policies for groups.
    GroupPolicies,
    /// What roles there are.
    Definitions,
    /// Users.
    Users,
    /// Which groups users are in.
    Memberships,
    /// Everything else in the directory, one object at a time.
    Directory,
}

/// What a call does there. Each has permissions of its own (`contracts/graph.md` §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// It changes nothing.
    Read,
    /// It assigns, moves an end, or cancels.
    Write,
    /// It removes.
    Remove,
}

/// One part of Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Signing in; `remover`: as the identity that only removes.
    SignIn { remover: bool },
    /// Calls about this, of this way.
    Of(Area, Way),
}

impl Area {
    /// All of PIM: what a tenant needs a licence for (`contracts/graph.md` §6.1).
    pub(super) const PIM: [Self; 6] =
        [Self::Roles, Self::EligibleRoles, Self::Groups, Self::EligibleGroups, Self::Policies, Self::GroupPolicies];

    pub(super) fn of(path: &str) -> Self {
        let eligible = path.contains("ligibilitySchedule");
        match path.get(1..).and_then(|path| path.split(['/', '?', '(']).next()).unwrap_or_default() {
            "roleManagement" if path.contains("/roleDefinitions") => Self::Definitions,
            "roleManagement" if eligible => Self::EligibleRoles,
            "roleManagement" => Self::Roles,
            "identityGovernance" if eligible => Self::EligibleGroups,
            "identityGovernance" => Self::Groups,
            "policies" => Self::Policies,
            "users" if path.ends_with("/checkMemberGroups") => Self::Memberships,
            "users" => Self::Users,
            _ => Self::Directory,
        }
    }

    fn of_call(call: &Call) -> Self {
        let about_group = call.query.iter().any(|(_, value)| value.contains(policy::OF_GROUPS));
        match Self::of(&call.path) {
            Self::Policies if about_group => Self::GroupPolicies,
            area => area,
        }
    }

    /// Whether a refusal for lack of a permission says something of the area's other calls. A single administrative unit,
    /// group or role may be hidden from stint by itself; lists, policies and users are not.
    pub(super) fn refuses_as_one(self) -> bool {
        !matches!(self, Self::Definitions | Self::Directory)
    }

    /// The one of its service: what Graph throttles is a service, whoever may call what there.
    pub(super) fn throttled_as(self) -> Self {
        match self {
            Self::EligibleRoles | Self::Definitions => Self::Roles,
            Self::EligibleGroups => Self::Groups,
            Self::GroupPolicies => Self::Policies,
            Self::Users | Self::Memberships => Self::Directory,
            other => other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::EligibleRoles => "eligible-roles",
            Self::Groups => "groups",
            Self::EligibleGroups => "eligible-groups",
            Self::Policies => "policies",
            Self::GroupPolicies => "group-policies",
            Self::Definitions => "definitions",
            Self::Users => "users",
            Self::Memberships => "memberships",
            Self::Directory => "directory",
        }
    }
}

impl Way {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Remove];

    /// The way of a call that changes something.
    fn of(call: &Call) -> Self {
        let Body::Json(body) = &call.body else { return Self::Write };
        let action = body.get("action").and_then(Value::as_str);
        if action == Some("adminRemove") { Self::Remove } else { Self::Write }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Remove => "remove",
        }
    }
}

impl Part {
    /// Where a call that changes nothing belongs.
    pub(super) fn read_by(call: &Call) -> Self {
        Self::Of(Area::of_call(call), Way::Read)
    }

    /// Where a call that changes something belongs.
    pub(super) fn changed_by(call: &Call) -> Self {
        Self::Of(Area::of(&call.path), Way::of(call))
    }

    /// As [`Area::refuses_as_one`].
    pub(super) fn refuses_as_one(self) -> bool {
        !matches!(self, Self::Of(area, _) if !area.refuses_as_one())
    }

    /// Every part that needs a licence.
    pub(super) fn licensed() -> impl Iterator<Item = Self> {
        Area::PIM.into_iter().flat_map(|area| Way::ALL.map(|way| Self::Of(area, way)))
    }

    /// Its name in findings.
    pub(super) fn name(self) -> String {
        match self {
            Self::SignIn { remover: false } => "sign-in".to_owned(),
            Self::SignIn { remover: true } => "remover-sign-in".to_owned(),
            Self::Of(area, way) => format!("{}-{}", area.name(), way.name()),
        }
    }
}

impl TenantGraph {
    /// Whether a call that changes this target would be sent now.
    ///
    /// # Errors
    /// [`super::GraphError::Stopped`] or [`super::GraphError::Throttled`] when it would be answered without being sent.
    pub fn may_send(&self, wanted: &crate::domain::target::Target, way: Way) -> Result<(), super::GraphError> {
        let area = Area::of(super::target(wanted)?.surface().requests);
        self.client.gate().check(Part::Of(area, way), self.clock.monotonic())
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;

    fn call(path: &str, body: Body) -> Call {
        Call { method: Method::POST, path: path.to_owned(), query: vec![], headers: vec![], body }
    }

    #[test]
    fn each_call_belongs_to_one_part() {
        let remove = Body::Json(json!({"action": "adminRemove"}));
        let assign = Body::Json(json!({"action": "adminAssign"}));
        for (part, name) in [
            (Part::changed_by(&call("/roleManagement/directory/x", remove)), "roles-remove"),
            (Part::changed_by(&call("/roleManagement/directory/x/cancel", Body::Empty)), "roles-write"),
            (Part::changed_by(&call("/identityGovernance/privilegedAccess/group/x", assign)), "groups-write"),
            (Part::read_by(&call("/policies/roleManagementPolicies", Body::Empty)), "policies-read"),
            (Part::read_by(&call("/roleManagement/directory/roleDefinitions/x", Body::Empty)), "definitions-read"),
            (
                Part::read_by(&call("/roleManagement/directory/roleEligibilitySchedules", Body::Empty)),
                "eligible-roles-read",
            ),
            (Part::read_by(&call("/users/x/checkMemberGroups", Body::Empty)), "memberships-read"),
            (Part::read_by(&call("/users?$skiptoken=x", Body::Empty)), "users-read"),
            (Part::read_by(&call("/directory/administrativeUnits/x", Body::Empty)), "directory-read"),
            (Part::read_by(&call("/groups/x/checkMemberGroups", Body::Empty)), "directory-read"),
        ] {
            assert_eq!(part.name(), name);
        }
    }
}
