//! Places that the owner of the database cannot rewrite, to which signed heads of the audit log go.
//!
//! Whoever holds the database could make a log that verifies, but not one that goes on from a head that stands elsewhere.
//! A file and an HTTP endpoint are served here; a note on a ticket is written by `tickets`, like any other.

mod file;
mod http;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

pub use file::{history, newest};

use crate::{
    domain::id::{ConnectionName, TicketId},
    outbound::Wire,
};

/// Where heads go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A file with the newest head, beside one with all of them.
    File(PathBuf),
    /// An endpoint that takes each head as a POST.
    Http {
        /// Its address.
        url: Url,
        /// What stint shows there; nothing where it asks for none.
        token: Option<SecretString>,
    },
    /// Notes on a ticket.
    Ticket {
        /// Through this connection.
        connection: ConnectionName,
        /// The ticket's immutable id.
        ticket: TicketId,
    },
}

/// Why a head is not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotPublished(pub String);

impl Destination {
    /// Kind and place in a few words, without secrets; the same for as long as the configuration is.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Http { url, .. } => format!("http {url}"),
            Self::Ticket { connection, ticket } => format!("ticket {ticket} of {connection}"),
        }
    }
}

/// Publishes a signed head to a file.
///
/// # Errors
/// [`NotPublished`] when it cannot be written, or the file holds a head that this one cannot follow.
pub async fn to_file(path: PathBuf, note: String) -> Result<(), NotPublished> {
    let written = tokio::task::spawn_blocking(move || file::publish(&path, &note)).await;
    written.unwrap_or_else(|error| Err(NotPublished(error.to_string())))
}

/// Publishes a signed head to an endpoint.
///
/// # Errors
/// [`NotPublished`] unless it answers with success.
pub async fn to_http(wire: &Wire, url: &Url, token: Option<&SecretString>, note: String) -> Result<(), NotPublished> {
    http::publish(wire, url, token, note).await
}
