//! The answers a request item was ordered with (`contracts/tickets.md` B4, H4.6).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::TicketError,
    Place,
    list::{Answers, Listing, Pause},
    shape,
};
use crate::domain::ticket::Field;

const NAME: &str = "sc_item_option.item_option_new.name";
const VALUE: &str = "sc_item_option.value";
const UPDATED: &str = "sc_item_option.sys_updated_on";

/// The mapped variables of one item.
pub(super) struct Variables {
    fields: BTreeMap<String, Field>,
    /// When the last of them changed; `None` when there are none.
    pub(super) changed_at: Option<Timestamp>,
}

impl Variables {
    /// A variable the item does not show is hidden, or the mapping is wrong; two of one name cannot be told apart.
    pub(super) fn field(&self, name: &str) -> Field {
        self.fields.get(name).cloned().unwrap_or(Field::Hidden)
    }
}

pub(super) fn variables(item: &Place, names: &[&str], answers: &mut Answers<'_>) -> Result<Variables, Pause> {
    let rows = answers.all(&Listing {
        table: "sc_item_option_mtom",
        query: format!("request_item={}", item.sys_id),
        fields: &["request_item", NAME, VALUE, UPDATED].join(","),
        whole: true,
    })?;
    let mut variables = Variables { fields: BTreeMap::new(), changed_at: None };
    for row in &rows {
        if shape::column(row, "request_item")? != item.sys_id {
            return Err(TicketError::bad("variables of another item").into());
        }
        let name = shape::column(row, NAME)?;
        if names.contains(&name) {
            variables.take(name, row)?;
        }
    }
    Ok(variables)
}

impl Variables {
    fn take(&mut self, name: &str, row: &Value) -> Result<(), TicketError> {
        self.changed_at = self.changed_at.max(Some(shape::time(row, UPDATED)?));
        let field = shape::field(row.get(VALUE));
        self.fields.entry(name.to_owned()).and_modify(|known| *known = Field::Unreadable).or_insert(field);
        Ok(())
    }
}
