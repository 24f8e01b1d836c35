//! What is dropped after its time: bodies of webhooks, snapshots of tickets, facts of audit events. Records stay, and with
//! them the digests of all that went.
//!
//! Each batch is a transaction of its own, so that stopping anywhere loses nothing and the next run goes on. Nothing that
//! belongs to an open request is touched. The facts of audit events go only once the log itself says up to when: a trigger
//! refuses whatever is younger.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::json;

use super::{Store, StoreError, audit, begin, commit::commit};
use crate::domain::audit::{Actor, AuditEvent};

/// Rows looked at by one transaction.
const BATCH: i64 = 5000;

impl Store {
    /// Empties the bodies and headers of webhooks taken in before then; gives how many.
    ///
    /// # Errors
    /// When the database fails; what was done until then stays done.
    pub async fn drop_bodies(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let (mut after, mut dropped) = (0, 0);
        loop {
            let row = sqlx::query!(
                "-- store::retention::drop_bodies\n\
                 with batch as (select d.id, body <> '' or headers <> '{}' as is_full, received_at from deliveries d \
                 where d.id > $1 order by d.id limit $3), \
                 emptied as (update deliveries set body = '', headers = '{}' where id in (select id from batch \
                 where is_full and received_at < $2) and not exists (select from requests r \
                 where r.id = deliveries.request_id and r.due_at is not null) returning 1) \
                 select max(id) as last, bool_or(received_at < $2) as old, \
                 (select count(*) from emptied) as \"emptied!\" from batch",
                after,
                before.to_sqlx(),
                BATCH,
            );
            let row = row.fetch_one(&self.pool).await?;
            dropped += row.emptied.unsigned_abs();
            match (row.last, row.old) {
                // Deliveries are numbered as they come: past a batch of young ones there are no old ones.
                (Some(last), Some(true)) => after = last,
                _ => break,
            }
        }
        self.tell("bodies-dropped", before, dropped, now).await?;
        Ok(dropped)
    }

    /// Drops the ticket snapshots of requests that were over before then, and keeps their digests; gives how many.
    ///
    /// # Errors
    /// When the database fails; what was done until then stays done.
    pub async fn drop_snapshots(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let batch = sqlx::query!(
                "-- store::retention::drop_snapshots\n\
                 update requests set snapshot = null where id in (select id from requests \
                 where snapshot is not null and due_at is null and updated_at < $1 order by updated_at limit $2)",
                before.to_sqlx(),
                BATCH,
            );
            let count = batch.execute(&self.pool).await?.rows_affected();
            dropped += count;
            if count == 0 {
                break;
            }
        }
        self.tell("snapshots-dropped", before, dropped, now).await?;
        Ok(dropped)
    }

    /// Drops the facts of audit events from before then, once the log says so; gives how many.
    ///
    /// # Errors
    /// When the database fails; what was done until then stays done.
    pub async fn drop_details(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let (mut after, mut dropped) = (0, 0);
        let mut told = false;
        loop {
            let batch = sqlx::query!(
                "-- store::retention::drop_details\n\
                 select event_id, at < $2 as \"old!\", r.due_at is null as \"over!\" from audit_details \
                 join audit_events e on e.id = event_id left join requests r on r.id = e.request_id \
                 where event_id > $1 order by event_id limit $3",
                after,
                before.to_sqlx(),
                BATCH,
            );
            let batch = batch.fetch_all(&self.pool).await?;
            // Events are numbered as they are written: past a batch of young ones there are no old ones.
            let Some(last) = batch.last().filter(|_| batch.iter().any(|row| row.old)) else { break };
            after = last.event_id;
            let old: Vec<i64> = batch.iter().filter(|row| row.old && row.over).map(|row| row.event_id).collect();
            if !old.is_empty() {
                if !std::mem::replace(&mut told, true) {
                    self.allow_dropping(before, now).await?;
                }
                dropped += self.delete_details(&old).await?;
            }
        }
        Ok(dropped)
    }

    async fn delete_details(&self, events: &[i64]) -> Result<u64, StoreError> {
        let deleted = sqlx::query!(
            "-- store::retention::delete_details\ndelete from audit_details where event_id = any($1)",
            events
        );
        Ok(deleted.execute(&self.pool).await?.rows_affected())
    }

    /// The log says that facts from before then may be gone, unless it said so of a later moment already.
    async fn allow_dropping(&self, before: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let allowed = sqlx::query_scalar!(
            "-- store::retention::allow_dropping\n\
             select exists (select from audit_drops where dropped_before >= $1) as \"allowed!\"",
            before.to_sqlx()
        );
        if allowed.fetch_one(&mut *transaction).await? {
            return Ok(());
        }
        let event = dropped("details-dropped", json!({ "before": before }), now);
        audit::append(&mut transaction, &NOTHING, &event).await?;
        // The number that this very connection drew last is the event's.
        sqlx::query!(
            "-- store::retention::allow_dropping\n\
             insert into audit_drops (dropped_before, event_id) \
             select $1, currval(pg_get_serial_sequence('audit_events', 'id'))",
            before.to_sqlx(),
        )
        .execute(&mut *transaction)
        .await?;
        commit(transaction).await?;
        Ok(())
    }

    async fn tell(&self, event: &'static str, before: Timestamp, count: u64, now: Timestamp) -> Result<(), StoreError> {
        if count > 0 {
            let event = dropped(event, json!({ "before": before, "count": count }), now);
            audit::append(&mut *self.pool.acquire().await?, &NOTHING, &event).await?;
        }
        Ok(())
    }
}

/// It concerns no single request, connection or tenant.
const NOTHING: audit::About<'static> = audit::About { request: None, connection: None, tenant: None };

fn dropped(event: &'static str, detail: serde_json::Value, now: Timestamp) -> AuditEvent {
    AuditEvent { at: now, event, actor: Actor::stint(), moved: None, detail }
}
