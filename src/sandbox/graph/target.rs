//! Whether PIM knows whom and what a request names (`contracts/graph.md §2.2, §3, §6.1`).

use jiff::{SignedDuration, Timestamp};

use super::super::wire::signed;
use super::Group;
use super::knobs::Knobs;
use super::refusal::Refusal;
use super::state::{Holding, Tenant};
use super::surface::What;

impl Tenant {
    pub(super) fn check_target(&self, holding: &Holding, knobs: &Knobs, now: Timestamp) -> Result<(), Refusal> {
        match &holding.what {
            What::Role { role, scope, .. } => self.check_role(role, scope)?,
            What::Group { group, .. } => self.check_group(group, knobs, now)?,
        }
        let created = self.created_at(&holding.principal);
        if created.is_some_and(|created| is_known(created, knobs.young_principal_seconds, now)) {
            return Ok(());
        }
        Err(Refusal::new(404, "SubjectNotFound", "The subject is not found."))
    }

    fn check_role(&self, role: &str, scope: &str) -> Result<(), Refusal> {
        if !self.is_scope(scope) {
            return Err(Refusal::new(400, "InvalidScope", "The scope is not valid."));
        }
        if !self.roles.contains_key(role) {
            return Err(Refusal::new(404, "RoleNotFound", "The role is not found."));
        }
        if scope != "/" && self.unscopable.contains(role) {
            let message = "The given built-in role is not supported to be assigned to a single resource scope.";
            return Err(Refusal::new(400, "Request_BadRequest", message));
        }
        Ok(())
    }

    /// The whole tenant, an administrative unit, or one object.
    fn is_scope(&self, scope: &str) -> bool {
        match scope.strip_prefix('/').map(str::to_ascii_lowercase).as_deref() {
            None => false,
            Some("") => true,
            Some(id) => match id.strip_prefix("administrativeunits/") {
                Some(unit) => self.administrative_units.contains(unit),
                None => self.created_at(id).is_some(),
            },
        }
    }

    fn check_group(&self, id: &str, knobs: &Knobs, now: Timestamp) -> Result<(), Refusal> {
        let group = self.pim_group(id, knobs, now)?;
        if group.dynamic || group.on_premises {
            return Err(Refusal::bad("The group cannot be managed in PIM."));
        }
        Ok(())
    }

    /// The group, once PIM knows it.
    pub(super) fn pim_group(&self, id: &str, knobs: &Knobs, now: Timestamp) -> Result<&Group, Refusal> {
        let group = self.groups.get(&id.to_ascii_lowercase());
        let group = group.filter(|group| is_known(group.created_at, knobs.young_group_seconds, now));
        group.ok_or_else(|| Refusal::pim_object(id))
    }

    /// When the user, group or service principal was created.
    fn created_at(&self, id: &str) -> Option<Timestamp> {
        let user = self.users.get(id).map(|user| user.created_at);
        let group = self.groups.get(id).map(|group| group.created_at);
        user.or(group).or(self.service_principals.get(id).map(|principal| principal.created_at))
    }

    /// A role for a group that cannot hold roles is accepted and never starts (§12).
    pub(super) fn hangs(&self, holding: &Holding) -> bool {
        let of_role = matches!(holding.what, What::Role { .. });
        of_role && self.groups.get(&holding.principal).is_some_and(|group| !group.role_assignable)
    }
}

fn is_known(created: Timestamp, young_seconds: u64, now: Timestamp) -> bool {
    now.duration_since(created) >= SignedDuration::from_secs(signed(young_seconds))
}
