//! A small log with everything that stint gives out of it, made in memory for tests.

use std::{cell::RefCell, fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tlog_tiles::{Error, HashReader, prove_record, prove_tree, stored_hashes, tree_hash};

use super::{Report, verify};
use crate::domain::{
    audit::digest,
    proof::{Closing, EventRecord, Hash, ShownEvent, SigningKey, checkpoint},
};

/// The request whose life is told.
pub const REQUEST: &str = "019a4a30-5c00-7000-8000-000000000001";

/// A log that grows.
pub struct Books {
    pub key: SigningKey,
    pub events: Vec<ShownEvent>,
    stored: Stored,
    folder: TempDir,
}

#[derive(Default)]
struct Stored(RefCell<Vec<Hash>>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let stored = self.0.borrow();
        Ok(indexes.iter().map(|index| stored[usize::try_from(*index).unwrap()]).collect())
    }
}

/// What happened, as `(event, from, to, detail)`; the actor is stint.
pub type Happened = (&'static str, Option<&'static str>, Option<&'static str>, Value);

impl Books {
    /// Books without events.
    pub fn open() -> Self {
        let key = SigningKey::text_of("stint.example", &[1; 32]).unwrap();
        let key = SigningKey::parse(&key).unwrap();
        Self { key, events: vec![], stored: Stored::default(), folder: TempDir::new().unwrap() }
    }

    /// Books of a request that was granted, revoked and ended, and of so many readings of history after it.
    pub fn of_a_life(readings: usize) -> Self {
        let mut books = Self::open();
        for happened in a_life() {
            books.happens(Some(REQUEST), happened);
        }
        for count in 0..readings {
            books.happens(None, ("history-read", None, None, json!({ "what": "requests", "count": count })));
        }
        books
    }

    /// Seals one more event, a second after the last.
    pub fn happens(&mut self, request: Option<&str>, (event, from, to, detail): Happened) {
        let number = self.events.len() as u64;
        let record = EventRecord {
            actor: "stint".into(),
            at: format!("2026-11-03T08:{:02}:{:02}Z", 30 + number / 60 % 30, number % 60).parse().unwrap(),
            connection: request.map(|_| "desk".into()),
            detail_sha256: hex::encode(digest(&detail)),
            event: event.into(),
            id: i64::try_from(number).unwrap() + 100,
            request_id: request.map(|id| id.parse().unwrap()),
            state_from: from.map(Into::into),
            state_to: to.map(Into::into),
            tenant: request.filter(|_| from.is_some()).map(|_| "contoso".into()),
        };
        let added = stored_hashes(number, &record.canonical(), &self.stored).unwrap();
        self.stored.0.borrow_mut().extend(added);
        self.events.push(ShownEvent { record, leaf_index: Some(number), detail: Some(detail) });
    }

    /// How many events there are.
    pub fn size(&self) -> u64 {
        self.events.len() as u64
    }

    /// The root over the first events.
    pub fn root(&self, size: u64) -> Hash {
        tree_hash(size, &self.stored).unwrap()
    }

    /// The head over the first events, signed.
    pub fn head(&self, size: u64) -> String {
        checkpoint(&self.key, size, self.root(size)).unwrap()
    }

    /// Lines with the closing line that belongs to them.
    pub fn closed(&self, what: &str, lines: &[Value]) -> String {
        let text = as_text(lines.iter().map(ToString::to_string));
        let closing = self.closing("ndjson", what, lines.len() as u64, &text);
        text + &closing.ndjson_line()
    }

    /// The closing line of such a text.
    pub fn closing(&self, format: &str, what: &str, count: u64, text: &str) -> Closing {
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let closing = Closing {
            format: format.into(),
            what: what.into(),
            filter: json!({}),
            from: None,
            to: None,
            count,
            sha256: hex::encode(sha256),
            at: "2026-11-03T10:00:00Z".parse().unwrap(),
            by: "caller:9f8c7b6a-0000-4000-8000-000000000001/9f8c7b6a-0000-4000-8000-000000000002".into(),
            note: None,
        };
        closing.signed(&self.key).unwrap()
    }

    /// The whole log.
    pub fn log(&self) -> String {
        let lines: Vec<_> = self.events.iter().map(|event| json!(event)).collect();
        self.closed("audit-events", &lines)
    }

    /// An answer of the proof route.
    pub fn inclusion(&self, leaf: u64, size: u64) -> Value {
        let event = &self.events[usize::try_from(leaf).unwrap()];
        json!({
            "leaf_index": leaf, "tree_size": size, "root": self.root(size).to_string(),
            "leaf_hash": event.record.leaf_hash().to_string(),
            "inclusion_proof": texts(&prove_record(size, leaf, &self.stored).unwrap()),
        })
    }

    /// An answer of the proof route.
    pub fn consistency(&self, from: u64, to: u64) -> Value {
        json!({
            "from": from, "to": to, "from_root": self.root(from).to_string(),
            "to_root": self.root(to).to_string(),
            "consistency_proof": texts(&prove_tree(to, from, &self.stored).unwrap()),
        })
    }

    /// The evidence pack of the request.
    pub fn pack(&self) -> Value {
        let size = self.size();
        let is_drop = |event: &&ShownEvent| event.record.event == "details-dropped";
        let own = self.events.iter().filter(|event| event.record.request_id.is_some() || is_drop(event));
        let events: Vec<_> = own
            .map(|event| {
                let mut shown = json!(event);
                let proof = prove_record(size, event.leaf_index.unwrap(), &self.stored).unwrap();
                shown["inclusion_proof"] = json!(texts(&proof));
                shown
            })
            .collect();
        json!({
            "stint_evidence": 1, "request": self.document(), "events": events, "checkpoint": self.head(size),
            "verifier_key": self.key.verifier_key().as_str(), "made_at": "2026-11-03T10:00:00Z",
        })
    }

    /// The request's document.
    pub fn document(&self) -> Value {
        let entries = self.events.iter().filter(|event| event.record.request_id.is_some()).map(|event| {
            let record = &event.record;
            json!({ "at": record.at, "event": record.event, "actor": record.actor, "detail": event.detail })
        });
        let mut document = document();
        document["timeline"] = entries.collect();
        document
    }

    /// What comes of verifying files with these texts, by the right key.
    pub fn verify(&self, texts: &[String]) -> Report {
        verify(&self.write(texts), &[self.key.verifier_key().clone()]).unwrap()
    }

    /// Files with these texts.
    pub fn write(&self, texts: &[String]) -> Vec<PathBuf> {
        let write = |(number, text): (usize, &String)| {
            let path = self.folder.path().join(format!("file-{number}"));
            fs::write(&path, text).unwrap();
            path
        };
        texts.iter().enumerate().map(write).collect()
    }
}

/// Hashes as answers hold them.
fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

/// A line each.
pub fn as_text(lines: impl Iterator<Item = String>) -> String {
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

fn snapshot() -> Value {
    json!({ "duration": { "field": "text", "text": "PT4H" }, "id": "8841", "number": "DESK-12", "url": null })
}

fn snapshot_digest() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, snapshot().to_string().as_bytes());
    format!("sha256:{}", hex::encode(digest))
}

fn decision() -> Value {
    json!({
        "decided_at": "2026-11-03T08:30:02Z", "tenant": "contoso", "approval": "a1",
        "approved_at": "2026-11-03T08:20:00Z", "approvers": [{ "id": "u20", "name": "Omar", "decided_at": null }],
        "principal": { "id": "9f8c7b6a-0000-4000-8000-000000000003", "name": "Nina" },
        "entitlement": { "key": "exchange-admin", "title": "Exchange Administrator", "target": {} },
        "requested": "PT4H", "duration": "PT4H", "bound_by": "requested", "not_before": null, "not_after": null,
        "catalog_version": "c1", "snapshot_digest": snapshot_digest(), "basis": "read-back",
    })
}

fn attempt() -> Value {
    json!({ "id": "9f8c7b6a-0000-4000-8000-000000000004", "kind": "assign", "outcome": "accepted", "absent_reads": 0 })
}

fn assignment() -> Value {
    json!({
        "schedule_request_id": "r1", "schedule_id": "s1", "starts_at": "2026-11-03T08:30:05Z",
        "ends_at": "2026-11-03T12:30:05Z", "confirmed_at": "2026-11-03T08:30:06Z",
    })
}

fn order() -> Value {
    json!({
        "cause": "revoked", "ordered_at": "2026-11-03T08:30:08Z", "actor": "stint", "reason": "enough", "remove": true,
        "confirmed_at": null,
    })
}

/// From the delivery to the proof of the end.
pub fn a_life() -> Vec<Happened> {
    let mut open = attempt();
    open["outcome"] = json!("open");
    let ticket = json!({ "ticket": { "id": "8841", "number": "DESK-12" }, "because": { "delivery": "msg_1" } });
    vec![
        ("received", None, Some("received"), ticket),
        ("verifying", Some("received"), Some("verifying"), json!({})),
        ("approved", Some("verifying"), Some("approved"), decision()),
        ("attempt-recorded", None, None, open),
        ("assigning", Some("approved"), Some("assigning"), decision()),
        ("attempt-closed", None, None, attempt()),
        ("active", Some("assigning"), Some("active"), assignment()),
        ("end-ordered", None, None, order()),
        ("revoked", Some("active"), Some("ending"), order()),
        ("ended", Some("ending"), Some("ended"), json!({ "confirmed_at": "2026-11-03T08:31:10Z", "token_tail": "…" })),
    ]
}

fn document() -> Value {
    let mut decided = json!({ "reasons": [] });
    for part in ["decided_at", "duration", "bound_by", "catalog_version", "snapshot_digest"] {
        decided[part] = decision()[part].clone();
    }
    json!({
        "id": REQUEST, "tenant": "contoso", "connection": "desk", "status": "ended",
        "received_at": "2026-11-03T08:30:00Z", "updated_at": "2026-11-03T08:30:09Z",
        "ticket": {
            "system": "desk", "number": "DESK-12", "id": "8841", "url": null, "snapshot_digest": snapshot_digest(),
            "basis": "read-back", "snapshot": snapshot(),
        },
        "principal": decision()["principal"], "entitlement": decision()["entitlement"], "requested_duration": "PT4H",
        "approval": {
            "id": "a1", "approved_at": decision()["approved_at"], "approvers": decision()["approvers"],
        },
        "decision": decided, "dry_run": false, "assignment": assignment(),
        "end": {
            "cause": "revoked", "ordered_at": "2026-11-03T08:30:08Z", "ordered_by": "stint", "reason": "enough",
            "confirmed_at": "2026-11-03T08:31:10Z", "lag_seconds": 62, "continued_by": [], "next_look_at": null,
        },
        "failure": null, "hold": null, "attempts": [attempt()], "notes": [], "holders": [],
    })
}
