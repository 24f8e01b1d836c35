//! Jira Data Center with Service Management: the same desk in other words.

use stint::sandbox::{Webhook, jira::Flavour, story};

use super::{Happened, Jira, Person, System, Trouble, Wish};
use crate::world::It;

pub struct DataCenter;

impl System for DataCenter {
    const CONNECTION: &'static str = Jira::CONNECTION;

    fn overrides() -> Vec<(&'static str, &'static str)> {
        let bearer = "{ kind = \"bearer\", token_file = \"sandbox-secrets/jira-pat\" }";
        let mut overrides = Jira::overrides();
        overrides.push(("CONNECTIONS__JIRA_CLOUD__DEPLOYMENT", "data-center"));
        overrides.push(("CONNECTIONS__JIRA_CLOUD__AUTH", bearer));
        overrides
    }

    fn prepare(it: &It) {
        it.world.sandbox.jira.set_flavour(Flavour::DataCenter);
    }

    fn file(it: &It, wish: &Wish) -> String {
        Jira::file(it, wish)
    }

    fn ask(it: &It, ticket: &str, approvers: &[Person]) {
        Jira::ask(it, ticket, approvers);
    }

    fn approve(it: &It, ticket: &str, approver: Person) {
        Jira::approve(it, ticket, approver);
    }

    fn decline(it: &It, ticket: &str, approver: Person) {
        Jira::decline(it, ticket, approver);
    }

    fn cancel(it: &It, ticket: &str) {
        Jira::cancel(it, ticket);
    }

    fn close(it: &It, ticket: &str) {
        Jira::close(it, ticket);
    }

    fn reopen(it: &It, ticket: &str) {
        Jira::reopen(it, ticket);
    }

    fn delete(it: &It, ticket: &str) {
        Jira::delete(it, ticket);
    }

    fn edit_duration(it: &It, ticket: &str, duration: &str) {
        Jira::edit_duration(it, ticket, duration);
    }

    fn approve_by_nobody(it: &It, ticket: &str) {
        Jira::approve_by_nobody(it, ticket);
    }

    fn freeze(it: &It, ticket: &str, seconds: u64) {
        Jira::freeze(it, ticket, seconds);
    }

    fn trouble(it: &It, trouble: Trouble, times: usize) {
        Jira::trouble(it, trouble, times);
    }

    fn break_login(it: &It) {
        Jira::break_login(it);
    }

    fn mend_login(it: &It) {
        it.world.sandbox.jira.allow_bearer(story::JIRA_PAT);
    }

    fn calls(it: &It) -> usize {
        Jira::calls(it)
    }

    fn notes(it: &It, ticket: &str) -> Vec<String> {
        Jira::notes(it, ticket)
    }

    fn webhook(it: &It, ticket: &str, happened: Happened) -> Webhook {
        Jira::webhook(it, ticket, happened)
    }
}
