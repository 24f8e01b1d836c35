//! The Table API: lists, single records, and notes (`contracts/tickets.md B4`).

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::super::wire::{empty, header_text, json as json_answer, set_header};
use super::model::{Row, State, View};
use super::query::{Clock, Query};
use super::render::Painter;
use super::{Asked, Outcome, Refusal, ServiceNow, schema};

const DEFAULT_LIMIT: usize = 10_000;
/// The columns a note is written to.
const JOURNALS: [&str; 2] = ["work_notes", "comments"];

/// One page of a list, cut before the client's rights were looked at.
struct Page<'a> {
    rows: Vec<&'a Row>,
    offset: usize,
    limit: usize,
    total: usize,
}

impl ServiceNow {
    pub(super) fn table_api(&self, state: &mut State, path: &[&str], asked: &Asked) -> Outcome {
        let (first_version, path) = match path {
            ["v1", rest @ ..] => (true, rest),
            ["v2", rest @ ..] | rest => (false, rest),
        };
        match (asked.request.method().as_str(), path) {
            (_, ["table", table, ..]) if schema::columns(table).is_none() => {
                Err(Refusal::new(400, &format!("Invalid table {table}"), ""))
            }
            ("GET", ["table", table]) => self.list(state, table, first_version, asked),
            ("GET", ["table", table, id]) => self.record(state, table, id, asked),
            ("PATCH", ["table", table, id]) => self.patch(state, table, id, asked),
            (_, ["table", _] | ["table", _, _]) => Err(Refusal::new(405, "Method not supported", "")),
            _ => Err(Refusal::new(400, "Requested URI does not represent any resource", "")),
        }
    }

    fn list(&self, state: &State, table: &str, first_version: bool, asked: &Asked) -> Outcome {
        let view = state.view(asked.now);
        let page = Page::cut(state, &view, table, asked);
        let painter = Painter::new(&self.url, state, &view, asked);
        let visible = page.rows.iter().filter(|row| state.acl.allows(&view, row));
        let rows: Vec<Value> = visible.map(|row| painter.record(row)).collect();
        if first_version && rows.is_empty() {
            return Err(Refusal::absent());
        }
        let mut response = json_answer(200, &json!({"result": rows}));
        set_header(&mut response, "x-total-count", &page.total.to_string());
        set_header(&mut response, "link", &page.links(&self.url, asked));
        Ok(response)
    }

    fn record(&self, state: &State, table: &str, id: &str, asked: &Asked) -> Outcome {
        let view = state.view(asked.now);
        let row = view.find(id).filter(|row| row.table == table && state.acl.allows(&view, row));
        let row = row.ok_or_else(Refusal::absent)?;
        let record = Painter::new(&self.url, state, &view, asked).record(row);
        Ok(json_answer(200, &json!({"result": record})))
    }

    /// The client may write notes and nothing else; a note is appended however often it has been written before.
    fn patch(&self, state: &mut State, table: &str, id: &str, asked: &Asked) -> Outcome {
        let body: Value = serde_json::from_slice(asked.request.body())
            .map_err(|_| Refusal::new(400, "Invalid JSON", "The payload is not valid JSON"))?;
        let body = body.as_object().ok_or_else(|| Refusal::new(400, "Invalid JSON", "The payload is no object"))?;
        let present = |row: &Row| row.table == table && !row.deleted && state.acl.allows(&state.view(asked.now), row);
        state.row(id).filter(|row| present(row)).ok_or_else(Refusal::absent)?;
        let forbidden = |name: &String| schema::kind(table, name).is_some() && !JOURNALS.contains(&name.as_str());
        if !schema::is_task(table) || body.keys().any(forbidden) {
            return Err(Refusal::forbidden());
        }
        for element in JOURNALS {
            if let Some(text) = body.get(element).and_then(Value::as_str).filter(|text| !text.is_empty()) {
                state.note(id, element, text, &asked.user, asked.now);
            }
        }
        state.set(id, &[], &asked.user, asked.now);
        if header_text(asked.request.headers(), "x-no-response-body") == Some("true") {
            return Ok(empty(204));
        }
        Ok(self.written(state, id, asked))
    }

    fn written(&self, state: &State, id: &str, asked: &Asked) -> Response<Bytes> {
        let view = state.view(asked.now);
        let painter = Painter::new(&self.url, state, &view, asked);
        let record = state.row(id).map(|row| painter.record(row));
        json_answer(200, &json!({"result": record}))
    }
}

impl<'a> Page<'a> {
    fn cut(state: &State, view: &View<'a>, table: &str, asked: &Asked) -> Self {
        let clock = Clock { now: asked.now, zone: state.zone(&asked.user) };
        let text = asked.query.first("sysparm_query").filter(|_| !asked.forgetful).unwrap_or_default();
        let query = Query::parse(table, text, &clock);
        let mut rows = view.rows(table);
        rows.retain(|row| query.accepts(view, row) && !(state.strict && query.invalid));
        query.sort(view, &mut rows);
        let total = rows.len();
        let limit = asked.query.number("sysparm_limit").unwrap_or(DEFAULT_LIMIT).max(1);
        let offset = asked.query.number("sysparm_offset").unwrap_or(0);
        Self { rows: rows.into_iter().skip(offset).take(limit).collect(), offset, limit, total }
    }

    /// `first`, `prev`, `next` and `last`, as far as there are such pages.
    fn links(&self, url: &str, asked: &Asked) -> String {
        let last = self.total.saturating_sub(1) / self.limit * self.limit;
        let previous = (self.offset > 0).then(|| ("prev", self.offset.saturating_sub(self.limit)));
        let next = (self.offset + self.limit < self.total).then(|| ("next", self.offset + self.limit));
        let pages = [Some(("first", 0)), previous, next, Some(("last", last))];
        let link = |(name, offset)| format!("<{url}{}>;rel=\"{name}\"", self.target(asked, offset));
        pages.into_iter().flatten().map(link).collect::<Vec<_>>().join(",")
    }

    /// The call's path and query with another offset.
    fn target(&self, asked: &Asked, offset: usize) -> String {
        let uri = asked.request.uri();
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let others = pairs.filter(|(name, _)| name != "sysparm_limit" && name != "sysparm_offset");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(others);
        query.append_pair("sysparm_limit", &self.limit.to_string());
        query.append_pair("sysparm_offset", &offset.to_string());
        format!("{}?{}", uri.path(), query.finish())
    }
}
