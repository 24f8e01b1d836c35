//! Everything this site remembers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::super::call::Calls;
use super::super::fault::Queue;
use super::super::story;
use super::index::Index;
use super::login::Logins;
use super::{Account, Flavour, JiraFaultKind, JiraOn};

/// The statuses of the site's workflow: id, name, category.
pub(super) const STATUSES: [(&str, &str, &str); 6] = [
    ("10011", "Open", "new"),
    (story::STATUS_WAITING, "Waiting for approval", "indeterminate"),
    (story::STATUS_APPROVED, "Approved", "indeterminate"),
    (story::STATUS_DECLINED, "Declined", "done"),
    (story::STATUS_CANCELED, "Canceled", "done"),
    ("10018", "Resolved", "done"),
];

pub(super) struct State {
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) projects: Vec<Project>,
    pub(super) issues: Vec<IssueState>,
    pub(super) flavour: Flavour,
    /// Who may log in at the site's own address.
    pub(super) site: Logins,
    /// Who may log in at the gateway.
    pub(super) scoped: Logins,
    /// Whether Service Management answers.
    pub(super) licensed: bool,
    /// So many comments fit on an issue.
    pub(super) comment_limit: usize,
    pub(super) index: Index,
    pub(super) anonymous: bool,
    pub(super) faults: Queue<JiraOn, JiraFaultKind>,
    pub(super) calls: Calls,
    next_id: u64,
}

pub(super) struct Project {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) name: String,
}

#[derive(Clone)]
pub(super) struct IssueState {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) former_keys: Vec<String>,
    pub(super) project: String,
    pub(super) summary: String,
    pub(super) status: String,
    pub(super) resolution: Option<&'static str>,
    pub(super) reporter: String,
    pub(super) creator: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// Custom fields by id.
    pub(super) fields: BTreeMap<String, Value>,
    pub(super) approvals: Vec<Approval>,
    /// Oldest first.
    pub(super) histories: Vec<History>,
    /// Oldest first.
    pub(super) comments: Vec<Comment>,
    pub(super) properties: BTreeMap<String, Value>,
    pub(super) hidden: BTreeSet<String>,
    pub(super) deleted: bool,
    /// The client's login may not see it.
    pub(super) concealed: bool,
    /// Until then, reads show this older state.
    pub(super) stale: Option<(Timestamp, Box<Self>)>,
}

/// One round of approval.
#[derive(Clone)]
pub(super) struct Approval {
    pub(super) id: String,
    pub(super) decision: &'static str,
    /// Account and decision.
    pub(super) approvers: Vec<(String, &'static str)>,
    /// So many must approve.
    pub(super) needed: usize,
    pub(super) created: Timestamp,
    pub(super) completed: Option<Timestamp>,
}

/// One entry of the changelog.
#[derive(Clone)]
pub(super) struct History {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) created: Timestamp,
    pub(super) items: Vec<Value>,
}

/// A comment on an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The comment's id.
    pub id: String,
    /// Account id of the author.
    pub author: String,
    /// The text, one line per paragraph.
    pub text: String,
    /// Hidden from customers.
    pub internal: bool,
    /// When it was written.
    pub created: Timestamp,
}

impl Default for State {
    fn default() -> Self {
        Self {
            accounts: BTreeMap::new(),
            projects: Vec::new(),
            issues: Vec::new(),
            flavour: Flavour::default(),
            site: Logins::default(),
            scoped: Logins::default(),
            licensed: true,
            comment_limit: usize::MAX,
            index: Index::default(),
            anonymous: false,
            faults: Queue::default(),
            calls: Calls::default(),
            next_id: 10_482,
        }
    }
}

impl State {
    pub(super) fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(super) fn account(&self, account_id: &str) -> Account {
        self.accounts.get(account_id).cloned().unwrap_or_else(|| Account::former(account_id))
    }

    /// The issue as a read shows it now: by id, by key in any case, or by a key it had before a move.
    pub(super) fn shown(&self, id_or_key: &str, now: Timestamp) -> Option<&IssueState> {
        let issue = self.issues.iter().find(|issue| issue.is(id_or_key) && !issue.concealed)?;
        match &issue.stale {
            Some((until, before)) if now < *until => (!before.deleted).then_some(before),
            _ => (!issue.deleted).then_some(issue),
        }
    }

    /// The issue as it is, for a write.
    pub(super) fn live(&mut self, id_or_key: &str) -> Option<&mut IssueState> {
        self.issues.iter_mut().find(|issue| issue.is(id_or_key) && issue.is_open_to_writes())
    }

    /// Makes the project if the site does not have it yet.
    pub(super) fn project(&mut self, key: &str) -> &Project {
        let index = self.projects.iter().position(|project| project.key == key).unwrap_or_else(|| {
            let id = (10_007 + self.projects.len()).to_string();
            let name = if key == story::PROJECT { "IT Security Requests" } else { key };
            self.projects.push(Project { id, key: key.to_owned(), name: name.to_owned() });
            self.projects.len() - 1
        });
        &self.projects[index]
    }

    /// The key of some issue that the path does not name.
    pub(super) fn other_than(&self, path: &[&str]) -> String {
        let other = self.issues.iter().find(|issue| !path.iter().any(|part| issue.is(part)));
        other.map_or_else(String::new, |issue| issue.key.clone())
    }
}

impl IssueState {
    pub(super) fn is_open_to_writes(&self) -> bool {
        !self.deleted && !self.concealed
    }

    pub(super) fn is(&self, id_or_key: &str) -> bool {
        self.id == id_or_key
            || self.key.eq_ignore_ascii_case(id_or_key)
            || self.former_keys.iter().any(|key| key.eq_ignore_ascii_case(id_or_key))
    }
}

/// Name and category of a status; the id itself where the workflow does not know it.
pub(super) fn status(id: &str) -> (&str, &'static str) {
    let known = STATUSES.iter().find(|(known, _, _)| *known == id);
    known.map_or((id, "indeterminate"), |(_, name, category)| (*name, *category))
}
