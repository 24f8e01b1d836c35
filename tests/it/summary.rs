//! Counts over requests, as those see them who may.

use jiff::Timestamp;
use serde_json::{Value, json};
use stint::sandbox::{jira::IssueDraft, story};

use crate::{
    tried::revoke,
    world::{It, minutes, seconds},
};

async fn counted(it: &It, query: &str) -> Value {
    let seen = it.get(&format!("/v1/summary?{query}"), &it.auditor()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    seen.body
}

fn count(name: impl Into<Value>, count: i64) -> Value {
    json!({ "name": name.into(), "count": count })
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them() {
    let it = It::begins().await;
    let short = || IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() };
    let expired = it.approved(short());
    let expired = it.taken_in(&expired).await;
    it.until(&expired, "ended").await;
    let revoked = it.approved(IssueDraft::default());
    let revoked = it.taken_in(&revoked).await;
    it.until(&revoked, "active").await;
    it.pass(minutes(6)).await;
    revoke(&it, &revoked).await;
    it.until(&revoked, "ended").await;
    let refused = it.approved(IssueDraft { duration: "never".into(), ..IssueDraft::default() });
    let refused = it.taken_in(&refused).await;
    it.until(&refused, "rejected").await;
    // What came at this very moment did not come before it.
    it.world.clock.advance(seconds(1));

    let all = counted(&it, "").await;
    assert_eq!(all["requests"], 3);
    assert_eq!(all["by_state"], json!([count("ended", 2), count("rejected", 1)]));
    assert_eq!(all["by_entitlement"], json!([count("exchange-admin", 2), count(Value::Null, 1)]));
    assert_eq!(all["by_tenant"], json!([count("contoso", 3)]));
    assert_eq!(all["by_day"], json!([count("2026-11-03", 3)]));
    assert_eq!(all["grants_by_day"], json!([count("2026-11-03", 2)]));
    let took = async |id: &str| {
        let told = it.document(id).await;
        let moment = |value: &Value| value.as_str().expect("a moment").parse::<Timestamp>().expect("a moment");
        let waited = moment(&told["assignment"]["starts_at"]).duration_since(moment(&told["received_at"]));
        waited.as_secs_f64()
    };
    let longest = took(&expired).await.max(took(&revoked).await);
    let waits = &all["time_to_grant"];
    assert_eq!(waits["count"], 2);
    assert!((waits["max_seconds"].as_f64().expect("seconds") - longest).abs() < 1e-3, "{waits} is not {longest}");
    assert_eq!(all["refusals"].as_array().map(Vec::len), Some(1), "{:#}", all["refusals"]);
    assert_eq!(all["failures"], json!([]));
    let lags = all["revocation_lag"].as_array().expect("lags");
    let causes: Vec<_> = lags.iter().map(|lag| (lag["cause"].as_str(), lag["count"].as_i64())).collect();
    assert_eq!(causes, [(Some("expired"), Some(1)), (Some("revoked"), Some(1))]);
    for (lag, id) in lags.iter().zip([&expired, &revoked]) {
        let told = it.document(id).await["end"]["lag_seconds"].as_f64().expect("a lag");
        let max = lag["max_seconds"].as_f64().expect("seconds");
        assert!((told..told + 1.0).contains(&max), "{told} is not {max}");
        assert_eq!((&lag["p50_seconds"], &lag["p99_seconds"]), (&lag["max_seconds"], &lag["max_seconds"]));
    }
    it.ends().await;
}

#[tokio::test]
async fn the_time_is_the_last_thirty_days_unless_asked_otherwise_and_says_so() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let usual = counted(&it, "").await;
    let says = usual["period"]["says"].as_str().expect("words");
    assert!(says.contains("30 days before its end") && says.contains("which is now"), "{says}");
    assert_eq!((&usual["period"]["by"], &usual["requests"]), (&"received_at".into(), &1.into()));
    let earlier = counted(&it, "from=2026-10-01T00:00:00Z&to=2026-11-03T00:00:00Z").await;
    assert_eq!((&earlier["requests"], &earlier["by_state"]), (&0.into(), &json!([])));
    assert_eq!((&earlier["grants_by_day"], &earlier["time_to_grant"]), (&json!([]), &Value::Null));
    it.world.clock.advance(minutes(31 * 24 * 60));
    assert_eq!(counted(&it, "").await["requests"], 0);
    assert_eq!(counted(&it, "from=2026-11-01T00:00:00Z").await["requests"], 1);
    let seen = it.get("/v1/summary?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", &it.auditor()).await;
    assert_eq!(seen.status, 400);
    it.work().await;
    it.ends().await;
}

#[tokio::test]
async fn only_what_a_caller_may_see_is_counted() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let as_role = async |role: &str| {
        let seen = it.get("/v1/summary", &it.world.token(story::LENA_ID, "Somebody", &[role])).await;
        (seen.status, seen.body["requests"].as_i64())
    };
    assert_eq!(as_role("Stint.Auditor.contoso").await, (200, Some(1)));
    assert_eq!(as_role("Stint.Auditor.fabrikam").await, (200, Some(0)));
    assert_eq!(as_role("Stint.Requester").await, (403, None));
    assert_eq!(counted(&it, "tenant=fabrikam").await["requests"], 0);
    assert_eq!(counted(&it, "tenant=contoso").await["requests"], 1);
    it.ends().await;
}
