//! The database, as the engine uses it.
//!
//! A [`Lease`] is made by [`Records::lease_due`] alone: whoever else made one would have to guess the token that was drawn
//! for it, and under any other token no row changes.

use jiff::Timestamp;

use super::port;
use crate::{
    domain::{
        assignment::Holding,
        attempt::Attempt,
        audit::Actor,
        id::{ConnectionName, EntitlementKey, RequestId, TenantName, TicketId, TicketNumber},
        request::{EndOrder, Request},
        sweep::{Books, Entry, Held},
        target::Target,
        ticket::{Hint, Ticket},
    },
    store::{
        Change, DueNote, Lease, NewFinding, NoteResult, Noticed, Ordered, Poll, PollResult, Room, Spent, Store,
        StoreError, Sweep, SweepResult,
    },
};

port! {
    /// What stint keeps, and the rights to work on it.
    trait Records is Store;

    async fn lease_due(now: Timestamp, until: Timestamp, room: Room) -> Result<Vec<Lease>, StoreError>;
    async fn next_due() -> Result<Option<Timestamp>, StoreError>;
    async fn may_send(lease: &Lease) -> Result<bool, StoreError>;
    async fn release(lease: Lease, due_at: Timestamp) -> Result<(), StoreError>;
    async fn read(lease: &Lease) -> Result<Request, StoreError>;
    async fn advance(lease: &Lease, change: Change) -> Result<Request, StoreError>;
    async fn order_end(id: RequestId, actor: &Actor, order: &EndOrder) -> Result<Ordered, StoreError>;
    async fn spent(connection: &ConnectionName, ticket: &TicketId, other_than: RequestId) -> Result<Spent, StoreError>;
    async fn told(connection: &ConnectionName, ticket: &TicketId) -> Result<Option<Ticket>, StoreError>;
    async fn kin(
        of: RequestId,
        tenant: &TenantName,
        holding: &Holding,
        now: Timestamp,
    ) -> Result<Vec<Request>, StoreError>;
    async fn begun_since(
        tenant: &TenantName,
        entitlement: &EntitlementKey,
        since: Timestamp,
        other_than: RequestId,
    ) -> Result<i64, StoreError>;

    async fn lease_notes(
        now: Timestamp,
        until: Timestamp,
        limit: u32,
        per_connection: u32,
    ) -> Result<Vec<DueNote>, StoreError>;
    async fn conclude_note(note: &DueNote, result: &NoteResult, now: Timestamp) -> Result<(), StoreError>;

    async fn lease_polls(
        connections: &[(ConnectionName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Poll>, StoreError>;
    async fn next_poll(connections: &[ConnectionName]) -> Result<Option<Timestamp>, StoreError>;
    async fn conclude_poll(poll: &Poll, result: &PollResult, due_at: Timestamp) -> Result<(), StoreError>;
    async fn read_by_requests(connection: &ConnectionName, tickets: &[TicketId]) -> Result<Vec<TicketId>, StoreError>;
    async fn notice(
        connection: &ConnectionName,
        hint: &Hint,
        tenant: Option<&TenantName>,
        now: Timestamp,
    ) -> Result<Noticed, StoreError>;

    async fn lease_sweeps(
        tenants: &[(TenantName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Sweep>, StoreError>;
    async fn next_sweep(tenants: &[TenantName]) -> Result<Option<Timestamp>, StoreError>;
    async fn may_sweep(sweep: &Sweep) -> Result<bool, StoreError>;
    async fn conclude_sweep(sweep: &Sweep, result: &SweepResult, due_at: Timestamp) -> Result<(), StoreError>;

    async fn open_targets(tenant: &TenantName) -> Result<Vec<Target>, StoreError>;
    async fn books(tenant: &TenantName, shown: &[Held]) -> Result<Books, StoreError>;
    async fn entry(tenant: &TenantName, request: RequestId) -> Result<Option<Entry>, StoreError>;
    async fn miss(request: RequestId, now: Timestamp) -> Result<(), StoreError>;
    async fn find_again(request: RequestId) -> Result<(), StoreError>;
    async fn show_again(request: RequestId) -> Result<(), StoreError>;
    async fn end_missed(
        request: RequestId,
        since: Timestamp,
        order: &EndOrder,
        finding: &NewFinding,
    ) -> Result<bool, StoreError>;
    async fn record_removal(
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
    ) -> Result<Option<TicketNumber>, StoreError>;
    async fn close_removal(
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
        findings: &[NewFinding],
    ) -> Result<(), StoreError>;
    async fn settle_removals(
        tenant: &TenantName,
        read: &[Target],
        shown: &[Held],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    async fn raise_of_request(
        tenant: &TenantName,
        request: RequestId,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    async fn raise_of_connection(
        connection: &ConnectionName,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    async fn clear_of_connection(
        connection: &ConnectionName,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    async fn raise_of_tenant(
        tenant: &TenantName,
        part: &str,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    async fn clear_of_tenant(tenant: &TenantName, part: &str, now: Timestamp) -> Result<Vec<String>, StoreError>;
    async fn raise_of_subject(
        tenant: &TenantName,
        subject: &str,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    async fn clear_of_subjects(
        tenant: &TenantName,
        kinds: &[&str],
        keep: &[String],
        keep_targets: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
