//! Who may use whom: the arrows of the architecture, read from the sources.

use std::{collections::BTreeSet, fs, path::Path};

/// Rooms with what each may use. `clock`, `json`, `outbound` and `telemetry` are leaves: they serve every room and
/// belong to none.
const ARROWS: [(&str, &[&str]); 16] = [
    ("domain", &[]),
    ("clock", &[]),
    ("json", &[]),
    ("outbound", &["domain", "json"]),
    ("telemetry", &["domain"]),
    ("store", &["domain"]),
    ("tickets", &["domain", "clock", "json", "outbound"]),
    ("graph", &["domain", "clock", "json", "outbound"]),
    ("publish", &["domain", "outbound"]),
    ("engine", &["domain", "store", "tickets", "graph", "publish", "clock", "outbound", "telemetry"]),
    ("http", &["domain", "store", "tickets", "clock", "json", "outbound", "telemetry"]),
    ("config", &["domain", "tickets", "graph", "publish", "outbound"]),
    ("doctor", &["config", "domain", "store", "tickets", "graph", "publish", "clock", "outbound", "telemetry"]),
    ("verify", &["domain", "json"]),
    ("sandbox", &[]),
    ("console", &[]),
];

/// What the decisions must not even name.
const NOT_IN_DOMAIN: [&str; 8] = ["sqlx", "reqwest", "axum", "tokio", "hyper", "std::fs", "std::net", "Timestamp::now"];

/// Every `.rs` file of a room, with its text.
pub fn sources(room: &str) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = src.join(format!("{room}.rs"));
    let mut found = Vec::new();
    let mut folders = vec![src.join(room)];
    if file.exists() {
        found.push((file.display().to_string(), fs::read_to_string(&file).expect("a source")));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.display().to_string(), fs::read_to_string(&path).expect("a source")));
            }
        }
    }
    found
}

/// The rooms that a source names by `crate::…`, one by one or in a group, comments left out.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut rooms = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(heads(group)),
            None => rooms.extend(head(rest)),
        }
    }
    rooms
}

fn head(text: &str) -> Option<String> {
    let name: String = text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first name of each member of a group, up to its closing brace.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut members = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            _ => {}
        }
        if depth == 0 && c != ',' {
            members.last_mut().expect("a member").push(c);
        }
    }
    members.iter().filter_map(|member| head(member)).collect()
}

#[test]
fn no_room_uses_another_than_the_arrows_allow() {
    for (room, allowed) in ARROWS {
        for (file, text) in sources(room) {
            let used = rooms_used(&text);
            let forbidden: Vec<_> = used.iter().filter(|u| *u != room && !allowed.contains(&u.as_str())).collect();
            assert!(forbidden.is_empty(), "{file} uses {forbidden:?}; {room} may use {allowed:?}");
        }
    }
}

#[test]
fn every_room_stands_in_the_list() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let above = ["main", "lib", "cli", "app", "demo"];
    for entry in fs::read_dir(src).expect("sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let is_room = path.is_dir() || path.extension().is_some_and(|ending| ending == "rs");
        let known = above.contains(&name.as_str()) || ARROWS.iter().any(|(room, _)| *room == name);
        assert!(!is_room || known, "{name} has no arrows");
    }
}

#[test]
fn decisions_name_no_io() {
    for (file, text) in sources("domain") {
        for name in NOT_IN_DOMAIN {
            let named = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(name));
            assert!(!named, "{file} names {name}");
        }
    }
}

#[test]
fn only_the_store_writes_sql_and_only_outbound_sends() {
    for (room, _) in ARROWS.into_iter().filter(|(room, _)| !["store", "sandbox"].contains(room)) {
        for (file, text) in sources(room) {
            assert!(!text.contains("sqlx::query"), "{file} holds SQL");
        }
    }
    for (room, _) in ARROWS.into_iter().filter(|(room, _)| !["outbound", "sandbox"].contains(room)) {
        for (file, text) in sources(room) {
            assert!(!text.contains("reqwest::"), "{file} has a client of its own");
        }
    }
}

#[test]
fn the_reader_of_arrows_sees_through_groups() {
    let text = "use crate::{\n    a::{b, c},\n    d,\n};\n// crate::comment\nlet x = crate::e::f();";
    assert_eq!(rooms_used(text), ["a", "d", "e"].map(String::from).into());
}
