//! Accounts, by their immutable `sys_id`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::TicketError,
    list::{Answers, Listing, Pause},
    shape,
};
use crate::domain::{
    approval::{Account, AccountKind},
    id::AccountId,
};

/// More people than this have nothing to do with one ticket.
const MAX_PEOPLE: usize = 100;

/// Somebody who is seen.
pub(super) struct Person {
    pub(super) account: Account,
    pub(super) user_name: String,
    pub(super) time_zone: Option<String>,
}

/// Who is seen among those asked for. Whoever is hidden is not in it, and so nobody.
#[derive(Default)]
pub(super) struct People(BTreeMap<String, Person>);

impl People {
    pub(super) fn of(&self, sys_id: &str) -> Option<&Person> {
        self.0.get(sys_id)
    }

    pub(super) fn account(&self, sys_id: Option<&str>) -> Option<Account> {
        sys_id.and_then(|id| self.of(id)).map(|person| person.account.clone())
    }
}

pub(super) fn people(ids: &BTreeSet<&str>, answers: &mut Answers<'_>) -> Result<People, Pause> {
    if ids.is_empty() {
        return Ok(People::default());
    }
    if ids.len() > MAX_PEOPLE {
        return Err(TicketError::bad(format!("more than {MAX_PEOPLE} approvers")).into());
    }
    let ids: Vec<_> = ids.iter().copied().collect();
    let rows = answers.all(&Listing {
        table: "sys_user",
        query: format!("sys_idIN{}", ids.join(",")),
        fields: "sys_id,user_name,name,email,active,locked_out,time_zone",
        whole: false,
    })?;
    let mut people = BTreeMap::new();
    for row in &rows {
        let id = shape::column(row, "sys_id")?;
        if !ids.contains(&id) || people.insert(id.to_owned(), person(id, row)).is_some() {
            return Err(TicketError::bad("other accounts than those asked for").into());
        }
    }
    Ok(People(people.into_iter().filter_map(|(id, person)| Some((id, person?))).collect()))
}

/// Without a user name, and a word on whether they may sign in, somebody is not known well enough.
fn person(id: &str, row: &Value) -> Option<Person> {
    let text = |name| Some(shape::scalar(row.get(name)?)?.to_owned()).filter(|text| !text.is_empty());
    let flag = |name| text(name)?.parse::<bool>().ok();
    Some(Person {
        user_name: text("user_name")?,
        time_zone: text("time_zone"),
        account: Account {
            id: AccountId::new(id),
            name: text("name"),
            email: text("email"),
            kind: AccountKind::Person,
            active: Some(flag("active")? && !flag("locked_out")?),
        },
    })
}
