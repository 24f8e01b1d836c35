//! The catalog file: what may be granted, and within which limits.
//!
//! It is kept and reviewed in Git, so its version is the digest of its bytes: every decision names the version it was
//! made by. Its faults are told together with those of the configuration that names it.

mod raw;
mod target;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};

pub(super) use self::{raw::CatalogFile, target::describe};
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
    entitlement::{Catalog, Entitlement},
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
    check_targets(&at, &entries);
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

/// Faults an entry that gives what another one gives: whoever may not have the one would ask for the other.
fn check_targets(at: &Place, entries: &BTreeMap<EntitlementKey, Entitlement>) {
    let mut targets = BTreeMap::new();
    for (key, entitlement) in entries {
        if let Some(other) = targets.insert(&entitlement.target, key) {
            let here = at.down(&key.to_string()).down("target");
            here.fault(format!("gives the same as {:?}; say it once", other.to_string()));
        }
    }
}

fn entitlement(at: &Place, key: String, raw: raw::Entry) -> Option<Entitlement> {
    let named = at.hold(is_name(&key), (), NAME);
    let title = title(&at.down("title"), raw.title);
    let target = target::target(&at.down("target"), section(raw.target), raw.assignment);
    let limits = limits(at, raw.min_duration, raw.max_duration);
    let tier0 = target.as_ref().and_then(|(target, kind)| (kind.tier0)(target));
    let approval = approval(at, tier0, raw.protected, raw.approvers);
    let approver_group = at.down("approver_group").optional(raw.approver_group, object_id);
    let requester_groups = requester_groups(&at.down("requesters"), raw.requesters);
    let per_hour = at.down("per_hour");
    let per_hour = per_hour.hold(raw.per_hour != Some(0), raw.per_hour, "at least 1; leave it out for no limit");
    let ((min_duration, max_duration), (protected, approvers)) = (limits?, approval?);
    named?;
    Some(Entitlement {
        key: EntitlementKey::new(key),
        title: title?,
        target: target?.0,
        min_duration,
        max_duration,
        approvers,
        protected,
        approver_group: approver_group.ok()?,
        requester_groups: requester_groups?,
        allow: raw.allow.unwrap_or_default(),
        per_hour: per_hour?,
        revoke_sessions: raw.revoke_sessions.unwrap_or(false),
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

fn approval(at: &Place, tier0: Option<&str>, protected: Option<bool>, approvers: Option<u8>) -> Option<(bool, u8)> {
    let protected = protected.unwrap_or(false);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    const EXCHANGE: &str = "entitlements.exchange-admin";
    const GLOBAL: &str = "entitlements.global-admin";

    fn fault_of(key: &str, value: &str) -> String {
        let fault = Sample::new().catalog(&format!("{EXCHANGE}.{key}"), value).fault();
        fault.trim_start_matches("entitlements.exchange-admin.").to_owned()
    }

    fn entry(sample: Sample, key: &str) -> Entitlement {
        let mut catalog = sample.good().tenants.remove(0).catalog;
        let entry = catalog.entitlements.remove(&EntitlementKey::new(key));
        entry.unwrap_or_else(|| panic!("{key} is there"))
    }

    #[test]
    fn an_entry_says_what_is_granted_and_within_which_limits() {
        let entry = entry(Sample::new(), "exchange-admin");
        let role = "29232cdf-9323-42fd-ade2-1d097af3e4de";
        assert_eq!(entry.title, "Exchange Administrator");
        assert_eq!(entry.target.to_string(), format!("directory-role {role} at /"));
        assert_eq!((entry.min_duration, entry.max_duration), (Duration::minutes(15), Duration::hours(8)));
        assert_eq!((entry.approvers, entry.protected, entry.per_hour), (1, false, None));
        assert!(entry.requester_groups.is_empty() && entry.allow.is_empty());
    }

    #[test]
    fn further_limits_are_carried() {
        let group = "00000000-0000-4000-8000-000000000011";
        let sample = Sample::new()
            .catalog(&format!("{EXCHANGE}.approver_group"), &format!("'{group}'"))
            .catalog(&format!("{EXCHANGE}.requesters"), &format!("{{ any_of_groups = ['{group}'] }}"))
            .catalog(&format!("{EXCHANGE}.allow"), "['guest']")
            .catalog(&format!("{EXCHANGE}.per_hour"), "4");
        let entry = entry(sample, "exchange-admin");
        assert_eq!(entry.approver_group.map(|id| id.to_string()).as_deref(), Some(group));
        assert_eq!((entry.requester_groups.len(), entry.allow.len(), entry.per_hour), (1, 1, Some(4)));
    }

    #[test]
    fn the_version_is_the_digest_of_the_files_bytes() {
        let document = Document::new("c", std::path::Path::new("."));
        let catalog = check(&document, include_bytes!("../../../config/sandbox-catalog.toml"));
        let version = catalog.map(|catalog| catalog.version).unwrap_or_default();
        let digest = hex::encode(digest(&SHA256, super::super::SANDBOX_CATALOG.as_bytes()));
        assert_eq!(version, format!("sha256:{digest}"));
        let other = Sample::new().catalog(&format!("{EXCHANGE}.approvers"), "3").good();
        assert_ne!(other.tenants[0].catalog.version, version);
    }

    #[test]
    fn everything_an_entry_needs_is_told_at_once() {
        let faults = Sample::new().catalog("entitlements.new", "{}").faults();
        let keys: Vec<_> =
            faults.iter().filter_map(|fault| fault.split_once(": is missing")).map(|(key, _)| key).collect();
        assert_eq!(keys, ["max_duration", "target.kind", "title"].map(|key| format!("entitlements.new.{key}")));
        let faults = Sample::new().catalog_without("entitlements").faults();
        assert!(faults[0].starts_with("entitlements: is missing"), "{faults:?}");
    }

    #[test]
    fn the_file_and_the_key_of_a_fault_are_named() {
        let faults = Sample::new().catalog(&format!("{EXCHANGE}.titel"), "'x'").parse();
        let told = faults.err().map(|faults| faults.to_string()).unwrap_or_default();
        assert!(
            told.contains("/sandbox-catalog.toml: entitlements.exchange-admin.titel: is not a known key"),
            "{told}"
        );
        let fault = Sample::new().set("tenants.contoso.catalog", "'gone.toml'").fault();
        assert!(fault.starts_with("tenants.contoso.catalog: cannot read "), "{fault}");
        let faults = Sample::new().file("bad.toml", "[entitlements\n").set("tenants.contoso.catalog", "'bad.toml'");
        let told = faults.parse().err().map(|faults| faults.to_string()).unwrap_or_default();
        assert!(told.contains("/bad.toml: line 1, column 14: "), "{told}");
    }

    #[test]
    fn titles_are_unique_and_no_other_entrys_key() {
        assert!(fault_of("title", "'Helpdesk Administrator'").contains("is the title of"));
        assert!(fault_of("title", "'helpdesk-admin'").starts_with("title: is not free"));
        Sample::new().catalog(&format!("{EXCHANGE}.title"), "'exchange-admin'").good();
        for title in ["''", "' Exchange'", "'  '", "\"a\\u0007\"", "\"a\\n\""] {
            assert!(fault_of("title", title).starts_with("title: is not a title"), "{title}");
        }
    }

    #[test]
    fn no_two_entries_give_the_same_but_one_may_be_in_force_and_the_other_eligible() {
        let same = || {
            Sample::new().catalog("entitlements.helpdesk-admin.target.role", "'29232CDF-9323-42fd-ade2-1d097af3e4de'")
        };
        let fault = same().fault();
        assert_eq!(fault, "entitlements.helpdesk-admin.target: gives the same as \"exchange-admin\"; say it once");
        same().catalog("entitlements.helpdesk-admin.assignment", "'eligible'").good();
        same().catalog(&format!("{EXCHANGE}.target.scope"), "'/9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60'").good();
    }

    #[test]
    fn a_scope_is_the_tenant_an_administrative_unit_or_one_object() {
        let id = "9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60";
        for scope in ["/".to_owned(), format!("/administrativeUnits/{id}"), format!("/{id}")] {
            let sample = Sample::new().catalog(&format!("{EXCHANGE}.target.scope"), &format!("'{scope}'"));
            assert_eq!(entry(sample, "exchange-admin").target.key("scope"), scope);
        }
        for scope in
            ["", "//", id, "/administrativeUnits/", "/groups/x", &format!("/{id}/"), &format!("/{}", id.to_uppercase())]
        {
            let fault = fault_of("target.scope", &format!("'{scope}'"));
            assert!(fault.starts_with("target.scope: is not a scope: "), "{fault}");
        }
        let without = Sample::new().catalog_without(&format!("{EXCHANGE}.target.scope"));
        assert!(entry(without, "exchange-admin").target.to_string().ends_with(" at /"));
    }

    #[test]
    fn limits_lie_within_what_may_be_granted_and_in_order() {
        for (key, value) in [("min_duration", "'PT4M59S'"), ("max_duration", "'PT24H1S'"), ("max_duration", "'8h'")] {
            let fault = fault_of(key, value);
            assert!(fault.starts_with(&format!("{key}: is not a duration from PT5M to PT24H")), "{fault}");
        }
        assert_eq!(fault_of("min_duration", "'PT9H'"), "min_duration: is not at most max_duration");
        let shortest = Sample::new().catalog_without(&format!("{EXCHANGE}.min_duration"));
        assert_eq!(entry(shortest, "exchange-admin").min_duration, Duration::minutes(5));
    }

    #[test]
    fn between_one_and_ten_approvers_must_count() {
        for approvers in ["0", "11"] {
            assert!(fault_of("approvers", approvers).starts_with("approvers: is not from 1 to 10"));
        }
        assert!(fault_of("approvers", "256").starts_with("approvers: must be a whole number"));
    }

    #[test]
    fn every_tier_0_role_must_say_that_it_is_protected() {
        for role in [
            "62e90394-69f5-4237-9190-012177145e10",
            "e8611ab8-c189-46e8-94e1-60213ab1f814",
            "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
            "194ae4cb-b126-40b2-bd5b-6091b380977d",
            "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
            "158c047a-c907-4556-b7ef-446551a6b5f7",
            "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",
            "8329153b-31d0-4727-b945-745eb3bc5f31",
            "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8",
            "be2f45a1-457d-42af-a067-6ec1fa63bc45",
        ] {
            for spelled in [role.to_owned(), role.to_uppercase()] {
                let alone = Sample::new().catalog_without(GLOBAL);
                let fault = alone.catalog(&format!("{EXCHANGE}.target.role"), &format!("'{spelled}'")).fault();
                let fault = fault.trim_start_matches("entitlements.exchange-admin.");
                assert!(fault.starts_with("protected: must be true: "), "{fault}");
            }
        }
    }

    #[test]
    fn protected_entries_need_two_approvers() {
        let fault = Sample::new().catalog(&format!("{GLOBAL}.approvers"), "1").fault();
        assert!(fault.contains("approvers: is not from 2 to 10"), "{fault}");
        let unstated = Sample::new().catalog_without(&format!("{GLOBAL}.approvers"));
        assert_eq!(entry(unstated, "global-admin").approvers, 2);
        let unstated = Sample::new().catalog_without(&format!("{EXCHANGE}.approvers"));
        assert_eq!(entry(unstated, "exchange-admin").approvers, 1);
    }

    #[test]
    fn a_restriction_to_no_group_and_a_limit_of_nothing_are_refused() {
        assert!(fault_of("requesters", "{}").starts_with("requesters.any_of_groups: is missing"));
        assert!(
            fault_of("requesters", "{ any_of_groups = [] }").starts_with("requesters.any_of_groups: is not a list")
        );
        assert!(
            fault_of("requesters", "{ any_of_groups = ['x'] }")
                .starts_with("requesters.any_of_groups[0]: is not a GUID")
        );
        assert!(fault_of("approver_group", "'x'").starts_with("approver_group: is not a GUID"));
        assert!(fault_of("per_hour", "0").starts_with("per_hour: is not at least 1"));
        assert!(fault_of("allow", "['anybody']").starts_with("allow[0]: is not accepted; accepted: guest"));
    }

    #[test]
    fn every_kind_of_principal_may_be_allowed() {
        let allow = "['guest', 'service-principal', 'group']";
        let config = Sample::new().catalog(&format!("{EXCHANGE}.allow"), allow).good();
        let entry = config.tenants[0].catalog.find("exchange-admin").expect("an entry");
        assert_eq!(entry.allow.len(), 3);
    }

    #[test]
    fn two_tenants_that_share_a_catalog_are_told_its_faults_once() {
        let second = r#"{ cloud = "global", catalog = "sandbox-catalog.toml",
            tenant_id = "11111111-6a1d-4f3e-8c27-5d1e2f3a4b60", client_id = "5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80",
            credential = { kind = "secret", secret_file = "sandbox-secrets/entra-client-secret" } }"#;
        let sample = Sample::new().set("tenants.fabrikam", second);
        let fault = sample.catalog(&format!("{EXCHANGE}.approvers"), "0").fault();
        assert!(fault.starts_with("entitlements.exchange-admin.approvers: "), "{fault}");
    }
}
