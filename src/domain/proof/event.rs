//! An audit event as it is sealed, and as it is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tlog_tiles::{Hash, record_hash};

use super::canonical;
use crate::domain::{audit::digest, id::RequestId};

/// What the log keeps of an event for ever; its canonical bytes are a leaf of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Who.
    pub actor: String,
    /// When, by stint's clock.
    pub at: Timestamp,
    /// The connection it concerns, where it concerns one.
    pub connection: Option<String>,
    /// sha256 of the canonical JSON of its facts, in lower-case hex.
    pub detail_sha256: String,
    /// What, in kebab-case.
    pub event: String,
    /// Its number. Numbers may be missing; places in the tree never are.
    pub id: i64,
    /// The request it concerns, where it concerns one.
    pub request_id: Option<RequestId>,
    /// The state it moved the request from, for moves; `None` at a request's first.
    pub state_from: Option<String>,
    /// The state it moved the request to, for moves.
    pub state_to: Option<String>,
    /// The tenant it concerns, where it concerns one.
    pub tenant: Option<String>,
}

impl EventRecord {
    /// The leaf's data: canonical JSON (RFC 8785) of all members, absent ones null.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        canonical(self)
    }

    /// The leaf's hash by RFC 6962.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        record_hash(&self.canonical())
    }
}

/// An event as the API and files show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownEvent {
    /// What is sealed of it.
    #[serde(flatten)]
    pub record: EventRecord,
    /// Its place in the tree; null while it is not sealed.
    pub leaf_index: Option<u64>,
    /// Its facts; null once they were dropped after their time.
    pub detail: Option<Value>,
}

/// Facts that are not those of their record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its facts are not those that were recorded: their digest is another")]
pub struct DetailFault;

impl ShownEvent {
    /// Whether the facts that are shown are those that were recorded: true where they are, false where none are shown.
    ///
    /// # Errors
    /// [`DetailFault`] when facts are shown and their digest is another than the record's.
    pub fn check_detail(&self) -> Result<bool, DetailFault> {
        let Some(detail) = &self.detail else { return Ok(false) };
        if hex::encode(digest(detail)) == self.record.detail_sha256 { Ok(true) } else { Err(DetailFault) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> ShownEvent {
        let detail = json!({ "b": [1, "ü"], "a": null });
        let record = EventRecord {
            actor: "stint".into(),
            at: "2026-11-26T08:30:00.250Z".parse().unwrap(),
            connection: Some("desk".into()),
            detail_sha256: hex::encode(digest(&detail)),
            event: "taken".into(),
            id: 7,
            request_id: Some("01936a30-0000-7000-8000-000000000001".parse().unwrap()),
            state_from: Some("received".into()),
            state_to: Some("verifying".into()),
            tenant: None,
        };
        ShownEvent { record, leaf_index: Some(3), detail: Some(detail) }
    }

    #[test]
    fn the_bytes_of_a_leaf_are_canonical_json_with_absent_things_null() {
        let text = String::from_utf8(event().record.canonical()).unwrap();
        let digest = event().record.detail_sha256;
        assert_eq!(
            text,
            format!(
                r#"{{"actor":"stint","at":"2026-11-26T08:30:00.25Z","connection":"desk","detail_sha256":"{digest}","event":"taken","id":7,"request_id":"01936a30-0000-7000-8000-000000000001","state_from":"received","state_to":"verifying","tenant":null}}"#
            )
        );
    }

    #[test]
    fn an_event_is_read_as_it_was_shown() {
        let text = serde_json::to_string(&event()).unwrap();
        assert_eq!(serde_json::from_str::<ShownEvent>(&text).unwrap(), event());
    }

    #[test]
    fn facts_are_checked_where_they_are_shown() {
        let mut event = event();
        assert_eq!(event.check_detail(), Ok(true));
        event.detail = Some(json!({ "b": [1, "u"], "a": null }));
        assert_eq!(event.check_detail(), Err(DetailFault));
        event.detail = None;
        assert_eq!(event.check_detail(), Ok(false));
    }
}
