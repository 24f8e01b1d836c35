//! Two Postgres nodes that replicate synchronously, under `pg_auto_failover`, on loopback.
//!
//! A monitor decides who is primary; each node has a keeper that starts Postgres and does as the monitor says. All of it runs
//! in a folder of its own, as somebody who is not root, and ends with this process however that ends.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// How long the nodes may take to become a pair; a loaded machine needs a while.
const PATIENCE: Duration = Duration::from_mins(2);

/// The monitor is told to notice within seconds what it would notice within half a minute.
const HASTE: [&str; 7] = [
    "alter system set pgautofailover.health_check_period = 500",
    "alter system set pgautofailover.health_check_timeout = 1000",
    "alter system set pgautofailover.health_check_retry_delay = 300",
    "alter system set pgautofailover.node_considered_unhealthy_timeout = 3000",
    "alter system set pgautofailover.primary_demote_timeout = 2000",
    "alter system set pgautofailover.startup_grace_period = 1000",
    "select pg_reload_conf()",
];

/// A monitor and two nodes.
pub struct Pair {
    folder: TempDir,
    bin: PathBuf,
    monitor_port: u16,
    ports: [u16; 2],
    monitor: Child,
    keepers: [Option<Child>; 2],
}

impl Pair {
    /// The folder of a Postgres for which the failover manager is installed; `None` when it is nowhere.
    pub fn installed() -> Option<PathBuf> {
        let known = Command::new("pg_autoctl").arg("version").output().is_ok_and(|output| output.status.success());
        let mut versions: Vec<_> = fs::read_dir("/usr/share/postgresql").ok()?.flatten().collect();
        versions.sort_by_key(fs::DirEntry::file_name);
        let with_extension = |path: &PathBuf| path.join("extension/pgautofailover.control").exists();
        let version = versions.into_iter().rev().map(|entry| entry.path()).find(with_extension)?;
        let bin = PathBuf::from("/usr/lib/postgresql").join(version.file_name()?).join("bin");
        known.then_some(bin)
    }

    /// Makes the nodes, starts them and waits until one follows the other synchronously.
    pub async fn start(bin: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("stint-pair-").tempdir_in("/tmp").expect("a folder");
        if rustix::process::geteuid().is_root() {
            let chown = Command::new("chown").args([account(), folder.path().display().to_string()]).status();
            assert!(chown.expect("chown runs").success());
        }
        let (monitor_port, ports) = (free_port(), [free_port(), free_port()]);
        let data = |name: &str| folder.path().join(name).display().to_string();
        let (at, port) = (data("monitor"), monitor_port.to_string());
        let monitor = ["create", "monitor", "--pgdata", &at, "--pgport", &port, "--hostname", "127.0.0.1"];
        let monitor =
            run(&folder, &bin, "monitor", &[&monitor[..], &["--auth", "trust", "--no-ssl", "--run"]].concat());
        let mut pair = Self { folder, bin, monitor_port, ports, monitor, keepers: [None, None] };
        pair.hasten().await;
        for node in [0, 1] {
            pair.create(node);
            pair.settled(node + 1).await;
        }
        pair
    }

    /// The database, whichever node has it.
    pub fn url(&self) -> String {
        let [first, second] = self.ports;
        format!(
            "postgres://stint@127.0.0.1:{first},127.0.0.1:{second}/stint?sslmode=disable&target_session_attrs=read-write"
        )
    }

    /// The database on this node.
    pub fn url_of(&self, node: usize) -> String {
        format!("postgres://stint@127.0.0.1:{}/stint?sslmode=disable", self.ports[node])
    }

    /// The node that takes writes; waits until there is one.
    pub async fn primary(&self) -> usize {
        let begun = Instant::now();
        loop {
            for node in [0, 1] {
                if self.takes_writes(node).await {
                    return node;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "no node takes writes: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills this node as a loss of power does: Postgres and its keeper at once.
    pub fn kill(&mut self, node: usize) {
        let mut keeper = self.keepers[node].take().expect("a running node");
        kill_tree(keeper.id());
        keeper.wait().expect("waited for");
    }

    /// Starts a node again, and waits until both are a pair.
    pub async fn comes_back(&mut self, node: usize) {
        let at = self.folder.path().join(NAMES[node]).display().to_string();
        self.keepers[node] = Some(run(&self.folder, &self.bin, NAMES[node], &["run", "--pgdata", &at]));
        self.settled(2).await;
    }

    fn create(&mut self, node: usize) {
        let (name, port) = (NAMES[node], self.ports[node].to_string());
        let at = self.folder.path().join(name).display().to_string();
        let monitor = self.monitor_url();
        let words =
            ["create", "postgres", "--pgdata", &at, "--pgport", &port, "--hostname", "127.0.0.1", "--name", name];
        let more =
            ["--auth", "trust", "--no-ssl", "--username", "stint", "--dbname", "stint", "--monitor", &monitor, "--run"];
        self.keepers[node] = Some(run(&self.folder, &self.bin, name, &[&words[..], &more].concat()));
    }

    fn monitor_url(&self) -> String {
        format!("postgres://autoctl_node@127.0.0.1:{}/pg_auto_failover?sslmode=prefer", self.monitor_port)
    }

    async fn hasten(&self) {
        let begun = Instant::now();
        let as_node = self.monitor_url();
        while !answers(&as_node, "select count(*) from pgautofailover.node").await {
            assert!(begun.elapsed() < PATIENCE, "there is no monitor: {}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let as_owner = format!("postgres://postgres@127.0.0.1:{}/pg_auto_failover?sslmode=disable", self.monitor_port);
        for statement in HASTE {
            assert!(answers(&as_owner, statement).await, "{statement}");
        }
    }

    /// Waits until so many nodes are what they are to be: one alone, or one that follows another synchronously.
    async fn settled(&self, nodes: usize) {
        let settled = if nodes == 1 {
            "select 1 / (count(*) = 1)::int from pgautofailover.node \
             where reportedstate = goalstate and reportedstate = 'single'"
        } else {
            "select 1 / (count(*) = 2)::int from pgautofailover.node \
             where reportedstate = goalstate and reportedstate in ('primary', 'secondary')"
        };
        let begun = Instant::now();
        while !answers(&self.monitor_url(), settled).await {
            assert!(begun.elapsed() < PATIENCE, "the nodes do not become a pair: {}", self.log());
            // A copy of a node begins with a checkpoint, which would take its time.
            for port in self.ports {
                let owner = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
                answers(&owner, "checkpoint").await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn takes_writes(&self, node: usize) -> bool {
        answers(&self.url_of(node), "select 1 / (current_setting('transaction_read_only') = 'off')::int").await
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default();
        let tail = |text: String| text.lines().rev().take(15).map(ToOwned::to_owned).collect::<Vec<_>>();
        let logs = ["monitor", NAMES[0], NAMES[1]]
            .map(|name| tail(read(name)).into_iter().rev().collect::<Vec<_>>().join("\n"));
        logs.join("\n---\n")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in self.keepers.iter_mut().flatten().chain([&mut self.monitor]) {
            kill_tree(child.id());
            let _ = child.wait();
        }
    }
}

/// The nodes, by number.
const NAMES: [&str; 2] = ["first", "second"];

/// Whether this server answers this statement without an error.
async fn answers(url: &str, statement: &'static str) -> bool {
    let asked = async {
        let mut connection = PgConnection::connect(url).await.ok()?;
        let done = sqlx::raw_sql(statement).execute(&mut connection).await.ok();
        let _ = connection.close().await;
        done
    };
    tokio::time::timeout(Duration::from_secs(2), asked).await.ok().flatten().is_some()
}

/// Runs the manager as somebody who is not root. It ends when the thread that called this ends.
fn run(folder: &TempDir, bin: &std::path::Path, name: &str, arguments: &[&str]) -> Child {
    let log =
        fs::File::options().create(true).append(true).open(folder.path().join(format!("{name}.log"))).expect("a log");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", &account(), "--clear-groups"]);
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    command.arg("pg_autoctl").args(arguments).current_dir(folder.path());
    command.env("PATH", path).env("LC_ALL", "C.UTF-8").env("HOME", folder.path());
    for (variable, place) in [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "share"), ("XDG_RUNTIME_DIR", "run")] {
        command.env(variable, folder.path().join(place));
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).process_group(0);
    command.spawn().expect("setpriv runs")
}

/// Whoever the packages run servers as.
fn account() -> String {
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = if known.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" };
    name.to_owned()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Kills a process and all that came of it, none of which gets to do anything more.
fn kill_tree(root: u32) {
    let mut tree = BTreeSet::from([i32::try_from(root).expect("a process id")]);
    loop {
        let known = tree.len();
        // Who stands still starts nothing new.
        for pid in &tree {
            send(*pid, Signal::STOP);
        }
        tree.extend(
            parents().into_iter().filter(|(_, parent)| tree.contains(parent)).map(|(pid, _)| pid).collect::<Vec<_>>(),
        );
        if tree.len() == known {
            break;
        }
    }
    for pid in &tree {
        send(*pid, Signal::KILL);
    }
}

fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may be gone already.
        let _ = kill_process(pid, signal);
    }
}

/// Every process with its parent.
fn parents() -> Vec<(i32, i32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((pid, text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
    };
    entries.filter_map(of).collect()
}
