//! ServiceNow: request items.

use jiff::Timestamp;
use stint::sandbox::{
    Retry, Webhook,
    servicenow::{ItemDraft, SnowEvent, SnowFault, SnowFaultKind, SnowOn},
    story,
};

use super::{Happened, Person, System, Trouble, Wish};
use crate::world::It;

pub struct Item;

pub fn user(person: Person) -> &'static str {
    match person {
        Person::Nina => story::NINA_SYS_ID,
        Person::Omar => story::OMAR_SYS_ID,
        Person::Lena => story::LENA_SYS_ID,
    }
}

pub fn trouble(it: &It, on: SnowOn, trouble: Trouble, times: usize) {
    let kind = match trouble {
        Trouble::Throttled(seconds) => SnowFaultKind::Throttle(Retry::Seconds(seconds)),
        Trouble::Page => SnowFaultKind::Html(200),
        Trouble::Down => SnowFaultKind::DropBeforeCommit,
    };
    it.world.sandbox.servicenow.fault(SnowFault { on, kind, times });
}

pub fn mend_login(it: &It) {
    it.world.sandbox.servicenow.allow_basic(story::SNOW_USER, story::SNOW_PASSWORD);
}

pub fn notes(it: &It, ticket: &str) -> Vec<String> {
    it.world.sandbox.servicenow.work_notes(ticket).into_iter().map(|entry| entry.text).collect()
}

pub fn webhook(it: &It, ticket: &str, event: SnowEvent) -> Webhook {
    let mut webhook = it.world.sandbox.servicenow.webhook_for(ticket, event);
    webhook.sign_standard(story::SNOW_WEBHOOK_SECRET, &it.fresh_id(), it.world.clock.now());
    webhook
}

fn civil(moment: Option<Timestamp>) -> String {
    moment.map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

impl System for Item {
    const CONNECTION: &'static str = "servicenow";

    fn overrides() -> Vec<(&'static str, &'static str)> {
        vec![
            ("CONNECTIONS__SERVICENOW__FIELDS__WINDOW_START", "window_start"),
            ("CONNECTIONS__SERVICENOW__FIELDS__WINDOW_END", "window_end"),
        ]
    }

    fn file(it: &It, wish: &Wish) -> String {
        let window = [("window_start", civil(wish.window.0)), ("window_end", civil(wish.window.1))];
        let draft = ItemDraft {
            requested_for: user(wish.requester).into(),
            opened_by: user(wish.creator).into(),
            entitlement: wish.entitlement.clone(),
            principal: wish.principal.clone(),
            duration: wish.duration.clone(),
            variables: window.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            ..ItemDraft::default()
        };
        it.world.sandbox.servicenow.create_item(draft).sys_id
    }

    fn ask(it: &It, ticket: &str, approvers: &[Person]) {
        let users: Vec<_> = approvers.iter().map(|person| user(*person)).collect();
        it.world.sandbox.servicenow.request_approvals(ticket, &users, users.len());
    }

    fn approve(it: &It, ticket: &str, approver: Person) {
        it.world.sandbox.servicenow.approve(ticket, user(approver));
    }

    fn decline(it: &It, ticket: &str, approver: Person) {
        it.world.sandbox.servicenow.reject(ticket, user(approver));
    }

    fn cancel(it: &It, ticket: &str) {
        it.world.sandbox.servicenow.cancel(ticket);
    }

    fn close(it: &It, ticket: &str) {
        it.world.sandbox.servicenow.close(ticket);
    }

    fn reopen(it: &It, ticket: &str) {
        it.world.sandbox.servicenow.reopen(ticket);
    }

    fn delete(it: &It, ticket: &str) {
        it.world.sandbox.servicenow.delete(ticket);
    }

    fn edit_duration(it: &It, ticket: &str, duration: &str) {
        it.world.sandbox.servicenow.edit_variable(ticket, story::SNOW_DURATION, duration, story::NINA_SYS_ID);
    }

    fn approve_by_nobody(it: &It, ticket: &str) {
        it.world.sandbox.servicenow.auto_approve(ticket);
    }

    fn freeze(it: &It, ticket: &str, seconds: u64) {
        it.world.sandbox.servicenow.stale_for(ticket, seconds);
    }

    fn trouble(it: &It, kind: Trouble, times: usize) {
        trouble(it, SnowOn::Items, kind, times);
    }

    fn break_login(it: &It) {
        it.world.sandbox.servicenow.revoke_logins();
    }

    fn mend_login(it: &It) {
        mend_login(it);
    }

    fn calls(it: &It) -> usize {
        it.world.sandbox.servicenow.calls().len()
    }

    fn notes(it: &It, ticket: &str) -> Vec<String> {
        notes(it, ticket)
    }

    fn webhook(it: &It, ticket: &str, happened: Happened) -> Webhook {
        let event = match happened {
            Happened::Approved => SnowEvent::Approved,
            Happened::Withdrawn => SnowEvent::Cancelled,
        };
        webhook(it, ticket, event)
    }
}
