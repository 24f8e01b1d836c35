//! The platform API: issues, changelogs, comments, metadata (`contracts/tickets.md A7`).

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::story;
use super::super::wire::jira_date;
use super::model::{Comment, IssueState, STATUSES, State};
use super::{Asked, Flavour, Jira, Outcome, Refusal, adf};

/// Fields every site has.
const SYSTEM_FIELDS: [&str; 8] =
    ["summary", "status", "issuetype", "project", "reporter", "creator", "created", "updated"];

impl Jira {
    pub(super) fn platform(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Outcome {
        let cloud = state.flavour == Flavour::Cloud;
        match (method.as_str(), path) {
            ("GET", ["issue", id]) => self.read_issue(state, id, asked),
            ("GET", ["issue", id, "changelog"]) if cloud => self.changelog(state, id, asked),
            ("GET", ["issue", id, "comment"]) => self.read_comments(state, id, asked),
            ("POST", ["issue", id, "comment"]) => self.write_comment(state, id, asked),
            ("GET" | "PUT", ["issue", id, "properties", key]) => property(state, method, id, key, asked),
            ("GET", ["myself"]) => self.myself(state, asked),
            ("GET", ["serverInfo"]) => Ok((200, self.server_info(state.flavour, asked))),
            ("GET", ["field"]) => Ok((200, fields())),
            ("GET", ["status"]) => {
                Ok((200, STATUSES.iter().map(|(id, _, _)| self.status_row(id, state.flavour.rest())).collect()))
            }
            ("GET" | "POST", ["search", "jql"]) if cloud => self.search(state, method, asked),
            ("GET" | "POST", ["search"]) if cloud => Err(Refusal::new(410, "The requested API has been removed.")),
            ("GET" | "POST", ["search"]) => self.classic_search(state, method, asked),
            _ => Err(Refusal::new(404, "Not found.")),
        }
    }

    fn read_issue(&self, state: &State, id: &str, asked: &Asked) -> Outcome {
        let issue = state.shown(id, asked.now).ok_or_else(Refusal::absent)?;
        let mut row = self.issue_row(state, issue, state.flavour.rest(), asked.query.first("fields"));
        if asked.query.first("expand").is_some_and(|expand| expand.split(',').any(|part| part == "changelog")) {
            let rows = issue.histories.iter().map(|history| self.history_row(state, history));
            // Only Cloud turns them round.
            let histories: Vec<Value> =
                if state.flavour == Flavour::Cloud { rows.rev().collect() } else { rows.collect() };
            let total = histories.len();
            row["changelog"] = json!({"startAt": 0, "maxResults": total, "total": total, "histories": histories});
        }
        Ok((200, row))
    }

    fn changelog(&self, state: &State, id: &str, asked: &Asked) -> Outcome {
        let issue = state.shown(id, asked.now).ok_or_else(Refusal::absent)?;
        let start = asked.query.number("startAt").unwrap_or(0);
        let size = asked.query.number("maxResults").unwrap_or(100).clamp(1, 100);
        let total = issue.histories.len();
        let shown = issue.histories.iter().skip(start).take(size);
        let values: Vec<Value> = shown.map(|history| self.history_row(state, history)).collect();
        let link =
            |start: usize| format!("{}/rest/api/3/issue/{id}/changelog?startAt={start}&maxResults={size}", self.url);
        let is_last = start + values.len() >= total;
        let mut page = json!({
            "self": link(start), "maxResults": size, "startAt": start, "total": total,
            "isLast": is_last, "values": values,
        });
        if !is_last {
            page["nextPage"] = json!(link(start + size));
        }
        Ok((200, page))
    }

    fn read_comments(&self, state: &State, id: &str, asked: &Asked) -> Outcome {
        let issue = live(state, id)?;
        let start = asked.query.number("startAt").unwrap_or(0);
        let size = asked.query.number("maxResults").unwrap_or(100).clamp(1, 100);
        let mut comments: Vec<&Comment> = issue.comments.iter().collect();
        if asked.query.first("orderBy") == Some("-created") {
            comments.reverse();
        }
        let total = comments.len();
        let shown = comments.into_iter().skip(start).take(size);
        let rows: Vec<Value> = shown.map(|comment| self.comment_row(state, &issue.id, comment)).collect();
        Ok((200, json!({"startAt": start, "maxResults": size, "total": total, "comments": rows})))
    }

    fn write_comment(&self, state: &mut State, id: &str, asked: &Asked) -> Outcome {
        if asked.anonymous {
            return Err(Refusal::unauthenticated());
        }
        let body: Value =
            serde_json::from_slice(asked.body).map_err(|_| Refusal::new(400, "Invalid request payload."))?;
        live(state, id)?;
        let text = match state.flavour {
            Flavour::Cloud => adf::text(&body["body"]),
            Flavour::DataCenter => body["body"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        };
        let text = text.ok_or_else(invalid_comment)?;
        let internal = body["properties"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|property| property["key"] == "sd.public.comment" && property["value"]["internal"] == true);
        let comment = state.client_comment(id, &text, internal, asked)?;
        let issue = live(state, id)?;
        Ok((201, self.comment_row(state, &issue.id, &comment)))
    }

    fn myself(&self, state: &State, asked: &Asked) -> Outcome {
        if asked.anonymous {
            return Err(Refusal::unauthenticated());
        }
        Ok((200, state.account(story::JIRA_SERVICE_ACCOUNT).row(&self.url, state.flavour.rest())))
    }

    fn server_info(&self, flavour: Flavour, asked: &Asked) -> Value {
        let (deployment, version, numbers) = match flavour {
            Flavour::Cloud => ("Cloud", "1001.0.0-SNAPSHOT", [1001, 0, 0]),
            Flavour::DataCenter => ("Server", "10.3.2", [10, 3, 2]),
        };
        json!({
            "baseUrl": &*self.url,
            "version": version,
            "versionNumbers": numbers,
            "deploymentType": deployment,
            "buildNumber": 100_300,
            "serverTime": jira_date(asked.now),
            "serverTitle": "Jira",
        })
    }
}

impl State {
    /// The client comments, where it may and where there is room.
    pub(super) fn client_comment(
        &mut self,
        id: &str,
        text: &str,
        internal: bool,
        asked: &Asked,
    ) -> Result<Comment, Refusal> {
        let index = self.issues.iter().position(|issue| issue.is(id) && issue.is_open_to_writes());
        let index = index.ok_or_else(Refusal::absent)?;
        if self.issues[index].comments.len() >= self.comment_limit {
            return Err(Refusal::new(413, "The issue has reached its limit of comments."));
        }
        Ok(self.comment(index, story::JIRA_SERVICE_ACCOUNT, text, internal, asked.now))
    }

    /// Adds a comment to the issue.
    pub(super) fn comment(
        &mut self,
        index: usize,
        author: &str,
        text: &str,
        internal: bool,
        now: Timestamp,
    ) -> Comment {
        let id = (10_000 + self.fresh_id()).to_string();
        let comment = Comment { id, author: author.to_owned(), text: text.to_owned(), internal, created: now };
        let issue = &mut self.issues[index];
        issue.comments.push(comment.clone());
        issue.updated = now;
        self.reindex(index);
        comment
    }
}

fn live<'a>(state: &'a State, id: &str) -> Result<&'a IssueState, Refusal> {
    state.issues.iter().find(|issue| issue.is(id) && issue.is_open_to_writes()).ok_or_else(Refusal::absent)
}

/// The message misleads, as the real one does; only `errors` tells the truth.
fn invalid_comment() -> Refusal {
    let mut refusal = Refusal::new(400, "You do not have the permission to comment on this issue.");
    refusal.errors = json!({"comment": "Comment body is not valid!"});
    refusal
}

fn property(state: &mut State, method: &Method, id: &str, key: &str, asked: &Asked) -> Outcome {
    if asked.anonymous {
        return Err(Refusal::unauthenticated());
    }
    let issue = state.live(id).ok_or_else(Refusal::absent)?;
    if method == Method::GET {
        let value = issue.properties.get(key).ok_or_else(|| Refusal::new(404, "The property was not found."))?;
        return Ok((200, json!({"key": key, "value": value})));
    }
    let value = serde_json::from_slice(asked.body).map_err(|_| Refusal::new(400, "Invalid JSON."))?;
    let replaced = issue.properties.insert(key.to_owned(), value).is_some();
    Ok((if replaced { 200 } else { 201 }, json!({})))
}

fn fields() -> Value {
    let system = SYSTEM_FIELDS.iter().map(|id| json!({"id": id, "key": id, "name": id, "custom": false}));
    let custom = story::FIELDS.iter().map(|(id, name)| {
        let moment = [story::FIELD_START, story::FIELD_END].contains(id);
        let (kind, custom) = if moment { ("datetime", "datetime") } else { ("string", "textfield") };
        let custom = format!("com.atlassian.jira.plugin.system.customfieldtypes:{custom}");
        json!({"id": id, "key": id, "name": name, "custom": true, "schema": {"type": kind, "custom": custom}})
    });
    system.chain(custom).collect()
}
