//! Searching by the one kind of query a reconciling client needs: project, status, and how recently updated.

use http::Method;
use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};

use super::super::wire::plus_seconds;
use super::model::{IssueState, State, status};
use super::{Asked, Jira, Outcome, Refusal};

/// The terms of a query, all of which must hold; an absent one does not restrict.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    projects: Option<Vec<String>>,
    statuses: Option<Vec<String>>,
    updated_within_seconds: Option<i64>,
    newest_first: bool,
}

impl Jira {
    /// Cloud's: a page and a token for the next one. Nobody finds nothing, with 200.
    pub(super) fn search(&self, state: &State, method: &Method, asked: &Asked) -> Outcome {
        let query = Search::read(method, asked)?;
        let found = query.find(state, asked)?;
        let is_last = found.len() <= query.start + query.size;
        let page = found.into_iter().skip(query.start).take(query.size);
        let issues: Vec<Value> = page.map(|issue| self.found(state, issue, query.fields.as_deref())).collect();
        let mut answer = json!({"issues": issues, "isLast": is_last});
        if !is_last {
            answer["nextPageToken"] = json!((query.start + query.size).to_string());
        }
        Ok((200, answer))
    }

    /// Data Center's: a page by number, and how many there are.
    pub(super) fn classic_search(&self, state: &State, method: &Method, asked: &Asked) -> Outcome {
        let query = Search::read(method, asked)?;
        let found = query.find(state, asked)?;
        let total = found.len();
        let fields = query.fields.as_deref().or(Some("*all"));
        let page = found.into_iter().skip(query.start).take(query.size);
        let issues: Vec<Value> = page.map(|issue| self.found(state, issue, fields)).collect();
        let answer = json!({
            "expand": "schema,names", "startAt": query.start, "maxResults": query.size, "total": total,
            "issues": issues,
        });
        Ok((200, answer))
    }

    /// Without `fields` a hit is its id alone.
    fn found(&self, state: &State, issue: &IssueState, fields: Option<&str>) -> Value {
        match fields {
            None => json!({"id": issue.id}),
            Some(fields) => self.issue_row(state, issue, state.flavour.rest(), Some(fields)),
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
                start: asked.query.number("nextPageToken").or(asked.query.number("startAt")).unwrap_or(0),
                size: asked.query.number("maxResults").unwrap_or(50).max(1),
            });
        }
        let body: Value =
            serde_json::from_slice(asked.body).map_err(|_| Refusal::new(400, "Invalid request payload."))?;
        let number = |name: &str| body[name].as_u64().and_then(|number| usize::try_from(number).ok());
        let token = body["nextPageToken"].as_str().and_then(|token| token.parse().ok());
        let fields =
            body["fields"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
        Ok(Self {
            jql: body["jql"].as_str().unwrap_or_default().to_owned(),
            fields,
            start: token.or(number("startAt")).unwrap_or(0),
            size: number("maxResults").unwrap_or(50).max(1),
        })
    }

    /// All hits in the order asked for.
    fn find<'a>(&self, state: &'a State, asked: &Asked) -> Result<Vec<&'a IssueState>, Refusal> {
        let terms = Terms::parse(&self.jql).ok_or_else(|| Refusal::new(400, "The JQL query is not supported."))?;
        if asked.anonymous {
            return Ok(Vec::new());
        }
        let mut found = state.indexed(asked.now);
        found.retain(|issue| terms.accept(issue, asked.now));
        found.sort_by_key(|issue| issue.updated);
        if terms.newest_first {
            found.reverse();
        }
        Ok(found)
    }
}

impl Terms {
    /// `None` for a query with anything else in it, so that a client's new term is not ignored without a word.
    fn parse(jql: &str) -> Option<Self> {
        let order = Regex::new(r"(?i)\s*\border\s+by\s+updated(\s+asc|\s+desc)?\s*$").ok()?;
        let ordered = order.captures(jql);
        let newest_first = ordered.as_ref().and_then(|order| order.get(1)).is_some_and(|way| is(way.as_str(), "desc"));
        let rest = ordered.and_then(|order| order.get(0)).map_or(jql, |order| &jql[..order.start()]);
        let mut terms = Self { newest_first, ..Self::default() };
        for clause in Regex::new(r"(?i)\s+and\s+").ok()?.split(rest.trim()) {
            terms.add(clause)?;
        }
        Some(terms)
    }

    fn add(&mut self, clause: &str) -> Option<()> {
        let recent = Regex::new(r#"(?i)^updated\s*>=?\s*"?-(\d+)([mhd])"?$"#).ok()?;
        if let Some(found) = recent.captures(clause) {
            let unit = match found[2].to_ascii_lowercase().as_str() {
                "m" => 60,
                "h" => 3600,
                _ => 86_400,
            };
            self.updated_within_seconds = Some(found[1].parse::<i64>().ok()?.checked_mul(unit)?);
            return Some(());
        }
        let list = Regex::new(r#"(?i)^(project|status)\s*(?:in\s*\(([^)]*)\)|=\s*("[^"]*"|[\w-]+))$"#).ok()?;
        let found = list.captures(clause)?;
        let text = found.get(2).or(found.get(3))?.as_str();
        let names = text.split(',').map(|one| one.trim().trim_matches('"').to_owned()).collect();
        if is(&found[1], "project") {
            self.projects = Some(names);
        } else {
            self.statuses = Some(names);
        }
        Some(())
    }

    fn accept(&self, issue: &IssueState, now: Timestamp) -> bool {
        let named = |allowed: &Option<Vec<String>>, values: &[&str]| {
            let any = |one: &String| values.iter().any(|value| is(one, value));
            allowed.as_ref().is_none_or(|allowed| allowed.iter().any(any))
        };
        let recent = self.updated_within_seconds.is_none_or(|seconds| issue.updated >= plus_seconds(now, -seconds));
        let status = [issue.status.as_str(), status(&issue.status).0];
        named(&self.projects, &[&issue.project]) && named(&self.statuses, &status) && recent
    }
}

/// Words of a query are the same in any case.
fn is(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other)
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
            newest_first: false,
        };
        assert_eq!(Terms::parse(jql), Some(terms));
    }

    #[test]
    fn a_term_that_is_not_understood_is_not_ignored() {
        for jql in ["", "ORDER BY updated", "project = ITSEC AND assignee = nina", "status in (1) ORDER BY key"] {
            assert_eq!(Terms::parse(jql), None, "{jql}");
        }
        let newest = Terms::parse("status = \"Approved\" order by updated desc").unwrap();
        assert!(newest.newest_first);
    }
}
