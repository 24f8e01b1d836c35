//! The simulated desk, as a client meets it.

use serde_json::{Value, json};

use super::super::story::{DESK_TOKEN, LENA_DESK, NINA_DESK, OMAR_DESK};
use super::super::testing::World;
use super::super::{Desk, Retry};
use super::{DeskEvent, DeskFault, DeskFaultKind, DeskOn, Ticket, TicketDraft};

fn desk(world: &World) -> &Desk {
    &world.sandbox.desk
}

async fn call(world: &World, method: &str, path: &str, body: &str) -> reqwest::Result<(u16, Value)> {
    let request = world.http.request(method.parse().unwrap(), format!("{}{path}", desk(world).url()));
    let response = request.bearer_auth(DESK_TOKEN).body(body.to_owned()).send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    call(world, "GET", path, "").await.unwrap()
}

async fn document(world: &World, ticket: &Ticket) -> Value {
    get(world, &format!("/tickets/{}", ticket.id)).await.1
}

fn approved(world: &World) -> Ticket {
    let ticket = desk(world).create(TicketDraft::default());
    desk(world).request_approval(&ticket.id, &[OMAR_DESK, LENA_DESK]);
    world.pass(60);
    desk(world).approve(&ticket.id, OMAR_DESK);
    ticket
}

#[tokio::test]
async fn an_approved_ticket_reads_as_the_contract_says() {
    let world = World::story().await;
    let ticket = approved(&world);
    let nina = json!({"id": "u17", "name": "Nina Keller", "email": "nina.keller@contoso.example"});
    let expected = json!({
        "id": "8841", "number": "DESK-12", "url": format!("{}/t/8841", desk(&world).url()), "status": "approved",
        "requester": nina, "created_by": nina,
        "principal": "nina.keller@contoso.example", "entitlement": "exchange-admin", "duration": "PT4H",
        "approvals": [{
            "id": "a8842", "decision": "approved", "decided_at": "2026-11-03T09:01:00Z",
            "approver": {"id": "u20", "name": "Omar Haddad", "email": "omar.haddad@contoso.example"},
        }],
        "window": {"start": null, "end": null}, "fields_changed_at": "2026-11-03T09:00:00Z",
    });
    assert_eq!(document(&world, &ticket).await, expected);
}

#[tokio::test]
async fn a_round_that_needs_two_waits_and_a_reopened_one_asks_again() {
    let world = World::story().await;
    let ticket = desk(&world).create(TicketDraft::default());
    desk(&world).request_approvals(&ticket.id, &[OMAR_DESK, LENA_DESK], 2);
    desk(&world).approve(&ticket.id, OMAR_DESK);
    let waiting = document(&world, &ticket).await;
    assert_eq!((&waiting["status"], &waiting["approvals"][1]["decision"]), (&json!("pending"), &json!("pending")));
    assert!(waiting["approvals"][1]["decided_at"].is_null());
    desk(&world).approve(&ticket.id, LENA_DESK);
    assert_eq!(document(&world, &ticket).await["status"], "approved");

    desk(&world).reopen(&ticket.id);
    desk(&world).approve(&ticket.id, OMAR_DESK);
    assert_eq!(document(&world, &ticket).await["status"], "pending", "old votes count no more");
    desk(&world).reject(&ticket.id, LENA_DESK);
    assert_eq!(document(&world, &ticket).await["status"], "rejected");
}

#[tokio::test]
async fn an_edit_or_a_moved_window_is_dated_and_a_zone_is_shown() {
    let world = World::story().await;
    let draft = TicketDraft { time_zone: Some("Europe/Zurich".to_owned()), ..TicketDraft::default() };
    let ticket = desk(&world).create(draft);
    assert_eq!(document(&world, &ticket).await["time_zone"], "Europe/Zurich");
    world.pass(60);
    desk(&world).edit(&ticket.id, "duration", "PT8H");
    let edited = document(&world, &ticket).await;
    assert_eq!((&edited["duration"], &edited["fields_changed_at"]), (&json!("PT8H"), &json!("2026-11-03T09:01:00Z")));
    world.pass(60);
    desk(&world).edit(&ticket.id, "requester", OMAR_DESK);
    desk(&world).edit(&ticket.id, "principal", "");
    desk(&world).set_window(&ticket.id, Some("2026-11-04T18:00:00+01:00"), None);
    let moved = document(&world, &ticket).await;
    assert_eq!(moved["window"], json!({"start": "2026-11-04T18:00:00+01:00", "end": null}));
    assert_eq!((&moved["requester"]["id"], &moved["principal"]), (&json!("u20"), &Value::Null));
    assert_eq!(moved["fields_changed_at"], "2026-11-03T09:02:00Z");
}

#[tokio::test]
async fn a_hidden_member_is_absent_and_a_stale_read_shows_the_past() {
    let world = World::story().await;
    let ticket = approved(&world);
    desk(&world).hide(&ticket.id, "duration");
    assert!(document(&world, &ticket).await.get("duration").is_none());
    desk(&world).stale_for(&ticket.id, 30);
    desk(&world).cancel(&ticket.id);
    assert_eq!(document(&world, &ticket).await["status"], "approved");
    world.pass(30);
    assert_eq!(document(&world, &ticket).await["status"], "cancelled");
    desk(&world).delete(&ticket.id);
    assert_eq!(get(&world, &format!("/tickets/{}", ticket.id)).await.0, 404);
}

#[tokio::test]
async fn a_repeated_note_is_written_once() {
    let world = World::story().await;
    let ticket = approved(&world);
    let path = format!("/tickets/{}/notes", ticket.id);
    let note = json!({"key": "r1:granted", "text": "granted until noon"}).to_string();
    let lost = DeskFault::once(DeskOn::Note, DeskFaultKind::DropAfterCommit);
    desk(&world).fault(lost);
    assert!(call(&world, "POST", &path, &note).await.is_err());
    assert_eq!(call(&world, "POST", &path, &note).await.unwrap().0, 200);
    let other = note.replace("granted", "revoked");
    assert_eq!(call(&world, "POST", &path, &other).await.unwrap().0, 201);
    let keys: Vec<String> = desk(&world).notes(&ticket.id).into_iter().map(|note| note.key).collect();
    assert_eq!(keys, ["r1:granted", "r1:revoked"]);
    assert_eq!(call(&world, "POST", &path, "{}").await.unwrap().0, 400);
}

#[tokio::test]
async fn the_listing_is_paged_oldest_change_first_unless_there_is_none() {
    let world = World::story().await;
    let _old = approved(&world);
    world.pass(3600);
    let (one, _pending, two) = (approved(&world), desk(&world).create(TicketDraft::default()), approved(&world));
    desk(&world).page_by(1);
    let path = "/tickets?updated_since=2026-11-03T10:00:00Z&status=approved";
    let (_, first) = get(&world, path).await;
    let item = json!({"id": one.id, "number": one.number, "status": "approved", "updated_at": "2026-11-03T10:02:00Z"});
    assert_eq!(first["items"], json!([item]));
    let (_, last) = get(&world, &format!("{path}&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!((&last["items"][0]["id"], &last["next"]), (&json!(two.id), &Value::Null));
    assert_eq!(get(&world, "/tickets?updated_since=yesterday").await.0, 400);
    desk(&world).offer_listing(false);
    assert_eq!(get(&world, path).await.0, 404);
}

#[tokio::test]
async fn faults_strike_the_calls_they_name() {
    let world = World::story().await;
    let (ticket, other) = (approved(&world), approved(&world));
    let path = format!("/tickets/{}", ticket.id);
    let once = |kind| desk(&world).fault(DeskFault::once(DeskOn::Ticket, kind));
    for kind in [DeskFaultKind::Truncate, DeskFaultKind::DropBeforeCommit] {
        once(kind);
        assert!(call(&world, "GET", &path, "").await.is_err(), "{kind:?}");
    }
    for (kind, status) in [
        (DeskFaultKind::Status(403), 403),
        (DeskFaultKind::Html(200), 200),
        (DeskFaultKind::Throttle(Retry::Seconds(7)), 429),
        (DeskFaultKind::StatusAfterCommit(503), 503),
    ] {
        once(kind);
        assert_eq!(get(&world, &path).await.0, status);
    }
    once(DeskFaultKind::OtherTicket);
    assert_eq!(document(&world, &ticket).await["id"], other.id.as_str());
    assert_eq!(desk(&world).faults_waiting(), 0);
    desk(&world).revoke_logins();
    assert_eq!(get(&world, &path).await.0, 401);
    assert_eq!(desk(&world).calls().last().unwrap().status, 401);
}

#[tokio::test]
async fn deliveries_are_thin_or_whole_and_dated_by_the_event() {
    let world = World::story().await;
    let ticket = approved(&world);
    world.pass(600);
    desk(&world).close(&ticket.id);
    let read = |body: Vec<u8>| -> Value { serde_json::from_slice(&body).unwrap() };
    let thin = read(desk(&world).webhook_for(&ticket.id, DeskEvent::Approved).body);
    let expected = json!({
        "type": "ticket.approved", "timestamp": "2026-11-03T09:01:00.000Z",
        "data": {"ticket": {"id": ticket.id, "number": ticket.number}},
    });
    assert_eq!(thin, expected);
    let whole = read(desk(&world).whole_webhook_for(&ticket.id, DeskEvent::Withdrawn).body);
    assert_eq!((&whole["type"], &whole["timestamp"]), (&json!("ticket.withdrawn"), &json!("2026-11-03T09:11:00.000Z")));
    assert_eq!((&whole["data"]["ticket"]["status"], NINA_DESK), (&json!("closed"), "u17"));
    assert_eq!(whole["data"]["ticket"], document(&world, &ticket).await);
}
