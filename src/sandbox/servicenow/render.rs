//! Rows as JSON: raw, for people, or both (`contracts/tickets.md B4`).

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::Asked;
use super::model::{Acl, Row, State, View, from_utc};
use super::schema::{self, CHANGE, ITEM, Kind};

/// How references are written in raw mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReferenceShape {
    /// As the call asks: `{link, value}`, or text when it excludes links.
    #[default]
    AsAsked,
    /// Always text.
    Plain,
    /// `{value}` where links are excluded, `{link, value}` where they are not.
    ValueOnly,
    /// `{link, value}`, whatever the call says.
    Linked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Display {
    Raw,
    People,
    Both,
}

/// Everything that decides how a row looks in one answer.
pub(super) struct Painter<'a> {
    url: &'a str,
    view: &'a View<'a>,
    acl: &'a Acl,
    shape: ReferenceShape,
    display: Display,
    links: bool,
    fields: Option<Vec<&'a str>>,
    zone: TimeZone,
}

impl<'a> Painter<'a> {
    pub(super) fn new(url: &'a str, state: &'a State, view: &'a View<'a>, asked: &'a Asked) -> Self {
        let display = match asked.query.first("sysparm_display_value") {
            Some("true") => Display::People,
            Some("all") => Display::Both,
            _ => Display::Raw,
        };
        let fields = asked.query.first("sysparm_fields").filter(|names| !names.is_empty());
        Self {
            url,
            view,
            acl: &state.acl,
            shape: state.shape,
            display,
            links: asked.query.first("sysparm_exclude_reference_link") != Some("true"),
            fields: fields.map(|names| names.split(',').map(str::trim).collect()),
            zone: state.zone(&asked.user),
        }
    }

    /// The row with the fields asked for. Unknown and hidden ones are left out without a word.
    pub(super) fn record(&self, row: &Row) -> Value {
        let all = || schema::columns(row.table).unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        let paths: Vec<&str> = self.fields.clone().unwrap_or_else(all);
        let mut record = Map::new();
        for path in paths {
            if let Some(value) = self.cell(row, path) {
                record.insert(path.to_owned(), value);
            }
        }
        Value::Object(record)
    }

    fn cell(&self, row: &Row, path: &str) -> Option<Value> {
        let kind = schema::kind(row.table, path)?;
        let Some((row, column)) = self.view.follow(row, path) else { return Some(self.empty()) };
        if !self.acl.shows(row.table, column) {
            return None;
        }
        Some(match kind {
            Kind::Journal => self.empty(),
            Kind::Reference(_) if row.get(column).is_empty() => self.empty(),
            Kind::Reference(target) => self.reference(row, column, target),
            _ => self.scalar(row.get(column), &display(row.table, column, kind, row.get(column), &self.zone)),
        })
    }

    fn empty(&self) -> Value {
        self.scalar("", "")
    }

    fn scalar(&self, value: &str, display: &str) -> Value {
        match self.display {
            Display::Raw => json!(value),
            Display::People => json!(display),
            Display::Both => json!({"display_value": display, "value": value}),
        }
    }

    fn reference(&self, row: &Row, column: &str, target: &str) -> Value {
        let id = row.get(column);
        // A document may be of any table, which another column names.
        let table = if column == "document_id" { row.get("source_table") } else { target };
        let link = format!("{}/api/now/table/{table}/{id}", self.url);
        let shown = self.view.find(id).map_or(id, title);
        match (self.display, self.links) {
            (Display::People, true) => json!({"display_value": shown, "link": link}),
            (Display::People, false) => json!(shown),
            (Display::Both, true) => json!({"display_value": shown, "link": link, "value": id}),
            (Display::Both, false) => json!({"display_value": shown, "value": id}),
            (Display::Raw, links) => match self.shape {
                ReferenceShape::Plain => json!(id),
                ReferenceShape::AsAsked if !links => json!(id),
                ReferenceShape::ValueOnly if !links => json!({"value": id}),
                _ => json!({"link": link, "value": id}),
            },
        }
    }
}

/// What people call a row.
pub(super) fn title(row: &Row) -> &str {
    match row.table {
        table if schema::is_task(table) => row.get("number"),
        _ => row.get("name"),
    }
}

/// What people see instead of a stored value.
pub(super) fn display(table: &str, column: &str, kind: Kind, value: &str, zone: &TimeZone) -> String {
    match (table, column, kind) {
        (_, _, Kind::Date) => local(value, zone),
        (ITEM, "state", _) => item_state(value).to_owned(),
        (CHANGE, "state", _) => change_state(value).to_owned(),
        (_, "state" | "approval" | "stage" | "type" | "request_state", _) => sentence(value),
        _ => value.to_owned(),
    }
}

fn local(value: &str, zone: &TimeZone) -> String {
    let at = from_utc(value).map(|at| at.to_zoned(zone.clone()));
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// `not_required` is shown as `Not required`.
fn sentence(value: &str) -> String {
    let words = value.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn item_state(value: &str) -> &str {
    match value {
        "-5" => "Pending",
        "1" => "Open",
        "2" => "Work in Progress",
        "3" => "Closed Complete",
        "4" => "Closed Incomplete",
        "7" => "Closed Skipped",
        other => other,
    }
}

fn change_state(value: &str) -> &str {
    match value {
        "-5" => "New",
        "-4" => "Assess",
        "-3" => "Authorize",
        "-2" => "Scheduled",
        "-1" => "Implement",
        "0" => "Review",
        "3" => "Closed",
        "4" => "Canceled",
        other => other,
    }
}
