//! A request's document, or a row of an export, held against what its events say.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::story::{Fact, Story};

/// How a document shows things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Everything of each member that it has.
    Whole,
    /// Single parts; what it does not show is not asked for.
    Parts,
}

impl Form {
    /// Whether this shows what the log has. An empty cell stands for an empty list, too.
    fn is_same(self, shown: &Value, recorded: &Value) -> bool {
        let is_empty = |value: &Value| value.is_null() || value == &json!([]);
        shown == recorded || (self == Self::Parts && is_empty(shown) && is_empty(recorded))
    }
}

/// Every member that shows something else than the events say.
pub(super) fn faults(document: &Value, story: &Story, form: Form) -> Vec<String> {
    if story.status.is_none() {
        return vec!["no event of the log is about it".into()];
    }
    let mut found = if form == Form::Whole { shape(document) } else { vec![] };
    for (path, recorded) in facts(document, story) {
        let shown = document.pointer(path);
        let is_shown = match form {
            Form::Whole => true,
            Form::Parts => shown.is_some() && !["/principal", "/entitlement"].contains(&path),
        };
        if is_shown && !form.is_same(shown.unwrap_or(&Value::Null), &recorded) {
            let shown = shown.map_or_else(|| "nothing".into(), brief);
            found.push(format!("{} shows {shown}, the log has {}", path[1..].replace('/', "."), brief(&recorded)));
        }
    }
    found.extend(snapshot(document, story, form));
    if form == Form::Parts {
        return found;
    }
    found.extend(attempts(document, story));
    found
}

/// Parts of a whole document, by their path: each, where it is not null, has these members and no others.
const SHAPES: [(&str, &[&str]); 6] = [
    ("", &MEMBERS),
    ("/ticket", &["basis", "id", "number", "snapshot", "snapshot_digest", "system", "url"]),
    ("/approval", &["approved_at", "approvers", "id"]),
    ("/decision", &["bound_by", "catalog_version", "decided_at", "duration", "reasons", "snapshot_digest"]),
    ("/end", &END_MEMBERS),
    ("/hold", &["detail", "next_look_at", "reason"]),
];

const MEMBERS: [&str; 21] = [
    "approval",
    "assignment",
    "attempts",
    "connection",
    "decision",
    "dry_run",
    "end",
    "entitlement",
    "failure",
    "hold",
    "holders",
    "id",
    "notes",
    "principal",
    "received_at",
    "requested_duration",
    "status",
    "tenant",
    "ticket",
    "timeline",
    "updated_at",
];

const END_MEMBERS: [&str; 8] =
    ["cause", "confirmed_at", "continued_by", "lag_seconds", "next_look_at", "ordered_at", "ordered_by", "reason"];

/// Members of a whole document that are lists.
const LISTS: [&str; 4] = ["attempts", "holders", "notes", "timeline"];

/// A whole document leaves nothing out, so that what it does not show cannot pass unseen, and adds nothing that nobody checks.
fn shape(document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, members) in SHAPES {
        let Some(part) = document.pointer(path).filter(|part| !part.is_null()) else { continue };
        let Some(shown) = part.as_object() else {
            faults.push(format!("{} is no JSON object", named(path)));
            continue;
        };
        let missing = members.iter().filter(|member| !shown.contains_key(**member));
        faults.extend(missing.map(|member| format!("{} lacks {member}", named(path))));
        let more = shown.keys().filter(|member| !members.contains(&member.as_str()));
        faults.extend(more.map(|member| format!("{} has a member that nothing proves: {member}", named(path))));
    }
    if document["ticket"].is_null() {
        faults.push("the document shows no ticket".into());
    }
    let lists = LISTS.iter().filter(|member| !document[**member].is_array());
    faults.extend(lists.map(|member| format!("{member} is no list")));
    faults
}

fn named(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or("the document")
}

/// What of the ticket nothing shows to be genuine, in words.
pub(super) fn unproved(document: &Value, story: &Story) -> Option<&'static str> {
    if document.pointer("/ticket/snapshot").is_none_or(Value::is_null) {
        return Some("the ticket's snapshot, which is not shown, and its number and address");
    }
    sealed_snapshot(story).is_none().then_some("the ticket's snapshot, whose digest no event says for good")
}

/// What the events say, by the path where a document shows it.
fn facts(document: &Value, story: &Story) -> Vec<(&'static str, Value)> {
    let mut facts = vec![
        ("/status", json!(story.status)),
        ("/received_at", json!(story.received_at)),
        ("/connection", json!(story.connection)),
    ];
    let mut say = |path, fact: Option<Value>| facts.extend(fact.map(|fact| (path, fact)));
    say("/ticket/system", Some(json!(story.connection)));
    say("/ticket/id", story.ticket.at("/id"));
    decision(story, &mut say);
    for (path, part) in [("/failure/code", "/code"), ("/failure/detail", "/detail")] {
        say(path, story.failure.at(part));
    }
    for (path, part) in [("/hold/reason", "/code"), ("/hold/detail", "/detail")] {
        say(path, story.hold.at(part));
    }
    for (path, part) in ASSIGNMENT {
        say(path, story.assignment.at(part));
    }
    for (path, part) in END {
        say(path, story.end.at(part));
    }
    let empty = |value: Value| if value.is_null() { json!([]) } else { value };
    if story.end != Fact::Absent {
        say("/end/continued_by", story.end.at("/continued_by").map(empty));
        say("/end/lag_seconds", lag(story));
    }
    facts.retain(|(path, fact)| !(fact.is_null() && hangs_loose(document, path)));
    facts
}

const ASSIGNMENT: [(&str, &str); 6] = [
    ("/assignment/schedule_request_id", "/schedule_request_id"),
    ("/assignment/schedule_id", "/schedule_id"),
    ("/assignment/starts_at", "/starts_at"),
    ("/assignment/ends_at", "/ends_at"),
    ("/assignment/confirmed_at", "/confirmed_at"),
    ("/assignment/joined", "/joined"),
];

const END: [(&str, &str); 5] = [
    ("/end/cause", "/cause"),
    ("/end/ordered_at", "/ordered_at"),
    ("/end/ordered_by", "/actor"),
    ("/end/reason", "/reason"),
    ("/end/confirmed_at", "/confirmed_at"),
];

const DECISION: [(&str, &str); 17] = [
    ("/tenant", "/tenant"),
    ("/principal", "/principal"),
    ("/principal/id", "/principal/id"),
    ("/principal/name", "/principal/name"),
    ("/entitlement", "/entitlement"),
    ("/entitlement/key", "/entitlement/key"),
    ("/entitlement/title", "/entitlement/title"),
    ("/entitlement/target", "/entitlement/target"),
    ("/requested_duration", "/requested"),
    ("/approval/id", "/approval"),
    ("/approval/approved_at", "/approved_at"),
    ("/approval/approvers", "/approvers"),
    ("/decision/decided_at", "/decided_at"),
    ("/decision/duration", "/duration"),
    ("/decision/bound_by", "/bound_by"),
    ("/decision/catalog_version", "/catalog_version"),
    ("/decision/snapshot_digest", "/snapshot_digest"),
];

/// The decision either way: with a duration and what bound it, or with every reason why not.
fn decision(story: &Story, say: &mut impl FnMut(&'static str, Option<Value>)) {
    let undecided = story.decision == Fact::Absent;
    for (path, part) in DECISION {
        match path {
            // Without a decision, these are as the ticket has them, or say when it was refused.
            "/requested_duration" if undecided => {}
            "/tenant" if undecided => say(path, story.tenant.as_ref().map(|tenant| json!(tenant))),
            "/decision/decided_at" if undecided => say(path, Some(json!(story.refused_at))),
            _ => say(path, story.decision.at(part)),
        }
    }
    let reasons = match &story.reasons {
        Fact::Absent if undecided => Some(Value::Null),
        Fact::Absent => Some(json!([])),
        reasons => reasons.at(""),
    };
    say("/decision/reasons", reasons);
    if !undecided {
        say("/dry_run", story.decision.at("/dry_run").map(|dry| json!(dry == json!(true))));
        say("/ticket/basis", story.decision.at("/basis"));
    }
}

/// Null, and inside of something that the document shows as null altogether.
fn hangs_loose(document: &Value, path: &str) -> bool {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    !above.is_empty() && document.pointer(above).is_none_or(Value::is_null)
}

/// From the moment it was to end until the end was proved.
fn lag(story: &Story) -> Option<Value> {
    let moment = |value: Option<Value>| value?.as_str()?.parse::<Timestamp>().ok();
    let Fact::Told(order) = &story.end else { return None };
    let Some(confirmed) = moment(Some(order["confirmed_at"].clone())) else { return Some(Value::Null) };
    let own_end = if order["cause"] == "expired" { moment(Some(story.assignment.at("/ends_at")?)) } else { None };
    let from = own_end.or_else(|| moment(Some(order["ordered_at"].clone())))?;
    Some(json!(confirmed.duration_since(from).as_secs()))
}

/// The ticket's snapshot is what was decided on, and what is shown of the ticket is what the snapshot says.
fn snapshot(document: &Value, story: &Story, form: Form) -> Vec<String> {
    let mut faults = Vec::new();
    let is_shown = |ticket: &&Value| form == Form::Whole || ticket.get("snapshot_digest").is_some();
    let Some(ticket) = document.get("ticket").filter(is_shown) else { return faults };
    let sealed = sealed_snapshot(story);
    let shown = ticket["snapshot_digest"].as_str();
    if sealed.is_some() && sealed.as_deref() != shown {
        faults.push("ticket.snapshot_digest is another than the log has".into());
    }
    let Some(snapshot) = ticket.get("snapshot").filter(|snapshot| !snapshot.is_null()) else { return faults };
    // Members of a snapshot are sorted by name wherever it is written.
    let own = hex::encode(digest(&SHA256, snapshot.to_string().as_bytes()));
    if shown != Some(&format!("sha256:{own}")) {
        faults.push("ticket.snapshot has another digest than ticket.snapshot_digest says".into());
    }
    for part in ["number", "url", "id"] {
        if ticket.get(part) != snapshot.get(part) {
            faults.push(format!("ticket.{part} is another than in the ticket's snapshot"));
        }
    }
    faults
}

/// The digest of the snapshot that was decided on.
fn sealed_snapshot(story: &Story) -> Option<String> {
    match &story.decision {
        Fact::Told(decision) => decision["snapshot_digest"].as_str().map(str::to_owned),
        // Before a request is over it may be read anew without a move.
        _ => story.snapshot_digest.clone().filter(|_| story.is_over()),
    }
}

/// Looks for an attempt are still counted after it was closed.
const COUNTED_ON: [&str; 2] = ["absent_reads", "last_absent_at"];

/// What is learnt of an attempt while it is open is told as it is closed.
const LEARNT: [&str; 5] = ["code", "http_status", "graph_request_id", "schedule_request_id", "schedule_id"];

/// Every recorded attempt is shown, no other, and each as the log last told of it.
fn attempts(document: &Value, story: &Story) -> Vec<String> {
    let Some(shown) = document.get("attempts").and_then(Value::as_array) else { return vec![] };
    let mut faults = Vec::new();
    for attempt in shown {
        let id = attempt["id"].as_str().unwrap_or_default();
        match story.attempts.get(id) {
            None if story.details_missing => {}
            None => faults.push(format!("attempt {id}: the log does not know it")),
            Some(told) => faults.extend(attempt_faults(id, attempt, told)),
        }
    }
    let is_shown = |id: &str| shown.iter().any(|attempt| attempt["id"] == id);
    faults.extend(story.attempts.keys().filter(|id| !is_shown(id)).map(|id| format!("attempt {id} is not shown")));
    faults
}

fn attempt_faults(id: &str, shown: &Value, told: &Value) -> Vec<String> {
    let is_open = told["outcome"] == "open";
    let changes = |member: &str| COUNTED_ON.contains(&member) || is_open && LEARNT.contains(&member);
    let members = told.as_object().into_iter().flatten().filter(|(member, _)| !changes(member));
    let others = members.filter(|(member, recorded)| shown.get(member) != Some(recorded));
    let fault = |(member, recorded)| {
        format!("attempt {id}: {member} is another than the log last told of it: {}", brief(recorded))
    };
    others.map(fault).collect()
}

/// A value, short enough for a line.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 120 { text } else { text.chars().take(117).chain("...".chars()).collect() }
}
