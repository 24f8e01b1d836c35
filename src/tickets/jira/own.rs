//! What only a Jira connection is told.

use std::sync::Arc;

use super::{
    super::kind::{Key, Kind, Make, Own, Shape},
    ApprovalMode, Deployment, Jira, Settings,
};

/// Jira Cloud and Data Center, with or without Service Management.
pub(in crate::tickets) const KIND: Kind = Kind {
    name: "jira",
    example_url: "https://contoso.atlassian.net",
    maps_fields: true,
    keys: &[
        Key {
            name: "deployment",
            about: "Which Jira it is. Default `cloud`.",
            shape: Shape::Choice(&["cloud", "data-center"]),
        },
        Key { name: "projects", about: "Keys of the projects that may ask.", shape: Shape::Texts },
        Key { name: "approved_statuses", about: "Ids of the statuses that mean approved.", shape: Shape::Texts },
        Key {
            name: "withdrawn_statuses",
            about: "Ids of further statuses that withdraw a ticket.",
            shape: Shape::Texts,
        },
        Key {
            name: "approval",
            about: "What counts as an approval. Default `jsm`.",
            shape: Shape::Choice(&["jsm", "status-transition"]),
        },
    ],
    is_never_called: |_| false,
    check,
};

/// Names of statuses differ by language and can be changed; ids cannot.
const STATUS: &str = "a status id such as 10016: the number, not the name";
const PROJECT: &str = "a project key such as ITSEC: upper-case letters, digits, underscores";

fn check(own: &mut Own) -> Option<Make> {
    let projects = own.some("projects", is_project, PROJECT);
    let approved = own.some("approved_statuses", is_status, STATUS);
    let withdrawn = own.texts("withdrawn_statuses").unwrap_or_default();
    let is_approved = |id: &str| approved.as_ref().is_some_and(|approved| approved.iter().any(|other| other == id));
    for (index, _) in withdrawn.iter().enumerate().filter(|(_, id)| is_approved(id)) {
        let problem = "is not a status of its own: it stands among approved_statuses";
        own.fault_item("withdrawn_statuses", index, problem);
    }
    let withdrawn = own.each("withdrawn_statuses", withdrawn, is_status, STATUS);
    let approval = match own.word("approval").as_deref() {
        Some("status-transition") => ApprovalMode::StatusTransition,
        _ => ApprovalMode::Jsm,
    };
    let deployment = match own.word("deployment").as_deref() {
        Some("data-center") => Deployment::DataCenter,
        _ => Deployment::Cloud,
    };
    let settings = Settings {
        deployment,
        projects: projects?,
        approved_statuses: approved?,
        withdrawn_statuses: withdrawn?,
        approval,
    };
    Some(Box::new(|common| Arc::new(Jira::new(common, settings))))
}

fn is_project(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    (2..=255).contains(&key.len()) && key.starts_with(|c: char| c.is_ascii_uppercase()) && key.bytes().all(plain)
}

fn is_status(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::super::kind::Given, *};

    /// What is found wrong with these lists, each fault as `key[item]: problem`.
    fn faults(lists: &[(&str, &[&str])]) -> Vec<String> {
        let texts = |items: &[&str]| Given::Texts(items.iter().map(|item| (*item).to_owned()).collect());
        let good: [(&str, &[&str]); 2] = [("projects", &["ITSEC"]), ("approved_statuses", &["10016"])];
        let given: BTreeMap<_, _> =
            good.iter().chain(lists).map(|(key, items)| ((*key).to_owned(), texts(items))).collect();
        let mut own = Own::new(given);
        let made = check(&mut own).is_some();
        let faults: Vec<_> = own.into_faults();
        assert!(made || !faults.is_empty(), "refused without a word");
        let item = |item: Option<usize>| item.map(|index| format!("[{index}]")).unwrap_or_default();
        faults.into_iter().map(|fault| format!("{}{}: {}", fault.key, item(fault.item), fault.problem)).collect()
    }

    #[test]
    fn projects_are_at_least_one_well_formed_key() {
        assert!(faults(&[]).is_empty());
        assert_eq!(faults(&[("projects", &[])]), ["projects: is not a list with at least one entry"]);
        for key in ["itsec", "I", "1TSEC", "IT-SEC", "ITSEC ", ""] {
            let told = faults(&[("projects", &["ITSEC", key])]);
            assert!(told[0].starts_with("projects[1]: is not a project key such as ITSEC"), "{told:?}");
        }
    }

    #[test]
    fn statuses_are_ids_not_names_and_each_says_one_thing() {
        assert!(
            faults(&[("approved_statuses", &["Approved"])])[0].starts_with("approved_statuses[0]: is not a status id")
        );
        assert!(
            faults(&[("withdrawn_statuses", &["Done"])])[0].starts_with("withdrawn_statuses[0]: is not a status id")
        );
        assert!(
            faults(&[("withdrawn_statuses", &["10016"])])[0]
                .starts_with("withdrawn_statuses[0]: is not a status of its own")
        );
    }
}
