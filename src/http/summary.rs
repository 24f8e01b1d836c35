//! `GET /v1/summary`: counts over the requests of a time, for the console and for reports.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Api, answer,
    caller::{Admitted, Read},
    error::Problem,
    params::{Moment, Params, Text},
    refusals::{BadRequest, TooBroad},
};
use crate::store::{Counted, Lag, Summary, SummaryFilter, Wait};

/// Without a beginning, so much before the end.
const USUAL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Which requests are counted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Received at or after this moment; 30 days before `to` when it is not given.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    from: Option<Moment>,
    /// Received before this moment; now when it is not given.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    to: Option<Moment>,
    /// One tenant, by its name.
    #[param(value_type = Option<String>, max_length = 200, example = "contoso")]
    tenant: Text,
}

/// Counts over the requests that were received in a time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    /// Which requests are counted.
    period: Period,
    /// How many there are.
    requests: i64,
    /// By where they stand now.
    by_state: Vec<Count>,
    /// By catalog key; null where nothing was decided.
    by_entitlement: Vec<Count>,
    /// By tenant; null where it is not known yet.
    by_tenant: Vec<Count>,
    /// By the day they were received, in UTC.
    by_day: Vec<Count>,
    /// Those that were granted, by the day their assignment started, in UTC.
    grants_by_day: Vec<Count>,
    /// How long they took to be granted; null when none was.
    #[schema(required)]
    time_to_grant: Option<WaitOf>,
    /// Rejections by reason; a request may have several.
    refusals: Vec<Count>,
    /// What Graph refused for good, by its reason.
    failures: Vec<Count>,
    /// How long ends took to be proved, by how they came about.
    revocation_lag: Vec<LagOf>,
    /// Findings that stand and that nobody acknowledged, by kind, whenever they were raised.
    findings_open: Vec<Count>,
}

/// Which requests are counted.
#[derive(Debug, Serialize, ToSchema)]
struct Period {
    /// Received at or after this moment.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Received before this moment.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// What `from` and `to` are compared with: always `received_at`.
    by: &'static str,
    /// In words, with what was taken because it was not asked for.
    says: String,
}

/// How many share a name.
#[derive(Debug, Serialize, ToSchema)]
struct Count {
    /// What they share.
    #[schema(required)]
    name: Option<String>,
    /// How many.
    count: i64,
}

/// Seconds from intake, or from the later start that the ticket asked for, to the assignment's start.
#[derive(Debug, Serialize, ToSchema)]
struct WaitOf {
    /// How many were granted.
    count: i64,
    /// Half of them took no longer.
    p50_seconds: f64,
    /// Nine in ten took no longer.
    p90_seconds: f64,
    /// Ninety-nine in a hundred took no longer.
    p99_seconds: f64,
    /// None took longer.
    max_seconds: f64,
}

/// Seconds from the order, or from the planned end of what expired, to the proof that nothing is left.
#[derive(Debug, Serialize, ToSchema)]
struct LagOf {
    /// How they came to end.
    cause: String,
    /// How many ended so, of what may have been in force.
    count: i64,
    /// Half of them took no longer.
    p50_seconds: f64,
    /// Nine in ten took no longer.
    p90_seconds: f64,
    /// Ninety-nine in a hundred took no longer.
    p99_seconds: f64,
    /// None took longer.
    max_seconds: f64,
}

/// Counts over the requests of a time
///
/// By state, entitlement, tenant and day, with how long grants took, why requests were refused, how long ends took to be proved, and what findings
/// are open. Only what the caller may see is counted. That it was read is put down in the audit log.
#[utoipa::path(
    get,
    path = "/v1/summary",
    params(Asked),
    responses((status = 200, description = "The counts.", body = Counts, example = example), BadRequest, TooBroad)
)]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(asked, _): Params<Asked>,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let period = Period::of(&asked, now)?;
    let filter = SummaryFilter {
        visible_tenants: by.sees.tenants(),
        visible_connections: api.connections_within(&by.sees),
        tenant: asked.tenant.given(),
        from: period.from,
        to: period.to,
    };
    let summary = api.store.summary(&filter).await.map_err(Problem::from_store)?;
    let told = json!({ "from": filter.from, "to": filter.to, "tenant": filter.tenant });
    let count = u64::try_from(summary.requests).unwrap_or(0);
    api.note_reading(&by, Read { what: "summary", request: None, filter: told, count }).await?;
    Ok(answer(&Counts::of(period, summary)))
}

impl Period {
    fn of(asked: &Asked, now: Timestamp) -> Result<Self, Problem> {
        let to = asked.to.map_or(now, |to| to.0);
        let usual = to.checked_sub(USUAL).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH);
        let from = asked.from.map_or(usual, |from| from.0);
        if from > to {
            return Err(Problem::bad_request("from is not after to"));
        }
        let begin = if asked.from.is_some() { "" } else { ", which is 30 days before its end since no from was given" };
        let end = if asked.to.is_some() { "" } else { ", which is now since no to was given" };
        let says = format!("requests received at or after {from}{begin}, and before {to}{end}");
        Ok(Self { from, to, by: "received_at", says })
    }
}

impl Counts {
    fn of(period: Period, summary: Summary) -> Self {
        Self {
            period,
            requests: summary.requests,
            by_state: counts(summary.by_state),
            by_entitlement: counts(summary.by_entitlement),
            by_tenant: counts(summary.by_tenant),
            by_day: counts(summary.by_day),
            grants_by_day: counts(summary.grants_by_day),
            time_to_grant: summary.time_to_grant.as_ref().map(wait),
            refusals: counts(summary.refusals),
            failures: counts(summary.failures),
            revocation_lag: summary.lags.into_iter().map(lag).collect(),
            findings_open: counts(summary.findings_open),
        }
    }
}

fn counts(counted: Vec<Counted>) -> Vec<Count> {
    counted.into_iter().map(|counted| Count { name: counted.key, count: counted.count }).collect()
}

fn wait(wait: &Wait) -> WaitOf {
    let Wait { count, p50, p90, p99, max } = *wait;
    WaitOf { count, p50_seconds: p50, p90_seconds: p90, p99_seconds: p99, max_seconds: max }
}

fn lag(lag: Lag) -> LagOf {
    let Lag { cause, count, p50, p90, p99, max } = lag;
    LagOf { cause, count, p50_seconds: p50, p90_seconds: p90, p99_seconds: p99, max_seconds: max }
}

fn example() -> Value {
    json!({
        "period": {
            "from": "2026-11-01T00:00:00Z",
            "to": "2026-12-01T00:00:00Z",
            "by": "received_at",
            "says": "requests received at or after 2026-11-01T00:00:00Z, and before 2026-12-01T00:00:00Z"
        },
        "requests": 3,
        "by_state": [{ "name": "ended", "count": 2 }, { "name": "rejected", "count": 1 }],
        "by_entitlement": [{ "name": "exchange-admin", "count": 2 }, { "name": null, "count": 1 }],
        "by_tenant": [{ "name": "contoso", "count": 3 }],
        "by_day": [{ "name": "2026-11-03", "count": 3 }],
        "grants_by_day": [{ "name": "2026-11-03", "count": 2 }],
        "time_to_grant": {
            "count": 2, "p50_seconds": 6.0, "p90_seconds": 8.4, "p99_seconds": 8.9, "max_seconds": 9.0
        },
        "refusals": [{ "name": "self-approval", "count": 1 }],
        "failures": [],
        "revocation_lag": [{
            "cause": "expired", "count": 2,
            "p50_seconds": 120.0, "p90_seconds": 124.0, "p99_seconds": 124.9, "max_seconds": 125.0
        }],
        "findings_open": [{ "name": "out-of-band-assignment", "count": 1 }]
    })
}
