//! `stint sandbox`: the same world, left running in real time for whoever wants to try it by hand.

use std::time::Duration;

use anstream::println;
use owo_colors::OwoColorize as _;

use super::{
    private_postgres,
    world::{Setup, World},
};
use crate::{
    app,
    clock::Clock,
    sandbox::{
        Ports,
        jira::{IssueDraft, WebhookKind},
        story,
    },
};

const TICK: Duration = Duration::from_millis(100);

/// Runs the world until it is interrupted.
///
/// # Errors
/// When it cannot start.
pub async fn stay() -> anyhow::Result<()> {
    let (_postgres, database_url) = private_postgres().await?;
    let now = Clock::system().now();
    let ports = Ports { entra: 8401, graph: 8402, jira: 8403, servicenow: 8404, desk: 8405 };
    let setup = Setup { ports, listen: ["127.0.0.1:8080", "127.0.0.1:9090"], ..Setup::new(database_url.clone(), now) };
    let world = World::start(setup).await?;
    introduce(&world, &database_url);
    let mut tick = tokio::time::interval(TICK);
    let real = Clock::system();
    let stop = app::stop_signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            told = &mut stop => break told?,
            _ = tick.tick() => world.clock.set(real.now()),
        }
    }
    world.running.stop().await;
    Ok(())
}

fn introduce(world: &World, database_url: &str) {
    let ticket = world.sandbox.jira.create_issue(IssueDraft::default());
    world.sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    world.sandbox.jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    println!("{}", "stint and its simulators are running; Ctrl-C ends them all.".bold());
    println!("  stint          {}   (operations: {})", world.running.url, world.running.ops_url);
    println!("  console        {}/console/   (sign in as any of the three below)", world.running.url);
    println!("  Entra          {}", world.sandbox.entra.url());
    println!("  Graph          {}", world.sandbox.graph.url());
    println!("  Jira           {}", world.sandbox.jira.url());
    println!("  ServiceNow     {}", world.sandbox.servicenow.url());
    println!("  desk           {}   (any system that signs Standard Webhooks)", world.sandbox.desk.url());
    println!("  PostgreSQL     {database_url}");
    let configuration = world.folder.path().join("sandbox.toml");
    println!("  configuration  {}", configuration.display());
    println!("\n  Your own stint on the same world, on other ports:");
    println!(
        "STINT__DATABASE__URL='{database_url}' STINT__SERVER__LISTEN=127.0.0.1:8081 \
         STINT__SERVER__OPS_LISTEN=127.0.0.1:9091 STINT__AUDIT__SIGNING_KEY_FILE=sandbox-secrets/audit-signing-key \
         stint serve --config {}",
        configuration.display()
    );
    for (_, object_id, name, role) in story::READERS {
        println!("\n  {} ({role}), for one hour:", name.bold());
        println!("TOKEN={}", world.token(object_id, name, &[role]));
    }
    println!("\n  {} was approved; this is Jira's webhook about it:", ticket.key.bold());
    println!("{}", curl(world, &ticket.id));
    println!("\n  Then ask for the history, with one of the tokens above:");
    println!("curl -s {}/v1/requests -H \"Authorization: Bearer $TOKEN\"", world.running.url);
}

/// The webhook as a shell command; its body holds no quote of the shell's.
fn curl(world: &World, ticket: &str) -> String {
    let webhook = world.webhook(ticket, WebhookKind::Updated);
    let headers: Vec<_> = webhook.headers.iter().map(|(name, value)| format!("-H '{name}: {value}'")).collect();
    let body = String::from_utf8_lossy(&webhook.body).replace('\'', "'\\''");
    format!("curl -i {} {} --data-binary '{body}'", world.webhook_url("jira-cloud"), headers.join(" "))
}
