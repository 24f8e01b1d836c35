//! Tickets that changed lately and read as approved (`contracts/tickets.md` H10).

use serde_json::Value;

use super::{
    super::{Listed, Lookback, TicketError},
    Place, ServiceNow, Table,
    list::{Answers, Listing, Pause},
    shape,
};
use crate::domain::id::TicketNumber;

/// Table after table, oldest change first.
pub(super) fn changed(snow: &ServiceNow, window: &Lookback, mut answers: Answers<'_>) -> Result<Vec<Listed>, Pause> {
    let mut found = Vec::new();
    for (table, narrowed) in served(snow) {
        let rows = answers.all(&Listing {
            table: table.name(),
            query: query(&narrowed, window),
            fields: "sys_id,number,approval",
            whole: false,
        })?;
        for row in &rows {
            found.extend(listed(snow, table, row)?);
        }
    }
    Ok(found)
}

/// The tables that may ask, each with what narrows it. Ids and words are plain by configuration: nothing needs quoting.
fn served(snow: &ServiceNow) -> Vec<(Table, String)> {
    let one_of = |column: &str, values: &[String]| format!("^{column}IN{}", values.join(","));
    let (items, types) = (&snow.own.catalog_items, &snow.own.change_types);
    let items = if items.is_empty() { String::new() } else { one_of("cat_item", items) };
    let changes = if types.is_empty() { None } else { Some((Table::Change, one_of("type", types))) };
    let tables = [(Table::Item, items)].into_iter().chain(changes);
    tables.filter(|(table, _)| may_ask(snow, table.prefix())).collect()
}

/// A pattern that names one kind of number only leaves the other table alone, which the account may not be let see.
fn may_ask(snow: &ServiceNow, prefix: &str) -> bool {
    let pattern = snow.pattern.as_str();
    let names_any = [Table::Item, Table::Change].iter().any(|table| pattern.contains(table.prefix()));
    pattern.contains(prefix) || !names_any
}

/// A relative time needs no time zone of the account's.
fn query(narrowed: &str, window: &Lookback) -> String {
    let minutes = window.minutes().max(1);
    format!(
        "approval=approved^active=true{narrowed}^sys_updated_on>=javascript:gs.minutesAgoStart({minutes})^ORDERBYsys_updated_on"
    )
}

/// A ticket of ours; what lies outside the ticket pattern is passed over. A row that does not read as approved was
/// never asked for, so the query was not taken as a whole and its rows mean nothing.
fn listed(snow: &ServiceNow, table: Table, row: &Value) -> Result<Option<Listed>, TicketError> {
    if shape::column(row, "approval")? != "approved" {
        return Err(TicketError::bad("other tickets than those asked for"));
    }
    let number = shape::column(row, "number")?;
    let place = Place::new(table, shape::column(row, "sys_id")?);
    let place = place.ok_or_else(|| TicketError::bad("a ticket without sys_id"))?;
    let ours = snow.is_ours(table, number);
    Ok(ours.then(|| Listed { ticket: place.ticket(), number: TicketNumber::new(number) }))
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
