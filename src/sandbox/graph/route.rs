//! Which operation a call is.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::super::wire::segments;
use super::fault::On;

/// The operations this Graph knows; ids are percent-decoded.
pub(super) enum Route {
    User(String),
    CheckMemberGroups(String),
    Users,
    RoleDefinition(String),
    RoleDefinitions,
    CreateRequest,
    CancelRequest(String),
    Request(String),
    Requests,
    Schedule(String),
    Schedules,
    Instance(String),
    Instances,
    PolicyAssignments,
    PolicyRules(String),
    Unknown,
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let segments = segments(path);
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), path.as_slice()) {
            (method, ["v1.0", "roleManagement", "directory", rest @ ..]) => Self::pim(method, rest),
            ("GET", ["v1.0", "users"]) => Self::Users,
            ("GET", ["v1.0", "users", id]) => Self::User((*id).to_owned()),
            ("POST", ["v1.0", "users", id, "checkMemberGroups"]) => Self::CheckMemberGroups((*id).to_owned()),
            ("GET", ["v1.0", "policies", "roleManagementPolicyAssignments"]) => Self::PolicyAssignments,
            ("GET", ["v1.0", "policies", "roleManagementPolicies", id, "rules"]) => Self::PolicyRules((*id).to_owned()),
            _ => Self::Unknown,
        }
    }

    fn pim(method: &str, path: &[&str]) -> Self {
        match (method, path) {
            ("GET", ["roleDefinitions"]) => Self::RoleDefinitions,
            ("GET", ["roleDefinitions", id]) => Self::RoleDefinition((*id).to_owned()),
            ("POST", ["roleAssignmentScheduleRequests"]) => Self::CreateRequest,
            ("POST", ["roleAssignmentScheduleRequests", id, "cancel"]) => Self::CancelRequest((*id).to_owned()),
            ("GET", ["roleAssignmentScheduleRequests"]) => Self::Requests,
            ("GET", ["roleAssignmentScheduleRequests", id]) => Self::Request((*id).to_owned()),
            ("GET", ["roleAssignmentSchedules"]) => Self::Schedules,
            ("GET", ["roleAssignmentSchedules", id]) => Self::Schedule((*id).to_owned()),
            ("GET", ["roleAssignmentScheduleInstances"]) => Self::Instances,
            ("GET", ["roleAssignmentScheduleInstances", id]) => Self::Instance((*id).to_owned()),
            _ => Self::Unknown,
        }
    }

    /// Which faults this call can meet.
    pub(super) fn on(&self, body: &Bytes) -> On {
        match self {
            Self::User(_) | Self::Users | Self::CheckMemberGroups(_) => On::ReadUsers,
            Self::RoleDefinition(_) | Self::RoleDefinitions => On::ReadRoles,
            Self::CreateRequest if removes(body) => On::Remove,
            Self::CreateRequest => On::Create,
            Self::CancelRequest(_) => On::Cancel,
            Self::Request(_) | Self::Requests => On::ReadRequests,
            Self::Schedule(_) | Self::Schedules => On::ReadSchedules,
            Self::Instance(_) | Self::Instances => On::ReadInstances,
            Self::PolicyAssignments | Self::PolicyRules(_) => On::ReadPolicies,
            Self::Unknown => On::Any,
        }
    }
}

fn removes(body: &Bytes) -> bool {
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| body["action"].as_str().map(|action| action.eq_ignore_ascii_case("adminRemove")))
        .unwrap_or(false)
}
