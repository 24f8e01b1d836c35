//! Requests whose assignment may have been in force at a moment. The index finds them; [`had_at`] judges each.
//!
//! [`had_at`]: crate::domain::in_force::had_at

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Store, StoreError, attempts, begin, history, requests};
use crate::domain::{
    attempt::Attempt,
    id::RequestId,
    in_force::Course,
    request::{Assignment, Decision, Status},
};

/// Whose assignments are asked for; what is `None` does not filter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MomentFilter {
    /// Tenants the caller may see; `None`: all.
    pub visible_tenants: Option<Vec<String>>,
    /// One tenant.
    pub tenant: Option<String>,
    /// Object id, or part of the name.
    pub principal: Option<String>,
    /// Catalog key.
    pub entitlement: Option<String>,
}

/// A request that may have been in force, with all that tells whether it was.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The request.
    pub request: RequestId,
    /// Its tenant.
    pub tenant: Option<String>,
    /// The connection its ticket came by.
    pub connection: String,
    /// Its ticket's number.
    pub ticket_number: String,
    /// Where a person opens the ticket.
    pub ticket_url: Option<String>,
    /// Where the request stands now.
    pub status: Status,
    /// What is known of its access.
    pub course: Course,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant: Option<String>,
    connection: String,
    ticket_number: String,
    ticket_url: Option<String>,
    state: String,
    held_state: Option<String>,
    decision: Value,
    assignment: Option<Value>,
    end_order: Option<Value>,
    end_requested: Option<Value>,
    unseen_since: Option<Column>,
    in_force_from: Option<Column>,
    in_force_until: Option<Column>,
}

const COLUMNS: &str = "id, tenant, connection, ticket_number, ticket_url, state, held_state, decision, assignment, \
                       end_order, end_requested, unseen_since, in_force_from, in_force_until";

impl Store {
    /// One page of the requests that may have been in force then, newest first, after the one of this id.
    ///
    /// # Errors
    /// When the database fails or a row does not hold what it must.
    pub async fn at_moment(
        &self,
        filter: &MomentFilter,
        moment: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        let mut transaction = begin(&self.readers).await?;
        // One snapshot, so that a request and its attempts tell the same.
        sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *transaction).await?;
        let mut query = page(filter, moment, after, limit);
        let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *transaction).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let mut attempts: HashMap<Uuid, Vec<Attempt>> = HashMap::new();
        for (request, attempt) in attempts::of_requests(&mut transaction, &ids).await? {
            attempts.entry(request).or_default().push(attempt);
        }
        rows.into_iter().map(|row| row.candidate(&mut attempts)).collect()
    }
}

/// Few were in force at one moment, which the planner cannot know: left to itself it walks all requests, newest first. So
/// those are found before they are put in order.
fn page(filter: &MomentFilter, moment: Timestamp, after: Option<Uuid>, limit: u32) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::<Postgres>::new(
        "-- store::moments::at_moment\n\
         with held as materialized (select id from requests where in_force_from is not null and decision is not null \
         and tstzrange(in_force_from, in_force_until, '[]') @> ",
    );
    query.push_bind(moment.to_sqlx());
    narrow(&mut query, filter);
    if let Some(id) = after {
        query.push(" and id < ").push_bind(id);
    }
    query
        .push(") select ")
        .push(COLUMNS)
        .push(" from requests where id in (select id from held order by id desc limit ");
    query.push_bind(i64::from(limit)).push(") order by id desc");
    query
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &MomentFilter) {
    if let Some(visible) = &filter.visible_tenants {
        query.push(" and tenant = any(").push_bind(visible.clone()).push(")");
    }
    for (column, value) in [("tenant", &filter.tenant), ("entitlement_key", &filter.entitlement)] {
        if let Some(value) = value {
            query.push(" and ").push(column).push(" = ").push_bind(value.clone());
        }
    }
    history::narrow_by_person(query, filter.principal.as_deref());
}

impl Row {
    fn candidate(self, attempts: &mut HashMap<Uuid, Vec<Attempt>>) -> Result<Candidate, StoreError> {
        let id = RequestId(self.id);
        let status = requests::status(id, &self.state)?;
        let stands = self.held_state.as_deref().map(|held| requests::status(id, held)).transpose()?;
        let order = |column, order: Option<Value>| order.map(|order| requests::parse(id, column, &order)).transpose();
        let assignment = self.assignment.map(|read| requests::parse::<Assignment>(id, "assignment", &read));
        let course = Course {
            status: stands.unwrap_or(status),
            decision: requests::parse::<Decision>(id, "decision", &self.decision)?,
            assignment: assignment.transpose()?,
            end: order("end_order", self.end_order)?,
            ordered: order("end_requested", self.end_requested)?,
            attempts: attempts.remove(&self.id).unwrap_or_default(),
            unseen_since: self.unseen_since.map(Column::to_jiff),
            gone_at: self.in_force_until.map(Column::to_jiff),
            kept_from: self.in_force_from.map(Column::to_jiff),
        };
        let (tenant, connection) = (self.tenant, self.connection);
        let (ticket_number, ticket_url) = (self.ticket_number, self.ticket_url);
        Ok(Candidate { request: id, tenant, connection, ticket_number, ticket_url, status, course })
    }
}
