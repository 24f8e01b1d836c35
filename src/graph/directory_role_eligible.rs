//! Eligibility for a directory role: the holder activates it and meets PIM's own demands then
//! (`contracts/graph.md` §2.8).

use super::{
    directory_role::{KEYS, made, tier0_role},
    kind::TargetKind,
    permission::{ELIGIBLE_WRITE, Permissions, ROLE_POLICY},
    schedule::Surface,
};
use crate::domain::target::AssignmentKind;

/// Roles that may be activated for as long as they are assigned.
pub(super) const KIND: TargetKind = TargetKind {
    name: "directory-role",
    assignment: AssignmentKind::Eligible,
    keys: KEYS,
    tier0: tier0_role,
    make: |target| made(target, &ELIGIBLE),
};

const ELIGIBLE: Surface = Surface {
    requests: "/roleManagement/directory/roleEligibilityScheduleRequests",
    schedules: "/roleManagement/directory/roleEligibilitySchedules",
    instances: "/roleManagement/directory/roleEligibilityScheduleInstances",
    schedule_field: "/roleEligibilityScheduleId",
    tells_activated: false,
    permissions: Permissions { write: ELIGIBLE_WRITE, remove: ELIGIBLE_WRITE, policy: ROLE_POLICY, further: &[] },
};
