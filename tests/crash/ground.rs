//! What stands while processes come and go: the simulators with their ledgers, the configuration, the time.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use stint::{
    clock::ManualClock,
    config,
    demo::world::SECRETS,
    domain::proof::SigningKey,
    sandbox::{Gate, Ports, Postgres, PostgresOptions, Sandbox},
    store::Store,
};
use tempfile::TempDir;

/// The simulators, the files, and the way to the database past every proxy.
pub struct Ground {
    pub sandbox: Sandbox,
    pub clock: Arc<ManualClock>,
    /// What processes are given by their environment.
    pub overrides: Vec<(String, String)>,
    /// The database, for checks and for the next time something is due.
    pub store: Store,
    pub database_url: String,
    /// What signs the audit log.
    pub key: SigningKey,
    /// What all processes logged.
    pub log: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

/// A private Postgres that ends with this program, however that ends.
pub fn postgres(fsync: bool) -> Postgres {
    let guard = Some(PathBuf::from(env!("CARGO_BIN_EXE_stint")));
    Postgres::start_with(PostgresOptions { guard, fsync, tcp: false }).expect("a private Postgres")
}

/// The moment every story begins.
pub fn morning() -> Timestamp {
    "2026-11-03T08:12:40Z".parse().expect("a moment")
}

impl Ground {
    /// Simulators behind this gate, and a configuration that points at them.
    pub async fn begins(database_url: String, gate: &Gate) -> Self {
        let clock = ManualClock::at(morning());
        let hands = Arc::clone(&clock);
        let now = Arc::new(move || hands.now());
        let sandbox = Sandbox::start_behind(now, Ports::default(), gate).await.expect("simulators");
        sandbox.seed_story();
        let folder = tempfile::Builder::new().prefix("stint-crash-").tempdir().expect("a folder");
        let key = SigningKey::text_of("stint.contoso.example", &[7; 32]).expect("a key");
        write(&folder, &key);
        let overrides = overrides(&sandbox, &folder);
        let store = Store::open(&database_url, 4).expect("a store");
        let key = SigningKey::parse(&key).expect("a key");
        Self { sandbox, clock, overrides, store, database_url, key, log: Arc::default(), folder }
    }

    /// The configuration file.
    pub fn config(&self) -> String {
        self.folder.path().join("sandbox.toml").display().to_string()
    }

    /// Where files of a story may be written.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn write(folder: &TempDir, key: &str) {
    let files = [
        ("sandbox.toml", config::SANDBOX),
        ("sandbox-catalog.toml", config::SANDBOX_CATALOG),
        ("sandbox-secrets/audit-signing-key", key),
    ];
    std::fs::create_dir(folder.path().join("sandbox-secrets")).expect("a folder");
    for (name, text) in files.into_iter().chain(SECRETS) {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
}

fn overrides(sandbox: &Sandbox, folder: &TempDir) -> Vec<(String, String)> {
    let key = folder.path().join("sandbox-secrets/audit-signing-key").display().to_string();
    let over = [
        ("SERVER__LISTEN", "127.0.0.1:0".into()),
        ("SERVER__OPS_LISTEN", "127.0.0.1:0".into()),
        ("AUDIT__SIGNING_KEY_FILE", key),
        ("API__LOGIN_URL", sandbox.entra.url()),
        ("TENANTS__CONTOSO__LOGIN_URL", sandbox.entra.url()),
        ("TENANTS__CONTOSO__GRAPH_URL", sandbox.graph.url()),
        ("CONNECTIONS__JIRA_CLOUD__BASE_URL", sandbox.jira.url()),
        ("CONNECTIONS__SERVICENOW__BASE_URL", sandbox.servicenow.url()),
        ("CONNECTIONS__SERVICE_DESK__BASE_URL", sandbox.desk.url()),
        // What the searches find they find in hours: webhooks tell these stories.
        ("CONNECTIONS__SERVICENOW__POLL_INTERVAL", "PT1H".into()),
        ("CONNECTIONS__SERVICE_DESK__POLL_INTERVAL", "PT1H".into()),
    ];
    over.into_iter().map(|(name, value)| (format!("STINT__{name}"), value)).collect()
}
