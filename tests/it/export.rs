//! The history as a file: whole with its closing line, and never mistaken for whole without.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use stint::{
    domain::proof::{CSV_MARK, Closing},
    sandbox::{jira::IssueDraft, story},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{It, minutes};

/// Far more than sockets hold.
const MANY: i64 = 20_000;

/// A file as it was read: its records by column, its closing line, and the bytes before that.
struct File {
    records: Vec<BTreeMap<String, Value>>,
    closing: Closing,
    before: String,
}

impl File {
    fn csv(text: &str) -> Self {
        let (before, _) = text.split_at(text.find(CSV_MARK).expect("a closing line"));
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let columns = reader.headers().expect("headings").clone();
        let mut rows: Vec<_> = reader.records().map(|row| row.expect("a record")).collect();
        let last = rows.pop().expect("a closing line");
        assert_eq!((&last[0], last.len()), (CSV_MARK, 2));
        let record = |row: &csv::StringRecord| {
            assert_eq!(row.len(), columns.len());
            columns.iter().map(str::to_owned).zip(row.iter().map(Value::from)).collect()
        };
        let records = rows.iter().map(record).collect();
        Self { records, closing: serde_json::from_str(&last[1]).expect("a closing"), before: before.into() }
    }

    fn ndjson(text: &str) -> Self {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let last: Value = serde_json::from_str(lines.pop().expect("a closing line")).expect("JSON");
        let records = lines.iter().map(|line| serde_json::from_str(line).expect("a record")).collect();
        let closing = serde_json::from_value(last["end_of_export"].clone()).expect("a closing");
        Self { records, closing, before: lines.concat() }
    }

    fn column(&self, name: &str) -> Vec<&Value> {
        self.records.iter().map(|record| &record[name]).collect()
    }
}

impl It {
    async fn exported(&self, query: &str, token: &str) -> File {
        let seen = self.get(&format!("/v1/requests/export?{query}"), token).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        // A closing line alone is one JSON document.
        let text = seen.body.as_str().map_or_else(|| format!("{}\n", seen.body), str::to_owned);
        let file = if query.contains("format=csv") { File::csv(&text) } else { File::ndjson(&text) };
        assert_eq!(file.closing.count, file.records.len() as u64);
        assert_eq!(file.closing.sha256, sha256(&file.before));
        file
    }

    /// What the log tells of exports, oldest first.
    async fn told_of_exports(&self) -> Vec<(String, String, Value)> {
        let events = sqlx::query_as(
            "select event, actor, detail from audit_events join audit_details on event_id = id \
             where event like 'export-%' order by id",
        );
        events.fetch_all(&mut self.sql().await).await.expect("the log")
    }

    /// Waits until the log tells how the export ended.
    async fn told_of_the_end(&self) -> Value {
        for _ in 0..2000 {
            let mut told = self.told_of_exports().await;
            let (event, _, detail) = told.pop().expect("an export");
            if event != "export-begun" {
                return json!({ "event": event, "detail": detail });
            }
        }
        panic!("the log never tells how the export ended");
    }

    async fn fill(&self, count: i64) {
        let rows = "insert into requests (id, connection, tenant, ticket_id, ticket_number, state, reasons, received_at, \
                    updated_at, state_since, hinted_at) select gen_random_uuid(), 'jira-cloud', 'contoso', n::text, 'ITSEC-' || n, \
                    'rejected', jsonb_build_array(jsonb_build_object('code', 'self-approval', 'detail', repeat('words ', 200))), \
                    at, at, at, at from (select n, timestamptz '2026-11-01' + n * interval '1 second' as at \
                    from generate_series(1, $1) as n) as numbers";
        sqlx::query(rows).bind(count).execute(&mut self.sql().await).await.expect("rows");
    }

    /// Asks for an export by hand and reads no further than its head and a little more.
    async fn begun_to_read(&self, query: &str) -> TcpStream {
        self.begun_to_read_as(&self.auditor(), query).await
    }

    async fn begun_to_read_as(&self, token: &str, query: &str) -> TcpStream {
        let address = self.world.running.url.strip_prefix("http://").expect("plain HTTP");
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "GET /v1/requests/export?{query} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.expect("sent");
        let mut some = [0; 4096];
        socket.read_exact(&mut some).await.expect("an answer");
        assert!(some.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&some));
        socket
    }
}

fn sha256(text: &str) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

#[tokio::test]
async fn an_export_holds_what_the_documents_say_and_ends_with_what_it_holds() {
    let it = It::begins().await;
    let granted = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let granted = it.taken_in(&granted).await;
    let granted = it.until(&granted, "ended").await;
    it.pass(minutes(1)).await;
    let refused = it.approved(IssueDraft { duration: "never".into(), ..IssueDraft::default() });
    let refused = it.taken_in(&refused).await;
    let refused = it.until(&refused, "rejected").await;

    let csv = it.exported("format=csv", &it.auditor()).await;
    let ndjson = it.exported("format=ndjson", &it.auditor()).await;
    let ids = [&refused["id"], &granted["id"]];
    assert_eq!((csv.column("id"), ndjson.column("id")), (ids.to_vec(), ids.to_vec()), "newest first");
    let names = |file: &File| file.records[0].keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&csv), names(&ndjson), "the same members in both");

    let record = &ndjson.records[1];
    for (name, path) in [
        ("status", "/status"),
        ("tenant", "/tenant"),
        ("received_at", "/received_at"),
        ("ticket_number", "/ticket/number"),
        ("snapshot_digest", "/ticket/snapshot_digest"),
        ("basis", "/ticket/basis"),
        ("principal_id", "/principal/id"),
        ("entitlement_key", "/entitlement/key"),
        ("target", "/entitlement/target"),
        ("requested_duration", "/requested_duration"),
        ("granted_duration", "/decision/duration"),
        ("approved_at", "/approval/approved_at"),
        ("approvers", "/approval/approvers"),
        ("decided_at", "/decision/decided_at"),
        ("catalog_version", "/decision/catalog_version"),
        ("schedule_id", "/assignment/schedule_id"),
        ("ends_at", "/assignment/ends_at"),
        ("end_cause", "/end/cause"),
        ("end_confirmed_at", "/end/confirmed_at"),
        ("lag_seconds", "/end/lag_seconds"),
        ("dry_run", "/dry_run"),
    ] {
        let shown = granted.pointer(path).expect(path);
        assert!(!shown.is_null() && record[name] == *shown, "{name}: {} is not {shown}", record[name]);
        let cell = csv.records[1][name].as_str().expect("a cell");
        match shown {
            Value::String(text) => assert_eq!(cell, text, "{name}"),
            Value::Number(_) | Value::Bool(_) => assert_eq!(cell, shown.to_string(), "{name}"),
            _ => assert!(!cell.is_empty(), "{name}"),
        }
    }
    assert_eq!(csv.records[1]["target"], "directory-role 29232cdf-9323-42fd-ade2-1d097af3e4de at /");
    assert_eq!(ndjson.records[0]["reasons"], refused["decision"]["reasons"]);
    assert_eq!(ndjson.records[0]["decided_at"], refused["decision"]["decided_at"]);
    assert_eq!(ndjson.records[0]["requested_duration"], "never");
    assert!(csv.records[0]["reasons"].as_str().expect("words").contains(": "), "{}", csv.records[0]["reasons"]);
    it.ends().await;
}

#[tokio::test]
async fn the_log_tells_of_an_export_before_its_first_byte_and_at_its_end() {
    let it = It::begins().await;
    it.fill(3).await;
    let query = "format=ndjson&ticket=ITSEC-2&from=2026-11-01T00:00:00Z&tenant=contoso";
    let file = it.exported(query, &it.auditor()).await;
    let filter = json!({ "ticket": "ITSEC-2", "from": "2026-11-01T00:00:00Z", "tenant": "contoso" });
    let closing = &file.closing;
    assert_eq!((closing.count, &closing.filter, closing.what.as_str()), (1, &filter, "requests"));
    assert_eq!((closing.from, closing.to), (Some("2026-11-01T00:00:00Z".parse::<Timestamp>().expect("time")), None));
    let by = format!("caller:{}/{}", story::TENANT, story::LENA_ID);
    assert_eq!((closing.by.as_str(), closing.at), (by.as_str(), it.world.clock.now()));
    let told = it.told_of_exports().await;
    let begun = json!({ "what": "requests", "format": "ndjson", "filter": filter });
    let mut ended = begun.clone();
    (ended["count"], ended["sha256"]) = (json!(1), json!(closing.sha256));
    assert_eq!(told, [("export-begun".into(), by.clone(), begun), ("export-ended".into(), by, ended)]);
    it.ends().await;
}

#[tokio::test]
async fn nothing_found_is_a_whole_file_too() {
    let it = It::begins().await;
    for format in ["csv", "ndjson"] {
        let file = it.exported(&format!("format={format}"), &it.auditor()).await;
        assert!(file.records.is_empty());
    }
    it.ends().await;
}

#[tokio::test]
async fn texts_of_others_do_no_harm_in_a_spreadsheet_and_are_exact_elsewhere() {
    let it = It::begins().await;
    it.fill(6).await;
    let texts = ["=1+1", "a,\"b\"\r\nc", "\u{202e}=x", "＝1", " -1", "bell\u{7}"];
    for (n, text) in (1..).zip(texts) {
        let update = "update requests set principal_name = $2, ticket_url = $2 where ticket_id = $1";
        let update = sqlx::query(update).bind(n.to_string()).bind(text);
        update.execute(&mut it.sql().await).await.expect("updated");
    }
    let newest_first: Vec<_> = texts.iter().rev().map(|text| json!(text)).collect();
    let ndjson = it.exported("format=ndjson", &it.auditor()).await;
    assert_eq!(ndjson.column("principal_name"), newest_first.iter().collect::<Vec<_>>());
    let csv = it.exported("format=csv", &it.auditor()).await;
    let cells = ["bell\\u0007", "' -1", "'＝1", "'\\u202e=x", "a,\"b\"\r\nc", "'=1+1"];
    assert_eq!(csv.column("principal_name"), cells.map(Value::from).iter().collect::<Vec<_>>());
    assert_eq!(csv.column("ticket_url"), csv.column("principal_name"));
    it.ends().await;
}

#[tokio::test]
async fn each_exports_what_they_may_see_and_the_file_says_so() {
    let it = It::begins().await;
    it.fill(3).await;
    let sql = "update requests set tenant = case ticket_id when '1' then 'fabrikam' when '2' then null else tenant end";
    sqlx::query(sql).execute(&mut it.sql().await).await.expect("updated");
    let token = |roles: &[&str]| it.world.token(story::LENA_ID, "Lena Vogt", roles);
    let all = it.exported("format=csv", &token(&["Stint.Operator"])).await;
    assert_eq!((all.records.len(), &all.closing.filter), (3, &json!({})));
    let contoso = it.exported("format=csv", &token(&["Stint.Auditor.contoso"])).await;
    assert_eq!(contoso.column("ticket_id"), [&json!("3")]);
    assert_eq!(contoso.closing.filter, json!({ "visible_tenants": ["contoso"] }));
    let path = "/v1/requests/export?format=csv";
    assert_eq!(it.get(path, &token(&["Stint.Requester"])).await.status, 403);
    assert_eq!(it.get(path, "x").await.status, 401);
    assert_eq!(it.get("/v1/requests/export?format=xlsx", &it.auditor()).await.status, 400);
    it.ends().await;
}

#[tokio::test]
async fn an_export_whose_database_fails_is_cut_and_never_ends() {
    let it = It::begins().await;
    it.fill(MANY).await;
    let mut socket = it.begun_to_read("format=ndjson").await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() \
                and backend_type = 'client backend' and query like '-- store::export::export%'";
    let killed: Vec<bool> = sqlx::query_scalar(kill).fetch_all(&mut it.sql().await).await.expect("killed");
    assert_eq!(killed, [true], "one connection reads it");
    let mut rest = Vec::new();
    // However the connection ends: what matters is what was read until then.
    let _ = socket.read_to_end(&mut rest).await;
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("end_of_export") && !rest.ends_with("0\r\n\r\n"), "{}", rest.len());
    let told = it.told_of_the_end().await;
    assert_eq!((&told["event"], &told["detail"]["why"]), (&json!("export-broken"), &json!("database-failed")));
    assert!(told["detail"]["count"].as_i64().is_some_and(|count| count < MANY), "{told}");
    it.ends().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_frees_the_database_and_is_told_of() {
    let it = It::begins().await;
    it.fill(MANY).await;
    drop(it.begun_to_read("format=csv").await);
    let told = it.told_of_the_end().await;
    assert_eq!((&told["event"], &told["detail"]["why"]), (&json!("export-broken"), &json!("not-read-on")));
    let reading = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' \
                   and query like '-- store::export::export%'";
    let mut sql = it.sql().await;
    for _ in 0..2000 {
        let count: i64 = sqlx::query_scalar(reading).fetch_one(&mut sql).await.expect("a count");
        if count == 0 {
            return it.ends().await;
        }
    }
    panic!("the statement of a caller who hung up runs on");
}

#[tokio::test]
async fn four_exports_at_a_time_and_the_next_is_told_to_come_back() {
    let it = It::begins().await;
    it.fill(MANY).await;
    let mut open = Vec::new();
    for number in 1..=4 {
        let oid = uuid::Uuid::from_u128(number).to_string();
        let token = it.world.token(&oid, "Somebody", &["Stint.Auditor"]);
        open.push(it.begun_to_read_as(&token, "format=csv").await);
    }
    let path = "/v1/requests/export?format=csv&ticket=ITSEC-1";
    let refused = it.get(path, &it.auditor()).await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("unavailable")));
    assert_eq!(it.get("/v1/requests?limit=1", &it.auditor()).await.status, 200, "readers of pages wait for no export");
    drop(open.pop());
    let served = tokio::time::timeout(Duration::from_secs(30), async {
        while it.get(path, &it.auditor()).await.status != 200 {}
    });
    served.await.expect("a place that became free");
    drop(open);
    it.ends().await;
}
