//! Searching by the one kind of query a reconciling client needs: project, status, and how recently updated.

use http::Method;
use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};

use super::super::wire::plus_seconds;
use super::model::{IssueState, State};
use super::{Asked, Jira, Outcome, Refusal};

/// The terms of a query, all of which must hold; an absent one does not restrict.
#[derive(Debug, PartialEq, Eq)]
struct Terms {
    projects: Option<Vec<String>>,
    statuses: Option<Vec<String>>,
    updated_within_seconds: Option<i64>,
}

impl Jira {
    pub(super) fn search(&self, state: &State, method: &Method, asked: &Asked) -> Outcome {
        let query = Search::read(method, asked)?;
        let terms = Terms::parse(&query.jql).ok_or_else(|| Refusal::new(400, "The JQL query is not supported."))?;
        let mut found: Vec<&IssueState> =
            state.issues.iter().filter_map(|issue| state.shown(&issue.id, asked.now)).collect();
        found.retain(|issue| terms.accept(issue, asked.now));
        found.sort_by_key(|issue| issue.updated);
        let is_last = found.len() <= query.start + query.size;
        let page = found.into_iter().skip(query.start).take(query.size);
        let issues: Vec<Value> = page.map(|issue| self.found(state, issue, query.fields.as_deref())).collect();
        let mut answer = json!({"issues": issues, "isLast": is_last});
        if !is_last {
            answer["nextPageToken"] = json!((query.start + query.size).to_string());
        }
        Ok((200, answer))
    }

    /// Without `fields` a hit is its id alone.
    fn found(&self, state: &State, issue: &IssueState, fields: Option<&str>) -> Value {
        match fields {
            None => json!({"id": issue.id}),
            Some(fields) => self.issue_row(state, issue, 3, Some(fields)),
        }
    }
}

struct Search {
    jql: String,
    fields: Option<String>,
    start: usize,
    size: usize,
}

impl Search {
    fn read(method: &Method, asked: &Asked) -> Result<Self, Refusal> {
        if method == Method::GET {
            return Ok(Self {
                jql: asked.query.first("jql").unwrap_or_default().to_owned(),
                fields: asked.query.first("fields").map(str::to_owned),
                start: asked.query.number("nextPageToken").unwrap_or(0),
                size: asked.query.number("maxResults").unwrap_or(50).max(1),
            });
        }
        let body: Value =
            serde_json::from_slice(asked.body).map_err(|_| Refusal::new(400, "Invalid request payload."))?;
        let size = body["maxResults"].as_u64().and_then(|size| usize::try_from(size).ok());
        let fields =
            body["fields"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
        Ok(Self {
            jql: body["jql"].as_str().unwrap_or_default().to_owned(),
            fields,
            start: body["nextPageToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0),
            size: size.unwrap_or(50).max(1),
        })
    }
}

impl Terms {
    fn parse(jql: &str) -> Option<Self> {
        let list = |field: &str| {
            let pattern = format!(r#"(?i)\b{field}\s*(?:in\s*\(([^)]*)\)|=\s*("[^"]*"|[\w-]+))"#);
            let found = Regex::new(&pattern).ok()?.captures(jql)?;
            let text = found.get(1).or(found.get(2))?.as_str();
            Some(text.split(',').map(|one| one.trim().trim_matches('"').to_owned()).collect())
        };
        let recent = Regex::new(r#"(?i)\bupdated\s*>=?\s*"?-(\d+)([mhd])"?"#).ok()?;
        let updated_within_seconds = recent.captures(jql).and_then(|found| {
            let unit = match found[2].to_ascii_lowercase().as_str() {
                "m" => 60,
                "h" => 3600,
                _ => 86_400,
            };
            found[1].parse::<i64>().ok()?.checked_mul(unit)
        });
        let terms = Self { projects: list("project"), statuses: list("status"), updated_within_seconds };
        // An unbounded query is refused by the real endpoint, too.
        let bounded = terms.projects.is_some() || terms.statuses.is_some() || terms.updated_within_seconds.is_some();
        bounded.then_some(terms)
    }

    fn accept(&self, issue: &IssueState, now: Timestamp) -> bool {
        let named = |allowed: &Option<Vec<String>>, value: &str| {
            allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|one| one == value))
        };
        let recent = self.updated_within_seconds.is_none_or(|seconds| issue.updated >= plus_seconds(now, -seconds));
        named(&self.projects, &issue.project) && named(&self.statuses, &issue.status) && recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_reconciling_client_is_understood() {
        let jql = "project in (ITSEC, \"OPS\") AND status in (10016) AND updated >= -15m ORDER BY updated ASC";
        let terms = Terms {
            projects: Some(vec!["ITSEC".to_owned(), "OPS".to_owned()]),
            statuses: Some(vec!["10016".to_owned()]),
            updated_within_seconds: Some(900),
        };
        assert_eq!(Terms::parse(jql), Some(terms));
    }
}
