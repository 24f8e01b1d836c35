//! `[connections.…]`: the ticket-system instances that may ask.

mod auth;
mod fields;
mod own;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use toml::Table;

pub(super) use self::own::{Systems, describe, take_own};
use super::{
    address,
    place::Place,
    raw::{self, Section},
    section,
    tenant::check_names,
};
use crate::{
    domain::{
        duration::Duration,
        id::{ConnectionName, TenantName},
    },
    outbound::Credential,
    tickets::{
        Kind,
        settings::{Common, ConnectionSettings, SignIn},
    },
};

/// Names of the configured tenants, whether or not they are without fault.
pub(super) type TenantNames = BTreeSet<String>;

pub(super) fn connections(
    at: &Place,
    raw: BTreeMap<String, Section<raw::Connection>>,
    known: &TenantNames,
    mut systems: Systems,
) -> Vec<ConnectionSettings> {
    check_names(at, raw.keys());
    let mut connections = Vec::new();
    for (name, Section(raw)) in raw {
        let given = systems.own.remove(&name).unwrap_or_default();
        connections.extend(connection(&at.down(&name), name, raw, known, (systems.known, given)));
    }
    own::check_overlaps(at, &connections);
    connections
}

fn connection(
    at: &Place,
    name: String,
    raw: raw::Connection,
    known: &TenantNames,
    (systems, given): (&[&Kind], Table),
) -> Option<ConnectionSettings> {
    let kind = own::kind(&at.down("system"), raw.system.as_deref(), systems);
    let maps_fields = kind.is_none_or(|kind| kind.maps_fields);
    let example = kind.map_or("https://contoso.atlassian.net", |kind| kind.example_url);
    let tenants = tenants(&at.down("tenants"), raw.tenants, known);
    let base_url = address::base(&at.down("base_url"), raw.base_url, example);
    let ticket_pattern = ticket_pattern(&at.down("ticket_pattern"), raw.ticket_pattern);
    let several = tenants.as_ref().is_some_and(|tenants| tenants.len() > 1);
    let fields = fields::fields(&at.down("fields"), section(raw.fields), several, maps_fields);
    let max_approval_age = duration(&at.down("max_approval_age"), raw.max_approval_age, Duration::hours(24));
    let poll_interval = poll_interval(&at.down("poll_interval"), raw.poll_interval);
    let tolerance = tolerance(&at.down("tolerance"), raw.tolerance);
    let webhook = webhook::webhook(&at.down("webhook"), section(raw.webhook), tolerance);
    // Another way to match people would have to be decided here.
    let (None | Some(raw::People::Email)) = raw.people;
    let given = kind.map(|kind| own::given(at, given, kind, systems));
    let never_called = kind.zip(given.as_ref()).is_some_and(|(kind, own)| (kind.is_never_called)(own));
    if never_called && webhook.as_ref().is_some_and(|webhook| !webhook.scheme.signs_the_body()) {
        at.down("webhook").down("scheme").fault("must sign the body, since nothing but the body tells of the ticket");
    }
    let may_go_without = raw.auth.is_none() && never_called;
    let auth = if may_go_without { Some(SignIn::Fixed(Credential::Nobody)) } else { auth::auth(at, section(raw.auth)) };
    let make = kind.zip(given).and_then(|(kind, given)| own::check(at, kind, given));
    let common = Common {
        name: ConnectionName::new(name),
        tenants: tenants?,
        base_url: base_url?,
        account: auth.as_ref().and_then(account),
        ticket_pattern: ticket_pattern?,
        fields: fields?,
        max_approval_age: max_approval_age?,
        poll_interval: poll_interval?,
        internal_notes: raw.internal_notes.unwrap_or(true),
        dry_run: raw.dry_run.unwrap_or(false),
    };
    Some(ConnectionSettings { webhook: webhook?, auth: auth?, system: make?(&common), common })
}

/// Only a user name says as whom stint signs in.
fn account(auth: &SignIn) -> Option<String> {
    match auth {
        SignIn::Fixed(Credential::Basic { username, .. }) => Some(username.clone()),
        _ => None,
    }
}

/// A shorter interval would weigh on the ticket system, a longer one on whoever waits.
fn poll_interval(at: &Place, text: Option<String>) -> Option<Duration> {
    let interval = duration(at, text, Duration::minutes(5))?;
    let good = (Duration::minutes(1)..=Duration::hours(1)).contains(&interval);
    at.hold(good, interval, "between PT1M and PT1H")
}

/// A longer one would let a captured delivery be sent again (`contracts/tickets.md` H2).
fn tolerance(at: &Place, text: Option<String>) -> Option<Duration> {
    let tolerance = duration(at, text, Duration::minutes(5))?;
    at.hold(tolerance <= Duration::minutes(15), tolerance, "at most PT15M")
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

fn duration(at: &Place, text: Option<String>, default: Duration) -> Option<Duration> {
    at.parsed_or(text, default, "a duration such as PT5M or PT24H")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{Sample, at, fault_of};

    fn pattern(text: &str) -> Result<Regex, String> {
        let sample = Sample::new().set(&at("ticket_pattern"), &format!("'{text}'"));
        let config = sample.parse().map_err(|faults| faults.to_string())?;
        Ok(config.connections[0].common.ticket_pattern.clone())
    }

    fn with_two_tenants() -> Sample {
        let second = r#"{ cloud = "global", catalog = "sandbox-catalog.toml",
            tenant_id = "11111111-6a1d-4f3e-8c27-5d1e2f3a4b60", client_id = "5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80",
            credential = { kind = "secret", secret_file = "sandbox-secrets/entra-client-secret" } }"#;
        Sample::new().set("tenants.fabrikam", second).set(&at("tenants"), "['contoso', 'fabrikam']")
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let connection = Sample::new().good().connections.remove(0).common;
        assert_eq!(connection.max_approval_age, Duration::hours(24));
        assert!(connection.internal_notes && !connection.dry_run);
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
        assert_eq!(config.connections[0].common.fields.tenant.as_deref(), Some("customfield_10054"));
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
    fn intervals_and_tolerances_have_their_bounds() {
        assert!(fault_of("poll_interval", "'PT30S'").starts_with("poll_interval: is not between PT1M and PT1H"));
        assert!(fault_of("poll_interval", "'PT2H'").starts_with("poll_interval: is not between"));
        assert!(fault_of("tolerance", "'PT16M'").starts_with("tolerance: is not at most PT15M"));
    }

    #[test]
    fn what_only_webhooks_tell_is_told_by_signed_bodies() {
        let unread = || Sample::new().set("connections.service-desk.read_back", "'none'");
        unread().good();
        let config = unread().without("connections.service-desk.auth").good();
        let desk = config.connections.iter().find(|c| c.common.name.as_str() == "service-desk");
        assert!(desk.is_some_and(|desk| matches!(desk.auth, SignIn::Fixed(Credential::Nobody))));
        let fault = unread().set("connections.service-desk.webhook.scheme", "'bearer'").fault();
        assert!(fault.starts_with("connections.service-desk.webhook.scheme: must sign the body"), "{fault}");
        let fault = Sample::new().without("connections.service-desk.auth").faults().join("; ");
        assert!(fault.contains("connections.service-desk.auth.kind: is missing"), "{fault}");
    }

    #[test]
    fn keys_of_another_system_are_refused_with_its_name() {
        for (key, value, owner) in [
            ("catalog_items", "[]", "servicenow"),
            ("change_types", "['normal']", "servicenow"),
            ("read_back", "'http'", "standard"),
        ] {
            let told = format!("{key}: belongs to system = \"{owner}\"; leave it out for jira");
            assert_eq!(fault_of(key, value), told);
        }
        assert!(
            fault_of("system", "'remedy'").starts_with("system: is not accepted; accepted: jira, servicenow, standard")
        );
    }

    #[test]
    fn one_connection_serves_a_project() {
        let sample = Sample::new().file("other", "another-webhook-secret-of-32-bytes");
        let fault = sample
            .set(
                "connections.other",
                r#"{ system = "jira", tenants = ["contoso"], projects = ["OPS", "ITSEC"],
            base_url = "http://127.0.0.1:8403/", ticket_pattern = "^ITSEC-[1-9]$", approved_statuses = ["1"],
            auth = { kind = "bearer", token_file = "sandbox-secrets/jira-api-token" },
            webhook = { scheme = "bearer", secret_files = ["other"] },
            fields = { entitlement = "a", principal = "b", duration = "c" } }"#,
            )
            .fault();
        assert!(fault.contains("serves project ITSEC at the same address as connection"), "{fault}");
    }

    #[test]
    fn people_are_matched_by_email_and_nothing_else() {
        Sample::new().set(&at("people"), "'email'").good();
        assert_eq!(fault_of("people", "'name'"), "people: is not accepted; accepted: email");
    }
}
