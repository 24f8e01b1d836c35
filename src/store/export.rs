//! Requests as an export writes them, read row by row from one statement: one snapshot, in constant memory.

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{Connection as _, Decode, PgConnection, Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use super::{
    Store, StoreError,
    history::{Filter, narrow},
};

/// One request as one flat record. Its members are the columns of a CSV and the members of an NDJSON line, in this order.
#[derive(Debug, Serialize)]
pub struct Exported<'r> {
    /// The request.
    pub id: Uuid,
    /// Name of its tenant.
    pub tenant: Option<&'r str>,
    /// Name of the connection it came by.
    pub connection: &'r str,
    /// Where it stands.
    pub status: &'r str,
    /// When its first delivery was taken in.
    pub received_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The ticket's number.
    pub ticket_number: &'r str,
    /// The ticket's immutable id.
    pub ticket_id: &'r str,
    /// Where a person opens the ticket.
    pub ticket_url: Option<&'r str>,
    /// sha256 of the ticket as decided on.
    pub snapshot_digest: Option<&'r str>,
    /// Whether the ticket was read back from its system or told by a signed webhook.
    pub basis: Option<&'r str>,
    /// Object id of who receives it.
    pub principal_id: Option<Uuid>,
    /// Display name of who receives it.
    pub principal_name: Option<&'r str>,
    /// Catalog key of what is granted.
    pub entitlement_key: Option<&'r str>,
    /// Its title.
    pub entitlement_title: Option<&'r str>,
    /// What it gives; an object.
    pub target: Option<&'r RawValue>,
    /// What the ticket asked for.
    pub requested_duration: Option<&'r str>,
    /// What was granted.
    pub granted_duration: Option<&'r str>,
    /// Which limit made it so.
    pub bound_by: Option<&'r str>,
    /// When the ticket was approved.
    pub approved_at: Option<&'r str>,
    /// Who approved it; a list of objects.
    pub approvers: Option<&'r RawValue>,
    /// When stint decided, either way.
    pub decided_at: Option<Cow<'r, str>>,
    /// The catalog it was decided by.
    pub catalog_version: Option<&'r str>,
    /// Every reason for a rejection; a list of objects.
    pub reasons: Option<&'r RawValue>,
    /// PIM's id of the schedule request.
    pub schedule_request_id: Option<&'r str>,
    /// PIM's id of the schedule.
    pub schedule_id: Option<&'r str>,
    /// When PIM started the assignment.
    pub starts_at: Option<&'r str>,
    /// When PIM ends it.
    pub ends_at: Option<&'r str>,
    /// When this was read back.
    pub confirmed_at: Option<&'r str>,
    /// How it comes to end.
    pub end_cause: Option<&'r str>,
    /// When that was ordered.
    pub end_ordered_at: Option<&'r str>,
    /// By whom.
    pub end_ordered_by: Option<&'r str>,
    /// Why, in words.
    pub end_reason: Option<&'r str>,
    /// When nothing of it was left to be read.
    pub end_confirmed_at: Option<&'r str>,
    /// From the moment it was to end until that was proved.
    pub lag_seconds: Option<i64>,
    /// Why it is held.
    pub hold_code: Option<&'r str>,
    /// Why Graph refused it for good.
    pub failure_code: Option<&'r str>,
    /// PIM was only asked whether it would grant it.
    pub dry_run: Option<bool>,
}

/// The members of [`Exported`], as headings.
pub const COLUMNS: [&str; 38] = [
    "id",
    "tenant",
    "connection",
    "status",
    "received_at",
    "updated_at",
    "ticket_number",
    "ticket_id",
    "ticket_url",
    "snapshot_digest",
    "basis",
    "principal_id",
    "principal_name",
    "entitlement_key",
    "entitlement_title",
    "target",
    "requested_duration",
    "granted_duration",
    "bound_by",
    "approved_at",
    "approvers",
    "decided_at",
    "catalog_version",
    "reasons",
    "schedule_request_id",
    "schedule_id",
    "starts_at",
    "ends_at",
    "confirmed_at",
    "end_cause",
    "end_ordered_at",
    "end_ordered_by",
    "end_reason",
    "end_confirmed_at",
    "lag_seconds",
    "hold_code",
    "failure_code",
    "dry_run",
];

/// What each of them is read from; the lag is told by others.
pub const SOURCES: &str = "id, tenant, connection, state as status, received_at, updated_at, ticket_number, ticket_id, \
     ticket_url, snapshot_digest, decision->>'basis' as basis, principal_id, principal_name, entitlement_key, \
     decision->'entitlement'->>'title' as entitlement_title, decision->'entitlement'->'target' as target, \
     coalesce(decision->>'requested', snapshot->'duration'->>'text') as requested_duration, \
     decision->>'duration' as granted_duration, decision->>'bound_by' as bound_by, \
     decision->>'approved_at' as approved_at, decision->'approvers' as approvers, decision->>'decided_at' as decided_at, \
     decision->>'catalog_version' as catalog_version, reasons, \
     assignment->>'schedule_request_id' as schedule_request_id, assignment->>'schedule_id' as schedule_id, \
     assignment->>'starts_at' as starts_at, assignment->>'ends_at' as ends_at, \
     assignment->>'confirmed_at' as confirmed_at, end_order->>'cause' as end_cause, \
     end_order->>'ordered_at' as end_ordered_at, end_order->>'actor' as end_ordered_by, \
     end_order->>'reason' as end_reason, end_order->>'confirmed_at' as end_confirmed_at, \
     hold->>'code' as hold_code, failure->>'code' as failure_code, decision->>'dry_run' as dry_run";

impl Store {
    /// Reads every request of the filter, newest first, as one snapshot, and sends on the chunks that `write` makes of
    /// them; the next row is read when the last chunk was taken. `false` when nobody takes them any more.
    ///
    /// It holds a connection of its own, beyond the pool. Whoever drops this half-way closes it, and with it the statement.
    ///
    /// # Errors
    /// When the database fails, at any row.
    pub async fn export(
        &self,
        filter: &Filter,
        chunks: &Sender<Bytes>,
        mut write: impl FnMut(&Exported<'_>) -> Option<Bytes>,
    ) -> Result<bool, StoreError> {
        let mut connection = PgConnection::connect_with(&self.pool.connect_options()).await?;
        let mut query = QueryBuilder::<Postgres>::new("-- store::export::export\nselect ");
        query.push(SOURCES).push(" from requests where true");
        narrow(&mut query, filter);
        query.push(" order by received_at desc, id desc");
        let mut rows = query.build().fetch(&mut connection);
        while let Some(row) = rows.try_next().await? {
            if let Some(chunk) = write(&read(&row)?)
                && chunks.send(chunk).await.is_err()
            {
                return Ok(false);
            }
        }
        drop(rows);
        // All rows are read; how the connection ends changes nothing about them.
        let _ = connection.close().await;
        Ok(true)
    }
}

/// Reads a row's columns one after the other.
struct Cells<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Cells<'r> {
    fn one<T: Decode<'r, Postgres>>(&mut self) -> Result<T, sqlx::Error> {
        self.next += 1;
        self.row.try_get_unchecked(self.next - 1)
    }

    fn json(&mut self) -> Result<Option<&'r RawValue>, sqlx::Error> {
        Ok(self.one::<Option<Json<&RawValue>>>()?.map(|Json(value)| value))
    }

    fn moment(&mut self) -> Result<Timestamp, sqlx::Error> {
        Ok(self.one::<jiff_sqlx::Timestamp>()?.to_jiff())
    }
}

/// The cells in the order of [`SOURCES`]: members are evaluated as they stand here.
fn read(row: &PgRow) -> Result<Exported<'_>, sqlx::Error> {
    let mut cells = Cells { row, next: 0 };
    let exported = Exported {
        id: cells.one()?,
        tenant: cells.one()?,
        connection: cells.one()?,
        status: cells.one()?,
        received_at: cells.moment()?,
        updated_at: cells.moment()?,
        ticket_number: cells.one()?,
        ticket_id: cells.one()?,
        ticket_url: cells.one()?,
        snapshot_digest: cells.one()?,
        basis: cells.one()?,
        principal_id: cells.one()?,
        principal_name: cells.one()?,
        entitlement_key: cells.one()?,
        entitlement_title: cells.one()?,
        target: cells.json()?,
        requested_duration: cells.one()?,
        granted_duration: cells.one()?,
        bound_by: cells.one()?,
        approved_at: cells.one()?,
        approvers: cells.json()?,
        decided_at: cells.one::<Option<&str>>()?.map(Cow::Borrowed),
        catalog_version: cells.one()?,
        reasons: cells.json()?,
        schedule_request_id: cells.one()?,
        schedule_id: cells.one()?,
        starts_at: cells.one()?,
        ends_at: cells.one()?,
        confirmed_at: cells.one()?,
        end_cause: cells.one()?,
        end_ordered_at: cells.one()?,
        end_ordered_by: cells.one()?,
        end_reason: cells.one()?,
        end_confirmed_at: cells.one()?,
        lag_seconds: None,
        hold_code: cells.one()?,
        failure_code: cells.one()?,
        dry_run: cells.one::<Option<&str>>()?.map(|word| word == "true"),
    };
    Ok(exported.completed())
}

impl Exported<'_> {
    /// What follows from the columns: as lists and documents say it.
    fn completed(mut self) -> Self {
        self.lag_seconds = self.lag();
        if self.decided_at.is_none() && self.reasons.is_some() {
            self.decided_at = Some(self.updated_at.to_string().into());
        }
        if self.dry_run.is_none() && self.catalog_version.is_some() {
            self.dry_run = Some(false);
        }
        self
    }

    fn lag(&self) -> Option<i64> {
        let moment = |text: Option<&str>| text?.parse::<Timestamp>().ok();
        let confirmed = moment(self.end_confirmed_at)?;
        let own_end = if self.end_cause == Some("expired") { moment(self.ends_at) } else { None };
        let from = own_end.or_else(|| moment(self.end_ordered_at))?;
        Some(confirmed.duration_since(from).as_secs())
    }
}

/// A record to show what one looks like.
#[must_use]
pub fn example() -> Exported<'static> {
    Exported {
        id: Uuid::from_u128(0x019a_48e1_6a70_7c31_9d8f_3f0f_5a0e_7b11),
        tenant: Some("contoso"),
        connection: "jira-cloud",
        status: "rejected",
        received_at: Timestamp::constant(1_793_694_667, 0),
        updated_at: Timestamp::constant(1_793_694_669, 0),
        ticket_number: "ITSEC-42",
        ticket_id: "10042",
        ticket_url: Some("https://contoso.atlassian.net/browse/ITSEC-42"),
        snapshot_digest: None,
        basis: None,
        principal_id: None,
        principal_name: None,
        entitlement_key: None,
        entitlement_title: None,
        target: None,
        requested_duration: Some("PT4H"),
        granted_duration: None,
        bound_by: None,
        approved_at: None,
        approvers: None,
        decided_at: Some("2026-11-03T08:31:09Z".into()),
        catalog_version: None,
        reasons: serde_json::from_str(
            r#"[{"code":"self-approval","detail":"the approver is the one who receives it"}]"#,
        )
        .ok(),
        schedule_request_id: None,
        schedule_id: None,
        starts_at: None,
        ends_at: None,
        confirmed_at: None,
        end_cause: None,
        end_ordered_at: None,
        end_ordered_by: None,
        end_reason: None,
        end_confirmed_at: None,
        lag_seconds: None,
        hold_code: None,
        failure_code: None,
        dry_run: None,
    }
}
