//! How webhooks prove themselves: schemes, and secrets that are long enough and nobody else's.

use secrecy::{ExposeSecret, SecretString};

use super::auth;
use crate::{
    config::{place::Place, raw, secret},
    domain::duration::Duration,
    tickets::{
        settings::{WebhookScheme, WebhookSettings},
        signature,
    },
};

/// A webhook secret is at least so long, in bytes.
const SHORTEST: usize = 24;

pub(super) fn webhook(at: &Place, raw: raw::Webhook, tolerance: Option<Duration>) -> Option<WebhookSettings> {
    let scheme = scheme(at, raw.scheme, raw.username);
    let secrets = secret::list(at, raw.secrets, raw.secret_files)?.into_iter();
    let secrets: Vec<_> = secrets.map(|(at, secret)| check(&at, secret, scheme.as_ref())).collect();
    let secrets = secrets.into_iter().collect::<Option<_>>();
    Some(WebhookSettings { scheme: scheme?, secrets: secrets?, tolerance: tolerance? })
}

fn scheme(at: &Place, scheme: Option<raw::Scheme>, username: Option<String>) -> Option<WebhookScheme> {
    let wanted = "jira-hub, standard-webhooks, bearer or basic";
    let scheme = at.down("scheme").required(scheme, wanted)?;
    if !matches!(scheme, raw::Scheme::Basic) {
        at.unused("username", username.as_ref(), "belongs to scheme = \"basic\"; leave it out");
    }
    match scheme {
        raw::Scheme::JiraHub => Some(WebhookScheme::JiraHub),
        raw::Scheme::StandardWebhooks => Some(WebhookScheme::StandardWebhooks),
        raw::Scheme::Bearer => Some(WebhookScheme::Bearer),
        raw::Scheme::Basic => {
            let username = auth::username(&at.down("username"), username)?;
            Some(WebhookScheme::Basic { username })
        }
    }
}

/// A secret that two connections share would let the one speak for the other.
fn check(at: &Place, secret: SecretString, scheme: Option<&WebhookScheme>) -> Option<SecretString> {
    let long = secret.expose_secret().len() >= SHORTEST;
    at.hold(long, (), "long enough: a webhook secret has at least 24 bytes");
    if let Some(other) = at.document.saw_webhook_secret(&secret, at.key()) {
        at.fault(format!("is the same secret as {other}; each webhook secret serves one purpose"));
    }
    match scheme {
        Some(WebhookScheme::Bearer) => auth::for_header(at, secret),
        Some(WebhookScheme::StandardWebhooks) => {
            let good = signature::standard_webhooks::key(secret.expose_secret()).is_some();
            at.hold(
                good,
                secret,
                "whsec_ and Base64 of 24 to 64 bytes, nor whpk_ and Base64 of a public key's 32 bytes",
            )
        }
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
        let basic = Sample::new().set(&format!("{WEBHOOK}.scheme"), "'basic'");
        let config = basic.set(&format!("{WEBHOOK}.username"), "'snow'").good();
        assert_eq!(config.connections[0].webhook.scheme, WebhookScheme::Basic { username: "snow".into() });
        let fault = Sample::new().set(&format!("{WEBHOOK}.scheme"), "'basic'").fault();
        assert!(fault.starts_with(&format!("{WEBHOOK}.username: is missing")), "{fault}");
    }

    #[test]
    fn keys_of_standard_webhooks_are_in_the_form_their_senders_hand_out() {
        let with = |secret: &str| {
            let sample = Sample::new().set(&format!("{WEBHOOK}.scheme"), "'standard-webhooks'");
            sample.file("sandbox-secrets/jira-webhook", secret)
        };
        with("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").good();
        with("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").good();
        for bad in [
            "whsec_tooshort-to-be-a-key-of-a-sender",
            "whpk_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "plain text, long enough",
        ] {
            let fault = with(bad).faults().join("; ");
            assert!(fault.contains("secret_files[0]: is not whsec_ and Base64") && !fault.contains(bad), "{fault}");
        }
    }

    #[test]
    fn a_user_name_has_no_meaning_beside_a_signature() {
        let fault = Sample::new().set(&format!("{WEBHOOK}.username"), "'kim'").fault();
        assert!(fault.starts_with(&format!("{WEBHOOK}.username: belongs to scheme = \"basic\"")), "{fault}");
    }
}
