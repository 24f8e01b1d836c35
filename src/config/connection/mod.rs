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
    // Another way to match people would have to be decided here.
    let (None | Some(raw::People::Email)) = raw.people;
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
    at.each(names, |item, name| {
        item.hold(known.contains(&name), (), "the name of a configured tenant")?;
        item.hold(seen.insert(name.clone()), (), "new: the tenant stands here already")?;
        Some(TenantName::new(name))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    /// A key of the sample's connection.
    fn at(key: &str) -> String {
        format!("connections.jira-cloud.{key}")
    }

    fn fault_of(key: &str, value: &str) -> String {
        let fault = Sample::new().set(&at(key), value).fault();
        fault.trim_start_matches("connections.jira-cloud.").to_owned()
    }

    fn pattern(text: &str) -> Result<Regex, String> {
        let sample = Sample::new().set(&at("ticket_pattern"), &format!("'{text}'"));
        let config = sample.parse().map_err(|faults| faults.to_string())?;
        Ok(config.connections[0].ticket_pattern.clone())
    }

    fn with_two_tenants() -> Sample {
        let second = r#"{ cloud = "global", catalog = "sandbox-catalog.toml",
            tenant_id = "11111111-6a1d-4f3e-8c27-5d1e2f3a4b60", client_id = "5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80",
            credential = { kind = "secret", secret_file = "sandbox-secrets/entra-client-secret" } }"#;
        Sample::new().set("tenants.fabrikam", second).set(&at("tenants"), "['contoso', 'fabrikam']")
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let connection = Sample::new().good().connections.remove(0);
        assert_eq!(connection.max_approval_age, Duration::hours(24));
        assert!(connection.internal_notes);
        assert_eq!(connection.tenants, [TenantName::new("contoso")]);
        assert_eq!(connection.fields.tenant, None);
    }

    #[test]
    fn everything_a_connection_needs_is_told_at_once() {
        let faults = Sample::new().set("connections.jira-cloud", "{ system = 'jira' }").faults();
        let keys: Vec<_> =
            faults.iter().filter_map(|fault| fault.split_once(": is missing")).map(|(key, _)| key).collect();
        let all = [
            "approved_statuses",
            "auth.kind",
            "base_url",
            "fields.duration",
            "fields.entitlement",
            "fields.principal",
            "projects",
            "tenants",
            "ticket_pattern",
            "webhook.scheme",
            "webhook.secret_files",
        ];
        assert_eq!(keys, all.map(at));
    }

    #[test]
    fn its_tenants_are_configured_ones_each_named_once() {
        assert!(
            fault_of("tenants", "['contoso', 'nobody']").starts_with("tenants[1]: is not the name of a configured")
        );
        assert!(fault_of("tenants", "['contoso', 'contoso']").starts_with("tenants[1]: is not new"));
        assert!(fault_of("tenants", "[]").starts_with("tenants: is not a list with at least one"));
        let fault = Sample::new().without(&at("tenants")).fault();
        assert!(fault.starts_with("connections.jira-cloud.tenants: is missing"), "{fault}");
    }

    #[test]
    fn with_several_tenants_a_field_of_the_ticket_picks() {
        let fault = with_two_tenants().fault();
        assert!(fault.starts_with("connections.jira-cloud.fields.tenant: is missing"), "{fault}");
        let config = with_two_tenants().set(&at("fields.tenant"), "'customfield_10054'").good();
        assert_eq!(config.connections[0].fields.tenant.as_deref(), Some("customfield_10054"));
    }

    #[test]
    fn each_mapped_field_is_one_of_its_own() {
        assert!(
            fault_of("fields.principal", "'customfield_10051'")
                .starts_with("fields.principal: is not a field of its own")
        );
        assert!(fault_of("fields.principal", "'a,b'").starts_with("fields.principal: is not a field's name"));
    }

    #[test]
    fn a_ticket_pattern_is_anchored_at_both_ends() {
        for bad in ["ITSEC-[0-9]+", "^ITSEC-[0-9]+", "ITSEC-[0-9]+$", r"^ITSEC-[0-9]+\$", "$^"] {
            assert!(pattern(bad).is_err_and(|fault| fault.contains("is not anchored")), "{bad}");
        }
        for bad in ["^ITSEC-[0-9+$", "^(A$"] {
            assert!(pattern(bad).is_err_and(|fault| fault.contains("is not a regular expression")), "{bad}");
        }
        assert!(pattern(r"^A\\$").is_ok_and(|pattern| pattern.is_match(r"A\")));
    }

    #[test]
    fn an_alternative_cannot_escape_the_anchors() {
        let pattern = pattern("^ITSEC-[1-9]|OPS-[1-9]$").unwrap_or_else(|fault| panic!("{fault}"));
        assert!(pattern.is_match("ITSEC-1") && pattern.is_match("OPS-1"));
        assert!(!pattern.is_match("ITSEC-1; drop") && !pattern.is_match("xOPS-1") && !pattern.is_match("OPS-1\n"));
    }

    #[test]
    fn its_address_is_https_beyond_this_machine() {
        assert!(fault_of("base_url", "'http://contoso.atlassian.net'").starts_with("base_url: must be https"));
    }

    #[test]
    fn durations_are_iso_8601() {
        for key in ["max_approval_age", "poll_interval", "tolerance"] {
            assert_eq!(fault_of(key, "'24h'"), format!("{key}: is not a duration such as PT5M or PT24H"));
        }
    }

    #[test]
    fn basic_and_bearer_take_their_own_keys_only() {
        let bearer = "{ kind = 'bearer', token_file = 'sandbox-secrets/jira-api-token' }";
        let config = Sample::new().set(&at("auth"), bearer).good();
        assert!(matches!(config.connections[0].auth, Credential::Bearer(_)));
        let fault = Sample::new().set(&at("auth"), bearer).set(&at("auth.username"), "'kim'").fault();
        assert!(fault.contains("auth.username: has no meaning beside kind = \"bearer\""), "{fault}");
        assert!(fault_of("auth.token_file", "'x'").starts_with("auth.token_file: has no meaning"));
        assert!(fault_of("auth.token_url", "'x'").starts_with("auth.token_url: has no meaning"));
        assert!(fault_of("auth.username", "'kim:x'").starts_with("auth.username: is not a user name"));
    }

    #[test]
    fn a_password_in_the_file_is_refused_and_one_in_the_environment_taken() {
        let fault = fault_of("auth.password", "'hunter2'");
        assert!(fault.ends_with("use password_file or STINT__CONNECTIONS__JIRA_CLOUD__AUTH__PASSWORD"), "{fault}");
        let variable = "STINT__CONNECTIONS__JIRA_CLOUD__AUTH__PASSWORD";
        let config = Sample::new().variable(variable, "4711").good();
        let Credential::Basic { username, password } = &config.connections[0].auth else { panic!("basic") };
        assert_eq!((username.as_str(), password.expose_secret()), ("stint@contoso.example", "4711"));
    }

    #[test]
    fn a_bearer_token_fits_into_a_header() {
        let bearer = "{ kind = 'bearer', token_file = 't' }";
        let fault = Sample::new().set(&at("auth"), bearer).file("t", "two\nlines").fault();
        assert!(fault.contains("auth.token_file: is not a token of visible ASCII"), "{fault}");
    }

    #[test]
    fn what_belongs_to_later_work_is_named_as_not_available() {
        for system in ["servicenow", "standard"] {
            let told = format!("system: {system} is not available in this version; accepted: jira");
            assert_eq!(fault_of("system", &format!("'{system}'")), told);
        }
        let fault = fault_of("auth.kind", "'oauth-client'");
        assert_eq!(fault, "auth.kind: oauth-client is not available in this version; accepted: basic, bearer");
    }

    #[test]
    fn people_are_matched_by_email_and_nothing_else() {
        Sample::new().set(&at("people"), "'email'").good();
        assert_eq!(fault_of("people", "'name'"), "people: is not accepted; accepted: email");
    }
}
