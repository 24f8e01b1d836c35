//! JSON from outside, read strictly.
//!
//! `serde_json` keeps the last of two equal keys, derives take an array for an object, and `\u0000` fails only once
//! Postgres sees it. Here a text with any of these, or nested too deeply, is refused as a whole, and members are read by
//! path so that a wrong shape is named. So is one with a key that `serde_json` keeps for itself: it would read such an object
//! as something else.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deeper nesting than this is refused.
const MAX_DEPTH: usize = 64;

/// What the keys begin with by which `serde_json` tells itself what a value is.
const KEPT: &str = "$serde_json::";

/// Why a text was refused, or a member could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not JSON, or JSON of a kind that is refused.
    #[error("not acceptable JSON: {0}")]
    Text(String),
    /// A member is missing or of another kind than needed.
    #[error("{path} is not {wanted}")]
    Member {
        /// JSON Pointer.
        path: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// Reads one whole JSON text.
///
/// # Errors
/// [`Fault::Text`] for anything that is not JSON, and for duplicate keys, NUL characters, deep nesting and keys that
/// `serde_json` keeps for itself.
pub fn parse(bytes: &[u8]) -> Result<Value, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Fault::Text(error.to_string()))
}

/// The text at this path.
///
/// # Errors
/// [`Fault::Member`] when it is not a string.
pub fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, Fault> {
    value.pointer(path).and_then(Value::as_str).ok_or_else(|| not(path, "a text"))
}

/// The text at this path; `None` when the member is absent or null.
///
/// # Errors
/// [`Fault::Member`] when it is there and not a string.
pub fn optional_text<'a>(value: &'a Value, path: &str) -> Result<Option<&'a str>, Fault> {
    match value.pointer(path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(not(path, "a text")),
    }
}

/// The array at this path.
///
/// # Errors
/// [`Fault::Member`] when it is not an array.
pub fn array<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], Fault> {
    let found = value.pointer(path).and_then(Value::as_array);
    found.map(Vec::as_slice).ok_or_else(|| not(path, "an array"))
}

/// The object at this path; the empty path is the whole text.
///
/// # Errors
/// [`Fault::Member`] when it is not an object.
pub fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Fault> {
    let found = value.pointer(path).and_then(Value::as_object);
    found.ok_or_else(|| not(path, "an object"))
}

/// A fault that names a member and what it should be.
#[must_use]
pub fn not(path: &str, wanted: &'static str) -> Fault {
    Fault::Member { path: if path.is_empty() { "the text".into() } else { path.into() }, wanted }
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

fn without_nul<E: de::Error>(text: String) -> Result<String, E> {
    if text.contains('\0') {
        return Err(E::custom("a NUL character"));
    }
    Ok(text)
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        without_nul(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let key = without_nul(key)?;
            if key.starts_with(KEPT) {
                return Err(de::Error::custom("a key that is kept"));
            }
            if object.contains_key(&key) {
                return Err(de::Error::custom(format!("the key {key:?} twice")));
            }
            let value = members.next_value_seed(self.deeper()?)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_json_is_read_as_serde_json_reads_it() {
        let body = br#"{"a":[1,-2,3.5,true,null,"x"],"b":{"c":""}}"#;
        assert_eq!(parse(body), Ok(serde_json::from_slice(body).expect("valid")));
    }

    #[test]
    fn doubled_keys_nul_depth_and_trailing_text_are_refused() {
        let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
        for body in [r#"{"a":1,"a":2}"#, r#"["\u0000"]"#, r#"{"\u0000":1}"#, "{} {}", "", "{", "nul", &deep] {
            assert!(matches!(parse(body.as_bytes()), Err(Fault::Text(_))), "{body}");
        }
    }

    #[test]
    fn what_serde_json_would_read_as_something_else_is_refused() {
        let body = br#"{"a":{"$serde_json::private::RawValue":"{\"b\":1}"}}"#;
        let other: Value = serde_json::from_slice(body).expect("read");
        assert_eq!(other, serde_json::json!({"a": {"b": 1}}), "a text became an object");
        assert!(matches!(parse(body), Err(Fault::Text(_))));
    }

    #[test]
    fn a_wrong_shape_is_named_by_its_path() {
        let value = parse(br#"{"issue":["10482"]}"#).expect("json");
        let fault = text(&value, "/issue/id").expect_err("an array is no object");
        assert_eq!(fault.to_string(), "/issue/id is not a text");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }
    }
}
