//! Lists that Jira gives in pages: whole, or not at all.

use serde_json::Value;

use super::{super::TicketError, deployment::Deployment, document, get, read::Issue};
use crate::{
    domain::id::TicketId,
    json,
    outbound::{Answer, Call, segment},
};

/// A longer list is an error: half a list must never be taken for the whole.
const MAX_PAGES: usize = 50;

/// A list that Jira gives in pages.
pub(super) struct Listing {
    path: String,
    /// What is asked besides the page.
    query: Vec<(&'static str, String)>,
    start: &'static str,
    size: (&'static str, &'static str),
    /// Where the rows are.
    rows: &'static str,
    end: End,
}

/// How a list says that it is over.
enum End {
    /// By a flag with each page.
    Flag(&'static str),
    /// By the number of all rows. Such a list may lose rows while its pages are turned, which moves the others up; each
    /// page therefore begins with the last row of the one before, or something was missed.
    Total,
}

/// As much of a list as there is so far.
pub(super) enum Rows<'a> {
    /// The call for the next page.
    Next(Call),
    /// The whole list, and the answers after it.
    All(Vec<Value>, &'a [Answer]),
}

impl Listing {
    fn changelog(ticket: &TicketId) -> Self {
        let path = format!("{}/changelog", Deployment::Cloud.issue(ticket));
        Self { end: End::Flag("isLast"), ..Self::numbered(path, "/values") }
    }

    pub(super) fn rounds(ticket: &TicketId) -> Self {
        let path = format!("/rest/servicedeskapi/request/{}/approval", segment(ticket.as_str()));
        let numbered = Self::numbered(path, "/values");
        Self { start: "start", size: ("limit", "50"), end: End::Flag("isLastPage"), ..numbered }
    }

    /// Every comment of an issue, on Data Center.
    pub(super) fn comments(ticket: &TicketId) -> Self {
        Self::numbered(format!("{}/comment", Deployment::DataCenter.issue(ticket)), "/comments")
    }

    /// Every issue that this JQL finds, on Data Center.
    pub(super) fn found(jql: String, fields: &str) -> Self {
        let path = format!("{}/search", Deployment::DataCenter.api());
        Self { query: vec![("jql", jql), ("fields", fields.to_owned())], ..Self::numbered(path, "/issues") }
    }

    fn numbered(path: String, rows: &'static str) -> Self {
        Self { path, query: vec![], start: "startAt", size: ("maxResults", "100"), rows, end: End::Total }
    }

    fn page(&self, from: usize) -> Call {
        let from = from.to_string();
        let asked = self.query.iter().map(|(name, value)| (*name, value.as_str()));
        get(self.path.clone(), &asked.chain([(self.start, from.as_str()), self.size]).collect::<Vec<_>>())
    }

    /// Puts the pages answered so far together. They must be about this issue, in order, and come to an end.
    pub(super) fn rows<'a>(&self, issue: Option<&Issue>, answers: &'a [Answer]) -> Result<Rows<'a>, TicketError> {
        let mut rows: Vec<Value> = Vec::new();
        let mut rest = answers;
        for _ in 0..MAX_PAGES {
            let from = self.end.next_start(rows.len());
            let Some((answer, after)) = rest.split_first() else { return Ok(Rows::Next(self.page(from))) };
            let page = document(answer)?;
            let values = json::array(&page, self.rows)?;
            if issue.is_some_and(|issue| issue.is_foreign(&page)) || !starts_at(&page, self.start, from) {
                return Err(TicketError::bad("another page than the one asked for"));
            }
            let new = after_repeated(&rows[from..], values)?;
            rows.extend_from_slice(new);
            rest = after;
            match self.end.is_reached(&page, rows.len()) {
                Some(true) => return Ok(Rows::All(rows, rest)),
                Some(false) if !new.is_empty() => {}
                _ => return Err(TicketError::bad("a list whose end cannot be told")),
            }
        }
        Err(TicketError::bad(format!("a list of more than {MAX_PAGES} pages")))
    }
}

impl End {
    fn next_start(&self, known: usize) -> usize {
        match self {
            Self::Flag(_) => known,
            Self::Total => known.saturating_sub(1),
        }
    }

    /// Whether the list ends with the rows known now; `None` when the page does not tell.
    fn is_reached(&self, page: &Value, known: usize) -> Option<bool> {
        match self {
            Self::Flag(name) => page.get(name)?.as_bool(),
            Self::Total => Some(page.get("total")?.as_u64()? <= u64::try_from(known).ok()?),
        }
    }
}

fn starts_at(page: &Value, name: &str, expected: usize) -> bool {
    let start = page.get(name).and_then(Value::as_u64);
    start.is_none_or(|start| usize::try_from(start) == Ok(expected))
}

/// What a page adds to the rows it begins with.
fn after_repeated<'v>(repeated: &[Value], page: &'v [Value]) -> Result<&'v [Value], TicketError> {
    let (again, new) = page.split_at_checked(repeated.len()).unwrap_or_default();
    let is_same = again.len() == repeated.len() && again.iter().zip(repeated).all(|(a, b)| a.get("id") == b.get("id"));
    if is_same { Ok(new) } else { Err(TicketError::bad("a list that moved while its pages were turned")) }
}

/// Every change of an issue. Cloud has a list of them; Data Center shows them only within the issue, whole or cut.
pub(super) fn changes<'a>(
    deployment: Deployment,
    issue: &Issue,
    answers: &'a [Answer],
) -> Result<Rows<'a>, TicketError> {
    let ticket = issue.ticket();
    if deployment == Deployment::Cloud {
        return Listing::changelog(&ticket).rows(Some(issue), answers);
    }
    let Some((answer, rest)) = answers.split_first() else {
        let asked = [("fields", "project"), ("expand", "changelog")];
        return Ok(Rows::Next(get(deployment.issue(&ticket), &asked)));
    };
    let body = document(answer)?;
    Issue::from(body.clone(), &ticket)?;
    let log = json::object(&body, "/changelog")?;
    let changes = json::array(&body, "/changelog/histories")?;
    let from = log.get("startAt").and_then(Value::as_u64);
    let total = log.get("total").and_then(Value::as_u64);
    if from != Some(0) || total != u64::try_from(changes.len()).ok() {
        return Err(TicketError::bad("a changelog that is not whole"));
    }
    Ok(Rows::All(changes.to_vec(), rest))
}
