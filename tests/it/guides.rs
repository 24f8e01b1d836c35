//! The pages for operators say what to do about whatever stint can hold a request for, or find.

use std::{collections::BTreeSet, fs, path::Path};

use crate::arrows::sources;

/// Words of the engine that are neither holds nor findings: outcomes of attempts and notes, and refusals about tickets.
const OTHERS: [&str; 6] = ["approval-called-off", "approval-used", "given-up", "lease-lost", "not-alone", "not-sent"];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page")
}

/// Every text of a source that is spelled like a code, such as `end-late`; tests and comments left out.
fn codes(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    texts.filter(|text| is_code(text)).map(str::to_owned).collect()
}

fn is_code(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.contains('-') && text.split('-').all(word)
}

#[test]
fn every_hold_and_finding_is_explained_to_operators() {
    let pages = page("README.md") + &page("docs/entra.md");
    let engine = sources("engine");
    let errors = sources("graph").into_iter().filter(|(file, _)| file.ends_with("error.rs"));
    let all: BTreeSet<_> = engine.into_iter().chain(errors).flat_map(|(_, text)| codes(&text)).collect();
    assert!(["end-late", "out-of-band", "graph-permission"].iter().all(|known| all.contains(*known)), "{all:?}");
    let untold: Vec<_> =
        all.iter().filter(|code| !OTHERS.contains(&code.as_str()) && !pages.contains(&format!("`{code}`"))).collect();
    assert!(untold.is_empty(), "neither the README nor docs/entra.md says what to do about {untold:?}");
}

#[test]
fn every_permission_is_named_to_whoever_sets_up_a_tenant() {
    let page = page("docs/entra.md");
    for kind in stint::graph::TARGETS {
        let keys = kind.keys.iter().map(|key| (key.name.to_owned(), key.default.unwrap_or(ID).to_owned()));
        let target =
            stint::domain::target::Target { kind: kind.name.into(), assignment: kind.assignment, keys: keys.collect() };
        let of = stint::graph::permissions_for(&target).expect("a known target");
        for permission in [of.write, of.remove, of.policy] {
            assert!(page.contains(&format!("`{}`", permission.name)), "{}", permission.name);
            assert!(page.contains(&format!("`{}`", permission.id)), "{}", permission.name);
        }
    }
}

const ID: &str = "29232cdf-9323-42fd-ade2-1d097af3e4de";
