//! Issues, approvals, changelogs and comments as JSON.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::story;
use super::super::wire::{jira_date, jsm_date};
use super::flavour::Dialect;
use super::model::{Approval, Comment, History, IssueState, Project, State, status};
use super::{Flavour, Jira, adf};

/// The custom field in which Service Management embeds the approvals.
const APPROVALS_FIELD: &str = "customfield_10026";

impl Jira {
    /// The issue with the fields asked for.
    pub(super) fn issue_row(&self, state: &State, issue: &IssueState, dialect: Dialect, wanted: Option<&str>) -> Value {
        let mut fields = self.fields(state, issue, dialect);
        fields.retain(|name, _| !issue.hidden.contains(name) && is_wanted(name, wanted));
        json!({
            "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
            "id": issue.id,
            "self": format!("{}/rest/api/{}/issue/{}", self.url, dialect.version(), issue.id),
            "key": issue.key,
            "fields": fields,
        })
    }

    fn fields(&self, state: &State, issue: &IssueState, dialect: Dialect) -> Map<String, Value> {
        let url = &self.url;
        let account = |id: &str| state.account(id).row(url, dialect);
        let approvals: Vec<Value> =
            issue.approvals.iter().map(|approval| self.approval_row(state, &issue.id, approval)).collect();
        let mut fields = Map::new();
        for (name, value) in [
            ("summary", json!(issue.summary)),
            ("description", Value::Null),
            ("status", self.status_row(&issue.status, dialect)),
            ("resolution", issue.resolution.map_or(Value::Null, |name| json!({"name": name}))),
            ("issuetype", issue_type(url, dialect)),
            ("project", project_row(state, &issue.project, url, dialect)),
            ("labels", json!(["pim"])),
            ("reporter", account(&issue.reporter)),
            ("creator", account(&issue.creator)),
            ("assignee", Value::Null),
            ("created", json!(jira_date(issue.created))),
            ("updated", json!(jira_date(issue.updated))),
            (APPROVALS_FIELD, json!(approvals)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        fields.extend(issue.fields.clone());
        fields
    }

    pub(super) fn status_row(&self, id: &str, dialect: Dialect) -> Value {
        let (name, category) = status(id);
        let (number, colour, label) = match category {
            "new" => (2, "blue-gray", "To Do"),
            "done" => (3, "green", "Done"),
            _ => (4, "yellow", "In Progress"),
        };
        let base = format!("{}/rest/api/{}", self.url, dialect.version());
        json!({
            "self": format!("{base}/status/{id}"),
            "description": "",
            "name": name,
            "id": id,
            "statusCategory": {
                "self": format!("{base}/statuscategory/{number}"),
                "id": number, "key": category, "colorName": colour, "name": label,
            },
        })
    }

    pub(super) fn approval_row(&self, state: &State, issue_id: &str, approval: &Approval) -> Value {
        let approvers: Vec<Value> = approval
            .approvers
            .iter()
            .map(|(account, decision)| {
                json!({"approver": state.account(account).service_desk_row(&self.url, state.flavour), "approverDecision": decision})
            })
            .collect();
        let link = format!("{}/rest/servicedeskapi/request/{issue_id}/approval/{}", self.url, approval.id);
        let mut row = json!({
            "id": approval.id,
            "name": "Waiting for approval",
            "finalDecision": approval.decision,
            "canAnswerApproval": false,
            "approvers": approvers,
            "createdDate": service_desk_date(approval.created),
            "_links": {"self": link},
        });
        if state.flavour == Flavour::DataCenter {
            row["condition"] = json!({"type": "number", "value": approval.needed.to_string()});
        }
        if let Some(completed) = approval.completed {
            row["completedDate"] = service_desk_date(completed);
        }
        row
    }

    pub(super) fn history_row(&self, state: &State, history: &History) -> Value {
        let dialect = state.flavour.rest();
        json!({
            "id": history.id,
            "author": state.account(&history.author).row(&self.url, dialect),
            "created": jira_date(history.created),
            "items": dialect.items(&history.items),
        })
    }

    pub(super) fn comment_row(&self, state: &State, issue_id: &str, comment: &Comment) -> Value {
        let dialect = state.flavour.rest();
        let author = state.account(&comment.author).row(&self.url, dialect);
        let mut row = json!({
            "self": format!("{}/rest/api/{}/issue/{issue_id}/comment/{}", self.url, dialect.version(), comment.id),
            "id": comment.id,
            "author": author,
            "body": comment.text,
            "updateAuthor": author,
            "created": jira_date(comment.created),
            "updated": jira_date(comment.created),
        });
        if dialect.is_cloud() {
            row["body"] = adf::document(&comment.text);
            row["jsdPublic"] = json!(!comment.internal);
        }
        row
    }
}

fn is_wanted(name: &str, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return true };
    wanted.split(',').map(str::trim).any(|one| one == name || one == "*all" || one == "*navigable")
}

fn issue_type(url: &str, dialect: Dialect) -> Value {
    let mut row = json!({
        "self": format!("{url}/rest/api/{}/issuetype/{}", dialect.version(), story::ISSUE_TYPE),
        "id": story::ISSUE_TYPE,
        "description": "A request that follows ITSM workflows.",
        "name": "[System] Service request with approvals",
        "subtask": false,
    });
    if dialect.is_cloud() {
        row["hierarchyLevel"] = json!(0);
    }
    row
}

fn project_row(state: &State, key: &str, url: &str, dialect: Dialect) -> Value {
    let project = state.projects.iter().find(|project| project.key == key);
    let (id, name) = project.map_or(("0", key), |Project { id, name, .. }| (id, name));
    let mut row = json!({
        "self": format!("{url}/rest/api/{}/project/{id}", dialect.version()),
        "id": id,
        "key": key,
        "name": name,
        "projectTypeKey": "service_desk",
    });
    if dialect.is_cloud() {
        row["simplified"] = json!(false);
    }
    row
}

/// Service Management's date object; `friendly` is for people only.
pub(super) fn service_desk_date(at: Timestamp) -> Value {
    json!({
        "iso8601": jsm_date(at),
        "jira": jira_date(at),
        "friendly": "Today 9:31 AM",
        "epochMillis": at.as_millisecond(),
    })
}
