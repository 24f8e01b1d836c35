//! What the API gives out of the audit log: heads, proofs, pages, the whole, and packs that prove one request.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use stint::{
    domain::proof::{Closing, Hash, ShownEvent, VerifyingKey, read_checkpoint},
    sandbox::{jira::IssueDraft, story},
};
use tlog_tiles::{check_record, check_tree};

use crate::world::It;

fn hash(value: &Value) -> Hash {
    Hash::parse_hash(value.as_str().expect("a text")).expect("a hash")
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().expect("a list").iter().map(hash).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

impl It {
    pub fn keys(&self) -> [VerifyingKey; 1] {
        [self.world.service.engine.verifier_key().expect("a key")]
    }

    /// A request that came to its end, and the log sealed.
    async fn ended_request(&self) -> String {
        let ticket = self.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
        let id = self.taken_in(&ticket).await;
        self.until(&id, "ended").await;
        self.world.service.engine.seal().await.expect("sealed");
        id
    }

    async fn read(&self, path: &str) -> Value {
        let seen = self.get(path, &self.auditor()).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.body);
        seen.body
    }

    async fn text(&self, path: &str) -> String {
        self.read(path).await.as_str().expect("a text").to_owned()
    }
}

#[tokio::test]
async fn a_pack_proves_every_event_of_its_request_however_often_it_was_read() {
    let it = It::begins().await;
    let id = it.ended_request().await;
    it.read(&format!("/v1/requests/{id}")).await;
    let pack = it.read(&format!("/v1/requests/{id}/evidence")).await;
    assert_eq!(pack["stint_evidence"], 1);
    assert_eq!(pack["request"]["id"], id);
    assert_eq!(pack["verifier_key"], it.keys()[0].as_str());
    let head = read_checkpoint(pack["checkpoint"].as_str().expect("a note"), &it.keys()).expect("signed");
    let events = pack["events"].as_array().expect("events");
    assert!(events.iter().all(|event| event["event"] != "history-read"), "{events:#?}");
    assert_eq!(events.len(), pack["request"]["timeline"].as_array().expect("a timeline").len());
    for event in events {
        let proof = hashes(&event["inclusion_proof"]);
        let shown: ShownEvent = serde_json::from_value(event.clone()).expect("an event");
        assert_eq!(shown.check_detail(), Ok(true));
        let place = shown.leaf_index.expect("sealed");
        check_record(&proof, head.size, head.root, place, shown.record.leaf_hash()).expect("proved");
    }
    it.ends().await;
}

#[tokio::test]
async fn heads_and_proofs_fit_each_other() {
    let it = It::begins().await;
    it.ended_request().await;
    let first = read_checkpoint(&it.text("/v1/audit/checkpoint").await, &it.keys()).expect("signed");
    it.read("/v1/requests").await;
    it.world.service.engine.seal().await.expect("sealed");
    let second = read_checkpoint(&it.text("/v1/audit/checkpoint").await, &it.keys()).expect("signed");
    assert!(second.size > first.size);
    let older = it.text(&format!("/v1/audit/checkpoint?tree_size={}", first.size)).await;
    assert_eq!(read_checkpoint(&older, &it.keys()).expect("signed"), first);

    let proof = it.read(&format!("/v1/audit/proof?from={}&to={}", first.size, second.size)).await;
    assert_eq!((hash(&proof["from_root"]), hash(&proof["to_root"])), (first.root, second.root));
    check_tree(&hashes(&proof["consistency_proof"]), second.size, second.root, first.size, first.root).expect("proved");
    for place in 0..second.size {
        let proof = it.read(&format!("/v1/audit/proof?leaf_index={place}")).await;
        assert_eq!((number(&proof["tree_size"]), hash(&proof["root"])), (second.size, second.root));
        let leaf = hash(&proof["leaf_hash"]);
        check_record(&hashes(&proof["inclusion_proof"]), second.size, second.root, place, leaf).expect("proved");
    }
    for (query, status) in [
        ("checkpoint?tree_size=100000", 404),
        ("checkpoint?tree_size=x", 400),
        ("proof", 400),
        ("proof?leaf_index=0&from=1", 400),
        ("proof?leaf_index=100000", 400),
        ("proof?leaf_index=0&tree_size=100000", 404),
        ("proof?from=0", 400),
        ("proof?from=3&to=2", 400),
        ("proof?from=1&to=18446744073709551615", 404),
    ] {
        let seen = it.get(&format!("/v1/audit/{query}"), &it.auditor()).await;
        assert_eq!(seen.status, status, "{query}: {}", seen.body);
    }
    it.ends().await;
}

#[tokio::test]
async fn pages_go_through_the_log_in_its_order_and_miss_nothing() {
    let it = It::begins().await;
    let id = it.ended_request().await;
    let (mut after, mut places, mut pages) = (None::<u64>, vec![], 0);
    loop {
        let part = after.map_or_else(String::new, |after| format!("&after={after}"));
        let page = it.read(&format!("/v1/audit/events?limit=4{part}")).await;
        places.extend(page["items"].as_array().expect("items").iter().map(|event| number(&event["leaf_index"])));
        pages += 1;
        // Each reading is an event itself, so the log has an end only for whoever stops reading.
        after = page["next"].as_u64();
        if after.is_none() || pages > 30 {
            break;
        }
    }
    assert!(places.len() > 8);
    assert_eq!(places, (0..places.len() as u64).collect::<Vec<_>>());

    let count = async |query: &str, token: &str| {
        let seen = it.get(&format!("/v1/audit/events?limit=200&{query}"), token).await;
        assert_eq!(seen.status, 200, "{query}: {}", seen.body);
        seen.body["items"].as_array().expect("items").len()
    };
    let auditor = it.auditor();
    let timeline = it.document(&id).await["timeline"].as_array().expect("a timeline").len();
    assert!(count(&format!("request={id}"), &auditor).await >= timeline);
    assert!(count("event=history-read", &auditor).await >= pages);
    assert_eq!(count("event=nothing", &auditor).await, 0);
    assert_eq!(count("to=2020-01-01T00:00:00Z", &auditor).await, 0);
    assert_eq!(count("from=2099-01-01T00:00:00Z", &auditor).await, 0);
    let all = count("from=2020-01-01T00:00:00Z", &auditor).await;
    let of_contoso = it.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Auditor.contoso"]);
    let of_fabrikam = it.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Auditor.fabrikam"]);
    let own = count("", &of_contoso).await;
    assert!(own > 0 && own < all, "{own} of {all}");
    assert_eq!(count("tenant=contoso", &of_fabrikam).await, 0);
    it.ends().await;
}

#[tokio::test]
async fn the_whole_log_is_closed_by_a_signed_line() {
    let it = It::begins().await;
    it.ended_request().await;
    let text = it.text("/v1/audit/events?format=ndjson").await;
    let (lines, closing) = text.trim_end().rsplit_once('\n').expect("lines");
    let closing: Value = serde_json::from_str(closing).expect("JSON");
    let closing: Closing = serde_json::from_value(closing["end_of_export"].clone()).expect("a closing line");
    closing.check(&it.keys()).expect("signed");
    let events: Vec<ShownEvent> = lines.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert_eq!(closing.count, events.len() as u64);
    assert!(events.iter().zip(0..).all(|(event, place)| event.leaf_index == Some(place)));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{lines}\n").as_bytes());
    assert_eq!(closing.sha256, hex::encode(digest));
    assert!(closing.by.ends_with(story::LENA_ID));

    it.world.service.engine.seal().await.expect("sealed");
    let read = it.read("/v1/audit/events?event=history-read&limit=200").await;
    let told = read["items"].as_array().expect("items").iter().find(|event| event["detail"]["what"] == "audit-log");
    assert_eq!(told.expect("told")["detail"]["count"], closing.count);
    let of_contoso = it.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Auditor.contoso"]);
    assert_eq!(it.get("/v1/audit/events?format=ndjson", &of_contoso).await.status, 403);
    assert_eq!(it.get("/v1/audit/events?format=ndjson&event=x", &it.auditor()).await.status, 400);
    it.ends().await;
}

#[tokio::test]
async fn without_a_key_nothing_is_signed_and_that_is_said() {
    let mut it = It::begins().await;
    it.world.restart(|config, _| config.audit.signing_key = None).await.expect("restarted");
    let id = it.ended_request().await;
    for path in ["/v1/audit/checkpoint".to_owned(), format!("/v1/requests/{id}/evidence")] {
        let seen = it.get(&path, &it.auditor()).await;
        assert_eq!((seen.status, &seen.body["code"]), (503, &"unavailable".into()), "{path}");
        assert!(seen.body["detail"].as_str().is_some_and(|detail| detail.contains("audit.signing_key_file")));
    }
    let proof = it.read("/v1/audit/proof?leaf_index=0").await;
    assert_eq!(BASE64_STANDARD.decode(proof["root"].as_str().expect("a root")).expect("base64").len(), 32);
    it.ends().await;
}

#[tokio::test]
async fn evidence_is_given_to_those_who_may_see_the_request() {
    let it = It::begins().await;
    let id = it.ended_request().await;
    let path = format!("/v1/requests/{id}/evidence");
    for (role, status) in [
        ("Stint.Operator", 200),
        ("Stint.Auditor.contoso", 200),
        ("Stint.Auditor.fabrikam", 404),
        ("Stint.Requester", 403),
    ] {
        let token = it.world.token(story::NINA_ID, "Nina Keller", &[role]);
        assert_eq!(it.get(&path, &token).await.status, status, "{role}");
    }
    let unknown = "/v1/requests/01890000-0000-7000-8000-000000000000/evidence";
    assert_eq!(it.get(unknown, &it.auditor()).await.status, 404);
    it.ends().await;
}
