//! What administrators and tests do with this instance: logins, faults, what reads show, and what is really there.
//!
//! Methods that name a record take its `sys_id` or number and panic when there never was one: that is a mistake in
//! the test, not in stint.

use jiff::Timestamp;

use super::super::fault::faults_and_calls;
use super::super::wire::{lock, plus_seconds, signed};
use super::login::Client;
use super::model::{Row, State, from_utc};
use super::schema::JOURNAL;
use super::{ReferenceShape, ServiceNow, SnowFault};

/// A work note or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The text.
    pub text: String,
    /// User name of the author.
    pub author: String,
    /// When it was written, to the second.
    pub created: Timestamp,
    /// A work note, which customers do not see.
    pub internal: bool,
}

faults_and_calls!(ServiceNow, SnowFault);

impl ServiceNow {
    /// The origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// From now on this login may use the API.
    pub fn allow_basic(&self, user_name: &str, password: &str) {
        lock(&self.state).logins.basic.push((user_name.to_owned(), password.to_owned()));
    }

    /// From now on this API key may use the API as that user.
    pub fn allow_api_key(&self, key: &str, user_name: &str) {
        lock(&self.state).logins.keys.push((key.to_owned(), user_name.to_owned()));
    }

    /// From now on this OAuth client gets tokens: for that user by itself, or for whoever logs in with a password.
    pub fn allow_client(&self, id: &str, secret: &str, user_name: &str) {
        let client = Client { id: id.to_owned(), secret: secret.to_owned(), user: user_name.to_owned() };
        lock(&self.state).logins.clients.push(client);
    }

    /// All logins are refused from now on, tokens included.
    pub fn revoke_logins(&self) {
        lock(&self.state).logins = super::login::Logins::default();
    }

    /// The tokens given out so far are refused from now on; logins still get new ones.
    pub fn revoke_tokens(&self) {
        lock(&self.state).logins.tokens.clear();
    }

    /// From now on the client may not read this column: it is absent from rows.
    pub fn hide_column(&self, table: &str, column: &str) {
        lock(&self.state).acl.columns.insert((table.to_owned(), column.to_owned()));
    }

    /// From now on the client may not read the catalog variable: its rows are absent.
    pub fn hide_variable(&self, name: &str) {
        lock(&self.state).acl.variables.insert(name.to_owned());
    }

    /// From now on the client may not read the record; lists still count it.
    pub fn hide_record(&self, id: &str) {
        self.with(id, |state, id, _| state.acl.records.insert(id.to_owned()));
    }

    /// The record belongs to another customer's domain from now on: the client cannot see it and lists do not count
    /// it.
    pub fn move_to_other_domain(&self, id: &str) {
        self.with(id, |state, id, _| state.acl.foreign.insert(id.to_owned()));
    }

    /// From now on the client may not read any row of the table; lists still count them.
    pub fn hide_table(&self, table: &str) {
        lock(&self.state).acl.tables.insert(table.to_owned());
    }

    /// The client may read everything again.
    pub fn show_all(&self) {
        lock(&self.state).acl = super::model::Acl::default();
    }

    /// How references are written from now on.
    pub fn reference_shape(&self, shape: ReferenceShape) {
        lock(&self.state).shape = shape;
    }

    /// Whether an invalid query finds nothing, instead of being followed as far as it is understood.
    pub fn strict_queries(&self, strict: bool) {
        lock(&self.state).strict = strict;
    }

    /// For so many seconds, reads go on showing the ticket, its approver rows and its variables as they are now,
    /// whatever happens to them.
    pub fn stale_for(&self, id: &str, seconds: u64) {
        self.with(id, |state, id, now| {
            let rows = state.rows.iter().filter(|row| row.ticket.as_deref() == Some(id)).cloned().collect();
            state.stale.insert(id.to_owned(), (plus_seconds(now, signed(seconds)), rows));
        });
    }

    /// What the column really says now, whatever reads show.
    #[must_use]
    pub fn column(&self, id: &str, column: &str) -> String {
        self.with(id, |state, id, _| state.value(id, column))
    }

    /// The `sys_id` of the item's parent request.
    #[must_use]
    pub fn parent(&self, item: &str) -> String {
        self.column(item, "request")
    }

    /// The `sys_id` of the newest approver row about the ticket or its parent.
    #[must_use]
    pub fn newest_approval(&self, id: &str) -> Option<String> {
        self.with(id, |state, id, _| state.newest_approver(id, |_| true).map(|row| row.get("sys_id").to_owned()))
    }

    /// All work notes and comments, oldest first.
    #[must_use]
    pub fn work_notes(&self, id: &str) -> Vec<JournalEntry> {
        self.with(id, |state, id, _| {
            let of_record = |row: &&Row| row.table == JOURNAL && row.get("element_id") == id;
            state.rows.iter().filter(of_record).map(journal_entry).collect()
        })
    }

    #[expect(clippy::panic, reason = "a test that names a record there never was must hear of it at once")]
    pub(super) fn with<T>(&self, id: &str, act: impl FnOnce(&mut State, &str, Timestamp) -> T) -> T {
        let now = (self.now)();
        let mut state = lock(&self.state);
        let found = state.rows.iter().find(|row| row.is(id)).map(|row| row.get("sys_id").to_owned());
        match found {
            Some(id) => act(&mut state, &id, now),
            None => panic!("the sandbox's ServiceNow has no record {id:?}"),
        }
    }
}

fn journal_entry(row: &Row) -> JournalEntry {
    JournalEntry {
        text: row.get("value").to_owned(),
        author: row.get("sys_created_by").to_owned(),
        created: from_utc(row.get("sys_created_on")).unwrap_or_default(),
        internal: row.get("element") == "work_notes",
    }
}
