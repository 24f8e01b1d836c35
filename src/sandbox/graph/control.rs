//! What a test or the demo says to this Graph: seeds, knobs, faults, and what others did behind stint's back.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::Call;
use super::super::wire::{guid, lock, opaque};
use super::knobs::Knobs;
use super::ledger::{Entry, Grant};
use super::policy::RolePolicy;
use super::state::{Assignment, Triple};
use super::{Fault, Graph, User};

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

    /// Puts a user into a group.
    pub fn add_to_group(&self, tenant: Uuid, group: &str, user: &str) {
        let mut state = lock(&self.state);
        let members = state.tenant(tenant).groups.entry(group.to_ascii_lowercase()).or_default();
        members.insert(user.to_ascii_lowercase());
    }

    /// Adds a role definition with the default [`RolePolicy`].
    pub fn add_role(&self, tenant: Uuid, id: &str, name: &str) {
        lock(&self.state).tenant(tenant).roles.insert(id.to_ascii_lowercase(), name.to_owned());
    }

    /// Sets the role's policy.
    pub fn set_policy(&self, tenant: Uuid, role: &str, policy: RolePolicy) {
        lock(&self.state).tenant(tenant).policies.insert(role.to_ascii_lowercase(), policy);
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

    /// An assignment that somebody else made. Without an end it was made outside PIM altogether. Answers its
    /// schedule id.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn add_foreign_grant(
        &self,
        tenant: Uuid,
        principal: &str,
        role: &str,
        scope: &str,
        end: Option<Timestamp>,
    ) -> String {
        let now = (self.now)();
        let instance_id = format!("{}-1", opaque());
        let schedule_id = if end.is_some() { guid() } else { instance_id.clone() };
        let assignment = Assignment {
            schedule_id: schedule_id.clone(),
            instance_id,
            request_id: end.map(|_| guid()),
            triple: Triple::new(principal, role, scope),
            created: now,
            start: Some(now),
            end,
            scheduled: false,
            removed_at: None,
            shown_from: now,
            hidden_from: None,
            foreign: true,
            justification: None,
        };
        lock(&self.state).tenant(tenant).assignments.push(assignment);
        schedule_id
    }

    /// Somebody takes the assignment away at once, without the API. Answers whether there was one.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn remove_grant(&self, tenant: Uuid, principal: &str, role: &str, scope: &str) -> bool {
        let now = (self.now)();
        let mut state = lock(&self.state);
        match state.tenant(tenant).live(&Triple::new(principal, role, scope), now) {
            Some(assignment) => {
                assignment.removed_at = Some(now);
                assignment.hidden_from = Some(now);
                true
            }
            None => false,
        }
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

    /// Every assignment ever made in the tenant, oldest first.
    #[must_use]
    pub fn grants(&self, tenant: Uuid) -> Vec<Grant> {
        let now = (self.now)();
        lock(&self.state).tenant(tenant).assignments.iter().map(|assignment| assignment.grant(now)).collect()
    }

    /// The assignments in effect now: the truth, whatever reads show.
    #[must_use]
    pub fn active_grants(&self, tenant: Uuid) -> Vec<Grant> {
        let now = (self.now)();
        let mut state = lock(&self.state);
        let assignments = state.tenant(tenant).assignments.iter();
        assignments.filter(|assignment| assignment.is_active(now)).map(|assignment| assignment.grant(now)).collect()
    }

    /// The last ten thousand HTTP calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.all()
    }
}
