//! Entra directory roles as a target: of the whole tenant, of an administrative unit, or of a single object
//! (`contracts/graph.md` §2).
//!
//! Pure. Rows are filtered once more here, by role and scope byte for byte, so that a filter that Graph ignored changes
//! nothing.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    AssignmentTarget, Flaw, Part, PolicyPlace, Row,
    kind::{TargetKey, TargetKind},
    permission::{OF_OBJECTS, OF_ROLES, OF_UNITS, Permissions, ROLE_POLICY, ROLE_REMOVE, ROLE_WRITE},
    schedule::{Surface, as_guid, guid, list, object},
    tier0,
};
use crate::{
    domain::{
        id::ObjectId,
        target::{AssignmentKind, Target},
    },
    json,
    outbound::Call,
};

/// Roles that are in force for as long as they are assigned.
pub(super) const KIND: TargetKind = TargetKind {
    name: "directory-role",
    assignment: AssignmentKind::Active,
    keys: KEYS,
    tier0: tier0_role,
    make: |target| made(target, &ACTIVE),
};

const ACTIVE: Surface = Surface {
    requests: "/roleManagement/directory/roleAssignmentScheduleRequests",
    schedules: "/roleManagement/directory/roleAssignmentSchedules",
    instances: "/roleManagement/directory/roleAssignmentScheduleInstances",
    schedule_field: "/roleAssignmentScheduleId",
    tells_activated: true,
    permissions: Permissions { write: ROLE_WRITE, remove: ROLE_REMOVE, policy: ROLE_POLICY, further: &[] },
};

/// What names a role and where it counts, however it is given.
pub(super) const KEYS: &[TargetKey] = &[
    TargetKey {
        name: "role",
        about: "The id of the role's definition.",
        wanted: "a GUID",
        default: None,
        read: as_guid,
    },
    TargetKey {
        name: "scope",
        about: "Where it counts: `/` (the default), `/administrativeUnits/{id}` or `/{object id}`.",
        wanted: "a scope: /, /administrativeUnits/{id} or /{object id}, the id a lower-case GUID",
        default: Some("/"),
        read: scope,
    },
];

/// One directory role at one scope.
struct DirectoryRole {
    role: Uuid,
    scope: String,
    surface: &'static Surface,
}

/// The role that a target's keys name, given on this surface.
pub(super) fn made(target: &Target, surface: &'static Surface) -> Option<Box<dyn AssignmentTarget>> {
    let (role, scope) = (target.key("role").parse().ok()?, scope(target.key("scope"))?);
    Some(Box::new(DirectoryRole { role, scope, surface }))
}

/// The name of a role whose holder can become anything.
pub(super) fn tier0_role(target: &Target) -> Option<&'static str> {
    tier0::name(target.key("role").parse().ok()?)
}

/// `/`, or a GUID behind `/` or `/administrativeUnits/`; in Graph's own spelling, since it is compared byte for byte.
fn scope(scope: &str) -> Option<String> {
    let id = scope.strip_prefix("/administrativeUnits/").or(scope.strip_prefix('/'));
    let is_guid = |id: &str| id.parse().is_ok_and(|guid: Uuid| guid.to_string() == id);
    (scope == "/" || id.is_some_and(is_guid)).then(|| scope.to_owned())
}

impl AssignmentTarget for DirectoryRole {
    fn surface(&self) -> &Surface {
        self.surface
    }

    fn fields(&self) -> Map<String, Value> {
        let fields = [("roleDefinitionId", json!(self.role)), ("directoryScopeId", json!(self.scope))];
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }

    fn filter(&self, principal: ObjectId) -> String {
        format!("principalId eq '{principal}' and roleDefinitionId eq '{}'", self.role)
    }

    /// App-specific scopes are never ours.
    fn holder(&self, row: &Value) -> Row<ObjectId> {
        let principal = ObjectId(guid(row, "/principalId")?);
        let same_role = guid(row, "/roleDefinitionId")? == self.role;
        let app_scope = json::optional_text(row, "/appScopeId")?;
        if app_scope.is_some_and(|scope| !scope.is_empty()) {
            return Ok(None);
        }
        let same = same_role && json::text(row, "/directoryScopeId")? == self.scope;
        Ok(same.then_some(principal))
    }

    /// One list for all roles and scopes.
    fn list_all_instances(&self) -> Call {
        list(self.surface.instances, None)
    }

    /// A role has one policy for all its scopes.
    fn policy(&self) -> PolicyPlace {
        PolicyPlace { scope: "/".into(), scope_type: "DirectoryRole", role: self.role.to_string() }
    }

    fn parts(&self) -> Vec<Part> {
        let role = self.role;
        let role = Part {
            name: format!("role {role}"),
            call: object(format!("/roleManagement/directory/roleDefinitions/{role}")),
            shown_with: OF_ROLES,
            flaws: role_flaws,
        };
        [Some(role), place(&self.scope)].into_iter().flatten().collect()
    }
}

/// The object at which a role counts; the tenant itself is always there.
fn place(scope: &str) -> Option<Part> {
    if let Some(unit) = scope.strip_prefix("/administrativeUnits/") {
        let call = object(format!("/directory/administrativeUnits/{unit}"));
        return Some(Part {
            name: format!("administrative unit {unit}"),
            call,
            shown_with: OF_UNITS,
            flaws: |_| vec![],
        });
    }
    let id = scope.strip_prefix('/').filter(|id| !id.is_empty())?;
    let call = object(format!("/directoryObjects/{id}"));
    Some(Part { name: format!("object {id}"), call, shown_with: OF_OBJECTS, flaws: |_| vec![] })
}

fn role_flaws(role: &Value) -> Vec<Flaw> {
    let disabled = role.pointer("/isEnabled") == Some(&Value::Bool(false));
    disabled.then_some(Flaw::Refused("the role is disabled")).into_iter().collect()
}
