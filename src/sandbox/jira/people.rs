//! What people do in this Jira: file, approve, decline, edit, withdraw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::story;
use super::super::wire::lock;
use super::Jira;
use super::changes::{CANCELED, DECLINED};
use super::model::{Approval, IssueState};

/// The two names of an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Immutable.
    pub id: String,
    /// Changes when the issue moves to another project.
    pub key: String,
}

/// A request for access as somebody types it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueDraft {
    /// Key of the project.
    pub project: String,
    /// The title.
    pub summary: String,
    /// Account that asks.
    pub reporter: String,
    /// Account that typed it in.
    pub creator: String,
    /// Text of the entitlement field; empty leaves it unset.
    pub entitlement: String,
    /// Text of the principal field; empty leaves it unset.
    pub principal: String,
    /// Text of the duration field; empty leaves it unset.
    pub duration: String,
    /// Texts of the start and end fields, in Jira's own date format; absent leaves them unset.
    pub window: (Option<String>, Option<String>),
}

impl Default for IssueDraft {
    /// Nina asks for Exchange Administrator for four hours.
    fn default() -> Self {
        Self {
            project: story::PROJECT.to_owned(),
            summary: "Exchange Administrator for a mailbox migration".to_owned(),
            reporter: story::NINA_ACCOUNT.to_owned(),
            creator: story::NINA_ACCOUNT.to_owned(),
            entitlement: "exchange-admin".to_owned(),
            principal: story::NINA_UPN.to_owned(),
            duration: "PT4H".to_owned(),
            window: (None, None),
        }
    }
}

impl Jira {
    /// Somebody files a request.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn create_issue(&self, draft: IssueDraft) -> Issue {
        let now = (self.now)();
        let mut state = lock(&self.state);
        state.project(&draft.project);
        let number = state.fresh_id();
        let text = |text: String| if text.is_empty() { Value::Null } else { Value::String(text) };
        let fields = [
            (story::FIELD_ENTITLEMENT, text(draft.entitlement)),
            (story::FIELD_PRINCIPAL, text(draft.principal)),
            (story::FIELD_DURATION, text(draft.duration)),
            (story::FIELD_START, json!(draft.window.0)),
            (story::FIELD_END, json!(draft.window.1)),
        ];
        let issue = IssueState {
            id: number.to_string(),
            key: format!("{}-{}", draft.project, number - 10_000),
            former_keys: Vec::new(),
            project: draft.project,
            summary: draft.summary,
            status: "10011".to_owned(),
            resolution: None,
            reporter: draft.reporter,
            creator: draft.creator,
            created: now,
            updated: now,
            fields: fields.into_iter().map(|(id, value)| (id.to_owned(), value)).collect(),
            approvals: Vec::new(),
            histories: Vec::new(),
            comments: Vec::new(),
            properties: BTreeMap::new(),
            hidden: BTreeSet::new(),
            deleted: false,
            concealed: false,
            stale: None,
        };
        let names = Issue { id: issue.id.clone(), key: issue.key.clone() };
        state.issues.push(issue);
        let index = state.issues.len() - 1;
        state.reindex(index);
        names
    }

    /// Opens a round of approval in which any one of the approvers decides. The issue waits for approval.
    pub fn request_approval(&self, id: &str, approvers: &[&str]) {
        self.request_approvals(id, approvers, 1);
    }

    /// Opens a round of approval in which so many of the approvers must approve.
    pub fn request_approvals(&self, id: &str, approvers: &[&str], needed: usize) {
        self.with(id, |state, index, now| {
            let approval = Approval {
                id: state.fresh_id().to_string(),
                decision: "pending",
                approvers: approvers.iter().map(|account| ((*account).to_owned(), "pending")).collect(),
                needed,
                created: now,
                completed: None,
            };
            state.issues[index].approvals.push(approval);
            let reporter = state.issues[index].reporter.clone();
            state.move_to(index, story::STATUS_WAITING, &reporter, None, now);
        });
    }

    /// The account approves the newest open round. The vote that completes it moves the issue to approved.
    pub fn approve(&self, id: &str, approver: &str) {
        self.vote(id, approver, "approved");
    }

    /// The account declines the newest open round, which ends it.
    pub fn decline(&self, id: &str, approver: &str) {
        self.vote(id, approver, "declined");
    }

    fn vote(&self, id: &str, approver: &str, vote: &'static str) {
        self.with(id, |state, index, now| {
            let approvals = &mut state.issues[index].approvals;
            let Some(round) = approvals.iter_mut().rev().find(|round| round.decision == "pending") else {
                return;
            };
            if !round.vote(approver, vote, now) {
                return;
            }
            if vote == "approved" {
                state.move_to(index, story::STATUS_APPROVED, approver, None, now);
            } else {
                state.move_to(index, story::STATUS_DECLINED, approver, Some(DECLINED), now);
            }
        });
    }

    /// Somebody edits a field: `summary`, `reporter` or a custom field's id. An empty value unsets it.
    pub fn edit_field(&self, id: &str, field: &str, value: &str, author: &str) {
        self.with(id, |state, index, now| {
            let item = state.issues[index].set_field(field, value);
            state.record(index, author, vec![item], now);
        });
    }

    /// Somebody moves the issue to another status by hand, past any approval.
    pub fn transition(&self, id: &str, status_id: &str, author: &str) {
        self.with(id, |state, index, now| state.move_to(index, status_id, author, None, now));
    }

    /// The reporter withdraws the request.
    pub fn cancel(&self, id: &str) {
        self.with(id, |state, index, now| {
            let reporter = state.issues[index].reporter.clone();
            state.move_to(index, story::STATUS_CANCELED, &reporter, Some(CANCELED), now);
        });
    }

    /// The reporter takes the issue back to waiting for approval. The old round stays as it was decided.
    pub fn reopen(&self, id: &str) {
        self.with(id, |state, index, now| {
            let reporter = state.issues[index].reporter.clone();
            state.move_to(index, story::STATUS_WAITING, &reporter, None, now);
            state.issues[index].resolution = None;
        });
    }

    /// Moves the issue to another project, where it gets a new key; the old key keeps resolving.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn move_to_project(&self, id: &str, project: &str) -> Issue {
        self.with(id, |state, index, now| state.move_project(index, project, now))
    }

    /// Deletes the issue.
    pub fn delete(&self, id: &str) {
        self.with(id, |state, index, now| {
            state.issues[index].deleted = true;
            state.issues[index].updated = now;
            state.reindex(index);
        });
    }

    /// Somebody comments in public.
    pub fn comment(&self, id: &str, author: &str, text: &str) {
        self.with(id, |state, index, now| {
            state.comment(index, author, text, false, now);
        });
    }
}
