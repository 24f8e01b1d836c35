//! Jira Cloud and Data Center, with or without Jira Service Management (`contracts/tickets.md` A).
//!
//! `hint` reads deliveries, `read` reads issues back, `search` finds those whose delivery never came, `note` writes
//! comments. `list` turns pages, `shape` holds what they share of Jira's formats, `wiki` writes Data Center's texts, and
//! `deployment` says how it differs from Cloud. An issue is bound by its `id`; its key is for people, since Jira answers
//! for a moved issue's old key too.

use http::Method;
use regex::Regex;
use serde_json::Value;
use url::Url;

use super::{
    Heard, Listed, Lookback, NotHeard, Note, Step, TicketError, TicketSystem, VerifiedBody,
    settings::{Common, FieldNames},
};
use crate::{
    domain::{id::TicketId, ticket::Reading},
    outbound::{Answer, Body, Call},
};

mod deployment;
mod hint;
mod list;
mod note;
mod own;
mod read;
mod search;
mod shape;
mod wiki;

use deployment::Deployment;
pub(super) use own::KIND;

#[cfg(test)]
pub(super) mod fixtures;
#[cfg(test)]
mod sample_tests;

/// One Jira site, as a connection is configured for it.
#[derive(Debug)]
pub(super) struct Jira {
    /// Where people open issues; `None` behind the API gateway, whose address is no site.
    site: Option<String>,
    pattern: Regex,
    fields: FieldNames,
    own: Settings,
}

/// What only Jira has.
#[derive(Clone, Debug)]
struct Settings {
    /// Which dialect the site speaks.
    deployment: Deployment,
    /// Keys of the projects that may ask.
    projects: Vec<String>,
    /// Ids (not names) of the statuses that mean approved.
    approved_statuses: Vec<String>,
    /// Ids of the statuses that withdraw a ticket although their category is not "done".
    withdrawn_statuses: Vec<String>,
    /// Where the approval is read from.
    approval: ApprovalMode,
}

/// What counts as an approval in Jira.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ApprovalMode {
    /// A JSM approval object.
    Jsm,
    /// The change into an approved status; its author is the approver.
    StatusTransition,
}

impl Jira {
    fn new(common: &Common, own: Settings) -> Self {
        Self {
            site: site(&common.base_url),
            pattern: common.ticket_pattern.clone(),
            fields: common.fields.clone(),
            own,
        }
    }

    /// Whether stint may act on issues with this key.
    fn is_ours(&self, key: &str) -> bool {
        let project = shape::project_of(key);
        project.is_some_and(|project| self.own.projects.iter().any(|ours| ours == project))
            && self.pattern.is_match(key)
    }

    fn is_approved(&self, status: &str) -> bool {
        self.own.approved_statuses.iter().any(|approved| approved == status)
    }

    /// Whether a changelog item leads into an approved status from any other: a change among approved statuses approves
    /// nothing anew.
    fn enters_approved(&self, item: &Value) -> bool {
        let approved = |end: &str| shape::id(item.get(end)).is_some_and(|status| self.is_approved(&status));
        shape::is_about(item, "status") && approved("to") && !approved("from")
    }
}

impl TicketSystem for Jira {
    fn hear(&self, body: &VerifiedBody) -> Result<Heard, NotHeard> {
        hint::hear(self, body)
    }

    fn territory(&self) -> Vec<String> {
        self.own.projects.iter().map(|project| format!("project {project}")).collect()
    }

    fn read(&self, ticket: &TicketId, so_far: &[Answer]) -> Result<Step<Reading>, TicketError> {
        read::read(self, ticket, so_far)
    }

    fn changed(&self, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
        search::changed(self, window, so_far)
    }

    fn write_note(&self, note: &Note, maybe_written: bool, so_far: &[Answer]) -> Result<Step<()>, TicketError> {
        note::write(self.own.deployment, note, maybe_written, so_far)
    }
}

/// Scoped tokens work only at the gateway, `api.atlassian.com/ex/jira/{cloudId}` (`contracts/tickets.md` A7).
fn site(base: &Url) -> Option<String> {
    let gateway = base.host_str() == Some("api.atlassian.com") || base.path().starts_with("/ex/jira/");
    (!gateway).then(|| base.as_str().trim_end_matches('/').to_owned())
}

fn get(path: String, query: &[(&str, &str)]) -> Call {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Call { method: Method::GET, path, query, headers: vec![], body: Body::Empty }
}

/// The JSON of an answer of success.
fn document(answer: &Answer) -> Result<Value, TicketError> {
    if answer.status.is_success() {
        Ok(answer.json()?)
    } else {
        Err(TicketError::bad(format!("an unexpected {}", answer.status)))
    }
}
