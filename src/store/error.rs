//! What can go wrong at the database, told apart by what to do about it.

use std::{fmt::Display, sync::Arc};

use crate::domain::{id::RequestId, lifecycle::IllegalMove};

/// `query_canceled`: `statement_timeout`, which is set for readers only.
const QUERY_CANCELED: &str = "57014";

/// Why a call on the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or failed; what was asked may or may not have been done.
    #[error("the database failed: {0}")]
    Database(sqlx::Error),
    /// None of the servers that the URL names takes writes; what each of them said.
    #[error("no database server takes writes: {0}")]
    NoServer(String),
    /// A delivery was not taken in: too many wait, or the database cannot be reached.
    #[error("the delivery was not taken in")]
    NotTakenIn,
    /// What befell the group that a delivery was taken in with; it may or may not be there.
    #[error("{0}")]
    Group(Arc<Self>),
    /// A reader's query took longer than readers may take.
    #[error("a reader's query took too long")]
    TookTooLong,
    /// Somebody else has the right to this step now; nothing was changed.
    #[error("the lease on request {0} is no longer held")]
    LeaseLost(RequestId),
    /// The approval was already used by another request; nothing was changed.
    #[error("request {0} rests on an approval that another request used")]
    ApprovalUsed(RequestId),
    /// Another attempt on the same principal and target is open; nothing was changed.
    #[error("request {0} must wait for another attempt on the same principal and target")]
    HoldingBusy(RequestId),
    /// An order to end the request arrived meanwhile and comes first; nothing was changed.
    #[error("request {0} was ordered to end")]
    EndOrdered(RequestId),
    /// The move is not in the table; nothing was changed.
    #[error("request {0}: {1}")]
    Illegal(RequestId, IllegalMove),
    /// A row does not hold what it must.
    #[error("table {table}, column {column}, row {row}: {why}")]
    BadRow {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong.
        why: String,
    },
    /// A migration failed.
    #[error("the migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

impl StoreError {
    pub(super) fn bad(table: &'static str, column: &'static str, row: impl Display, why: impl Display) -> Self {
        Self::BadRow { table, column, row: row.to_string(), why: why.to_string() }
    }

    /// Reads a violated guard by its name.
    pub(super) fn of_request(error: sqlx::Error, request: RequestId) -> Self {
        let constraint = error.as_database_error().and_then(|e| e.constraint());
        match constraint {
            Some("requests_one_per_approval") => Self::ApprovalUsed(request),
            Some("attempts_one_open_per_request" | "attempts_one_open_per_holding") => Self::HoldingBusy(request),
            Some(constraint) => Self::bad("requests", "constraint", request, constraint),
            None => error.into(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        if code.as_deref() == Some(QUERY_CANCELED) { Self::TookTooLong } else { Self::Database(error) }
    }
}
