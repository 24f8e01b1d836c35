//! What administrators and tests do with this Jira: logins, faults, what reads show, and what is really there.
//!
//! Methods that name an issue panic when the site never had it: that is a mistake in the test, not in stint.

use jiff::Timestamp;

use super::super::Call;
use super::super::wire::{lock, plus_seconds, signed};
use super::model::State;
use super::{Account, Comment, Jira, JiraFault};

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
