//! The deliveries Jira would have sent: bodies and headers (`contracts/tickets.md A2–A5`).

use jiff::Timestamp;
use serde_json::{Value, json};

pub use super::super::delivery::{Delivered, Webhook};
use super::super::wire::guid;
use super::flavour::Dialect;
use super::model::{History, IssueState, State};
use super::{Flavour, Jira};

/// Which event of an issue is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookKind {
    /// The latest change of status.
    Updated,
    /// The issue's creation; its changelog names the present status with a capital S.
    Created,
    /// The issue's deletion.
    Deleted,
    /// The latest comment.
    CommentCreated,
    /// The latest edit of a field.
    FieldEdited,
    /// The latest move to another project.
    Moved,
    /// What an automation rule sends by hand: `stint.approval.v1`, without Jira's own headers.
    Automation,
    /// What an automation rule sends by itself: the whole issue in Automation format.
    AutomationIssue,
}

impl Jira {
    /// A fresh delivery about the issue as it is now, with an identifier of its own.
    #[must_use]
    pub fn webhook_for(&self, id: &str, kind: WebhookKind) -> Webhook {
        self.with(id, |state, index, now| {
            let issue = &state.issues[index];
            let body = match kind {
                WebhookKind::Automation => self.automation_body(issue, now),
                WebhookKind::AutomationIssue => self.automation_issue(state, issue),
                WebhookKind::CommentCreated => self.comment_body(state, issue, now),
                _ => self.issue_body(state, issue, kind, now),
            };
            let by_rule = matches!(kind, WebhookKind::Automation | WebhookKind::AutomationIssue);
            let content_type = if by_rule { "application/json" } else { "application/json; charset=UTF-8" };
            let mut headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
            if !by_rule && state.flavour == Flavour::Cloud {
                headers.push(("X-Atlassian-Webhook-Identifier".to_owned(), guid()));
                headers.push(("X-Atlassian-Webhook-Flow".to_owned(), "Primary".to_owned()));
            }
            Webhook { headers, body: body.to_string().into_bytes() }
        })
    }

    fn issue_body(&self, state: &State, issue: &IssueState, kind: WebhookKind, now: Timestamp) -> Value {
        let history = latest(issue, kind);
        let author = history.map_or(&issue.creator, |history| &history.author);
        let (event, name) = match kind {
            WebhookKind::Created => ("jira:issue_created", Some("issue_created")),
            WebhookKind::Deleted => ("jira:issue_deleted", None),
            WebhookKind::FieldEdited => ("jira:issue_updated", Some("issue_updated")),
            WebhookKind::Moved => ("jira:issue_updated", Some("issue_moved")),
            _ => ("jira:issue_updated", Some("issue_generic")),
        };
        let mut body = json!({
            "timestamp": history.map_or(now, |history| history.created).as_millisecond(),
            "webhookEvent": event,
            "user": self.actor(state, author),
            "issue": self.issue_row(state, issue, state.flavour.hook(), None),
        });
        if let Some(name) = name {
            body["issue_event_type_name"] = json!(name);
        }
        if kind == WebhookKind::Created {
            body["changelog"] = self.created_changelog(issue, state.flavour.hook());
        } else if let Some(history) = history {
            body["changelog"] = json!({"id": history.id, "items": state.flavour.hook().items(&history.items)});
        }
        body
    }

    fn created_changelog(&self, issue: &IssueState, dialect: Dialect) -> Value {
        let name = self.status_row(&issue.status, dialect)["name"].take();
        let item = json!({
            "field": "Status", "fieldtype": "jira", "fieldId": "status",
            "from": null, "fromString": null, "to": issue.status, "toString": name,
        });
        json!({"id": format!("4{}", issue.id), "items": dialect.items(&[item])})
    }

    /// Comment events carry a reduced issue, plain text, and no actor but the comment's author.
    fn comment_body(&self, state: &State, issue: &IssueState, now: Timestamp) -> Value {
        let comment = issue.comments.last();
        let mut row = comment.map_or(json!({}), |comment| self.comment_row(state, &issue.id, comment));
        row["body"] = json!(comment.map(|comment| &comment.text));
        let wanted = Some("summary,issuetype,project,status");
        json!({
            "timestamp": comment.map_or(now, |comment| comment.created).as_millisecond(),
            "webhookEvent": "comment_created",
            "comment": row,
            "issue": self.issue_row(state, issue, state.flavour.hook(), wanted),
            "eventType": "primaryAction",
        })
    }

    /// The user of a delivery: as REST shows it, on Cloud without the address.
    fn actor(&self, state: &State, account_id: &str) -> Value {
        let mut account = state.account(account_id);
        if state.flavour == Flavour::Cloud {
            account.email = None;
        }
        account.row(&self.url, state.flavour.hook())
    }
}

fn latest(issue: &IssueState, kind: WebhookKind) -> Option<&History> {
    let of_field = |history: &History, field: &str| history.items.iter().any(|item| item["fieldId"] == field);
    issue.histories.iter().rev().find(|history| match kind {
        WebhookKind::Updated => of_field(history, "status"),
        WebhookKind::Moved => of_field(history, "project"),
        WebhookKind::FieldEdited => !of_field(history, "status") && !of_field(history, "project"),
        _ => false,
    })
}
