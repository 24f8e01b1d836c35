//! Findings about one of a tenant's many things, each raised once for as long as it lasts.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NewFinding, Store, StoreError, audit, begin, commit::commit};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::TenantName,
};

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
        let mut transaction = begin(&self.pool).await?;
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
        commit(transaction).await?;
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
        let mut transaction = begin(&self.pool).await?;
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
        commit(transaction).await?;
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
