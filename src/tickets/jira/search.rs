//! Issues that changed lately and read as approved (`contracts/tickets.md` H10).

use serde_json::Value;

use super::{
    super::{Listed, Lookback, Step, TicketError},
    Jira, document, get, shape,
};
use crate::{
    domain::id::{TicketId, TicketNumber},
    json,
    outbound::{Answer, Call},
};

/// A longer list is an error: the poll would miss what it does not show.
const MAX_PAGES: usize = 50;

/// Page after page, oldest change first. A relative time needs no time zone of the account's.
pub(super) fn changed(jira: &Jira, window: &Lookback, so_far: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
    let mut found = Vec::new();
    let mut token = None;
    for answer in so_far {
        let page = document(answer)?;
        for issue in json::array(&page, "/issues")? {
            found.extend(listed(jira, issue)?);
        }
        token = json::optional_text(&page, "/nextPageToken")?.map(str::to_owned);
        if token.is_none() {
            return Ok(Step::Done(found));
        }
    }
    if so_far.len() >= MAX_PAGES {
        return Err(TicketError::bad(format!("a list of more than {MAX_PAGES} pages")));
    }
    Ok(Step::Send(page(jira, window, token.as_deref())))
}

fn page(jira: &Jira, window: &Lookback, token: Option<&str>) -> Call {
    let jql = jql(jira, window);
    let mut query = vec![("jql", jql.as_str()), ("fields", "status,updated"), ("maxResults", "100")];
    query.extend(token.map(|token| ("nextPageToken", token)));
    get("/rest/api/3/search/jql".into(), &query)
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
