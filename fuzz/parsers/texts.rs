//! Texts of stint's own grammars, and texts that it writes for others: JSON as it is accepted, durations, fields of the
//! log, cells of a CSV file, cursors, query strings.

use serde::Deserialize;
use serde_json::Value;
use stint::{
    domain::duration::Duration,
    http::{
        cells::Cells,
        cursor::{Cursors, List},
        params::{self, Limit, Moment, Nothing, Params, Text},
    },
    json,
    telemetry::{clean, misleads},
};
use utoipa::IntoParams;

use super::parts;

/// Nesting that is accepted at most.
const MAX_DEPTH: usize = 65;

/// What is accepted is JSON to everybody else too, says everything once, and is neither deep nor holds a NUL.
pub fn json(input: &[u8]) {
    let Ok(value) = json::parse(input) else { return };
    let other: Value = serde_json::from_slice(input).expect("JSON to others too");
    assert_eq!(value, other);
    let (members, depth) = counted(input);
    assert_eq!(members_of(&value), members, "a key is there twice");
    assert!(depth <= MAX_DEPTH, "{depth} deep");
    assert!(texts_of(&value).iter().all(|text| !text.contains('\0')), "a NUL");
    let again = json::parse(value.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(&value), "what was read is written and read again");
}

/// Colons and the deepest nesting outside of texts.
fn counted(input: &[u8]) -> (usize, usize) {
    let (mut members, mut depth, mut deepest) = (0, 0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in input {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b':' => members += 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (members, deepest)
}

fn members_of(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(members_of).sum::<usize>(),
        Value::Array(items) => items.iter().map(members_of).sum(),
        _ => 0,
    }
}

/// Every text of a document: keys, strings, and numbers as they are written.
pub fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            members.iter().flat_map(|(key, member)| std::iter::once(key.clone()).chain(texts_of(member))).collect()
        }
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Null | Value::Bool(_) => vec![],
    }
}

/// Documents of all kinds.
pub fn documents() -> Vec<Vec<u8>> {
    [
        include_bytes!("../../tests/fixtures/jira/hook-approved.json").as_slice(),
        include_bytes!("../../tests/fixtures/servicenow/read-item.json"),
        include_bytes!("../../tests/fixtures/standard/ticket.json"),
        br#"{"a":{"b":[1,-2.5e3,true,null,"\u00e9\ud83d\ude00\\\"/"]},"c":{}}"#,
        br#"{"a":1,"a":2}"#,
        br#"{"$serde_json::private::RawValue":"1","$serde_json::private::Number":"1"}"#,
        b"[[[[]]]]",
        b"18446744073709551616",
    ]
    .map(<[u8]>::to_vec)
    .into()
}

/// What is accepted has one plain form that reads the same, and is what its own numbers come to.
pub fn duration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(duration) = text.parse::<Duration>() else { return };
    assert!(duration.as_secs() > 0, "{text:?} is no time at all");
    assert_eq!(duration.to_string().parse(), Ok(duration), "{text:?} is written as {duration}");
    let (mut seconds, mut number, mut units) = (0_u64, 0_u64, String::new());
    for c in text.strip_prefix("PT").expect("a prefix").chars() {
        if let Some(digit) = c.to_digit(10) {
            number = number * 10 + u64::from(digit);
            continue;
        }
        let unit = match c {
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            other => panic!("{other:?} is no unit"),
        };
        units.push(c);
        seconds += std::mem::take(&mut number) * unit;
    }
    assert_eq!(seconds, u64::from(duration.as_secs()), "{text:?}");
    assert!("HMS HM HS MS H M S".split(' ').any(|order| order == units), "{text:?} names its units in order");
}

/// Durations, and what is none.
pub fn durations() -> Vec<Vec<u8>> {
    [
        "PT4H",
        "PT1H30M",
        "PT45S",
        "PT999999H",
        "PT999999H71527S",
        "PT71582788M15S",
        "P1D",
        "PT0S",
        "pt1h",
        "PT1.5H",
        "PT01H",
        "PT+1H",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Stays on its line, misleads nobody, and is the same value to whoever reads the line as JSON.
pub fn log_field(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let shown = clean(&text);
    assert!(!shown.contains(misleads), "{shown:?}");
    assert!(!shown.contains(|c: char| c.is_control() || hides(c)), "{shown:?}");
    let line = serde_json::to_string(&text).expect("a text");
    assert_eq!(serde_json::from_str::<String>(&clean(&line)).expect("a text"), text);
    if !text.contains(misleads) {
        assert_eq!(shown, text, "harmless text is left alone");
    }
}

/// Turns what follows, or does not show, by Unicode's own lists: `Bidi_Control`, and tags.
fn hides(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Is read back as one record of as many cells, none of which is a formula or misleads.
pub fn csv(input: &[u8]) {
    let texts: Vec<_> = parts(input).into_iter().map(String::from_utf8_lossy).collect();
    let mut bytes = Vec::new();
    let mut cells = Cells::new(&mut bytes);
    cells.own(Some(7));
    for text in &texts {
        cells.text(Some(text));
    }
    cells.end();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
    let records: Vec<_> = reader.records().collect::<Result<_, _>>().expect("readable");
    assert_eq!((records.len(), records[0].len()), (1, texts.len() + 1), "{}", bytes.escape_ascii());
    for (cell, text) in records[0].iter().skip(1).zip(&texts) {
        is_harmless(cell);
        if !text.contains(misleads) && text.starts_with(|c: char| c.is_alphanumeric()) {
            assert_eq!(cell, text, "harmless text is left alone");
        }
    }
}

fn is_harmless(cell: &str) {
    let first = cell.trim_start().chars().next();
    assert!(!matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')), "{cell:?} is a formula");
    assert!(!cell.starts_with(['\t', '\r', '\n']), "{cell:?} may be a formula");
    let shows = |c: char| matches!(c, '\t' | '\r' | '\n') || !(c.is_control() || hides(c));
    assert!(cell.chars().all(shows), "{cell:?} misleads");
}

/// Words as people, and others, write them.
pub fn words() -> Vec<Vec<u8>> {
    [
        "Omar Haddad",
        "Zoë, \"the\" admin\r\n\tof 日本 \u{1f469}\u{200d}\u{1f4bb}",
        "=HYPERLINK(\"https://x.example\",\"click\")",
        " \u{a0}\u{feff}'=1+1",
        "\u{202e}gnp.exe\u{2066}\u{2069}\u{e0041}\u{e007f}",
        "\u{1b}[2K\u{9b}2K\0\u{7f}\u{85}\u{2028}\\u202e",
        "a\u{1e}+1\u{1e}@x\u{1e}-2",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Only what was given out for this list and filter leads anywhere; then it leads where it was given out for.
pub fn cursor(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let giver = giver();
    for (name, filter) in [("requests", "a"), ("requests", "b"), ("findings", "a")] {
        let list = List { name, filter: &filter };
        let Ok(place) = giver.place::<_, (String, i64)>(list, text) else { continue };
        assert_eq!((giver.give(list, &place).as_str(), name, filter), (text, "requests", "a"));
        assert!(cursors().iter().any(|given| given == input), "{text} was never given out");
    }
}

fn giver() -> Cursors {
    Cursors::new(Some(b"a secret of this test alone"), "audience")
}

/// Cursors that were given out for one list, one of another giver, and none.
pub fn cursors() -> Vec<Vec<u8>> {
    let list = List { name: "requests", filter: &"a" };
    let place = |n: i64| ("2026-11-03T08:31:07Z".to_owned(), n);
    let given = (0..4).map(|n| giver().give(list, &place(n)).into_bytes());
    given.collect()
}

/// What every route of a list takes, as far as grammars go.
#[derive(Debug, Deserialize, IntoParams)]
struct Asked {
    #[serde(default)]
    #[param(value_type = Option<String>)]
    ticket: Text,
    #[serde(default, deserialize_with = "params::unless_empty")]
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    #[serde(default)]
    #[param(value_type = Option<u32>)]
    limit: Limit,
}

/// Names what is wrong or gives what was asked for: each name once, none unknown, no NUL.
pub fn query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read: Result<Params<Asked, Nothing>, _> = params::read(text);
    let Ok(Params(asked, _)) = read else { return };
    assert!((1..=params::MAX_LIMIT).contains(&asked.limit.0));
    assert!(asked.from.is_none_or(|from| from.0.as_second() >= 0));
    let ticket = asked.ticket.given();
    assert!(ticket.is_none_or(|text| !text.contains('\0') && text.chars().count() <= params::MAX_TEXT));
    let pairs: Vec<_> = url::form_urlencoded::parse(input).map(|(name, _)| name).collect();
    let mut names = pairs.clone();
    names.sort();
    names.dedup();
    assert_eq!(pairs.len(), names.len(), "a parameter is there twice");
    assert!(names.iter().all(|name| ["ticket", "from", "limit"].contains(&&**name)), "{names:?}");
}

/// Query strings.
pub fn queries() -> Vec<Vec<u8>> {
    [
        "ticket=ITSEC-482&from=2026-11-03T08%3A31%3A07Z&limit=50",
        "ticket=&from=&limit=200",
        "ticket=%00&ticket=%ff&limit=0",
        "ti%63ket=a+b&&limit=%2B5&from=1969-12-31T23:59:59Z",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
