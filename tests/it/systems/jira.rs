//! Jira Cloud with Service Management.

use stint::sandbox::{
    Retry, Webhook,
    jira::{IssueDraft, JiraFault, JiraFaultKind, JiraOn, WebhookKind},
    story,
};

use super::{Happened, Person, System, Trouble, Wish, written};
use crate::world::It;

pub struct Jira;

pub fn account(person: Person) -> &'static str {
    match person {
        Person::Nina => story::NINA_ACCOUNT,
        Person::Omar => story::OMAR_ACCOUNT,
        Person::Lena => story::LENA_ACCOUNT,
    }
}

impl System for Jira {
    const CONNECTION: &'static str = "jira-cloud";

    fn overrides() -> Vec<(&'static str, &'static str)> {
        vec![
            ("CONNECTIONS__JIRA_CLOUD__FIELDS__WINDOW_START", story::FIELD_START),
            ("CONNECTIONS__JIRA_CLOUD__FIELDS__WINDOW_END", story::FIELD_END),
        ]
    }

    fn file(it: &It, wish: &Wish) -> String {
        let draft = IssueDraft {
            reporter: account(wish.requester).into(),
            creator: account(wish.creator).into(),
            entitlement: wish.entitlement.clone(),
            principal: wish.principal.clone(),
            duration: wish.duration.clone(),
            window: (written(wish.window.0), written(wish.window.1)),
            ..IssueDraft::default()
        };
        it.world.sandbox.jira.create_issue(draft).id
    }

    fn ask(it: &It, ticket: &str, approvers: &[Person]) {
        let accounts: Vec<_> = approvers.iter().map(|person| account(*person)).collect();
        it.world.sandbox.jira.request_approvals(ticket, &accounts, accounts.len());
    }

    fn approve(it: &It, ticket: &str, approver: Person) {
        it.world.sandbox.jira.approve(ticket, account(approver));
    }

    fn decline(it: &It, ticket: &str, approver: Person) {
        it.world.sandbox.jira.decline(ticket, account(approver));
    }

    fn cancel(it: &It, ticket: &str) {
        it.world.sandbox.jira.cancel(ticket);
    }

    fn close(it: &It, ticket: &str) {
        it.world.sandbox.jira.transition(ticket, "10018", story::LENA_ACCOUNT);
    }

    fn reopen(it: &It, ticket: &str) {
        it.world.sandbox.jira.reopen(ticket);
    }

    fn delete(it: &It, ticket: &str) {
        it.world.sandbox.jira.delete(ticket);
    }

    fn edit_duration(it: &It, ticket: &str, duration: &str) {
        it.world.sandbox.jira.edit_field(ticket, story::FIELD_DURATION, duration, story::NINA_ACCOUNT);
    }

    fn approve_by_nobody(it: &It, ticket: &str) {
        it.world.sandbox.jira.transition(ticket, story::STATUS_APPROVED, story::NINA_ACCOUNT);
    }

    fn freeze(it: &It, ticket: &str, seconds: u64) {
        it.world.sandbox.jira.stale_for(ticket, seconds);
    }

    fn trouble(it: &It, trouble: Trouble, times: usize) {
        let kind = match trouble {
            Trouble::Throttled(seconds) => JiraFaultKind::Throttle(Retry::Seconds(seconds)),
            Trouble::Page => JiraFaultKind::Html(200),
            Trouble::Down => JiraFaultKind::DropBeforeCommit,
        };
        it.world.sandbox.jira.fault(JiraFault { on: JiraOn::Issue, kind, times });
    }

    fn break_login(it: &It) {
        it.world.sandbox.jira.revoke_logins();
    }

    fn mend_login(it: &It) {
        it.world.sandbox.jira.allow_basic(story::JIRA_USER, story::JIRA_TOKEN);
        it.world.sandbox.jira.allow_bearer(story::JIRA_PAT);
    }

    fn calls(it: &It) -> usize {
        it.world.sandbox.jira.calls().len()
    }

    fn notes(it: &It, ticket: &str) -> Vec<String> {
        it.notes(ticket)
    }

    fn webhook(it: &It, ticket: &str, _: Happened) -> Webhook {
        it.world.webhook(ticket, WebhookKind::Updated)
    }
}
