//! The outside world, small.
//!
//! Real HTTP servers on loopback play Entra, Microsoft Graph, Jira, ServiceNow and a desk of one's own, and a private
//! Postgres plays the database.
//! They are written from `contracts/` a second time and import nothing of the rest of the crate, so that a wire
//! struct misread in one place is not misread in both. The demo, `stint sandbox` and the tests all live here.
//!
//! * Time is the caller's: every server asks one [`Now`], so a test moves hours by setting a variable.
//! * What happened is told by ledgers ([`Graph::ledger`], [`Graph::grants`], [`Jira::comments`], [`ServiceNow::work_notes`]), not by stint.
//! * What goes wrong is asked for: knobs bend the world for good, faults strike the next call they match.
//!
//! Left out on purpose: delegated callers of Graph, self-activation by API, the user interfaces of the ticket systems.

#![expect(clippy::disallowed_methods, reason = "the outside world keeps its own time and sends by itself")]

mod call;
mod delivery;
pub mod desk;
mod entra;
mod fault;
mod gate;
pub mod graph;
pub mod jira;
pub mod postgres;
mod server;
pub mod servicenow;
mod signing;
pub mod story;
mod wire;

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::call::Call;
pub use self::delivery::{Delivered, Webhook};
pub use self::desk::Desk;
pub use self::entra::{ApiToken, Entra, Issuer, Member};
pub use self::fault::Retry;
pub use self::gate::{Gate, Way};
pub use self::graph::Graph;
pub use self::jira::Jira;
pub use self::postgres::{Postgres, PostgresError, PostgresOptions};
use self::server::{Handler, Port, Server};
pub use self::servicenow::ServiceNow;
pub use self::signing::public_key;

/// Where the sandbox's clock is read.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Which loopback ports to use; 0 means any free one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// The login service.
    pub entra: u16,
    /// Microsoft Graph.
    pub graph: u16,
    /// Jira.
    pub jira: u16,
    /// ServiceNow.
    pub servicenow: u16,
    /// The desk that speaks the standard contract.
    pub desk: u16,
}

/// The servers. They stop, with all their connections, when this is dropped; the handles may live on.
pub struct Sandbox {
    /// The login service.
    pub entra: Entra,
    /// Microsoft Graph with its PIM engine.
    pub graph: Graph,
    /// Jira Cloud with Jira Service Management.
    pub jira: Jira,
    /// A ServiceNow instance.
    pub servicenow: ServiceNow,
    /// A ticket system that speaks the standard contract.
    pub desk: Desk,
    _servers: Vec<Server>,
}

impl Sandbox {
    /// Starts an empty world on free ports.
    ///
    /// # Errors
    ///
    /// A port could not be bound.
    pub async fn start(now: Now) -> io::Result<Self> {
        Self::start_on(now, Ports::default()).await
    }

    /// Starts an empty world on the given ports.
    ///
    /// # Errors
    ///
    /// A port could not be bound.
    pub async fn start_on(now: Now, ports: Ports) -> io::Result<Self> {
        Self::start_behind(now, ports, &gate::open()).await
    }

    /// Starts an empty world on the given ports, behind a gate.
    ///
    /// # Errors
    ///
    /// A port could not be bound.
    pub async fn start_behind(now: Now, ports: Ports, gate: &Gate) -> io::Result<Self> {
        let entra_port = Port::bind(ports.entra).await?;
        let graph_port = Port::bind(ports.graph).await?;
        let jira_port = Port::bind(ports.jira).await?;
        let servicenow_port = Port::bind(ports.servicenow).await?;
        let desk_port = Port::bind(ports.desk).await?;

        let entra = Entra::new(entra_port.url(), &graph_port.url(), Arc::clone(&now))?;
        let graph = Graph::new(graph_port.url(), entra.clone(), Arc::clone(&now));
        let jira = Jira::new(jira_port.url(), Arc::clone(&now));
        let servicenow = ServiceNow::new(servicenow_port.url(), Arc::clone(&now));
        let desk = Desk::new(desk_port.url(), now);

        let servers = vec![
            entra_port.serve(gate::behind(gate, "entra", handler(&entra, Entra::handle))),
            graph_port.serve(gate::behind(gate, "graph", handler(&graph, Graph::handle))),
            jira_port.serve(gate::behind(gate, "jira", handler(&jira, Jira::handle))),
            servicenow_port.serve(gate::behind(gate, "servicenow", handler(&servicenow, ServiceNow::handle))),
            desk_port.serve(gate::behind(gate, "desk", handler(&desk, Desk::handle))),
        ];
        Ok(Self { entra, graph, jira, servicenow, desk, _servers: servers })
    }
}

fn handler<S: Clone + Send + Sync + 'static>(
    server: &S,
    handle: fn(&S, &http::Request<bytes::Bytes>) -> server::Answer,
) -> Handler {
    let server = server.clone();
    Arc::new(move |request| handle(&server, request))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
