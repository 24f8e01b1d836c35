//! Starting the server, with or without a guard that outlives this process.
//!
//! The guard reads one line of JSON that says what to start, and then waits for its standard input to end. A pipe's
//! end closes with the process that holds it, however that process dies, so no server is left behind.

use std::fs::{self, File};
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::account::{self, Account};

/// Everything needed to start the server.
#[derive(Serialize, Deserialize)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) account: Option<Account>,
    /// Removed by the guard when its parent is gone.
    pub(super) folder: PathBuf,
}

/// The server, or the guard that holds it.
pub(super) struct Running {
    child: Child,
    /// As long as this is open the guard keeps the server running.
    leash: Option<ChildStdin>,
}

impl Running {
    /// Waits for the end, holding the leash: the guard must not take this for its parent's death.
    pub(super) fn wait(mut self) -> io::Result<()> {
        let ended = self.child.wait();
        drop(self.leash);
        ended.map(|_| ())
    }

    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends it without knowing the server's pid: the guard sees its parent go, a direct child is killed.
    pub(super) fn abandon(&mut self) {
        if self.leash.take().is_none() {
            // It may be gone already, which is what we want.
            let _ = self.child.kill();
        }
    }
}

impl Launch {
    pub(super) fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The server as a child of this process.
    pub(super) fn direct(&self) -> io::Result<Running> {
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir("/").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C in a terminal goes to the whole group; the server is to be stopped by us alone.
        command.process_group(0);
        account::apply(self.account, &mut command);
        Ok(Running { child: command.spawn()?, leash: None })
    }

    /// The server as a child of a guard.
    pub(super) fn guarded(&self, program: &Path, arguments: &[String]) -> io::Result<Running> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let mut leash = child.stdin.take().ok_or_else(|| io::Error::other("the guard has no standard input"))?;
        let mut order = serde_json::to_vec(self)?;
        order.push(b'\n');
        leash.write_all(&order)?;
        Ok(Running { child, leash: Some(leash) })
    }
}

/// The guard's whole life: what the hidden command `stint __pg-guard` runs. Its arguments are ignored; the order
/// comes on standard input.
pub fn guard_main(_arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    match guard() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the guard of the private Postgres failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard() -> io::Result<()> {
    let mut order = String::new();
    io::stdin().lock().read_line(&mut order)?;
    let launch: Launch = serde_json::from_str(&order)?;
    let mut running = launch.direct()?;
    let parent_is_gone = Arc::new(AtomicBool::new(false));
    watch_parent(&running, Arc::clone(&parent_is_gone));
    running.child.wait()?;
    if parent_is_gone.load(Ordering::SeqCst) {
        fs::remove_dir_all(&launch.folder)?;
    }
    Ok(())
}

/// The server's pid cannot be another process's by then: the guard ends as soon as it has waited for the server.
fn watch_parent(running: &Running, gone: Arc<AtomicBool>) {
    let pid = i32::try_from(running.child.id()).ok().and_then(Pid::from_raw);
    thread::spawn(move || {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        gone.store(true, Ordering::SeqCst);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::QUIT);
        }
    });
}
