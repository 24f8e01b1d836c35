//! What may be granted, and within which limits: the reviewed catalog.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    duration::Duration,
    id::{EntitlementKey, ObjectId},
    target::Target,
};

/// A kind of principal that is refused unless the entitlement allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// An invited user of another directory.
    Guest,
    /// An application's identity.
    ServicePrincipal,
    /// A role-assignable group.
    Group,
}

impl PrincipalKind {
    /// Kinds that are no users.
    pub const NO_USERS: [Self; 2] = [Self::ServicePrincipal, Self::Group];
}

/// One catalog entry: a named thing that may be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Its key in the catalog.
    pub key: EntitlementKey,
    /// Its title, unique in the catalog.
    pub title: String,
    /// What it gives.
    pub target: Target,
    /// Shorter requests are refused.
    pub min_duration: Duration,
    /// Longer requests are cut to this.
    pub max_duration: Duration,
    /// How many approvers must count.
    pub approvers: u8,
    /// Tier-0: every approver must be matched to exactly one Entra user.
    pub protected: bool,
    /// Approvers must be members of this group, where one is set.
    pub approver_group: Option<ObjectId>,
    /// The principal must be in one of these groups; empty: no restriction.
    pub requester_groups: Vec<ObjectId>,
    /// Kinds of principal allowed besides enabled members.
    pub allow: Vec<PrincipalKind>,
    /// At most so many grants an hour.
    pub per_hour: Option<u32>,
    /// Whether an early end also revokes the principal's sign-in sessions.
    pub revoke_sessions: bool,
}

/// The reviewed list of entitlements of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// Digest of the catalog file's bytes, `sha256:<hex>`.
    pub version: String,
    /// The entries by key.
    pub entitlements: BTreeMap<EntitlementKey, Entitlement>,
}

impl Catalog {
    /// The entry whose key or exact title this is. Titles are unique, and none equals another entry's key.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entitlement> {
        self.entitlements
            .get(&EntitlementKey::new(name))
            .or_else(|| self.entitlements.values().find(|e| e.title == name))
    }
}
