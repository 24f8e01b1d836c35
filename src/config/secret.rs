//! Secrets: from a file of their own or from the environment, never from the configuration file.

use secrecy::SecretString;

use super::place::Place;
use crate::graph::settings::without_newline;

/// The secret `name` of a table: by environment, else from the file under `<name>_file`.
///
/// The environment overrides a file that the configuration names, as it overrides any other key.
pub(super) fn required(
    table: &Place,
    name: &str,
    inline: Option<String>,
    file: Option<String>,
) -> Option<SecretString> {
    let here = table.down(name);
    let file_key = format!("{name}_file");
    let at_file = table.down(&file_key);
    match (inline, file) {
        (Some(_), _) if !here.is_from_variable() => refuse_inline(&here, &file_key),
        (Some(_), Some(_)) if at_file.is_from_variable() => refuse_both(&here, &file_key),
        (Some(text), _) => cleaned(&here, &text),
        (None, Some(path)) => read(&at_file, &path),
        (None, None) => {
            let variable = here.variable_name();
            at_file.fault(format!("is missing; name a file that holds the {name}, or set {variable}"));
            None
        }
    }
}

/// One or two secrets with their places: by environment under `secrets`, else from the files under `secret_files`.
pub(super) fn list<'a>(
    table: &Place<'a>,
    inline: Option<Vec<String>>,
    files: Option<Vec<String>>,
) -> Option<Vec<(Place<'a>, SecretString)>> {
    let (here, at_files) = (table.down("secrets"), table.down("secret_files"));
    match (inline, files) {
        (Some(_), _) if !here.is_from_variable() => refuse_inline(&here, "secret_files"),
        (Some(_), Some(_)) if at_files.is_from_variable() => refuse_both(&here, "secret_files"),
        (Some(texts), _) => all(&here, texts, cleaned),
        (None, Some(paths)) => all(&at_files, paths, read),
        (None, None) => {
            let variable = here.variable_name();
            at_files.fault(format!("is missing; name one or two files, or set {variable}"));
            None
        }
    }
}

/// The text without its one trailing newline, which must leave something.
pub(super) fn cleaned(at: &Place, text: &str) -> Option<SecretString> {
    let secret = without_newline(text);
    at.hold(!secret.is_empty(), secret, "a secret: it is empty").map(SecretString::from)
}

/// The secret in a file.
pub(super) fn read(at: &Place, path: &str) -> Option<SecretString> {
    let text = String::from_utf8(at.file(path)?);
    if text.is_err() {
        at.fault("names a file that is not UTF-8 text");
    }
    cleaned(at, &text.ok()?)
}

fn all<'a>(
    at: &Place<'a>,
    texts: Vec<String>,
    secret: impl Fn(&Place, &str) -> Option<SecretString>,
) -> Option<Vec<(Place<'a>, SecretString)>> {
    at.hold((1..=2).contains(&texts.len()), (), "a list of one or two: the current secret, then the previous one")?;
    let places = texts.into_iter().enumerate().map(|(index, text)| (at.item(index), text));
    let secrets: Vec<_> = places.map(|(place, text)| secret(&place, &text).map(|secret| (place, secret))).collect();
    secrets.into_iter().collect()
}

fn refuse_inline<T>(at: &Place, file_key: &str) -> Option<T> {
    let variable = at.variable_name();
    at.fault(format!("is a secret and may not stand in this file; use {file_key} or {variable}"));
    None
}

fn refuse_both<T>(at: &Place, file_key: &str) -> Option<T> {
    at.fault(format!("is given twice by the environment; drop this or the one for {file_key}"));
    None
}
