//! What only a Jira connection has, and what it must not have.

use std::collections::BTreeMap;

use crate::{
    config::{place::Place, raw},
    tickets::settings::{ApprovalMode, ConnectionSettings, JiraSettings, SystemSettings},
};

pub(super) fn settings(at: &Place, raw: &mut raw::Connection) -> Option<JiraSettings> {
    refuse_foreign(at, raw);
    let projects = some(&at.down("projects"), raw.projects.take(), project);
    let approved = some(&at.down("approved_statuses"), raw.approved_statuses.take(), status);
    let withdrawn = at.down("withdrawn_statuses");
    let withdrawn = withdrawn.each(raw.withdrawn_statuses.take().unwrap_or_default(), |item, id| {
        let both = approved.as_ref().is_some_and(|approved| approved.contains(&id));
        item.hold(!both, (), "a status of its own: it stands among approved_statuses")?;
        status(item, id)
    });
    Some(JiraSettings {
        projects: projects?,
        approved_statuses: approved?,
        withdrawn_statuses: withdrawn?,
        approval: match raw.approval {
            None | Some(raw::Approval::Jsm) => ApprovalMode::Jsm,
            Some(raw::Approval::StatusTransition) => ApprovalMode::StatusTransition,
        },
    })
}

fn refuse_foreign(at: &Place, raw: &raw::Connection) {
    let servicenow = "belongs to system = \"servicenow\"; leave it out for jira";
    at.unused("catalog_items", raw.catalog_items.as_ref(), servicenow);
    at.unused("change_types", raw.change_types.as_ref(), servicenow);
    at.unused("standard_templates", raw.standard_templates.as_ref(), servicenow);
    at.unused("allow_without_approver", raw.allow_without_approver.as_ref(), servicenow);
    at.unused("parent_request_approval", raw.parent_request_approval.as_ref(), servicenow);
    let standard = "belongs to system = \"standard\"; leave it out for jira";
    at.unused("read_back", raw.read_back.as_ref(), standard);
}

/// A list with at least one good item.
fn some(at: &Place, items: Option<Vec<String>>, check: fn(&Place, String) -> Option<String>) -> Option<Vec<String>> {
    let items = at.required(items, "a list with at least one entry")?;
    let items = at.hold(!items.is_empty(), items, "a list with at least one entry")?;
    at.each(items, check)
}

fn project(at: &Place, key: String) -> Option<String> {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let good =
        (2..=255).contains(&key.len()) && key.starts_with(|c: char| c.is_ascii_uppercase()) && key.bytes().all(plain);
    at.hold(good, key, "a project key such as ITSEC: upper-case letters, digits, underscores")
}

/// Names of statuses differ by language and can be changed; ids cannot.
fn status(at: &Place, id: String) -> Option<String> {
    let good = (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    at.hold(good, id, "a status id such as 10016: the number, not the name")
}

/// Faults a project served by two connections: one approval there would be asked for, and granted, twice.
pub(super) fn check_overlaps(at: &Place, connections: &[ConnectionSettings]) {
    let mut owners = BTreeMap::new();
    for connection in connections {
        let SystemSettings::Jira(jira) = &connection.system;
        for (index, project) in jira.projects.iter().enumerate() {
            let site = connection.base_url.as_str().trim_end_matches('/');
            let here = at.down(connection.name.as_str()).down("projects").item(index);
            if let Some(owner) = owners.insert((site, project), &connection.name) {
                here.fault(format!(
                    "belongs to connection {:?} already; one connection serves a project",
                    owner.as_str()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    fn jira(sample: Sample) -> JiraSettings {
        let SystemSettings::Jira(jira) = sample.good().connections.remove(0).system;
        jira
    }

    fn fault_of(key: &str, value: &str) -> String {
        let fault = Sample::new().set(&format!("connections.jira-cloud.{key}"), value).fault();
        fault.trim_start_matches("connections.jira-cloud.").to_owned()
    }

    #[test]
    fn an_approval_is_jira_service_managements_unless_said_otherwise() {
        let key = "connections.jira-cloud.approval";
        assert_eq!(jira(Sample::new().without(key)).approval, ApprovalMode::Jsm);
        let other = Sample::new().set(key, "'status-transition'");
        assert_eq!(jira(other).approval, ApprovalMode::StatusTransition);
        assert_eq!(fault_of("approval", "'any'"), "approval: is not accepted; accepted: jsm, status-transition");
    }

    #[test]
    fn projects_are_at_least_one_well_formed_key() {
        assert!(fault_of("projects", "[]").starts_with("projects: is not a list with at least one"));
        for key in ["itsec", "I", "1TSEC", "IT-SEC", "ITSEC ", ""] {
            let fault = fault_of("projects", &format!("['ITSEC', '{key}']"));
            assert!(fault.starts_with("projects[1]: is not a project key such as ITSEC"), "{fault}");
        }
    }

    #[test]
    fn statuses_are_ids_not_names() {
        assert!(fault_of("approved_statuses", "[]").starts_with("approved_statuses: is not a list"));
        assert!(fault_of("approved_statuses", "['Approved']").starts_with("approved_statuses[0]: is not a status id"));
        assert!(fault_of("approved_statuses", "[10016]").starts_with("approved_statuses[0]: must be a string"));
        assert!(fault_of("withdrawn_statuses", "['Done']").starts_with("withdrawn_statuses[0]: is not a status id"));
    }

    #[test]
    fn a_status_is_not_both_approved_and_withdrawn() {
        assert!(
            fault_of("withdrawn_statuses", "['10016']")
                .starts_with("withdrawn_statuses[0]: is not a status of its own")
        );
    }

    #[test]
    fn keys_of_another_system_are_refused() {
        for (key, value) in [
            ("catalog_items", "[]"),
            ("change_types", "['normal']"),
            ("standard_templates", "[]"),
            ("allow_without_approver", "false"),
            ("parent_request_approval", "true"),
            ("read_back", "'http'"),
        ] {
            let fault = fault_of(key, value);
            assert!(fault.starts_with(&format!("{key}: belongs to system = ")), "{fault}");
        }
    }

    #[test]
    fn one_connection_serves_a_project() {
        let sample = Sample::new().file("other", "another-webhook-secret-of-32-bytes");
        let fault = sample
            .set(
                "connections.other",
                r#"{ system = "jira", tenants = ["contoso"], projects = ["OPS", "ITSEC"],
            base_url = "http://127.0.0.1:8403/", ticket_pattern = "^ITSEC-[1-9]$", approved_statuses = ["1"],
            auth = { kind = "bearer", token_file = "sandbox-secrets/jira-api-token" },
            webhook = { scheme = "bearer", secret_files = ["other"] },
            fields = { entitlement = "a", principal = "b", duration = "c" } }"#,
            )
            .fault();
        assert!(
            fault.starts_with("connections.other.projects[1]: belongs to connection \"jira-cloud\" already"),
            "{fault}"
        );
    }
}
