//! Deliveries and what a search finds: taken in whole, or not at all.

use jiff::Timestamp;
use stint::{
    domain::{
        id::{ApprovalId, ConnectionName, RequestId, TenantName, TicketId, TicketNumber},
        request::{State, Status},
        ticket::{Hint, HintEvent},
    },
    store::Noticed,
};
use uuid::Uuid;

use super::{Database, Delivered, Row};

/// What became of a delivery: the request that it belongs to, if any.
pub type Received = Option<RequestId>;

/// A delivery that hints at a ticket.
#[derive(Clone, Debug)]
pub struct Told {
    pub connection: ConnectionName,
    pub tenant: Option<TenantName>,
    pub key: String,
    pub hint: Hint,
}

/// Holds that wait for nothing but the ticket.
const WAITS_FOR_TICKET: [&str; 4] = ["approval-pending", "approval-unclear", "field-hidden", "ticket-moved"];

impl Database {
    pub fn receive(&mut self, told: &Told, at: Timestamp) -> Received {
        let same = |row: &&Delivered| row.connection == told.connection && row.key == told.key;
        if let Some(earlier) = self.deliveries.iter().find(same) {
            return earlier.request;
        }
        let request = self.look(told, at);
        self.deliveries.push(Delivered { connection: told.connection.clone(), key: told.key.clone(), request });
        request
    }

    fn look(&mut self, told: &Told, at: Timestamp) -> Received {
        if let Some(id) = self.wake_open(&told.connection, &told.hint, at) {
            return Some(id);
        }
        if let Some(id) = self.answered_before(&told.connection, &told.hint) {
            return Some(id);
        }
        if told.hint.event == HintEvent::Changed {
            self.tell(None, "delivery-ignored", None);
            return None;
        }
        self.insert(&told.connection, told.tenant.as_ref(), (&told.hint.ticket, &told.hint.number), at)
    }

    fn wake_open(&mut self, connection: &ConnectionName, hint: &Hint, at: Timestamp) -> Option<RequestId> {
        let is_it = |row: &&mut Row| {
            row.connection == *connection && row.ticket == hint.ticket && !row.state.status().is_terminal()
        };
        let row = self.rows.iter_mut().find(is_it)?;
        row.woken = true;
        row.hinted_at = at;
        if hint.event == HintEvent::Approved {
            let named = hint.approval.as_ref().map_or("", ApprovalId::as_str);
            let differs = row.hinted_approval.as_deref().is_some_and(|known| known != named);
            row.hinted_approval = Some(if differs { String::new() } else { named.to_owned() });
        }
        let reads = matches!(
            row.stands(),
            Status::Received | Status::Verifying | Status::Approved | Status::Assigning | Status::Active
        );
        let waits = match &row.state {
            State::Held { hold, .. } => WAITS_FOR_TICKET.contains(&hold.code.as_str()),
            _ => true,
        };
        if reads && waits {
            row.due_at = row.due_at.map(|due| due.min(at));
        }
        Some(row.id)
    }

    fn answered_before(&self, connection: &ConnectionName, hint: &Hint) -> Option<RequestId> {
        let approval = hint.approval.as_ref()?;
        let is_it = |row: &&Row| {
            row.connection == *connection && row.ticket == hint.ticket && row.approval.as_ref() == Some(approval)
        };
        self.rows.iter().find(is_it).map(|row| row.id)
    }

    /// Makes a request; `None` when the ticket has an open one.
    pub(super) fn insert(
        &mut self,
        connection: &ConnectionName,
        tenant: Option<&TenantName>,
        (ticket, number): (&TicketId, &TicketNumber),
        at: Timestamp,
    ) -> Option<RequestId> {
        let open =
            |row: &Row| row.connection == *connection && row.ticket == *ticket && !row.state.status().is_terminal();
        if self.rows.iter().any(open) {
            return None;
        }
        let id = RequestId(Uuid::from_u128(self.draw()));
        self.rows.push(Row {
            id,
            connection: connection.clone(),
            tenant: tenant.cloned(),
            ticket: ticket.clone(),
            number: number.clone(),
            state: State::Received,
            received_at: at,
            state_since: at,
            hinted_at: at,
            looks: 0,
            due_at: Some(at),
            lease: None,
            worker: 0,
            woken: false,
            hinted_approval: None,
            end_requested: None,
            doubt: None,
            approval: None,
            approval_given_at: None,
            decision: None,
            assignment: None,
            end_order: None,
            unseen_since: None,
            in_force_from: None,
            in_force_until: None,
        });
        self.tell(Some(id), "received", Some((None, Status::Received)));
        Some(id)
    }

    pub fn notice(
        &mut self,
        connection: &ConnectionName,
        hint: &Hint,
        tenant: Option<&TenantName>,
        now: Timestamp,
    ) -> Noticed {
        if self.answered_before(connection, hint).is_some() || self.wake_open(connection, hint, now).is_some() {
            return Noticed::Known;
        }
        self.insert(connection, tenant, (&hint.ticket, &hint.number), now).map_or(Noticed::Known, Noticed::Made)
    }
}
