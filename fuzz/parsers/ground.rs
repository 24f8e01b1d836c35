//! What the parsers stand on: a configuration as it is shipped, a clock that stands still, an Entra on this machine.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use stint::{
    clock::{Clock, ManualClock},
    config::{self, Config},
    demo::world::SECRETS,
    outbound::{Limits, Wire},
    sandbox::Sandbox,
    tickets::settings::ConnectionSettings,
};
use tokio::runtime::Runtime;

/// Further connections, so that each kind is there in every way it may be configured.
const CONNECTIONS: &str = r#"
[connections.data-center]
system = "jira"
deployment = "data-center"
tenants = ["contoso"]
base_url = "https://jira.example"
auth = { kind = "bearer", token_file = "sandbox-secrets/jira-pat" }
webhook = { scheme = "bearer", secret_files = ["bearer"] }
ticket_pattern = "^ITSEC-[1-9][0-9]*$"
projects = ["ITSEC"]
approved_statuses = ["10016"]
approval = "status-transition"
fields = { entitlement = "customfield_10051", principal = "customfield_10052", duration = "customfield_10053" }

[connections.display]
system = "servicenow"
tenants = ["contoso"]
base_url = "https://display.example"
auth = { kind = "bearer", token_file = "sandbox-secrets/jira-pat" }
webhook = { scheme = "basic", username = "rule", secret_files = ["basic"] }
ticket_pattern = "^(RITM|CHG)[0-9]{7,12}$"
fields = { entitlement = "entitlement", principal = "target_upn", duration = "duration" }

[connections.told]
system = "standard"
tenants = ["contoso"]
base_url = "https://told.example"
auth = { kind = "bearer", token_file = "sandbox-secrets/jira-pat" }
webhook = { scheme = "standard-webhooks", secret_files = ["told"] }
ticket_pattern = "^DESK-[1-9][0-9]*$"
read_back = "none"
"#;

/// The token of the connection `data-center`.
pub const BEARER: &str = "the-static-token-of-an-automation-rule";
/// The password of the connection `display`.
pub const BASIC: &str = "the-password-of-a-business-rule";
/// The key of the connection `told`.
pub const TOLD: &str = "whsec_dGhlLWtleS1vZi1hLWRlc2stdGhhdC1pcy1uZXZlci1hc2tlZA==";

/// What is made once.
pub struct Ground {
    pub runtime: Runtime,
    pub config: Config,
    pub clock: Clock,
    pub sandbox: Sandbox,
}

/// The ground that all stand on.
pub static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let manual = ManualClock::at(now());
    let hands = Arc::clone(&manual);
    let sandbox = runtime.block_on(Sandbox::start(Arc::new(move || hands.now()))).expect("simulators");
    sandbox.seed_story();
    Ground { runtime, config: config(), clock: Clock::manual(manual), sandbox }
});

/// When all of it happens.
pub fn now() -> Timestamp {
    "2026-11-03T08:31:07Z".parse().expect("a moment")
}

/// A client for calls on this machine.
pub fn wire() -> Wire {
    Wire::new(Limits::default()).expect("a client")
}

/// A connection by its name.
pub fn connection(name: &str) -> &'static ConnectionSettings {
    let named = |connection: &&ConnectionSettings| connection.common.name.as_str() == name;
    GROUND.config.connections.iter().find(named).expect("a connection")
}

fn config() -> Config {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("sandbox-secrets")).expect("a folder");
    let further = [("bearer", BEARER), ("basic", BASIC), ("told", TOLD)];
    let catalog = [("sandbox-catalog.toml", config::SANDBOX_CATALOG)];
    for (name, text) in SECRETS.into_iter().chain(further).chain(catalog) {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let text = format!("{}\n{CONNECTIONS}", config::SANDBOX);
    config::parse(&text, folder.path(), []).unwrap_or_else(|faults| panic!("{faults}"))
}
