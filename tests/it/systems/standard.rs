//! Any system that speaks the standard contract, read back over HTTP.

use stint::sandbox::{
    Retry, Webhook,
    desk::{DeskEvent, DeskFault, DeskFaultKind, DeskOn, TicketDraft},
    story,
};

use super::{Happened, Person, System, Trouble, Wish};
use crate::world::It;

pub struct Standard;

pub fn id(person: Person) -> &'static str {
    match person {
        Person::Nina => story::NINA_DESK,
        Person::Omar => story::OMAR_DESK,
        Person::Lena => story::LENA_DESK,
    }
}

pub fn signed(it: &It, mut webhook: Webhook) -> Webhook {
    webhook.sign_standard(story::DESK_WEBHOOK_SECRET, &it.fresh_id(), it.world.clock.now());
    webhook
}

pub fn event(happened: Happened) -> DeskEvent {
    match happened {
        Happened::Approved => DeskEvent::Approved,
        Happened::Withdrawn => DeskEvent::Withdrawn,
    }
}

impl System for Standard {
    const CONNECTION: &'static str = "service-desk";

    fn prepare(it: &It) {
        it.world.sandbox.desk.name_rounds(true);
    }

    fn file(it: &It, wish: &Wish) -> String {
        let text = |moment: Option<jiff::Timestamp>| moment.map(|moment| moment.to_string());
        let draft = TicketDraft {
            requester: id(wish.requester).into(),
            created_by: id(wish.creator).into(),
            entitlement: wish.entitlement.clone(),
            principal: wish.principal.clone(),
            duration: wish.duration.clone(),
            window: (text(wish.window.0), text(wish.window.1)),
            ..TicketDraft::default()
        };
        it.world.sandbox.desk.create(draft).id
    }

    fn ask(it: &It, ticket: &str, approvers: &[Person]) {
        let people: Vec<_> = approvers.iter().map(|person| id(*person)).collect();
        it.world.sandbox.desk.request_approvals(ticket, &people, people.len());
    }

    fn approve(it: &It, ticket: &str, approver: Person) {
        it.world.sandbox.desk.approve(ticket, id(approver));
    }

    fn decline(it: &It, ticket: &str, approver: Person) {
        it.world.sandbox.desk.reject(ticket, id(approver));
    }

    fn cancel(it: &It, ticket: &str) {
        it.world.sandbox.desk.cancel(ticket);
    }

    fn close(it: &It, ticket: &str) {
        it.world.sandbox.desk.close(ticket);
    }

    fn reopen(it: &It, ticket: &str) {
        it.world.sandbox.desk.reopen(ticket);
    }

    fn delete(it: &It, ticket: &str) {
        it.world.sandbox.desk.delete(ticket);
    }

    fn edit_duration(it: &It, ticket: &str, duration: &str) {
        it.world.sandbox.desk.edit(ticket, "duration", duration);
    }

    fn approve_by_nobody(it: &It, ticket: &str) {
        it.world.sandbox.desk.edit(ticket, "status", "approved");
    }

    fn freeze(it: &It, ticket: &str, seconds: u64) {
        it.world.sandbox.desk.stale_for(ticket, seconds);
    }

    fn trouble(it: &It, trouble: Trouble, times: usize) {
        let kind = match trouble {
            Trouble::Throttled(seconds) => DeskFaultKind::Throttle(Retry::Seconds(seconds)),
            Trouble::Page => DeskFaultKind::Html(200),
            Trouble::Down => DeskFaultKind::DropBeforeCommit,
        };
        it.world.sandbox.desk.fault(DeskFault { on: DeskOn::Ticket, kind, times });
    }

    fn break_login(it: &It) {
        it.world.sandbox.desk.revoke_logins();
    }

    fn mend_login(it: &It) {
        it.world.sandbox.desk.allow_bearer(story::DESK_TOKEN);
    }

    fn calls(it: &It) -> usize {
        it.world.sandbox.desk.calls().len()
    }

    fn notes(it: &It, ticket: &str) -> Vec<String> {
        it.world.sandbox.desk.notes(ticket).into_iter().map(|note| note.text).collect()
    }

    fn webhook(it: &It, ticket: &str, happened: Happened) -> Webhook {
        signed(it, it.world.sandbox.desk.webhook_for(ticket, event(happened)))
    }
}
