//! `target` and `assignment` of a catalog entry: which kind of thing is given, and which one.
//!
//! Which kinds there are, with which keys and values, is said by each kind; here their faults are given their places.

use std::collections::BTreeMap;

use serde_json::json;
use toml::Value;

use super::raw;
use crate::{
    config::{place::Place, tree::article},
    domain::target::{AssignmentKind, Target},
    graph::{TARGETS, TargetKind, kind::TargetKey},
};

/// Adds what each kind of target has to the schema of a catalog.
pub(in crate::config) fn describe(schema: &mut serde_json::Value) {
    let Some(target) = schema.pointer_mut("/$defs/Target") else { return };
    let mut names: Vec<_> = TARGETS.iter().map(|kind| kind.name).collect();
    names.dedup();
    target["additionalProperties"] = json!(false);
    target["properties"]["kind"]["enum"] = json!(names);
    for (kind, key) in TARGETS.iter().flat_map(|kind| kind.keys.iter().map(move |key| (kind, key))) {
        let about = format!("`{}`: {}", kind.name, key.about);
        target["properties"][key.name] = json!({"type": "string", "description": about});
    }
}

/// The target, with the kind that makes it.
pub(super) fn target(
    at: &Place,
    raw: raw::Target,
    assignment: Option<AssignmentKind>,
) -> Option<(Target, &'static TargetKind)> {
    let kinds = kinds(&at.down("kind"), raw.kind.as_deref())?;
    let assignment = assignment.unwrap_or_default();
    let Some(kind) = kinds.iter().find(|kind| kind.assignment == assignment) else {
        let given: Vec<_> = kinds.iter().map(|kind| kind.assignment.as_str()).collect();
        at.down("kind").fault(format!("cannot be assigned as {}; only {}", assignment.as_str(), given.join(", ")));
        return None;
    };
    let keys = keys(at, kind, raw.keys)?;
    Some((Target { kind: kind.name.to_owned(), assignment, keys }, kind))
}

/// Everything of this name.
fn kinds(at: &Place, name: Option<&str>) -> Option<Vec<&'static TargetKind>> {
    let mut names: Vec<_> = TARGETS.iter().map(|kind| kind.name).collect();
    names.dedup();
    let name = at.required(name, &names.join(" or "))?;
    let kinds: Vec<_> = TARGETS.iter().copied().filter(|kind| kind.name == name).collect();
    if kinds.is_empty() {
        at.fault(format!("is not accepted; accepted: {}", names.join(", ")));
    }
    (!kinds.is_empty()).then_some(kinds)
}

/// The values of the kind's own keys, every fault noted.
fn keys(at: &Place, kind: &TargetKind, mut given: BTreeMap<String, Value>) -> Option<BTreeMap<String, String>> {
    let read: Vec<_> = kind.keys.iter().map(|key| value(&at.down(key.name), key, given.remove(key.name))).collect();
    for name in given.keys() {
        let here = at.down(name);
        match TARGETS.iter().find(|other| other.keys.iter().any(|key| key.name == *name)) {
            Some(_) => here.fault(format!("has no meaning beside kind = \"{}\"", kind.name)),
            None => here.fault_unknown(format!("is not a known key; known here: kind, {}", known(kind))),
        }
    }
    let values: Option<Vec<_>> = read.into_iter().collect();
    let keys = kind.keys.iter().map(|key| key.name.to_owned()).zip(values?).collect();
    given.is_empty().then_some(keys)
}

fn known(kind: &TargetKind) -> String {
    let names: Vec<_> = kind.keys.iter().map(|key| key.name).collect();
    names.join(", ")
}

fn value(at: &Place, key: &TargetKey, given: Option<Value>) -> Option<String> {
    let text = match (given, key.default) {
        (Some(Value::String(text)), _) => text,
        (Some(other), _) => {
            at.fault(format!("must be a string, not {}", article(other.type_str())));
            return None;
        }
        (None, Some(default)) => default.to_owned(),
        (None, None) => return at.required(None, key.wanted),
    };
    let read = (key.read)(&text);
    at.hold(read.is_some(), (), key.wanted);
    read
}

#[cfg(test)]
mod tests {
    use crate::{
        config::testing::Sample,
        domain::{id::EntitlementKey, target::Target},
    };

    const EXCHANGE: &str = "entitlements.exchange-admin";
    const GROUP: &str = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";

    fn target_of(sample: Sample) -> Target {
        let mut catalog = sample.good().tenants.remove(0).catalog;
        catalog.entitlements.remove(&EntitlementKey::new("exchange-admin")).expect("the entry").target
    }

    fn with(target: &str, assignment: &str) -> Sample {
        let sample = Sample::new().catalog(&format!("{EXCHANGE}.target"), target);
        sample.catalog(&format!("{EXCHANGE}.assignment"), assignment)
    }

    fn fault_of(target: &str, assignment: &str) -> String {
        let fault = with(target, assignment).fault();
        fault.trim_start_matches("entitlements.exchange-admin.").to_owned()
    }

    #[test]
    fn a_group_is_a_target_by_member_unless_owner_is_said() {
        let member = target_of(with(&format!("{{ kind = 'group', group = '{GROUP}' }}"), "'active'"));
        assert_eq!(member.to_string(), format!("group member at {GROUP}"));
        let table = format!("{{ kind = 'group', group = '{}', access = 'owner' }}", GROUP.to_uppercase());
        let owner = target_of(with(&table, "'eligible'"));
        assert_eq!(owner.to_string(), format!("eligible group owner at {GROUP}"));
        assert_eq!(owner.key("access"), "owner");
    }

    #[test]
    fn a_role_may_be_given_as_eligible() {
        let table = "{ kind = 'directory-role', role = '29232cdf-9323-42fd-ade2-1d097af3e4de' }";
        let target = target_of(with(table, "'eligible'"));
        assert_eq!(target.to_string(), "eligible directory-role 29232cdf-9323-42fd-ade2-1d097af3e4de at /");
    }

    #[test]
    fn a_fault_names_the_key_and_what_it_must_be() {
        let active = "'active'";
        let told = fault_of("{ kind = 'group', group = 'g' }", active);
        assert_eq!(told, "target.group: is not a GUID");
        let told = fault_of(&format!("{{ kind = 'group', group = '{GROUP}', access = 'guest' }}"), active);
        assert_eq!(told, "target.access: is not member or owner");
        let told = fault_of(&format!("{{ kind = 'group', group = '{GROUP}', scope = '/' }}"), active);
        assert_eq!(told, "target.scope: has no meaning beside kind = \"group\"");
        let told = fault_of(&format!("{{ kind = 'group', group = '{GROUP}', grop = '/' }}"), active);
        assert_eq!(told, "target.grop: is not a known key; known here: kind, group, access");
        assert!(fault_of("{ kind = 'group' }", active).starts_with("target.group: is missing"));
        let told = fault_of("{ kind = 'group', group = 1 }", active);
        assert_eq!(told, "target.group: must be a string, not an integer");
        let told = fault_of("{ kind = 'azure-role' }", active);
        assert_eq!(told, "target.kind: is not accepted; accepted: directory-role, group");
    }

    #[test]
    fn a_tier_0_role_is_so_when_it_is_only_eligible_too() {
        let table = "{ kind = 'directory-role', role = '62e90394-69f5-4237-9190-012177145e10' }";
        assert!(fault_of(table, "'eligible'").starts_with("protected: must be true: Global Administrator"));
    }
}
