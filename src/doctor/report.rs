//! What the checks said: a table for people, stable keys for machines.

use std::fmt;

use serde::Serialize;

use crate::{
    domain::id::{ConnectionName, EntitlementKey, TenantName},
    telemetry::misleads,
};

/// What a check is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The tenant, for a tenant and its entitlements.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantName>,
    /// The entitlement's key in that tenant's catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    entitlement: Option<EntitlementKey>,
    /// The connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionName>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Works, but somebody should look at it.
    Warn,
    /// Something will fail, or must not be relied on.
    Fail,
}

/// What a check has to say: its outcome, and what is so or what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(pub Outcome, pub String);

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is about; nothing for the database.
    #[serde(flatten)]
    pub about: Subject,
    /// The check's stable name.
    pub check: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What is so, or what to do.
    pub detail: String,
}

/// Everything that was said, in the order of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report {
    /// The lines.
    pub lines: Vec<Line>,
}

impl Said {
    /// As it should be.
    pub fn ok(detail: impl Into<String>) -> Self {
        Self(Outcome::Ok, detail.into())
    }

    /// Works, but somebody should look at it.
    pub fn warn(detail: impl Into<String>) -> Self {
        Self(Outcome::Warn, detail.into())
    }

    /// Something will fail.
    pub fn fail(detail: impl Into<String>) -> Self {
        Self(Outcome::Fail, detail.into())
    }
}

impl Subject {
    /// The database.
    #[must_use]
    pub fn database() -> Self {
        Self { tenant: None, entitlement: None, connection: None }
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(name: &TenantName) -> Self {
        Self { tenant: Some(name.clone()), ..Self::database() }
    }

    /// An entitlement of a tenant's catalog.
    #[must_use]
    pub fn entitlement(tenant: &TenantName, key: &EntitlementKey) -> Self {
        Self { entitlement: Some(key.clone()), ..Self::tenant(tenant) }
    }

    /// A connection.
    #[must_use]
    pub fn connection(name: &ConnectionName) -> Self {
        Self { connection: Some(name.clone()), ..Self::database() }
    }
}

impl Report {
    /// Takes down what a check said.
    pub fn say(&mut self, about: &Subject, check: &'static str, said: impl IntoIterator<Item = Said>) {
        let lines = said.into_iter().map(|Said(outcome, detail)| Line { about: about.clone(), check, outcome, detail });
        self.lines.extend(lines);
    }

    /// Whether anything will fail.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.lines.iter().any(|line| line.outcome == Outcome::Fail)
    }
}

impl IntoIterator for Said {
    type Item = Self;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tenant, &self.entitlement, &self.connection) {
            (Some(tenant), Some(entitlement), _) => write!(f, "tenant {tenant}, entitlement {entitlement}"),
            (Some(tenant), None, _) => write!(f, "tenant {tenant}"),
            (None, _, Some(connection)) => write!(f, "connection {connection}"),
            (None, _, None) => f.write_str("database"),
        }
    }
}

impl fmt::Display for Report {
    /// A section for each subject, a line for each check.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.check.len()).max().unwrap_or_default();
        let mut about = None;
        for line in &self.lines {
            if about != Some(&line.about) {
                let gap = if about.is_some() { "\n" } else { "" };
                writeln!(f, "{gap}{}", line.about)?;
                about = Some(&line.about);
            }
            writeln!(f, "  {:<4}  {:<width$}  {}", line.outcome, line.check, plain(&line.detail))?;
        }
        let count = |outcome| self.lines.iter().filter(|line| line.outcome == outcome).count();
        write!(
            f,
            "\n{} ok, {} to look at, {} that will fail",
            count(Outcome::Ok),
            count(Outcome::Warn),
            count(Outcome::Fail)
        )
    }
}

/// Texts of others may hold what a terminal would obey, and what turns or hides the text after it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if misleads(c) { ' ' } else { c }).collect()
}
