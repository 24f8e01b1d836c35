//! What Graph answers, over real HTTP: to orders, and to a look.

mod server;

use std::{sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use stint::{
    domain::{
        assignment::{Answer, AssignOrder, Holding, RemoveOrder, ScheduleAction, Sighting, UpdateOrder},
        duration,
        id::ObjectId,
        target::{AssignmentKind, Target},
    },
    graph::{Sent, TenantGraph},
    json,
    outbound::Wire,
};
use uuid::Uuid;

use super::{
    ground::{GROUND, now, wire},
    joined, parts,
};
use server::{Reply, SERVER};

const ANA: &str = "2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32";
const ROLE: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";
const SOON: Duration = Duration::from_mins(1);

/// One client for all, since making one takes time.
static WIRE: LazyLock<Wire> = LazyLock::new(wire);

/// A tenant that has not been told anything yet.
fn graph(wire: Wire) -> TenantGraph {
    let mut settings = GROUND.config.tenants[0].graph.clone();
    settings.graph_url = SERVER.url.parse().expect("a url");
    settings.login_url = settings.graph_url.clone();
    TenantGraph::new(settings, wire, GROUND.clock.clone()).expect("a tenant")
}

fn holding() -> Holding {
    let keys = [("role", ROLE), ("scope", "/")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let target = Target { kind: "directory-role".into(), assignment: AssignmentKind::Active, keys: keys.into() };
    Holding { principal: ana(), target }
}

fn ana() -> ObjectId {
    ANA.parse().expect("an id")
}

/// The order that a letter stands for.
async fn sent(graph: &TenantGraph, order: u8) -> Sent {
    let (justification, call_id) = ("ITSEC-482 stint:7b1e1f6a".to_owned(), Uuid::nil());
    let (ticket_number, ticket_system) = ("ITSEC-482".to_owned(), "jira-cloud".to_owned());
    match order {
        b'a' => {
            let duration = duration::Duration::hours(2);
            let (holding, start, only_validate) = (holding(), now(), false);
            let order = AssignOrder {
                holding,
                duration,
                justification,
                ticket_number,
                ticket_system,
                start,
                only_validate,
                call_id,
            };
            graph.assign(&order, SOON).await
        }
        b'u' => {
            let (holding, start) = (holding(), now());
            let ends_at = start + jiff::SignedDuration::from_hours(2);
            let order = UpdateOrder { holding, ends_at, justification, ticket_number, ticket_system, start, call_id };
            graph.update(&order, SOON).await
        }
        b'r' => graph.remove(&RemoveOrder { holding: holding(), justification, call_id }, SOON).await,
        b'c' => graph.cancel(&holding().target, "a4d81f36", call_id, SOON).await,
        _ => graph.revoke_sessions(ana(), call_id, SOON).await,
    }
}

/// A yes is one that says just what was asked; a no bears a status and a code of a no; what left is never said to have
/// stayed; and all else is unclear.
pub fn write(input: &[u8]) {
    let parts = parts(input);
    let [order, status, retry_after, body] = parts.as_slice() else { return };
    let order = order.first().copied().unwrap_or_default();
    let status = String::from_utf8_lossy(status).parse::<u16>().ok().filter(|status| (200..=599).contains(status));
    let reply = match status {
        Some(status) => Reply::Whole { status, retry_after: printable(retry_after), body: body.to_vec() },
        None => Reply::Raw(body.to_vec()),
    };
    let raw = status.is_none();
    SERVER.answer(&[("", reply)]);
    // What is no whole answer may leave a connection behind that nobody else is to be given.
    let wire = if raw { wire() } else { WIRE.clone() };
    let Sent { answer, http_status, .. } = GROUND.runtime.block_on(async { sent(&graph(wire), order).await });
    if raw {
        let yes = body.starts_with(b"HTTP/1.1 20") || body.starts_with(b"HTTP/1.0 20");
        assert!(yes || body.starts_with(b"HTTP/1.1 1") || !matches!(answer, Answer::Accepted(_)), "{answer:?}");
        assert!(!matches!(answer, Answer::NotSent { .. }), "{answer:?}");
        return;
    }
    let status = status.unwrap_or_default();
    assert_eq!(http_status, Some(status).filter(|_| http_status.is_some()), "{answer:?}");
    let holds = |code: &str| String::from_utf8_lossy(body).contains(code.split(':').next().unwrap_or_default());
    match &answer {
        Answer::Accepted(_) => is_a_yes(order, status, body),
        Answer::Refused { code, .. } | Answer::TenantRefused { code, .. } | Answer::NotYet { code } => {
            assert!([400, 401, 403, 404].contains(&status), "{status}: {answer:?}");
            assert!(!code.is_empty() && (holds(code) || has_escapes(body)), "{answer:?} is nowhere");
        }
        Answer::TooEarly => assert!([400, 401, 403, 404].contains(&status) && order != b'a', "{status}"),
        Answer::Look { .. } => assert!([400, 401, 403, 404, 409].contains(&status), "{status}"),
        Answer::Throttled { .. } => assert_eq!(status, 429),
        Answer::NotSent { .. } => panic!("it left: {answer:?}"),
        Answer::Unclear { .. } => assert_ne!(status, 429),
    }
}

fn has_escapes(body: &[u8]) -> bool {
    body.contains(&b'\\')
}

fn is_a_yes(order: u8, status: u16, body: &[u8]) {
    let wanted = match order {
        b'a' => "adminassign",
        b'u' => "adminupdate",
        b'r' => "adminremove",
        b'c' => return assert_eq!(status, 204),
        _ => {
            return assert!(
                status == 204 || json::parse(body).is_ok_and(|said| status == 200 && said["value"] == true)
            );
        }
    };
    assert_eq!(status, 201);
    let said = json::parse(body).expect("strict");
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_ascii_lowercase();
    assert_eq!((text("action").as_str(), said["isValidationOnly"] == true), (wanted, false), "{said}");
    let is = |name: &str, wanted: &str| Uuid::parse_str(&text(name)).ok() == Uuid::parse_str(wanted).ok();
    assert!(is("principalId", ANA) && is("roleDefinitionId", ROLE) && text("directoryScopeId") == "/", "{said}");
}

fn printable(bytes: &[u8]) -> String {
    bytes.iter().filter(|byte| (b' '..=b'~').contains(byte)).map(|byte| char::from(*byte)).collect()
}

fn row(changes: &[(&str, Value)]) -> Value {
    let mut row = json!({
        "id": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01", "status": "Provisioned",
        "createdDateTime": "2026-11-03T09:15:01.2034178Z", "action": "adminAssign", "principalId": ANA,
        "roleDefinitionId": ROLE, "directoryScopeId": "/", "appScopeId": null, "isValidationOnly": false,
        "targetScheduleId": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01", "justification": "ITSEC-482 stint:7b1e1f6a",
        "createdUsing": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01", "assignmentType": "Assigned", "memberType": "Direct",
        "startDateTime": "2026-11-03T09:15:04.78Z", "endDateTime": "2026-11-03T11:15:03.6131239Z",
        "roleAssignmentScheduleId": "a4d81f36-0c2b-4e79-9b15-3f6a7c8d9e01",
    });
    for (name, value) in changes {
        row[*name] = value.clone();
    }
    row
}

pub fn written() -> Vec<Vec<u8>> {
    let error = |code: &str| json!({"error": {"code": code, "message": "failed: [\"MfaRule\",\"ExpirationRule\"]"}});
    let mut seeds = vec![];
    let mut seed = |order: &str, status: &str, retry: &str, body: String| {
        seeds.push(joined(&[order, status, retry, &body]));
    };
    seed("a", "201", "", row(&[]).to_string());
    seed("u", "201", "", row(&[("action", json!("adminUpdate"))]).to_string());
    seed("r", "201", "", row(&[("action", json!("adminRemove")), ("status", json!("Revoked"))]).to_string());
    seed("c", "204", "", String::new());
    seed("s", "200", "", r#"{"value":true}"#.into());
    seed("a", "429", "17", "{}".into());
    for (order, status, code) in [
        ("a", "400", "RoleAssignmentExists"),
        ("r", "400", "ActiveDurationTooShort"),
        ("a", "400", "RoleAssignmentRequestPolicyValidationFailed"),
        ("a", "404", "SubjectNotFound"),
        ("a", "403", "PermissionScopeNotGranted"),
        ("a", "401", "InvalidAuthenticationToken"),
        ("a", "409", "Conflict"),
        ("u", "500", "RoleAssignmentExists"),
        ("a", "408", "SubjectNotFound"),
    ] {
        seed(order, status, "", error(code).to_string());
    }
    seed("a", "raw", "", "HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{\"id\":\"a4d8".into());
    seed("a", "raw", "", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".into());
    seed("r", "raw", "", "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".into());
    seeds
}

/// Whatever is shown is all that the three lists hold about the holding, and a list that cannot be read is no empty one.
pub fn look(input: &[u8]) {
    let parts = parts(input);
    let [requests, schedules, instances] = parts.as_slice() else { return };
    let whole = |body: &[u8]| Reply::Whole { status: 200, retry_after: String::new(), body: body.to_vec() };
    SERVER.answer(&[
        ("roleAssignmentScheduleRequests", whole(requests)),
        ("roleAssignmentScheduleInstances", whole(instances)),
        ("roleAssignmentSchedules", whole(schedules)),
    ]);
    let seen = GROUND.runtime.block_on(async { graph(WIRE.clone()).look(&holding()).await });
    let Ok(Sighting { requests: asked, schedules: planned, instances: held }) = seen else { return };
    for (body, shown) in [(requests, asked.len()), (schedules, planned.len()), (instances, held.len())] {
        let said = json::parse(body).expect("strict");
        let rows = said["value"].as_array().expect("a list");
        assert!(said.get("@odata.nextLink").is_none_or(Value::is_null), "there is more: {said}");
        assert_eq!(rows.iter().filter(|row| is_about_it(row)).count(), shown, "{said}");
    }
    let known = |action: &ScheduleAction| !matches!(action, ScheduleAction::Other);
    let word = String::from_utf8_lossy(requests).to_ascii_lowercase();
    assert!(asked.iter().all(|request| !known(&request.action) || word.contains("admin") || has_escapes(requests)));
}

fn is_about_it(row: &Value) -> bool {
    let is = |name: &str, wanted: &str| {
        row[name].as_str().and_then(|text| Uuid::parse_str(text).ok()) == Uuid::parse_str(wanted).ok()
    };
    let everywhere = row["directoryScopeId"] == "/" && row["appScopeId"].is_null();
    is("principalId", ANA) && is("roleDefinitionId", ROLE) && everywhere
}

pub fn looked() -> Vec<Vec<u8>> {
    let list = |rows: &[Value]| json!({"@odata.context": "x", "value": rows}).to_string();
    let foreign = row(&[("principalId", json!("11111111-2222-4333-8444-555555555555"))]);
    let elsewhere = row(&[("directoryScopeId", json!("/administrativeUnits/11111111-2222-4333-8444-555555555555"))]);
    let more = json!({"value": [row(&[])], "@odata.nextLink": "http://127.0.0.1:1/v1.0/next"}).to_string();
    let all = list(&[row(&[]), foreign.clone(), elsewhere]);
    vec![
        joined(&[&all, &all, &all]),
        joined(&[list(&[]), list(&[]), list(&[])]),
        joined(&[list(&[row(&[("status", json!("Granted"))])]), list(&[foreign]), more]),
    ]
}
