//! Which application permissions an identity carries too few of, and which too many (`contracts/graph.md` §9.4).

use super::report::Said;
use crate::{
    domain::entitlement::Catalog,
    graph::{
        permission::{
            ALL_ROLES, Consented, DIRECTORY, GROUP_MEMBERS, GROUPS, Permission, SESSIONS, USERS, is_harmless, name_of,
        },
        permissions_for,
    },
};

/// Something an identity must be able to do: any of these permissions is enough, the first one asks for least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need(Vec<Permission>);

/// What the identity that assigns needs for this catalog.
pub(super) fn to_assign(catalog: &Catalog) -> Vec<Need> {
    let mut needs = vec![Need(vec![USERS, DIRECTORY])];
    for entitlement in catalog.entitlements.values() {
        if let Ok(permissions) = permissions_for(&entitlement.target) {
            needs.extend([Need(vec![permissions.write]), Need(vec![permissions.policy])]);
        }
        let of_group = entitlement.target.kind == "group";
        if of_group || entitlement.approver_group.is_some() || !entitlement.requester_groups.is_empty() {
            needs.push(Need(vec![GROUP_MEMBERS, GROUPS, DIRECTORY]));
        }
        if entitlement.revoke_sessions {
            needs.push(Need(vec![SESSIONS]));
        }
    }
    needs
}

/// What is missing, and what is more than needed.
pub(super) fn compare(needs: &[Need], held: &[Consented]) -> Vec<Said> {
    let has = |permission: &Permission| held.iter().any(|consented| consented.id == permission.id);
    let mut said = Vec::new();
    for Need(any_of) in needs.iter().filter(|need| !need.0.iter().any(has)) {
        let names: Vec<_> = any_of.iter().map(|permission| permission.name).collect();
        let line = Said::fail(format!("lacks {}: consent to it as an application permission", names.join(" or ")));
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said.extend(held.iter().filter(|consented| is_too_much(needs, consented)).map(too_much));
    if said.is_empty() { vec![Said::ok("carries what this configuration needs, and no more")] } else { said }
}

fn is_too_much(needs: &[Need], consented: &Consented) -> bool {
    let needed = needs.iter().any(|need| need.0.iter().any(|permission| permission.id == consented.id));
    !needed && !is_harmless(consented.id)
}

fn too_much(consented: &Consented) -> Said {
    let name = name_of(consented.id).map_or_else(|| consented.id.to_string(), str::to_owned);
    let why =
        if consented.id == ALL_ROLES.id { "it can assign any role, outside PIM too" } else { "nothing here needs it" };
    Said::warn(format!("carries {name} of {}: {why}; take the consent back", consented.resource))
}
