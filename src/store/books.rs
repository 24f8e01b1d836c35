//! What stint holds of a tenant's assignments, and what a comparison with Graph changes of that.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as Column, ToSqlx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NewFinding, Store, StoreError, attempts, audit, begin, commit::commit, findings, requests};
use crate::domain::{
    assignment::Holding,
    attempt::{Attempt, AttemptOutcome, SETTLE},
    audit::{Actor, AuditEvent},
    id::{ObjectId, RequestId, TenantName, TicketNumber},
    request::{Assignment, EndOrder, Status},
    sweep::{Books, Entry, Held, Stands},
    target::Target,
};

/// A removal that PIM refused, or that could not be sent, is not tried again before this long.
const AGAIN_AFTER_REFUSAL: SignedDuration = SignedDuration::from_hours(1);

/// A request as the books are read from it.
struct Row {
    id: Uuid,
    principal_id: Option<Uuid>,
    target: Option<Value>,
    stands: String,
    assignment: Option<Value>,
    unseen_since: Option<Column>,
    state_since: Column,
    /// Whether it has asked PIM for access, or may have.
    asked: bool,
}

impl Store {
    /// What open requests of the tenant give, or what an attempt may still be changing.
    ///
    /// # Errors
    /// When the database fails or a row does not hold what it must.
    pub async fn open_targets(&self, tenant: &TenantName) -> Result<Vec<Target>, StoreError> {
        let rows = sqlx::query!(
            "-- store::books::open_targets\n\
             select distinct on (decision->'entitlement'->'target') id, decision->'entitlement'->'target' as target \
             from requests where tenant = $1 and decision is not null and id in (\
             select id from requests where due_at is not null \
             union all select request_id from attempts where tenant = $1 and outcome = 'open')",
            tenant.as_str(),
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter();
        rows.map(|row| requests::parse(RequestId(row.id), "decision", &row.target.unwrap_or_default())).collect()
    }

    /// What stint holds of the tenant, as far as it concerns what shows there.
    ///
    /// # Errors
    /// When the database fails or a row does not hold what it must.
    pub async fn books(&self, tenant: &TenantName, shown: &[Held]) -> Result<Books, StoreError> {
        let ids: Vec<_> = shown.iter().filter_map(|held| held.instance.schedule_id.clone()).collect();
        let made = sqlx::query!(
            "-- store::books::books\n\
             select request_id, schedule_id, schedule_request_id from attempts where tenant = $1 \
             and (schedule_id = any($2) or schedule_request_id = any($2)) order by number",
            tenant.as_str(),
            &ids,
        );
        let made = made.fetch_all(&self.pool).await?;
        let makers: Vec<_> = made.iter().map(|row| row.request_id).collect();
        let mut books = Books { entries: self.entries(tenant, &makers).await?, ..Books::default() };
        for row in made {
            let ids = [row.schedule_id, row.schedule_request_id].into_iter().flatten();
            books.made.extend(ids.map(|id| (id, RequestId(row.request_id))));
        }
        let busy = sqlx::query!(
            "-- store::books::books\n\
             select principal_id, target from attempts where tenant = $1 and outcome = 'open'",
            tenant.as_str(),
        );
        let busy = busy.fetch_all(&self.pool).await?;
        books.busy = busy.into_iter().map(|row| (ObjectId(row.principal_id), row.target)).collect();
        let told = sqlx::query_scalar!(
            "-- store::books::books\n\
             select subject as \"subject!\" from findings where tenant = $1 and subject is not null and cleared_at is null",
            tenant.as_str(),
        );
        books.told = told.fetch_all(&self.pool).await?.into_iter().collect();
        Ok(books)
    }

    /// Every open request with a decision, and these whatever they are.
    async fn entries(&self, tenant: &TenantName, makers: &[Uuid]) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            "-- store::books::entries\n\
             select id, principal_id, decision->'entitlement'->'target' as target, \
             coalesce(held_state, state) as \"stands!\", assignment, unseen_since as \"unseen_since: Column\", \
             state_since as \"state_since: Column\", exists (select from attempts a where a.request_id = requests.id \
             and a.kind in ('assign', 'update') and a.outcome in ('open', 'accepted')) as \"asked!\" \
             from requests where tenant = $1 and decision is not null and (due_at is not null or id = any($2))",
            tenant.as_str(),
            makers,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Row::entry).collect()
    }

    /// Where a request of this tenant stands; `None` when there is none of this id.
    ///
    /// # Errors
    /// When the database fails or the row does not hold what it must.
    pub async fn entry(&self, tenant: &TenantName, request: RequestId) -> Result<Option<Entry>, StoreError> {
        let entries = self.entries(tenant, &[request.0]).await?;
        Ok(entries.into_iter().find(|entry| entry.request == request))
    }

    /// A look missed the request's assignment for the first time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn miss(&self, request: RequestId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query!(
            "-- store::books::miss\n\
             update requests set unseen_since = $2 where id = $1 and unseen_since is null \
             and coalesce(held_state, state) = 'active'",
            request.0,
            now.to_sqlx(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The request's assignment shows: whoever missed it did not miss it for good.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_again(&self, request: RequestId) -> Result<(), StoreError> {
        sqlx::query!("-- store::books::find_again\nupdate requests set unseen_since = null where id = $1", request.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Orders the end of a request that has been missed since then, with a finding; `false` when it is no longer so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_missed(
        &self,
        request: RequestId,
        since: Timestamp,
        order: &EndOrder,
        finding: &NewFinding,
    ) -> Result<bool, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let row = sqlx::query!(
            "-- store::books::end_missed\n\
             update requests set end_requested = $3, woken = true, due_at = $4, updated_at = $4 \
             where id = $1 and unseen_since = $2 and end_requested is null and coalesce(held_state, state) = 'active' \
             returning connection, tenant",
            request.0,
            since.to_sqlx(),
            requests::json(order)?,
            order.ordered_at.to_sqlx(),
        );
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(false) };
        let about =
            audit::About { request: Some(request), connection: Some(&row.connection), tenant: row.tenant.as_deref() };
        findings::raise(&mut transaction, &about, finding, order.ordered_at).await?;
        let detail = requests::json(order)?;
        let (at, actor) = (order.ordered_at, order.actor.clone());
        let event = AuditEvent { at, event: "end-ordered", actor, moved: None, detail };
        audit::append(&mut transaction, &about, &event).await?;
        commit(transaction).await?;
        Ok(true)
    }

    /// Raises a finding about a request and makes it due at once; nothing when the same one was raised before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_of_request(
        &self,
        tenant: &TenantName,
        request: RequestId,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = begin(&self.pool).await?;
        if findings::raise(&mut transaction, &about(tenant, request), finding, now).await? {
            sqlx::query!(
                "-- store::books::raise_of_request\n\
                 update requests set due_at = least(due_at, $2), woken = true where id = $1 and due_at is not null",
                request.0,
                now.to_sqlx(),
            )
            .execute(&mut *transaction)
            .await?;
        }
        commit(transaction).await?;
        Ok(())
    }

    /// A request that is over, and its assignment shows: it is not proved gone any more, whatever was believed of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn show_again(&self, request: RequestId) -> Result<(), StoreError> {
        sqlx::query!(
            "-- store::books::show_again\n\
             update requests set in_force_until = null, in_force_from = coalesce(in_force_from, (select min(recorded_at) \
             from attempts where request_id = $1 and kind in ('assign', 'update')), received_at) \
             where id = $1 and due_at is null",
            request.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records an attempt to remove what a request that is over left behind. `None`: an open request rests on the same
    /// holding, or another attempt is or may still be at work there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_removal(
        &self,
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
    ) -> Result<Option<TicketNumber>, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let row = sqlx::query!(
            "-- store::books::record_removal\n\
             select connection, ticket_number from requests r where id = $1 and due_at is null \
             and not exists (select from requests o where o.tenant = $2 and o.principal_id = $3 \
             and o.due_at is not null and o.decision->'entitlement'->'target' = $4 \
             and (coalesce(o.held_state, o.state) not in ('approved', 'assigning') \
             or exists (select from attempts b where b.request_id = o.id and b.kind in ('assign', 'update') \
             and b.outcome in ('open', 'accepted')))) \
             and not exists (select from attempts a where a.tenant = $2 and a.principal_id = $3 and a.target = $5 \
             and a.outcome in ('open', 'accepted') and a.kind <> 'validate' and a.send_not_after > $6) \
             and not exists (select from attempts c where c.request_id = $1 and c.kind = 'remove' \
             and c.outcome in ('refused', 'not-sent') and c.recorded_at > $7) for update",
            request.0,
            tenant.as_str(),
            holding.principal.0,
            requests::json(&holding.target)?,
            holding.target.to_string(),
            (attempt.recorded_at - SETTLE).to_sqlx(),
            (attempt.recorded_at - AGAIN_AFTER_REFUSAL).to_sqlx(),
        );
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(None) };
        match attempts::put_at(&mut transaction, request, tenant, holding, attempt).await {
            Err(StoreError::HoldingBusy(_)) => return Ok(None),
            put => put?,
        }
        tell(&mut transaction, tenant, request, ("attempt-recorded", attempt.recorded_at), attempt).await?;
        commit(transaction).await?;
        Ok(Some(TicketNumber::new(row.ticket_number)))
    }

    /// Keeps how such an attempt came out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_removal(
        &self,
        tenant: &TenantName,
        request: RequestId,
        holding: &Holding,
        attempt: &Attempt,
        findings: &[NewFinding],
    ) -> Result<(), StoreError> {
        let mut transaction = begin(&self.pool).await?;
        attempts::put_at(&mut transaction, request, tenant, holding, attempt).await?;
        let at = attempt.closed_at.unwrap_or(attempt.recorded_at);
        for finding in findings {
            findings::raise(&mut transaction, &about(tenant, request), finding, at).await?;
        }
        if attempt.outcome != AttemptOutcome::Open {
            tell(&mut transaction, tenant, request, ("attempt-closed", at), attempt).await?;
        }
        commit(transaction).await?;
        Ok(())
    }

    /// Closes attempts of requests that are over whose outcome nobody learnt, once their settle time is over and the list
    /// of their target was read: what still shows was not removed, what does not was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_removals(
        &self,
        tenant: &TenantName,
        read: &[Target],
        shown: &[Held],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let principals: Vec<_> = shown.iter().map(|held| held.holding.principal.0).collect();
        let targets: Vec<_> = shown.iter().map(|held| held.holding.target.to_string()).collect();
        let read: Vec<_> = read.iter().map(ToString::to_string).collect();
        let closed = sqlx::query!(
            "-- store::books::settle_removals\n\
             update attempts a set closed_at = $3, outcome = case when exists (select from \
             unnest($4::uuid[], $5::text[]) as shown (principal_id, target) \
             where shown.principal_id = a.principal_id and shown.target = a.target) then 'absent' else 'accepted' end \
             from requests r where r.id = a.request_id and r.due_at is null and a.tenant = $1 and a.outcome = 'open' \
             and a.kind = 'remove' and a.send_not_after <= $2 and a.target = any($6) \
             returning a.id, a.request_id, a.outcome",
            tenant.as_str(),
            (now - SETTLE).to_sqlx(),
            now.to_sqlx(),
            &principals,
            &targets,
            &read,
        );
        for row in closed.fetch_all(&mut *transaction).await? {
            let detail = json!({ "id": row.id, "outcome": row.outcome });
            let request = RequestId(row.request_id);
            tell(&mut transaction, tenant, request, ("attempt-closed", now), &detail).await?;
        }
        sqlx::query!(
            "-- store::books::settle_removals\n\
             update requests r set in_force_until = greatest($3, in_force_from) \
             where tenant = $1 and due_at is null and in_force_from is not null and in_force_until is null \
             and exists (select from attempts a where a.request_id = r.id and a.target = any($6)) \
             and not exists (select from attempts a where a.request_id = r.id and a.send_not_after > $2) \
             and not exists (select from attempts a join unnest($4::uuid[], $5::text[]) as shown (principal_id, target) \
             using (principal_id, target) where a.request_id = r.id)",
            tenant.as_str(),
            (now - SETTLE).to_sqlx(),
            now.to_sqlx(),
            &principals,
            &targets,
            &read,
        )
        .execute(&mut *transaction)
        .await?;
        commit(transaction).await?;
        Ok(())
    }
}

impl Row {
    fn entry(self) -> Result<Entry, StoreError> {
        let request = RequestId(self.id);
        let missing = |column| StoreError::bad("requests", column, request, "missing");
        let target = self.target.ok_or_else(|| missing("decision"))?;
        let principal = ObjectId(self.principal_id.ok_or_else(|| missing("principal_id"))?);
        let target = requests::parse(request, "decision", &target)?;
        let stands = match Status::named(&self.stands) {
            Some(Status::Active) => {
                let assignment = self.assignment.ok_or_else(|| missing("assignment"))?;
                let Assignment { ends_at, confirmed_at, .. } = requests::parse(request, "assignment", &assignment)?;
                Stands::InForce { ends_at, confirmed_at, unseen_since: self.unseen_since.map(Column::to_jiff) }
            }
            Some(status) if status.is_terminal() => Stands::Over(self.state_since.to_jiff()),
            Some(Status::Approved | Status::Assigning) if !self.asked => Stands::Waiting,
            _ => Stands::Underway,
        };
        Ok(Entry { request, holding: Holding { principal, target }, stands })
    }
}

/// Appends what happened to an attempt.
async fn tell(
    connection: &mut sqlx::PgConnection,
    tenant: &TenantName,
    request: RequestId,
    (event, at): (&'static str, Timestamp),
    detail: &impl serde::Serialize,
) -> Result<(), StoreError> {
    let detail = requests::json(detail)?;
    let event = AuditEvent { at, event, actor: Actor::stint(), moved: None, detail };
    audit::append(connection, &about(tenant, request), &event).await
}

fn about(tenant: &TenantName, request: RequestId) -> audit::About<'_> {
    audit::About { request: Some(request), connection: None, tenant: Some(tenant.as_str()) }
}
