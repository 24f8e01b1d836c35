//! What a log is compared with: leaves that were shown to be in the tree, packs, and exported rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    document::{self, Form},
    report::{Place, Report},
    story::Story,
};
use crate::domain::{
    id::RequestId,
    proof::{Closing, Hash, ShownEvent},
};

/// What happened so shortly before an export was made may be missing there: its transaction was still under way.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(60);

/// Everything that was given besides the log.
#[derive(Default)]
pub(super) struct Wanted {
    leaves: BTreeMap<u64, (Hash, String)>,
    packs: Vec<Pack>,
    exports: Vec<Export>,
    stories: HashMap<RequestId, Story>,
    log_was_given: bool,
}

/// The events of a pack.
pub(super) struct Pack {
    /// The file.
    pub file: String,
    /// Whose.
    pub request: RequestId,
    /// The size of the tree that its events are shown to be in.
    pub size: u64,
    /// Their leaves.
    pub leaves: BTreeSet<u64>,
    /// Whether its last move is to a state that never changes.
    pub is_over: bool,
}

/// An export of requests.
pub(super) struct Export {
    /// The file.
    pub file: String,
    /// When it was made.
    pub at: Timestamp,
    /// Whether it has all requests.
    pub everything: bool,
    /// Its rows.
    pub rows: HashMap<RequestId, Row>,
}

/// One row.
pub(super) struct Row {
    /// The document it shows, as text: millions may be given.
    pub text: Box<str>,
    /// Whether it was as the log has it when the export was made.
    pub matched: bool,
}

impl Wanted {
    /// A leaf that is shown to be in the tree.
    ///
    /// # Errors
    /// When another one was shown to be there.
    pub fn leaf(&mut self, index: u64, hash: Hash, file: &str) -> Result<(), String> {
        let (there, other) = self.leaves.entry(index).or_insert_with(|| (hash, file.into()));
        if *there == hash {
            return Ok(());
        }
        Err(format!("two histories: its leaf {index} is another than in {other}"))
    }

    /// A pack whose events must be all there are.
    pub fn pack(&mut self, pack: Pack) {
        self.packs.push(pack);
    }

    /// An export whose rows must be what the log says.
    pub fn export(&mut self, export: Export) {
        self.stories.extend(export.rows.keys().map(|request| (*request, Story::default())));
        self.exports.push(export);
    }

    /// A log begins.
    pub fn begin(&mut self) {
        self.log_was_given = true;
        self.stories.values_mut().for_each(|story| *story = Story::default());
    }

    /// The log's next event, at this place.
    pub fn tell(&mut self, report: &mut Report, file: &str, index: u64, event: &ShownEvent, hash: Hash) {
        if let Some((sealed, other)) = self.leaves.get(&index)
            && *sealed != hash
        {
            let text = format!("its record was changed: the leaf that {other} shows to be in the tree is another");
            report.failed(file, Some(Place::of(event)), text);
        }
        let Some(request) = event.record.request_id else { return };
        if event.record.event != "history-read" {
            let missing = |pack: &&Pack| pack.request == request && index < pack.size && !pack.leaves.contains(&index);
            for pack in self.packs.iter().filter(missing) {
                report.failed(&pack.file, Some(Place::of(event)), "the log has this event, the pack does not".into());
            }
        }
        for export in &mut self.exports {
            export.tell(report, request, event, self.stories.get(&request));
        }
        if let Some(story) = self.stories.get_mut(&request)
            && let Err(fault) = story.tell(event)
        {
            report.failed(file, Some(Place::of(event)), fault);
        }
    }

    /// The log is over; this is its closing line.
    pub fn end(&mut self, report: &mut Report, closing: Option<&Closing>) {
        for export in &self.exports {
            if closing.is_none_or(|closing| closing.at < export.at) {
                let text = "the log was downloaded before this export, so it cannot show all of it: download it again";
                report.failed(&export.file, None, text.into());
            }
            export.conclude(report, &self.stories);
        }
        for pack in &self.packs {
            let text = "every event that the log has of this request is in the pack, but for readings of history";
            let failed =
                report.lines.iter().any(|line| line.file == pack.file && line.text.contains("the pack does not"));
            if !failed {
                report.verified(&pack.file, text.into());
            }
        }
    }

    /// Says what no log was there to be compared with.
    pub fn conclude(&self, report: &mut Report) {
        if self.log_was_given {
            return;
        }
        for export in &self.exports {
            let text = "whether its rows say what the log says: give the log and a checkpoint as well";
            report.not_checked(&export.file, text.into());
        }
        for pack in &self.packs {
            let text = "that no event between its moves is left out: only the log shows that";
            report.not_checked(&pack.file, text.into());
            if !pack.is_over {
                let text = "whether it moved on after that: only the log shows what was left out at the end";
                report.not_checked(&pack.file, text.into());
            }
        }
    }
}

impl Export {
    /// A request's next event; the story is as it was before.
    fn tell(&mut self, report: &mut Report, request: RequestId, event: &ShownEvent, before: Option<&Story>) {
        let is_late = event.record.at > self.at - UNDER_WAY;
        match self.rows.get_mut(&request) {
            Some(row) => row.matched |= is_late && before.is_some_and(|story| row.faults(story).is_empty()),
            None if self.everything && event.record.event == "received" && !is_late => {
                let text = format!("the export lacks request {request}, which this event received");
                report.failed(&self.file, Some(Place::of(event)), text);
            }
            None => {}
        }
    }

    fn conclude(&self, report: &mut Report, stories: &HashMap<RequestId, Story>) {
        let mut faults = Vec::new();
        for (request, row) in self.rows.iter().filter(|(_, row)| !row.matched) {
            let story = stories.get(request).cloned().unwrap_or_default();
            faults.extend(row.faults(&story).into_iter().map(|fault| format!("request {request}: {fault}")));
        }
        faults.sort();
        let text = format!("{} rows show what the log says", self.rows.len());
        report.settle(&self.file, faults, text);
        let dropped = stories.values().filter(|story| story.details_missing).count();
        if dropped > 0 {
            let text = format!("facts of {dropped} requests in part, because they were dropped after their time");
            report.not_checked(&self.file, text);
        }
        let text =
            "ticket numbers, which may change, and codes of holds and failures, which packs show with their words";
        report.not_checked(&self.file, text.into());
        if !self.everything {
            let text = "that no request is missing: the export was narrowed down";
            report.not_checked(&self.file, text.into());
        }
    }
}

impl Row {
    fn faults(&self, story: &Story) -> Vec<String> {
        let document: Value = serde_json::from_str(&self.text).unwrap_or_default();
        document::faults(&document, story, Form::Parts)
    }
}
