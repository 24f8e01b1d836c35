//! What automation rules send: static headers, no signature (`contracts/tickets.md A5`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::wire::jira_date;
use super::Jira;
use super::model::{IssueState, State};

impl Jira {
    /// Custom data, as our instructions tell customers to write it.
    pub(super) fn automation_body(&self, issue: &IssueState, now: Timestamp) -> Value {
        let approval = issue.approvals.last();
        json!({
            "schema": "stint.approval.v1",
            "event": "approval.approved",
            "eventId": approval.map(|approval| format!("{}-{}", issue.key, approval.id)),
            "site": &*self.url,
            "issue": {"id": issue.id, "key": issue.key},
            "approval": approval.map(|approval| json!({"id": approval.id, "decision": approval.decision})),
            "rule": "PIM approval -> stint",
            "sentAt": jira_date(now),
        })
    }

    /// "Issue data (Automation format)": the bare issue, ids and moments as numbers, a changelog without histories.
    pub(super) fn automation_issue(&self, state: &State, issue: &IssueState) -> Value {
        let mut fields = self.issue_row(state, issue, state.flavour.hook(), None)["fields"].take();
        for field in ["issuetype", "project", "status"] {
            fields[field]["id"] = numeric(&fields[field]["id"]);
        }
        fields["issuetype"]["namedValue"] = fields["issuetype"]["name"].clone();
        fields["issuetype"]["fields"] = Value::Null;
        fields["project"]["issuetypes"] = Value::Null;
        fields["status"]["untranslatedName"] = Value::Null;
        fields["created"] = json!(issue.created.as_millisecond());
        fields["updated"] = json!(issue.updated.as_millisecond());
        for user in ["reporter", "creator"] {
            if let Some(user) = fields[user].as_object_mut() {
                user.remove("emailAddress");
            }
        }
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|name, _| !issue.hidden.contains(name));
        }
        json!({
            "self": format!("{}/rest/api/2/issue/{}", self.url, issue.id),
            "id": numeric(&json!(issue.id)),
            "key": issue.key,
            "changelog": {"startAt": 0, "maxResults": 0, "total": 0, "histories": null},
            "fields": fields,
            "renderedFields": null,
        })
    }
}

fn numeric(id: &Value) -> Value {
    json!(id.as_str().and_then(|id| id.parse::<u64>().ok()))
}
