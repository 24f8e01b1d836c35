//! Answer after answer, and lists that ServiceNow gives in pages.
//!
//! The window of a page is cut before rows are hidden, so a short or empty page is not the end (`contracts/tickets.md`
//! B4): the offset steps on while the count of rows says that there are more. The same count tells that rows are
//! hidden.

use std::collections::BTreeSet;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{
    super::{Step, TicketError},
    document, get, shape, table_path, total,
};
use crate::{
    json,
    outbound::{Answer, Call},
};

/// Rows on a page.
const LIMIT: usize = 200;

/// A longer list is an error: half a list must never be taken for the whole.
const MAX_PAGES: usize = 50;

/// Why there is no result yet.
#[derive(Debug)]
pub(super) enum Pause {
    /// This call must be answered first.
    Send(Box<Call>),
    /// There will be none.
    Fail(TicketError),
}

impl From<TicketError> for Pause {
    fn from(error: TicketError) -> Self {
        Self::Fail(error)
    }
}

impl From<json::Fault> for Pause {
    fn from(fault: json::Fault) -> Self {
        Self::Fail(fault.into())
    }
}

pub(super) fn step<T>(result: Result<T, Pause>) -> Result<Step<T>, TicketError> {
    match result {
        Ok(result) => Ok(Step::Done(result)),
        Err(Pause::Send(call)) => Ok(Step::Send(*call)),
        Err(Pause::Fail(error)) => Err(error),
    }
}

/// The answers to the calls asked for so far, taken in the order in which they are asked for.
pub(super) struct Answers<'a> {
    left: &'a [Answer],
}

/// Rows of a table.
pub(super) struct Listing<'a> {
    pub(super) table: &'a str,
    pub(super) query: String,
    pub(super) fields: &'a str,
    /// Whether rows that stint may not see are a fault.
    pub(super) whole: bool,
}

impl<'a> Answers<'a> {
    pub(super) fn new(left: &'a [Answer]) -> Self {
        Self { left }
    }

    /// The answer to this call.
    pub(super) fn to(&mut self, call: impl FnOnce() -> Call) -> Result<&'a Answer, Pause> {
        let (answer, left) = self.left.split_first().ok_or_else(|| Pause::Send(Box::new(call())))?;
        self.left = left;
        Ok(answer)
    }

    /// All rows, page after page.
    pub(super) fn all(&mut self, listing: &Listing<'_>) -> Result<Vec<Value>, Pause> {
        let mut rows = Vec::new();
        for page in 0..MAX_PAGES {
            let answer = self.to(|| listing.page(page * LIMIT))?;
            if answer.status == StatusCode::NOT_FOUND {
                return Err(shape::hidden(&format!("the table {}", listing.table)).into());
            }
            rows.extend_from_slice(json::array(&document(answer)?, "/result")?);
            let count = total(&answer.headers)?;
            if !count.map_or_else(|| names_a_next(&answer.headers), |count| count > (page + 1) * LIMIT) {
                listing.check(&rows, count)?;
                return Ok(rows);
            }
        }
        Err(TicketError::bad(format!("a list of more than {MAX_PAGES} pages")).into())
    }
}

impl Listing<'_> {
    fn page(&self, offset: usize) -> Call {
        let query = [
            ("sysparm_query", self.query.clone()),
            ("sysparm_fields", self.fields.to_owned()),
            ("sysparm_limit", LIMIT.to_string()),
            ("sysparm_offset", offset.to_string()),
        ];
        get(table_path(self.table), query)
    }

    fn check(&self, rows: &[Value], count: Option<usize>) -> Result<(), TicketError> {
        if self.whole && count.is_none_or(|count| count > rows.len()) {
            return Err(shape::hidden(&format!("a part of the table {}, or how many rows it has", self.table)));
        }
        let mut seen = BTreeSet::new();
        let doubled =
            |row: &Value| row.get("sys_id").and_then(shape::scalar).is_some_and(|id| !seen.insert(id.to_owned()));
        if self.whole && rows.iter().any(doubled) {
            return Err(TicketError::bad("a list that changed while it was read"));
        }
        Ok(())
    }
}

fn names_a_next(headers: &HeaderMap) -> bool {
    let links = headers.get_all(header::LINK).iter().filter_map(|link| link.to_str().ok());
    links.into_iter().any(|link| link.contains("rel=\"next\""))
}
