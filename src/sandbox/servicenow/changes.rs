//! What people do to a ticket besides deciding it: edit, hold, cancel, close, revert, reopen, comment, delete.

use jiff::Timestamp;

use super::ServiceNow;
use super::model::{Row, State, utc};
use super::schema::{APPROVER, CHANGE, ITEM, JOURNAL, MTOM, REQUEST};

impl ServiceNow {
    /// Somebody withdraws the ticket; approvers who were still asked are asked no longer.
    pub fn cancel(&self, id: &str) {
        self.with(id, |state, id, now| {
            state.cancel_rounds(id, now);
            let author = state.owner(id);
            let stage = (state.table_of(id) == ITEM).then_some(("stage", "Request Cancelled"));
            let columns = [("state", "4"), ("active", "false")].into_iter().chain(stage);
            state.set(id, &columns.collect::<Vec<_>>(), &author, now);
        });
    }

    /// The work is done and the ticket closed.
    pub fn close(&self, id: &str) {
        self.with(id, |state, id, now| {
            let author = state.owner(id);
            let stage = (state.table_of(id) == ITEM).then_some(("stage", "complete"));
            let columns = [("state", "3"), ("active", "false")].into_iter().chain(stage);
            state.set(id, &columns.collect::<Vec<_>>(), &author, now);
        });
    }

    /// Somebody sets a column of the record by hand, past any process: `state`, `requested_for`, …
    pub fn edit_column(&self, id: &str, column: &str, value: &str, author: &str) {
        self.with(id, |state, id, now| {
            let author = state.user_name(author);
            state.set(id, &[(column, value)], &author, now);
        });
    }

    /// Somebody edits a catalog variable of an item, or the column of that name of a change. Approval is not asked
    /// again.
    pub fn edit_variable(&self, id: &str, name: &str, value: &str, author: &str) {
        self.with(id, |state, id, now| {
            let author = state.user_name(author);
            if state.table_of(id) == CHANGE {
                return state.set(id, &[(name, value)], &author, now);
            }
            match state.option(id, name) {
                Some(option) => state.set(&option, &[("value", value)], &author, now),
                None => state.add_variable(id, (name, value), &author, now),
            }
            state.set(id, &[], &author, now);
        });
    }

    /// A change goes back to New: open approvals are cancelled, the old rows stay.
    pub fn revert_to_new(&self, change: &str) {
        self.with(change, |state, id, now| {
            state.cancel_rounds(id, now);
            let author = state.owner(id);
            state.set(id, &[("state", "-5"), ("approval", "not requested")], &author, now);
        });
    }

    /// An item is open and up for approval again. The old approver rows stay as they were.
    pub fn reopen(&self, item: &str) {
        self.with(item, |state, id, now| {
            let author = state.owner(id);
            let columns = [
                ("state", "1"),
                ("active", "true"),
                ("approval", "requested"),
                ("approval_set", ""),
                ("stage", "waiting_for_approval"),
            ];
            state.set(id, &columns, &author, now);
        });
    }

    /// Puts a change on hold, or takes it off.
    pub fn hold(&self, change: &str, on_hold: bool) {
        self.with(change, |state, id, now| {
            let author = state.owner(id);
            state.set(id, &[("on_hold", &on_hold.to_string())], &author, now);
        });
    }

    /// Plans a change for another time.
    pub fn set_window(&self, change: &str, start: Option<Timestamp>, end: Option<Timestamp>) {
        self.with(change, |state, id, now| {
            let date = |at: Option<Timestamp>| at.map(utc).unwrap_or_default();
            let (author, start, end) = (state.owner(id), date(start), date(end));
            state.set(id, &[("start_date", &start), ("end_date", &end)], &author, now);
        });
    }

    /// Deletes the ticket with its approver rows and variables; its journal and its request stay.
    pub fn delete(&self, id: &str) {
        self.with(id, |state, id, _| {
            let is_part = |row: &&mut Row| row.ticket.as_deref() == Some(id) && row.table != REQUEST;
            state.rows.iter_mut().filter(is_part).for_each(|row| row.deleted = true);
        });
    }

    /// The user has left.
    pub fn deactivate_user(&self, user: &str) {
        self.with(user, |state, id, now| state.set(id, &[("active", "false")], "admin", now));
    }

    /// Somebody writes a comment that customers see.
    pub fn comment(&self, id: &str, author: &str, text: &str) {
        self.with(id, |state, id, now| {
            let author = state.user_name(author);
            state.note(id, "comments", text, &author, now);
            state.set(id, &[], &author, now);
        });
    }
}

impl State {
    /// Appends to the journal of a task; the task itself shows nothing of it.
    pub(super) fn note(&mut self, task: &str, element: &str, text: &str, author: &str, now: Timestamp) {
        let columns = [("name", self.table_of(task)), ("element_id", task), ("element", element), ("value", text)];
        self.insert(JOURNAL, None, &columns, author, now);
    }

    /// The user name of whoever opened the ticket.
    fn owner(&self, id: &str) -> String {
        self.user_name(&self.value(id, "opened_by"))
    }

    /// The row that holds a variable's value.
    fn option(&self, item: &str, name: &str) -> Option<String> {
        let mut variables = self.variables(item).into_iter();
        variables.find(|(known, _)| known == name).map(|(_, option)| option)
    }

    /// Names of an item's variables, and the rows that hold their values.
    pub(super) fn variables(&self, item: &str) -> Vec<(String, String)> {
        let of_item = self.rows.iter().filter(|row| row.table == MTOM && row.get("request_item") == item);
        let options = of_item.map(|row| row.get("sc_item_option").to_owned());
        options.map(|option| (self.value(&self.value(&option, "item_option_new"), "name"), option)).collect()
    }

    /// The newest approver row of a ticket, its parent's included, that satisfies the condition.
    pub(super) fn newest_approver(&self, ticket: &str, accept: impl Fn(&Row) -> bool) -> Option<&Row> {
        let of_ticket = |row: &&Row| row.table == APPROVER && row.ticket.as_deref() == Some(ticket);
        self.rows.iter().rev().filter(of_ticket).find(|row| accept(row))
    }
}
