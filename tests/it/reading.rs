//! The history, as those who may read it see it.

use serde_json::{Value, json};
use stint::{
    outbound::Credential,
    sandbox::{ApiToken, jira::IssueDraft, story},
};

use crate::world::{It, minutes};

fn numbers(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().expect("items");
    items.iter().map(|item| item["ticket"]["number"].as_str().expect("a number").to_owned()).collect()
}

#[tokio::test]
async fn lists_are_filtered_paged_and_newest_first() {
    let it = It::begins().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        let draft =
            IssueDraft { duration: if n == 2 { "never".into() } else { "PT15M".into() }, ..IssueDraft::default() };
        let ticket = it.approved(draft);
        let id = it.taken_in(&ticket).await;
        let over = it.until_true(&id, "is over", |d| d["status"] == "ended" || d["status"] == "rejected").await;
        expected.insert(0, over["ticket"]["number"].as_str().expect("a number").to_owned());
        it.pass(minutes(1)).await;
    }
    let auditor = it.auditor();
    let all = it.get("/v1/requests", &auditor).await;
    assert_eq!(numbers(&all.body), expected);
    assert_eq!(all.body["next"], Value::Null);
    assert!(all.body["items"][0].get("timeline").is_none(), "lists carry no timeline");

    let mut paged = Vec::new();
    let mut path = "/v1/requests?limit=2".to_owned();
    loop {
        let page = it.get(&path, &auditor).await.body;
        paged.extend(numbers(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/requests?limit=2&cursor={next}");
    }
    assert_eq!(paged, expected);

    let count = async |query: &str| numbers(&it.get(&format!("/v1/requests?{query}"), &auditor).await.body).len();
    assert_eq!(count("status=rejected").await, 1);
    assert_eq!(count("status=ended&tenant=contoso&connection=jira-cloud").await, 4);
    assert_eq!(count("tenant=fabrikam").await, 0);
    assert_eq!(count(&format!("principal={}", story::NINA_ID)).await, 4);
    assert_eq!(count("principal=nina").await, 4);
    assert_eq!(count("entitlement=exchange-admin").await, 4);
    assert_eq!(count(&format!("ticket={}", expected[0])).await, 1);
    assert_eq!(count("q=exchange").await, 4);
    assert_eq!(count("q=%25").await, 0, "a wildcard is a letter like any other");
    assert_eq!(count("from=2026-11-03T00:00:00Z&to=2026-11-03T08:00:00Z").await, 0);
    it.ends().await;
}

#[tokio::test]
async fn bad_questions_name_what_is_wrong() {
    let it = It::begins().await;
    for (query, name) in
        [("status=granted", "status"), ("limit=500", "limit"), ("sort=up", "sort"), ("cursor=x", "cursor")]
    {
        let seen = it.get(&format!("/v1/requests?{query}"), &it.auditor()).await;
        assert_eq!(seen.status, 400);
        assert!(seen.body["detail"].as_str().expect("words").contains(name), "{}", seen.body);
    }
    it.ends().await;
}

#[tokio::test]
async fn a_tenants_log_tells_of_no_other_tenant_that_a_reader_may_see() {
    let it = It::begins().await;
    let token = it.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Auditor.contoso", "Stint.Auditor.fabrikam"]);
    for (query, tenant, sees) in [("?tenant=fabrikam", Some("fabrikam"), false), ("", None, true)] {
        assert_eq!(it.get(&format!("/v1/requests{query}"), &token).await.status, 200);
        let last = "select tenant, detail->'filter' ? 'visible_tenants' from audit_events join audit_details \
                    on event_id = id where event = 'history-read' order by id desc limit 1";
        let last: (Option<String>, bool) = sqlx::query_as(last).fetch_one(&mut it.sql().await).await.expect("an event");
        assert_eq!(last, (tenant.map(str::to_owned), sees), "{query}");
    }
    it.ends().await;
}

#[tokio::test]
async fn only_those_who_may_read_do() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let path = format!("/v1/requests/{id}");
    let as_role = |oid: &str, roles: &[&str]| it.world.token(oid, "Somebody", roles);
    for (token, one, many) in [
        (as_role(story::LENA_ID, &["Stint.Auditor"]), 200, Some(1)),
        (as_role(story::LENA_ID, &["Stint.Operator"]), 200, Some(1)),
        (as_role(story::LENA_ID, &["Stint.Auditor.contoso"]), 200, Some(1)),
        (as_role(story::LENA_ID, &["Stint.Auditor.fabrikam"]), 404, Some(0)),
        (as_role(story::NINA_ID, &["Stint.Requester"]), 200, Some(1)),
        (as_role(story::OMAR_ID, &["Stint.Requester"]), 404, Some(0)),
        (as_role(story::OMAR_ID, &["Directory.Read"]), 403, None),
        (as_role(story::OMAR_ID, &[]), 403, None),
    ] {
        assert_eq!(it.get(&path, &token).await.status, one);
        let list = it.get("/v1/requests", &token).await;
        assert_eq!(list.body["items"].as_array().map(Vec::len), many);
    }
    let unknown = it.get("/v1/requests/01890000-0000-7000-8000-000000000000", &it.auditor()).await;
    assert_eq!(unknown.status, 404);
    it.ends().await;
}

#[tokio::test]
async fn a_token_with_any_fault_is_refused_alike() {
    let it = It::begins().await;
    let entra = &it.world.sandbox.entra;
    let honest = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
    let claims = entra.api_claims(&honest);
    let with = |change: Value| {
        let mut claims = claims.clone();
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        entra.issue_api_token_with(json!({}), claims)
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(name);
        entra.issue_api_token_with(json!({}), claims)
    };
    let good = entra.issue_api_token(&honest);
    assert_eq!(it.get("/v1/requests", &good).await.status, 200);
    let now = it.world.clock.now().as_second();
    let mut faulty = vec![
        String::new(),
        "x".into(),
        "a.b.c".into(),
        good[..good.len() - 4].to_owned(),
        with(json!({ "aud": "somebody-else" })),
        with(json!({ "iss": "https://sts.windows.net/x/" })),
        with(json!({ "tid": "00000000-0000-0000-0000-000000000000" })),
        with(json!({ "ver": "1.0" })),
        with(json!({ "exp": now - 61 })),
        with(json!({ "nbf": now + 120 })),
        with(json!({ "exp": "soon" })),
        with(json!({ "oid": "nobody" })),
        entra.issue_api_token_with(json!({ "alg": "none" }), claims.clone()),
        entra.issue_api_token_with(json!({ "alg": "HS256" }), claims.clone()),
        entra.issue_api_token_with(json!({ "kid": "unknown" }), claims.clone()),
    ];
    faulty.extend(["exp", "nbf", "aud", "iss", "tid", "oid", "ver"].map(without));
    for token in faulty {
        let seen = it.get("/v1/requests", &token).await;
        assert_eq!(seen.status, 401, "{token}");
        assert_eq!(seen.body["code"], "unauthorized");
        assert_eq!(seen.body["status"], 401);
    }
    let nobody = it.fetch(&it.world.running.url, "/v1/requests", &Credential::Nobody).await;
    assert_eq!(nobody.status, 401);
    it.ends().await;
}

#[tokio::test]
async fn a_new_signing_key_is_learned_but_not_asked_for_at_every_unknown_one() {
    let it = It::begins().await;
    assert_eq!(it.get("/v1/requests", &it.auditor()).await.status, 200);
    it.world.sandbox.entra.rotate_api_key();
    assert_eq!(it.get("/v1/requests", &it.auditor()).await.status, 401, "still within the cool-down");
    it.world.clock.advance(minutes(2));
    assert_eq!(it.get("/v1/requests", &it.auditor()).await.status, 200);
    it.ends().await;
}

#[tokio::test]
async fn operators_see_life_readiness_and_counts() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    let ops = async |path: &str| it.fetch(&it.world.running.ops_url, path, &Credential::Nobody).await;
    assert_eq!(ops("/livez").await.status, 200);
    assert_eq!(ops("/readyz").await.status, 200);
    let text = ops("/metrics").await.body.as_str().expect("text").to_owned();
    assert!(text.contains(r#"stint_deliveries_total{connection="jira-cloud",outcome="accepted"} 1"#), "{text}");
    assert!(text.contains(r#"stint_open_requests{status="active"} 1"#), "{text}");
    let public = it.fetch(&it.world.running.url, "/metrics", &Credential::Nobody).await;
    assert_eq!(public.status, 404, "counts are for operators only");
    it.until(&id, "ended").await;
    let mut sql = it.sql().await;
    sqlx::query("update _sqlx_migrations set version = version + 1").execute(&mut sql).await.expect("an update");
    assert_eq!(ops("/readyz").await.status, 503);
    it.ends().await;
}
