//! The faults that `./dev sim --planted` plants, one at a time, to see that the simulator tells of each: each must still fit
//! the sources, or it would plant nothing.
//!
//! Planting them takes a build each and stays out of the tests; that each says what it is and still applies is tried here.

use std::{fs, path::Path};

/// So many at least.
const FAULTS: usize = 40;

/// A patch: what it says of itself, and what it changes.
struct Fault {
    name: String,
    words: String,
    changes: Vec<Change>,
}

/// One hunk: lines of a file, and the lines in their place.
struct Change {
    file: String,
    old: String,
    new: String,
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

fn faults() -> Vec<Fault> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/planted");
    let entries = fs::read_dir(&folder).expect("the folder of planted faults");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "patch")).collect();
    names.sort();
    names.into_iter().map(|name| parsed(&read(&format!("tests/sim/planted/{name}")), name)).collect()
}

fn parsed(text: &str, name: String) -> Fault {
    let words: String = text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut changes: Vec<Change> = vec![];
    let mut file = String::new();
    for line in text.lines().skip_while(|line| line.starts_with('#')) {
        if let Some(named) = line.strip_prefix("+++ b/") {
            named.clone_into(&mut file);
        } else if line.starts_with("@@ ") {
            changes.push(Change { file: file.clone(), old: String::new(), new: String::new() });
        } else if let Some(change) = changes.last_mut().filter(|_| !line.starts_with("--- a/")) {
            change.take(line);
        }
    }
    Fault { name, words, changes }
}

impl Change {
    fn take(&mut self, line: &str) {
        let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
        if sign != "+" {
            self.old.push_str(rest);
            self.old.push('\n');
        }
        if sign != "-" {
            self.new.push_str(rest);
            self.new.push('\n');
        }
    }
}

#[test]
fn every_fault_that_is_planted_says_what_it_breaks_and_still_fits_the_sources() {
    let faults = faults();
    assert!(faults.len() >= FAULTS, "only {} faults", faults.len());
    for Fault { name, words, changes } in &faults {
        assert!(words.contains("# Breaks I") || words.contains("# Breaks notes"), "{name} does not say what it breaks");
        assert!(!changes.is_empty(), "{name} changes nothing");
        for change in changes {
            assert_ne!(change.old, change.new, "{name}");
            let places = read(&change.file).matches(&change.old).count();
            assert_eq!(places, 1, "{name} fits {} in {places} places:\n{}", change.file, change.old);
        }
    }
}
