//! ServiceNow: change requests.

use stint::sandbox::{
    Webhook,
    servicenow::{ChangeDraft, SnowEvent, SnowOn},
    story,
};

use super::{
    Happened, Person, System, Trouble, Wish,
    item::{self, Item, user},
};
use crate::world::{It, minutes};

pub struct Change;

impl System for Change {
    const CONNECTION: &'static str = "servicenow";

    fn file(it: &It, wish: &Wish) -> String {
        // A change is planned for some time; without a wish it is the whole day.
        let start = wish.window.0.unwrap_or(it.world.clock.now() - minutes(60));
        let draft = ChangeDraft {
            start: Some(start),
            end: Some(wish.window.1.unwrap_or(start + minutes(48 * 60))),
            requested_by: user(wish.requester).into(),
            opened_by: user(wish.creator).into(),
            entitlement: wish.entitlement.clone(),
            principal: wish.principal.clone(),
            duration: wish.duration.clone(),
            ..ChangeDraft::default()
        };
        it.world.sandbox.servicenow.create_change(&draft).sys_id
    }

    fn ask(it: &It, ticket: &str, approvers: &[Person]) {
        Item::ask(it, ticket, approvers);
    }

    fn approve(it: &It, ticket: &str, approver: Person) {
        Item::approve(it, ticket, approver);
    }

    fn decline(it: &It, ticket: &str, approver: Person) {
        Item::decline(it, ticket, approver);
    }

    fn cancel(it: &It, ticket: &str) {
        Item::cancel(it, ticket);
    }

    fn close(it: &It, ticket: &str) {
        Item::close(it, ticket);
    }

    fn reopen(it: &It, ticket: &str) {
        it.world.sandbox.servicenow.revert_to_new(ticket);
    }

    fn delete(it: &It, ticket: &str) {
        Item::delete(it, ticket);
    }

    fn edit_duration(it: &It, ticket: &str, duration: &str) {
        it.world.sandbox.servicenow.edit_column(ticket, story::SNOW_DURATION, duration, story::NINA_SYS_ID);
    }

    fn approve_by_nobody(it: &It, ticket: &str) {
        Item::approve_by_nobody(it, ticket);
    }

    fn freeze(it: &It, ticket: &str, seconds: u64) {
        Item::freeze(it, ticket, seconds);
    }

    fn trouble(it: &It, kind: Trouble, times: usize) {
        item::trouble(it, SnowOn::Changes, kind, times);
    }

    fn break_login(it: &It) {
        Item::break_login(it);
    }

    fn mend_login(it: &It) {
        item::mend_login(it);
    }

    fn calls(it: &It) -> usize {
        Item::calls(it)
    }

    fn notes(it: &It, ticket: &str) -> Vec<String> {
        item::notes(it, ticket)
    }

    fn webhook(it: &It, ticket: &str, happened: Happened) -> Webhook {
        let event = match happened {
            Happened::Approved => SnowEvent::Approved,
            Happened::Withdrawn => SnowEvent::Reverted,
        };
        item::webhook(it, ticket, event)
    }
}
