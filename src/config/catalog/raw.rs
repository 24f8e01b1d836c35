//! The catalog file as written; see [`crate::config`] for why nothing is required here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::raw::Section,
    domain::{entitlement::PrincipalKind, target::AssignmentKind},
};

/// What may be granted: the reviewed catalog.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "catalog.toml")]
pub(in crate::config) struct CatalogFile {
    /// The entitlements by key, as tickets name them.
    #[serde(default)]
    pub(super) entitlements: BTreeMap<String, Section<Entry>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its title, unique in the catalog; tickets may name it instead of the key.
    pub(super) title: Option<String>,
    /// What it gives.
    pub(super) target: Option<Section<Target>>,
    /// `active` (the default), or `eligible`: the holder activates it in PIM and meets its demands then.
    pub(super) assignment: Option<AssignmentKind>,
    /// Shorter requests are refused. Default `PT5M`, the shortest possible.
    pub(super) min_duration: Option<String>,
    /// Longer requests are cut to this; at most `PT24H`.
    pub(super) max_duration: Option<String>,
    /// How many approvers must count. Default 1, for protected entitlements 2.
    #[schemars(range(min = 1, max = 10))]
    pub(super) approvers: Option<u8>,
    /// Whether every approver must be matched to exactly one Entra user. Tier-0 roles must say true.
    pub(super) protected: Option<bool>,
    /// Approvers must be members of this group.
    #[schemars(extend("format" = "uuid"))]
    pub(super) approver_group: Option<String>,
    /// Who may receive it; everybody when absent.
    pub(super) requesters: Option<Section<Requesters>>,
    /// Kinds of principal allowed besides enabled members.
    pub(super) allow: Option<Vec<PrincipalKind>>,
    /// At most so many grants an hour.
    #[schemars(range(min = 1))]
    pub(super) per_hour: Option<u32>,
    /// Whether an early end also revokes the sign-in sessions of who held it. Default false.
    pub(super) revoke_sessions: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct Target {
    /// What kind of thing is given.
    pub(super) kind: Option<String>,
    /// The keys of that kind.
    #[serde(flatten)]
    #[schemars(skip)]
    pub(super) keys: BTreeMap<String, toml::Value>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Requesters {
    /// Object ids of groups; the principal must be in one of them.
    pub(super) any_of_groups: Option<Vec<String>>,
}
