//! How webhooks prove themselves: schemes, and secrets that are long enough and nobody else's.

use secrecy::{ExposeSecret, SecretString};

use super::{for_header, not_yet};
use crate::{
    config::{place::Place, raw, secret},
    tickets::settings::{WebhookScheme, WebhookSettings},
};

/// A webhook secret is at least so long, in bytes.
const SHORTEST: usize = 24;

pub(super) fn webhook(at: &Place, raw: raw::Webhook) -> Option<WebhookSettings> {
    let other = "belongs to scheme = \"basic\"; leave it out";
    at.unused("username", raw.username.as_ref(), other);
    let scheme = scheme(&at.down("scheme"), raw.scheme);
    let secrets = secret::list(at, raw.secrets, raw.secret_files)?.into_iter();
    let secrets: Vec<_> = secrets.map(|(at, secret)| check(&at, secret, scheme)).collect();
    Some(WebhookSettings { scheme: scheme?, secrets: secrets.into_iter().collect::<Option<_>>()? })
}

fn scheme(at: &Place, scheme: Option<raw::Scheme>) -> Option<WebhookScheme> {
    match at.required(scheme, "jira-hub or bearer")? {
        raw::Scheme::JiraHub => Some(WebhookScheme::JiraHub),
        raw::Scheme::Bearer => Some(WebhookScheme::Bearer),
        raw::Scheme::StandardWebhooks => not_yet(at, "standard-webhooks", "jira-hub, bearer"),
        raw::Scheme::Basic => not_yet(at, "basic", "jira-hub, bearer"),
    }
}

/// A secret that two connections share would let the one speak for the other.
fn check(at: &Place, secret: SecretString, scheme: Option<WebhookScheme>) -> Option<SecretString> {
    let long = secret.expose_secret().len() >= SHORTEST;
    at.hold(long, (), "long enough: a webhook secret has at least 24 bytes");
    if let Some(other) = at.document.saw_webhook_secret(&secret, at.key()) {
        at.fault(format!("is the same secret as {other}; each webhook secret serves one purpose"));
    }
    match scheme {
        Some(WebhookScheme::Bearer) => for_header(at, secret),
        _ => Some(secret),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use crate::{
        config::testing::{Sample, WEBHOOK_SECRET},
        tickets::settings::{WebhookScheme, WebhookSettings},
    };

    const WEBHOOK: &str = "connections.jira-cloud.webhook";
    const FILES: &str = "connections.jira-cloud.webhook.secret_files";
    const VARIABLE: &str = "STINT__CONNECTIONS__JIRA_CLOUD__WEBHOOK__SECRETS";

    fn secrets(webhook: &WebhookSettings) -> Vec<&str> {
        webhook.secrets.iter().map(ExposeSecret::expose_secret).collect()
    }

    #[test]
    fn one_or_two_secrets_come_from_files_the_current_one_first() {
        let config = Sample::new().file("old", "the-previous-secret-of-32-bytes-0").good();
        assert_eq!(secrets(&config.connections[0].webhook), [WEBHOOK_SECRET]);
        let both = Sample::new().file("old", "the-previous-secret-of-32-bytes-0\n");
        let config = both.set(FILES, "['sandbox-secrets/jira-webhook', 'old']").good();
        assert_eq!(secrets(&config.connections[0].webhook), [WEBHOOK_SECRET, "the-previous-secret-of-32-bytes-0"]);
    }

    #[test]
    fn no_secret_and_three_secrets_are_refused() {
        for list in ["[]", "['a', 'b', 'c']"] {
            let fault = Sample::new().set(FILES, list).fault();
            assert!(fault.starts_with(&format!("{FILES}: is not a list of one or two")), "{fault}");
        }
    }

    #[test]
    fn the_environment_gives_one_secret_or_a_list() {
        let config = Sample::new().variable(VARIABLE, "the-only-secret-of-24-byt").good();
        assert_eq!(secrets(&config.connections[0].webhook), ["the-only-secret-of-24-byt"]);
        let list = r#"["the-current-secret-of-24-b", "the-previous-secret-of-24-"]"#;
        let config = Sample::new().variable(VARIABLE, list).good();
        assert_eq!(config.connections[0].webhook.secrets.len(), 2);
    }

    #[test]
    fn secrets_in_the_file_are_refused() {
        let fault = Sample::new().set(&format!("{WEBHOOK}.secrets"), "['hunter2']").fault();
        assert_eq!(
            fault,
            format!("{WEBHOOK}.secrets: is a secret and may not stand in this file; use secret_files or {VARIABLE}")
        );
    }

    #[test]
    fn a_secret_has_at_least_24_bytes() {
        let short = Sample::new().file("sandbox-secrets/jira-webhook", "x".repeat(23) + "\n").fault();
        assert!(short.starts_with(&format!("{FILES}[0]: is not long enough")), "{short}");
        Sample::new().file("sandbox-secrets/jira-webhook", "x".repeat(24)).good();
    }

    #[test]
    fn no_secret_serves_twice_in_one_connection_or_two() {
        let fault = Sample::new().file("same", WEBHOOK_SECRET).set(FILES, "['sandbox-secrets/jira-webhook', 'same']");
        let told = format!("{FILES}[1]: is the same secret as {FILES}[0]; each webhook secret serves one purpose");
        assert_eq!(fault.fault(), told);
        let sample = Sample::new().set(
            "connections.other",
            r#"{ system = "jira", tenants = ["contoso"], projects = ["OPS"],
            base_url = "https://contoso.atlassian.net", ticket_pattern = "^OPS-[1-9]$", approved_statuses = ["1"],
            auth = { kind = "bearer", token_file = "sandbox-secrets/jira-api-token" },
            webhook = { scheme = "bearer", secret_files = ["sandbox-secrets/jira-webhook"] },
            fields = { entitlement = "a", principal = "b", duration = "c" } }"#,
        );
        let fault = sample.fault();
        assert!(fault.starts_with("connections.other.webhook.secret_files[0]: is the same secret as"), "{fault}");
        assert!(!fault.contains(WEBHOOK_SECRET));
    }

    #[test]
    fn jira_hub_and_bearer_are_known_schemes() {
        let config = Sample::new().good();
        assert_eq!(config.connections[0].webhook.scheme, WebhookScheme::JiraHub);
        let config = Sample::new().set(&format!("{WEBHOOK}.scheme"), "'bearer'").good();
        assert_eq!(config.connections[0].webhook.scheme, WebhookScheme::Bearer);
        for scheme in ["standard-webhooks", "basic"] {
            let fault = Sample::new().set(&format!("{WEBHOOK}.scheme"), &format!("'{scheme}'")).fault();
            assert!(
                fault.starts_with(&format!("{WEBHOOK}.scheme: {scheme} is not available in this version")),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_user_name_has_no_meaning_beside_a_signature() {
        let fault = Sample::new().set(&format!("{WEBHOOK}.username"), "'kim'").fault();
        assert!(fault.starts_with(&format!("{WEBHOOK}.username: belongs to scheme = \"basic\"")), "{fault}");
    }
}
