//! Evidence packs: every event shown to be in the tree, and the document held against them.

use std::{collections::BTreeSet, fs, io, path::Path};

use serde_json::{Value, json};
use tlog_tiles::check_record;

use super::{
    Known, compare,
    document::{self, Form},
    log::{Dropped, read_event},
    name,
    report::Place,
    story::Story,
};
use crate::{
    domain::{
        id::RequestId,
        proof::{Checkpoint, Hash, ShownEvent},
    },
    json as strict,
};

/// The members of a pack, and no others.
const MEMBERS: [&str; 6] = ["checkpoint", "events", "made_at", "request", "stint_evidence", "verifier_key"];

/// Checks an evidence pack.
pub(super) fn check(known: &mut Known<'_>, path: &Path) -> io::Result<()> {
    let file = name(path);
    match strict::parse(&fs::read(path)?) {
        Ok(pack) => check_parts(known, &file, &pack),
        Err(fault) => known.report.failed(&file, None, fault.to_string()),
    }
    Ok(())
}

fn check_parts(known: &mut Known<'_>, file: &str, pack: &Value) {
    if pack["stint_evidence"] != json!(1) {
        return known.report.failed(file, None, "it is an evidence pack of a version that is not known".into());
    }
    for member in pack.as_object().into_iter().flatten().map(|(member, _)| member) {
        if !MEMBERS.contains(&member.as_str()) {
            known.report.failed(file, None, format!("it has a member that nothing proves: {member}"));
        }
    }
    let own = pack["verifier_key"].as_str();
    if !known.keys.is_empty() && !known.keys.iter().any(|key| Some(key.as_str()) == own) {
        known.report.not_checked(file, "its own verifier_key, which is none of those given: it is not used".into());
    }
    let Some(request) = pack["request"]["id"].as_str().and_then(|id| id.parse::<RequestId>().ok()) else {
        return known.report.failed(file, None, "it has no request".into());
    };
    let Some(head) = pack["checkpoint"].as_str().and_then(|note| known.add_head(file, note)) else {
        return known.report.failed(file, None, "nothing in it is proved without a checkpoint that holds".into());
    };
    let mut events = Events { file, request, head, story: Story::default(), shown: vec![], leaves: BTreeSet::new() };
    events.check(known, pack);
    events.check_document(known, &pack["request"]);
    let Events { head, leaves, story, .. } = events;
    known.wanted.pack(compare::Pack { file: file.into(), request, size: head.size, leaves, is_over: story.is_over() });
}

/// The events of a pack.
struct Events<'a> {
    file: &'a str,
    request: RequestId,
    head: Checkpoint,
    story: Story,
    shown: Vec<ShownEvent>,
    leaves: BTreeSet<u64>,
}

impl Events<'_> {
    fn check(&mut self, known: &mut Known<'_>, pack: &Value) {
        let mut dropped = Dropped::default();
        let mut facts = 0;
        // Told in the order in which they were sealed; what was not sealed stands last.
        let mut events: Vec<_> = pack["events"].as_array().into_iter().flatten().enumerate().collect();
        events.sort_by_key(|(_, value)| value["leaf_index"].as_u64().unwrap_or(u64::MAX));
        for (number, value) in events {
            let event = match read_event(value.clone(), &["inclusion_proof"]) {
                Ok(event) => event,
                Err(fault) => {
                    known.report.failed(self.file, None, format!("its event number {} {fault}", number + 1));
                    continue;
                }
            };
            if let Err(fault) = self.check_event(known, &event, &value["inclusion_proof"]) {
                known.report.failed(self.file, Some(Place::of(&event)), fault);
            }
            match event.check_detail() {
                Ok(true) => {
                    facts += 1;
                    dropped.tell(&event);
                }
                Ok(false) => dropped.miss(&event),
                Err(fault) => known.report.failed(self.file, Some(Place::of(&event)), fault.to_string()),
            }
            self.shown.push(event);
        }
        let text = format!("the facts of {facts} events are those that were recorded");
        dropped.conclude(known, self.file, text);
        let size = self.head.size;
        known.report.verified(self.file, format!("{} events are in the tree of {size} events", self.leaves.len()));
    }

    /// The event is this request's, in the tree, and goes on from the one before.
    fn check_event(&mut self, known: &mut Known<'_>, event: &ShownEvent, proof: &Value) -> Result<(), String> {
        let is_drop = event.record.event == "details-dropped" && event.record.request_id.is_none();
        if event.record.request_id != Some(self.request) && !is_drop {
            return Err("it is about another request".into());
        }
        let Some(index) = event.leaf_index else {
            return Err("it was not sealed when the pack was made, so nothing proves it: ask for the pack again".into());
        };
        if self.leaves.contains(&index) {
            return Err("it is there twice".into());
        }
        let hash = event.record.leaf_hash();
        let proof: Vec<Hash> = serde_json::from_value(proof.clone()).map_err(|fault| fault.to_string())?;
        check_record(&proof, self.head.size, self.head.root, index, hash)
            .map_err(|fault| format!("it is not shown to be in the tree: {fault}"))?;
        self.leaves.insert(index);
        known.wanted.leaf(index, hash, self.file)?;
        if is_drop { Ok(()) } else { self.story.tell(event) }
    }

    fn check_document(&self, known: &mut Known<'_>, document: &Value) {
        let mut faults = document::faults(document, &self.story, Form::Whole);
        faults.extend(self.timeline(document));
        let (moves, status) = (self.story.moves, self.story.status.as_deref().unwrap_or("nothing"));
        let text = format!("request {}: {moves} moves without gap, from received to {status}", self.request);
        known.report.settle(self.file, faults, text);
        if self.story.details_missing {
            known.report.not_checked(self.file, "the document where facts were dropped after their time".into());
        }
        if let Some(text) = document::unproved(document, &self.story) {
            known.report.not_checked(self.file, text.into());
        }
        let text = "notes, when it was last changed, and what the document shows of other requests and of the time of its next look";
        known.report.not_checked(self.file, text.into());
    }

    /// The timeline tells these events, each once, and no others.
    fn timeline(&self, document: &Value) -> Vec<String> {
        let Some(shown) = document.get("timeline").and_then(Value::as_array) else {
            return vec!["it shows no timeline".into()];
        };
        let entry = |event: &ShownEvent| {
            let detail = event.detail.clone().unwrap_or_default();
            json!({ "at": event.record.at, "event": event.record.event, "actor": event.record.actor, "detail": detail })
        };
        // Who read it may be told there or not.
        let own = |event: &&ShownEvent| event.record.event != "history-read" && event.record.request_id.is_some();
        let is_reading = |entry: &&Value| entry["event"] == "history-read";
        let mut recorded: Vec<String> = self.shown.iter().filter(own).map(|event| entry(event).to_string()).collect();
        let mut shown: Vec<String> = shown.iter().filter(|entry| !is_reading(entry)).map(plain).collect();
        recorded.sort();
        shown.sort();
        if recorded == shown { vec![] } else { vec!["its timeline tells something else than its events".into()] }
    }
}

/// An entry of a timeline with the members that events have.
fn plain(entry: &Value) -> String {
    let part = |member: &str| entry.get(member).cloned().unwrap_or_default();
    json!({ "at": part("at"), "event": part("event"), "actor": part("actor"), "detail": part("detail") }).to_string()
}
