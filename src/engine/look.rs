//! Reading PIM for one request, and what it means when that cannot be done.

use super::{Engine, Entra, Ports, Records, Tenant, retry, step::hold_until};
use crate::{
    domain::{
        assignment::Sighting,
        id::TenantName,
        request::{Decision, Hold, Request},
    },
    graph::{GraphError, Way},
    store::{Change, StoreError},
};

impl<P: Ports> Engine<P> {
    /// The tenant that was decided on. `Err`: the configuration has lost it, and the request is held.
    pub(super) fn tenant(&self, request: &Request, decision: &Decision) -> Result<&Tenant<P::Entra>, Box<Change>> {
        self.tenants.get(&decision.tenant).ok_or_else(|| {
            let now = self.clock.now();
            Box::new(hold_until(request, no_tenant(&decision.tenant), now, retry::parked(now)))
        })
    }

    /// The other requests that had to do with the same holding.
    pub(super) async fn kin(&self, request: &Request, decision: &Decision) -> Result<Vec<Request>, StoreError> {
        self.store.kin(request.id, &decision.tenant, &decision.holding(), self.clock.now()).await
    }

    /// Everything PIM shows about the request's holding. `Err`: it cannot be read now, and the request is held.
    pub(super) async fn look(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
    ) -> Result<Sighting, Box<Change>> {
        tenant.graph.look(&decision.holding()).await.map_err(|error| self.not_answered(request, &error))
    }

    /// Asked before an attempt is recorded. `Err`: the call would not be sent now, and the request is held.
    pub(super) fn may_send(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
        way: Way,
    ) -> Result<(), Box<Change>> {
        let may = tenant.graph.may_send(&decision.entitlement.target, way);
        may.map_err(|error| self.not_answered(request, &error))
    }

    /// Whether Graph asks to wait. Then nothing else is asked either: a reading of the ticket would be old by the time.
    pub(super) fn paused(
        &self,
        tenant: &Tenant<P::Entra>,
        request: &Request,
        decision: &Decision,
    ) -> Option<Box<Change>> {
        match tenant.graph.may_send(&decision.entitlement.target, Way::Write) {
            Err(error @ GraphError::Throttled { .. }) => Some(self.not_answered(request, &error)),
            _ => None,
        }
    }

    /// Graph does not say, and the request is held.
    pub(super) fn not_answered(&self, request: &Request, error: &GraphError) -> Box<Change> {
        let now = self.clock.now();
        let due_at = retry::after_graph(now, error, request);
        Box::new(hold_until(request, Hold::new(error.code(), error.to_string()), now, due_at))
    }
}

pub(super) fn no_tenant(name: &TenantName) -> Hold {
    Hold::new("tenant-unknown", format!("the configuration has no tenant {name}"))
}
