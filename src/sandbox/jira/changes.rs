//! How an issue changes, and what its changelog says about it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::story;
use super::model::{Approval, History, IssueState, State, status};
use super::people::Issue;

/// A resolution: id and name.
type Resolution = (&'static str, &'static str);

pub(super) const DECLINED: Resolution = ("10004", "Declined");
pub(super) const CANCELED: Resolution = ("10002", "Canceled");

impl Approval {
    /// Whether this vote completed the round.
    pub(super) fn vote(&mut self, approver: &str, vote: &'static str, now: Timestamp) -> bool {
        match self.approvers.iter_mut().find(|(account, _)| account == approver) {
            Some((_, decision)) => *decision = vote,
            None => self.approvers.push((approver.to_owned(), vote)),
        }
        let votes = self.approvers.iter().filter(|(_, decision)| *decision == vote).count();
        let complete = vote == "declined" || votes >= self.needed;
        if complete {
            self.decision = vote;
            self.completed = Some(now);
        }
        complete
    }
}

impl State {
    pub(super) fn record(&mut self, index: usize, author: &str, items: Vec<Value>, now: Timestamp) {
        let id = (30_000 + self.fresh_id()).to_string();
        let issue = &mut self.issues[index];
        issue.updated = now;
        issue.histories.push(History { id, author: author.to_owned(), created: now, items });
        self.reindex(index);
    }

    pub(super) fn move_to(
        &mut self,
        index: usize,
        status_id: &str,
        author: &str,
        resolution: Option<Resolution>,
        now: Timestamp,
    ) {
        let issue = &mut self.issues[index];
        if issue.status == status_id {
            return;
        }
        let from = std::mem::replace(&mut issue.status, status_id.to_owned());
        let mut items = Vec::new();
        if let Some((id, name)) = resolution {
            issue.resolution = Some(name);
            items.push(change("resolution", "jira", "resolution", (None, None), (Some(id), Some(name))));
        }
        let (before, after) =
            ((Some(from.as_str()), Some(status(&from).0)), (Some(status_id), Some(status(status_id).0)));
        items.push(change("status", "jira", "status", before, after));
        self.record(index, author, items, now);
    }

    pub(super) fn move_project(&mut self, index: usize, project: &str, now: Timestamp) -> Issue {
        let number = self.fresh_id() - 10_000;
        let to = self.project(project).id.clone();
        let from_key = self.issues[index].project.clone();
        let from = self.project(&from_key).id.clone();
        let issue = &mut self.issues[index];
        let old_key = std::mem::replace(&mut issue.key, format!("{project}-{number}"));
        project.clone_into(&mut issue.project);
        let names = Issue { id: issue.id.clone(), key: issue.key.clone() };
        let items = vec![
            change("project", "jira", "project", (Some(&from), Some(&from_key)), (Some(&to), Some(project))),
            change("Key", "jira", "issuekey", (None, Some(&old_key)), (None, Some(&names.key))),
        ];
        issue.former_keys.push(old_key);
        let author = issue.reporter.clone();
        self.record(index, &author, items, now);
        names
    }
}

impl IssueState {
    /// Sets the field and answers the changelog's item.
    pub(super) fn set_field(&mut self, field: &str, value: &str) -> Value {
        let new = (!value.is_empty()).then_some(value);
        match field {
            "summary" => {
                let old = std::mem::replace(&mut self.summary, value.to_owned());
                change(field, "jira", field, (None, Some(&old)), (None, new))
            }
            "reporter" => {
                let old = std::mem::replace(&mut self.reporter, value.to_owned());
                change(field, "jira", field, (Some(&old), Some(&old)), (new, new))
            }
            _ => {
                let old = self.fields.insert(field.to_owned(), json!(new));
                let old = old.as_ref().and_then(Value::as_str);
                let name = story::FIELDS.iter().find(|(id, _)| *id == field).map_or(field, |(_, name)| name);
                change(name, "custom", field, (None, old), (None, new))
            }
        }
    }
}

type Side<'a> = (Option<&'a str>, Option<&'a str>);

fn change(field: &str, field_type: &str, field_id: &str, from: Side, to: Side) -> Value {
    json!({
        "field": field, "fieldtype": field_type, "fieldId": field_id,
        "from": from.0, "fromString": from.1, "to": to.0, "toString": to.1,
    })
}
