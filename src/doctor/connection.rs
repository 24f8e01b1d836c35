//! Connections: secrets, the credential at the ticket system, and which ticket numbers are taken.

use jiff::SignedDuration;
use regex::Regex;

use super::{
    report::{Report, Said, Subject},
    secret,
};
use crate::{
    clock::Clock,
    tickets::{Connection, Lookback, Source, TicketError, settings::ConnectionSettings},
};

pub(super) async fn examine(
    report: &mut Report,
    settings: &ConnectionSettings,
    connection: &Connection,
    clock: &Clock,
) {
    let about = Subject::connection(&settings.common.name);
    report.say(&about, "webhook-secret", secret::strengths(&settings.webhook.secrets));
    report.say(&about, "ticket-pattern", pattern(&settings.common.ticket_pattern));
    report.say(&about, "credential", credential(connection, clock).await);
}

/// One harmless read: what changed in the last minute.
async fn credential(connection: &Connection, clock: &Clock) -> Said {
    if connection.source() == Source::Webhooks {
        return Said::ok("tickets are not read back here, so nothing protected is granted");
    }
    let now = clock.now();
    match connection.changed(&Lookback { since: now - SignedDuration::from_mins(1), now }).await {
        Ok(_) => Said::ok("the ticket system lists tickets"),
        Err(error) => refused(&error),
    }
}

fn refused(error: &TicketError) -> Said {
    match error {
        TicketError::Credential | TicketError::Stopped => Said::fail(format!("{error}: renew what auth names")),
        TicketError::NotPermitted { .. } => Said::fail(format!("{error}: let stint's account browse these tickets")),
        TicketError::Throttled { .. } => Said::warn(format!("{error}: ask again later")),
        TicketError::Unavailable { .. } => Said::fail(format!("{error}: see to base_url and the way there")),
        _ => Said::fail(format!("{error}: see to base_url and the connection's fields and statuses")),
    }
}

/// A pattern that takes anything lets tickets in that nobody meant. The configuration has anchored it at both ends.
pub(super) fn pattern(pattern: &Regex) -> Said {
    let text = pattern.as_str();
    if pattern.is_match("") || pattern.is_match("any ticket at all") {
        return Said::warn(format!("ticket_pattern {text} takes any text: name the numbers that are meant"));
    }
    Said::ok(text)
}
