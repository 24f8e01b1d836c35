//! The database, as a worker reaches it: each call waits at its gate, and may come to nothing or be left without an answer.

use jiff::Timestamp;
use stint::{
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
    engine::Records,
    store::{
        Change, DueNote, Lease, NewFinding, NoteResult, Noticed, Ordered, Poll, PollResult, Room, Spent, StoreError,
        Sweep, SweepResult,
    },
};

use crate::{
    fault::Fault,
    postgres::Database,
    scene::{At, Scene},
};

/// The database, as one worker reaches it.
#[derive(Debug)]
pub struct ModelRecords {
    pub scene: Scene,
}

fn failed() -> StoreError {
    StoreError::Database(sqlx::Error::PoolTimedOut)
}

impl ModelRecords {
    async fn ask<T>(&self, name: &'static str, read: impl FnOnce(&Database) -> T + Send) -> Result<T, StoreError> {
        match self.scene.pass(At::Read(name)).await {
            Some(_) => Err(failed()),
            None => Ok(read(&self.scene.world().database)),
        }
    }

    /// A transaction. Where its outcome is unknown it was carried out; where it was not, its caller learns the same.
    async fn commit<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let fault = self.scene.pass(At::Commit(name)).await;
        if matches!(fault, Some(Fault::DbDown | Fault::DbLost)) {
            return Err(failed());
        }
        let done = work(&mut self.scene.world().database);
        match (done, fault) {
            (Ok(_), Some(Fault::DbUnknown)) => Err(failed()),
            (done, _) => done,
        }
    }

    /// A transaction that cannot be refused.
    async fn write<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Database) -> T + Send,
    ) -> Result<T, StoreError> {
        self.commit(name, |database| Ok(work(database))).await
    }
}

impl Records for ModelRecords {
    async fn lease_due(&self, now: Timestamp, until: Timestamp, room: Room) -> Result<Vec<Lease>, StoreError> {
        let (worker, _) = self.scene.world().polled;
        self.write("lease-due", |database| database.lease_due(now, until, room, worker)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask("next-due", Database::next_due).await
    }

    async fn may_send(&self, lease: &Lease) -> Result<bool, StoreError> {
        let may = self.ask("may-send", |database| database.may_send(lease)).await?;
        let world = &mut *self.scene.world();
        let ((worker, task), now) = (world.polled, world.now);
        world.ledger.may_send.retain(|asked| (asked.0, asked.1) != (worker, task));
        world.ledger.may_send.push((worker, task, now));
        Ok(may)
    }

    async fn release(&self, lease: Lease, due_at: Timestamp) -> Result<(), StoreError> {
        self.write("release", |database| database.release(&lease, due_at)).await
    }

    async fn read(&self, lease: &Lease) -> Result<Request, StoreError> {
        let (id, fault) = (lease.request(), self.scene.pass(At::Load).await);
        if fault == Some(Fault::DbDown) {
            return Err(failed());
        }
        let row = self.scene.world().database.leased(lease)?;
        if fault != Some(Fault::DbTorn) {
            return Ok(row);
        }
        // As if the row and its attempts were two statements.
        let attempts = self.ask("attempts", |database| database.attempts_of(id)).await?;
        Ok(Request { attempts, ..row })
    }

    async fn advance(&self, lease: &Lease, change: Change) -> Result<Request, StoreError> {
        self.commit("advance", |database| database.advance(lease, change)).await
    }

    async fn order_end(&self, id: RequestId, _: &Actor, order: &EndOrder) -> Result<Ordered, StoreError> {
        self.write("order-end", |database| database.order_end(id, order)).await
    }

    async fn spent(
        &self,
        connection: &ConnectionName,
        ticket: &TicketId,
        other_than: RequestId,
    ) -> Result<Spent, StoreError> {
        self.ask("spent", |database| database.spent(connection, ticket, other_than)).await
    }

    async fn told(&self, _: &ConnectionName, _: &TicketId) -> Result<Option<Ticket>, StoreError> {
        Ok(None)
    }

    async fn kin(
        &self,
        of: RequestId,
        tenant: &TenantName,
        holding: &Holding,
        now: Timestamp,
    ) -> Result<Vec<Request>, StoreError> {
        let fault = self.scene.pass(At::Load).await;
        if fault == Some(Fault::DbDown) {
            return Err(failed());
        }
        if fault != Some(Fault::DbTorn) {
            return Ok(self.scene.world().database.kin(of, tenant, holding, now));
        }
        // Who they are is one statement, and each of them two more.
        let ids = self.scene.world().database.kin_ids(of, tenant, holding, now);
        let mut kin = vec![];
        for id in ids {
            kin.extend(self.ask("kin", |database| database.load(id)).await?);
        }
        Ok(kin)
    }

    async fn begun_since(
        &self,
        tenant: &TenantName,
        entitlement: &EntitlementKey,
        since: Timestamp,
        other_than: RequestId,
    ) -> Result<i64, StoreError> {
        self.ask("begun-since", |database| database.begun_since(tenant, entitlement, since, other_than)).await
    }

    async fn lease_notes(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
        per_connection: u32,
    ) -> Result<Vec<DueNote>, StoreError> {
        self.write("lease-notes", |database| database.lease_notes(now, until, limit, per_connection)).await
    }

    async fn conclude_note(&self, note: &DueNote, result: &NoteResult, _: Timestamp) -> Result<(), StoreError> {
        self.write("conclude-note", |database| database.conclude_note(note, result)).await
    }

    async fn lease_polls(
        &self,
        connections: &[(ConnectionName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Poll>, StoreError> {
        self.write("lease-polls", |database| database.lease_polls(connections, now, until, limit)).await
    }

    async fn next_poll(&self, connections: &[ConnectionName]) -> Result<Option<Timestamp>, StoreError> {
        self.ask("next-poll", |database| database.next_poll(connections)).await
    }

    async fn conclude_poll(&self, poll: &Poll, result: &PollResult, due_at: Timestamp) -> Result<(), StoreError> {
        self.write("conclude-poll", |database| database.conclude_poll(poll, result, due_at)).await
    }

    async fn read_by_requests(
        &self,
        connection: &ConnectionName,
        tickets: &[TicketId],
    ) -> Result<Vec<TicketId>, StoreError> {
        self.ask("read-by-requests", |database| database.read_by_requests(connection, tickets)).await
    }

    async fn notice(
        &self,
        connection: &ConnectionName,
        hint: &Hint,
        tenant: Option<&TenantName>,
        now: Timestamp,
    ) -> Result<Noticed, StoreError> {
        self.write("notice", |database| database.notice(connection, hint, tenant, now)).await
    }

    async fn lease_sweeps(
        &self,
        tenants: &[(TenantName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Sweep>, StoreError> {
        self.write("lease-sweeps", |database| database.lease_sweeps(tenants, now, until, limit)).await
    }

    async fn next_sweep(&self, tenants: &[TenantName]) -> Result<Option<Timestamp>, StoreError> {
        self.ask("next-sweep", |database| database.next_sweep(tenants)).await
    }

    async fn may_sweep(&self, sweep: &Sweep) -> Result<bool, StoreError> {
        self.ask("may-sweep", |database| database.may_sweep(sweep)).await
    }

    async fn conclude_sweep(&self, sweep: &Sweep, result: &SweepResult, due_at: Timestamp) -> Result<(), StoreError> {
        self.write("conclude-sweep", |database| database.conclude_sweep(sweep, result, due_at)).await
    }

    async fn open_targets(&self, tenant: &TenantName) -> Result<Vec<Target>, StoreError> {
        self.ask("open-targets", |database| database.open_targets(tenant)).await
    }

    async fn books(&self, tenant: &TenantName, shown: &[Held]) -> Result<Books, StoreError> {
        self.ask("books", |database| database.books(tenant, shown)).await
    }

    async fn entry(&self, tenant: &TenantName, request: RequestId) -> Result<Option<Entry>, StoreError> {
        self.ask("entry", |database| database.entry(tenant, request)).await
    }

    async fn miss(&self, request: RequestId, now: Timestamp) -> Result<(), StoreError> {
        self.write("miss", |database| database.miss(request, now)).await
    }

    async fn find_again(&self, request: RequestId) -> Result<(), StoreError> {
        self.write("find-again", |database| database.find_again(request)).await
    }

    async fn show_again(&self, request: RequestId) -> Result<(), StoreError> {
        self.write("show-again", |database| database.show_again(request)).await
    }

    async fn end_missed(
        &self,
        request: RequestId,
        since: Timestamp,
        order: &EndOrder,
        finding: &NewFinding,
    ) -> Result<bool, StoreError> {
        self.write("end-missed", |database| database.end_missed(request, since, order, finding)).await
    }

    async fn record_removal(
        &self,
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
    ) -> Result<Option<TicketNumber>, StoreError> {
        self.write("record-removal", |database| database.record_removal(tenant, request, holding, attempt)).await
    }

    async fn close_removal(
        &self,
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
        findings: &[NewFinding],
    ) -> Result<(), StoreError> {
        let close = |database: &mut Database| database.close_removal(tenant, request, holding, attempt, findings);
        self.commit("close-removal", close).await
    }

    async fn settle_removals(
        &self,
        tenant: &TenantName,
        read: &[Target],
        shown: &[Held],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("settle-removals", |database| database.settle_removals(tenant, read, shown, now)).await
    }

    async fn raise_of_request(
        &self,
        tenant: &TenantName,
        request: RequestId,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("raise-of-request", |database| database.raise_of_request(tenant, request, finding, now)).await
    }

    async fn raise_of_connection(
        &self,
        connection: &ConnectionName,
        finding: &NewFinding,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write("raise-of-connection", |database| database.raise_of_connection(connection, finding)).await
    }

    async fn clear_of_connection(
        &self,
        connection: &ConnectionName,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write("clear-of-connection", |database| database.clear_of_connection(connection, kind, now)).await
    }

    async fn raise_of_tenant(
        &self,
        tenant: &TenantName,
        part: &str,
        finding: &NewFinding,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write("raise-of-tenant", |database| database.raise_of_tenant(tenant, part, finding)).await
    }

    async fn clear_of_tenant(
        &self,
        tenant: &TenantName,
        part: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.write("clear-of-tenant", |database| database.clear_of_tenant(tenant, part, now)).await
    }

    async fn raise_of_subject(
        &self,
        tenant: &TenantName,
        subject: &str,
        finding: &NewFinding,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write("raise-of-subject", |database| database.raise_of_subject(tenant, subject, finding)).await
    }

    async fn clear_of_subjects(
        &self,
        tenant: &TenantName,
        kinds: &[&str],
        keep: &[String],
        keep_targets: &[String],
        _: Timestamp,
    ) -> Result<(), StoreError> {
        let clear = |database: &mut Database| database.clear_of_subjects(tenant, kinds, keep, keep_targets);
        self.write("clear-of-subjects", clear).await
    }
}
