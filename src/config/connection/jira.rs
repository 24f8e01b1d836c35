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
