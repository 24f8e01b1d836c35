//! What administrators and tests do with this Jira: logins, faults, what reads show, and what is really there.
//!
//! Methods that name an issue panic when the site never had it: that is a mistake in the test, not in stint.

use jiff::Timestamp;

use super::super::fault::faults_and_calls;
use super::super::wire::{lock, plus_seconds, signed};
use super::model::State;
use super::{Account, Comment, Flavour, Jira, JiraFault};

faults_and_calls!(Jira, JiraFault);

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

    /// Makes the site run this product from now on; people, issues and logins stay.
    pub fn set_flavour(&self, flavour: Flavour) {
        lock(&self.state).flavour = flavour;
    }

    /// Whether Service Management is licensed; if not, it answers a page with 403.
    pub fn license_service_desk(&self, licensed: bool) {
        lock(&self.state).licensed = licensed;
    }

    /// From now on an issue with so many comments takes no more (413).
    pub fn limit_comments(&self, count: usize) {
        lock(&self.state).comment_limit = count;
    }

    /// Whether the client's login may not see the issue, which then looks like a missing one.
    pub fn conceal(&self, id: &str, concealed: bool) {
        self.with(id, |state, index, _| state.issues[index].concealed = concealed);
    }

    /// Whether the site answers reads without a valid login, as public projects do.
    pub fn allow_anonymous(&self, allowed: bool) {
        lock(&self.state).anonymous = allowed;
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
