//! What is to be written for each delivery of a group: one reading for all, then the same questions as for one alone.

use std::collections::HashSet;

use sqlx::{PgConnection, postgres::PgPool};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        deliveries::{Delivery, Meant, NewRequest, Received, rests_on_nothing},
    },
    rows::Rows,
};
use crate::domain::{
    id::{ApprovalId, RequestId},
    ticket::{Hint, HintEvent},
};

/// What is to be written for a delivery.
pub(super) enum Plan<'a> {
    /// Nothing here: it is there already. Whether what shows is durable yet, only its own transaction says.
    Repeat,
    /// A request of its own.
    Make(RequestId, NewRequest<'a>),
    /// It joins the ticket's open request.
    Join(RequestId, &'a Hint),
    /// Nothing but the delivery.
    Keep(Received),
}

/// What the database knows of a delivery.
struct Known {
    /// The same delivery was taken in before.
    repeat: bool,
    /// The ticket's open request.
    open: Option<Uuid>,
    /// The request that used up the approval it mentions.
    answered: Option<Uuid>,
}

/// Writes them, all or none. Once this returns, what it gives is committed; `None`: this one must be taken in alone, because
/// it is a repeat, or the request that it would have joined is just being worked on, or has ended.
///
/// # Errors
/// When the database refuses, or fails.
pub(super) async fn write(
    pool: &PgPool,
    deliveries: impl Iterator<Item = &Delivery>,
) -> Result<Vec<Option<Received>>, StoreError> {
    let deliveries: Vec<&Delivery> = deliveries.collect();
    let mut connection = pool.acquire().await?;
    let known = known(&mut connection, &deliveries).await?;
    let plans: Vec<_> = deliveries.iter().zip(&known).map(|(delivery, known)| plan(delivery, known)).collect();
    let joined = if plans.iter().all(|plan| matches!(plan, Plan::Repeat)) {
        HashSet::new()
    } else {
        Rows::of(deliveries.iter().copied().zip(&plans))?.write(&mut connection).await?
    };
    Ok(plans.into_iter().map(|plan| plan.outcome(&joined)).collect())
}

impl Plan<'_> {
    /// What its sender is told, once it is written and these were joined.
    fn outcome(self, joined: &HashSet<Uuid>) -> Option<Received> {
        match self {
            Self::Repeat => None,
            Self::Join(id, _) if !joined.contains(&id.0) => None,
            Self::Join(id, _) | Self::Make(id, _) => Some(Received::Request { id, repeat: false }),
            Self::Keep(received) => Some(received),
        }
    }
}

/// What is known of each, in their order.
async fn known(connection: &mut PgConnection, deliveries: &[&Delivery]) -> Result<Vec<Known>, StoreError> {
    let hints = || deliveries.iter().map(|delivery| delivery.hint());
    let connections: Vec<_> = deliveries.iter().map(|delivery| delivery.connection.to_string()).collect();
    let keys: Vec<_> = deliveries.iter().map(|delivery| delivery.key.clone()).collect();
    let tickets: Vec<_> = hints().map(|hint| Some(hint?.ticket.to_string())).collect();
    let approvals: Vec<_> = hints().map(|hint| hint?.approval.as_ref().map(ApprovalId::to_string)).collect();
    // Each is looked up by itself, whatever the planner thinks how many there are: `exists` would read the whole table.
    let rows = sqlx::query_as!(
        Known,
        "-- store::intake::known\n\
         select coalesce((select true from deliveries \
         where connection = given.connection and delivery_key = given.key), false) as \"repeat!\", \
         (select id from requests where connection = given.connection and ticket_id = given.ticket \
         and state not in ('ended', 'rejected', 'failed')) as open, \
         (select id from requests where connection = given.connection and ticket_id = given.ticket \
         and approval_id = given.approval) as answered \
         from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality \
         as given (connection, key, ticket, approval, place) order by place",
        &connections,
        &keys,
        &tickets as &[Option<String>],
        &approvals as &[Option<String>],
    );
    Ok(rows.fetch_all(connection).await?)
}

fn plan<'a>(delivery: &'a Delivery, known: &Known) -> Plan<'a> {
    if known.repeat {
        return Plan::Repeat;
    }
    match &delivery.meant {
        Meant::Ignored(why) => Plan::Keep(Received::Ignored(why.clone())),
        Meant::Rejected(why) => Plan::Keep(Received::Rejected(why.clone())),
        Meant::Look(hint, tenant) => match (known.open, known.answered) {
            (Some(id), _) => Plan::Join(RequestId(id), hint),
            (None, Some(id)) => Plan::Keep(Received::Request { id: RequestId(id), repeat: true }),
            (None, None) if hint.event == HintEvent::Changed => Plan::Keep(rests_on_nothing(hint)),
            (None, None) => Plan::Make(RequestId(Uuid::now_v7()), NewRequest::of(delivery, hint, tenant.as_ref())),
        },
    }
}
