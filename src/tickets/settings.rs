//! What one connection needs to know, already checked: made by the configuration, read here.

use std::sync::Arc;

use regex::Regex;
use secrecy::SecretString;
use url::Url;

use super::TicketSystem;
use crate::{
    domain::{
        duration::Duration,
        id::{ConnectionName, TenantName},
    },
    outbound::Credential,
};

/// One configured ticket-system instance.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// What every kind of system has.
    pub common: Common,
    /// How its webhooks prove themselves.
    pub webhook: WebhookSettings,
    /// How stint signs in at its API.
    pub auth: SignIn,
    /// The ticket system behind it, told everything about this instance.
    pub system: Arc<dyn TicketSystem>,
}

/// What a connection has whatever kind of system is behind it.
#[derive(Clone, Debug)]
pub struct Common {
    /// Its name in the configuration and in the webhook's path.
    pub name: ConnectionName,
    /// The tenants it may ask for; with more than one the ticket's tenant field picks.
    pub tenants: Vec<TenantName>,
    /// Where its API is; every call goes to this origin and below this path.
    pub base_url: Url,
    /// The account stint signs in with; `None` where its way to sign in does not name one.
    pub account: Option<String>,
    /// Which ticket numbers are for stint.
    pub ticket_pattern: Regex,
    /// Which of its fields say what is asked for.
    pub fields: FieldNames,
    /// Approvals older than this are refused.
    pub max_approval_age: Duration,
    /// How often tickets are looked for whose webhook never came, and how often the ticket behind an assignment is read.
    pub poll_interval: Duration,
    /// Whether notes are hidden from customers.
    pub internal_notes: bool,
    /// What its tickets ask for is only tried, never granted.
    pub dry_run: bool,
}

impl Common {
    /// The tenant, where there is only one; otherwise each ticket picks.
    #[must_use]
    pub fn only_tenant(&self) -> Option<&TenantName> {
        if let [only] = self.tenants.as_slice() { Some(only) } else { None }
    }
}

/// How stint signs in at a ticket system.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// The same proof with every call.
    Fixed(Credential),
    /// A bearer token from the system's own token endpoint, renewed before it ends (`contracts/tickets.md` B4).
    OauthClient {
        /// The client's id.
        client_id: String,
        /// Its secret.
        secret: SecretString,
        /// Where tokens are issued.
        token_url: Url,
    },
}

/// How webhooks of a connection prove themselves.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The scheme; a delivery by any other is refused.
    pub scheme: WebhookScheme,
    /// One or two secrets, the current one first.
    pub secrets: Vec<SecretString>,
    /// How far a signed timestamp may be off.
    pub tolerance: Duration,
}

/// A way to prove a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookScheme {
    /// `X-Hub-Signature: sha256=<hex>` over the raw body.
    JiraHub,
    /// The `webhook-*` headers over id, timestamp and raw body, by shared key (`whsec_…`) or public key (`whpk_…`).
    StandardWebhooks,
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// `Authorization: Basic`, the secret being the password.
    Basic {
        /// The account.
        username: String,
    },
}

impl WebhookScheme {
    /// Whether the proof is bound to the body, so that nobody on the way can change what it tells.
    #[must_use]
    pub fn signs_the_body(&self) -> bool {
        matches!(self, Self::JiraHub | Self::StandardWebhooks)
    }
}

/// The ticket system's own names for the mapped fields.
#[derive(Clone, Debug)]
pub struct FieldNames {
    /// Holds a catalog key or an exact title.
    pub entitlement: String,
    /// Holds an object id or a UPN.
    pub principal: String,
    /// Holds an ISO 8601 duration.
    pub duration: String,
    /// Holds a tenant's name, where the connection serves several.
    pub tenant: Option<String>,
    /// Holds the moment before which there is no access.
    pub window_start: Option<String>,
    /// Holds the moment after which there is no access.
    pub window_end: Option<String>,
}

impl FieldNames {
    /// Every mapped name.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let asked = [&self.entitlement, &self.principal, &self.duration].into_iter();
        asked.chain(&self.tenant).chain(&self.window_start).chain(&self.window_end).map(String::as_str)
    }
}
