//! PIM behind stint's back: policies, what others give and take, and what is true.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::wire::lock;
use super::Graph;
use super::assignment::Assignment;
use super::ledger::{Grant, Held};
use super::policy::{PolicyKey, RolePolicy};
use super::state::Holding;
use super::surface::{Access, Level, What};

impl Graph {
    /// Sets the role's policy for assignments.
    pub fn set_policy(&self, tenant: Uuid, role: &str, policy: RolePolicy) {
        self.set_policy_at(tenant, PolicyKey::Role(role.to_ascii_lowercase(), Level::Assignment), policy);
    }

    /// Sets the role's policy for eligibilities.
    pub fn set_eligibility_policy(&self, tenant: Uuid, role: &str, policy: RolePolicy) {
        self.set_policy_at(tenant, PolicyKey::Role(role.to_ascii_lowercase(), Level::Eligibility), policy);
    }

    /// Sets the policy of a group's members or owners, which onboards the group.
    pub fn set_group_policy(&self, tenant: Uuid, group: &str, access: Access, level: Level, policy: RolePolicy) {
        self.set_policy_at(tenant, PolicyKey::Group(group.to_ascii_lowercase(), access, level), policy);
    }

    fn set_policy_at(&self, tenant: Uuid, key: PolicyKey, policy: RolePolicy) {
        let now = self.time();
        lock(&self.state).tenant(tenant).policies.insert(key, (policy, now));
    }

    /// An assignment of a role that somebody else made. Without an end it was made outside PIM altogether. Answers its
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
        self.add_foreign(tenant, principal, What::role(role, scope), Held::Direct, end)
    }

    /// Somebody else gives anything, the holder activates it, or holds it through a group. Answers its schedule id.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn add_foreign(&self, tenant: Uuid, principal: &str, what: What, held: Held, end: Option<Timestamp>) -> String {
        let now = self.time();
        let assignment = Assignment::foreign(Holding::new(principal, what), held, end, now);
        let schedule_id = assignment.schedule_id.clone();
        lock(&self.state).tenant(tenant).assignments.push(assignment);
        schedule_id
    }

    /// Somebody takes the role away at once, without the API. Answers whether there was one.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn remove_grant(&self, tenant: Uuid, principal: &str, role: &str, scope: &str) -> bool {
        self.remove_what(tenant, principal, &What::role(role, scope))
    }

    /// The same for anything, however it is held: a group's own administrators can do this to what PIM gave (§3).
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn remove_what(&self, tenant: Uuid, principal: &str, what: &What) -> bool {
        let now = self.time();
        let holding = Holding::new(principal, what.clone());
        let mut state = lock(&self.state);
        let rows = state.tenant(tenant).assignments.iter_mut();
        let found = rows.filter(|row| row.holding == holding && !row.is_over(now)).map(|row| {
            (row.removed_at, row.hidden_from) = (Some(now), Some(now));
        });
        found.count() > 0
    }

    /// Every assignment and eligibility ever made in the tenant, oldest first.
    #[must_use]
    pub fn grants(&self, tenant: Uuid) -> Vec<Grant> {
        let now = self.time();
        lock(&self.state).tenant(tenant).assignments.iter().map(|assignment| assignment.grant(now)).collect()
    }

    /// Those in effect now, eligibilities among them: the truth, whatever reads show.
    #[must_use]
    pub fn active_grants(&self, tenant: Uuid) -> Vec<Grant> {
        let now = self.time();
        let mut state = lock(&self.state);
        let assignments = state.tenant(tenant).assignments.iter();
        assignments.filter(|assignment| assignment.is_active(now)).map(|assignment| assignment.grant(now)).collect()
    }
}
