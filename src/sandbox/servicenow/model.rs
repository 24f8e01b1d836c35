//! Everything this instance remembers: rows of tables, and what bends the way they are shown.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::super::call::Calls;
use super::super::fault::Queue;
use super::approvals::{Decision, Round};
use super::login::Logins;
use super::schema::{self, MTOM, USER};
use super::{ReferenceShape, SnowFaultKind, SnowOn};

#[derive(Default)]
pub(super) struct State {
    pub(super) rows: Vec<Row>,
    pub(super) rounds: Vec<Round>,
    pub(super) logins: Logins,
    pub(super) acl: Acl,
    pub(super) shape: ReferenceShape,
    /// Invalid queries find nothing instead of too much.
    pub(super) strict: bool,
    /// Decisions wait here until somebody rolls them up.
    pub(super) delayed: Option<Vec<Decision>>,
    /// Tickets whose reads show the past: until when, and the rows of that time.
    pub(super) stale: BTreeMap<String, (Timestamp, Vec<Row>)>,
    pub(super) faults: Queue<SnowOn, SnowFaultKind>,
    pub(super) calls: Calls,
    numbers: BTreeMap<&'static str, u32>,
}

/// One record of one table.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) table: &'static str,
    /// The item or change it is part of; a change or item is part of itself.
    pub(super) ticket: Option<String>,
    pub(super) columns: BTreeMap<String, String>,
    /// What columns said before their latest change.
    pub(super) previous: BTreeMap<String, String>,
    pub(super) deleted: bool,
}

/// What the client's roles do not let it read.
#[derive(Default)]
pub(super) struct Acl {
    pub(super) tables: BTreeSet<String>,
    pub(super) columns: BTreeSet<(String, String)>,
    pub(super) variables: BTreeSet<String>,
    pub(super) records: BTreeSet<String>,
    /// Records of other domains, which are not even counted.
    pub(super) foreign: BTreeSet<String>,
}

/// The rows as reads see them at one moment.
pub(super) struct View<'a>(Vec<&'a Row>);

impl Row {
    /// The column's text; empty where it is not set.
    pub(super) fn get(&self, column: &str) -> &str {
        self.columns.get(column).map_or("", String::as_str)
    }

    pub(super) fn previous<'a>(&'a self, column: &str) -> &'a str {
        self.previous.get(column).map_or_else(|| self.get(column), String::as_str)
    }

    pub(super) fn is(&self, id_or_number: &str) -> bool {
        self.get("sys_id") == id_or_number || (schema::is_task(self.table) && self.get("number") == id_or_number)
    }
}

impl State {
    /// Adds a row and answers its `sys_id`, which is made up unless the columns give one.
    pub(super) fn insert(
        &mut self,
        table: &'static str,
        ticket: Option<&str>,
        columns: &[(&str, &str)],
        author: &str,
        now: Timestamp,
    ) -> String {
        let fresh = sys_id();
        let date = utc(now);
        let system = [
            ("sys_id", fresh.as_str()),
            ("sys_created_on", &date),
            ("sys_created_by", author),
            ("sys_updated_on", &date),
            ("sys_updated_by", author),
            ("sys_mod_count", "0"),
        ];
        let all = system.iter().chain(columns);
        let columns: BTreeMap<_, _> = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let id = columns["sys_id"].clone();
        let ticket = ticket.map(str::to_owned);
        self.rows.push(Row { table, ticket, columns, previous: BTreeMap::new(), deleted: false });
        id
    }

    /// Saves the row with these values: counters and stamps move even when no value does.
    pub(super) fn set(&mut self, id: &str, values: &[(&str, &str)], author: &str, now: Timestamp) {
        let Some(row) = self.rows.iter_mut().find(|row| row.get("sys_id") == id) else { return };
        for (name, value) in values {
            let old = row.columns.insert((*name).to_owned(), (*value).to_owned()).unwrap_or_default();
            row.previous.insert((*name).to_owned(), old);
        }
        let count = row.get("sys_mod_count").parse::<u64>().unwrap_or(0) + 1;
        for (name, value) in
            [("sys_mod_count", count.to_string()), ("sys_updated_on", utc(now)), ("sys_updated_by", author.to_owned())]
        {
            row.columns.insert(name.to_owned(), value);
        }
    }

    /// The next number of a table, as in `RITM0010588`.
    pub(super) fn number(&mut self, prefix: &'static str, first: u32) -> String {
        let next = self.numbers.entry(prefix).or_insert(first);
        let number = format!("{prefix}{next:07}");
        *next += 1;
        number
    }

    /// The row as it is, deleted or not.
    pub(super) fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.get("sys_id") == id)
    }

    /// The column's text as it is, whatever reads show.
    pub(super) fn value(&self, id: &str, column: &str) -> String {
        self.row(id).map_or_else(String::new, |row| row.get(column).to_owned())
    }

    pub(super) fn table_of(&self, id: &str) -> &'static str {
        self.row(id).map_or("", |row| row.table)
    }

    /// The `user_name` of a user; the id itself where there is no such user, as for `system`.
    pub(super) fn user_name(&self, user: &str) -> String {
        self.row(user).map_or(user, |row| row.get("user_name")).to_owned()
    }

    /// The rows as reads see them now.
    pub(super) fn view(&self, now: Timestamp) -> View<'_> {
        let stale = |row: &Row| {
            let frozen = row.ticket.as_ref().and_then(|ticket| self.stale.get(ticket));
            frozen.is_some_and(|(until, _)| now < *until)
        };
        let present = self.rows.iter().filter(|row| !stale(row));
        let past = self.stale.values().filter(|(until, _)| now < *until).flat_map(|(_, rows)| rows);
        let foreign = |row: &Row| self.acl.foreign.contains(row.get("sys_id"));
        View(present.chain(past).filter(|row| !row.deleted && !foreign(row)).collect())
    }

    /// The time zone in which the user reads and writes dates.
    pub(super) fn zone(&self, user_name: &str) -> TimeZone {
        let is_user = |row: &&Row| row.table == USER && row.get("user_name") == user_name;
        zone(self.rows.iter().find(is_user).map_or("", |row| row.get("time_zone")))
    }
}

impl<'a> View<'a> {
    pub(super) fn rows(&self, table: &str) -> Vec<&'a Row> {
        self.0.iter().copied().filter(|row| row.table == table).collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<&'a Row> {
        self.0.iter().copied().find(|row| row.get("sys_id") == id)
    }

    /// The row and the column a path through references leads to, or nothing where a reference is empty.
    pub(super) fn follow<'p>(&self, row: &'a Row, path: &'p str) -> Option<(&'a Row, &'p str)> {
        match path.split_once('.') {
            None => Some((row, path)),
            Some((reference, rest)) => self.follow(self.find(row.get(reference))?, rest),
        }
    }

    pub(super) fn text(&self, row: &'a Row, path: &str) -> &'a str {
        self.follow(row, path).map_or("", |(row, column)| row.get(column))
    }
}

impl Acl {
    pub(super) fn allows(&self, view: &View, row: &Row) -> bool {
        let hidden_variable = || {
            let name = view.find(row.get("sc_item_option")).map(|option| view.text(option, "item_option_new.name"));
            name.is_some_and(|name| self.variables.contains(name))
        };
        let id = row.get("sys_id");
        let hidden = self.tables.contains(row.table) || self.records.contains(id) || self.foreign.contains(id);
        !(hidden || row.table == MTOM && hidden_variable())
    }

    pub(super) fn shows(&self, table: &str, column: &str) -> bool {
        !self.columns.contains(&(table.to_owned(), column.to_owned()))
    }
}

/// The raw form of a date: UTC, without saying so.
pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The moment a raw date names.
pub(super) fn from_utc(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A fresh 32-digit id.
pub(super) fn sys_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The zones people of the sandbox live in, as rules, so that no time zone database is needed.
fn zone(name: &str) -> TimeZone {
    match name {
        "Europe/Zurich" | "Europe/Berlin" => TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC),
        _ => TimeZone::UTC,
    }
}
