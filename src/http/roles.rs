//! What a caller may see and do, by the app roles in its token: for every tenant, or for the one a role names.

use std::collections::BTreeSet;

use crate::domain::id::TenantName;

/// stint's roles in a token. Other roles are nothing to stint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    auditor: Visible,
    operator: Visible,
    requester: bool,
}

/// Which tenants a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Every one.
    All,
    /// These.
    Some(BTreeSet<TenantName>),
}

impl Default for Visible {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Roles {
    /// Reads role names: `Stint.Auditor` for every tenant, `Stint.Auditor.contoso` for one.
    pub(super) fn read<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut roles = Self::default();
        for name in names {
            // A dot with nothing behind it names no tenant, least of all every one.
            let Some(role) = name.strip_prefix("Stint.").filter(|role| !role.ends_with('.')) else { continue };
            match role.split_once('.').map_or((role, None), |(role, tenant)| (role, Some(tenant))) {
                ("Auditor", tenant) => roles.auditor.add(tenant),
                ("Operator", tenant) => roles.operator.add(tenant),
                ("Requester", None) => roles.requester = true,
                _ => {}
            }
        }
        roles
    }

    /// The tenants whose history the caller may read: auditors and operators alike.
    #[must_use]
    pub fn tenants_visible(&self) -> Visible {
        match (&self.auditor, &self.operator) {
            (Visible::Some(auditor), Visible::Some(operator)) => {
                Visible::Some(auditor.union(operator).cloned().collect())
            }
            _ => Visible::All,
        }
    }

    /// The tenants on whose requests the caller may act.
    #[must_use]
    pub fn tenants_operated(&self) -> &Visible {
        &self.operator
    }

    /// Whether the caller may read this tenant's history.
    #[must_use]
    pub fn is_auditor_for(&self, tenant: &TenantName) -> bool {
        self.auditor.covers(tenant) || self.operator.covers(tenant)
    }

    /// Whether the caller may act on this tenant's requests.
    #[must_use]
    pub fn is_operator_for(&self, tenant: &TenantName) -> bool {
        self.operator.covers(tenant)
    }

    /// Whether the caller may read requests made for themselves.
    #[must_use]
    pub fn is_requester(&self) -> bool {
        self.requester
    }
}

impl Visible {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this tenant is among them.
    #[must_use]
    pub fn covers(&self, tenant: &TenantName) -> bool {
        match self {
            Self::All => true,
            Self::Some(tenants) => tenants.contains(tenant),
        }
    }

    /// Adds one tenant, or every one.
    fn add(&mut self, tenant: Option<&str>) {
        match (tenant, self) {
            (None, all) => *all = Self::All,
            (Some(_), Self::All) => {}
            (Some(tenant), Self::Some(tenants)) => {
                tenants.insert(TenantName::new(tenant));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(names: &[&str]) -> Visible {
        Roles::read(names.iter().copied()).tenants_visible()
    }

    #[test]
    fn a_role_counts_for_every_tenant_or_for_the_one_it_names() {
        let contoso = || Visible::Some([TenantName::new("contoso")].into());
        assert_eq!(visible(&["Stint.Auditor"]), Visible::All);
        assert_eq!(visible(&["Stint.Operator"]), Visible::All);
        assert_eq!(visible(&["Stint.Auditor.contoso"]), contoso());
        assert_eq!(visible(&["Stint.Auditor.contoso", "Stint.Operator.contoso"]), contoso());
        assert_eq!(visible(&["Stint.Auditor.contoso", "Stint.Auditor"]), Visible::All);
    }

    #[test]
    fn other_names_are_no_roles_of_stint() {
        for name in [
            "Auditor",
            "stint.auditor",
            "Stint.",
            "Stint.Auditors",
            "Stint.Requester.contoso",
            "",
            "Stint.Auditor.",
            "Stint.Operator.",
        ] {
            assert_eq!(Roles::read([name].into_iter()), Roles::default(), "{name}");
        }
    }

    #[test]
    fn reading_is_not_acting() {
        let contoso = TenantName::new("contoso");
        let roles = |name| Roles::read([name].into_iter());
        assert!(roles("Stint.Auditor").is_auditor_for(&contoso) && !roles("Stint.Auditor").is_operator_for(&contoso));
        let operator = roles("Stint.Operator.contoso");
        assert!(operator.is_auditor_for(&contoso) && operator.is_operator_for(&contoso));
        let elsewhere = roles("Stint.Operator.fabrikam");
        assert!(!elsewhere.is_auditor_for(&contoso) && !elsewhere.is_operator_for(&contoso));
    }
}
