//! What a test or the demo says to this Graph: seeds, knobs and faults, and what it tells of calls.

use uuid::Uuid;

use super::super::Call;
use super::super::wire::lock;
use super::knobs::Knobs;
use super::ledger::Entry;
use super::traffic::MostInFlight;
use super::{Fault, Graph, Group, ServicePrincipal, User};

impl Graph {
    /// The origin, without a trailing slash and without a version.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Adds a user; one with the same object id is replaced.
    pub fn add_user(&self, tenant: Uuid, user: User) {
        lock(&self.state).tenant(tenant).users.insert(user.id.to_ascii_lowercase(), user);
    }

    /// Changes a user; nothing happens when there is none with this object id.
    pub fn update_user(&self, tenant: Uuid, id: &str, change: impl FnOnce(&mut User)) {
        if let Some(user) = lock(&self.state).tenant(tenant).users.get_mut(&id.to_ascii_lowercase()) {
            change(user);
        }
    }

    /// Deletes a user; assignments stay, as they do for a while in the real directory.
    pub fn remove_user(&self, tenant: Uuid, id: &str) {
        lock(&self.state).tenant(tenant).users.remove(&id.to_ascii_lowercase());
    }

    /// Adds a group; one with the same object id is replaced.
    pub fn add_group(&self, tenant: Uuid, group: Group) {
        lock(&self.state).tenant(tenant).groups.insert(group.id.to_ascii_lowercase(), group);
    }

    /// Adds a service principal; one with the same object id is replaced.
    pub fn add_service_principal(&self, tenant: Uuid, principal: ServicePrincipal) {
        let id = principal.id.to_ascii_lowercase();
        lock(&self.state).tenant(tenant).service_principals.insert(id, principal);
    }

    /// Adds an administrative unit: a scope for roles.
    pub fn add_administrative_unit(&self, tenant: Uuid, id: &str) {
        lock(&self.state).tenant(tenant).administrative_units.insert(id.to_ascii_lowercase());
    }

    /// Puts a principal of any kind into a group, which need not have been added, for good.
    pub fn add_to_group(&self, tenant: Uuid, group: &str, principal: &str) {
        let mut state = lock(&self.state);
        let members = state.tenant(tenant).members.entry(group.to_ascii_lowercase()).or_default();
        members.insert(principal.to_ascii_lowercase());
    }

    /// Adds a role definition with the default [`RolePolicy`](super::RolePolicy).
    pub fn add_role(&self, tenant: Uuid, id: &str, name: &str) {
        lock(&self.state).tenant(tenant).roles.insert(id.to_ascii_lowercase(), name.to_owned());
    }

    /// From now on the role can only be given for the whole tenant.
    pub fn refuse_scopes(&self, tenant: Uuid, role: &str) {
        lock(&self.state).tenant(tenant).unscopable.insert(role.to_ascii_lowercase());
    }

    /// Limits the application to these permissions, by name; one that was never limited may do everything.
    pub fn set_permissions(&self, tenant: Uuid, client_id: &str, names: &[&str]) {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        lock(&self.state).tenant(tenant).permissions.insert(client_id.to_ascii_lowercase(), names);
    }

    /// Whether the tenant has paid for PIM; at first it has.
    pub fn set_licensed(&self, tenant: Uuid, licensed: bool) {
        lock(&self.state).tenant(tenant).unlicensed = !licensed;
    }

    /// Bends the service from now on.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut lock(&self.state).knobs);
    }

    /// Queues a fault.
    pub fn fault(&self, fault: Fault) {
        lock(&self.state).faults.push(fault.on, fault.kind, fault.times);
    }

    /// Queues a fault that strikes only calls of this tenant.
    pub fn fault_in(&self, tenant: Uuid, fault: Fault) {
        lock(&self.state).tenant(tenant).faults.push(fault.on, fault.kind, fault.times);
    }

    /// Forgets the tenant's own faults that have not struck.
    pub fn clear_faults_in(&self, tenant: Uuid) {
        lock(&self.state).tenant(tenant).faults.clear();
    }

    /// Forgets the faults that have not struck.
    pub fn clear_faults(&self) {
        lock(&self.state).faults.clear();
    }

    /// How many faults have not struck.
    #[must_use]
    pub fn faults_waiting(&self) -> usize {
        lock(&self.state).faults.waiting()
    }

    /// Forgets all request objects, as PIM does after a month and a half; assignments stay.
    pub fn purge_requests(&self, tenant: Uuid) {
        lock(&self.state).tenant(tenant).requests.clear();
    }

    /// Every call that changed something or tried to, oldest first.
    #[must_use]
    pub fn ledger(&self) -> Vec<Entry> {
        lock(&self.state).ledger.clone()
    }

    /// The same without the first so many, for whoever has seen them.
    #[must_use]
    pub fn ledger_after(&self, seen: usize) -> Vec<Entry> {
        lock(&self.state).ledger.iter().skip(seen).cloned().collect()
    }

    /// The most calls of the tenant that were under way at once. Without [`Knobs::latency_ms`] calls hardly meet.
    #[must_use]
    pub fn most_in_flight(&self, tenant: Uuid) -> MostInFlight {
        lock(&self.state).traffic.most(tenant)
    }

    /// The last ten thousand HTTP calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.all()
    }
}
