//! `stint audit`: the audit log's keys and proofs.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Subcommand;

use crate::domain::proof::SigningKey;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check files that stint gave out, offline, and say in words what was verified and what was not.
    Verify(super::verify::Verification),
    /// Make a key that signs the audit log: write it to a file and print its public half, which verifiers need.
    NewKey {
        /// Whose log it is, such as `stint.contoso.com`; it stands in every signature.
        name: String,
        /// Where the key goes. A file that is there already is left alone.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Verify(verification) => super::verify::run(&verification),
        Command::NewKey { name, out } => match new_key(&name, &out) {
            Ok(public) => {
                anstream::println!("{public}");
                ExitCode::SUCCESS
            }
            Err(error) => super::failed(&error),
        },
    }
}

/// Writes a new key, for its owner alone, and gives the public half.
fn new_key(name: &str, out: &Path) -> anyhow::Result<String> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).context("there are no random bytes")?;
    let text = SigningKey::text_of(name, &seed)?;
    let key = SigningKey::parse(&text)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let mut file = file.with_context(|| format!("{} cannot be made", out.display()))?;
    file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()).context("the key is not written")?;
    Ok(key.verifier_key().to_string())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_new_key_is_its_owners_alone_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let public = new_key("stint.contoso.com", &path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(SigningKey::parse(&text).unwrap().verifier_key().as_str(), public);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(new_key("stint.contoso.com", &path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let other = new_key("stint.contoso.com", &folder.path().join("other")).unwrap();
        assert_ne!(other, public, "no two keys are alike");
    }

    #[test]
    fn a_name_that_no_key_can_have_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(new_key("two words", &path).is_err());
        assert!(!path.exists());
    }
}
