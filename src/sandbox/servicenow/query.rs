//! Encoded queries (`contracts/tickets.md B4, H10`).
//!
//! Terms that cannot be understood are dropped, as the real instance drops them, so that a wrong query finds too
//! much; a strict instance finds nothing instead. Dates are read in the caller's time zone.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::wire::plus_seconds;
use super::model::{Row, View, utc};
use super::schema::{self, Kind};

/// Signs before words, longer ones before their own beginnings.
const OPERATORS: [(&str, Operator); 8] = [
    ("!=", Operator::IsNot),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=", Operator::Is),
    (">", Operator::After),
    ("<", Operator::Before),
    ("IN", Operator::In),
    ("LIKE", Operator::Like),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    In,
    Like,
    After,
    AtLeast,
    Before,
    AtMost,
}

struct Term {
    path: String,
    kind: Kind,
    operator: Operator,
    value: String,
}

/// When and where a query's dates are read.
pub(super) struct Clock {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

/// Alternatives (`^NQ`) of conjunctions (`^`) of disjunctions (`^OR`), and an order.
pub(super) struct Query {
    alternatives: Vec<Vec<Vec<Term>>>,
    /// Path, what is there, and whether the greatest comes first.
    order: Vec<(String, Kind, bool)>,
    /// Whether a term was dropped.
    pub(super) invalid: bool,
}

impl Query {
    pub(super) fn parse(table: &str, text: &str, clock: &Clock) -> Self {
        let mut query = Self { alternatives: vec![Vec::new()], order: Vec::new(), invalid: false };
        for part in text.split('^').filter(|part| !part.is_empty()) {
            query.add(table, part, clock);
        }
        query
    }

    fn add(&mut self, table: &str, part: &str, clock: &Clock) {
        if let Some(path) = part.strip_prefix("ORDERBYDESC") {
            self.order_by(table, path, true);
        } else if let Some(path) = part.strip_prefix("ORDERBY") {
            self.order_by(table, path, false);
        } else if let Some(term) = part.strip_prefix("OR") {
            let group = self.alternatives.last_mut().and_then(Vec::pop).unwrap_or_default();
            self.require(table, term, group, clock);
        } else if let Some(term) = part.strip_prefix("NQ") {
            self.alternatives.push(Vec::new());
            self.require(table, term, Vec::new(), clock);
        } else {
            self.require(table, part, Vec::new(), clock);
        }
    }

    fn order_by(&mut self, table: &str, path: &str, descending: bool) {
        match schema::kind(table, path) {
            Some(kind) => self.order.push((path.to_owned(), kind, descending)),
            None => self.invalid = true,
        }
    }

    fn require(&mut self, table: &str, term: &str, mut group: Vec<Term>, clock: &Clock) {
        match Term::parse(table, term, clock) {
            Some(term) => group.push(term),
            None => self.invalid = true,
        }
        if let (false, Some(all)) = (group.is_empty(), self.alternatives.last_mut()) {
            all.push(group);
        }
    }

    pub(super) fn accepts(&self, view: &View, row: &Row) -> bool {
        let holds = |group: &Vec<Term>| group.iter().any(|term| term.holds(view, row));
        self.alternatives.iter().any(|all| all.iter().all(holds))
    }

    pub(super) fn sort(&self, view: &View, rows: &mut [&Row]) {
        for (path, kind, descending) in self.order.iter().rev() {
            rows.sort_by(|one, other| {
                let order = compare(*kind, view.text(one, path), view.text(other, path));
                if *descending { order.reverse() } else { order }
            });
        }
    }
}

impl Term {
    fn parse(table: &str, text: &str, clock: &Clock) -> Option<Self> {
        let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
        let (path, rest) = text.split_at(text.bytes().position(|byte| !in_name(byte))?);
        let kind = schema::kind(table, path)?;
        let (sign, operator) = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        let value = literal(kind, *operator, &rest[sign.len()..], clock)?;
        Some(Self { path: path.to_owned(), kind, operator: *operator, value })
    }

    fn holds(&self, view: &View, row: &Row) -> bool {
        let actual = view.text(row, &self.path);
        match self.operator {
            Operator::Is => actual == self.value,
            Operator::IsNot => actual != self.value,
            Operator::In => self.value.split(',').any(|one| one == actual),
            Operator::Like => actual.to_lowercase().contains(&self.value.to_lowercase()),
            Operator::After => self.order(actual).is_some_and(Ordering::is_gt),
            Operator::AtLeast => self.order(actual).is_some_and(Ordering::is_ge),
            Operator::Before => self.order(actual).is_some_and(Ordering::is_lt),
            Operator::AtMost => self.order(actual).is_some_and(Ordering::is_le),
        }
    }

    /// How the actual value stands to the term's; an empty one to nothing.
    fn order(&self, actual: &str) -> Option<Ordering> {
        (!actual.is_empty()).then(|| compare(self.kind, actual, &self.value))
    }
}

/// Numbers by their worth, all else by its letters.
fn compare(kind: Kind, one: &str, other: &str) -> Ordering {
    match (kind, one.parse::<i64>(), other.parse::<i64>()) {
        (Kind::Number, Ok(one), Ok(other)) => one.cmp(&other),
        _ => one.cmp(other),
    }
}

/// The value as it is stored. Scripts make sense in dates only, and only the one script.
fn literal(kind: Kind, operator: Operator, text: &str, clock: &Clock) -> Option<String> {
    if let Some(script) = text.strip_prefix("javascript:") {
        return (kind == Kind::Date).then(|| minutes_ago_start(script, clock.now)).flatten();
    }
    let single = !matches!(operator, Operator::In | Operator::Like);
    if kind == Kind::Date && single && !text.is_empty() {
        let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
        return Some(utc(local.to_zoned(clock.zone.clone()).ok()?.timestamp()));
    }
    Some(text.to_owned())
}

/// `gs.minutesAgoStart(15)`: the beginning of the minute fifteen minutes ago.
fn minutes_ago_start(script: &str, now: Timestamp) -> Option<String> {
    let minutes: i64 = script.strip_prefix("gs.minutesAgoStart(")?.strip_suffix(')')?.parse().ok()?;
    let then = plus_seconds(now, minutes.checked_mul(-60)?);
    Some(then.strftime("%Y-%m-%d %H:%M:00").to_string())
}
