//! Programs of Postgres.

use std::path::PathBuf;

/// A program of the server's own version.
pub fn program(name: &str) -> PathBuf {
    let known = std::env::var_os("STINT_PG_BIN").map(PathBuf::from);
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.extend(known);
    let found = folders.into_iter().rev().map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| name.into())
}
