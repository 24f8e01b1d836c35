//! Operators' words: end this request, or look at it now. Each call is done once, however often it comes.
//!
//! The request's row is locked first, so that twins of a call follow each other; what the first was answered is kept in the
//! transaction of what it did, and every other one is answered from there. Nothing here can bring about a grant: an order
//! only ends, and a request that is due now meets every wait and limit of the step that it was due for anyway.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::json;

use super::{
    Ordered, Store, StoreError, audit, begin,
    commit::commit,
    requests::{self, order_end_in},
};
use crate::domain::{
    audit::{Actor, AuditEvent},
    id::{RequestId, TenantName},
    request::{EndOrder, Status},
};

/// Answers are kept for a week.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What an operator wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The request is to end.
    Revoke,
    /// Its next step is to be made now.
    Retry,
}

/// One call of an operator.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// What is to be done.
    pub deed: Deed,
    /// To which request.
    pub request: RequestId,
    /// Who calls.
    pub actor: &'a Actor,
    /// Why, in words.
    pub reason: &'a str,
    /// What a repeat carries too.
    pub key: &'a str,
    /// sha256 of the body.
    pub body_sha256: [u8; 32],
    /// When.
    pub now: Timestamp,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is recorded; the request stands there.
    Recorded(Status),
    /// It is ending already, by an earlier order.
    Already(Status),
    /// The request is over: nothing was done.
    Over(Status),
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    /// The answer: the one just given, or the one that an earlier call with this key was given.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
        /// An earlier call was answered so, and nothing was done now.
        repeat: bool,
    },
    /// The key came before with another body.
    Conflict,
    /// There is no such request, or it is no longer one of the caller's.
    Unknown,
}

impl Store {
    /// Which tenant a request belongs to; the outer `None`: there is no such request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_of(&self, id: RequestId) -> Result<Option<Option<TenantName>>, StoreError> {
        let row = sqlx::query_scalar!("-- store::acting::tenant_of\nselect tenant from requests where id = $1", id.0);
        Ok(row.fetch_optional(&self.pool).await?.map(|tenant| tenant.map(TenantName::new)))
    }

    /// Does what an operator wants, once for each key. `may` is asked under the lock, since a request may come to belong to
    /// another tenant before it is decided on; `answer` says how what was done is told.
    ///
    /// # Errors
    /// When the database fails: then nothing was done, or it was done and a repeat is told so.
    pub async fn act(
        &self,
        call: &Call<'_>,
        may: impl FnOnce(Option<&TenantName>) -> bool + Send,
        answer: impl FnOnce(Outcome) -> (u16, String) + Send,
    ) -> Result<Acted, StoreError> {
        let mut transaction = begin(&self.pool).await?;
        let row = sqlx::query!(
            "-- store::acting::act\nselect state, connection, tenant from requests where id = $1 for update",
            call.request.0
        );
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(Acted::Unknown) };
        if !may(row.tenant.clone().map(TenantName::new).as_ref()) {
            return Ok(Acted::Unknown);
        }
        if let Some(acted) = answered_before(&mut transaction, call).await? {
            // The earlier answer may not be durable yet. The lock on the request was written after it.
            commit(transaction).await?;
            return Ok(acted);
        }
        let status = requests::status(call.request, &row.state)?;
        let about = audit::About {
            request: Some(call.request),
            connection: Some(&row.connection),
            tenant: row.tenant.as_deref(),
        };
        let outcome = match call.deed {
            _ if status.is_terminal() => Outcome::Over(status),
            Deed::Revoke => revoke(&mut transaction, call, status).await?,
            Deed::Retry => retry(&mut transaction, call, &about, status).await?,
        };
        let (status, body) = answer(outcome);
        keep(&mut transaction, call, status, &body).await?;
        commit(transaction).await?;
        self.forget_answers(call.now).await;
        Ok(Acted::Answered { status, body, repeat: false })
    }

    /// Drops what is older than a week. What is not dropped now is with the next call.
    async fn forget_answers(&self, now: Timestamp) {
        let forgotten = sqlx::query!(
            "-- store::acting::forget_answers\ndelete from idempotency_keys where created_at < $1",
            (now - KEPT_FOR).to_sqlx(),
        );
        if let Err(problem) = forgotten.execute(&self.pool).await {
            tracing::warn!(%problem, "old answers to operators are not dropped");
        }
    }
}

async fn answered_before(connection: &mut sqlx::PgConnection, call: &Call<'_>) -> Result<Option<Acted>, StoreError> {
    let row = sqlx::query!(
        "-- store::acting::answered_before\n\
         select body_sha256, status, answer from idempotency_keys \
         where caller = $1 and route = $2 and request_id = $3 and key = $4",
        call.actor.to_string(),
        call.deed.as_str(),
        call.request.0,
        call.key,
    );
    let Some(row) = row.fetch_optional(connection).await? else { return Ok(None) };
    if row.body_sha256 != call.body_sha256 {
        return Ok(Some(Acted::Conflict));
    }
    let status = u16::try_from(row.status).unwrap_or(500);
    Ok(Some(Acted::Answered { status, body: row.answer, repeat: true }))
}

async fn keep(
    connection: &mut sqlx::PgConnection,
    call: &Call<'_>,
    status: u16,
    answer: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "-- store::acting::keep\n\
         insert into idempotency_keys (caller, route, request_id, key, body_sha256, status, answer, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        call.actor.to_string(),
        call.deed.as_str(),
        call.request.0,
        call.key,
        call.body_sha256.as_slice(),
        i16::try_from(status).unwrap_or(i16::MAX),
        answer,
        call.now.to_sqlx(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn revoke(connection: &mut sqlx::PgConnection, call: &Call<'_>, status: Status) -> Result<Outcome, StoreError> {
    let order = EndOrder::revocation(call.actor.clone(), call.reason, call.now);
    Ok(match order_end_in(connection, call.request, call.actor, &order).await? {
        Ordered::Recorded => Outcome::Recorded(status),
        Ordered::Already => Outcome::Already(status),
        Ordered::Over(status) => Outcome::Over(status),
        Ordered::Unknown => return Err(StoreError::bad("requests", "id", call.request, "gone while it was locked")),
    })
}

/// Makes the next step due now. Nothing that protects hangs on when a step is due: settle times, the time between two looks,
/// send limits and pauses are the attempts' own and the gates', and each step asks for them.
async fn retry(
    connection: &mut sqlx::PgConnection,
    call: &Call<'_>,
    about: &audit::About<'_>,
    status: Status,
) -> Result<Outcome, StoreError> {
    sqlx::query!(
        "-- store::acting::retry\n\
         update requests set due_at = least(due_at, $2), woken = true, updated_at = $2 where id = $1",
        call.request.0,
        call.now.to_sqlx(),
    )
    .execute(&mut *connection)
    .await?;
    let detail = json!({ "reason": call.reason });
    let event = AuditEvent { at: call.now, event: "retry-ordered", actor: call.actor.clone(), moved: None, detail };
    audit::append(connection, about, &event).await?;
    Ok(Outcome::Recorded(status))
}

impl Deed {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Retry => "retry",
        }
    }
}
