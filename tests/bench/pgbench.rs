//! The same statements through pgbench, prepared, on one connection.

use std::process::Command;

use crate::{
    bare::{NOTE, ORDER, PAGE},
    pages::{FROM, Kind, TO},
    place::Place,
    programs::program,
    report::Times,
};

/// Different values, each a script of its own.
const VALUES: u64 = 10;

/// Times of page and audit event together.
pub fn page(place: &Place<'_>, kind: Kind) -> Times {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(program("pgbench"));
    command.args(["--no-vacuum", "--protocol=prepared", "--client=1", "--log"]);
    command.arg(format!("--log-prefix={}", folder.path().join("times").display()));
    command.arg(format!("--transactions={}", place.size.of(2000, 40)));
    for n in 0..VALUES {
        let value = format!("'{}'", kind.value(n * 4, place.size.requests));
        let clause = kind.clause(&value, &moment(FROM), &moment(TO));
        let script = folder.path().join(format!("{n}.sql"));
        std::fs::write(&script, format!("{PAGE}{clause}{ORDER};\n{};\n", literal_note())).expect("a script");
        command.arg("--file").arg(script);
    }
    let output = command.arg(place.url()).current_dir(folder.path()).output().expect("pgbench");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let logs = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
    let logs = logs.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("times")));
    let mut micros = Vec::new();
    for log in logs {
        let text = std::fs::read_to_string(log).expect("a log");
        micros.extend(
            text.lines().map(|line| line.split(' ').nth(2).and_then(|n| n.parse::<f64>().ok()).expect("a time")),
        );
    }
    Times::of(micros)
}

/// A moment as a literal without colons, which pgbench would take for variables.
fn moment(text: &str) -> String {
    format!("'{}'", text.replace(['-', ':'], ""))
}

fn literal_note() -> String {
    let values = [
        moment(FROM),
        "null".into(),
        "null".into(),
        "null".into(),
        "'history-read'".into(),
        "'pgbench'".into(),
        "null".into(),
        "null".into(),
        "sha256('')".into(),
        "'{\"what\": \"requests\", \"count\": 50}'::jsonb".into(),
    ];
    let mut text = NOTE.to_owned();
    // From the last, so that $1 is not found in $10.
    for (n, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", n + 1), value);
    }
    text
}
