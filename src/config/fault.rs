//! What is wrong with a configuration: every fault at once, each with its key.

use std::{collections::BTreeSet, fmt};

/// One fault. It never shows the value at its key, since that may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The full key, such as `connections.jira-cloud.webhook.secret_files[0]`; empty when the file as a whole is meant.
    pub key: String,
    /// The file, or the environment variable, that gave the key.
    pub source: String,
    /// What is wrong, and what is accepted.
    pub problem: String,
}

/// Every fault of a configuration and its catalogs, sorted by key; one line each when displayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Sorts the faults, and names one only once when two tenants share a catalog.
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        let mut seen = BTreeSet::new();
        faults.retain(|fault| seen.insert(fault.clone()));
        // Stable, so that what is wrong with the text itself stays in the order of its lines.
        faults.sort_by(|a, b| (&a.key, &a.source).cmp(&(&b.key, &b.source)));
        Self(faults)
    }

    /// The faults, one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, source, problem } = self;
        match key.as_str() {
            "" => write!(f, "{source}: {problem}"),
            key => write!(f, "{source}: {key}: {problem}"),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, fault) in self.0.iter().enumerate() {
            let separator = if line == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(key: &str, problem: &str) -> Fault {
        Fault { key: key.into(), source: "stint.toml".into(), problem: problem.into() }
    }

    #[test]
    fn faults_are_shown_one_a_line_sorted_by_key_and_once_each() {
        let faults = Faults::new(vec![fault("b.c", "is missing"), fault("a", "is odd"), fault("a", "is odd")]);
        assert_eq!(faults.to_string(), "stint.toml: a: is odd\nstint.toml: b.c: is missing");
    }

    #[test]
    fn a_fault_of_the_whole_file_names_no_key() {
        assert_eq!(fault("", "line 3, column 5: no").to_string(), "stint.toml: line 3, column 5: no");
    }
}
