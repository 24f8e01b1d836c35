//! The keys that only some kinds of ticket system have, and the check that no two connections serve the same thing.
//!
//! Which keys there are, of what shape, and what their values must be is said by each kind. Here they are taken out of
//! the file before its fixed part is read, and their faults are given their places.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use toml::{Table, Value};

use crate::{
    config::{place::Place, tree::article},
    domain::id::ConnectionName,
    tickets::{
        Kind,
        kind::{Given, Key, Make, Own, Shape},
        settings::ConnectionSettings,
    },
};

/// The kinds of ticket system that are known, and what each connection gives for keys of theirs.
pub(in crate::config) struct Systems<'a> {
    pub(in crate::config) known: &'a [&'a Kind],
    pub(in crate::config) own: BTreeMap<String, Table>,
}

/// Takes every key that only some kinds have out of the connections' tables.
pub(in crate::config) fn take_own(tree: &mut Table, known: &[&Kind]) -> BTreeMap<String, Table> {
    let Some(Value::Table(connections)) = tree.get_mut("connections") else { return BTreeMap::new() };
    let names: BTreeSet<&str> = known.iter().flat_map(|kind| kind.keys).map(|key| key.name).collect();
    let taken = |connection: &mut Value| -> Table {
        let Value::Table(connection) = connection else { return Table::new() };
        let taken = names.iter().filter_map(|name| Some(((*name).to_owned(), connection.remove(*name)?)));
        taken.collect()
    };
    connections.iter_mut().map(|(name, connection)| (name.to_owned(), taken(connection))).collect()
}

/// Adds what each kind has to the schema of a connection.
pub(in crate::config) fn describe(schema: &mut serde_json::Value, known: &[&Kind]) {
    let names: Vec<_> = known.iter().map(|kind| kind.name).collect();
    let Some(properties) = schema.pointer_mut("/$defs/Connection/properties") else { return };
    properties["system"]["enum"] = json!(names);
    for (kind, key) in known.iter().flat_map(|kind| kind.keys.iter().map(move |key| (kind, key))) {
        let mut property = match key.shape {
            Shape::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Shape::Choice(words) => json!({"type": "string", "enum": words}),
            Shape::Flag => json!({"type": "boolean"}),
        };
        property["description"] = json!(format!("`{}`: {}", kind.name, key.about));
        properties[key.name] = property;
    }
}

/// The kind of this name.
pub(super) fn kind<'a>(at: &Place, name: Option<&str>, known: &[&'a Kind]) -> Option<&'a Kind> {
    let names = known.iter().map(|kind| kind.name).collect::<Vec<_>>();
    let name = at.required(name, &names.join(", "))?;
    let kind = known.iter().find(|kind| kind.name == name);
    if kind.is_none() {
        at.fault(format!("is not accepted; accepted: {}", names.join(", ")));
    }
    kind.copied()
}

/// The values for the kind's own keys that are of the right shape; `None` once a fault was noted.
pub(super) fn given(at: &Place, table: Table, kind: &Kind, known: &[&Kind]) -> Own {
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let here = at.down(&name);
        let Some(key) = kind.keys.iter().find(|key| key.name == name) else {
            let owner = known.iter().find(|other| other.keys.iter().any(|key| key.name == name));
            let owner = owner.map_or("another kind", |owner| owner.name);
            here.fault(format!("belongs to system = \"{owner}\"; leave it out for {}", kind.name));
            continue;
        };
        match shaped(&here, key, value) {
            Some(value) => drop(values.insert(name, value)),
            None => here.settle(),
        }
    }
    Own::new(values)
}

fn shaped(at: &Place, key: &Key, value: Value) -> Option<Given> {
    let kind = value.type_str();
    match (key.shape, value) {
        (Shape::Texts, Value::Array(items)) => texts(at, items).map(Given::Texts),
        (Shape::Texts, _) => wrong(at, "an array", kind),
        (Shape::Flag, Value::Boolean(flag)) => Some(Given::Flag(flag)),
        (Shape::Flag, _) => wrong(at, "a boolean", kind),
        (Shape::Choice(words), Value::String(word)) if words.contains(&word.as_str()) => Some(Given::Word(word)),
        (Shape::Choice(words), Value::String(_)) => {
            at.fault(format!("is not accepted; accepted: {}", words.join(", ")));
            None
        }
        (Shape::Choice(_), _) => wrong(at, "a string", kind),
    }
}

fn texts(at: &Place, items: Vec<Value>) -> Option<Vec<String>> {
    at.each(items, |item, value| match value {
        Value::String(text) => Some(text),
        other => wrong(item, "a string", other.type_str()),
    })
}

fn wrong<T>(at: &Place, wanted: &str, found: &str) -> Option<T> {
    at.fault(format!("must be {wanted}, not {}", article(found)));
    None
}

/// How the system is made for this instance, every fault of its own keys noted.
pub(super) fn check(at: &Place, kind: &Kind, mut own: Own) -> Option<Make> {
    let make = (kind.check)(&mut own);
    let faults = own.into_faults();
    let good = faults.is_empty();
    for fault in faults {
        let here = at.down(&fault.key);
        match fault.item {
            Some(item) => here.item(item).fault(fault.problem),
            None => here.fault(fault.problem),
        }
    }
    make.filter(|_| good)
}

/// Faults what two connections serve alike: one approval there would be asked for, and granted, twice.
pub(super) fn check_overlaps(at: &Place, connections: &[ConnectionSettings]) {
    let mut owners: Vec<(&str, String, &ConnectionName)> = vec![];
    for connection in connections {
        let name = &connection.common.name;
        let site = connection.common.base_url.as_str().trim_end_matches('/');
        for part in connection.system.territory() {
            if let Some((.., owner)) = owners.iter().find(|(other, theirs, _)| *other == site && overlap(theirs, &part))
            {
                let problem = format!("serves {part} at the same address as connection {:?}", owner.as_str());
                at.down(name.as_str()).fault(format!("{problem}; one connection serves it"));
            }
            owners.push((site, part, name));
        }
    }
}

/// Whether both hold something in common: they are the same, or one is `x of …` and the other `x`.
fn overlap(one: &str, other: &str) -> bool {
    let holds = |whole: &str, part: &str| part.strip_prefix(whole).is_some_and(|rest| rest.starts_with(" of "));
    one == other || holds(one, other) || holds(other, one)
}
