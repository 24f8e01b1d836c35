//! Application permissions by name and app role id (`contracts/graph.md` §9.4): which stint needs, and which it may carry.

use uuid::{Uuid, uuid};

/// One application permission of Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Its name.
    pub name: &'static str,
    /// The id of its app role, the same everywhere.
    pub id: Uuid,
}

/// What assigning on one of PIM's surfaces needs.
#[derive(Clone, Copy, Debug)]
pub struct Permissions {
    /// To ask for assignments, and to read what was asked for.
    pub write: Permission,
    /// To remove them only; [`Permissions::write`] where there is none.
    pub remove: Permission,
    /// To read PIM's policy.
    pub policy: Permission,
    /// What else its targets are read with: of each list any one is enough, and the first one asks for least.
    pub further: &'static [&'static [Permission]],
}

/// An application permission that was consented to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consented {
    /// The app role's id.
    pub id: Uuid,
    /// Whose permission it is, such as `Microsoft Graph`.
    pub resource: String,
}

const fn permission(name: &'static str, id: Uuid) -> Permission {
    Permission { name, id }
}

pub(super) const ROLE_WRITE: Permission =
    permission("RoleAssignmentSchedule.ReadWrite.Directory", uuid!("dd199f4a-f148-40a4-a2ec-f0069cc799ec"));
pub(super) const ROLE_REMOVE: Permission =
    permission("RoleAssignmentSchedule.Remove.Directory", uuid!("d3495511-98b7-4df3-b317-4e35c19f6129"));
pub(super) const ELIGIBLE_WRITE: Permission =
    permission("RoleEligibilitySchedule.ReadWrite.Directory", uuid!("fee28b28-e1f3-4841-818e-2704dc62245f"));
pub(super) const GROUP_WRITE: Permission =
    permission("PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup", uuid!("41202f2c-f7ab-45be-b001-85c9728b9d69"));
pub(super) const GROUP_REMOVE: Permission =
    permission("PrivilegedAssignmentSchedule.Remove.AzureADGroup", uuid!("55d1104b-3821-413d-b3ca-e2393d333cd3"));
pub(super) const GROUP_ELIGIBLE_WRITE: Permission =
    permission("PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup", uuid!("618b6020-bca8-4de6-99f6-ef445fa4d857"));
pub(super) const ROLE_POLICY: Permission =
    permission("RoleManagement.Read.Directory", uuid!("483bed4a-2ad3-4361-a73b-c83ccdbdc53c"));
pub(super) const GROUP_POLICY: Permission =
    permission("RoleManagementPolicy.Read.AzureADGroup", uuid!("69e67828-780e-47fd-b28c-7b27d14864e6"));

/// To read users.
pub const USERS: Permission = permission("User.Read.All", uuid!("df021288-bdef-4463-88db-98f22de89214"));
/// To revoke sign-in sessions.
pub const SESSIONS: Permission = permission("User.RevokeSessions.All", uuid!("77f3a031-c388-4f99-b373-dc68676a979e"));
/// To read groups and who is in them.
pub const GROUP_MEMBERS: Permission = permission("GroupMember.Read.All", uuid!("98830695-27a2-44f7-8c18-0c3ebc9698f6"));
/// The same, and more about groups.
pub const GROUPS: Permission = permission("Group.Read.All", uuid!("5b567255-7703-4780-807c-7be8301ae99b"));
/// To read service principals, and what was consented to for them.
pub const APPLICATIONS: Permission = permission("Application.Read.All", uuid!("9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"));
/// To read administrative units.
pub const UNITS: Permission = permission("AdministrativeUnit.Read.All", uuid!("134fd756-38ce-4afd-ba33-e9623dbe66c2"));
/// To read the whole directory.
pub const DIRECTORY: Permission = permission("Directory.Read.All", uuid!("7ab1d382-f21e-4acd-a863-ba3e13f7da61"));
/// To assign any directory role, outside PIM too.
pub const ALL_ROLES: Permission =
    permission("RoleManagement.ReadWrite.Directory", uuid!("9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"));

/// To read a group and who is in it.
pub const OF_GROUPS: &[Permission] = &[GROUP_MEMBERS, GROUPS, DIRECTORY];
/// To read an administrative unit.
pub(super) const OF_UNITS: &[Permission] = &[UNITS, DIRECTORY];
/// To read a role's definition.
pub(super) const OF_ROLES: &[Permission] = &[ROLE_POLICY];
/// To read an object of any kind.
pub(super) const OF_OBJECTS: &[Permission] = &[DIRECTORY];

/// What may help and can change nothing.
const HARMLESS: [Permission; 6] = [
    permission("RoleAssignmentSchedule.Read.Directory", uuid!("d5fe8ce8-684c-4c83-a52c-46e882ce4be1")),
    APPLICATIONS,
    UNITS,
    permission("AuditLog.Read.All", uuid!("b0afded3-3588-46d8-8b3d-9842eff778da")),
    permission("RoleManagementAlert.Read.Directory", uuid!("ef31918f-2d50-4755-8943-b8638c0a077e")),
    DIRECTORY,
];

/// Every permission known here.
const KNOWN: [Permission; 13] = [
    ROLE_WRITE,
    ROLE_REMOVE,
    ELIGIBLE_WRITE,
    GROUP_WRITE,
    GROUP_REMOVE,
    GROUP_ELIGIBLE_WRITE,
    ROLE_POLICY,
    GROUP_POLICY,
    USERS,
    SESSIONS,
    GROUP_MEMBERS,
    GROUPS,
    ALL_ROLES,
];

/// The name of a permission that is known here.
#[must_use]
pub fn name_of(id: Uuid) -> Option<&'static str> {
    let known = KNOWN.iter().chain(&HARMLESS).find(|known| known.id == id);
    known.map(|known| known.name)
}

/// Whether it can change nothing, and so never is too much.
#[must_use]
pub fn is_harmless(id: Uuid) -> bool {
    HARMLESS.iter().any(|known| known.id == id)
}
