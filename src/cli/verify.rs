//! `stint audit verify`: reads the keys, has the files checked, prints what came of it.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    domain::proof::VerifyingKey,
    verify::{self, Report},
};

/// What to verify, and by which keys.
#[derive(Debug, Args)]
pub(super) struct Verification {
    /// Checkpoints, the log, exports, evidence packs, proofs. What is given together is checked against each other.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A public key you trust, `name+id+base64`, or a file that holds one on each line; may be given several times.
    /// Without one no signature can be checked.
    #[arg(long = "key", value_name = "KEY_OR_FILE")]
    keys: Vec<String>,
    /// Print every statement as JSON.
    #[arg(long)]
    json: bool,
}

/// Ends with 0 when all holds, 1 when something does not, 2 when a file or key cannot be read.
pub(super) fn run(verification: &Verification) -> ExitCode {
    match verified(verification) {
        Ok(report) => say(&report, verification.json),
        Err(fault) => {
            anstream::eprintln!("stint: {fault:#}");
            ExitCode::from(2)
        }
    }
}

fn verified(verification: &Verification) -> anyhow::Result<Report> {
    let mut keys = Vec::new();
    for given in &verification.keys {
        keys.extend(read_keys(given)?);
    }
    Ok(verify::verify(&verification.files, &keys)?)
}

/// A key as it stands there, or each line of the file of that name.
fn read_keys(given: &str) -> anyhow::Result<Vec<VerifyingKey>> {
    if let Ok(key) = VerifyingKey::parse(given) {
        return Ok(vec![key]);
    }
    let text = fs::read_to_string(given)
        .map_err(|fault| anyhow::anyhow!("--key {given} is neither a key nor a file that can be read: {fault}"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Result<Vec<_>, _> = lines.map(VerifyingKey::parse).collect();
    let keys = keys.map_err(|fault| anyhow::anyhow!("--key {given}: {fault}"))?;
    anyhow::ensure!(!keys.is_empty(), "--key {given}: the file holds no key");
    Ok(keys)
}

fn say(report: &Report, as_json: bool) -> ExitCode {
    if as_json {
        let said = serde_json::json!({ "verified": report.holds(), "statements": report.lines });
        anstream::println!("{said:#}");
    } else {
        anstream::println!("{report}");
    }
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
