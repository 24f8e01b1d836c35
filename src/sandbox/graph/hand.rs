//! What becomes of an assignment by other hands than this API's, or only seems to.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::wire::lock;
use super::Graph;
use super::state::{Assignment, Triple};

impl Graph {
    /// Reads do not show the assignment before this moment, whatever is true. Answers whether there is one.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn hide_grant(&self, tenant: Uuid, principal: &str, role: &str, scope: &str, until: Timestamp) -> bool {
        self.by_hand(tenant, &Triple::new(principal, role, scope), |assignment| assignment.shown_from = until)
    }

    /// Somebody gives the assignment another end, or none, and it keeps its ids. Answers whether there is one.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn move_end(&self, tenant: Uuid, principal: &str, role: &str, scope: &str, end: Option<Timestamp>) -> bool {
        self.by_hand(tenant, &Triple::new(principal, role, scope), |assignment| assignment.end = end)
    }

    fn by_hand(&self, tenant: Uuid, triple: &Triple, change: impl FnOnce(&mut Assignment)) -> bool {
        let now = (self.now)();
        lock(&self.state).tenant(tenant).live(triple, now).map(change).is_some()
    }
}
