//! What only a ServiceNow connection is told.

use std::sync::Arc;

use super::{
    super::kind::{Key, Kind, Make, Own, Shape},
    ServiceNow, Settings, shape,
};

/// Request items and change requests of a ServiceNow instance.
pub(in crate::tickets) const KIND: Kind = Kind {
    name: "servicenow",
    example_url: "https://contoso.service-now.com",
    maps_fields: true,
    keys: &[
        Key {
            name: "catalog_items",
            about: "Catalog items that may ask, by sys_id. Empty: any whose variables carry the mapped fields.",
            shape: Shape::Texts,
        },
        Key {
            name: "change_types",
            about: "Types of change that may ask: normal, emergency, standard. Default `normal`.",
            shape: Shape::Texts,
        },
        Key {
            name: "standard_templates",
            about: "Versions of standard change templates that may ask, by sys_id.",
            shape: Shape::Texts,
        },
        Key {
            name: "allow_without_approver",
            about: "Whether tickets that nobody was asked to approve count as approved; never for protected entitlements.",
            shape: Shape::Flag,
        },
        Key {
            name: "parent_request_approval",
            about: "Whether the approvals of an item's request count where the item has none. Default true.",
            shape: Shape::Flag,
        },
    ],
    is_never_called: |_| false,
    check,
};

const SYS_ID: &str = "a sys_id: 32 digits and lower-case letters a to f";
const TYPE: &str = "a type of change: normal, emergency or standard";

fn check(own: &mut Own) -> Option<Make> {
    let items = own.texts("catalog_items").unwrap_or_default();
    let items = own.each("catalog_items", items, shape::is_sys_id, SYS_ID);
    let types = own.texts("change_types").unwrap_or_else(|| vec!["normal".into()]);
    let types = own.each("change_types", types, is_type, TYPE);
    let templates = own.texts("standard_templates").unwrap_or_default();
    let templates = own.each("standard_templates", templates, shape::is_sys_id, SYS_ID);
    let standard = types.as_ref().and_then(|types| types.iter().position(|kind| kind == "standard"));
    if let Some(index) = standard.filter(|_| templates.as_ref().is_some_and(Vec::is_empty)) {
        // Nobody approves a standard change, so only known ones may ask.
        own.fault_item("change_types", index, "needs standard_templates: which standard changes may ask");
        return None;
    }
    if standard.is_none() && types.is_some() && templates.as_ref().is_some_and(|templates| !templates.is_empty()) {
        own.fault("standard_templates", "has no meaning unless change_types has standard");
        return None;
    }
    let settings = Settings {
        catalog_items: items?,
        change_types: types?,
        standard_templates: templates?,
        allow_without_approver: own.flag("allow_without_approver").unwrap_or(false),
        parent_request_approval: own.flag("parent_request_approval").unwrap_or(true),
    };
    Some(Box::new(|common| Arc::new(ServiceNow::new(common, settings))))
}

fn is_type(word: &str) -> bool {
    ["normal", "emergency", "standard"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::kind::Given, fixtures::common},
        *,
    };

    const ITEM: &str = "8b2d6e14db7b1910a3c5f0e1ca9619c0";

    fn own(given: &[(&str, &[&str])]) -> Own {
        let texts = |texts: &[&str]| Given::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
        Own::new(given.iter().map(|(key, given)| ((*key).to_owned(), texts(given))).collect())
    }

    fn territory(given: &[(&str, &[&str])]) -> Vec<String> {
        let make = check(&mut own(given)).expect("good values");
        make(&common("https://contoso.service-now.com")).territory()
    }

    fn faults(given: &[(&str, &[&str])]) -> Vec<String> {
        let mut own = own(given);
        assert!(check(&mut own).is_none(), "{given:?}");
        let place = |item: Option<usize>| item.map(|item| format!("[{item}]")).unwrap_or_default();
        own.into_faults().iter().map(|f| format!("{}{} {}", f.key, place(f.item), f.problem)).collect()
    }

    #[test]
    fn any_item_and_normal_changes_may_ask_unless_the_configuration_says_which() {
        assert_eq!(territory(&[]), ["request items", "changes of type normal"]);
        let some: &[(&str, &[&str])] = &[("catalog_items", &[ITEM]), ("change_types", &[])];
        assert_eq!(territory(some), [format!("request items of catalog item {ITEM}")]);
    }

    #[test]
    fn items_and_templates_are_named_by_sys_id_and_types_are_known_words() {
        let faults = faults(&[
            ("catalog_items", &[ITEM, "Privileged access"]),
            ("change_types", &["normal", "Emergency"]),
            ("standard_templates", &["8B2D6E14DB7B1910A3C5F0E1CA9619C0"]),
        ]);
        let keys: Vec<_> = faults.iter().filter_map(|fault| fault.split(' ').next()).collect();
        assert_eq!(keys, ["catalog_items[1]", "change_types[1]", "standard_templates[0]"]);
    }

    #[test]
    fn standard_changes_ask_only_by_named_templates() {
        let alone = faults(&[("change_types", &["normal", "standard"])]);
        assert_eq!(alone, ["change_types[1] needs standard_templates: which standard changes may ask"]);
        let unused = faults(&[("standard_templates", &[ITEM])]);
        assert_eq!(unused, ["standard_templates has no meaning unless change_types has standard"]);
        let named: &[(&str, &[&str])] = &[("change_types", &["standard"]), ("standard_templates", &[ITEM])];
        assert_eq!(territory(named), ["request items", "changes of type standard"]);
    }
}
