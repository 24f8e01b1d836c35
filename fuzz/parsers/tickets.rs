//! What ticket systems answer when a ticket is read back, when changed ones are listed, and when a note is written.

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use stint::{
    domain::{
        approval::Outcome,
        id::TicketId,
        ticket::{Field, Reading, Ticket},
    },
    json,
    outbound::{Answer, Call},
    tickets::{Listed, Lookback, Note, Step, TicketError, TicketSystem},
};

use super::{
    ground::{connection, now},
    joined, parts,
    texts::texts_of,
};

/// More calls than any reading of so few answers needs.
const MAX_CALLS: usize = 12;

/// The ticket of a standard system.
const STANDARD: &str = "8841";

/// The answers that an input holds: each begins with the last digit of one of the statuses that readers see.
fn answers(input: &[u8]) -> Vec<Answer> {
    let answer = |part: &&[u8]| {
        let (first, body) = part.split_first()?;
        let status = match first {
            b'4' => StatusCode::NOT_FOUND,
            b'3' => StatusCode::PAYLOAD_TOO_LARGE,
            b'1' => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        Some(Answer { status, headers: HeaderMap::new(), body: body.to_vec() })
    };
    parts(input).iter().filter_map(answer).collect()
}

/// Plays the answers one after the other, the last one for ever; gives the result and how many were used.
fn played<T>(
    given: &[Answer],
    next: impl Fn(&[Answer]) -> Result<Step<T>, TicketError>,
) -> Option<(Result<T, TicketError>, Vec<Answer>)> {
    let mut used: Vec<Answer> = vec![];
    while used.len() < MAX_CALLS {
        match next(&used) {
            Ok(Step::Done(result)) => return Some((Ok(result), used)),
            Err(error) => return Some((Err(error), used)),
            Ok(Step::Send(call)) => {
                is_a_call(&call);
                used.push(given.get(used.len()).or(given.last())?.clone());
            }
        }
    }
    None
}

/// It stays below the configured address, whatever an answer said.
fn is_a_call(call: &Call) {
    assert!(call.path.starts_with('/') && !call.path.starts_with("//"), "{}", call.path);
    let base = "https://desk.example/base";
    let url: url::Url = format!("{base}{}", call.path).parse().expect("a url");
    assert_eq!(url.host_str(), Some("desk.example"), "{}", call.path);
    assert!(url.path().starts_with("/base/") && url.query().is_none() && url.fragment().is_none(), "{}", call.path);
}

/// Every text in the answers that were used. What is read must be JSON of the strict kind.
fn said(used: &[Answer]) -> Vec<String> {
    used.iter().filter_map(|answer| json::parse(&answer.body).ok()).flat_map(|value: Value| texts_of(&value)).collect()
}

/// Nothing in it was made up: each name stands in a text, and an approval in the word for it.
pub fn is_no_more_than_said(ticket: &Ticket, texts: &[String], approved_status: &str) {
    let stands = |wanted: &str| texts.iter().any(|text| text.contains(wanted));
    assert!(stands(ticket.number.as_str()), "{} is nowhere", ticket.number);
    for account in ticket.requester.iter().chain(&ticket.creator) {
        assert!(stands(account.id.as_str()), "{} is nowhere", account.id);
    }
    for field in [&ticket.entitlement, &ticket.principal, &ticket.duration] {
        if let Field::Text(text) = field {
            assert!(!text.is_empty() && text.trim() == text && stands(text), "{text:?} is nowhere");
        }
    }
    for approval in &ticket.approvals {
        let word = |text: &String| text.to_ascii_lowercase().contains("approve") || text == approved_status;
        let said_so = texts.iter().any(word);
        assert!(approval.outcome != Outcome::Approved || said_so, "nobody says that {} is approved", approval.id);
        for vote in approval.votes.iter().filter(|vote| vote.outcome == Outcome::Approved) {
            assert!(said_so, "nobody says that {vote:?}");
            assert!(vote.approver.as_ref().is_none_or(|account| stands(account.id.as_str())), "{vote:?}");
        }
    }
}

fn reads(system: &dyn TicketSystem, ticket: &str, given: &[Answer]) {
    let id = TicketId::new(ticket);
    let Some((Ok(reading), used)) = played(given, |so_far| system.read(&id, so_far)) else { return };
    match reading {
        Reading::Found(found) => {
            assert_eq!(found.id, id, "another ticket");
            is_no_more_than_said(&found, &said(&used), "10016");
        }
        // Absence is said by a system that was reached: by a 404.
        Reading::Absent => {
            let missing = |answer: &Answer| answer.status == StatusCode::NOT_FOUND;
            assert!(used.iter().any(missing), "absent without a word of it");
        }
    }
}

fn lists(system: &dyn TicketSystem, given: &[Answer]) {
    let window = Lookback { since: now() - jiff::SignedDuration::from_mins(10), now: now() };
    let Some((Ok(listed), used)) = played(given, |so_far| system.changed(&window, so_far)) else { return };
    let texts = said(&used);
    for Listed { ticket, number } in &listed {
        let id = ticket.as_str().rsplit('/').next().expect("a part");
        assert!(!id.is_empty() && texts.iter().any(|text| text == id), "{ticket} is nowhere");
        assert!(texts.iter().any(|text| text == number.as_str()), "{number} is nowhere");
    }
}

fn writes(system: &dyn TicketSystem, ticket: &str, given: &[Answer]) {
    // The standard contract's notes have a key of their own.
    let repeats_are_harmless = ticket == STANDARD;
    let note =
        Note { ticket: TicketId::new(ticket), key: "r1:granted".into(), text: "Granted.".into(), internal: true };
    for maybe_written in [false, true] {
        let written = played(given, |so_far| {
            let step = system.write_note(&note, maybe_written, so_far);
            let writes = matches!(&step, Ok(Step::Send(call)) if call.method != Method::GET);
            let has_looked = !so_far.is_empty() || !maybe_written || repeats_are_harmless;
            assert!(!writes || has_looked, "it writes before it looks");
            step
        });
        if let Some((Ok(()), used)) = written {
            assert!(used.last().is_some_and(|answer| answer.status.is_success()), "written without a yes");
        }
    }
}

fn all(connections: &[&str], ticket: &str, input: &[u8]) {
    let given = answers(input);
    for name in connections {
        let system = &*connection(name).system;
        reads(system, ticket, &given);
        lists(system, &given);
        writes(system, ticket, &given);
    }
}

/// Answers of Jira, Cloud and Data Center.
pub fn jira(input: &[u8]) {
    all(&["jira-cloud", "data-center"], "10482", input);
}

/// Answers of ServiceNow, about an item and about a change.
pub fn servicenow(input: &[u8]) {
    all(&["servicenow"], "sc_req_item/4d7e90b2c5f681ace40628394b5c6d7e", input);
    all(&["servicenow"], "change_request/5e8fa1c3d6a792bdf51739405c6d7e8f", input);
}

/// Answers of a standard system.
pub fn standard(input: &[u8]) {
    all(&["service-desk"], STANDARD, input);
}

macro_rules! seeds {
    ($([$($status:literal $name:literal)*])*) => {
        vec![$(joined(&[$([$status.as_bytes(), include_bytes!(concat!("../../tests/fixtures/", $name, ".json"))].concat()),*])),*]
    };
}

pub fn jira_answers() -> Vec<Vec<u8>> {
    seeds!(
        ["2" "jira/read-issue" "2" "jira/read-changelog" "2" "jira/read-approvals" "2" "jira/read-myself"]
        ["2" "jira/read-issue" "2" "jira/read-changelog" "2" "jira/read-approvals-two-rounds"]
        ["2" "jira/dc-read-issue" "2" "jira/dc-read-changelog" "2" "jira/dc-read-myself"]
        ["2" "jira/dc-read-issue" "2" "jira/dc-read-approvals" "2" "jira/dc-read-myself"]
        ["4" "jira/read-404" "2" "jira/read-myself"]
        ["2" "jira/search-found"]
        ["2" "jira/dc-read-found"]
        ["2" "jira/dc-read-comments" "1" "jira/dc-read-comments"]
        ["4" "jira/write-comment-400"]
    )
}

pub fn servicenow_answers() -> Vec<Vec<u8>> {
    seeds!(
        ["2" "servicenow/read-item" "2" "servicenow/read-approvers" "2" "servicenow/read-variables" "2" "servicenow/read-users"]
        ["2" "servicenow/read-change" "2" "servicenow/read-change-approvers" "2" "servicenow/read-users"]
        ["4" "servicenow/read-404" "2" "servicenow/read-users"]
        ["2" "servicenow/search-items" "2" "servicenow/search-changes"]
    )
}

pub fn standard_answers() -> Vec<Vec<u8>> {
    seeds!(["2" "standard/ticket"] ["2" "standard/list-1" "2" "standard/list-2"] ["4" "standard/ticket"] ["1" "standard/ticket"])
}
