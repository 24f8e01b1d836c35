//! Which application permissions an identity carries too few of, and which too many (`contracts/graph.md` §9.4).

use super::report::Said;
use crate::{
    domain::entitlement::{Catalog, Entitlement, PrincipalKind},
    graph::{
        permission::{
            ALL_ROLES, APPLICATIONS, Consented, DIRECTORY, OF_GROUPS, Permission, Permissions, SESSIONS, USERS,
            is_harmless, name_of,
        },
        permissions_for,
    },
};

/// Something an identity must be able to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    /// Any of these is enough, and the first one asks for least.
    any_of: Vec<Permission>,
    /// Enough as well, but too much: it can do more than is needed.
    more: Vec<Permission>,
    /// Adds nothing to what is needed, so it may stay.
    covered: Vec<Permission>,
}

impl Need {
    fn any_of(any_of: &[Permission]) -> Self {
        Self { any_of: any_of.to_vec(), ..Self::default() }
    }

    /// To assign covers to remove.
    fn to_assign(of: &Permissions) -> Self {
        Self { covered: vec![of.remove], ..Self::any_of(&[of.write]) }
    }

    /// Where PIM has no permission that can only remove, the one to assign is all there is.
    fn to_remove(of: &Permissions) -> Self {
        let more = if of.remove == of.write { vec![] } else { vec![of.write] };
        Self { more, ..Self::any_of(&[of.remove]) }
    }

    fn is_met(&self, held: &[Consented]) -> bool {
        let has = |permission: &Permission| held.iter().any(|consented| consented.id == permission.id);
        self.any_of.iter().chain(&self.more).any(has)
    }

    fn asks_for(&self, consented: &Consented) -> bool {
        self.any_of.iter().chain(&self.covered).any(|permission| permission.id == consented.id)
    }
}

/// What the identity that assigns needs for this catalog.
pub(super) fn to_assign(catalog: &Catalog) -> Vec<Need> {
    let mut needs = vec![Need::any_of(&[USERS, DIRECTORY])];
    for entitlement in catalog.entitlements.values() {
        if let Ok(permissions) = permissions_for(&entitlement.target) {
            needs.extend([Need::to_assign(&permissions), Need::any_of(&[permissions.policy])]);
            needs.extend(permissions.further.iter().map(|any_of| Need::any_of(any_of)));
        }
        needs.extend(of_people(entitlement));
    }
    needs
}

/// What an identity needs that only removes.
pub(super) fn to_remove(catalog: &Catalog) -> Vec<Need> {
    let targets = catalog.entitlements.values().map(|entitlement| permissions_for(&entitlement.target));
    targets.flatten().map(|permissions| Need::to_remove(&permissions)).collect()
}

/// What an entitlement asks about whoever receives it or approves it, and does to them.
fn of_people(entitlement: &Entitlement) -> Vec<Need> {
    let allows = |kind| entitlement.allow.contains(&kind);
    let of_groups = allows(PrincipalKind::Group)
        || entitlement.approver_group.is_some()
        || !entitlement.requester_groups.is_empty();
    let needs = [
        of_groups.then(|| Need::any_of(OF_GROUPS)),
        allows(PrincipalKind::ServicePrincipal).then(|| Need::any_of(&[APPLICATIONS, DIRECTORY])),
        entitlement.revoke_sessions.then(|| Need::any_of(&[SESSIONS])),
    ];
    needs.into_iter().flatten().collect()
}

/// What is missing, and what is more than needed.
pub(super) fn compare(needs: &[Need], held: &[Consented]) -> Vec<Said> {
    let mut said = Vec::new();
    for need in needs.iter().filter(|need| !need.is_met(held)) {
        let line = Said::fail(format!("lacks {}: consent to it as an application permission", names(&need.any_of)));
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said.extend(held.iter().filter_map(|consented| too_much(needs, consented)));
    if said.is_empty() { vec![Said::ok("carries what this configuration needs, and no more")] } else { said }
}

/// Permissions any of which is enough, in words.
pub(super) fn names(any_of: &[Permission]) -> String {
    let names: Vec<_> = any_of.iter().map(|permission| permission.name).collect();
    names.join(" or ")
}

fn too_much(needs: &[Need], consented: &Consented) -> Option<Said> {
    if needs.iter().any(|need| need.asks_for(consented)) || is_harmless(consented.id) {
        return None;
    }
    let name = name_of(consented.id).map_or_else(|| consented.id.to_string(), str::to_owned);
    let instead = needs.iter().find(|need| need.more.iter().any(|more| more.id == consented.id));
    let why = match instead {
        Some(need) => format!("it can assign too, where {} is enough", names(&need.any_of)),
        None if consented.id == ALL_ROLES.id => "it can assign any role, outside PIM too".to_owned(),
        None => "nothing here needs it".to_owned(),
    };
    Some(Said::warn(format!("carries {name} of {}: {why}; take the consent back", consented.resource)))
}
