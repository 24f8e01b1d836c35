//! Where a check stands: a key in a document, and the one list to which faults go.
//!
//! Checks never stop at the first fault. They note it at their [`Place`], go on, and return `None`.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    str::FromStr,
};

use secrecy::{ExposeSecret, SecretString};

use super::fault::{Fault, Faults};

/// The variable by which Kubernetes names a workload's own token (`contracts/graph.md` §9.3).
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// One configuration file with the variables laid over it, and what was found wrong with it so far.
pub(super) struct Document {
    /// How faults name the file.
    source: String,
    /// Relative paths in the file start here.
    folder: PathBuf,
    /// The environment variables that gave values, in the order they were laid on.
    variables: Vec<Variable>,
    /// Keys whose fault is already noted; nothing more is said about them.
    settled: RefCell<Vec<String>>,
    faults: RefCell<Vec<Fault>>,
    /// What the environment names by [`TOKEN_FILE`].
    pub(super) token_file: Option<String>,
    /// Webhook secrets seen so far, each with its key.
    webhook_secrets: RefCell<Vec<(SecretString, String)>>,
}

/// One environment variable that gave a value.
pub(super) struct Variable {
    /// Its own name.
    pub(super) name: String,
    /// The full key it set.
    pub(super) key: String,
    /// Its text as given.
    pub(super) text: SecretString,
}

/// A key in a document.
pub(super) struct Place<'a> {
    pub(super) document: &'a Document,
    key: String,
}

/// A value is wrong, and that is noted.
pub(super) struct Noted;

impl Document {
    pub(super) fn new(source: impl Into<String>, folder: &Path) -> Self {
        Self {
            source: source.into(),
            folder: folder.to_owned(),
            variables: vec![],
            settled: RefCell::default(),
            faults: RefCell::default(),
            token_file: None,
            webhook_secrets: RefCell::default(),
        }
    }

    /// The document itself as a place.
    pub(super) fn root(&self) -> Place<'_> {
        self.place(String::new())
    }

    /// The place with this full key.
    pub(super) fn place(&self, key: String) -> Place<'_> {
        Place { document: self, key }
    }

    /// Remembers a variable; `false` when another one set the same key.
    pub(super) fn remember(&mut self, variable: Variable) -> bool {
        let new = self.variables.iter().all(|known| known.key != variable.key);
        self.variables.push(variable);
        new
    }

    /// The text of the variable that set exactly this key.
    pub(super) fn text_of_variable(&self, key: &str) -> Option<&str> {
        let variable = self.variables.iter().find(|variable| variable.key == key)?;
        Some(variable.text.expose_secret())
    }

    /// The variable that set this key or a table around it; the innermost wins.
    fn variable(&self, key: &str) -> Option<&Variable> {
        let around = self.variables.iter().filter(|variable| is_within(key, &variable.key));
        around.max_by_key(|variable| variable.key.len())
    }

    /// Notes a fault whose source is neither the file nor a known variable.
    pub(super) fn note(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Takes over what was found wrong with another document.
    pub(super) fn absorb(&self, other: Document) {
        self.faults.borrow_mut().extend(other.faults.into_inner());
    }

    /// The result, unless anything was wrong.
    pub(super) fn conclude<T>(self, result: Option<T>) -> Result<T, Faults> {
        match (result, self.faults.take()) {
            (Some(result), faults) if faults.is_empty() => Ok(result),
            (None, faults) if faults.is_empty() => {
                self.root().fault("cannot be used, and stint cannot say why");
                Err(Faults::new(self.faults.take()))
            }
            (_, faults) => Err(Faults::new(faults)),
        }
    }

    /// Remembers a webhook secret; the key of an equal one seen before, if any.
    pub(super) fn saw_webhook_secret(&self, secret: &SecretString, key: &str) -> Option<String> {
        let mut seen = self.webhook_secrets.borrow_mut();
        let equal = |(other, _): &&(SecretString, String)| other.expose_secret() == secret.expose_secret();
        let earlier = seen.iter().find(equal).map(|(_, key)| key.clone());
        seen.push((secret.clone(), key.to_owned()));
        earlier
    }
}

impl Place<'_> {
    /// A key in the table here.
    pub(super) fn down(&self, name: &str) -> Self {
        self.document.place(join(&self.key, name))
    }

    /// An item of the array here.
    pub(super) fn item(&self, index: usize) -> Self {
        self.document.place(format!("{}[{index}]", self.key))
    }

    /// The full key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Notes what is wrong here, unless a fault here or around is noted already.
    pub(super) fn fault(&self, problem: impl Into<String>) {
        self.fault_of(self.document.variable(&self.key), problem.into());
    }

    /// As [`Place::fault`], for a key that should not be there: the variable may have set one below it.
    pub(super) fn fault_unknown(&self, problem: impl Into<String>) {
        let mut variables = self.document.variables.iter();
        let below = variables.find(|variable| is_within(&variable.key, &self.key));
        self.fault_of(self.document.variable(&self.key).or(below), problem.into());
    }

    fn fault_of(&self, variable: Option<&Variable>, problem: String) {
        if self.document.settled.borrow().iter().any(|key| is_within(&self.key, key)) {
            return;
        }
        let source = variable.map_or(&self.document.source, |variable| &variable.name);
        self.document.note(Fault { key: self.key.clone(), source: source.clone(), problem });
    }

    /// Says no more about this key and what is below it.
    pub(super) fn settle(&self) {
        self.document.settled.borrow_mut().push(self.key.clone());
    }

    /// Faults a key that is set although it has no meaning beside the others.
    pub(super) fn unused<T>(&self, name: &str, value: Option<&T>, why: &str) {
        if value.is_some() {
            self.down(name).fault(why);
        }
    }

    /// The value, which must be there.
    pub(super) fn required<T>(&self, value: Option<T>, wanted: &str) -> Option<T> {
        if value.is_none() {
            self.fault(format!("is missing; write {wanted}"));
        }
        value
    }

    /// The text, which must be there and hold more than spaces.
    pub(super) fn text(&self, value: Option<String>, wanted: &str) -> Option<String> {
        let text = self.required(value, wanted)?;
        let good = !text.trim().is_empty() && !text.chars().any(char::is_control);
        self.hold(good, text, wanted)
    }

    /// The value, which must be there and well-formed.
    pub(super) fn parsed<T: FromStr>(&self, value: Option<String>, wanted: &str) -> Option<T> {
        let parsed = self.required(value, wanted)?.parse();
        if parsed.is_err() {
            self.fault(format!("is not {wanted}"));
        }
        parsed.ok()
    }

    /// The value with a default, well-formed if given.
    pub(super) fn parsed_or<T: FromStr>(&self, value: Option<String>, default: T, wanted: &str) -> Option<T> {
        match value {
            None => Some(default),
            given => self.parsed(given, wanted),
        }
    }

    /// The value checked, if given.
    pub(super) fn optional<V, T>(
        &self,
        value: Option<V>,
        check: impl FnOnce(&Self, V) -> Option<T>,
    ) -> Result<Option<T>, Noted> {
        value.map(|value| check(self, value).ok_or(Noted)).transpose()
    }

    /// Each item of a list, well-formed; `None` when any is not.
    pub(super) fn each<I, T>(&self, items: Vec<I>, mut check: impl FnMut(&Place, I) -> Option<T>) -> Option<Vec<T>> {
        let checked = items.into_iter().enumerate();
        let checked: Vec<_> = checked.map(|(index, item)| check(&self.item(index), item)).collect();
        checked.into_iter().collect()
    }

    /// The value if it is good, a fault otherwise.
    pub(super) fn hold<T>(&self, good: bool, value: T, wanted: &str) -> Option<T> {
        if !good {
            self.fault(format!("is not {wanted}"));
        }
        good.then_some(value)
    }

    /// Whether the environment gave this value, or the table around it.
    pub(super) fn is_from_variable(&self) -> bool {
        self.document.variable(&self.key).is_some()
    }

    /// The environment variable that sets this key.
    pub(super) fn variable_name(&self) -> String {
        let name = self.key.replace('.', "__").replace('-', "_");
        format!("STINT__{}", name.to_uppercase())
    }

    /// The path that a text here means.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.document.folder.join(text)
    }

    /// The bytes of the file named here.
    pub(super) fn file(&self, text: &str) -> Option<Vec<u8>> {
        if text.is_empty() {
            self.fault("is empty; write the path of a file");
            return None;
        }
        let path = self.path(text);
        let read = std::fs::read(&path);
        if let Err(error) = &read {
            self.fault(format!("cannot read {}: {error}", path.display()));
        }
        read.ok()
    }
}

/// A full key one level further down; names that TOML would quote are quoted.
pub(super) fn join(key: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if key.is_empty() { name } else { format!("{key}.{name}") }
}

/// Whether a full key is this one or lies below it.
fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_within_itself_and_its_tables_but_not_within_a_namesake() {
        assert!(is_within("a.b", "a.b") && is_within("a.b.c", "a.b") && is_within("a.b[0]", "a.b"));
        assert!(!is_within("a.bc", "a.b") && !is_within("a", "a.b"));
    }

    #[test]
    fn odd_names_are_quoted_in_keys() {
        assert_eq!(join("tenants", "a.b\n"), r#"tenants."a.b\n""#);
        assert_eq!(join("", "server"), "server");
    }

    #[test]
    fn once_settled_a_key_and_what_is_below_it_gather_no_more_faults() {
        let document = Document::new("stint.toml", Path::new("."));
        let place = document.place("api".into());
        place.fault("must be a table");
        place.settle();
        place.down("audience").fault("is missing");
        let faults = document.conclude(Some(())).expect_err("one fault");
        assert_eq!(faults.to_string(), "stint.toml: api: must be a table");
    }
}
