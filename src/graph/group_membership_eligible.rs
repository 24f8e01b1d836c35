//! Eligibility for a place in a group: the holder activates it and meets PIM's own demands then
//! (`contracts/graph.md` §3, §2.8).

use super::{
    group_membership::{KEYS, made},
    kind::TargetKind,
    permission::{GROUP_ELIGIBLE_WRITE, GROUP_POLICY, OF_GROUPS, Permissions},
    schedule::Surface,
};
use crate::domain::target::AssignmentKind;

/// Membership or ownership that may be activated for as long as it is assigned.
pub(super) const KIND: TargetKind = TargetKind {
    name: "group",
    assignment: AssignmentKind::Eligible,
    keys: KEYS,
    tier0: |_| None,
    make: |target| made(target, &ELIGIBLE),
};

const ELIGIBLE: Surface = Surface {
    requests: "/identityGovernance/privilegedAccess/group/eligibilityScheduleRequests",
    schedules: "/identityGovernance/privilegedAccess/group/eligibilitySchedules",
    instances: "/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances",
    schedule_field: "/eligibilityScheduleId",
    tells_activated: false,
    permissions: Permissions {
        write: GROUP_ELIGIBLE_WRITE,
        remove: GROUP_ELIGIBLE_WRITE,
        policy: GROUP_POLICY,
        further: &[OF_GROUPS],
    },
};
