//! One process under test, as seen from outside.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::watch,
};

use crate::{SERVICE, ground::Ground};

/// How long it may take to start, or to say that it took note of the time; a loaded machine needs seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// What it said last.
#[derive(Clone, Debug, Default)]
struct Said {
    url: Option<String>,
    at: Option<Timestamp>,
    rest: Option<Timestamp>,
    over: bool,
}

/// A running process.
pub struct Process {
    /// Where webhooks go.
    pub url: String,
    /// Its process id.
    pub pid: Pid,
    child: Child,
    input: ChildStdin,
    said: watch::Receiver<Said>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts one on this database and waits until it serves; `None` when it ended instead.
    pub async fn start(ground: &Ground, database_url: &str) -> Option<Self> {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args([SERVICE, &ground.config(), &ground.clock.now().to_string()]);
        command.envs(ground.overrides.iter().cloned()).env("STINT__DATABASE__URL", database_url);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("a process");
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("a process id");
        let input = child.stdin.take().expect("a pipe");
        let log = Arc::clone(&ground.log);
        keep(child.stderr.take().expect("a pipe"), Arc::clone(&log));
        let mut said = listen(child.stdout.take().expect("a pipe"));
        let serving = said.wait_for(|said| said.url.is_some() || said.over);
        let url = tokio::time::timeout(PATIENCE, serving).await.ok()?.ok()?.url.clone()?;
        Some(Self { url, pid, child, input, said, log })
    }

    /// Tells it the time. One that is gone is not told.
    pub async fn tell(&mut self, now: Timestamp) {
        let _ = self.input.write_all(format!("{now}\n").as_bytes()).await;
    }

    /// Waits until it has come to rest at this time, for so long; `false` when it has not, or is gone.
    pub async fn rests(&mut self, now: Timestamp, limit: Duration) -> bool {
        let waited = self.said.wait_for(|said| said.rest >= Some(now) || said.over);
        matches!(tokio::time::timeout(limit, waited).await, Ok(Ok(said)) if !said.over)
    }

    /// Waits until it has taken note of this time.
    pub async fn takes_note(&mut self, now: Timestamp) {
        let waited = self.said.wait_for(|said| said.at >= Some(now) || said.over);
        let noted = matches!(tokio::time::timeout(PATIENCE, waited).await, Ok(Ok(said)) if !said.over);
        assert!(noted, "the process does not go on: {}", self.last_words());
    }

    /// kill -9, and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Lets it go on after it was stopped.
    pub fn goes_on(&self) {
        kill_process(self.pid, Signal::CONT).expect("told to go on");
    }

    fn last_words(&self) -> String {
        let log = self.log.lock().expect("not poisoned");
        log.iter().rev().take(5).rev().cloned().collect::<Vec<_>>().join("\n")
    }
}

fn listen(output: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Said> {
    let (sender, receiver) = watch::channel(Said::default());
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            sender.send_modify(|said| match word {
                "serving" => said.url = Some(rest.to_owned()),
                "at" => said.at = rest.parse().ok(),
                "rest" => said.rest = rest.parse().ok(),
                _ => {}
            });
        }
        sender.send_modify(|said| said.over = true);
    });
    receiver
}

fn keep(output: impl AsyncRead + Unpin + Send + 'static, log: Arc<Mutex<Vec<String>>>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if std::env::var_os("STINT_CRASH_LOG").is_some() {
                eprintln!("{line}");
            }
            log.lock().expect("not poisoned").push(line);
        }
    });
}
