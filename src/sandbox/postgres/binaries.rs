//! Finding an installed Postgres.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::error::PostgresError;

/// The oldest version stint supports.
const MINIMUM: u32 = 15;
/// Where Debian and its kin keep versions side by side, outside `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder that holds `initdb` and `postgres` of one version.
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// `$STINT_PG_BIN` decides alone when it is set; else `PATH`, else the highest version in Debian's place.
    pub(super) fn find() -> Result<Self, PostgresError> {
        let candidates = match env::var_os("STINT_PG_BIN") {
            Some(folder) => vec![PathBuf::from(folder)],
            None => on_path().into_iter().chain(side_by_side(Path::new(DEBIAN))).collect(),
        };
        let mut looked = Vec::new();
        for folder in candidates {
            match version_in(&folder) {
                Ok(version) if version >= MINIMUM => return Ok(Self(folder)),
                Ok(version) => looked.push(format!("{} (version {version})", folder.display())),
                Err(reason) => looked.push(format!("{} ({reason})", folder.display())),
            }
        }
        if looked.is_empty() {
            looked.push(format!("$STINT_PG_BIN (not set), PATH (no initdb), {DEBIAN}/*/bin (none)"));
        }
        Err(PostgresError::NotFound { minimum: MINIMUM, looked: looked.join(", ") })
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.0.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }
}

/// A symbolic link in `PATH` commonly leads into the real folder, where the other programs are.
fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let initdb = env::split_paths(&path).map(|folder| folder.join("initdb")).find(|program| program.is_file())?;
    Some(fs::canonicalize(initdb).ok()?.parent()?.to_owned())
}

fn side_by_side(base: &Path) -> Vec<PathBuf> {
    let versions = fs::read_dir(base).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

fn version_in(folder: &Path) -> Result<u32, &'static str> {
    if !folder.join("initdb").is_file() {
        return Err("no initdb");
    }
    let output = Command::new(folder.join("postgres")).arg("--version").current_dir("/").output();
    let output = output.map_err(|_| "no postgres that runs")?;
    major(&String::from_utf8_lossy(&output.stdout)).ok_or("a version that cannot be read")
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` is 15; `18beta1` is 18.
fn major(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn the_highest_version_side_by_side_comes_first() {
        let base = tempfile::tempdir().unwrap();
        for name in ["9", "15", "17", "common"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        let found = side_by_side(base.path());
        let expected: Vec<PathBuf> = ["17", "15", "9"].iter().map(|name| base.path().join(name).join("bin")).collect();
        assert_eq!(found, expected);
    }
}
