//! Counts over the requests of a time: for the console and for reports.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;

use super::{Store, StoreError, begin};

/// What is counted.
#[derive(Clone, Debug)]
pub struct SummaryFilter {
    /// Tenants the caller may see; `None`: all, and what has none.
    pub visible_tenants: Option<Vec<String>>,
    /// Connections whose findings the caller may see; asked only where `visible_tenants` is some.
    pub visible_connections: Vec<String>,
    /// One tenant.
    pub tenant: Option<String>,
    /// Received at or after.
    pub from: Timestamp,
    /// Received before.
    pub to: Timestamp,
}

/// How many requests share something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What they share; `None` where it is not known of them.
    pub key: Option<String>,
    /// How many there are.
    pub count: i64,
}

/// How long grants took, in seconds from intake, or from the start that the ticket asked for, to the assignment's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// How many were granted.
    pub count: i64,
    /// Half of them took no longer.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// Ninety-nine in a hundred.
    pub p99: f64,
    /// All of them.
    pub max: f64,
}

/// How long ends took to be proved, in seconds from the order or the planned end.
#[derive(Clone, Debug, PartialEq)]
pub struct Lag {
    /// How they came to end.
    pub cause: String,
    /// How many ended so.
    pub count: i64,
    /// Half of them took no longer.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// Ninety-nine in a hundred.
    pub p99: f64,
    /// All of them.
    pub max: f64,
}

/// All counts, of one moment.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many requests were received.
    pub requests: i64,
    /// By where they stand now.
    pub by_state: Vec<Counted>,
    /// By catalog key.
    pub by_entitlement: Vec<Counted>,
    /// By tenant.
    pub by_tenant: Vec<Counted>,
    /// By the day they were received, in UTC.
    pub by_day: Vec<Counted>,
    /// Those that were granted, by the day their assignment started, in UTC.
    pub grants_by_day: Vec<Counted>,
    /// How long they took; `None` when none was granted.
    pub time_to_grant: Option<Wait>,
    /// By each reason for a rejection; one request may have several.
    pub refusals: Vec<Counted>,
    /// By Graph's reason for failing it for good.
    pub failures: Vec<Counted>,
    /// How long ends took, of what may have been in force.
    pub lags: Vec<Lag>,
    /// Findings that stand and nobody acknowledged, by kind, whenever they were raised.
    pub findings_open: Vec<Counted>,
}

impl Store {
    /// Counts the requests received in that time, and what came of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn summary(&self, filter: &SummaryFilter) -> Result<Summary, StoreError> {
        let mut transaction = begin(&self.readers).await?;
        // One snapshot, so that the counts add up.
        sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *transaction).await?;
        let mut summary = counts(&mut transaction, filter).await?;
        (summary.refusals, summary.failures) = refusals(&mut transaction, filter).await?;
        summary.grants_by_day = grants(&mut transaction, filter).await?;
        summary.time_to_grant = waits(&mut transaction, filter).await?;
        summary.lags = lags(&mut transaction, filter).await?;
        summary.findings_open = findings(&mut transaction, filter).await?;
        Ok(summary)
    }
}

async fn counts(connection: &mut sqlx::PgConnection, filter: &SummaryFilter) -> Result<Summary, StoreError> {
    let rows = sqlx::query!(
        "-- store::summary::counts\n\
         select grouping(state, entitlement_key, tenant, day) as \"set!\", \
         coalesce(state, entitlement_key, tenant, day) as key, count(*) as \"count!\" \
         from (select state, entitlement_key, tenant, to_char(received_at at time zone 'UTC', 'YYYY-MM-DD') as day \
         from requests where received_at >= $1 and received_at < $2 and ($3::text[] is null or tenant = any($3)) \
         and ($4::text is null or tenant = $4)) as received \
         group by grouping sets ((), (state), (entitlement_key), (tenant), (day)) order by 1, 2",
        filter.from.to_sqlx(),
        filter.to.to_sqlx(),
        filter.visible_tenants.as_deref(),
        filter.tenant,
    );
    let mut summary = Summary::default();
    for row in rows.fetch_all(connection).await? {
        let counted = Counted { key: row.key, count: row.count };
        // Each bit says that the column is not among those grouped by.
        match row.set {
            0b0111 => summary.by_state.push(counted),
            0b1011 => summary.by_entitlement.push(counted),
            0b1101 => summary.by_tenant.push(counted),
            0b1110 => summary.by_day.push(counted),
            _ => summary.requests = counted.count,
        }
    }
    Ok(summary)
}

async fn refusals(
    connection: &mut sqlx::PgConnection,
    filter: &SummaryFilter,
) -> Result<(Vec<Counted>, Vec<Counted>), StoreError> {
    let rows = sqlx::query!(
        "-- store::summary::refusals\n\
         select state as \"state!\", code, count(*) as \"count!\" from (\
         select state, coalesce(reason->>'code', failure->>'code') as code from requests \
         left join jsonb_array_elements(reasons) as reason on state = 'rejected' \
         where state in ('rejected', 'failed') and received_at >= $1 and received_at < $2 \
         and ($3::text[] is null or tenant = any($3)) and ($4::text is null or tenant = $4)) as refused \
         group by state, code order by count(*) desc, code",
        filter.from.to_sqlx(),
        filter.to.to_sqlx(),
        filter.visible_tenants.as_deref(),
        filter.tenant,
    );
    let (mut refusals, mut failures) = (vec![], vec![]);
    for row in rows.fetch_all(connection).await? {
        let of_state = if row.state == "rejected" { &mut refusals } else { &mut failures };
        of_state.push(Counted { key: row.code, count: row.count });
    }
    Ok((refusals, failures))
}

async fn grants(connection: &mut sqlx::PgConnection, filter: &SummaryFilter) -> Result<Vec<Counted>, StoreError> {
    let rows = sqlx::query_as!(
        Counted,
        "-- store::summary::grants\n\
         select to_char((assignment->>'starts_at')::timestamptz at time zone 'UTC', 'YYYY-MM-DD') as key, \
         count(*) as \"count!\" from requests where assignment is not null and received_at >= $1 and received_at < $2 \
         and ($3::text[] is null or tenant = any($3)) and ($4::text is null or tenant = $4) group by 1 order by 1",
        filter.from.to_sqlx(),
        filter.to.to_sqlx(),
        filter.visible_tenants.as_deref(),
        filter.tenant,
    );
    Ok(rows.fetch_all(connection).await?)
}

async fn waits(connection: &mut sqlx::PgConnection, filter: &SummaryFilter) -> Result<Option<Wait>, StoreError> {
    // Graph's clock may be behind stint's: nothing was granted before it was asked for.
    let wait = sqlx::query_as!(
        Wait,
        "-- store::summary::waits\n\
         select count(*) as \"count!\", \
         coalesce(percentile_cont(0.5) within group (order by wait), 0) as \"p50!\", \
         coalesce(percentile_cont(0.9) within group (order by wait), 0) as \"p90!\", \
         coalesce(percentile_cont(0.99) within group (order by wait), 0) as \"p99!\", \
         coalesce(max(wait), 0) as \"max!\" from (select greatest(0, extract(epoch from \
         (assignment->>'starts_at')::timestamptz \
         - greatest(received_at, (decision->>'not_before')::timestamptz)))::float8 as wait from requests \
         where assignment is not null and received_at >= $1 and received_at < $2 \
         and ($3::text[] is null or tenant = any($3)) and ($4::text is null or tenant = $4)) as granted",
        filter.from.to_sqlx(),
        filter.to.to_sqlx(),
        filter.visible_tenants.as_deref(),
        filter.tenant,
    );
    Ok(Some(wait.fetch_one(connection).await?).filter(|wait| wait.count > 0))
}

async fn lags(connection: &mut sqlx::PgConnection, filter: &SummaryFilter) -> Result<Vec<Lag>, StoreError> {
    let rows = sqlx::query_as!(
        Lag,
        "-- store::summary::lags\n\
         select cause as \"cause!\", count(*) as \"count!\", \
         percentile_cont(0.5) within group (order by lag) as \"p50!\", \
         percentile_cont(0.9) within group (order by lag) as \"p90!\", \
         percentile_cont(0.99) within group (order by lag) as \"p99!\", max(lag) as \"max!\" \
         from (select end_order->>'cause' as cause, extract(epoch from (end_order->>'confirmed_at')::timestamptz \
         - coalesce(case when end_order->>'cause' = 'expired' then (assignment->>'ends_at')::timestamptz end, \
         (end_order->>'ordered_at')::timestamptz))::float8 as lag from requests \
         where state = 'ended' and in_force_from is not null and end_order->>'confirmed_at' is not null \
         and received_at >= $1 and received_at < $2 and ($3::text[] is null or tenant = any($3)) \
         and ($4::text is null or tenant = $4)) as ended group by cause order by cause",
        filter.from.to_sqlx(),
        filter.to.to_sqlx(),
        filter.visible_tenants.as_deref(),
        filter.tenant,
    );
    Ok(rows.fetch_all(connection).await?)
}

async fn findings(connection: &mut sqlx::PgConnection, filter: &SummaryFilter) -> Result<Vec<Counted>, StoreError> {
    let rows = sqlx::query_as!(
        Counted,
        "-- store::summary::findings\n\
         select f.kind as key, count(*) as \"count!\" from findings f left join requests r on r.id = f.request_id \
         where f.acknowledged_at is null and f.cleared_at is null and ($1::text[] is null \
         or coalesce(f.tenant, r.tenant) = any($1) or f.connection = any($2)) \
         and ($3::text is null or coalesce(f.tenant, r.tenant) = $3) group by f.kind order by f.kind",
        filter.visible_tenants.as_deref(),
        &filter.visible_connections,
        filter.tenant,
    );
    Ok(rows.fetch_all(connection).await?)
}
