//! Writing a note: a comment, hidden from customers where the connection says so (`contracts/tickets.md` A7, H6).
//!
//! A note that may be there already is looked for first, by its marker at the end of a comment of our own: anybody may
//! quote a marker. An issue that takes no further comments keeps the note in an issue property.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{Note, Step, TicketError},
    Deployment, document, get,
    list::{Listing, Rows},
    wiki,
};
use crate::{
    json,
    outbound::{Answer, Body, Call, segment},
};

/// Jira takes 32,767 characters in a comment, and wiki text may need five for one; nobody reads that many.
const MAX_TEXT: usize = 6_000;

/// Comments nest; deeper texts than this are no notes of ours.
const MAX_DEPTH: usize = 16;

/// Whether the note is there already.
enum Look<'a> {
    Next(Call),
    Written,
    /// Not there; the answers after those of the search.
    Missing(&'a [Answer]),
}

pub(super) fn write(
    deployment: Deployment,
    note: &Note,
    maybe_written: bool,
    so_far: &[Answer],
) -> Result<Step<()>, TicketError> {
    let look = if maybe_written { look(deployment, note, so_far)? } else { Look::Missing(so_far) };
    let rest = match look {
        Look::Next(call) => return Ok(Step::Send(call)),
        Look::Written => return Ok(Step::Done(())),
        Look::Missing(rest) => rest,
    };
    let Some((posted, rest)) = rest.split_first() else { return Ok(Step::Send(comment(deployment, note))) };
    match posted.status {
        StatusCode::NOT_FOUND => absent(deployment, rest),
        StatusCode::PAYLOAD_TOO_LARGE => keep(deployment, note, rest),
        status if status.is_success() => Ok(Step::Done(())),
        status => Err(TicketError::bad(format!("an unexpected {status}"))),
    }
}

/// Looks for the note among the comments.
fn look<'a>(deployment: Deployment, note: &Note, answers: &'a [Answer]) -> Result<Look<'a>, TicketError> {
    if let [first, rest @ ..] = answers
        && first.status == StatusCode::NOT_FOUND
    {
        // The comment itself will tell whether the issue is gone.
        return Ok(Look::Missing(rest));
    }
    let (comments, rest) = match comments(deployment, note, answers)? {
        Rows::Next(call) => return Ok(Look::Next(call)),
        Rows::All(comments, rest) => (comments, rest),
    };
    let ending = written(deployment, &note.marker());
    let marked: Vec<&Value> = comments.iter().filter(|comment| ends_with(comment, &ending)).collect();
    if marked.is_empty() {
        return Ok(Look::Missing(rest));
    }
    let Some((answer, rest)) = rest.split_first() else { return Ok(Look::Next(deployment.myself())) };
    let us = deployment.own_account(answer)?;
    let author = |comment: &Value| Some(comment.get("author")?.get(deployment.account_id())?.as_str()? == us);
    let is_ours = marked.iter().any(|comment| author(comment).unwrap_or(false));
    Ok(if is_ours { Look::Written } else { Look::Missing(rest) })
}

/// The newest comments where they can be asked for in that order, else all of them.
fn comments<'a>(deployment: Deployment, note: &Note, answers: &'a [Answer]) -> Result<Rows<'a>, TicketError> {
    if deployment == Deployment::DataCenter {
        return Listing::comments(&note.ticket).rows(None, answers);
    }
    let Some((listed, rest)) = answers.split_first() else {
        let path = format!("{}/comment", deployment.issue(&note.ticket));
        return Ok(Rows::Next(get(path, &[("orderBy", "-created"), ("maxResults", "50")])));
    };
    Ok(Rows::All(json::array(&document(listed)?, "/comments")?.to_vec(), rest))
}

/// A text as it stands in a comment.
fn written(deployment: Deployment, text: &str) -> String {
    match deployment {
        Deployment::Cloud => text.to_owned(),
        Deployment::DataCenter => wiki::literal(text),
    }
}

fn ends_with(comment: &Value, marker: &str) -> bool {
    let mut text = String::new();
    if let Some(body) = comment.get("body") {
        flatten(body, &mut text, 0);
    }
    text.trim_end().ends_with(marker)
}

/// All text of a comment, whatever it is nested in.
fn flatten(node: &Value, text: &mut String, depth: usize) {
    if let Some(part) = node.get("text").and_then(Value::as_str).or(node.as_str()) {
        text.push_str(part);
    }
    if depth < MAX_DEPTH {
        json::array(node, "/content").unwrap_or_default().iter().for_each(|node| flatten(node, text, depth + 1));
    }
}

fn comment(deployment: Deployment, note: &Note) -> Call {
    let text = text(note);
    let mut body = match deployment {
        Deployment::Cloud => json!({"body": adf(&text)}),
        Deployment::DataCenter => json!({"body": lines(&text).map(wiki::literal).collect::<Vec<_>>().join("\n\n")}),
    };
    if note.internal {
        // Platform comments are public unless this says otherwise.
        body["properties"] = json!([{"key": "sd.public.comment", "value": {"internal": true}}]);
    }
    send(Method::POST, format!("{}/comment", deployment.issue(&note.ticket)), body)
}

/// The marked text, cut in front of its marker where it is too long.
fn text(note: &Note) -> String {
    if note.text.chars().count() <= MAX_TEXT {
        return note.marked_text();
    }
    let cut: String = note.text.chars().take(MAX_TEXT).collect();
    Note { text: format!("{cut} …"), ..note.clone() }.marked_text()
}

/// The lines that become paragraphs; an empty text node would be refused.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}

fn adf(text: &str) -> Value {
    let paragraph = |line: &str| json!({"type": "paragraph", "content": [{"type": "text", "text": line}]});
    json!({"type": "doc", "version": 1, "content": lines(text).map(paragraph).collect::<Vec<_>>()})
}

/// Keeps the note where nobody's comments count.
fn keep(deployment: Deployment, note: &Note, answers: &[Answer]) -> Result<Step<()>, TicketError> {
    match answers.first().map(|answer| answer.status) {
        None => Ok(Step::Send(property(deployment, note))),
        Some(StatusCode::NOT_FOUND) => Err(TicketError::Absent),
        Some(StatusCode::PAYLOAD_TOO_LARGE) => Err(TicketError::Full),
        Some(status) if status.is_success() => Ok(Step::Done(())),
        Some(status) => Err(TicketError::bad(format!("an unexpected {status}"))),
    }
}

/// A property for each note, so that a later one does not take an earlier one's place.
fn property(deployment: Deployment, note: &Note) -> Call {
    let name = format!("stint.note.{}", note.key.replace(':', "."));
    let path = format!("{}/properties/{}", deployment.issue(&note.ticket), segment(&name));
    send(Method::PUT, path, json!({"key": note.key, "text": text(note)}))
}

/// A missing issue and one hidden from a lost credential look alike; who we are tells them apart.
fn absent(deployment: Deployment, rest: &[Answer]) -> Result<Step<()>, TicketError> {
    match rest.first() {
        None => Ok(Step::Send(deployment.myself())),
        Some(answer) => Err(deployment.own_account(answer).map_or_else(|error| error, |_| TicketError::Absent)),
    }
}

fn send(method: Method, path: String, body: Value) -> Call {
    Call { method, path, query: vec![], headers: vec![], body: Body::Json(body) }
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
