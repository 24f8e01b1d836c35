//! stint inside a small world of its own: simulators, a database, and a clock that its holder moves.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{
    app::{Only, Running, Service, Surroundings},
    clock::{Clock, ManualClock},
    config::{self, Config},
    domain::proof::SigningKey,
    sandbox::{
        ApiToken, Ports, Sandbox,
        jira::{Webhook, WebhookKind},
        story,
    },
    tickets::{Kind, SYSTEMS},
};

/// The configuration as it is shipped.
const CONFIGURATION: &str = "sandbox.toml";

/// What it names as its tenant's catalog.
const CATALOG: &str = "sandbox-catalog.toml";

/// Where a world's own key for its audit log stands.
const AUDIT_KEY: &str = "sandbox-secrets/audit-signing-key";

/// The files that `sandbox.toml` names for its secrets, each with what the simulators expect.
pub const SECRETS: [(&str, &str); 8] = [
    ("sandbox-secrets/entra-client-secret", story::CLIENT_SECRET),
    ("sandbox-secrets/jira-api-token", story::JIRA_TOKEN),
    ("sandbox-secrets/jira-pat", story::JIRA_PAT),
    ("sandbox-secrets/jira-webhook", story::WEBHOOK_SECRET),
    ("sandbox-secrets/servicenow-password", story::SNOW_PASSWORD),
    ("sandbox-secrets/servicenow-webhook", story::SNOW_WEBHOOK_SECRET),
    ("sandbox-secrets/desk-token", story::DESK_TOKEN),
    ("sandbox-secrets/desk-webhook", story::DESK_WEBHOOK_SECRET),
];

/// How a world is set up.
#[derive(Debug)]
pub struct Setup {
    /// A database nobody else uses.
    pub database_url: String,
    /// Where the world's clock starts.
    pub now: Timestamp,
    /// Where the simulators listen.
    pub ports: Ports,
    /// Where stint's two listeners listen.
    pub listen: [&'static str; 2],
    /// Further entries of the catalog, as TOML.
    pub entitlements: String,
    /// Further overrides, named like environment variables; they count before the world's own.
    pub overrides: Vec<(String, String)>,
    /// Limits and pace.
    pub surroundings: Surroundings,
    /// Which half of stint runs by itself.
    pub only: Only,
    /// The kinds of ticket system that stint serves.
    pub systems: Vec<&'static Kind>,
}

/// stint, running, with everything around it.
pub struct World {
    /// Entra, Graph and Jira.
    pub sandbox: Sandbox,
    /// The time, for all of them.
    pub clock: Arc<ManualClock>,
    /// stint's parts.
    pub service: Service,
    /// stint's listeners, and its worker where that runs by itself.
    pub running: Running,
    /// Holds configuration and secrets as files.
    pub folder: TempDir,
    config: Config,
    surroundings: Surroundings,
    only: Only,
}

impl Setup {
    /// A world on free ports.
    #[must_use]
    pub fn new(database_url: String, now: Timestamp) -> Self {
        Self {
            database_url,
            now,
            ports: Ports::default(),
            listen: ["127.0.0.1:0", "127.0.0.1:0"],
            entitlements: String::new(),
            overrides: vec![],
            surroundings: Surroundings::default(),
            only: Only::Both,
            systems: SYSTEMS.to_vec(),
        }
    }
}

impl World {
    /// Starts the simulators, brings the database up, starts stint.
    ///
    /// # Errors
    /// When any of them cannot start.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let clock = ManualClock::at(setup.now);
        let hands = Arc::clone(&clock);
        let sandbox = Sandbox::start_on(Arc::new(move || hands.now()), setup.ports).await;
        let sandbox = sandbox.with_context(|| format!("the simulators cannot listen on {:?}", setup.ports))?;
        sandbox.seed_story();
        let folder = tempfile::Builder::new().prefix("stint-world-").tempdir()?;
        let config = write_config(folder.path(), &sandbox, &setup)?;
        let surroundings = Surroundings { clock: Clock::manual(Arc::clone(&clock)), ..setup.surroundings };
        let service = Service::assemble(config.clone(), surroundings.clone())?;
        service.store.migrate().await?;
        service.check_schema().await?;
        let running = service.start(setup.only).await?;
        Ok(Self { sandbox, clock, service, running, folder, config, surroundings, only: setup.only })
    }

    /// Starts another stint in place of this one, on the same database and with some things changed; steps in flight are
    /// finished first.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn restart(&mut self, change: impl FnOnce(&mut Config, &mut Surroundings)) -> anyhow::Result<()> {
        change(&mut self.config, &mut self.surroundings);
        let service = Service::assemble(self.config.clone(), self.surroundings.clone())?;
        let running = service.start(self.only).await?;
        std::mem::replace(&mut self.running, running).stop().await;
        self.service.store.close().await;
        self.service = service;
        Ok(())
    }

    /// The configuration that stint was given.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where webhooks of a connection go.
    #[must_use]
    pub fn webhook_url(&self, connection: &str) -> String {
        format!("{}/webhooks/{connection}", self.running.url)
    }

    /// The webhook Jira would send about this ticket, signed.
    #[must_use]
    pub fn webhook(&self, ticket: &str, kind: WebhookKind) -> Webhook {
        let mut webhook = self.sandbox.jira.webhook_for(ticket, kind);
        webhook.sign_jira_hub(story::WEBHOOK_SECRET);
        webhook
    }

    /// An access token for the API with these roles, as Entra issues it to a person.
    #[must_use]
    pub fn token(&self, object_id: &str, name: &str, roles: &[&str]) -> String {
        let token = ApiToken::user(story::TENANT, story::API_AUDIENCE, object_id, name, roles);
        self.sandbox.entra.issue_api_token(&token)
    }

    /// Moves the clock on from one due step to the next, letting a running worker do each, until `done` says so.
    ///
    /// # Errors
    /// When the database fails, `done` does, or nothing is due any more.
    pub async fn play(&self, mut done: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let mut idle = self.service.worker.idle();
        loop {
            let next = self.service.store.next_due().await?;
            let resting = *idle.borrow_and_update();
            if !resting || next.is_some_and(|next| next <= self.clock.now()) {
                // Real time passes only while somebody works.
                let _ = tokio::time::timeout(Duration::from_millis(200), idle.changed()).await;
                continue;
            }
            if done().await? {
                return Ok(());
            }
            self.clock.set(next.context("nothing is due any more")?);
        }
    }
}

/// A key that no other world has.
fn audit_key_text() -> anyhow::Result<String> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).context("there are no random bytes")?;
    Ok(SigningKey::text_of("stint.contoso.example", &seed)?)
}

/// Writes the shipped configuration with its secrets into a folder and reads it from there, pointed at the simulators.
fn write_config(folder: &Path, sandbox: &Sandbox, setup: &Setup) -> anyhow::Result<Config> {
    std::fs::create_dir(folder.join("sandbox-secrets"))?;
    for (name, text) in [(CONFIGURATION, config::SANDBOX)].into_iter().chain(SECRETS) {
        std::fs::write(folder.join(name), text).with_context(|| name.to_owned())?;
    }
    let audit_key = folder.join(AUDIT_KEY);
    std::fs::write(&audit_key, audit_key_text()?).context(AUDIT_KEY)?;
    let catalog = format!("{}\n{}", config::SANDBOX_CATALOG, setup.entitlements);
    std::fs::write(folder.join(CATALOG), catalog).context(CATALOG)?;
    let over = |key: &str, value: &str| (format!("STINT__{key}"), value.to_owned());
    let mut overrides = vec![
        over("DATABASE__URL", &setup.database_url),
        over("SERVER__LISTEN", setup.listen[0]),
        over("SERVER__OPS_LISTEN", setup.listen[1]),
        over("AUDIT__SIGNING_KEY_FILE", &audit_key.display().to_string()),
        over("API__LOGIN_URL", &sandbox.entra.url()),
        over("TENANTS__CONTOSO__LOGIN_URL", &sandbox.entra.url()),
        over("TENANTS__CONTOSO__GRAPH_URL", &sandbox.graph.url()),
        over("CONNECTIONS__JIRA_CLOUD__BASE_URL", &sandbox.jira.url()),
        over("CONNECTIONS__SERVICENOW__BASE_URL", &sandbox.servicenow.url()),
        over("CONNECTIONS__SERVICE_DESK__BASE_URL", &sandbox.desk.url()),
    ];
    overrides.retain(|(key, _)| !setup.overrides.iter().any(|(given, _)| given == key));
    overrides.extend(setup.overrides.iter().cloned());
    Ok(config::load_for(&setup.systems, &folder.join(CONFIGURATION), overrides)?)
}
