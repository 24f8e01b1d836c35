//! `stint doctor`: asks everybody around whether they are as stint needs them, and says what will fail and why.
//!
//! Every check is a small function that gives what is to be said; [`examine`] is the list of them. It only reads, anywhere:
//! what would have to be tried by changing something is told by the rules that decide on it. No secret is ever part of what
//! is said.

mod audit;
mod connection;
mod database;
mod entitlement;
mod permissions;
mod report;
mod secret;
mod tenant;
#[cfg(test)]
mod tests;

pub use report::{Line, Outcome, Report, Said, Subject};

use crate::{clock::Clock, config::Config, outbound::Wire, tickets::Connection};

/// Checks everything that the configuration names.
pub async fn examine(config: &Config, wire: &Wire, clock: &Clock) -> Report {
    let mut report = Report::default();
    database::examine(&mut report, config, wire, clock).await;
    report.say(&Subject::database(), "audit-key", audit::key(&config.audit));
    for tenant in &config.tenants {
        tenant::examine(&mut report, tenant, wire, clock).await;
    }
    for settings in &config.connections {
        let connection = Connection::new(settings.clone(), wire.clone(), clock.clone());
        connection::examine(&mut report, settings, &connection, clock).await;
    }
    report
}
