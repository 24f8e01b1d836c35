//! From text to a tree of values, and from the tree to structs, without stopping at the first fault.
//!
//! serde ends at the first value that does not fit. So each such value is noted as a fault, taken out of the tree, and
//! the rest is read again, until all of it fits.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value, de::DeTable};

use super::place::{Document, join};

/// The text as a tree; each fault of a text that is no TOML names line and column.
pub(super) fn parse(document: &Document, text: &str) -> Option<Table> {
    let (_, mut errors) = DeTable::parse_recoverable(text);
    let tree = text.parse::<Table>();
    if errors.is_empty() {
        errors.extend(tree.as_ref().err().cloned());
    }
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    for error in &errors {
        document.root().fault(syntax(text, error));
    }
    tree.ok().filter(|_| errors.is_empty())
}

/// What the tree says, without the values that do not fit; each of those is a fault of the document.
pub(super) fn read<T: DeserializeOwned + Default>(document: &Document, tree: Table) -> T {
    let mut tree = Value::Table(tree);
    let mut shortened = BTreeMap::<String, Shortened>::new();
    loop {
        match serde_path_to_error::deserialize(tree.clone()) {
            Ok(raw) if shortened.is_empty() => return raw,
            // A list that lost items is no longer what its author meant.
            Ok(_) => {
                for (key, list) in std::mem::take(&mut shortened) {
                    document.place(key).settle();
                    take(&mut tree, &list.steps);
                }
            }
            Err(error) => {
                let (steps, message) = (steps(error.path()), error.inner().message());
                let Some(value) = take(&mut tree, &steps) else {
                    document.root().fault(problem(message, None));
                    return T::default();
                };
                refuse(document, &mut tree, &mut shortened, &steps, &value, message);
            }
        }
    }
}

/// A list that lost items.
struct Shortened {
    steps: Vec<Step>,
    lost: usize,
}

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    let step = |segment: &Segment| match segment {
        Segment::Map { key } => Some(Step::Name(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().map_while(step).collect()
}

fn key_of(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |key, step| match step {
        Step::Name(name) => join(&key, name),
        Step::Index(index) => format!("{key}[{index}]"),
    })
}

/// Notes the fault of a value just taken out, unless it came from a variable and has yet to be tried as plain text.
fn refuse(
    document: &Document,
    tree: &mut Value,
    shortened: &mut BTreeMap<String, Shortened>,
    steps: &[Step],
    value: &Value,
    message: &str,
) {
    let key = key_of(steps);
    let unknown = message.starts_with("unknown field");
    if let Some(text) = document.text_of_variable(&key).filter(|_| !value.is_str() && !unknown) {
        put_back(tree, steps, Value::String(text.to_owned()));
        return;
    }
    let problem = problem(message, Some(value));
    if let [list @ .., Step::Index(index)] = steps {
        let entry = shortened.entry(key_of(list)).or_insert_with(|| Shortened { steps: list.to_vec(), lost: 0 });
        document.place(key_of(list)).item(index + entry.lost).fault(problem);
        entry.lost += 1;
        return;
    }
    let place = document.place(key);
    if unknown {
        place.fault_unknown(problem);
    } else {
        place.fault(problem);
    }
    place.settle();
}

/// Takes the value out of the tree.
fn take(tree: &mut Value, steps: &[Step]) -> Option<Value> {
    let (last, way) = steps.split_last()?;
    match (walk(tree, way)?, last) {
        (Value::Table(table), Step::Name(name)) => table.remove(name),
        (Value::Array(array), Step::Index(index)) if *index < array.len() => Some(array.remove(*index)),
        _ => None,
    }
}

fn put_back(tree: &mut Value, steps: &[Step], value: Value) {
    let [way @ .., Step::Name(name)] = steps else { return };
    if let Some(Value::Table(table)) = walk(tree, way) {
        table.insert(name.clone(), value);
    }
}

fn walk<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    })
}

/// Why there is no tree: where, and what the parser missed.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = &text.as_bytes()[..error.span().map_or(0, |span| span.start.min(text.len()))];
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    format!("line {line}, column {column}: {}", error.message())
}

/// serde's message in this file's words, without the value: that may be a secret in the wrong place.
fn problem(message: &str, value: Option<&Value>) -> String {
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let found = value.map_or("something else", Value::type_str);
    match expected {
        Some(names) if message.starts_with("unknown field") => {
            format!("is not a known key; known here: {}", list(names))
        }
        Some(names) if message.starts_with("unknown variant") => format!("is not accepted; accepted: {}", list(names)),
        Some(wanted) => format!("must be {}, not {}", in_toml(wanted), article(found)),
        None => "does not fit here".to_owned(),
    }
}

/// serde's "one of `a`, `b`" as "a, b".
fn list(names: &str) -> String {
    names.trim_start_matches("one of ").replace('`', "").replace(" or ", ", ")
}

fn in_toml(wanted: &str) -> &str {
    match wanted {
        "a sequence" => "an array",
        "a map" => "a table",
        "u8" | "u32" | "u64" => "a whole number, 0 or more and not too large",
        "string or table" => "a string",
        other => other,
    }
}

pub(super) fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: Option<String>,
        size: Option<u8>,
        list: Option<Vec<String>>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Good,
        Better,
    }

    fn faults(text: &str) -> String {
        let document = Document::new("x.toml", Path::new("."));
        let sample = parse(&document, text).map(|tree| read::<Sample>(&document, tree));
        document.conclude(sample).expect_err("faults").to_string()
    }

    #[test]
    fn a_text_that_is_no_toml_is_named_by_line_and_column() {
        assert_eq!(
            faults("size = 1\n  name = é\n"),
            "x.toml: line 2, column 10: string values must be quoted, expected literal string"
        );
        assert_eq!(
            faults("size = 1\nsize = 2\nname = 'a\n"),
            "x.toml: line 2, column 1: duplicate key\nx.toml: line 3, column 10: invalid literal string, expected `'`"
        );
        assert!(faults("size = 99999999999999999999").starts_with("x.toml: line 1, column 8: "));
    }

    #[test]
    fn every_value_that_does_not_fit_is_named_and_none_is_shown() {
        let found = faults("name = 4711\nsize = -4711\nlist = 'hunter2'\nkind = 'hunter2'\nnmae = 'hunter2'");
        assert_eq!(
            found,
            "x.toml: kind: is not accepted; accepted: good, better\n\
             x.toml: list: must be an array, not a string\n\
             x.toml: name: must be a string, not an integer\n\
             x.toml: nmae: is not a known key; known here: name, size, list, kind\n\
             x.toml: size: must be a whole number, 0 or more and not too large, not an integer"
        );
    }

    #[test]
    fn every_item_that_does_not_fit_is_named_by_its_place_in_the_file() {
        assert_eq!(
            faults("list = ['a', 1, 'b', true]"),
            "x.toml: list[1]: must be a string, not an integer\nx.toml: list[3]: must be a string, not a boolean"
        );
    }

    #[test]
    fn what_fits_is_read() {
        let document = Document::new("x.toml", Path::new("."));
        let tree = parse(&document, "name = 'n'\nsize = 1\nlist = ['a']\nkind = 'better'").expect("toml");
        let sample: Sample = read(&document, tree);
        assert_eq!((sample.name.as_deref(), sample.size), (Some("n"), Some(1)));
        assert!(matches!(sample.kind, Some(Kind::Better)) && sample.list.is_some());
    }
}
