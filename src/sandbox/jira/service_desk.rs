//! The Service Management API: approvals and customer-facing comments (`contracts/tickets.md A4`).

use http::Method;
use serde_json::{Value, json};

use super::model::{IssueState, State};
use super::render::service_desk_date;
use super::{Asked, Jira, Outcome, Refusal};

impl Jira {
    pub(super) fn service_desk(&self, state: &mut State, method: &Method, path: &[&str], asked: &Asked) -> Outcome {
        if let ("GET", ["info"]) = (method.as_str(), path) {
            return Ok((200, json!({"version": "5.17.0", "isLicensedForUse": state.licensed})));
        }
        let ["request", path @ ..] = path else { return Err(Refusal::new(404, "Not found.")) };
        if asked.anonymous {
            return Err(Refusal::unauthenticated());
        }
        match (method.as_str(), path) {
            ("GET", [id, "approval"]) => self.approvals(state, id, asked),
            ("GET", [id, "approval", approval]) => self.approval(state, id, approval, asked),
            ("POST", [id, "comment"]) => self.service_desk_comment(state, id, asked),
            _ => Err(Refusal::new(404, "Not found.")),
        }
    }

    fn approvals(&self, state: &State, id: &str, asked: &Asked) -> Outcome {
        let issue = shown(state, id, asked)?;
        let start = asked.query.number("start").unwrap_or(0);
        let limit = asked.query.number("limit").unwrap_or(50).clamp(1, 100);
        let rows = issue.approvals.iter().skip(start).take(limit);
        let rows: Vec<Value> = rows.map(|approval| self.approval_row(state, &issue.id, approval)).collect();
        let link = format!("{}/rest/servicedeskapi/request/{id}/approval", self.url);
        let is_last = start + rows.len() >= issue.approvals.len();
        let mut links = json!({"self": link, "base": &*self.url, "context": ""});
        if !is_last {
            links["next"] = json!(format!("{link}?start={}&limit={limit}", start + limit));
        }
        let page = json!({
            "_expands": [], "size": rows.len(), "start": start, "limit": limit,
            "isLastPage": is_last, "_links": links, "values": rows,
        });
        Ok((200, page))
    }

    fn approval(&self, state: &State, id: &str, approval_id: &str, asked: &Asked) -> Outcome {
        let issue = shown(state, id, asked)?;
        let approval = issue.approvals.iter().find(|approval| approval.id == approval_id);
        let approval = approval.ok_or_else(|| Refusal::new(404, "The approval was not found."))?;
        Ok((200, self.approval_row(state, &issue.id, approval)))
    }

    fn service_desk_comment(&self, state: &mut State, id: &str, asked: &Asked) -> Outcome {
        let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let text = body["body"].as_str().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Refusal::new(400, "The comment body is required."))?;
        let internal = body["public"] == false;
        let comment = state.client_comment(id, text, internal, asked)?;
        let author = state.account(&comment.author).service_desk_row(&self.url, state.flavour);
        let created = service_desk_date(comment.created);
        Ok((
            201,
            json!({
                "id": comment.id, "body": comment.text, "public": !comment.internal, "author": author, "created": created,
            }),
        ))
    }
}

fn shown<'a>(state: &'a State, id: &str, asked: &Asked) -> Result<&'a IssueState, Refusal> {
    state.shown(id, asked.now).ok_or_else(Refusal::absent)
}
