//! What is said in the end.

use std::fmt;

use serde::Serialize;

use crate::domain::proof::ShownEvent;

/// So many failures of a file are told one by one.
const TOLD: usize = 20;

/// Everything that was checked, and how it came out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// One statement each, in the order in which they were made.
    pub lines: Vec<Line>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The file it is about; empty: all of them.
    pub file: String,
    /// How it came out.
    pub verdict: Verdict,
    /// The event it is about.
    pub event: Option<Place>,
    /// In words.
    pub text: String,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Its place in the tree.
    pub leaf_index: Option<u64>,
    /// Its number.
    pub id: i64,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is so.
    Verified,
    /// These files cannot show it, and nobody should believe that they did.
    NotChecked,
    /// It is not so, or nothing shows that it is.
    Failed,
}

impl Report {
    /// Whether something was verified and nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        let any = |verdict| self.lines.iter().any(|line| line.verdict == verdict);
        any(Verdict::Verified) && !any(Verdict::Failed)
    }

    /// The first failure that names an event; the first at all where none does.
    #[must_use]
    pub fn first_failure(&self) -> Option<&Line> {
        let failures = || self.lines.iter().filter(|line| line.verdict == Verdict::Failed);
        failures().find(|line| line.event.is_some()).or_else(|| failures().next())
    }

    pub(super) fn verified(&mut self, file: &str, text: String) {
        self.lines.push(Line { file: file.into(), verdict: Verdict::Verified, event: None, text });
    }

    pub(super) fn not_checked(&mut self, file: &str, text: String) {
        self.lines.push(Line { file: file.into(), verdict: Verdict::NotChecked, event: None, text });
    }

    pub(super) fn failed(&mut self, file: &str, event: Option<Place>, text: String) {
        let told = self.lines.iter().filter(|line| line.verdict == Verdict::Failed && line.file == file).count();
        if told < TOLD {
            self.lines.push(Line { file: file.into(), verdict: Verdict::Failed, event, text });
        }
    }

    /// Verified where there are no faults, else each fault.
    pub(super) fn settle(&mut self, file: &str, faults: Vec<String>, verified: String) {
        if faults.is_empty() {
            return self.verified(file, verified);
        }
        for fault in faults {
            self.failed(file, None, fault);
        }
    }
}

impl Place {
    /// Where this event stands.
    #[must_use]
    pub fn of(event: &ShownEvent) -> Self {
        Self { leaf_index: event.leaf_index, id: event.record.id }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leaf_index {
            Some(index) => write!(f, "leaf {index}, event {}", self.id),
            None => write!(f, "event {}, not sealed", self.id),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut file = None;
        for line in &self.lines {
            if file != Some(&line.file) && !line.file.is_empty() {
                writeln!(f, "{}", line.file)?;
            }
            file = Some(&line.file);
            let mark = match line.verdict {
                Verdict::Verified => "verified   ",
                Verdict::NotChecked => "not checked",
                Verdict::Failed => "FAILED     ",
            };
            let event = line.event.map(|place| format!("{place}: ")).unwrap_or_default();
            writeln!(f, "  {mark}  {event}{}", line.text)?;
        }
        match self.first_failure() {
            None if self.holds() => write!(f, "Everything that is called verified above holds."),
            None => write!(f, "NOT VERIFIED: nothing was there to be verified."),
            Some(line) => {
                let event = line.event.map(|place| format!("{place}: ")).unwrap_or_default();
                write!(f, "NOT VERIFIED. First failure: {event}{}", line.text)
            }
        }
    }
}
