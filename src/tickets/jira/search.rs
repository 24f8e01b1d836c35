//! Issues that changed lately and read as approved (`contracts/tickets.md` H10).
//!
//! Whoever is not signed in is shown an empty list, or the part of it that is public, and no error; so the account is
//! asked for first.

use serde_json::Value;

use super::{
    super::{Listed, Lookback, Step, TicketError},
    Jira,
    deployment::Deployment,
    document, get,
    list::{Listing, Rows},
    shape,
};
use crate::{
    domain::id::{TicketId, TicketNumber},
    json,
    outbound::{Answer, Call},
};

/// A longer list is an error: the poll would miss what it does not show.
const MAX_PAGES: usize = 50;

/// Without naming them Cloud shows ids alone.
const FIELDS: &str = "status,updated";

/// Page after page, oldest change first. A relative time needs no time zone of the account's.
pub(super) fn changed(jira: &Jira, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
    let deployment = jira.own.deployment;
    let Some((myself, pages)) = so_far.split_first() else { return Ok(Step::Send(deployment.myself())) };
    deployment.own_account(myself)?;
    let jql = jql(jira, window);
    let issues = match deployment {
        Deployment::Cloud => by_token(&jql, pages)?,
        Deployment::DataCenter => Listing::found(jql, FIELDS).rows(None, pages)?,
    };
    match issues {
        Rows::Next(call) => Ok(Step::Send(call)),
        Rows::All(issues, _) => {
            let found: Vec<_> = issues.iter().map(|issue| listed(jira, issue)).collect::<Result<_, _>>()?;
            Ok(Step::Done(found.into_iter().flatten().collect()))
        }
    }
}

/// Cloud's list: each page names the next one.
fn by_token<'a>(jql: &str, pages: &'a [Answer]) -> Result<Rows<'a>, TicketError> {
    let mut issues = Vec::new();
    let mut token = None;
    for (n, answer) in pages.iter().enumerate() {
        let page = document(answer)?;
        issues.extend_from_slice(json::array(&page, "/issues")?);
        token = json::optional_text(&page, "/nextPageToken")?.map(str::to_owned);
        if token.is_some() {
            continue;
        }
        if page.get("isLast") == Some(&Value::Bool(false)) {
            return Err(TicketError::bad("a list whose end cannot be told"));
        }
        return Ok(Rows::All(issues, &pages[n + 1..]));
    }
    if pages.len() >= MAX_PAGES {
        return Err(TicketError::bad(format!("a list of more than {MAX_PAGES} pages")));
    }
    Ok(Rows::Next(page(jql, token.as_deref())))
}

fn page(jql: &str, token: Option<&str>) -> Call {
    let mut query = vec![("jql", jql), ("fields", FIELDS), ("maxResults", "100")];
    query.extend(token.map(|token| ("nextPageToken", token)));
    get(format!("{}/search/jql", Deployment::Cloud.api()), &query)
}

/// Projects and statuses are letters and digits by configuration: nothing needs quoting.
fn jql(jira: &Jira, window: &Lookback) -> String {
    format!(
        "project in ({}) AND status in ({}) AND updated >= -{}m ORDER BY updated ASC",
        jira.own.projects.join(","),
        jira.own.approved_statuses.join(","),
        window.minutes().max(1),
    )
}

/// An issue of ours; what lies outside the ticket pattern is passed over.
fn listed(jira: &Jira, issue: &Value) -> Result<Option<Listed>, TicketError> {
    let id = shape::id(issue.get("id")).ok_or_else(|| json::not("/issues/id", "an id"))?;
    let key = json::text(issue, "/key")?;
    Ok(jira.is_ours(key).then(|| Listed { ticket: TicketId::new(id), number: TicketNumber::new(key) }))
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
