//! Where everything runs: a private Postgres with a full and an empty history, the simulators that issue tokens, and stint
//! and the bare handler as processes of their own.

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use stint::{
    clock::Clock,
    config::{SANDBOX, SANDBOX_CATALOG},
    demo::world::SECRETS,
    sandbox::{ApiToken, Postgres, Sandbox, story},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    Size, bare,
    client::Client,
    cluster, fill,
    process::{Process, free_port},
};

/// Everything that is needed to measure.
pub struct Place<'a> {
    /// How much is measured.
    pub size: Size,
    /// stint on the full history.
    pub full: Process,
    /// stint on an empty one.
    pub empty: Process,
    /// The bare handler on the full history.
    pub bare: Process,
    /// An auditor's access token.
    token: Box<dyn Fn() -> String + 'a>,
    // Dropped in this order, after the processes that use them.
    _folder: TempDir,
    postgres: Postgres,
}

impl<'a> Place<'a> {
    /// Fills the history and starts everybody.
    pub fn set_up(runtime: &'a Runtime, size: Size) -> Self {
        let postgres = cluster::start(runtime);
        let [full, empty] = ["full", "empty"].map(|name| cluster::database(runtime, &postgres, name));
        fill::fill(runtime, &full, size.requests);
        let clock = Clock::system();
        let sandbox = runtime.block_on(Sandbox::start(Arc::new(move || clock.now()))).expect("simulators");
        sandbox.seed_story();
        let folder = write_config();
        let login = sandbox.entra.url();
        let process = |database: &str| serve(&folder, database, &login);
        Self {
            full: process(&full),
            empty: process(&empty),
            bare: bare::start(&full),
            size,
            token: Box::new(move || issue(&sandbox)),
            _folder: folder,
            postgres,
        }
    }

    /// A fresh token of an auditor.
    pub fn token(&self) -> String {
        (self.token)()
    }

    /// Where programs of Postgres find the full history.
    pub fn url(&self) -> String {
        self.postgres.url("full")
    }

    /// A client of stint, as an auditor.
    pub fn auditor(&self) -> Client {
        Client::new(&self.full.address, &format!("authorization: Bearer {}\r\n", self.token()))
    }
}

fn issue(sandbox: &Sandbox) -> String {
    let lena = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
    sandbox.entra.issue_api_token(&lena)
}

fn write_config() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("sandbox-secrets")).expect("a folder");
    for (name, text) in
        [("sandbox.toml", SANDBOX), ("sandbox-catalog.toml", SANDBOX_CATALOG)].into_iter().chain(SECRETS)
    {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// `stint serve --only http` on a free port.
fn serve(folder: &TempDir, database: &str, login: &str) -> Process {
    let (port, ops_port) = (free_port(), free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
    command.args(["serve", "--only", "http", "--config"]).arg(folder.path().join("sandbox.toml"));
    let address = format!("127.0.0.1:{port}");
    for (key, value) in [
        ("DATABASE__URL", database),
        ("SERVER__LISTEN", &address),
        ("SERVER__OPS_LISTEN", &format!("127.0.0.1:{ops_port}")),
        ("API__LOGIN_URL", login),
    ] {
        command.env(format!("STINT__{key}"), value);
    }
    // What stint logs is part of what it does; where it goes is not.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Process::listening(command, address)
}
