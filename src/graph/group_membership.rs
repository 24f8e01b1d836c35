//! PIM for Groups as a target: membership in a group, or its ownership (`contracts/graph.md` §3).
//!
//! Pure. Lists must be asked for by group or principal, so the group's own list is what shows everybody.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    AssignmentTarget, Flaw, Part, PolicyPlace, Row,
    kind::{TargetKey, TargetKind},
    permission::{GROUP_POLICY, GROUP_REMOVE, GROUP_WRITE, OF_GROUPS, Permissions},
    principal,
    schedule::{Surface, as_guid, guid, list},
};
use crate::{
    domain::{
        id::ObjectId,
        target::{AssignmentKind, Target},
    },
    json,
    outbound::Call,
};

/// Membership or ownership that is in force for as long as it is assigned.
pub(super) const KIND: TargetKind = TargetKind {
    name: "group",
    assignment: AssignmentKind::Active,
    keys: KEYS,
    tier0: |_| None,
    make: |target| made(target, &ACTIVE),
};

const ACTIVE: Surface = Surface {
    requests: "/identityGovernance/privilegedAccess/group/assignmentScheduleRequests",
    schedules: "/identityGovernance/privilegedAccess/group/assignmentSchedules",
    instances: "/identityGovernance/privilegedAccess/group/assignmentScheduleInstances",
    schedule_field: "/assignmentScheduleId",
    tells_activated: true,
    permissions: Permissions { write: GROUP_WRITE, remove: GROUP_REMOVE, policy: GROUP_POLICY, further: &[OF_GROUPS] },
};

/// What names a place in a group, however it is given.
pub(super) const KEYS: &[TargetKey] = &[
    TargetKey { name: "group", about: "The group's object id.", wanted: "a GUID", default: None, read: as_guid },
    TargetKey {
        name: "access",
        about: "What is given in the group: `member` (the default) or `owner`.",
        wanted: "member or owner",
        default: Some("member"),
        read: access,
    },
];

/// A place in one group.
struct Place {
    group: Uuid,
    access: String,
    surface: &'static Surface,
}

/// The place that a target's keys name, given on this surface.
pub(super) fn made(target: &Target, surface: &'static Surface) -> Option<Box<dyn AssignmentTarget>> {
    let (group, access) = (target.key("group").parse().ok()?, access(target.key("access"))?);
    Some(Box::new(Place { group, access, surface }))
}

fn access(word: &str) -> Option<String> {
    matches!(word, "member" | "owner").then(|| word.to_owned())
}

impl AssignmentTarget for Place {
    fn surface(&self) -> &Surface {
        self.surface
    }

    fn fields(&self) -> Map<String, Value> {
        let fields = [("groupId", json!(self.group)), ("accessId", json!(self.access))];
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }

    fn filter(&self, principal: ObjectId) -> String {
        format!("groupId eq '{}' and principalId eq '{principal}'", self.group)
    }

    fn holder(&self, row: &Value) -> Row<ObjectId> {
        let principal = ObjectId(guid(row, "/principalId")?);
        let same =
            guid(row, "/groupId")? == self.group && json::text(row, "/accessId")?.eq_ignore_ascii_case(&self.access);
        Ok(same.then_some(principal))
    }

    fn list_all_instances(&self) -> Call {
        list(self.surface.instances, Some(format!("groupId eq '{}'", self.group)))
    }

    fn policy(&self) -> PolicyPlace {
        PolicyPlace { scope: self.group.to_string(), scope_type: "Group", role: self.access.clone() }
    }

    fn may_hold_roles(&self) -> bool {
        true
    }

    fn parts(&self) -> Vec<Part> {
        let group = self.group;
        let call = principal::group(ObjectId(group));
        vec![Part { name: format!("group {group}"), call, shown_with: OF_GROUPS, flaws: group_flaws }]
    }
}

/// PIM refuses groups that something else fills (`contracts/graph.md` §3).
fn group_flaws(group: &Value) -> Vec<Flaw> {
    let is = |path: &str| group.pointer(path) == Some(&Value::Bool(true));
    let types = json::array(group, "/groupTypes").unwrap_or_default();
    let dynamic =
        types.iter().any(|kind| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("DynamicMembership")));
    let flaws = [
        dynamic.then_some(Flaw::Refused("a rule decides who is in the group, so PIM cannot")),
        is("/onPremisesSyncEnabled").then_some(Flaw::Refused("the group is synchronised from on-premises")),
        is("/isAssignableToRole").then_some(Flaw::HoldsRoles),
    ];
    flaws.into_iter().flatten().collect()
}
