//! Why there is no server, in words that say what to do about it.

use std::io;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// None of the known places has a usable installation.
    #[error(
        "PostgreSQL {minimum} or newer was not found. Looked for `initdb` and `postgres` in: {looked}. \
         Install it (Debian, Ubuntu: `apt-get install postgresql`; Fedora: `dnf install postgresql-server`; \
         macOS: `brew install postgresql@17`) or set STINT_PG_BIN to the folder that holds both."
    )]
    NotFound {
        /// The oldest version that will do.
        minimum: u32,
        /// The places, and why each was passed over.
        looked: String,
    },
    /// Running as root, and nobody to run the server as.
    #[error("Postgres does not run as root, and /etc/passwd has neither a user `postgres` nor `nobody`")]
    NoAccount,
    /// The new cluster could not be made.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server ended, or was not ready in time.
    #[error("Postgres did not start: {0}")]
    NotReady(String),
    /// The operating system refused something.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A database could not be created.
    #[error("could not create the database {name:?}: {source}")]
    Database {
        /// Its name.
        name: String,
        /// Why.
        source: sqlx::Error,
    },
}

pub(super) fn failed_to(doing: &str) -> impl Fn(io::Error) -> PostgresError + use<> {
    let doing = doing.to_owned();
    move |source| PostgresError::Io { doing: doing.clone(), source }
}
