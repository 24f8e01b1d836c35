//! Spoiling a webhook's body in every way its sender, or somebody on the way, might.
//!
//! Everything follows from a seed, so that what was found once is found again.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Splitmix64: small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    /// The dice of one mutant of a run.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

/// The body, spoilt: as a document, which mostly stays one, as a text, or as both.
pub fn mutated(dice: &mut Dice, body: &[u8]) -> Vec<u8> {
    let (as_document, as_text) =
        *dice.pick(&[(true, false), (true, false), (true, false), (false, true), (true, true)]);
    let mut body = match serde_json::from_slice(body) {
        Ok(document) if as_document => changed_document(dice, document),
        _ => body.to_vec(),
    };
    if as_text {
        for _ in 0..=dice.below(3) {
            change_text(dice, &mut body);
        }
    }
    body
}

fn changed_document(dice: &mut Dice, mut document: Value) -> Vec<u8> {
    for _ in 0..=dice.below(3) {
        change(dice, &mut document);
    }
    serde_json::to_vec(&document).expect("a document")
}

/// Every place in a document, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        _ => vec![],
    };
    for (name, member) in members {
        let place = format!("{at}/{name}");
        places(member, &place, found);
        found.push(place);
    }
}

/// Changes the document in one place.
fn change(dice: &mut Dice, document: &mut Value) {
    let mut found = vec![];
    places(document, "", &mut found);
    if found.is_empty() || dice.once_in(60) {
        *document = odd(dice);
        return;
    }
    let place = dice.pick(&found).clone();
    let another: &String = dice.pick(&found);
    let other = document.pointer(another).cloned().unwrap_or_default();
    let Some((parent, name)) = place.rsplit_once('/') else { return };
    match dice.below(10) {
        0 => remove(document, parent, name),
        1 => put(document, &place, other),
        2 => put(document, &place, json!([document.pointer(&place)])),
        3 => put(document, &place, json!({ name: document.pointer(&place) })),
        4 if document.pointer(parent).is_some_and(Value::is_object) => {
            let moved = document.pointer(&place).cloned().unwrap_or_default();
            remove(document, parent, name);
            document.pointer_mut(parent).expect("a parent")[odd_text(dice)] = moved;
        }
        _ => {
            let value = if document.pointer(&place).is_some_and(is_moment) { moment(dice) } else { odd(dice) };
            put(document, &place, value);
        }
    }
}

fn is_moment(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())
}

fn put(document: &mut Value, place: &str, value: Value) {
    if let Some(old) = document.pointer_mut(place) {
        *old = value;
    }
}

fn remove(document: &mut Value, parent: &str, name: &str) {
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => items.truncate(name.parse().expect("an index")),
        _ => {}
    }
}

/// A value of a kind that nobody reckons with.
fn odd(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => Value::Null,
        1 => json!(dice.once_in(2)),
        2 => json!(dice.next()),
        3 => json!(i64::MIN),
        4 => json!(f64::from_bits(dice.next() & !(1 << 62))),
        5 => json!([]),
        6 => json!({}),
        7 => (0..dice.below(90)).fold(json!(1), |inner, _| json!([inner])),
        _ => json!(odd_text(dice)),
    }
}

/// The ends of what one library or another, or Postgres, takes for a time.
const MOMENTS: [&str; 12] = [
    "-009999-01-02T01:59:59Z",
    "-004713-11-23T23:59:59.999999Z",
    "-004713-11-24T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999999Z",
    "2026-11-03T08:31:07.9999999Z",
    "2026-11-03T08:31:60Z",
    "2026-11-03T08:31:07+25:59",
    "2026-11-03T08:31:07",
    "2026-11-03",
    "9999-12-30T22:00:00.999999999Z",
    "+010000-01-01T00:00:00Z",
];

fn moment(dice: &mut Dice) -> Value {
    json!(dice.pick(&MOMENTS))
}

const TEXTS: [&str; 32] = [
    "",
    " ",
    "0",
    "-1",
    "10016",
    "10482",
    "00010482",
    "9223372036854775807",
    "ITSEC-1",
    "ITSEC-99999999999",
    "itsec-1",
    "DESK-7",
    "DESK-7\n",
    "RITM0010042",
    "CHG0030042",
    "RITM000000000000000",
    "4d7e90b2c5f681ace40628394b5c6d7e",
    "..",
    "../../etc/passwd",
    "a/b?c#d%00",
    "approved",
    "pending",
    "ticket.approved",
    "ticket.withdrawn",
    "stint.approval.v1",
    "stint.servicenow.v1",
    "jira:issue_updated",
    "2026-11-03T08:31:07Z",
    "PT999999999999999999H",
    "\u{0}",
    "\u{202e}e\u{301}\u{feff}\u{1f469}\u{200d}\u{10ffff}",
    "'; drop table requests; --",
];

fn odd_text(dice: &mut Dice) -> String {
    if dice.once_in(8) {
        // Nothing compresses it, so that it is as long in an index as here.
        let length = 1 << dice.below(13);
        return (0..length).map(|_| char::from(b'!' + u8::try_from(dice.below(94)).expect("a byte"))).collect();
    }
    (*dice.pick(&TEXTS)).to_owned()
}

/// Pieces of text that end up where they have no business.
const PIECES: [&[u8]; 16] = [
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"\\x",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\"",
    b"}",
    b"]",
    b",",
    b"1e999",
    b"-",
    b"123456789012345678901234567890123456789012345678901234567890",
    b"NaN",
];

/// Changes the text in one place.
fn change_text(dice: &mut Dice, body: &mut Vec<u8>) {
    let at = dice.below(body.len() + 1);
    let end = (at + dice.below(40)).min(body.len());
    let numbers: Vec<usize> = (0..body.len()).filter(|n| body[*n].is_ascii_digit()).collect();
    match dice.below(10) {
        0 | 1 if at < body.len() => body[at] ^= 1 << dice.below(8),
        2 => drop(body.drain(at..end)),
        3 => {
            let piece = body[at..end].to_vec();
            body.splice(at..at, piece);
        }
        4 => body.truncate(at),
        5 => double_a_member(dice, body),
        6 => {
            let depth = 1 << dice.below(14);
            let nested = [b"[".repeat(depth), b"]".repeat(depth * dice.below(2))].concat();
            body.splice(at..end, nested);
        }
        7 if !numbers.is_empty() => {
            let at = *dice.pick(&numbers);
            let digits = b"7".repeat(1 << dice.below(11));
            body.splice(at..at, digits);
        }
        8 => body.extend_from_within(at..),
        _ => {
            let piece = dice.pick(&PIECES).to_vec();
            body.splice(at..at, piece);
        }
    }
}

/// Names a member twice, with another value.
fn double_a_member(dice: &mut Dice, body: &mut Vec<u8>) {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return };
    let names: Vec<_> = members.keys().collect();
    if let (Some(open), false) = (body.iter().position(|byte| *byte == b'{'), names.is_empty()) {
        let member = format!("{}:{},", json!(dice.pick(&names)), odd(dice));
        let after = open + 1;
        body.splice(after..after, member.into_bytes());
    }
}
