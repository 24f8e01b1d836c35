//! What people and administrators do in this Jira.
//!
//! Methods that name an issue panic when the site never had it: that is a mistake in the test, not in stint.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Call;
use super::super::story;
use super::super::wire::{lock, plus_seconds, signed};
use super::model::{Approval, History, IssueState, State, status};
use super::{Account, Comment, Jira, JiraFault};

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
        }
    }
}

impl Jira {
    /// The origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Adds or replaces an account.
    pub fn set_account(&self, account: Account) {
        lock(&self.state).accounts.insert(account.account_id.clone(), account);
    }

    /// From now on this login may use the API.
    pub fn allow_basic(&self, email: &str, token: &str) {
        lock(&self.state).basic.push((email.to_owned(), token.to_owned()));
    }

    /// From now on this bearer token may use the API.
    pub fn allow_bearer(&self, token: &str) {
        lock(&self.state).bearer.push(token.to_owned());
    }

    /// All logins are refused from now on.
    pub fn revoke_logins(&self) {
        let mut state = lock(&self.state);
        state.basic.clear();
        state.bearer.clear();
    }

    /// Whether the site answers reads without a valid login, as public projects do.
    pub fn allow_anonymous(&self, allowed: bool) {
        lock(&self.state).anonymous = allowed;
    }

    /// Queues a fault.
    pub fn fault(&self, fault: JiraFault) {
        lock(&self.state).faults.push(fault.on, fault.kind, fault.times);
    }

    /// Forgets the faults that have not struck.
    pub fn clear_faults(&self) {
        lock(&self.state).faults.clear();
    }

    /// How many faults have not struck.
    #[must_use]
    pub fn faults_waiting(&self) -> usize {
        lock(&self.state).faults.waiting()
    }

    /// The last ten thousand HTTP calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.all()
    }

    /// Somebody files a request.
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
            properties: std::collections::BTreeMap::new(),
            hidden: std::collections::BTreeSet::new(),
            deleted: false,
            stale: None,
        };
        let names = Issue { id: issue.id.clone(), key: issue.key.clone() };
        state.issues.push(issue);
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
                state.move_to(index, story::STATUS_DECLINED, approver, Some("Declined"), now);
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
            state.move_to(index, story::STATUS_CANCELED, &reporter, Some("Canceled"), now);
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
        });
    }

    /// From now on reads leave the field out, as they do when a screen or a permission hides it.
    pub fn hide_field(&self, id: &str, field: &str) {
        self.with(id, |state, index, _| state.issues[index].hidden.insert(field.to_owned()));
    }

    /// Reads show the hidden field again.
    pub fn show_field(&self, id: &str, field: &str) {
        self.with(id, |state, index, _| state.issues[index].hidden.remove(field));
    }

    /// For so many seconds, reads go on showing the issue as it is now, whatever happens to it.
    pub fn stale_for(&self, id: &str, seconds: u64) {
        self.with(id, |state, index, now| {
            let issue = &mut state.issues[index];
            issue.stale = None;
            issue.stale = Some((plus_seconds(now, signed(seconds)), Box::new(issue.clone())));
        });
    }

    /// Somebody comments in public.
    pub fn comment(&self, id: &str, author: &str, text: &str) {
        self.with(id, |state, index, now| {
            let id = state.issues[index].id.clone();
            state.comment(&id, author, text, false, now)
        });
    }

    /// All comments, oldest first.
    #[must_use]
    pub fn comments(&self, id: &str) -> Vec<Comment> {
        self.with(id, |state, index, _| state.issues[index].comments.clone())
    }

    /// The id of the newest approval round.
    #[must_use]
    pub fn newest_approval(&self, id: &str) -> Option<String> {
        self.with(id, |state, index, _| Some(state.issues[index].approvals.last()?.id.clone()))
    }

    #[expect(clippy::panic, reason = "a test that names an issue the site never had must hear of it at once")]
    pub(super) fn with<T>(&self, id: &str, act: impl FnOnce(&mut State, usize, Timestamp) -> T) -> T {
        let now = (self.now)();
        let mut state = lock(&self.state);
        match state.issues.iter().position(|issue| issue.is(id)) {
            Some(index) => act(&mut state, index, now),
            None => panic!("the sandbox's Jira has no issue {id:?}"),
        }
    }
}

impl Approval {
    /// Whether this vote completed the round.
    fn vote(&mut self, approver: &str, vote: &'static str, now: Timestamp) -> bool {
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
    fn record(&mut self, index: usize, author: &str, items: Vec<Value>, now: Timestamp) {
        let id = (30_000 + self.fresh_id()).to_string();
        let issue = &mut self.issues[index];
        issue.updated = now;
        issue.histories.push(History { id, author: author.to_owned(), created: now, items });
    }

    fn move_to(
        &mut self,
        index: usize,
        status_id: &str,
        author: &str,
        resolution: Option<&'static str>,
        now: Timestamp,
    ) {
        let issue = &mut self.issues[index];
        if issue.status == status_id {
            return;
        }
        let from = std::mem::replace(&mut issue.status, status_id.to_owned());
        let mut items = Vec::new();
        if let Some(name) = resolution {
            issue.resolution = Some(name);
            items.push(change("resolution", "jira", "resolution", (None, None), (Some("10004"), Some(name))));
        }
        let (before, after) =
            ((Some(from.as_str()), Some(status(&from).0)), (Some(status_id), Some(status(status_id).0)));
        items.push(change("status", "jira", "status", before, after));
        self.record(index, author, items, now);
    }

    fn move_project(&mut self, index: usize, project: &str, now: Timestamp) -> Issue {
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
    fn set_field(&mut self, field: &str, value: &str) -> Value {
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
