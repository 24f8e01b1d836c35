//! The configuration as a whole; each rule is tested beside its check.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::{
    testing::{SECRETS, Sample, WEBHOOK_SECRET},
    *,
};
use crate::tickets::{Source, settings::SignIn};

const NONE: [(String, String); 0] = [];

#[test]
fn the_sandboxes_configuration_is_good_and_points_at_the_simulators() {
    let config = Sample::new().good();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.ops_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.api.login_url.as_str(), "http://127.0.0.1:8401/");
    assert_eq!(config.tenants[0].graph.name.as_str(), "contoso");
    assert_eq!(config.tenants[0].graph.login_url.as_str(), "http://127.0.0.1:8401/");
    assert_eq!(config.tenants[0].graph.graph_url.as_str(), "http://127.0.0.1:8402/");
    assert_eq!(config.connections[0].common.base_url.as_str(), "http://127.0.0.1:8403/");
    let keys = config.tenants[0].catalog.entitlements.keys();
    let keys: Vec<_> = keys.map(|key| key.as_str().to_owned()).collect();
    assert_eq!(keys, ["exchange-admin", "global-admin", "helpdesk-admin"]);
}

#[test]
fn the_shipped_configuration_lacks_nothing_but_its_secret_files() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/stint.toml");
    let faults = load(&shipped, NONE).expect_err("its secrets are not shipped");
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "connections.jira-cloud.auth.password_file",
            "connections.jira-cloud.webhook.secret_files[0]",
            "tenants.contoso.credential.secret_file",
        ]
    );
    assert!(faults.iter().all(|fault| fault.problem.starts_with("cannot read ")));
}

#[test]
fn the_shipped_configuration_is_good_once_its_secrets_come_by_environment() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/stint.toml");
    let variables = [
        ("STINT__CONNECTIONS__JIRA_CLOUD__AUTH__PASSWORD", "token"),
        ("STINT__CONNECTIONS__JIRA_CLOUD__WEBHOOK__SECRETS", WEBHOOK_SECRET),
        ("STINT__TENANTS__CONTOSO__CREDENTIAL__SECRET", "secret"),
    ];
    let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let config = load(&shipped, variables).expect("a good configuration");
    assert_eq!(config.tenants[0].graph.graph_url.as_str(), "https://graph.microsoft.com/");
}

#[test]
fn the_shipped_files_show_every_key_there_is() {
    let files = [
        (include_str!("../../config/stint.toml"), schema()),
        (include_str!("../../config/catalog.toml"), catalog_schema()),
    ];
    for (text, schema) in files {
        let mut keys = vec![];
        gather_keys(&schema, &mut keys);
        assert!(keys.len() > 10);
        for key in keys {
            assert!(text.contains(&key), "{key} is not explained");
        }
    }
}

fn gather_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    let Some(members) = schema.as_object() else { return };
    if let Some(properties) = members.get("properties").and_then(|p| p.as_object()) {
        keys.extend(properties.keys().cloned());
    }
    members.values().for_each(|value| gather_keys(value, keys));
}

#[test]
fn one_message_names_every_fault_of_every_file_and_no_value() {
    let faults = Sample::new()
        .set("server.listen", "'hunter2'")
        .set("api.audience", "4711")
        .set("database.url", "'postgres://stint:hunter2@db/stint'")
        .set("tenants.contoso.credential.secret", "'hunter2'")
        .set("connections.jira-cloud.auth.pasword_file", "'hunter2'")
        .set("connections.jira-cloud.projects", "['itsec', 'ITSEC', 'a']")
        .catalog("entitlements.global-admin.protected", "false")
        .variable("STINT__SERVER__LISTN", "hunter2")
        .parse()
        .expect_err("faults");
    let told = faults.to_string();
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "api.audience",
            "connections.jira-cloud.auth.pasword_file",
            "connections.jira-cloud.projects[0]",
            "connections.jira-cloud.projects[2]",
            "database.url",
            "entitlements.global-admin.protected",
            "server.listen",
            "server.listn",
            "tenants.contoso.credential.secret",
        ]
    );
    assert_eq!(told.lines().count(), keys.len());
    assert!(!told.contains("hunter2") && !told.contains("4711"), "{told}");
    assert!(told.contains("sandbox-catalog.toml: entitlements.global-admin.protected: must be true"));
    assert!(told.contains("STINT__SERVER__LISTN: server.listn: is not a known key; known here: listen,"));
}

#[test]
fn an_empty_file_is_told_everything_that_is_missing() {
    let faults = parse("", Path::new("."), NONE).expect_err("faults");
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["api.audience", "api.tenant_id", "database.url", "server.public_url", "tenants"]);
}

#[test]
fn a_file_that_is_no_toml_is_named_with_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stint.toml");
    fs::write(&path, "[server]\nlisten = 127.0.0.1\n").expect("a file");
    let told = load(&path, NONE).expect_err("fault").to_string();
    assert!(told.starts_with(&format!("{}: line 2, column 1", path.display())), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let told = load(Path::new("/nowhere/stint.toml"), NONE).expect_err("fault").to_string();
    assert!(told.starts_with("/nowhere/stint.toml: cannot be read: "), "{told}");
}

#[test]
fn relative_paths_start_at_the_file_that_names_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stint.toml");
    fs::write(&path, SANDBOX).expect("a file");
    fs::write(folder.path().join("sandbox-catalog.toml"), SANDBOX_CATALOG).expect("a file");
    fs::create_dir(folder.path().join("sandbox-secrets")).expect("a folder");
    for (name, secret) in SECRETS {
        fs::write(folder.path().join("sandbox-secrets").join(name), secret).expect("a file");
    }
    assert!(load(&path, NONE).is_ok());
}

#[test]
fn the_environment_wins_over_the_file_and_is_named_in_faults() {
    let config = Sample::new()
        .variable("STINT__SERVER__LISTEN", "127.0.0.1:0")
        .variable("STINT__SERVER__MAX_BODY_BYTES", "2048")
        .variable("STINT__CONNECTIONS__JIRA_CLOUD__BASE_URL", "http://127.0.0.1:5000")
        .variable("STINT__CONNECTIONS__JIRA_CLOUD__INTERNAL_NOTES", "false")
        .variable("STINT__CONNECTIONS__JIRA_CLOUD__APPROVED_STATUSES", r#"["1", "2"]"#)
        .good();
    assert_eq!((config.server.listen.port(), config.server.max_body_bytes), (0, 2048));
    assert_eq!(config.connections[0].common.base_url.port(), Some(5000));
    assert!(!config.connections[0].common.internal_notes);

    let faults = Sample::new().variable("STINT__SERVER__LISTEN", "here").parse();
    let told = faults.expect_err("fault").to_string();
    assert!(told.starts_with("STINT__SERVER__LISTEN: server.listen: is not an IP address"), "{told}");
}

#[test]
fn a_value_that_is_toml_but_does_not_fit_is_taken_as_text() {
    let config = Sample::new()
        .variable("STINT__API__AUDIENCE", "12345")
        .variable("STINT__CONNECTIONS__JIRA_CLOUD__AUTH__USERNAME", "true")
        .good();
    assert_eq!(config.api.audience, "12345");

    let fault = Sample::new().variable("STINT__SERVER__MAX_BODY_BYTES", "[1]").fault();
    assert!(fault.starts_with("server.max_body_bytes: must be a whole number"), "{fault}");
}

#[test]
fn a_whole_table_may_come_from_one_variable_with_its_secret() {
    let table = r#"{ kind = "bearer", token = "a-token" }"#;
    let config = Sample::new().variable("STINT__CONNECTIONS__JIRA_CLOUD__AUTH", table).good();
    assert!(matches!(config.connections[0].auth, SignIn::Fixed(crate::outbound::Credential::Bearer(_))));
}

#[test]
fn an_array_is_no_table() {
    let fault = Sample::new().set("server", "['127.0.0.1:8080']").fault();
    assert_eq!(fault, "server: must be a table, not an array");
}

#[test]
fn debug_output_shows_no_secret() {
    let config = Sample::new().variable("STINT__DATABASE__URL", "postgres://stint:hunter2@db/stint").good();
    let shown = format!("{config:?}");
    for secret in ["hunter2", "an-entra-secret", "a-jira-token", WEBHOOK_SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// The sample with a standard connection beside its own.
fn with_desk(own: &str) -> Sample {
    let desk = r#"{ system = "standard", tenants = ["contoso"], base_url = "https://desk.contoso.com",
        ticket_pattern = "^DESK-[1-9][0-9]*$", webhook = { scheme = "standard-webhooks", secret_files = ["desk"] }"#;
    let secret = "whsec_Zml4dHVyZSBzdGFuZGFyZCB3ZWJob29rIGtleSBvbmU=";
    Sample::new().file("desk", secret).set("connections.desk", &format!("{desk}{own} }}"))
}

#[test]
fn a_standard_connection_that_reads_nothing_back_needs_no_way_to_sign_in() {
    let config = with_desk(", read_back = 'none'").good();
    let desk = config.connections.iter().find(|connection| connection.common.name.as_str() == "desk").expect("desk");
    assert_eq!(desk.system.source(), Source::Webhooks);
    let token = ", auth = { kind = 'bearer', token_file = 'sandbox-secrets/jira-api-token' }";
    for own in [token.to_owned(), format!("{token}, read_back = 'http'")] {
        let config = with_desk(&own).good();
        assert_eq!(config.connections[0].system.source(), Source::ReadBack);
    }
    let fault = with_desk("").fault();
    assert!(fault.starts_with("connections.desk.auth.kind: is missing"), "{fault}");
}

#[test]
fn a_standard_connection_maps_no_fields_and_has_no_key_of_another_kind() {
    let fault = with_desk(", read_back = 'none', fields = { duration = 'length' }").fault();
    assert!(fault.starts_with("connections.desk.fields.duration: has no meaning"), "{fault}");
    let fault = with_desk(", read_back = 'none', projects = ['ITSEC']").fault();
    assert!(fault.starts_with("connections.desk.projects: belongs to system = \"jira\""), "{fault}");
    let faults = with_desk(", read_back = 'sometimes'").faults();
    assert!(faults.iter().any(|fault| fault.starts_with("connections.desk.read_back: is not accepted")), "{faults:?}");
    with_desk(", read_back = 'none', fields = { tenant = 'customer' }").good();
}

#[test]
fn the_schema_knows_every_key_but_no_inline_secret_and_no_null() {
    let text = schema().to_string();
    for key in ["connections", "ticket_pattern", "secret_files", "service_principal_id", "read_back"] {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
    for absent in ["\"password\"", "\"secrets\"", "\"private_key\"", "\"signing_key\"", "\"null\""] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(catalog_schema().to_string().contains("\"entitlements\""));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_or_say_nothing(text in r#"([a-z\[\]{}=.,"'\n 0-9-]|\\[api\\]\n|url ?= ?|server|tenants|connections\.|auth){0,60}"#) {
        let faults = parse(&text, Path::new("/nowhere"), NONE).expect_err("no such text is a configuration");
        prop_assert!(faults.iter().count() > 0);
    }

    #[test]
    fn no_variable_makes_the_reader_panic(
        key in "(SERVER|TENANTS|CONNECTIONS|JIRA_CLOUD|CONTOSO|AUTH|WEBHOOK|FIELDS|NEVER|PROJECTS|_|__|[a-z]){0,8}",
        value in r#"(\[|\]|\{|\}|"|=|,|a|1|true){0,8}"#,
    ) {
        let variable = (format!("STINT__{key}"), value);
        prop_assert!(parse(SANDBOX, Path::new("/nowhere"), [variable]).is_err());
    }
}
