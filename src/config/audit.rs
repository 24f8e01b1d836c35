//! `[audit]`: the key that signs the audit log, and where its signed heads are published.

use std::collections::BTreeSet;

use secrecy::ExposeSecret as _;

use super::{address, place::Place, raw, raw::Section, secret};
use crate::{
    domain::{
        duration::Duration,
        id::{ConnectionName, TicketId},
        proof::SigningKey,
    },
    publish::Destination,
};

/// How the audit log is signed and published.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What signs heads of the log and ends of exports; without it nothing is signed.
    pub signing_key: Option<SigningKey>,
    /// Where signed heads go.
    pub publish: Vec<Destination>,
    /// How often.
    pub publish_interval: Duration,
}

pub(super) fn audit(at: &Place, raw: raw::Audit, connections: &BTreeSet<String>) -> Option<Audit> {
    let given = raw.signing_key.is_some() || raw.signing_key_file.is_some();
    let keys = given.then_some((raw.signing_key, raw.signing_key_file));
    let signing_key = at.optional(keys, |at, (inline, file)| signing_key(at, inline, file));
    let publish = at.down("publish");
    let destinations =
        publish.each(raw.publish.unwrap_or_default(), |at, Section(raw)| destination(at, raw, connections));
    let publish_interval = interval(&at.down("publish_interval"), raw.publish_interval);
    let destinations = distinct(&publish, destinations?)?;
    if !given && !destinations.is_empty() {
        at.down("signing_key_file").fault("is missing; what is published is signed. `stint audit new-key` makes a key");
        return None;
    }
    Some(Audit { signing_key: signing_key.ok()?, publish: destinations, publish_interval: publish_interval? })
}

fn signing_key(at: &Place, inline: Option<String>, file: Option<String>) -> Option<SigningKey> {
    let from = if inline.is_some() { "signing_key" } else { "signing_key_file" };
    let text = secret::required(at, "signing_key", inline, file)?;
    let key = SigningKey::parse(text.expose_secret()).ok();
    let wanted = "a key as `stint audit new-key` writes it, PRIVATE+KEY+<name>+<id>+<key>";
    at.down(from).hold(key.is_some(), key, wanted)?
}

/// A shorter interval would flood tickets, a longer one leave much to be rewritten.
fn interval(at: &Place, text: Option<String>) -> Option<Duration> {
    let interval = at.parsed_or(text, Duration::hours(1), "a duration such as PT1H or PT24H")?;
    let good = (Duration::minutes(1)..=Duration::hours(168)).contains(&interval);
    at.hold(good, interval, "between PT1M and PT168H")
}

fn destination(at: &Place, raw: raw::Publish, connections: &BTreeSet<String>) -> Option<Destination> {
    let kind = at.down("kind").required(raw.kind, "file, http or ticket")?;
    refuse_others(at, kind, &raw);
    match kind {
        raw::PublishKind::File => {
            let path = at.down("path").text(raw.path, "the path of a file")?;
            Some(Destination::File(at.path(&path)))
        }
        raw::PublishKind::Http => {
            let url = address::base(&at.down("url"), raw.url, "https://witness.contoso.com/stint");
            let token = at.down("token_file").optional(raw.token_file, |at, file| secret::read(at, &file));
            Some(Destination::Http { url: url?, token: token.ok()? })
        }
        raw::PublishKind::Ticket => {
            let here = at.down("connection");
            let connection = here.text(raw.connection, "the name of a connection");
            let ticket = at.down("ticket").text(raw.ticket, "the immutable id of a ticket");
            let connection = connection?;
            let connection = here.hold(
                connections.contains(&connection),
                connection,
                "the name of a connection that is configured",
            )?;
            Some(Destination::Ticket { connection: ConnectionName::new(connection), ticket: TicketId::new(ticket?) })
        }
    }
}

/// Which keys each kind has; every other one is a slip.
fn refuse_others(at: &Place, kind: raw::PublishKind, raw: &raw::Publish) {
    let (name, own): (&str, &[&str]) = match kind {
        raw::PublishKind::File => ("file", &["path"]),
        raw::PublishKind::Http => ("http", &["url", "token_file"]),
        raw::PublishKind::Ticket => ("ticket", &["connection", "ticket"]),
    };
    let all = [
        ("path", raw.path.is_some()),
        ("url", raw.url.is_some()),
        ("token_file", raw.token_file.is_some()),
        ("connection", raw.connection.is_some()),
        ("ticket", raw.ticket.is_some()),
    ];
    for (key, _) in all.into_iter().filter(|(key, is_given)| *is_given && !own.contains(key)) {
        at.down(key).fault(format!("has no meaning beside kind = \"{name}\""));
    }
}

/// Two entries for one place would be taken for one.
fn distinct(at: &Place, destinations: Vec<Destination>) -> Option<Vec<Destination>> {
    let mut seen = BTreeSet::new();
    for (index, destination) in destinations.iter().enumerate() {
        let is_new = seen.insert(destination.name());
        at.item(index).hold(is_new, (), "a place of its own: another entry names it already")?;
    }
    Some(destinations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    fn key() -> String {
        SigningKey::text_of("stint.contoso.com", &[7; 32]).expect("a key")
    }

    fn with(publish: &str) -> Sample {
        Sample::new()
            .file("audit-key", key() + "\n")
            .file("token", "a-token")
            .set("audit.signing_key_file", "'audit-key'")
            .set("audit.publish", publish)
    }

    #[test]
    fn without_the_section_nothing_is_signed_and_nothing_published() {
        let audit = Sample::new().good().audit;
        assert!(audit.signing_key.is_none() && audit.publish.is_empty());
        assert_eq!(audit.publish_interval, Duration::hours(1));
    }

    #[test]
    fn a_key_comes_from_a_file_or_a_variable_and_is_never_shown() {
        for sample in [
            Sample::new().file("audit-key", key() + "\n").set("audit.signing_key_file", "'audit-key'"),
            Sample::new().variable("STINT__AUDIT__SIGNING_KEY", &key()),
        ] {
            let audit = sample.good().audit;
            assert_eq!(audit.signing_key.as_ref().map(SigningKey::name), Some("stint.contoso.com"));
            assert!(!format!("{audit:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn a_key_may_not_stand_in_the_file_and_must_be_one() {
        let inline = Sample::new().set("audit.signing_key", &format!("'{}'", key())).fault();
        assert!(inline.starts_with("audit.signing_key: is a secret and may not stand in this file"), "{inline}");
        let other = Sample::new().variable("STINT__AUDIT__SIGNING_KEY", "hunter2").fault();
        assert!(other.contains("is not a key as `stint audit new-key` writes it") && !other.contains("hunter2"));
    }

    #[test]
    fn each_kind_of_place_has_its_keys() {
        let publish = "[{ kind = 'file', path = 'checkpoint' }, \
                       { kind = 'http', url = 'https://witness.contoso.com/stint', token_file = 'token' }, \
                       { kind = 'ticket', connection = 'jira-cloud', ticket = '10001' }]";
        let names: Vec<_> = with(publish).good().audit.publish.iter().map(Destination::name).collect();
        assert!(names[0].starts_with("file /") && names[0].ends_with("/checkpoint"), "{names:?}");
        assert_eq!(names[1..], ["http https://witness.contoso.com/stint", "ticket 10001 of jira-cloud"]);
        for (entry, fault) in [
            ("{ path = 'x' }", "publish[0].kind: is missing"),
            ("{ kind = 'file' }", "publish[0].path: is missing"),
            ("{ kind = 'file', path = 'x', url = 'y' }", "publish[0].url: has no meaning"),
            ("{ kind = 'http', url = 'http://witness.contoso.com' }", "publish[0].url: must be https"),
            ("{ kind = 'http', url = 'https://x.example', token_file = 'no' }", "publish[0].token_file: cannot read"),
            ("{ kind = 'ticket', connection = 'other', ticket = '1' }", "publish[0].connection: is not the name"),
            ("{ kind = 'ticket', connection = 'jira-cloud' }", "publish[0].ticket: is missing"),
            ("{ kind = 'file', path = 'x' }, { kind = 'file', path = 'x' }", "publish[1]: is not a place of its own"),
        ] {
            let told = with(&format!("[{entry}]")).fault();
            assert!(told.starts_with(&format!("audit.{fault}")), "{told}");
        }
    }

    #[test]
    fn what_is_published_is_signed_and_not_too_often() {
        let unsigned = Sample::new().set("audit.publish", "[{ kind = 'file', path = 'x' }]").fault();
        assert!(unsigned.starts_with("audit.signing_key_file: is missing"), "{unsigned}");
        let often = Sample::new().set("audit.publish_interval", "'PT10S'").fault();
        assert_eq!(often, "audit.publish_interval: is not between PT1M and PT168H");
    }
}
