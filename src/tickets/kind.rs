//! What a kind of ticket system says about itself: its name, the keys only it has, and how it is made from them.
//!
//! The configuration takes all of this from the list of kinds: which values `system` may have, which further keys a
//! connection may set, of what shape, and what is wrong with their values. A new kind changes no line there.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{TicketSystem, settings::Common};

/// One kind of ticket system.
pub struct Kind {
    /// The value of `system` in the configuration.
    pub name: &'static str,
    /// What `base_url` looks like, for people.
    pub example_url: &'static str,
    /// Whether `fields` maps the system's own names; a kind with a document of its own has nothing to map.
    pub maps_fields: bool,
    /// The keys that only this kind has.
    pub keys: &'static [Key],
    /// Whether an instance with these values is never called, so that it may go without a way to sign in.
    pub is_never_called: fn(&Own) -> bool,
    /// Checks the values of its own keys and says how the system is made for one instance; `None` when a fault was noted.
    pub check: fn(&mut Own) -> Option<Make>,
}

/// Makes the system from what every connection has, once that is known to be good too.
pub type Make = Box<dyn FnOnce(&Common) -> Arc<dyn TicketSystem>>;

/// A key that only some kinds of system have.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, for the configuration's schema.
    pub about: &'static str,
    /// What its value is.
    pub shape: Shape,
}

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A list of texts.
    Texts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
}

/// A value of the right shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A list of texts.
    Texts(Vec<String>),
    /// A word.
    Word(String),
    /// True or false.
    Flag(bool),
}

/// The values that a connection gives for its kind's own keys, and what is found wrong with them.
#[derive(Debug, Default)]
pub struct Own {
    given: BTreeMap<String, Given>,
    faults: Vec<OwnFault>,
}

/// What is wrong with a key of a kind's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFault {
    /// The key.
    pub key: String,
    /// Which item of its list.
    pub item: Option<usize>,
    /// What is wrong, as words that follow the key.
    pub problem: String,
}

impl Own {
    /// These values.
    #[must_use]
    pub fn new(given: BTreeMap<String, Given>) -> Self {
        Self { given, faults: vec![] }
    }

    /// A list; `None` when it is not given.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        match self.given.remove(key) {
            Some(Given::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// A word; `None` when it is not given.
    pub fn word(&mut self, key: &str) -> Option<String> {
        match self.given.remove(key) {
            Some(Given::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// Whether this word is given for the key.
    #[must_use]
    pub fn says(&self, key: &str, word: &str) -> bool {
        self.given.get(key).is_some_and(|given| matches!(given, Given::Word(given) if given == word))
    }

    /// A flag; `None` when it is not given.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.given.remove(key) {
            Some(Given::Flag(flag)) => Some(flag),
            _ => None,
        }
    }

    /// The list with each item checked: the first item that is no `wanted`, and every other, is a fault.
    pub fn each(
        &mut self,
        key: &str,
        items: Vec<String>,
        good: impl Fn(&str) -> bool,
        wanted: &str,
    ) -> Option<Vec<String>> {
        let bad: Vec<_> = (0..items.len()).filter(|index| !good(&items[*index])).collect();
        for index in &bad {
            self.fault_item(key, *index, format!("is not {wanted}"));
        }
        bad.is_empty().then_some(items)
    }

    /// A list with at least one good item, which must be given.
    pub fn some(&mut self, key: &str, good: impl Fn(&str) -> bool, wanted: &str) -> Option<Vec<String>> {
        const AT_LEAST_ONE: &str = "a list with at least one entry";
        match self.texts(key) {
            None => self.fault(key, format!("is missing; write {AT_LEAST_ONE}")),
            Some(items) if items.is_empty() => self.fault(key, format!("is not {AT_LEAST_ONE}")),
            Some(items) => return self.each(key, items, good, wanted),
        }
        None
    }

    /// Notes what is wrong with a key.
    pub fn fault(&mut self, key: &str, problem: impl Into<String>) {
        self.faults.push(OwnFault { key: key.to_owned(), item: None, problem: problem.into() });
    }

    /// Notes what is wrong with one item of a list.
    pub fn fault_item(&mut self, key: &str, item: usize, problem: impl Into<String>) {
        self.faults.push(OwnFault { key: key.to_owned(), item: Some(item), problem: problem.into() });
    }

    /// What was found wrong.
    #[must_use]
    pub fn into_faults(self) -> Vec<OwnFault> {
        self.faults
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}
