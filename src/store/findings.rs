//! What an auditor or operator must look at.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NewFinding, Store, StoreError, audit};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::{ConnectionName, RequestId, TenantName},
};

impl Store {
    /// How many findings nobody has acknowledged, and what they tell is not over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn findings_open(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar!(
            "-- store::findings::findings_open\nselect count(*) as \"count!\" from findings where acknowledged_at is null and cleared_at is null"
        );
        Ok(count.fetch_one(&self.pool).await?)
    }
}

impl Store {
    /// Raises a finding about a connection as a whole; `true` when the same one does not stand already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_of_connection(
        &self,
        connection: &ConnectionName,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let raised = sqlx::query!(
            "-- store::findings::raise_of_connection\n\
             insert into findings (id, kind, connection, detail, raised_at) values ($1, $2, $3, $4, $5) \
             on conflict (connection, kind) where connection is not null and cleared_at is null do nothing",
            Uuid::now_v7(),
            finding.kind,
            connection.as_str(),
            finding.detail,
            now.to_sqlx(),
        );
        let raised = raised.execute(&mut *transaction).await?.rows_affected() > 0;
        if raised {
            tell(&mut transaction, connection, "finding-raised", finding.kind, now).await?;
        }
        transaction.commit().await?;
        Ok(raised)
    }

    /// What was wrong with a connection is over: clears its findings of this kind and makes due at once what it held;
    /// `true` when there was any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_of_connection(
        &self,
        connection: &ConnectionName,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let cleared = sqlx::query!(
            "-- store::findings::clear_of_connection\n\
             update findings set cleared_at = $3 where connection = $1 and kind = $2 and cleared_at is null",
            connection.as_str(),
            kind,
            now.to_sqlx(),
        );
        let cleared = cleared.execute(&mut *transaction).await?.rows_affected() > 0;
        if cleared {
            tell(&mut transaction, connection, "finding-cleared", kind, now).await?;
            sqlx::query!(
                "-- store::findings::clear_of_connection\n\
                 update requests set due_at = least(due_at, $3), woken = true \
                 where connection = $1 and hold->>'code' = $2 and due_at is not null",
                connection.as_str(),
                kind,
                now.to_sqlx(),
            )
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(cleared)
    }
}

impl Store {
    /// Raises a finding about one of a tenant's many things; `true` when the same one does not stand already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_of_subject(
        &self,
        tenant: &TenantName,
        subject: &str,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let raised = sqlx::query!(
            "-- store::findings::raise_of_subject\n\
             insert into findings (id, kind, tenant, subject, detail, raised_at) values ($1, $2, $3, $4, $5, $6) \
             on conflict (tenant, kind, subject) where subject is not null and cleared_at is null do nothing",
            Uuid::now_v7(),
            finding.kind,
            tenant.as_str(),
            subject,
            finding.detail,
            now.to_sqlx(),
        );
        let raised = raised.execute(&mut *transaction).await?.rows_affected() > 0;
        if raised {
            let detail = json!({ "kind": finding.kind, "subject": subject, "finding": finding.detail });
            tell_of_tenant(&mut transaction, tenant, "finding-raised", detail, now).await?;
        }
        transaction.commit().await?;
        Ok(raised)
    }

    /// Clears what stands of these kinds about a tenant's things, but for these subjects and for whatever is about one of
    /// these targets (`detail.target`, in words).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_of_subjects(
        &self,
        tenant: &TenantName,
        kinds: &[&str],
        keep: &[String],
        keep_targets: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let kinds: Vec<_> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let cleared = sqlx::query!(
            "-- store::findings::clear_of_subjects\n\
             update findings set cleared_at = $5 where tenant = $1 and kind = any($2) and subject is not null \
             and cleared_at is null and subject <> all($3) and coalesce(detail->>'target', '') <> all($4) \
             returning kind, subject",
            tenant.as_str(),
            &kinds,
            keep,
            keep_targets,
            now.to_sqlx(),
        );
        for row in cleared.fetch_all(&mut *transaction).await? {
            let detail = json!({ "kind": row.kind, "subject": row.subject });
            tell_of_tenant(&mut transaction, tenant, "finding-cleared", detail, now).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

async fn tell_of_tenant(
    connection: &mut sqlx::PgConnection,
    tenant: &TenantName,
    event: &'static str,
    detail: Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = AuditEvent { at, event, actor: Actor::stint(), moved: None, detail };
    let about = audit::About { request: None, connection: None, tenant: Some(tenant.as_str()) };
    audit::append(connection, &about, &event).await
}

async fn tell(
    connection: &mut sqlx::PgConnection,
    about: &ConnectionName,
    event: &'static str,
    kind: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = AuditEvent { at, event, actor: Actor::stint(), moved: None, detail: json!({ "kind": kind }) };
    let about = audit::About { request: None, connection: Some(about.as_str()), tenant: None };
    audit::append(connection, &about, &event).await
}

/// Raises a finding about a request; the same kind about the same request is raised once. `true` when it was raised now.
pub(super) async fn raise(
    connection: &mut sqlx::PgConnection,
    request: RequestId,
    tenant: Option<&str>,
    finding: &NewFinding,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let raised = sqlx::query!(
        "-- store::findings::raise\n\
         insert into findings (id, kind, tenant, request_id, detail, raised_at) values ($1, $2, $3, $4, $5, $6) \
         on conflict (request_id, kind) where request_id is not null do nothing",
        Uuid::now_v7(),
        finding.kind,
        tenant,
        request.0,
        finding.detail,
        now.to_sqlx(),
    );
    Ok(raised.execute(connection).await?.rows_affected() > 0)
}
