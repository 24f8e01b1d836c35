//! Every kind of ticket system as the stories need it: what people do there, and what a webhook about it looks like.
//!
//! A story that holds for each of them is told once, in `every_system.rs`, over [`System`].

mod change;
mod data_center;
mod item;
mod jira;
mod standard;

use jiff::Timestamp;
use stint::sandbox::Webhook;

use crate::world::It;

pub use self::{
    change::Change,
    data_center::DataCenter,
    item::Item,
    jira::Jira,
    standard::{Standard, event, signed},
};

/// Somebody in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    Nina,
    Omar,
    Lena,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub requester: Person,
    pub creator: Person,
    pub principal: String,
    pub entitlement: String,
    pub duration: String,
    pub window: (Option<Timestamp>, Option<Timestamp>),
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            requester: Person::Nina,
            creator: Person::Nina,
            principal: stint::sandbox::story::NINA_UPN.into(),
            entitlement: "exchange-admin".into(),
            duration: "PT1H".into(),
            window: (None, None),
        }
    }
}

/// What a webhook tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    Approved,
    Withdrawn,
}

/// Something that goes wrong with the ticket system for its next calls.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// It asks to wait for so many seconds.
    Throttled(u64),
    /// A page with status 200, as from a hibernating instance or a proxy.
    Page,
    /// Connections break off.
    Down,
}

/// One kind of ticket system with its simulator. A ticket is named by its immutable id as the simulator gives it.
pub trait System {
    /// The connection's name in the sandbox's configuration.
    const CONNECTION: &'static str;

    /// What the world is set up with besides the usual.
    fn overrides() -> Vec<(&'static str, &'static str)> {
        vec![]
    }

    /// What is done to the world before the story.
    fn prepare(_: &It) {}

    fn file(it: &It, wish: &Wish) -> String;
    fn ask(it: &It, ticket: &str, approvers: &[Person]);
    fn approve(it: &It, ticket: &str, approver: Person);
    fn decline(it: &It, ticket: &str, approver: Person);
    fn cancel(it: &It, ticket: &str);
    fn close(it: &It, ticket: &str);
    /// Back to before the approval; the old approval stays as it was given.
    fn reopen(it: &It, ticket: &str);
    fn delete(it: &It, ticket: &str);
    fn edit_duration(it: &It, ticket: &str, duration: &str);
    /// Approved with nobody's approval behind it.
    fn approve_by_nobody(it: &It, ticket: &str);
    /// For so many seconds reads show the ticket as it is now, whatever happens to it.
    fn freeze(it: &It, ticket: &str, seconds: u64);
    fn trouble(it: &It, trouble: Trouble, times: usize);
    fn break_login(it: &It);
    fn mend_login(it: &It);
    /// Calls it was asked so far.
    fn calls(it: &It) -> usize;
    fn notes(it: &It, ticket: &str) -> Vec<String>;
    /// A webhook about the ticket's last change, proved as the connection wants it.
    fn webhook(it: &It, ticket: &str, happened: Happened) -> Webhook;
}

/// The moment in whole seconds as an API writes it.
fn written(moment: Option<Timestamp>) -> Option<String> {
    moment.map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string())
}
