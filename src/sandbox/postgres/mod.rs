//! A private Postgres: found on this machine, run from a folder of its own, gone afterwards.
//!
//! It listens on a Unix socket inside a folder that only its account may enter, so it needs no password and disturbs
//! no other server. Postgres refuses to run as root; a root caller therefore runs it as `postgres` or, failing
//! that, as `nobody`.
//!
//! Cleaning up is promised twice. Dropping [`Postgres`] stops it and removes the folder. With
//! [`PostgresOptions::guard`] set, a small guard process holds the server and does the same when its standard input
//! closes, which happens even when this process is killed outright.

mod account;
mod binaries;
mod cluster;
mod error;
mod guard;
mod killing;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use tempfile::TempDir;

use self::account::Account;
use self::binaries::Binaries;
use self::cluster::{SUPERUSER, data_of, free_port, initdb, new_folder, pid_file, server_arguments, server_pid, sweep};
use self::error::failed_to;
use self::guard::{Launch, Running};

pub use self::error::PostgresError;
pub use self::guard::guard_main;

/// How long a server may take to accept connections; a loaded machine needs seconds.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Names the socket file where no TCP port is wanted.
const SOCKET_PORT: u16 = 5432;

/// What kind of server is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Listen on a free TCP port of 127.0.0.1 as well.
    pub tcp: bool,
    /// Write through to the disk; only a test of crashes of the machine needs that.
    pub fsync: bool,
    /// The program to start as guard; it is called with `__pg-guard` and must call [`guard_main`]. Without one the
    /// server is a direct child, which survives a SIGKILL of this process.
    pub guard: Option<PathBuf>,
}

/// A running private server with its folder.
pub struct Postgres {
    launch: Launch,
    guard: Option<Guard>,
    running: Option<Running>,
    port: u16,
    tcp: bool,
    folder: TempDir,
}

/// How the guard is called.
#[derive(Clone)]
struct Guard {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Postgres {
    /// Starts a server with the default options.
    ///
    /// # Errors
    ///
    /// See [`PostgresError`].
    pub fn start() -> Result<Self, PostgresError> {
        Self::start_with(PostgresOptions::default())
    }

    /// Makes a new cluster, starts it and waits until it accepts connections. Blocks for a second or more.
    ///
    /// # Errors
    ///
    /// See [`PostgresError`].
    pub fn start_with(options: PostgresOptions) -> Result<Self, PostgresError> {
        let guard = options.guard.map(|program| Guard { program, arguments: vec!["__pg-guard".to_owned()] });
        Self::prepare(options.tcp, options.fsync, guard)
    }

    fn prepare(tcp: bool, fsync: bool, guard: Option<Guard>) -> Result<Self, PostgresError> {
        let binaries = Binaries::find()?;
        let account = Account::to_run_as()?;
        sweep();
        let folder = new_folder(account)?;
        initdb(&binaries, account, &data_of(folder.path()))?;
        let port = if tcp { free_port()? } else { SOCKET_PORT };
        let launch = Launch {
            program: binaries.postgres(),
            arguments: server_arguments(folder.path(), port, tcp, fsync),
            account,
            folder: folder.path().to_owned(),
        };
        let mut postgres = Self { launch, guard, running: None, port, tcp, folder };
        postgres.restart()?;
        Ok(postgres)
    }

    /// Where sqlx finds the database, by way of the socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres:///{database}?host={folder}&port={}&user={SUPERUSER}", self.port)
    }

    /// The same by way of TCP, when that was asked for.
    #[must_use]
    pub fn tcp_url(&self, database: &str) -> Option<String> {
        let port = self.port;
        self.tcp.then(|| format!("postgres://{SUPERUSER}@127.0.0.1:{port}/{database}?sslmode=disable"))
    }

    /// The folder with the socket, the data and the log; removed when this is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates an empty database; its name is letters, digits and underscores.
    ///
    /// # Errors
    ///
    /// The server is not running, the name is taken, or it is no such name.
    pub async fn create_database(&self, name: &str) -> Result<(), PostgresError> {
        self.copy_database(name, "template1").await
    }

    /// Creates a database with all that another one holds.
    ///
    /// # Errors
    ///
    /// As [`Self::create_database`]; also while somebody is connected to the other one.
    pub async fn copy_database(&self, name: &str, original: &str) -> Result<(), PostgresError> {
        let failed = |source| PostgresError::Database { name: name.to_owned(), source };
        let plain =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain(name) || !plain(original) {
            return Err(failed(sqlx::Error::Configuration("not a plain name".into())));
        }
        let mut connection = sqlx::PgConnection::connect(&self.url("postgres")).await.map_err(failed)?;
        let statement = sqlx::AssertSqlSafe(format!("create database \"{name}\" template \"{original}\""));
        sqlx::raw_sql(statement).execute(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    /// Stops the server without letting it finish anything, as a crash would. The data stays for [`Self::restart`].
    ///
    /// # Errors
    ///
    /// The server could not be waited for.
    pub fn stop_immediate(&mut self) -> Result<(), PostgresError> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        // The pid file of a server that died by itself may name somebody else's process by now.
        if running.has_ended().map_err(failed_to("watch Postgres"))? {
            return Ok(());
        }
        match self.server_pid() {
            Some(pid) => {
                // It may be gone already, which is what we want.
                let _ = kill_process(pid, Signal::QUIT);
            }
            None => running.abandon(),
        }
        running.wait().map_err(failed_to("stop Postgres"))
    }

    /// Kills the server and all that it started, as the kernel does when memory is short. The data stays for
    /// [`Self::restart`].
    ///
    /// # Errors
    ///
    /// The server could not be waited for.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        match self.server_pid() {
            Some(pid) => killing::kill_with_children(pid),
            None => running.abandon(),
        }
        running.wait().map_err(failed_to("wait for Postgres"))
    }

    /// Starts the server on its data, port and socket; one that still runs is stopped first.
    ///
    /// # Errors
    ///
    /// See [`PostgresError`].
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.stop_immediate()?;
        // A crashed server leaves this file behind, and a stale "ready" in it would be believed below.
        let _ = fs::remove_file(self.pid_file());
        let mut running = match &self.guard {
            Some(guard) => self.launch.guarded(&guard.program, &guard.arguments),
            None => self.launch.direct(),
        }
        .map_err(failed_to("start Postgres"))?;
        let outcome = self.await_ready(&mut running);
        self.running = Some(running);
        outcome
    }

    fn await_ready(&self, running: &mut Running) -> Result<(), PostgresError> {
        let limit = Instant::now() + START_LIMIT;
        while !self.is_ready() {
            let ended = running.has_ended().map_err(failed_to("watch Postgres"))?;
            if ended || Instant::now() > limit {
                return Err(PostgresError::NotReady(self.log()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The server itself says so on the eighth line of its pid file; this is what `pg_ctl -w` waits for, too.
    fn is_ready(&self) -> bool {
        let text = fs::read_to_string(self.pid_file()).unwrap_or_default();
        text.lines().nth(7).is_some_and(|status| status.trim() == "ready")
    }

    fn server_pid(&self) -> Option<Pid> {
        server_pid(self.folder.path())
    }

    fn pid_file(&self) -> PathBuf {
        pid_file(self.folder.path())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.launch.log_file()).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Nobody is left to tell; the guard, if there is one, tries again.
        let _ = self.stop_immediate();
    }
}

#[cfg(test)]
mod tests;
