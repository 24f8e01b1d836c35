//! Tickets that changed lately and read as approved. A system need not offer the list; then only its webhooks tell.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{Listed, Lookback, Step, TicketError},
    Standard, document, get, success,
};
use crate::{
    json,
    outbound::{Answer, Call},
};

/// A longer list is an error: the poll would miss what it does not show.
const MAX_PAGES: usize = 50;

/// Page after page, as long as there is a cursor.
pub(super) fn changed(desk: &Standard, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
    // Halfway through, it would mean that the rest is lost.
    if let [only] = so_far
        && only.status == StatusCode::NOT_FOUND
    {
        return Ok(Step::Done(vec![]));
    }
    let mut found = Vec::new();
    let mut cursor = None;
    for answer in so_far {
        let page = success(answer)?;
        for item in json::array(&page, "/items")? {
            found.extend(listed(desk, item)?);
        }
        cursor = json::optional_text(&page, "/next")?.map(str::to_owned);
        if cursor.is_none() {
            return Ok(Step::Done(found));
        }
    }
    if so_far.len() >= MAX_PAGES {
        return Err(TicketError::bad(format!("a list of more than {MAX_PAGES} pages")));
    }
    page(window, cursor).map(Step::Send)
}

/// Whole seconds, rounded down: every clock can read them, and a ticket too many is harmless.
fn page(window: &Lookback, cursor: Option<String>) -> Result<Call, TicketError> {
    let since =
        Timestamp::from_second(window.since.as_second()).map_err(|error| TicketError::bad(error.to_string()))?;
    let mut query = vec![("status".into(), "approved".into()), ("updated_since".into(), since.to_string())];
    query.extend(cursor.map(|cursor| ("cursor".into(), cursor)));
    Ok(get("/tickets".into(), query))
}

/// A ticket of ours; what lies outside the ticket pattern is passed over.
fn listed(desk: &Standard, item: &Value) -> Result<Option<Listed>, TicketError> {
    let (ticket, number) = document::name(item)?;
    Ok(desk.is_ours(&number).then_some(Listed { ticket, number }))
}
