//! Environment variables laid over the file: `STINT__SECTION__KEY`.
//!
//! Two underscores go one table down. Case does not matter, and an underscore also stands for the dash of a name that
//! the file already has: `STINT__CONNECTIONS__JIRA_CLOUD__BASE_URL` sets `connections.jira-cloud.base_url`. A value is
//! read as TOML where that fits its key (`true`, `["a", "b"]`) and as plain text otherwise; secrets are never read as
//! TOML, except the list of webhook secrets.

use toml::{Table, Value};

use super::{
    fault::Fault,
    place::{Document, TOKEN_FILE, Variable, join},
};

const PREFIX: &str = "STINT__";

/// Sets in the tree what the variables say. Of others than stint's only [`TOKEN_FILE`] is remembered.
pub(super) fn lay_over(
    document: &mut Document,
    tree: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
) {
    let (theirs, ours): (Vec<_>, Vec<_>) = variables.into_iter().partition(|(name, _)| parts(name).is_none());
    let token_file = theirs.into_iter().find(|(name, path)| name == TOKEN_FILE && !path.is_empty());
    document.token_file = token_file.map(|(_, path)| path);
    let ours = ours.into_iter().filter_map(|(name, text)| Some((parts(&name)?, name, text)));
    let mut variables: Vec<_> = ours.collect();
    // A table comes before its own keys, so that both can be given.
    variables.sort();
    for (parts, name, text) in variables {
        if let Err((key, problem)) = lay(document, tree, &parts, &name, text) {
            let source = name;
            document.note(Fault { key, source, problem });
        }
    }
}

/// The key's parts in lower case; `None` for a variable that is not stint's.
fn parts(name: &str) -> Option<Vec<String>> {
    let (prefix, key) = name.split_at_checked(PREFIX.len())?;
    let parts = key.split("__").map(str::to_ascii_lowercase);
    prefix.eq_ignore_ascii_case(PREFIX).then(|| parts.collect())
}

fn lay(
    document: &mut Document,
    tree: &mut Table,
    parts: &[String],
    name: &str,
    text: String,
) -> Result<(), (String, String)> {
    if parts.iter().any(String::is_empty) {
        return Err((String::new(), "names no key; write STINT__SECTION__KEY".into()));
    }
    let value = value(parts, &text).map_err(|problem| (parts.join("."), problem))?;
    let key = set(tree, parts, value, "").map_err(|key| {
        let problem = "is not a table in the file; set it as a whole".to_owned();
        (key, problem)
    })?;
    let variable = Variable { name: name.to_owned(), key: key.clone(), text: text.into() };
    if document.remember(variable) {
        return Ok(());
    }
    Err((key, "is set by another variable too; keep one".into()))
}

/// Sets the value and returns its full key; the error is the key at which there is no table to go down.
fn set(table: &mut Table, parts: &[String], value: Value, above: &str) -> Result<String, String> {
    let Some((first, rest)) = parts.split_first() else {
        return Err(above.to_owned());
    };
    let name = existing(table, first).unwrap_or_else(|| first.clone());
    let key = join(above, &name);
    if rest.is_empty() {
        table.insert(name, value);
        return Ok(key);
    }
    match table.entry(name).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => set(inner, rest, value, &key),
        _ => Err(key),
    }
}

/// The name in the file that this part of a variable means.
fn existing(table: &Table, part: &str) -> Option<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    table.keys().find(|name| plain(name) == plain(part)).cloned()
}

fn value(parts: &[String], text: &str) -> Result<Value, String> {
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["database", "url" | "migrate_url"]
        | ["audit", "signing_key"]
        | ["tenants", _, "credential" | "remover", "secret" | "private_key"]
        | ["connections", _, "auth", "password" | "token" | "secret"] => Ok(Value::String(text.to_owned())),
        ["connections", _, "webhook", "secrets"] => secrets(text),
        _ => Ok(text.parse().unwrap_or_else(|_| Value::String(text.to_owned()))),
    }
}

/// A list of secrets, or a single one.
fn secrets(text: &str) -> Result<Value, String> {
    if !text.starts_with('[') {
        return Ok(Value::Array(vec![Value::String(text.to_owned())]));
    }
    match text.parse() {
        Ok(Value::Array(items)) if items.iter().all(Value::is_str) => Ok(Value::Array(items)),
        _ => Err(r#"begins with [ but is not a list such as ["current", "previous"]"#.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = "[server]\nlisten = 'a'\n[connections.jira-cloud]\nbase_url = 'b'\n";

    fn laid(variables: &[(&str, &str)]) -> Result<Table, String> {
        let mut document = Document::new("x.toml", Path::new("."));
        let mut tree: Table = FILE.parse().expect("toml");
        let variables = variables.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        lay_over(&mut document, &mut tree, variables);
        document.conclude(Some(tree)).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_variable_overrides_the_file_whatever_its_case() {
        let tree = laid(&[("stint__Server__LISTEN", "c")]).expect("tree");
        assert_eq!(tree["server"]["listen"].as_str(), Some("c"));
    }

    #[test]
    fn an_underscore_finds_the_dashed_name_of_the_file() {
        let tree = laid(&[("STINT__CONNECTIONS__JIRA_CLOUD__BASE_URL", "https://x")]).expect("tree");
        assert_eq!(tree["connections"]["jira-cloud"]["base_url"].as_str(), Some("https://x"));
        assert_eq!(tree["connections"].as_table().map(Table::len), Some(1));
    }

    #[test]
    fn a_table_that_the_file_lacks_is_made() {
        let tree = laid(&[("STINT__TENANTS__CONTOSO__CLOUD", "global")]).expect("tree");
        assert_eq!(tree["tenants"]["contoso"]["cloud"].as_str(), Some("global"));
    }

    #[test]
    fn values_are_read_as_toml_but_secrets_as_they_are() {
        let tree = laid(&[
            ("STINT__CONNECTIONS__JIRA_CLOUD__PROJECTS", r#"["A", "B"]"#),
            ("STINT__CONNECTIONS__JIRA_CLOUD__AUTH__PASSWORD", "true"),
            ("STINT__CONNECTIONS__JIRA_CLOUD__WEBHOOK__SECRETS", "one"),
        ]);
        let connection = &tree.expect("tree")["connections"]["jira-cloud"];
        assert_eq!(connection["projects"].as_array().map(Vec::len), Some(2));
        assert_eq!(connection["auth"]["password"].as_str(), Some("true"));
        assert_eq!(connection["webhook"]["secrets"][0].as_str(), Some("one"));
    }

    #[test]
    fn a_broken_list_of_secrets_is_a_fault_that_does_not_show_it() {
        let fault = laid(&[("STINT__CONNECTIONS__JIRA_CLOUD__WEBHOOK__SECRETS", "['hunter2'")]).expect_err("fault");
        assert!(fault.contains("webhook.secrets: begins with [") && !fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn variables_that_name_no_key_or_go_below_a_value_or_meet_are_faults() {
        let fault = laid(&[
            ("STINT__SERVER____LISTEN", "c"),
            ("STINT__SERVER__LISTEN__PORT", "1"),
            ("STINT__SERVER__OPS_LISTEN", "d"),
            ("STINT__server__ops_listen", "e"),
        ]);
        assert_eq!(
            fault.expect_err("faults"),
            "STINT__SERVER____LISTEN: names no key; write STINT__SECTION__KEY\n\
             STINT__SERVER__LISTEN__PORT: server.listen: is not a table in the file; set it as a whole\n\
             STINT__server__ops_listen: server.ops_listen: is set by another variable too; keep one"
        );
    }

    #[test]
    fn variables_of_others_are_passed_over() {
        let tree = laid(&[("STINT_CONFIG", "x"), ("PATH", "y"), ("ÄÄÄÄÄÄÄÄ", "z")]).expect("tree");
        assert_eq!(tree, FILE.parse().expect("toml"));
    }
}
