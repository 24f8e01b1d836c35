//! Signed heads of the audit log go where the owner of the database cannot rewrite them, and somebody hears when they do not.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sqlx::Row as _;
use stint::{
    domain::{
        id::{ConnectionName, TicketId},
        proof::read_checkpoint,
    },
    publish::{Destination, history},
    sandbox::jira::IssueDraft,
};
use tempfile::TempDir;

use crate::world::{It, minutes, seconds};

const TOKEN: &str = "a-witness-token-of-some-length";

/// Somebody else's endpoint: keeps what it is sent, and answers as it is told.
#[derive(Clone, Default)]
struct Witness {
    heard: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answer: Arc<AtomicU16>,
}

impl Witness {
    async fn begins() -> (Self, String) {
        let witness = Self::default();
        witness.answers(200);
        let take = async |State(witness): State<Self>, headers: HeaderMap, body: String| {
            witness.heard.lock().expect("not poisoned").push((headers, body));
            StatusCode::from_u16(witness.answer.load(Ordering::Relaxed)).expect("a status")
        };
        let routes = Router::new().route("/log", post(take)).with_state(witness.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/log", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (witness, url)
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::Relaxed);
    }

    fn heard(&self) -> Vec<(HeaderMap, String)> {
        self.heard.lock().expect("not poisoned").clone()
    }
}

/// A world that publishes to a file and an endpoint.
async fn publishing(folder: &TempDir, url: &str) -> It {
    let (file, token) = (folder.path().join("checkpoint"), folder.path().join("token"));
    std::fs::write(&token, format!("{TOKEN}\n")).expect("a file");
    let publish = format!(
        "[{{ kind = 'file', path = '{}' }}, {{ kind = 'http', url = '{url}', token_file = '{}' }}]",
        file.display(),
        token.display()
    );
    It::with(|setup| setup.overrides.push(("STINT__AUDIT__PUBLISH".into(), publish))).await
}

impl It {
    async fn seal(&self) {
        self.world.service.engine.seal().await.expect("a working database");
    }

    async fn publish(&self) {
        self.world.service.engine.publish().await.expect("a working database");
    }

    async fn newest_note(&self) -> String {
        self.world.service.store.signed_head(None).await.expect("readable").expect("a head").note
    }

    /// Kind and subject of findings that stand.
    async fn standing(&self) -> Vec<(String, Option<String>)> {
        let rows = sqlx::query("select kind, subject from findings where cleared_at is null order by raised_at");
        let rows = rows.fetch_all(&mut self.sql().await).await.expect("findings");
        rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

#[tokio::test]
async fn heads_go_to_every_place_once_in_their_interval() {
    let folder = tempfile::tempdir().expect("a folder");
    let (witness, url) = Witness::begins().await;
    let mut it = publishing(&folder, &url).await;
    let log_ticket = it.world.sandbox.jira.create_issue(IssueDraft::default()).id;
    let (connection, ticket) = (ConnectionName::new("jira-cloud"), TicketId::new(log_ticket.clone()));
    let place = Destination::Ticket { connection, ticket };
    it.world.restart(|config, _| config.audit.publish.push(place)).await.expect("restarted");
    it.publish().await;
    assert!(witness.heard().is_empty(), "there is no head yet");

    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.seal().await;
    it.world.clock.advance(seconds(10));
    it.publish().await;
    let note = it.newest_note().await;
    let path = folder.path().join("checkpoint");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("a file");
    assert_eq!(read(&path), note);
    let (headers, body) = witness.heard().pop().expect("a POST");
    assert_eq!((headers["authorization"].to_str().ok(), body), (Some(&*format!("Bearer {TOKEN}")), note.clone()));
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    let on_ticket = it.notes(&log_ticket);
    assert_eq!(on_ticket.len(), 1, "{on_ticket:?}");
    assert!(on_ticket[0].contains(&BASE64_STANDARD.encode(&note)), "{on_ticket:?}");
    let key = it.world.service.engine.verifier_key().expect("a key");
    read_checkpoint(&note, &[key]).expect("signed by this log's key");

    // A second look within the interval, and one after it without anything new.
    it.world.clock.advance(minutes(30));
    it.publish().await;
    it.world.clock.advance(minutes(31));
    it.publish().await;
    assert_eq!((witness.heard().len(), it.notes(&log_ticket).len()), (1, 1), "nothing is new");
    it.until(&id, "ended").await;
    it.seal().await;
    it.world.clock.advance(minutes(61));
    it.publish().await;
    let newer = it.newest_note().await;
    assert_eq!((read(&path), witness.heard().len(), it.notes(&log_ticket).len()), (newer.clone(), 2, 2));
    assert_eq!(read(&history(&path)), format!("{note}\n{newer}\n"));
    assert_eq!(it.standing().await, []);
    it.ends().await;
}

#[tokio::test]
async fn a_place_that_takes_nothing_is_a_finding_until_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let (witness, url) = Witness::begins().await;
    let it = publishing(&folder, &url).await;
    witness.answers(503);
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    it.seal().await;
    for _ in 0..3 {
        it.publish().await;
        it.world.clock.advance(minutes(59));
    }
    assert_eq!(it.standing().await, [], "not yet");
    for _ in 0..3 {
        it.world.clock.advance(minutes(30));
        it.publish().await;
    }
    let place = Some(format!("http {url}"));
    assert_eq!(it.standing().await, [("checkpoint-not-published".to_owned(), place)]);
    let tries = witness.heard().len();
    assert!((4..=6).contains(&tries), "{tries} tries");
    assert!(folder.path().join("checkpoint").exists(), "the other place is served all the same");

    witness.answers(204);
    it.world.clock.advance(minutes(61));
    it.publish().await;
    assert_eq!(it.standing().await, []);
    assert_eq!(witness.heard().len(), tries + 1);
    it.ends().await;
}

#[tokio::test]
async fn a_log_that_was_changed_is_a_finding_until_it_is_as_it_was() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    it.seal().await;
    let signed = it.newest_note().await;
    let mut sql = it.sql().await;
    let spoil = "alter table audit_leaves disable trigger user; create table kept as select * from audit_leaves; \
                 update audit_leaves set hash = sha256('other') where leaf_index = 1";
    sqlx::raw_sql(spoil).execute(&mut sql).await.expect("spoilt");
    it.get("/v1/requests", &it.auditor()).await;
    let other = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let other = it.taken_in(&other).await;
    for _ in 0..3 {
        it.seal().await;
    }
    assert_eq!(it.standing().await, [("audit-log-forked".to_owned(), None)]);
    assert_eq!(it.newest_note().await, signed, "nothing is signed");

    let mend = "update audit_leaves l set hash = k.hash from kept k where k.leaf_index = l.leaf_index; drop table kept";
    sqlx::raw_sql(mend).execute(&mut sql).await.expect("mended");
    it.until(&other, "ended").await;
    it.seal().await;
    assert_eq!(it.standing().await, []);
    assert_ne!(it.newest_note().await, signed);
    it.ends().await;
}
