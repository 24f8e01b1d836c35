//! The last line of an export: without it the file is not whole, with it nobody can shorten or change the file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ProofError, SigningKey, VerifyingKey, canonical, read_note};

/// First cell of the last record of a CSV file.
pub const CSV_MARK: &str = "#end_of_export";

/// What an export says of itself once all of it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// `csv` or `ndjson`.
    pub format: String,
    /// What was exported, such as `requests` or `audit-events`.
    pub what: String,
    /// What it was narrowed down to; an object, empty for everything.
    pub filter: Value,
    /// What is exported is not older, where that was asked for.
    pub from: Option<Timestamp>,
    /// What is exported is older, where that was asked for.
    pub to: Option<Timestamp>,
    /// How many records stand before this one, a CSV's heading not counted.
    pub count: u64,
    /// sha256 of all bytes before the closing line, in lower-case hex.
    pub sha256: String,
    /// When the export was made.
    pub at: Timestamp,
    /// Who made it, as audit events name callers.
    pub by: String,
    /// All of this as a signed note; `None` where stint has no signing key.
    pub note: Option<String>,
}

impl Closing {
    /// The same, signed.
    ///
    /// # Errors
    /// [`ProofError`] when the key cannot sign it.
    pub fn signed(mut self, key: &SigningKey) -> Result<Self, ProofError> {
        self.note = Some(key.sign(&self.text(key.name()))?);
        Ok(self)
    }

    /// Checks that one of these keys signed exactly this.
    ///
    /// # Errors
    /// [`ProofError::Closing`] when it is not signed or says something else than what was signed;
    /// [`ProofError::Note`] when none of the keys signed it.
    pub fn check(&self, keys: &[VerifyingKey]) -> Result<(), ProofError> {
        let note = self.note.as_deref().ok_or_else(|| ProofError::Closing("it is not signed".into()))?;
        let (text, signers) = read_note(note, keys)?;
        if signers.iter().any(|signer| self.text(signer) == text) {
            return Ok(());
        }
        Err(ProofError::Closing("it says something else than what was signed".into()))
    }

    /// The closing line of an NDJSON file, with its line feed.
    #[must_use]
    pub fn ndjson_line(&self) -> String {
        format!("{}\n", json!({ "end_of_export": self }))
    }

    /// The closing record of a CSV file, ended as RFC 4180 has it, by CR LF.
    #[must_use]
    pub fn csv_record(&self) -> String {
        format!("{CSV_MARK},\"{}\"\r\n", json!(self).to_string().replace('"', "\"\""))
    }

    /// What is signed: whose export it is, and the canonical JSON of everything but the note.
    fn text(&self, key: &str) -> String {
        let mut said = json!(self);
        if let Some(members) = said.as_object_mut() {
            members.remove("note");
        }
        format!("{key}/export\n{}\n", String::from_utf8_lossy(&canonical(&said)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::parse(&SigningKey::text_of("stint.contoso.com", &[7; 32]).unwrap()).unwrap()
    }

    fn closing() -> Closing {
        Closing {
            format: "csv".into(),
            what: "requests".into(),
            filter: json!({ "q": "say \"yes\",\nplease" }),
            from: None,
            to: Some("2026-11-26T08:30:00Z".parse().unwrap()),
            count: 3,
            sha256: "00".repeat(32),
            at: "2026-11-26T09:00:00.5Z".parse().unwrap(),
            by: "stint".into(),
            note: None,
        }
    }

    #[test]
    fn a_signed_closing_line_stands_for_every_one_of_its_members() {
        let keys = [key().verifier_key().clone()];
        let signed = closing().signed(&key()).unwrap();
        assert_eq!(signed.check(&keys), Ok(()));
        let document = json!(signed);
        for member in document.as_object().unwrap().keys().filter(|member| *member != "note") {
            let mut changed = document.clone();
            changed[member] = match member.as_str() {
                "count" => json!(4),
                "from" | "to" | "at" => json!("2026-11-26T08:30:01Z"),
                _ => json!("other"),
            };
            let changed: Closing = serde_json::from_value(changed).unwrap();
            assert!(changed.check(&keys).is_err(), "{member}");
        }
        assert!(closing().check(&keys).is_err());
    }

    #[test]
    fn both_forms_hold_the_same() {
        let signed = closing().signed(&key()).unwrap();
        let line: Value = serde_json::from_str(&signed.ndjson_line()).unwrap();
        assert_eq!(serde_json::from_value::<Closing>(line["end_of_export"].clone()).unwrap(), signed);
        let record = signed.csv_record();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record.as_bytes());
        let cells = reader.records().next().unwrap().unwrap();
        assert_eq!((&cells[0], cells.len()), (CSV_MARK, 2));
        assert_eq!(serde_json::from_str::<Closing>(&cells[1]).unwrap(), signed);
    }
}
