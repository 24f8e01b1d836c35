//! `[connections.…]`: the ticket-system instances that may ask.

mod jira;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

use super::{
    address,
    place::{Noted, Place},
    raw::{self, Section},
    secret, section,
    tenant::check_names,
};
use crate::{
    domain::{
        duration::Duration,
        id::{ConnectionName, TenantName},
    },
    outbound::Credential,
    tickets::settings::{ConnectionSettings, FieldNames, SystemSettings},
};

/// Names of the configured tenants, whether or not they are without fault.
pub(super) type TenantNames = BTreeSet<String>;

pub(super) fn connections(
    at: &Place,
    raw: BTreeMap<String, Section<raw::Connection>>,
    known: &TenantNames,
) -> Vec<ConnectionSettings> {
    check_names(at, raw.keys());
    let checked = raw.into_iter().filter_map(|(name, Section(raw))| connection(&at.down(&name), name, raw, known));
    let connections: Vec<_> = checked.collect();
    jira::check_overlaps(at, &connections);
    connections
}

fn connection(at: &Place, name: String, mut raw: raw::Connection, known: &TenantNames) -> Option<ConnectionSettings> {
    let system = system(at, &mut raw);
    let tenants = tenants(&at.down("tenants"), raw.tenants, known);
    let base_url = address::base(&at.down("base_url"), raw.base_url, "https://contoso.atlassian.net");
    let auth = auth(&at.down("auth"), section(raw.auth));
    let webhook = webhook::webhook(&at.down("webhook"), section(raw.webhook));
    let ticket_pattern = ticket_pattern(&at.down("ticket_pattern"), raw.ticket_pattern);
    let several = tenants.as_ref().is_some_and(|tenants| tenants.len() > 1);
    let fields = fields(&at.down("fields"), section(raw.fields), several);
    let max_approval_age = duration(&at.down("max_approval_age"), raw.max_approval_age, Duration::hours(24));
    // Nothing reads these two yet, but a slip in them should not lie in wait.
    let poll_interval = duration(&at.down("poll_interval"), raw.poll_interval, Duration::minutes(5));
    let tolerance = duration(&at.down("tolerance"), raw.tolerance, Duration::minutes(5));
    poll_interval.and(tolerance)?;
    Some(ConnectionSettings {
        name: ConnectionName::new(name),
        tenants: tenants?,
        base_url: base_url?,
        auth: auth?,
        webhook: webhook?,
        ticket_pattern: ticket_pattern?,
        fields: fields?,
        max_approval_age: max_approval_age?,
        internal_notes: raw.internal_notes.unwrap_or(true),
        system: system?,
    })
}

fn system(at: &Place, raw: &mut raw::Connection) -> Option<SystemSettings> {
    let system = at.down("system");
    match system.required(raw.system, "jira")? {
        raw::System::Jira => jira::settings(at, raw).map(SystemSettings::Jira),
        raw::System::Servicenow => not_yet(&system, "servicenow", "jira"),
        raw::System::Standard => not_yet(&system, "standard", "jira"),
    }
}

fn not_yet<T>(at: &Place, name: &str, accepted: &str) -> Option<T> {
    at.unavailable(name, accepted);
    None
}

fn tenants(at: &Place, names: Option<Vec<String>>, known: &TenantNames) -> Option<Vec<TenantName>> {
    let names = at.required(names, "the names of the tenants it may ask for")?;
    let names = at.hold(!names.is_empty(), names, "a list with at least one tenant")?;
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let item = at.item(index);
        item.hold(known.contains(name), (), "the name of a configured tenant");
        item.hold(seen.insert(name), (), "new: the tenant stands here already");
    }
    Some(names.into_iter().map(TenantName::new).collect())
}

fn auth(at: &Place, raw: raw::Auth) -> Option<Credential> {
    let kind = at.down("kind");
    match kind.required(raw.kind, "basic or bearer")? {
        raw::AuthKind::Basic => {
            let other = "has no meaning beside kind = \"basic\"";
            at.unused("token", raw.token.as_ref(), other);
            at.unused("token_file", raw.token_file.as_ref(), other);
            without_client(at, &raw, other);
            let username = username(&at.down("username"), raw.username);
            let password = secret::required(at, "password", raw.password, raw.password_file);
            Some(Credential::Basic { username: username?, password: password? })
        }
        raw::AuthKind::Bearer => {
            let other = "has no meaning beside kind = \"bearer\"";
            at.unused("username", raw.username.as_ref(), other);
            at.unused("password", raw.password.as_ref(), other);
            at.unused("password_file", raw.password_file.as_ref(), other);
            without_client(at, &raw, other);
            let from = if raw.token.is_some() { "token" } else { "token_file" };
            let token = secret::required(at, "token", raw.token, raw.token_file)?;
            for_header(&at.down(from), token).map(Credential::Bearer)
        }
        raw::AuthKind::OauthClient => not_yet(&kind, "oauth-client", "basic, bearer"),
    }
}

fn without_client(at: &Place, raw: &raw::Auth, why: &str) {
    at.unused("client_id", raw.client_id.as_ref(), why);
    at.unused("secret", raw.secret.as_ref(), why);
    at.unused("secret_file", raw.secret_file.as_ref(), why);
    at.unused("token_url", raw.token_url.as_ref(), why);
}

/// A colon would end the user name where it travels.
fn username(at: &Place, name: Option<String>) -> Option<String> {
    let name = at.text(name, "the account that stint signs in with")?;
    at.hold(!name.contains(':'), name, "a user name: it holds a colon")
}

/// A bearer token that an HTTP header can carry.
fn for_header(at: &Place, token: SecretString) -> Option<SecretString> {
    let visible = token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
    at.hold(visible, token, "a token of visible ASCII characters without spaces")
}

/// The pattern, which then fits whole ticket numbers only: an alternative inside cannot escape its anchors.
fn ticket_pattern(at: &Place, text: Option<String>) -> Option<Regex> {
    let text = at.required(text, "a pattern such as ^ITSEC-[1-9][0-9]*$")?;
    let inner = text.strip_prefix('^').and_then(|text| text.strip_suffix('$'));
    let inner = inner.filter(|inner| !is_escaping(inner));
    at.hold(inner.is_some(), (), "anchored; write ^ first and $ last")?;
    let pattern = Regex::new(&format!("^(?:{})$", inner?));
    at.hold(pattern.is_ok(), (), "a regular expression")?;
    pattern.ok()
}

/// Whether the text ends so that the next character would be taken literally.
fn is_escaping(text: &str) -> bool {
    let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\').count();
    !backslashes.is_multiple_of(2)
}

fn fields(at: &Place, raw: raw::Fields, several_tenants: bool) -> Option<FieldNames> {
    let mut seen = BTreeSet::new();
    let mut field = |name: &str, given: Option<String>| {
        let here = at.down(name);
        let given = here.required(given, "the ticket system's name of that field")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let good = !given.is_empty() && given.bytes().all(plain);
        let given = here.hold(good, given, "a field's name of letters, digits and underscores")?;
        here.hold(seen.insert(given.clone()), given, "a field of its own: another key names it already")
    };
    let entitlement = field("entitlement", raw.entitlement);
    let principal = field("principal", raw.principal);
    let duration = field("duration", raw.duration);
    let tenant = match raw.tenant {
        None if several_tenants => field("tenant", None).map(Some).ok_or(Noted),
        None => Ok(None),
        given => field("tenant", given).map(Some).ok_or(Noted),
    };
    Some(FieldNames { entitlement: entitlement?, principal: principal?, duration: duration?, tenant: tenant.ok()? })
}

fn duration(at: &Place, text: Option<String>, default: Duration) -> Option<Duration> {
    at.parsed_or(text, default, "a duration such as PT5M or PT24H")
}
