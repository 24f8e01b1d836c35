//! `stint demo`: an approval becomes access that ends by itself, and a self-approval does not. Every step is checked from
//! outside: in the simulators' own books and over the API.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{
    change, is_over, private_postgres, read, tell,
    world::{Setup, World},
};
use crate::sandbox::{
    graph::Grant,
    jira::{IssueDraft, Webhook, WebhookKind},
    story,
};

/// Every event of an undisturbed life, in order; anything else, or less, fails the demo.
const LIFE: [&str; 9] = [
    "received",
    "verifying",
    "approved",
    "attempt-recorded",
    "assigning",
    "attempt-closed",
    "active",
    "expired",
    "ended",
];

/// Plays the story.
///
/// # Errors
/// When any step was not seen.
pub async fn play() -> anyhow::Result<()> {
    tell::chapter("stint: an approved ticket becomes access that ends by itself");
    tell::line("starting a private PostgreSQL and simulators of Entra, Microsoft Graph, Jira and ServiceNow …");
    let (_postgres, database_url) = private_postgres().await?;
    let world = World::start(Setup::new(database_url, "2026-11-03T08:12:40Z".parse()?)).await?;
    let ticket = approved_ticket(&world);
    forged_webhook(&world, &ticket).await?;
    let id = genuine_webhook(&world, &ticket).await?;
    tell::chapter("2. Its life, in faster time");
    let document = follow(&world, &id, &mut 0).await?;
    check_life(&world, &document, &ticket)?;
    self_approval(&world).await?;
    change::play(&world).await?;

    tell::chapter("What an auditor reads: GET /v1/requests");
    let history = read(&world.running.url, "/v1/requests", &auditor(&world)).await?;
    ensure!(history["items"].as_array().is_some_and(|items| items.len() == 3), "the history lacks a request");
    tell::document(&history);
    tell::chapter("Every step was seen.");
    world.running.stop().await;
    Ok(())
}

/// A fresh token: the story lasts longer than one lives.
fn auditor(world: &World) -> String {
    world.token(story::LENA_ID, "Lena Vogt", &["Stint.Auditor"])
}

fn approved_ticket(world: &World) -> String {
    tell::chapter("1. A ticket is approved");
    let ticket = world.sandbox.jira.create_issue(IssueDraft::default());
    world.sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    world.clock.advance(jiff::SignedDuration::from_mins(18));
    world.sandbox.jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    tell::line(&format!("Nina Keller asks in {} for Exchange Administrator, PT4H; Omar Haddad approves.", ticket.key));
    ticket.id
}

async fn forged_webhook(world: &World, ticket: &str) -> anyhow::Result<()> {
    let mut forged: Webhook = world.sandbox.jira.webhook_for(ticket, WebhookKind::Updated);
    forged.sign_jira_hub("somebody-guessing-the-secret");
    let (status, body, _) = forged.deliver(&world.webhook_url("jira-cloud")).await?;
    ensure!(status == 401 && body.is_empty(), "a forged webhook was answered {status}");
    tell::proved("a webhook with a forged signature: 401, nothing stored");
    Ok(())
}

async fn genuine_webhook(world: &World, ticket: &str) -> anyhow::Result<String> {
    let webhook = world.webhook(ticket, WebhookKind::Updated);
    let (status, body, _) = webhook.deliver(&world.webhook_url("jira-cloud")).await?;
    let answer: Value = serde_json::from_slice(&body)?;
    ensure!(status == 202, "the webhook was answered {status}: {answer}");
    let id = answer["request_id"].as_str().context("no request_id in the answer")?.to_owned();
    tell::proved(&format!("Jira's signed webhook: 202, request {id}"));
    let (status, body, _) = webhook.retry().deliver(&world.webhook_url("jira-cloud")).await?;
    let again: Value = serde_json::from_slice(&body)?;
    ensure!(status == 200 && again["request_id"] == *id && again["repeat"] == true, "a repeat was answered {again}");
    tell::proved("the same webhook again: 200, the same request");
    Ok(id)
}

/// Tells the timeline as it grows, until the request is over and its notes are written.
pub(super) async fn follow(world: &World, id: &str, told: &mut usize) -> anyhow::Result<Value> {
    until(world, id, told, |document| is_over(document) && notes_written(document)).await
}

/// Tells the timeline as it grows, after the entries told before, until the request is so.
pub(super) async fn until(
    world: &World,
    id: &str,
    told: &mut usize,
    is_so: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let mut document = Value::Null;
    let path = format!("/v1/requests/{id}");
    world
        .play(async || {
            document = read(&world.running.url, &path, &auditor(world)).await?;
            let timeline = document["timeline"].as_array().map_or(&[][..], Vec::as_slice);
            timeline.iter().skip(*told).for_each(tell::entry);
            *told = timeline.len();
            Ok(is_so(&document))
        })
        .await?;
    Ok(document)
}

fn notes_written(document: &Value) -> bool {
    let notes = document["notes"].as_array().map_or(&[][..], Vec::as_slice);
    !notes.is_empty() && notes.iter().all(|note| !note["written_at"].is_null())
}

/// Checks the life that was told against the simulators' own books.
fn check_life(world: &World, document: &Value, ticket: &str) -> anyhow::Result<()> {
    tell::chapter("3. The same, from outside stint");
    let timeline = document["timeline"].as_array().context("no timeline")?;
    let events: Vec<_> = timeline.iter().filter_map(|entry| entry["event"].as_str()).collect();
    ensure!(events == LIFE, "the request lived otherwise: {events:?}");
    ensure!(document["end"]["cause"] == "expired", "it did not expire: {}", document["end"]);

    let grants = world.sandbox.graph.grants(story::TENANT);
    let [Grant { start: Some(start), end: Some(end), ended_at: Some(ended_at), .. }] = grants.as_slice() else {
        anyhow::bail!("Entra's books show other assignments than one that ended: {grants:?}");
    };
    let length = end.duration_since(*start);
    ensure!(length == jiff::SignedDuration::from_hours(4), "the assignment was to last {length}");
    ensure!(ended_at == end, "it ended at {ended_at} instead of {end}");
    tell::proved(&format!("Entra's books: one assignment, from {start} to {end}, ended on time"));

    let comments = world.sandbox.jira.comments(ticket);
    ensure!(comments.len() == 2 && comments.iter().all(|c| c.internal), "the ticket has {} notes", comments.len());
    for comment in &comments {
        tell::proved(&format!("internal note on the ticket: {}", comment.text));
    }
    Ok(())
}

async fn self_approval(world: &World) -> anyhow::Result<()> {
    tell::chapter("4. Somebody approves for herself");
    let ticket = world.sandbox.jira.create_issue(IssueDraft::default());
    world.sandbox.jira.request_approval(&ticket.id, &[story::NINA_ACCOUNT]);
    world.sandbox.jira.approve(&ticket.id, story::NINA_ACCOUNT);
    let (_, body, _) =
        world.webhook(&ticket.id, WebhookKind::Updated).deliver(&world.webhook_url("jira-cloud")).await?;
    let answer: Value = serde_json::from_slice(&body)?;
    let id = answer["request_id"].as_str().context("no request_id in the answer")?;
    let document = follow(world, id, &mut 0).await?;
    ensure!(document["status"] == "rejected", "a self-approval is {}", document["status"]);
    ensure!(world.sandbox.graph.grants(story::TENANT).len() == 1, "a self-approval was granted");
    tell::proved("refused, with the reason; nothing was sent to Graph");
    Ok(())
}
