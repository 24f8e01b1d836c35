//! The second story: a change in ServiceNow opens a window, and access follows it — in, cut to its end, and out when the
//! change is called off, although nobody sends a webhook about that.

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    story::{follow, until},
    tell,
    world::World,
};
use crate::sandbox::{
    servicenow::{ChangeDraft, SnowEvent},
    story,
};

/// Plays it.
///
/// # Errors
/// When any step was not seen.
pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    tell::chapter("5. A change in ServiceNow, with a window");
    let opens = world.clock.now() + SignedDuration::from_mins(30);
    let change = approved_change(world, opens);
    let id = deliver(world, &change).await?;
    let mut told = 0;
    wait_for_window(world, &id, opens, &mut told).await?;
    tell::chapter("6. The change is called off, and no webhook says so");
    world.sandbox.servicenow.cancel(&change);
    let document = follow(world, &id, &mut told).await?;
    check(world, &document, &change)
}

fn approved_change(world: &World, opens: Timestamp) -> String {
    let servicenow = &world.sandbox.servicenow;
    let closes = opens + SignedDuration::from_hours(2);
    let draft = ChangeDraft { start: Some(opens), end: Some(closes), ..ChangeDraft::default() };
    let change = servicenow.create_change(&draft);
    servicenow.request_approval(&change.sys_id, &[story::OMAR_SYS_ID]);
    world.clock.advance(SignedDuration::from_mins(5));
    servicenow.approve(&change.sys_id, story::OMAR_SYS_ID);
    let window = format!("from {opens} to {closes}");
    tell::line(&format!("{} asks for Exchange Administrator, PT4H, {window}; Omar Haddad approves.", change.number));
    change.sys_id
}

async fn deliver(world: &World, change: &str) -> anyhow::Result<String> {
    let mut webhook = world.sandbox.servicenow.webhook_for(change, SnowEvent::Approved);
    webhook.sign_standard(story::SNOW_WEBHOOK_SECRET, "evt_demo_1", world.clock.now());
    let (status, body, _) = webhook.deliver(&world.webhook_url("servicenow")).await?;
    let answer: Value = serde_json::from_slice(&body)?;
    ensure!(status == 202, "the webhook was answered {status}: {answer}");
    let id = answer["request_id"].as_str().context("no request_id in the answer")?.to_owned();
    tell::proved(&format!("the business rule's signed webhook: 202, request {id}"));
    Ok(id)
}

/// Nothing before the window; then an assignment that ends with it.
async fn wait_for_window(world: &World, id: &str, opens: Timestamp, told: &mut usize) -> anyhow::Result<()> {
    let document = until(world, id, told, |document| document["status"] == "active").await?;
    let begins: Timestamp = document["assignment"]["starts_at"].as_str().context("no start")?.parse()?;
    ensure!(begins >= opens, "access began at {begins}, before its window");
    ensure!(document["decision"]["bound_by"] == "change-window", "the window bound nothing: {}", document["decision"]);
    tell::proved(&format!("no access before {opens}; then PT2H, cut from PT4H to the change window"));
    Ok(())
}

fn check(world: &World, document: &Value, change: &str) -> anyhow::Result<()> {
    ensure!(document["end"]["cause"] == "withdrawn", "it ended otherwise: {}", document["end"]);
    let grants = world.sandbox.graph.grants(story::TENANT);
    let last = grants.last().context("Entra's books show no assignment")?;
    ensure!(last.ended_at < last.end, "the assignment was not ended early: {last:?}");
    tell::proved("found by reading the change again; the assignment was removed as soon as PIM allowed it");
    let notes = world.sandbox.servicenow.work_notes(change);
    ensure!(notes.len() == 2 && notes.iter().all(|note| note.internal), "the change has {} work notes", notes.len());
    for note in &notes {
        tell::proved(&format!("work note on the change: {}", note.text));
    }
    Ok(())
}
