//! The parts of Graph that work or fail each by itself: a right to roles says nothing of groups, nor one to read of one
//! to write.

use serde_json::Value;

use super::TenantGraph;
use crate::outbound::{Body, Call};

/// What of Graph a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Area {
    /// PIM for directory roles.
    Roles,
    /// PIM for groups.
    Groups,
    /// PIM's policies.
    Policies,
    /// Users, groups, service principals.
    Directory,
    /// What a target is made of, wherever it is read: it needs neither PIM's licence nor what the rest of its place needs,
    /// so it says nothing of either.
    Objects,
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
    pub(super) const PIM: [Self; 3] = [Self::Roles, Self::Groups, Self::Policies];

    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/roleManagement/") {
            Self::Roles
        } else if path.starts_with("/identityGovernance/") {
            Self::Groups
        } else if path.starts_with("/policies/") {
            Self::Policies
        } else {
            Self::Directory
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Groups => "groups",
            Self::Policies => "policies",
            Self::Directory => "directory",
            Self::Objects => "objects",
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
    /// Reading what a target is made of.
    pub(super) const OBJECTS: Self = Self::Of(Area::Objects, Way::Read);

    /// Where a call that changes nothing belongs.
    pub(super) fn read_by(call: &Call) -> Self {
        Self::Of(Area::of(&call.path), Way::Read)
    }

    /// Where a call that changes something belongs.
    pub(super) fn changed_by(call: &Call) -> Self {
        Self::Of(Area::of(&call.path), Way::of(call))
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
            (Part::read_by(&call("/users/x/checkMemberGroups", Body::Empty)), "directory-read"),
        ] {
            assert_eq!(part.name(), name);
        }
    }
}
