//! What people of this instance do first: exist, and ask.

use jiff::Timestamp;

use super::super::story;
use super::super::wire::lock;
use super::ServiceNow;
use super::model::{State, sys_id, utc};
use super::schema::{CATALOG_ITEM, CHANGE, ITEM, MTOM, OPTION, QUESTION, REQUEST, USER};

/// A user of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The immutable id.
    pub sys_id: String,
    /// What the user logs in with, and what stamps say.
    pub user_name: String,
    /// Display name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// In which dates are shown to the user and read from the user's queries.
    pub time_zone: String,
    /// Whether the account is in use.
    pub active: bool,
}

impl User {
    /// An active employee in Zurich.
    #[must_use]
    pub fn person(sys_id: &str, user_name: &str, name: &str, email: &str) -> Self {
        Self {
            sys_id: sys_id.to_owned(),
            user_name: user_name.to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            time_zone: "Europe/Zurich".to_owned(),
            active: true,
        }
    }
}

/// The two names of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Immutable.
    pub sys_id: String,
    /// What people say: `RITM0010588`.
    pub number: String,
}

/// An order from the service catalog as somebody submits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemDraft {
    /// `sys_id` of the catalog item.
    pub cat_item: String,
    /// User who is to have it.
    pub requested_for: String,
    /// User who typed it in.
    pub opened_by: String,
    /// The variable `entitlement`; empty means that the form has none.
    pub entitlement: String,
    /// The variable `target_upn`; empty means that the form has none.
    pub principal: String,
    /// The variable `duration`; empty means that the form has none.
    pub duration: String,
    /// Further variables, names and values; here a value may be empty and a name may come twice.
    pub variables: Vec<(String, String)>,
}

/// A change as somebody plans it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeDraft {
    /// `normal`, `emergency` or `standard`.
    pub change_type: String,
    /// The template of a standard change; otherwise empty.
    pub std_change_producer_version: String,
    /// Planned start.
    pub start: Option<Timestamp>,
    /// Planned end.
    pub end: Option<Timestamp>,
    /// User who asks for it.
    pub requested_by: String,
    /// User who typed it in.
    pub opened_by: String,
    /// The column `entitlement`.
    pub entitlement: String,
    /// The column `target_upn`.
    pub principal: String,
    /// The column `duration`.
    pub duration: String,
}

impl Default for ItemDraft {
    /// Nina orders Exchange Administrator for four hours.
    fn default() -> Self {
        Self {
            cat_item: story::SNOW_CATALOG_ITEM.to_owned(),
            requested_for: story::NINA_SYS_ID.to_owned(),
            opened_by: story::NINA_SYS_ID.to_owned(),
            entitlement: "exchange-admin".to_owned(),
            principal: story::NINA_UPN.to_owned(),
            duration: "PT4H".to_owned(),
            variables: Vec::new(),
        }
    }
}

impl Default for ChangeDraft {
    /// Nina plans a normal change without a window that needs Exchange Administrator for four hours.
    fn default() -> Self {
        Self {
            change_type: "normal".to_owned(),
            std_change_producer_version: String::new(),
            start: None,
            end: None,
            requested_by: story::NINA_SYS_ID.to_owned(),
            opened_by: story::NINA_SYS_ID.to_owned(),
            entitlement: "exchange-admin".to_owned(),
            principal: story::NINA_UPN.to_owned(),
            duration: "PT4H".to_owned(),
        }
    }
}

impl ServiceNow {
    /// Adds or replaces a user.
    pub fn set_user(&self, user: &User) {
        let now = (self.now)();
        let mut state = lock(&self.state);
        state.rows.retain(|row| row.table != USER || !row.is(&user.sys_id));
        let active = user.active.to_string();
        let columns = [
            ("sys_id", user.sys_id.as_str()),
            ("user_name", &user.user_name),
            ("name", &user.name),
            ("email", &user.email),
            ("time_zone", &user.time_zone),
            ("active", &active),
            ("locked_out", "false"),
        ];
        state.insert(USER, None, &columns, "admin", now);
    }

    /// Adds an item to the service catalog.
    pub fn add_catalog_item(&self, id: &str, name: &str) {
        let columns = [("sys_id", id), ("name", name), ("active", "true")];
        lock(&self.state).insert(CATALOG_ITEM, None, &columns, "admin", (self.now)());
    }

    /// Somebody orders from the catalog: a request item with a request above it.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn create_item(&self, draft: ItemDraft) -> Record {
        lock(&self.state).order(draft, (self.now)())
    }

    /// Somebody plans a change. It is new, and nobody has been asked to approve it.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn create_change(&self, draft: &ChangeDraft) -> Record {
        lock(&self.state).plan(draft, (self.now)())
    }
}

impl State {
    fn order(&mut self, draft: ItemDraft, now: Timestamp) -> Record {
        let id = sys_id();
        let request_columns = [("requested_for", draft.requested_for.as_str()), ("request_state", "submitted")];
        let request = self.task(REQUEST, &sys_id(), Some(&id), &draft.opened_by, &request_columns, now).sys_id;
        let columns = [
            ("request", request.as_str()),
            ("cat_item", &draft.cat_item),
            ("requested_for", &draft.requested_for),
            ("short_description", "Privileged role for a limited time"),
            ("stage", "waiting_for_approval"),
            ("quantity", "1"),
        ];
        let record = self.task(ITEM, &id, Some(&id), &draft.opened_by, &columns, now);
        let author = self.user_name(&draft.opened_by);
        let mapped =
            [("entitlement", draft.entitlement), ("target_upn", draft.principal), ("duration", draft.duration)];
        let mapped = mapped.into_iter().filter(|(_, value)| !value.is_empty());
        for (name, value) in mapped.map(|(name, value)| (name.to_owned(), value)).chain(draft.variables) {
            self.add_variable(&id, (&name, &value), &author, now);
        }
        record
    }

    fn plan(&mut self, draft: &ChangeDraft, now: Timestamp) -> Record {
        let date = |at: Option<Timestamp>| at.map(utc).unwrap_or_default();
        let (start, end) = (date(draft.start), date(draft.end));
        let columns = [
            ("type", draft.change_type.as_str()),
            ("std_change_producer_version", &draft.std_change_producer_version),
            ("state", "-5"),
            ("phase", "requested"),
            ("start_date", &start),
            ("end_date", &end),
            ("on_hold", "false"),
            ("requested_by", &draft.requested_by),
            ("assigned_to", &draft.requested_by),
            ("short_description", "Mailbox migration"),
            ("entitlement", &draft.entitlement),
            ("target_upn", &draft.principal),
            ("duration", &draft.duration),
        ];
        let id = sys_id();
        self.task(CHANGE, &id, Some(&id), &draft.opened_by, &columns, now)
    }

    /// A new task, open and not yet up for approval; later columns win.
    fn task(
        &mut self,
        table: &'static str,
        id: &str,
        ticket: Option<&str>,
        opened_by: &str,
        own: &[(&str, &str)],
        now: Timestamp,
    ) -> Record {
        let number = match table {
            CHANGE => self.number("CHG", 31_877),
            REQUEST => self.number("REQ", 10_402),
            _ => self.number("RITM", 10_588),
        };
        let opened_at = utc(now);
        let common = [
            ("sys_id", id),
            ("number", &number),
            ("sys_class_name", table),
            ("approval", "not requested"),
            ("state", "1"),
            ("active", "true"),
            ("opened_by", opened_by),
            ("opened_at", &opened_at),
        ];
        let author = self.user_name(opened_by);
        let sys_id = self.insert(table, ticket, &[&common, own].concat(), &author, now);
        Record { sys_id, number }
    }

    pub(super) fn add_variable(&mut self, item: &str, (name, value): (&str, &str), author: &str, now: Timestamp) {
        let cat_item = self.value(item, "cat_item");
        let question = [("name", name), ("question_text", name), ("cat_item", &cat_item)];
        let question = self.insert(QUESTION, Some(item), &question, "admin", now);
        let option = [("item_option_new", question.as_str()), ("value", value)];
        let option = self.insert(OPTION, Some(item), &option, author, now);
        self.insert(MTOM, Some(item), &[("request_item", item), ("sc_item_option", &option)], author, now);
    }
}
