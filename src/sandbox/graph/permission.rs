//! Which application may do what, and whether the tenant has paid for it (`contracts/graph.md §6.1, §9.4`).
//!
//! An application that nobody has limited may do everything.

use super::Asked;
use super::object::Among;
use super::query::Query;
use super::refusal::Refusal;
use super::route::{Route, removes};
use super::state::{State, Tenant};
use super::surface::Surface;

/// The app role id of every permission that is told apart here.
pub(super) const APP_ROLES: [(&str, &str); 22] = [
    ("RoleAssignmentSchedule.ReadWrite.Directory", "dd199f4a-f148-40a4-a2ec-f0069cc799ec"),
    ("RoleAssignmentSchedule.Remove.Directory", "d3495511-98b7-4df3-b317-4e35c19f6129"),
    ("RoleAssignmentSchedule.Read.Directory", "d5fe8ce8-684c-4c83-a52c-46e882ce4be1"),
    ("RoleEligibilitySchedule.ReadWrite.Directory", "fee28b28-e1f3-4841-818e-2704dc62245f"),
    ("RoleEligibilitySchedule.Read.Directory", "ff278e11-4a33-4d0c-83d2-d01dc58929a5"),
    ("PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup", "41202f2c-f7ab-45be-b001-85c9728b9d69"),
    ("PrivilegedAssignmentSchedule.Remove.AzureADGroup", "55d1104b-3821-413d-b3ca-e2393d333cd3"),
    ("PrivilegedAssignmentSchedule.Read.AzureADGroup", "cd4161cb-f098-48f8-a884-1eda9a42434c"),
    ("PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup", "618b6020-bca8-4de6-99f6-ef445fa4d857"),
    ("PrivilegedEligibilitySchedule.Read.AzureADGroup", "edb419d6-7edc-42a3-9345-509bfdf5d87c"),
    ("RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c"),
    ("RoleManagement.ReadWrite.Directory", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"),
    ("RoleManagementPolicy.Read.AzureADGroup", "69e67828-780e-47fd-b28c-7b27d14864e6"),
    ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214"),
    ("User.RevokeSessions.All", "77f3a031-c388-4f99-b373-dc68676a979e"),
    ("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6"),
    ("Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b"),
    ("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    ("AdministrativeUnit.Read.All", "134fd756-38ce-4afd-ba33-e9623dbe66c2"),
    ("Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
    ("AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da"),
    ("RoleManagementAlert.Read.Directory", "ef31918f-2d50-4755-8943-b8638c0a077e"),
];

const ALL_OF_ROLES: &str = "RoleManagement.ReadWrite.Directory";

/// What one call needs: any of these names.
struct Need {
    any_of: Vec<String>,
    /// Directory objects are refused in other words than PIM's.
    of_directory: bool,
}

impl State {
    /// Permission first, then the licence.
    pub(super) fn admit(&mut self, route: &Route, asked: &Asked) -> Result<(), Refusal> {
        let tenant = self.tenant(asked.caller.tenant);
        for need in needs(route, asked) {
            let names: Vec<&str> = need.any_of.iter().map(String::as_str).collect();
            if !tenant.permits(&asked.caller.client_id, &names) {
                return Err(if need.of_directory { Refusal::denied() } else { Refusal::scope_missing(&names) });
            }
        }
        if tenant.unlicensed && is_of_pim(route) { Err(Refusal::unlicensed()) } else { Ok(()) }
    }
}

impl Tenant {
    /// Whether the application holds any of the permissions.
    pub(super) fn permits(&self, client_id: &str, any_of: &[&str]) -> bool {
        let held = self.permissions.get(&client_id.to_ascii_lowercase());
        held.is_none_or(|held| any_of.iter().any(|name| held.contains(*name)))
    }
}

fn is_of_pim(route: &Route) -> bool {
    surface_of(route).is_some() || matches!(route, Route::PolicyAssignments | Route::PolicyRules(_))
}

fn surface_of(route: &Route) -> Option<Surface> {
    match route {
        Route::CreateRequest(surface)
        | Route::CancelRequest(surface, _)
        | Route::Request(surface, _)
        | Route::Requests(surface)
        | Route::Schedule(surface, _)
        | Route::Schedules(surface)
        | Route::Instance(surface, _)
        | Route::Instances(surface) => Some(*surface),
        _ => None,
    }
}

fn needs(route: &Route, asked: &Asked) -> Vec<Need> {
    if let Some(surface) = surface_of(route) {
        return vec![Need { any_of: schedule_permissions(route, surface, asked), of_directory: false }];
    }
    let groups = ["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"];
    match route {
        Route::User(_) | Route::Users => vec![directory(&["User.Read.All", "Directory.Read.All"])],
        Route::CheckMemberGroups(Among::Users, _) => {
            vec![directory(&["User.Read.All", "Directory.Read.All"]), directory(&groups)]
        }
        Route::CheckMemberGroups(Among::ServicePrincipals, _) => {
            vec![directory(&["Application.Read.All", "Directory.Read.All"]), directory(&groups)]
        }
        Route::AdministrativeUnit(_) => vec![directory(&["AdministrativeUnit.Read.All", "Directory.Read.All"])],
        Route::DirectoryObject(_) => vec![directory(&["Directory.Read.All"])],
        Route::RevokeSessions(_) => vec![directory(&["User.RevokeSessions.All"])],
        Route::Group(_) | Route::CheckMemberGroups(Among::Groups, _) => vec![directory(&groups)],
        Route::ServicePrincipal(_) | Route::AppRoleAssignments(_) => {
            vec![directory(&["Application.Read.All", "Directory.Read.All"])]
        }
        Route::PolicyAssignments if asks_for_groups(asked) => vec![pim(&["RoleManagementPolicy.Read.AzureADGroup"])],
        Route::PolicyRules(id) if id.starts_with("Group_") => vec![pim(&["RoleManagementPolicy.Read.AzureADGroup"])],
        Route::RoleDefinition(_) | Route::RoleDefinitions | Route::PolicyAssignments | Route::PolicyRules(_) => {
            vec![pim(&["RoleManagement.Read.Directory", ALL_OF_ROLES])]
        }
        _ => Vec::new(),
    }
}

/// Requests need `ReadWrite` even to be read; a removal may be had for less, schedules and instances as well.
fn schedule_permissions(route: &Route, surface: Surface, asked: &Asked) -> Vec<String> {
    let name = |verb: &str| match surface {
        Surface::RoleAssignment => format!("RoleAssignmentSchedule.{verb}.Directory"),
        Surface::RoleEligibility => format!("RoleEligibilitySchedule.{verb}.Directory"),
        Surface::GroupAssignment => format!("PrivilegedAssignmentSchedule.{verb}.AzureADGroup"),
        Surface::GroupEligibility => format!("PrivilegedEligibilitySchedule.{verb}.AzureADGroup"),
    };
    let lesser = match route {
        Route::CreateRequest(_) if removes(asked.request.body()) => Some(name("Remove")),
        Route::Schedule(..) | Route::Schedules(_) | Route::Instance(..) | Route::Instances(_) => Some(name("Read")),
        _ => None,
    };
    let most = (!surface.is_of_groups()).then(|| ALL_OF_ROLES.to_owned());
    lesser.into_iter().chain([name("ReadWrite")]).chain(most).collect()
}

fn asks_for_groups(asked: &Asked) -> bool {
    let query = Query::of(asked.request.uri());
    query.is_ok_and(|query| query.wanted("scopeType").is_some_and(|kind| kind.eq_ignore_ascii_case("Group")))
}

fn pim(any_of: &[&str]) -> Need {
    Need { any_of: any_of.iter().map(|&name| name.to_owned()).collect(), of_directory: false }
}

fn directory(any_of: &[&str]) -> Need {
    Need { of_directory: true, ..pim(any_of) }
}
