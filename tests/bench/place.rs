//! Where everything runs: a private Postgres with a full and an empty history, the simulators that issue tokens, and stint
//! and the bare handler as processes of their own.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection};
use stint::{
    clock::Clock,
    config::{SANDBOX, SANDBOX_CATALOG},
    demo::world::SECRETS,
    sandbox::{ApiToken, Postgres, PostgresOptions, Sandbox, story},
    store::Store,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{Size, bare, client::Client, fill, report::say};

/// The same for everybody who is measured: Postgres writes through to the disk, and has memory as a small server has it.
const SETTINGS: [&str; 4] =
    ["shared_buffers = '1GB'", "max_wal_size = '4GB'", "random_page_cost = 1.1", "checkpoint_timeout = '15min'"];

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

/// A process that serves HTTP, ended with this.
pub struct Process {
    child: Child,
    /// Where it listens, such as `127.0.0.1:8080`.
    pub address: String,
}

impl<'a> Place<'a> {
    /// Fills the history and starts everybody.
    pub fn set_up(runtime: &'a Runtime, size: Size) -> Self {
        let guard = Some(PathBuf::from(env!("CARGO_BIN_EXE_stint")));
        let options = PostgresOptions { fsync: true, guard, ..PostgresOptions::default() };
        let mut postgres = Postgres::start_with(options).expect("a private Postgres");
        runtime.block_on(settle(&postgres.url("postgres")));
        postgres.restart().expect("Postgres with its settings");
        let (full, empty) = (postgres.url("full"), postgres.url("empty"));
        for name in ["full", "empty"] {
            runtime.block_on(postgres.create_database(name)).expect("a database");
            runtime.block_on(migrate(&postgres.url(name)));
        }
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

async fn migrate(url: &str) {
    let store = Store::open(url, 1).expect("a store");
    store.migrate().await.expect("a schema");
    store.close().await;
}

fn issue(sandbox: &Sandbox) -> String {
    let lena = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
    sandbox.entra.issue_api_token(&lena)
}

async fn settle(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    for setting in SETTINGS {
        let statement = sqlx::AssertSqlSafe(format!("alter system set {setting}"));
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("a setting");
    }
    // What is not written by now would be replayed at the restart.
    sqlx::raw_sql("checkpoint").execute(&mut connection).await.expect("a checkpoint");
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
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("stint");
    let process = Process { child, address };
    process.await_listening();
    process
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Process {
    /// A program that says in its first line where it listens.
    pub fn telling(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        Self { child, address: line.trim().to_owned() }
    }

    fn await_listening(&self) {
        let began = Instant::now();
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody listens on {}", self.address);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            say(&format!("{} may still run", self.address));
        }
    }
}
