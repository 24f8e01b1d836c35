//! `docs/verify.md` says what is so: every number in it is computed again, and its program gives our verdicts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tlog_tiles::{Hash, node_hash};

use super::books::{Books, a_life, as_text};
use crate::domain::proof::SigningKey;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify.md")).unwrap()
}

/// The text of the page's fenced block that follows this mark.
fn block(mark: &str) -> String {
    let page = page();
    let after = page.split_once(&format!("<!-- {mark} -->")).unwrap_or_else(|| panic!("no block {mark}")).1;
    let (_, fenced) = after.split_once("```").unwrap();
    fenced.split_once('\n').unwrap().1.split_once("```").unwrap().0.to_owned()
}

/// The log of the worked example: a request that was received, read and refused.
fn example() -> Books {
    let mut books = Books::open();
    let request = Some("019a4a30-5c00-7000-8000-000000000001");
    for happened in a_life().into_iter().take(2) {
        books.happens(request, happened);
    }
    let reasons = json!({ "reasons": [{ "code": "self-approval", "detail": "Jörg approved for himself" }] });
    books.happens(request, ("rejected", Some("verifying"), Some("rejected"), reasons));
    books
}

fn hex_of(hash: Hash) -> String {
    hex::encode(hash.0)
}

/// Every block of the worked example, by its mark.
fn blocks() -> Vec<(&'static str, String)> {
    let books = example();
    let third = &books.events[2];
    let leaves: Vec<_> = books.events.iter().map(|event| event.record.leaf_hash()).collect();
    let left = node_hash(leaves[0], leaves[1]);
    let hashes = format!(
        "leaf 0      {}\nleaf 1      {}\nleaf 2      {}\nnode (0,1)  {}\nroot        {}\n",
        hex_of(leaves[0]),
        hex_of(leaves[1]),
        hex_of(leaves[2]),
        hex_of(left),
        hex_of(node_hash(left, leaves[2])),
    );
    let closing: Value = serde_json::from_str(books.log().lines().last().unwrap()).unwrap();
    let note = closing["end_of_export"]["note"].as_str().unwrap().to_owned();
    vec![
        ("private key", format!("{}\n", SigningKey::text_of("stint.example", &[1; 32]).unwrap())),
        ("public key", format!("{}\n", books.key.verifier_key())),
        ("log", books.log()),
        ("canonical detail", serde_json_canonicalizer::to_string(third.detail.as_ref().unwrap()).unwrap() + "\n"),
        ("detail digest", format!("{}\n", third.record.detail_sha256)),
        ("canonical event", String::from_utf8(third.record.canonical()).unwrap() + "\n"),
        ("hashes", hashes),
        ("checkpoint", books.head(3)),
        ("closing note", note),
        ("inclusion", format!("{}\n", books.inclusion(2, 3))),
    ]
}

#[test]
fn every_number_of_the_page_is_so() {
    for (mark, text) in blocks() {
        assert_eq!(block(mark), text, "the block {mark} of docs/verify.md should be:\n{text}");
    }
    let root: Vec<_> = blocks().into_iter().filter(|(mark, _)| *mark == "hashes").collect();
    assert!(root[0].1.ends_with(&format!("{}\n", hex_of(example().root(3)))));
}

#[test]
fn the_files_of_the_page_verify() {
    let books = example();
    let report = books.verify(&[block("log"), block("checkpoint"), block("inclusion")]);
    assert!(report.holds(), "{report}");
}

fn is_there(program: &str, question: &str) -> bool {
    Command::new(program).arg(question).output().is_ok_and(|output| output.status.success())
}

/// What the page's program says: whether it ends with 0, and its words.
fn program_says(books: &Books, script: &Path, files: &[PathBuf]) -> (bool, String) {
    let key = books.key.verifier_key().as_str();
    let output = Command::new("python3").arg(script).arg(key).args(files).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_program_of_the_page_gives_our_verdicts() {
    if !is_there("python3", "--version") || !is_there("openssl", "version") {
        eprintln!("python3 or openssl is not there: the page's program is not tried");
        return;
    }
    let books = Books::of_a_life(290);
    let folder = tempfile::TempDir::new().unwrap();
    let script = folder.path().join("verify.py");
    fs::write(&script, block("program")).unwrap();
    let log = books.log();
    let (good, early) = (books.head(300), books.head(7));
    let mut dropped = Books::of_a_life(2);
    dropped.events[3].detail = None;
    let missing = dropped.log();
    dropped.happens(None, ("details-dropped", None, None, json!({ "before": "2026-11-03T08:30:30Z" })));
    let other = books.head(300).replace("\n300\n", "\n299\n");
    let cases = [
        (log.clone(), vec![good.clone(), early.clone()], true),
        (log.clone(), vec![early.clone()], true),
        (log.replace("self", "none"), vec![good.clone()], true),
        (dropped.log(), vec![dropped.head(13)], true),
        (missing, vec![dropped.head(12)], false),
        (log.replace("\"event\":\"active\"", "\"event\":\"failed\""), vec![good.clone()], false),
        (log.replacen("\"reason\":\"enough\"", "\"reason\":\"plenty\"", 1), vec![good.clone()], false),
        (as_text(log.lines().skip(1).map(str::to_owned)), vec![good.clone()], false),
        (as_text(log.lines().take(299).map(str::to_owned)), vec![good.clone()], false),
        (log.replace("\"count\":300", "\"count\":301"), vec![good.clone()], false),
        (Books::of_a_life(280).log(), vec![good.clone()], false),
        (Books::of_a_life(290).log(), vec![other], false),
        (Books::of_a_life(291).log(), vec![good, early], true),
    ];
    for (number, (log, heads, verdict)) in cases.into_iter().enumerate() {
        let files = books.write(&[vec![log], heads].concat());
        let ours = super::verify(&files, &[books.key.verifier_key().clone()]).unwrap();
        let (theirs, words) = program_says(&books, &script, &files);
        assert_eq!((ours.holds(), theirs), (verdict, verdict), "case {number}: {ours}\n{words}");
    }
}
