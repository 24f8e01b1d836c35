//! What the engine works on, each behind a trait: the database, Entra and the ticket systems.
//!
//! [`Live`] is what serves: each method of a port is the method of the same name of [`Store`], [`TenantGraph`] and
//! [`Connection`]. The other side are the models of `tests/sim`, on which the same engine is played through schedules
//! that no real neighbour could be made to show a million times. A port decides nothing and hides nothing: what it lacks,
//! the engine does not use.

mod desk;
mod entra;
mod records;

use std::{fmt, time::Duration};

use super::seal::Log;
use crate::{graph::TenantGraph, store::Store, tickets::Connection};

pub use desk::Desk;
pub use entra::Entra;
pub use records::Records;

/// The neighbours of one engine.
pub trait Ports: fmt::Debug + Send + Sync + Sized + 'static {
    /// The database.
    type Records: Records;
    /// Entra, one for each tenant.
    type Entra: Entra;
    /// Ticket systems, one for each connection.
    type Desk: Desk;
    /// What seals and publishes the audit log.
    type Log: fmt::Debug + Send + Sync;

    /// Works for so long at most; `None` when that was not enough.
    fn within<F>(limit: Duration, work: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future<Output: Send> + Send;
}

/// The real neighbours.
#[derive(Debug)]
pub struct Live;

impl Ports for Live {
    type Records = Store;
    type Entra = TenantGraph;
    type Desk = Connection;
    type Log = Log;

    async fn within<F>(limit: Duration, work: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        tokio::time::timeout(limit, work).await.ok()
    }
}

/// Declares a port, and that the real neighbour is one.
macro_rules! port {
    (
        $(#[$doc:meta])*
        trait $port:ident is $real:ident;
        $( async fn $called:ident($($name:ident: $of:ty),* $(,)?) -> $gives:ty; )*
        $( fn $asked:ident($($given:ident: $kind:ty),* $(,)?) -> $says:ty; )*
    ) => {
        $(#[$doc])*
        pub trait $port: std::fmt::Debug + Send + Sync + 'static {
            $(
                #[doc = concat!("As [`", stringify!($real), "::", stringify!($called), "`].")]
                fn $called(&self, $($name: $of),*) -> impl Future<Output = $gives> + Send;
            )*
            $(
                #[doc = concat!("As [`", stringify!($real), "::", stringify!($asked), "`].")]
                ///
                /// # Errors
                /// As there, where it has any.
                fn $asked(&self, $($given: $kind),*) -> $says;
            )*
        }

        impl $port for $real {
            $(
                async fn $called(&self, $($name: $of),*) -> $gives {
                    $real::$called(self, $($name),*).await
                }
            )*
            $(
                fn $asked(&self, $($given: $kind),*) -> $says {
                    $real::$asked(self, $($given),*)
                }
            )*
        }
    };
}
use port;
