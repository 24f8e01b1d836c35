//! Which columns the instance's tables have, and where their references lead (`contracts/tickets.md B3, B4`).

/// What a column holds. On the wire all of it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// `true` or `false`.
    Flag,
    /// `YYYY-MM-DD HH:MM:SS` in UTC.
    Date,
    /// Write only; what was written is in `sys_journal_field`.
    Journal,
    /// The `sys_id` of a row of this table.
    Reference(&'static str),
}

use Kind::{Date, Flag, Journal, Number, Reference, Text};

pub(super) type Column = (&'static str, Kind);

pub(super) const ITEM: &str = "sc_req_item";
pub(super) const REQUEST: &str = "sc_request";
pub(super) const CHANGE: &str = "change_request";
pub(super) const APPROVER: &str = "sysapproval_approver";
pub(super) const MTOM: &str = "sc_item_option_mtom";
pub(super) const OPTION: &str = "sc_item_option";
pub(super) const QUESTION: &str = "item_option_new";
pub(super) const USER: &str = "sys_user";
pub(super) const CATALOG_ITEM: &str = "sc_cat_item";
pub(super) const JOURNAL: &str = "sys_journal_field";
/// What items, requests and changes have in common; it has no rows of its own here.
const TASK: &str = "task";

const SYSTEM_COLUMNS: &[Column] = &[
    ("sys_id", Text),
    ("sys_created_on", Date),
    ("sys_created_by", Text),
    ("sys_updated_on", Date),
    ("sys_updated_by", Text),
    ("sys_mod_count", Number),
];

const TASK_COLUMNS: &[Column] = &[
    ("number", Text),
    ("sys_class_name", Text),
    ("short_description", Text),
    ("approval", Text),
    ("approval_set", Date),
    ("state", Number),
    ("active", Flag),
    ("opened_by", Reference(USER)),
    ("opened_at", Date),
    ("work_notes", Journal),
    ("comments", Journal),
    ("correlation_id", Text),
];

const ITEM_COLUMNS: &[Column] = &[
    ("request", Reference(REQUEST)),
    ("cat_item", Reference(CATALOG_ITEM)),
    ("requested_for", Reference(USER)),
    ("stage", Text),
    ("quantity", Number),
];

const REQUEST_COLUMNS: &[Column] = &[("request_state", Text), ("requested_for", Reference(USER))];

const CHANGE_COLUMNS: &[Column] = &[
    ("type", Text),
    ("phase", Text),
    ("start_date", Date),
    ("end_date", Date),
    ("on_hold", Flag),
    ("requested_by", Reference(USER)),
    ("assigned_to", Reference(USER)),
    ("std_change_producer_version", Text),
    ("entitlement", Text),
    ("target_upn", Text),
    ("duration", Text),
];

const APPROVER_COLUMNS: &[Column] = &[
    ("state", Text),
    ("approver", Reference(USER)),
    ("sysapproval", Reference(TASK)),
    ("document_id", Reference(TASK)),
    ("source_table", Text),
    ("group", Text),
    ("comments", Text),
    ("due_date", Date),
];

const MTOM_COLUMNS: &[Column] = &[("request_item", Reference(ITEM)), ("sc_item_option", Reference(OPTION))];
const OPTION_COLUMNS: &[Column] = &[("item_option_new", Reference(QUESTION)), ("value", Text), ("order", Number)];
const QUESTION_COLUMNS: &[Column] = &[("name", Text), ("question_text", Text), ("cat_item", Reference(CATALOG_ITEM))];

const USER_COLUMNS: &[Column] = &[
    ("user_name", Text),
    ("name", Text),
    ("email", Text),
    ("active", Flag),
    ("locked_out", Flag),
    ("time_zone", Text),
];

const JOURNAL_COLUMNS: &[Column] = &[("name", Text), ("element_id", Text), ("element", Text), ("value", Text)];

/// The table's columns, or nothing when there is no such table.
pub(super) fn columns(table: &str) -> Option<Vec<Column>> {
    let own: &[&[Column]] = match table {
        TASK => &[TASK_COLUMNS],
        ITEM => &[TASK_COLUMNS, ITEM_COLUMNS],
        REQUEST => &[TASK_COLUMNS, REQUEST_COLUMNS],
        CHANGE => &[TASK_COLUMNS, CHANGE_COLUMNS],
        APPROVER => &[APPROVER_COLUMNS],
        MTOM => &[MTOM_COLUMNS],
        OPTION => &[OPTION_COLUMNS],
        QUESTION => &[QUESTION_COLUMNS],
        USER => &[USER_COLUMNS],
        CATALOG_ITEM => &[&[("name", Text), ("active", Flag)]],
        JOURNAL => &[JOURNAL_COLUMNS],
        _ => return None,
    };
    Some([SYSTEM_COLUMNS, &own.concat()].concat())
}

/// What a column holds, which may be named through references: `sc_item_option.item_option_new.name`.
pub(super) fn kind(table: &str, path: &str) -> Option<Kind> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let (_, found) = columns(table)?.into_iter().find(|(known, _)| *known == name)?;
    match (rest, found) {
        (None, found) => Some(found),
        (Some(rest), Reference(target)) => kind(target, rest),
        (Some(_), _) => None,
    }
}

/// Whether the table's rows are tasks, which have a number, a journal and approvals.
pub(super) fn is_task(table: &str) -> bool {
    matches!(table, ITEM | REQUEST | CHANGE)
}
