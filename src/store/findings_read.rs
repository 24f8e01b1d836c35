//! Findings as those see them who must look at them, and that somebody did.
//!
//! A finding belongs to its tenant; one of a request that named none when it was raised, to the tenant of that request; one
//! of a connection as a whole, to every tenant that the connection serves, so that only who may see all of them sees it.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde_json::{Value, json};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Store, StoreError, audit, begin, commit::commit};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::RequestId,
};

/// What a caller may see, or act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum May {
    /// Everything, and what has no tenant.
    All,
    /// What belongs to these tenants, and to connections that serve none but these.
    Some {
        /// The tenants.
        tenants: Vec<String>,
        /// The connections.
        connections: Vec<String>,
    },
}

/// How a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingState {
    /// It lasts, or does not pass, and nobody acknowledged it.
    Open,
    /// It is not over, and somebody acknowledged it.
    Acknowledged,
    /// What it tells is over.
    Cleared,
}

/// Which findings are asked for; what is `None` does not filter.
#[derive(Clone, Debug)]
pub struct FindingFilter {
    /// What the caller may see.
    pub may: May,
    /// One kind.
    pub kind: Option<String>,
    /// One tenant.
    pub tenant: Option<String>,
    /// One request.
    pub request: Option<Uuid>,
    /// One connection.
    pub connection: Option<String>,
    /// How it stands.
    pub state: Option<FindingState>,
    /// Raised at or after.
    pub from: Option<Timestamp>,
    /// Raised before.
    pub to: Option<Timestamp>,
}

/// A finding as its row holds it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described in the schema")]
pub struct Finding {
    pub id: Uuid,
    pub kind: String,
    pub tenant: Option<String>,
    pub connection: Option<String>,
    pub request_id: Option<Uuid>,
    pub subject: Option<String>,
    pub detail: Value,
    pub raised_at: Column,
    pub acknowledged_at: Option<Column>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_reason: Option<String>,
    pub cleared_at: Option<Column>,
}

const SELECT: &str = "select f.id, f.kind, coalesce(f.tenant, r.tenant) as tenant, f.connection, f.request_id, \
                      f.subject, f.detail, f.raised_at, f.acknowledged_at, f.acknowledged_by, f.acknowledged_reason, \
                      f.cleared_at from findings f left join requests r on r.id = f.request_id where true";

impl Store {
    /// One page of findings, newest first, after the given (`raised_at`, id).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn findings(
        &self,
        filter: &FindingFilter,
        after: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<Finding>, StoreError> {
        let mut query = QueryBuilder::<Postgres>::new("-- store::findings_read::findings\n");
        query.push(SELECT);
        narrow(&mut query, filter);
        if let Some((raised_at, id)) = after {
            query.push(" and (f.raised_at, f.id) < (").push_bind(raised_at.to_sqlx());
            query.push(", ").push_bind(id).push(")");
        }
        query.push(" order by f.raised_at desc, f.id desc limit ").push_bind(i64::from(limit));
        Ok(query.build_query_as().fetch_all(&self.readers).await?)
    }

    /// One finding, if the caller may see or act on it; `None` otherwise.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finding(&self, id: Uuid, may: &May) -> Result<Option<Finding>, StoreError> {
        one(&mut *self.pool.acquire().await?, id, may).await
    }

    /// Somebody looked at a finding: keeps who, when and why, unless somebody did before. `None` when the caller may not act
    /// on it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acknowledge(
        &self,
        id: Uuid,
        may: &May,
        actor: &Actor,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Finding>, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let Some(finding) = one(&mut transaction, id, may).await? else { return Ok(None) };
        let acknowledged = sqlx::query!(
            "-- store::findings_read::acknowledge\n\
             update findings set acknowledged_at = $2, acknowledged_by = $3, acknowledged_reason = $4 \
             where id = $1 and acknowledged_at is null",
            id,
            now.to_sqlx(),
            actor.to_string(),
            reason,
        );
        if acknowledged.execute(&mut *transaction).await?.rows_affected() > 0 {
            tell(&mut transaction, &finding, actor, reason, now).await?;
        }
        let finding = one(&mut transaction, id, may).await?;
        commit(transaction).await?;
        Ok(finding)
    }
}

async fn one(connection: &mut sqlx::PgConnection, id: Uuid, may: &May) -> Result<Option<Finding>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new("-- store::findings_read::one\n");
    query.push(SELECT).push(" and f.id = ").push_bind(id);
    narrow_to(&mut query, may);
    Ok(query.build_query_as().fetch_optional(connection).await?)
}

async fn tell(
    connection: &mut sqlx::PgConnection,
    finding: &Finding,
    actor: &Actor,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let detail = json!({ "id": finding.id, "kind": finding.kind, "subject": finding.subject, "reason": reason });
    let event = AuditEvent { at, event: "finding-acknowledged", actor: actor.clone(), moved: None, detail };
    let about = audit::About {
        request: finding.request_id.map(RequestId),
        connection: finding.connection.as_deref(),
        tenant: finding.tenant.as_deref(),
    };
    audit::append(connection, &about, &event).await
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &FindingFilter) {
    narrow_to(query, &filter.may);
    let texts = [
        ("f.kind", &filter.kind),
        ("coalesce(f.tenant, r.tenant)", &filter.tenant),
        ("f.connection", &filter.connection),
    ];
    for (column, value) in texts {
        if let Some(value) = value {
            query.push(" and ").push(column).push(" = ").push_bind(value.clone());
        }
    }
    if let Some(request) = filter.request {
        query.push(" and f.request_id = ").push_bind(request);
    }
    if let Some(from) = filter.from {
        query.push(" and f.raised_at >= ").push_bind(from.to_sqlx());
    }
    if let Some(to) = filter.to {
        query.push(" and f.raised_at < ").push_bind(to.to_sqlx());
    }
    query.push(match filter.state {
        None => "",
        Some(FindingState::Open) => " and f.cleared_at is null and f.acknowledged_at is null",
        Some(FindingState::Acknowledged) => " and f.cleared_at is null and f.acknowledged_at is not null",
        Some(FindingState::Cleared) => " and f.cleared_at is not null",
    });
}

fn narrow_to(query: &mut QueryBuilder<Postgres>, may: &May) {
    let May::Some { tenants, connections } = may else { return };
    query.push(" and (coalesce(f.tenant, r.tenant) = any(").push_bind(tenants.clone());
    query.push(") or f.connection = any(").push_bind(connections.clone()).push("))");
}

impl Finding {
    /// How it stands.
    #[must_use]
    pub fn state(&self) -> FindingState {
        match (&self.cleared_at, &self.acknowledged_at) {
            (Some(_), _) => FindingState::Cleared,
            (None, Some(_)) => FindingState::Acknowledged,
            (None, None) => FindingState::Open,
        }
    }
}
