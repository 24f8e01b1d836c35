//! What an auditor or operator must look at.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::{NewFinding, Store, StoreError, audit, begin, commit::commit};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::{ConnectionName, TenantName},
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
        let mut transaction = begin(&self.pool).await?;
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
            tell(&mut transaction, &of_connection(connection), "finding-raised", finding.kind, now).await?;
        }
        commit(transaction).await?;
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
        let mut transaction = begin(&self.pool).await?;
        let cleared = sqlx::query!(
            "-- store::findings::clear_of_connection\n\
             update findings set cleared_at = $3 where connection = $1 and kind = $2 and cleared_at is null",
            connection.as_str(),
            kind,
            now.to_sqlx(),
        );
        let cleared = cleared.execute(&mut *transaction).await?.rows_affected() > 0;
        if cleared {
            tell(&mut transaction, &of_connection(connection), "finding-cleared", kind, now).await?;
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
        commit(transaction).await?;
        Ok(cleared)
    }
}

impl Store {
    /// Raises a finding about a tenant as a whole, met in this part of it; `true` when the same one does not stand already,
    /// be it for another part.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_of_tenant(
        &self,
        tenant: &TenantName,
        part: &str,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let mut detail = finding.detail.clone();
        detail["parts"] = json!([part]);
        let raised = sqlx::query_scalar!(
            "-- store::findings::raise_of_tenant\n\
             insert into findings (id, kind, tenant, detail, raised_at) values ($1, $2, $3, $4, $5) \
             on conflict (tenant, kind) where request_id is null and connection is null and subject is null and cleared_at is null \
             do update set detail = jsonb_set(findings.detail, '{parts}', findings.detail->'parts' || to_jsonb($6::text)) \
             where not findings.detail->'parts' ? $6 returning id = $1 as \"raised!\"",
            Uuid::now_v7(),
            finding.kind,
            tenant.as_str(),
            detail,
            now.to_sqlx(),
            part,
        );
        let raised = raised.fetch_optional(&mut *transaction).await?.unwrap_or(false);
        if raised {
            tell(&mut transaction, &of_tenant(tenant), "finding-raised", finding.kind, now).await?;
        }
        commit(transaction).await?;
        Ok(raised)
    }

    /// This part of a tenant serves: what was found of it is over, and is cleared where no other part is concerned. What it
    /// held is due at once. Gives the kinds of findings that were about it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_of_tenant(
        &self,
        tenant: &TenantName,
        part: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let about = sqlx::query!(
            "-- store::findings::clear_of_tenant\n\
             update findings set detail = jsonb_set(detail, '{parts}', (detail->'parts') - $2::text), \
             cleared_at = case when (detail->'parts') - $2::text = '[]' then $3::timestamptz end \
             where tenant = $1 and request_id is null and connection is null and cleared_at is null \
             and detail->'parts' ? $2::text returning kind, cleared_at is not null as \"cleared!\"",
            tenant.as_str(),
            part,
            now.to_sqlx(),
        );
        let about = about.fetch_all(&mut *transaction).await?;
        for row in about.iter().filter(|row| row.cleared) {
            tell(&mut transaction, &of_tenant(tenant), "finding-cleared", &row.kind, now).await?;
        }
        let kinds: Vec<_> = about.into_iter().map(|row| row.kind).collect();
        if !kinds.is_empty() {
            sqlx::query!(
                "-- store::findings::clear_of_tenant\n\
                 update requests set due_at = least(due_at, $3), woken = true \
                 where tenant = $1 and hold->>'code' = any($2) and due_at is not null",
                tenant.as_str(),
                &kinds,
                now.to_sqlx(),
            )
            .execute(&mut *transaction)
            .await?;
        }
        commit(transaction).await?;
        Ok(kinds)
    }
}

impl Store {
    /// Raises a finding about stint as a whole, or about this one thing of it; `true` when the same one does not stand already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_as_a_whole(
        &self,
        subject: Option<&str>,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let raised = sqlx::query!(
            "-- store::findings::raise_as_a_whole\n\
             insert into findings (id, kind, subject, detail, raised_at) values ($1, $2, $3, $4, $5) \
             on conflict (kind, subject) where tenant is null and request_id is null and connection is null \
             and cleared_at is null do nothing",
            Uuid::now_v7(),
            finding.kind,
            subject,
            finding.detail,
            now.to_sqlx(),
        );
        let raised = raised.execute(&mut *transaction).await?.rows_affected() > 0;
        if raised {
            tell(&mut transaction, &AS_A_WHOLE, "finding-raised", finding.kind, now).await?;
        }
        commit(transaction).await?;
        Ok(raised)
    }

    /// What was wrong is over: clears the finding; `true` when there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_as_a_whole(
        &self,
        subject: Option<&str>,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let cleared = sqlx::query!(
            "-- store::findings::clear_as_a_whole\n\
             update findings set cleared_at = $3 where tenant is null and request_id is null and connection is null \
             and cleared_at is null and kind = $2 and subject is not distinct from $1",
            subject,
            kind,
            now.to_sqlx(),
        );
        let cleared = cleared.execute(&mut *transaction).await?.rows_affected() > 0;
        if cleared {
            tell(&mut transaction, &AS_A_WHOLE, "finding-cleared", kind, now).await?;
        }
        commit(transaction).await?;
        Ok(cleared)
    }
}

/// What concerns neither a request nor a connection nor a tenant.
const AS_A_WHOLE: audit::About<'static> = audit::About { request: None, connection: None, tenant: None };

fn of_connection(connection: &ConnectionName) -> audit::About<'_> {
    audit::About { request: None, connection: Some(connection.as_str()), tenant: None }
}

fn of_tenant(tenant: &TenantName) -> audit::About<'_> {
    audit::About { request: None, connection: None, tenant: Some(tenant.as_str()) }
}

async fn tell(
    connection: &mut sqlx::PgConnection,
    about: &audit::About<'_>,
    event: &'static str,
    kind: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = AuditEvent { at, event, actor: Actor::stint(), moved: None, detail: json!({ "kind": kind }) };
    audit::append(connection, about, &event).await
}

/// Raises a finding about a request; the same kind about the same request is raised once. `true` when it was raised now.
pub(super) async fn raise(
    connection: &mut sqlx::PgConnection,
    about: &audit::About<'_>,
    finding: &NewFinding,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let raised = sqlx::query!(
        "-- store::findings::raise\n\
         insert into findings (id, kind, tenant, request_id, detail, raised_at) values ($1, $2, $3, $4, $5, $6) \
         on conflict (request_id, kind) where request_id is not null do nothing",
        Uuid::now_v7(),
        finding.kind,
        about.tenant,
        about.request.map(|id| id.0),
        finding.detail,
        now.to_sqlx(),
    );
    let raised = raised.execute(&mut *connection).await?.rows_affected() > 0;
    if raised {
        tell(connection, about, "finding-raised", finding.kind, now).await?;
    }
    Ok(raised)
}
