//! Whom the server runs as.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::error::PostgresError;

/// A user and group of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// `None` when the caller's own account will do, that is, when it is not root.
    pub(super) fn to_run_as() -> Result<Option<Self>, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        // initdb looks its user up by name, so a bare number would not do.
        let found = named(&passwd, "postgres").or_else(|| named(&passwd, "nobody"));
        found.map(Some).ok_or(PostgresError::NoAccount)
    }
}

/// The command will run as the account, without the caller's groups.
pub(super) fn apply(account: Option<Account>, command: &mut Command) {
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
}

fn named(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2);
    Some(Account { uid: numbers.next()?.parse().ok()?, gid: numbers.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresx:x:1:1::/:/bin/sh\npostgres:x:105:110::/:/bin/sh\n";
        assert_eq!(named(passwd, "postgres"), Some(Account { uid: 105, gid: 110 }));
        assert_eq!(named(passwd, "nobody"), None);
    }
}
