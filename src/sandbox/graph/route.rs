//! Which operation a call is.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::super::wire::segments;
use super::fault::On;
use super::object::Among;
use super::surface::Surface;

/// The operations this Graph knows; ids are percent-decoded.
pub(super) enum Route {
    User(String),
    CheckMemberGroups(Among, String),
    RevokeSessions(String),
    Users,
    Group(String),
    AdministrativeUnit(String),
    DirectoryObject(String),
    ServicePrincipal(String),
    AppRoleAssignments(String),
    RoleDefinition(String),
    RoleDefinitions,
    CreateRequest(Surface),
    CancelRequest(Surface, String),
    Request(Surface, String),
    Requests(Surface),
    Schedule(Surface, String),
    Schedules(Surface),
    Instance(Surface, String),
    Instances(Surface),
    PolicyAssignments,
    PolicyRules(String),
    Unknown,
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let segments = segments(path);
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), path.as_slice()) {
            ("GET", ["v1.0", "roleManagement", "directory", "roleDefinitions"]) => Self::RoleDefinitions,
            ("GET", ["v1.0", "roleManagement", "directory", "roleDefinitions", id]) => {
                Self::RoleDefinition((*id).to_owned())
            }
            (method, ["v1.0", "roleManagement", "directory", collection, rest @ ..]) => {
                Self::pim(method, &[Surface::RoleAssignment, Surface::RoleEligibility], collection, rest)
            }
            (method, ["v1.0", "identityGovernance", "privilegedAccess", "group", collection, rest @ ..]) => {
                Self::pim(method, &[Surface::GroupAssignment, Surface::GroupEligibility], collection, rest)
            }
            ("GET", ["v1.0", "policies", "roleManagementPolicyAssignments"]) => Self::PolicyAssignments,
            ("GET", ["v1.0", "policies", "roleManagementPolicies", id, "rules"]) => Self::PolicyRules((*id).to_owned()),
            (method, ["v1.0", rest @ ..]) => Self::directory(method, rest),
            _ => Self::Unknown,
        }
    }

    fn directory(method: &str, path: &[&str]) -> Self {
        match (method, path) {
            ("GET", ["users"]) => Self::Users,
            ("GET", ["users", id]) => Self::User((*id).to_owned()),
            ("POST", ["users", id, "checkMemberGroups"]) => Self::CheckMemberGroups(Among::Users, (*id).to_owned()),
            ("POST", ["groups", id, "checkMemberGroups"]) => Self::CheckMemberGroups(Among::Groups, (*id).to_owned()),
            ("POST", ["servicePrincipals", id, "checkMemberGroups"]) => {
                Self::CheckMemberGroups(Among::ServicePrincipals, (*id).to_owned())
            }
            ("POST", ["users", id, "revokeSignInSessions"]) => Self::RevokeSessions((*id).to_owned()),
            ("GET", ["groups", id]) => Self::Group((*id).to_owned()),
            ("GET", ["directory", "administrativeUnits", id]) => Self::AdministrativeUnit((*id).to_owned()),
            ("GET", ["directoryObjects", id]) => Self::DirectoryObject((*id).to_owned()),
            ("GET", ["servicePrincipals", id]) => Self::ServicePrincipal((*id).to_owned()),
            ("GET", ["servicePrincipals", id, "appRoleAssignments"]) => Self::AppRoleAssignments((*id).to_owned()),
            ("GET", [key]) if key.starts_with("servicePrincipals(") => Self::ServicePrincipal((*key).to_owned()),
            ("GET", [key, "appRoleAssignments"]) if key.starts_with("servicePrincipals(") => {
                Self::AppRoleAssignments((*key).to_owned())
            }
            _ => Self::Unknown,
        }
    }

    fn pim(method: &str, surfaces: &[Surface], collection: &str, rest: &[&str]) -> Self {
        let found = surfaces.iter().find_map(|surface| Some((*surface, collection.strip_prefix(surface.prefix())?)));
        let Some((surface, kind)) = found else {
            return Self::Unknown;
        };
        match (method, kind, rest) {
            ("POST", "ScheduleRequests", []) => Self::CreateRequest(surface),
            ("POST", "ScheduleRequests", [id, "cancel"]) => Self::CancelRequest(surface, (*id).to_owned()),
            ("GET", "ScheduleRequests", []) => Self::Requests(surface),
            ("GET", "ScheduleRequests", [id]) => Self::Request(surface, (*id).to_owned()),
            ("GET", "Schedules", []) => Self::Schedules(surface),
            ("GET", "Schedules", [id]) => Self::Schedule(surface, (*id).to_owned()),
            ("GET", "ScheduleInstances", []) => Self::Instances(surface),
            ("GET", "ScheduleInstances", [id]) => Self::Instance(surface, (*id).to_owned()),
            _ => Self::Unknown,
        }
    }

    /// Which faults this call can meet.
    pub(super) fn on(&self, body: &Bytes) -> On {
        match self {
            Self::User(_) | Self::Users | Self::CheckMemberGroups(Among::Users, _) => On::ReadUsers,
            Self::RevokeSessions(_) => On::RevokeSessions,
            Self::Group(_) | Self::CheckMemberGroups(Among::Groups, _) => On::ReadGroups,
            Self::ServicePrincipal(_)
            | Self::AppRoleAssignments(_)
            | Self::CheckMemberGroups(Among::ServicePrincipals, _) => On::ReadServicePrincipals,
            Self::AdministrativeUnit(_) | Self::DirectoryObject(_) => On::ReadObjects,
            Self::RoleDefinition(_) | Self::RoleDefinitions => On::ReadRoles,
            Self::CreateRequest(_) if removes(body) => On::Remove,
            Self::CreateRequest(_) => On::Create,
            Self::CancelRequest(..) => On::Cancel,
            Self::Request(..) | Self::Requests(_) => On::ReadRequests,
            Self::Schedule(..) | Self::Schedules(_) => On::ReadSchedules,
            Self::Instance(..) | Self::Instances(_) => On::ReadInstances,
            Self::PolicyAssignments | Self::PolicyRules(_) => On::ReadPolicies,
            Self::Unknown => On::Any,
        }
    }

    /// Whether it changes something.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::CreateRequest(_) | Self::CancelRequest(..) | Self::RevokeSessions(_))
    }
}

pub(super) fn removes(body: &Bytes) -> bool {
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| body["action"].as_str().map(|action| action.eq_ignore_ascii_case("adminRemove")))
        .unwrap_or(false)
}
