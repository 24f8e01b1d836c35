//! The search index, which may show what was written only some time later (`contracts/tickets.md H10`).

use jiff::Timestamp;

use super::super::wire::{lock, plus_seconds, signed};
use super::Jira;
use super::model::{IssueState, State};

/// What the index was told, oldest first; kept only while it lags.
#[derive(Default)]
pub(super) struct Index {
    lag_seconds: i64,
    written: Vec<(Timestamp, IssueState)>,
}

impl Jira {
    /// From now on searching shows a write only so many seconds later; reads by id show it at once.
    pub fn search_lag(&self, seconds: u64) {
        let mut state = lock(&self.state);
        // What was there before counts as indexed.
        let written = state.issues.iter().map(|issue| (Timestamp::MIN, issue.present())).collect();
        state.index = Index { lag_seconds: signed(seconds), written };
    }
}

impl State {
    /// Tells the index of a write.
    pub(super) fn reindex(&mut self, index: usize) {
        if self.index.lag_seconds > 0 {
            let issue = self.issues[index].present();
            self.index.written.push((issue.updated, issue));
        }
    }

    /// The issues as a search sees them now.
    pub(super) fn indexed(&self, now: Timestamp) -> Vec<&IssueState> {
        if self.index.lag_seconds == 0 {
            return self.issues.iter().filter_map(|issue| self.shown(&issue.id, now)).collect();
        }
        let known = plus_seconds(now, -self.index.lag_seconds);
        let latest = |issue: &IssueState| {
            let entries = self.index.written.iter().rev();
            entries.filter(|(at, _)| *at <= known).map(|(_, entry)| entry).find(|entry| entry.id == issue.id)
        };
        self.issues.iter().filter(|issue| !issue.concealed).filter_map(latest).filter(|entry| !entry.deleted).collect()
    }
}

impl IssueState {
    /// The issue as it is, without a frozen past.
    fn present(&self) -> Self {
        let mut issue = self.clone();
        issue.stale = None;
        issue
    }
}
