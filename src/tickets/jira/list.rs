//! Lists that Jira gives in pages: whole, or not at all.

use serde_json::Value;

use super::{super::TicketError, document, get, issue_path, read::Issue};
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
    start: &'static str,
    size: (&'static str, &'static str),
    last: &'static str,
}

/// As much of a list as there is so far.
pub(super) enum Rows<'a> {
    /// The call for the next page.
    Next(Call),
    /// The whole list, and the answers after it.
    All(Vec<Value>, &'a [Answer]),
}

impl Listing {
    pub(super) fn changelog(ticket: &TicketId) -> Self {
        let path = format!("{}/changelog", issue_path(ticket));
        Self { path, start: "startAt", size: ("maxResults", "100"), last: "isLast" }
    }

    pub(super) fn rounds(ticket: &TicketId) -> Self {
        let path = format!("/rest/servicedeskapi/request/{}/approval", segment(ticket.as_str()));
        Self { path, start: "start", size: ("limit", "50"), last: "isLastPage" }
    }

    fn page(&self, from: usize) -> Call {
        get(self.path.clone(), &[(self.start, &from.to_string()), self.size])
    }

    /// Puts the pages answered so far together. They must be about this issue, in order, and come to an end.
    pub(super) fn rows<'a>(&self, issue: &Issue, answers: &'a [Answer]) -> Result<Rows<'a>, TicketError> {
        let mut rows = Vec::new();
        let mut rest = answers;
        for _ in 0..MAX_PAGES {
            let Some((answer, after)) = rest.split_first() else { return Ok(Rows::Next(self.page(rows.len()))) };
            let page = document(answer)?;
            let values = json::array(&page, "/values")?;
            let foreign = issue.contradicts(page.get("self"), "/issue/")
                || issue.contradicts(page.pointer("/_links/self"), "/request/");
            if foreign || !starts_at(&page, self.start, rows.len()) {
                return Err(TicketError::bad("another page than the one asked for"));
            }
            rows.extend_from_slice(values);
            rest = after;
            match page.get(self.last) {
                Some(Value::Bool(true)) => return Ok(Rows::All(rows, rest)),
                Some(Value::Bool(false)) if !values.is_empty() => {}
                _ => return Err(TicketError::bad("a list whose end cannot be told")),
            }
        }
        Err(TicketError::bad(format!("a list of more than {MAX_PAGES} pages")))
    }
}

fn starts_at(page: &Value, name: &str, expected: usize) -> bool {
    let start = page.get(name).and_then(Value::as_u64);
    start.is_none_or(|start| usize::try_from(start) == Ok(expected))
}
