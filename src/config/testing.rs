//! A good configuration in a folder of its own, to be spoiled key by key.

use std::fs;

use tempfile::TempDir;
use toml::{Table, Value};

use super::{Config, Faults, SANDBOX, SANDBOX_CATALOG, parse};

/// The webhook secret of [`Sample`].
pub(super) const WEBHOOK_SECRET: &str = "a-webhook-secret-of-32-bytes-000";

/// The files that the sandbox's configuration names, with what they hold here.
pub(super) const SECRETS: [(&str, &str); 7] = [
    ("entra-client-secret", "an-entra-secret\n"),
    ("jira-api-token", "a-jira-token"),
    ("jira-webhook", WEBHOOK_SECRET),
    ("servicenow-password", "a-servicenow-password"),
    ("servicenow-webhook", "whsec_c2VydmljZW5vdy1rZXktb2YtMjQtYnl0ZXMtMDE="),
    ("desk-token", "a-desk-token"),
    ("desk-webhook", "whsec_c2VydmljZS1kZXNrLWtleS1vZi0yNC1ieXRlcy0="),
];

/// The sandbox's configuration with its catalog and its secret files.
pub(super) struct Sample {
    folder: TempDir,
    tree: Table,
    catalog: Table,
    variables: Vec<(String, String)>,
}

impl Sample {
    pub(super) fn new() -> Self {
        let sample = Self {
            folder: tempfile::tempdir().expect("a folder"),
            tree: SANDBOX.parse().expect("toml"),
            catalog: SANDBOX_CATALOG.parse().expect("toml"),
            variables: vec![],
        };
        SECRETS.iter().fold(sample, |sample, (name, text)| sample.file(&format!("sandbox-secrets/{name}"), text))
    }

    /// Writes a file into the folder.
    pub(super) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// Sets a key of the configuration to a TOML value.
    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        let (table, name) = find(&mut self.tree, key);
        table.insert(name, value.parse().expect("a TOML value"));
        self
    }

    /// Takes a key out of the configuration.
    pub(super) fn without(mut self, key: &str) -> Self {
        let (table, name) = find(&mut self.tree, key);
        table.remove(&name).expect("the key is there");
        self
    }

    /// Sets a key of the catalog to a TOML value.
    pub(super) fn catalog(mut self, key: &str, value: &str) -> Self {
        let (table, name) = find(&mut self.catalog, key);
        table.insert(name, value.parse().expect("a TOML value"));
        self
    }

    /// Takes a key out of the catalog.
    pub(super) fn catalog_without(mut self, key: &str) -> Self {
        let (table, name) = find(&mut self.catalog, key);
        table.remove(&name).expect("the key is there");
        self
    }

    /// Sets an environment variable.
    pub(super) fn variable(mut self, name: &str, text: &str) -> Self {
        self.variables.push((name.into(), text.into()));
        self
    }

    pub(super) fn parse(self) -> Result<Config, Faults> {
        let catalog = self.folder.path().join("sandbox-catalog.toml");
        fs::write(catalog, self.catalog.to_string()).expect("a catalog");
        parse(&self.tree.to_string(), self.folder.path(), self.variables)
    }

    pub(super) fn good(self) -> Config {
        self.parse().expect("a good configuration")
    }

    /// The faults, each as `key: problem`.
    pub(super) fn faults(self) -> Vec<String> {
        let faults = self.parse().expect_err("faults");
        let line = |fault: &super::Fault| format!("{}: {}", fault.key, fault.problem);
        faults.iter().map(line).collect()
    }

    /// The only fault, as `key: problem`.
    pub(super) fn fault(self) -> String {
        let faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.into_iter().next().unwrap_or_default()
    }
}

/// A key of the sample's Jira connection.
pub(super) fn at(key: &str) -> String {
    format!("connections.jira-cloud.{key}")
}

/// The only fault once that connection's key has this value, named from the connection on.
pub(super) fn fault_of(key: &str, value: &str) -> String {
    let fault = Sample::new().set(&at(key), value).fault();
    fault.trim_start_matches("connections.jira-cloud.").to_owned()
}

fn find<'a>(tree: &'a mut Table, key: &str) -> (&'a mut Table, String) {
    let (way, name) = key.rsplit_once('.').unwrap_or(("", key));
    let parts = way.split('.').filter(|part| !part.is_empty());
    let table = parts.fold(tree, |table, part| {
        let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
        inner.as_table_mut().expect("a table")
    });
    (table, name.to_owned())
}
