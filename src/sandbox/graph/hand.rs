//! What becomes of an assignment by other hands than this API's, or only seems to.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::wire::lock;
use super::Graph;
use super::assignment::Assignment;
use super::state::Holding;
use super::surface::What;

impl Graph {
    /// Reads do not show the assignment before this moment, whatever is true. Answers whether there is one.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn hide_grant(&self, tenant: Uuid, principal: &str, role: &str, scope: &str, until: Timestamp) -> bool {
        self.by_hand(tenant, &Holding::new(principal, What::role(role, scope)), |assignment| {
            assignment.shown_from = until;
        })
    }

    /// Somebody gives the assignment another end, or none, and it keeps its ids. Answers whether there is one.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn move_end(&self, tenant: Uuid, principal: &str, role: &str, scope: &str, end: Option<Timestamp>) -> bool {
        self.by_hand(tenant, &Holding::new(principal, What::role(role, scope)), |assignment| {
            assignment.end = end;
        })
    }

    fn by_hand(&self, tenant: Uuid, holding: &Holding, change: impl FnOnce(&mut Assignment)) -> bool {
        let now = self.time();
        lock(&self.state).tenant(tenant).live(holding, now).map(change).is_some()
    }
}
