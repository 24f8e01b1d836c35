//! Making a cluster: its folder, its files, its port, its settings.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use super::account::{self, Account};
use super::binaries::Binaries;
use super::error::{PostgresError, failed_to};

/// Where the account can reach; a root's home is closed to it.
const BASE: &str = "/tmp";
const PREFIX: &str = "stint-pg-";
const LEFT_BEHIND_AFTER: Duration = Duration::from_hours(1);

/// The name of the cluster's superuser, whoever runs the server.
pub(super) const SUPERUSER: &str = "postgres";

pub(super) fn data_of(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The file in which the server writes its pid and whether it is ready.
pub(super) fn pid_file(folder: &Path) -> PathBuf {
    data_of(folder).join("postmaster.pid")
}

pub(super) fn server_pid(folder: &Path) -> Option<Pid> {
    let text = fs::read_to_string(pid_file(folder)).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// Removes what earlier processes left behind when they were killed without a guard. A young folder may be one that
/// is just being made, and one whose server lives is somebody's.
pub(super) fn sweep() {
    for entry in fs::read_dir(BASE).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
        let is_old = age.is_some_and(|age| age > LEFT_BEHIND_AFTER);
        let is_alive = || server_pid(&entry.path()).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
        if is_ours && is_old && !is_alive() {
            // Another process may be sweeping, too; somebody else's folder cannot be removed.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A new folder that only the account may enter.
pub(super) fn new_folder(account: Option<Account>) -> Result<TempDir, PostgresError> {
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(BASE).map_err(failed_to("make a folder"))?;
    if let Some(account) = account {
        std::os::unix::fs::chown(folder.path(), Some(account.uid), Some(account.gid))
            .map_err(failed_to("hand the folder over"))?;
    }
    Ok(folder)
}

/// Another process may take the port before the server does; then the start fails with a clear message.
pub(super) fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed_to("find a free port"))?;
    Ok(listener.local_addr().map_err(failed_to("find a free port"))?.port())
}

pub(super) fn initdb(binaries: &Binaries, account: Option<Account>, data: &Path) -> Result<(), PostgresError> {
    let mut complaint = String::new();
    // C.UTF-8 is not everywhere; C is, and stint does not depend on collation.
    for locale in ["C.UTF-8", "C"] {
        let mut command = Command::new(binaries.initdb());
        command.args(["-E", "UTF8", "-U", SUPERUSER, "--auth=trust", "--no-sync", "--no-instructions"]);
        command.arg(format!("--locale={locale}")).arg("-D").arg(data).current_dir("/");
        account::apply(account, &mut command);
        let output = command.output().map_err(failed_to("run initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        String::from_utf8_lossy(&output.stderr).trim().clone_into(&mut complaint);
        let _ = fs::remove_dir_all(data);
    }
    Err(PostgresError::Initdb(complaint))
}

pub(super) fn server_arguments(folder: &Path, port: u16, tcp: bool, fsync: bool) -> Vec<String> {
    let durable = if fsync { "on" } else { "off" };
    let mut arguments = vec![
        "-D".to_owned(),
        data_of(folder).display().to_string(),
        "-k".to_owned(),
        folder.display().to_string(),
        "-p".to_owned(),
        port.to_string(),
    ];
    let settings = [
        format!("listen_addresses={}", if tcp { "127.0.0.1" } else { "" }),
        "unix_socket_permissions=0700".to_owned(),
        format!("fsync={durable}"),
        format!("full_page_writes={durable}"),
        "max_connections=200".to_owned(),
    ];
    for setting in settings {
        arguments.extend(["-c".to_owned(), setting]);
    }
    arguments
}
