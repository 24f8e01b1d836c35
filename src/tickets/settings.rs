//! What one connection needs to know, already checked: made by the configuration, read here.

use regex::Regex;
use secrecy::SecretString;
use url::Url;

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
    /// Its name in the configuration and in the webhook's path.
    pub name: ConnectionName,
    /// The tenants it may ask for; with more than one the ticket's tenant field picks.
    pub tenants: Vec<TenantName>,
    /// Where its API is; every call goes to this origin and below this path.
    pub base_url: Url,
    /// How stint signs in there.
    pub auth: Credential,
    /// How its webhooks prove themselves.
    pub webhook: WebhookSettings,
    /// Which ticket numbers are for stint.
    pub ticket_pattern: Regex,
    /// Which of its fields say what is asked for.
    pub fields: FieldNames,
    /// Approvals older than this are refused.
    pub max_approval_age: Duration,
    /// Whether notes are hidden from customers.
    pub internal_notes: bool,
    /// What only this kind of system has.
    pub system: SystemSettings,
}

/// How webhooks of a connection prove themselves.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The scheme; a delivery by any other is refused.
    pub scheme: WebhookScheme,
    /// One or two secrets, the current one first.
    pub secrets: Vec<SecretString>,
}

/// A way to prove a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookScheme {
    /// `X-Hub-Signature: sha256=<hex>` over the raw body.
    JiraHub,
    /// `Authorization: Bearer <secret>`.
    Bearer,
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
}

/// What only one kind of system has.
#[derive(Clone, Debug)]
pub enum SystemSettings {
    /// Jira Cloud, with or without Jira Service Management.
    Jira(JiraSettings),
}

/// What only Jira has.
#[derive(Clone, Debug)]
pub struct JiraSettings {
    /// Keys of the projects that may ask.
    pub projects: Vec<String>,
    /// Ids (not names) of the statuses that mean approved.
    pub approved_statuses: Vec<String>,
    /// Ids of the statuses that withdraw a ticket although their category is not "done".
    pub withdrawn_statuses: Vec<String>,
    /// Where the approval is read from.
    pub approval: ApprovalMode,
}

/// What counts as an approval in Jira.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalMode {
    /// A JSM approval object.
    Jsm,
    /// The change into an approved status; its author is the approver.
    StatusTransition,
}
