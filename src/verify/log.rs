//! The whole log: every leaf, in order, under every head that was given.

use std::{io, path::Path};

use jiff::Timestamp;
use serde_json::Value;

use super::{Known, lines, name, proofs::Head, report::Place};
use crate::domain::proof::{Frontier, ShownEvent};

/// The members of an event, and no others.
const MEMBERS: [&str; 12] = [
    "actor",
    "at",
    "connection",
    "detail",
    "detail_sha256",
    "event",
    "id",
    "leaf_index",
    "request_id",
    "state_from",
    "state_to",
    "tenant",
];

/// A log as it passes by.
#[derive(Default)]
struct Passing {
    tree: Frontier,
    heads: Vec<Head>,
    good: Vec<u64>,
    dropped: Dropped,
    shown: u64,
    stopped: bool,
}

/// Events without their facts, and up to when facts may be missing.
#[derive(Default)]
pub(super) struct Dropped {
    before: Option<Timestamp>,
    latest: Option<(Timestamp, Place)>,
    count: u64,
}

/// Reads one event strictly: these members, each once, and no others but those named.
pub(super) fn read_event(value: Value, besides: &[&str]) -> Result<ShownEvent, String> {
    let members = value.as_object().ok_or("is no JSON object")?;
    if let Some(member) = MEMBERS.iter().find(|member| !members.contains_key(**member)) {
        return Err(format!("is no event: it has no member {member}"));
    }
    let known = |member: &str| MEMBERS.contains(&member) || besides.contains(&member);
    if let Some(member) = members.keys().find(|member| !known(member)) {
        return Err(format!("has a member that nothing proves: {member}"));
    }
    serde_json::from_value(value).map_err(|fault| format!("is no event: {fault}"))
}

/// Checks a log.
pub(super) fn check(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let file = name(path);
    known.wanted.begin();
    let mut passing = Passing { heads: known.heads.iter().cloned().collect(), ..Passing::default() };
    let ending = lines::ndjson(path, |value| passing.take_in(known, &file, value))?;
    passing.conclude(known, &file);
    lines::check_closing(known, path, &ending);
    if ending.closing().is_some_and(|closing| !lines::is_everything(closing)) {
        known.report.failed(&file, None, "it is not the whole log: it was narrowed down".into());
    }
    known.wanted.end(&mut known.report, ending.closing());
    Ok(())
}

impl Passing {
    fn take_in(&mut self, known: &mut Known<'_>, file: &str, value: Value) {
        if self.stopped {
            return;
        }
        let index = self.tree.size();
        let event = match read_event(value, &[]) {
            Ok(event) => event,
            Err(fault) => return self.stop(known, file, None, format!("what stands at leaf {index} {fault}")),
        };
        let place = Place::of(&event);
        if event.leaf_index != Some(index) {
            let text = format!("leaf {index} should stand here: an event is missing, doubled or out of order");
            return self.stop(known, file, Some(place), text);
        }
        match event.check_detail() {
            Ok(true) => {
                self.shown += 1;
                self.dropped.tell(&event);
            }
            Ok(false) => self.dropped.miss(&event),
            Err(fault) => known.report.failed(file, Some(place), fault.to_string()),
        }
        let hash = event.record.leaf_hash();
        known.wanted.tell(&mut known.report, file, index, &event, hash);
        self.tree.push(hash);
        self.check_head(known, file);
    }

    /// After a gap nothing that follows can be placed.
    fn stop(&mut self, known: &mut Known<'_>, file: &str, place: Option<Place>, text: String) {
        self.stopped = true;
        known.report.failed(file, place, text);
    }

    fn check_head(&mut self, known: &mut Known<'_>, file: &str) {
        let size = self.tree.size();
        let Some(head) = self.heads.iter().find(|head| head.checkpoint.size == size) else { return };
        if head.checkpoint.root == self.tree.root() {
            let text = format!("the first {size} events are those of the checkpoint in {}", head.file);
            known.report.verified(file, text);
            return self.good.push(size);
        }
        let from = self.good.last().copied().unwrap_or(0);
        let text = format!(
            "the first {size} events are not those of the checkpoint in {}: an event from leaf {from} to {} was changed, \
             put in, taken out or moved",
            head.file,
            size - 1
        );
        known.report.failed(file, None, text);
    }

    fn conclude(&mut self, known: &mut Known<'_>, file: &str) {
        let size = self.tree.size();
        if !self.stopped {
            let text = format!("{size} events, leaf after leaf without gap, repeat or change of order");
            known.report.verified(file, text);
        }
        for head in self.heads.iter().filter(|head| head.checkpoint.size > size) {
            let cut = format!("it has {size} events, the checkpoint in {} has {}", head.file, head.checkpoint.size);
            known.report.failed(
                file,
                None,
                format!("{cut}: its tail is cut, or it was fetched before that checkpoint"),
            );
        }
        for good in &self.good {
            known.heads.link(*good, self.good.last().copied().unwrap_or(*good));
        }
        let covered = self.good.last().copied().unwrap_or(0);
        if self.heads.is_empty() {
            let text = "no checkpoint was given, so nothing shows that the log is the one that was sealed";
            known.report.failed(file, None, text.into());
        } else if covered < size {
            known
                .report
                .not_checked(file, format!("the events from leaf {covered} on: no checkpoint that holds covers them"));
        }
        let text = format!("the facts of {} events are those that were recorded", self.shown);
        self.dropped.conclude(known, file, text);
    }
}

impl Dropped {
    /// An event that may say up to when facts were dropped.
    pub fn tell(&mut self, event: &ShownEvent) {
        if event.record.event != "details-dropped" {
            return;
        }
        let before = event.detail.as_ref().and_then(|detail| detail["before"].as_str()?.parse().ok());
        // No event speaks for what comes after it, or facts could be kept back for ever after.
        self.before = self.before.max(before.map(|before: Timestamp| before.min(event.record.at)));
    }

    /// An event without facts.
    pub fn miss(&mut self, event: &ShownEvent) {
        self.count += 1;
        let this = (event.record.at, Place::of(event));
        if self.latest.is_none_or(|(at, _)| at < this.0) {
            self.latest = Some(this);
        }
    }

    /// Says whether facts are missing only where the log says that they were dropped.
    pub fn conclude(&self, known: &mut Known<'_>, file: &str, verified: String) {
        known.report.verified(file, verified);
        match (self.latest, self.before) {
            (None, _) => {}
            (Some((at, _)), Some(before)) if at < before => known.report.not_checked(
                file,
                format!("the facts of {} events, which were dropped after their time, before {before}", self.count),
            ),
            (Some((_, place)), _) => {
                known.report.failed(file, Some(place), "its facts are gone, and no event says that they may be".into());
            }
        }
    }
}
