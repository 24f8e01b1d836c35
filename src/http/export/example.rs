//! Files to show what they look like.

use serde_json::{Value, json};

use super::format::{Format, Text};
use crate::{
    domain::proof::Closing,
    store::export::{Exported, example},
};

/// One record as NDJSON.
pub(super) fn ndjson() -> Value {
    file(Format::Ndjson)
}

/// The same as CSV.
pub(super) fn csv() -> Value {
    file(Format::Csv)
}

fn file(format: Format) -> Value {
    let mut text = Text::new(format);
    let record: Exported<'_> = example();
    let at = record.updated_at;
    let _ = text.record(&record);
    let mut whole = String::from_utf8_lossy(&text.chunk()).into_owned();
    let closing = Closing {
        format: format.name().into(),
        what: "requests".into(),
        filter: json!({ "tenant": "contoso" }),
        from: None,
        to: None,
        count: text.count,
        sha256: text.sha256(),
        at,
        by: "caller:9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60/f16b3d82-5c7a-4e09-8b41-9d0e2c4f6a53".into(),
        note: None,
    };
    whole.push_str(&format.closing_line(&closing));
    Value::String(whole)
}
