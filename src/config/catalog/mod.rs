//! The catalog file: what may be granted, and within which limits.
//!
//! It is kept and reviewed in Git, so its version is the digest of its bytes: every decision names the version it was
//! made by. Its faults are told together with those of the configuration that names it.

mod raw;
mod tier0;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

pub(super) use self::raw::CatalogFile;
use super::{
    place::{Document, Place},
    raw::Section,
    section,
    server::GUID,
    tenant::{NAME, is_name},
    tree,
};
use crate::domain::{
    duration::{Duration, GRANTABLE},
    entitlement::{Catalog, Entitlement, Target},
    id::{EntitlementKey, ObjectId},
};

/// The catalog in the file named here.
pub(super) fn load(at: &Place, path: Option<String>) -> Option<Catalog> {
    let path = at.required(path, "the path of a catalog file such as catalog.toml")?;
    let bytes = at.file(&path)?;
    let path = at.path(&path);
    let document = Document::new(path.display().to_string(), path.parent().unwrap_or(&path));
    let catalog = check(&document, &bytes);
    at.document.absorb(document);
    catalog
}

fn check(document: &Document, bytes: &[u8]) -> Option<Catalog> {
    let text = std::str::from_utf8(bytes).ok();
    document.root().hold(text.is_some(), (), "UTF-8 text");
    let tree = tree::parse(document, text?)?;
    let raw: CatalogFile = tree::read(document, tree);
    let at = document.root().down("entitlements");
    if raw.entitlements.is_empty() {
        at.fault("is missing; describe at least one entitlement under [entitlements.<key>]");
    }
    check_titles(&at, &raw.entitlements);
    let count = raw.entitlements.len();
    let entries = raw.entitlements.into_iter();
    let entries: BTreeMap<_, _> = entries
        .filter_map(|(key, Section(entry))| entitlement(&at.down(&key), key, entry))
        .map(|entitlement| (entitlement.key.clone(), entitlement))
        .collect();
    (entries.len() == count)
        .then(|| Catalog { version: format!("sha256:{}", hex::encode(digest(&SHA256, bytes))), entitlements: entries })
}

/// Faults a title that could also mean another entry: tickets name either key or title.
fn check_titles(at: &Place, entries: &BTreeMap<String, Section<raw::Entry>>) {
    let mut titles = BTreeMap::new();
    for (key, Section(entry)) in entries {
        let Some(title) = &entry.title else { continue };
        let here = at.down(key).down("title");
        if let Some(other) = titles.insert(title, key) {
            here.fault(format!("is the title of {other:?} already; titles are unique"));
        }
        here.hold(title == key || !entries.contains_key(title), (), "free: it is another entitlement's key");
    }
}

fn entitlement(at: &Place, key: String, raw: raw::Entry) -> Option<Entitlement> {
    let named = at.hold(is_name(&key), (), NAME);
    let title = title(&at.down("title"), raw.title);
    let target = target(&at.down("target"), section(raw.target));
    let limits = limits(at, raw.min_duration, raw.max_duration);
    let approval = approval(at, target.as_ref(), raw.protected, raw.approvers);
    let approver_group = at.down("approver_group").optional(raw.approver_group, object_id);
    let requester_groups = requester_groups(&at.down("requesters"), raw.requesters);
    let per_hour = at.down("per_hour");
    let per_hour = per_hour.hold(raw.per_hour != Some(0), raw.per_hour, "at least 1; leave it out for no limit");
    if let Some(raw::Assignment::Eligible) = raw.assignment {
        at.down("assignment").unavailable("eligible", "active");
    }
    if raw.revoke_sessions == Some(true) {
        at.down("revoke_sessions").unavailable("true", "false");
    }
    let ((min_duration, max_duration), (protected, approvers)) = (limits?, approval?);
    named?;
    Some(Entitlement {
        key: EntitlementKey::new(key),
        title: title?,
        target: target?,
        min_duration,
        max_duration,
        approvers,
        protected,
        approver_group: approver_group.ok()?,
        requester_groups: requester_groups?,
        allow: raw.allow.unwrap_or_default(),
        per_hour: per_hour?,
    })
}

fn object_id(at: &Place, id: String) -> Option<ObjectId> {
    at.parsed(Some(id), GUID)
}

/// Ticket fields are compared trimmed, so a title with spaces around it would never be found.
fn title(at: &Place, title: Option<String>) -> Option<String> {
    let title = at.text(title, "a title such as \"Exchange Administrator\"")?;
    let trimmed = title.trim() == title && title.chars().count() <= 200;
    at.hold(trimmed, title, "a title of at most 200 characters without spaces around it")
}

fn target(at: &Place, raw: raw::Target) -> Option<Target> {
    match at.down("kind").required(raw.kind, "directory-role")? {
        raw::TargetKind::Group => {
            at.down("kind").unavailable("group", "directory-role");
            None
        }
        raw::TargetKind::DirectoryRole => {
            let other = "has no meaning beside kind = \"directory-role\"";
            at.unused("group", raw.group.as_ref(), other);
            at.unused("access", raw.access.as_ref(), other);
            let role = at.down("role").parsed(raw.role, GUID);
            let scope = scope(&at.down("scope"), raw.scope.unwrap_or_else(|| "/".into()));
            Some(Target::DirectoryRole { role: role?, scope: scope? })
        }
    }
}

/// `/`, or a GUID behind `/` or `/administrativeUnits/`; in Graph's own spelling, since it is compared byte for byte.
fn scope(at: &Place, scope: String) -> Option<String> {
    let id = scope.strip_prefix("/administrativeUnits/").or(scope.strip_prefix('/'));
    let is_guid = |id: &str| id.parse().is_ok_and(|guid: Uuid| guid.to_string() == id);
    let good = scope == "/" || id.is_some_and(is_guid);
    at.hold(good, scope, "/, /administrativeUnits/{id} or /{object id}, the id a lower-case GUID")
}

fn limits(at: &Place, min: Option<String>, max: Option<String>) -> Option<(Duration, Duration)> {
    let wanted = "a duration from PT5M to PT24H such as PT8H";
    let within = |here: &Place, duration: Duration| here.hold(GRANTABLE.contains(&duration), duration, wanted);
    let (at_min, at_max) = (at.down("min_duration"), at.down("max_duration"));
    let min = at_min.parsed_or(min, *GRANTABLE.start(), wanted);
    let min = min.and_then(|min| within(&at_min, min));
    let max = at_max.parsed(max, wanted).and_then(|max| within(&at_max, max));
    let (min, max) = (min?, max?);
    at_min.hold(min <= max, (min, max), "at most max_duration")
}

fn approval(at: &Place, target: Option<&Target>, protected: Option<bool>, approvers: Option<u8>) -> Option<(bool, u8)> {
    let protected = protected.unwrap_or(false);
    let tier0 = target.and_then(|Target::DirectoryRole { role, .. }| tier0::name(*role));
    if let Some(name) = tier0.filter(|_| !protected) {
        at.down("protected").fault(format!("must be true: {name} is a tier-0 role"));
    }
    let least = if protected { 2 } else { 1 };
    let wanted = if protected { "from 2 to 10: a protected entitlement needs two" } else { "from 1 to 10" };
    let approvers = approvers.unwrap_or(least);
    at.down("approvers").hold((least..=10).contains(&approvers), (protected, approvers), wanted)
}

/// A restriction that names no group would read like one and be none.
fn requester_groups(at: &Place, raw: Option<Section<raw::Requesters>>) -> Option<Vec<ObjectId>> {
    let Some(Section(raw)) = raw else {
        return Some(vec![]);
    };
    let at = at.down("any_of_groups");
    let groups = at.required(raw.any_of_groups, "a list of group object ids, or leave requesters out")?;
    let groups = at.hold(!groups.is_empty(), groups, "a list with at least one group; or leave requesters out")?;
    at.each(groups, object_id)
}
