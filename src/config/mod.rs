//! The configuration: one TOML file, the environment laid over it, and the catalogs and secrets it names.
//!
//! [`load`] reads everything once, at start, and either gives settings that are good throughout or [`Faults`], which
//! name every fault at once: what stands where, and what would be accepted. A secret's value is never part of that, nor of
//! the `Debug` output of [`Config`]. Secrets come from files of their own or from the environment; keys that stint does not
//! know, and keys that only a later version can honour, are faults rather than silence.
//!
//! Why not the `config` crate? It lays sources over each other as this does, but deserialises once and so stops at the
//! first fault, and it knows neither which source gave a value nor that some values are secret.

mod address;
mod audit;
mod catalog;
mod connection;
mod console;
mod credential;
mod fault;
mod network;
mod overlay;
mod place;
mod raw;
mod retention;
mod secret;
mod server;
mod tenant;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use schemars::{generate::SchemaSettings, transform::RecursiveTransform};

pub use self::{
    audit::Audit,
    console::Console,
    fault::{Fault, Faults},
    network::{Network, NotANetwork},
    retention::Retention,
    server::{Api, Database, Server},
    tenant::Tenant,
};
use self::{
    connection::Systems,
    place::{Document, Place},
    raw::Section,
};
use crate::tickets::{Kind, SYSTEMS, settings::ConnectionSettings};

/// `config/sandbox.toml`: the configuration of `stint demo` and `stint sandbox`.
pub const SANDBOX: &str = include_str!("../../config/sandbox.toml");

/// `config/sandbox-catalog.toml`: the catalog that [`SANDBOX`] names.
pub const SANDBOX_CATALOG: &str = include_str!("../../config/sandbox-catalog.toml");

/// Everything that is configured, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where stint listens, and how it is reached.
    pub server: Server,
    /// Where stint keeps what it knows.
    pub database: Database,
    /// Who may read history.
    pub api: Api,
    /// How people sign in to the web page.
    pub console: Console,
    /// How long things are kept.
    pub retention: Retention,
    /// How the audit log is signed and published.
    pub audit: Audit,
    /// The Entra tenants that stint serves, by name.
    pub tenants: Vec<Tenant>,
    /// The ticket-system instances that may ask, by name.
    pub connections: Vec<ConnectionSettings>,
}

/// Reads the file with the environment laid over it, and every file they name.
///
/// # Errors
/// [`Faults`], all of them.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, Faults> {
    load_for(SYSTEMS, path, env)
}

/// As [`load`], for a program that serves these kinds of ticket systems.
///
/// # Errors
/// [`Faults`], all of them.
pub fn load_for(
    systems: &[&Kind],
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Faults> {
    let folder = path.parent().unwrap_or(path);
    let document = Document::new(path.display().to_string(), folder);
    match std::fs::read_to_string(path) {
        Ok(text) => check(document, &text, env, systems),
        Err(error) => {
            document.root().fault(format!("cannot be read: {error}"));
            document.conclude(None)
        }
    }
}

/// As [`load`], for a text that is already at hand. Relative paths start at `base_dir`; the overrides are named and work
/// like environment variables.
///
/// # Errors
/// [`Faults`], all of them.
pub fn parse(
    text: &str,
    base_dir: &Path,
    overrides: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Faults> {
    check(Document::new("the configuration", base_dir), text, overrides, SYSTEMS)
}

/// The JSON Schema of the configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schema_of::<raw::File>();
    connection::describe(&mut schema, SYSTEMS);
    schema
}

/// The JSON Schema of a catalog file.
#[must_use]
pub fn catalog_schema() -> serde_json::Value {
    let mut schema = schema_of::<catalog::CatalogFile>();
    catalog::describe(&mut schema);
    schema
}

fn check(
    mut document: Document,
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
    systems: &[&Kind],
) -> Result<Config, Faults> {
    let Some(mut tree) = tree::parse(&document, text) else {
        return document.conclude(None);
    };
    overlay::lay_over(&mut document, &mut tree, variables);
    let own = connection::take_own(&mut tree, systems);
    let raw: raw::File = tree::read(&document, tree);
    let config = config(&document.root(), raw, Systems { known: systems, own });
    document.conclude(config)
}

fn config(at: &Place, raw: raw::File, systems: Systems) -> Option<Config> {
    let server = server::server(&at.down("server"), section(raw.server));
    let database = server::database(&at.down("database"), section(raw.database));
    let api = server::api(&at.down("api"), section(raw.api));
    let console = console::console(&at.down("console"), section(raw.console), api.as_ref());
    let audit = audit::audit(&at.down("audit"), section(raw.audit), &raw.connections.keys().cloned().collect());
    let retention = retention::retention(&at.down("retention"), section(raw.retention));
    let names = raw.tenants.keys().cloned().collect();
    let tenants = tenant::tenants(&at.down("tenants"), raw.tenants);
    let connections = connection::connections(&at.down("connections"), raw.connections, &names, systems);
    Some(Config {
        server: server?,
        database: database?,
        api: api?,
        console: console?,
        audit: audit?,
        retention: retention?,
        tenants,
        connections,
    })
}

/// A table that is absent is one without keys.
fn section<T: Default>(section: Option<Section<T>>) -> T {
    section.map(|Section(raw)| raw).unwrap_or_default()
}

fn schema_of<T: schemars::JsonSchema>() -> serde_json::Value {
    let settings = SchemaSettings::default().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// An absent key is absent in TOML, never null.
fn without_null(schema: &mut schemars::Schema) {
    use serde_json::{Value, json};

    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [single] = types.as_slice() {
            let single = single.clone();
            schema.insert("type".into(), single);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({"type": "null"}));
    }
}
