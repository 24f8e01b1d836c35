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
