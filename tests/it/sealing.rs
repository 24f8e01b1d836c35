//! The audit log is sealed whole, in the order of commits, by one at a time; and nothing is signed that does not go on from
//! what was signed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use stint::{
    domain::{
        audit::Actor,
        proof::{Hash, SigningKey, VerifyingKey, read_checkpoint},
    },
    store::{Head, HistoryRead, Sealer, Sealing, Store},
};
use tlog_tiles::{check_record, check_tree};

use crate::{
    crash::dropped_after,
    world::{database, morning},
};

/// As `store::audit` appends, with a detail whose digest nobody looks at here.
const APPEND: &str = "with event as (insert into audit_events (at, event, actor, detail_sha256) \
     values (now(), 'history-read', $1, sha256('{}')) returning id), \
     detail as (insert into audit_details (event_id, detail) select id, '{}' from event) \
     insert into audit_pending (event_id) select id from event returning event_id";

/// The same, so many at once.
const APPEND_MANY: &str = "with event as (insert into audit_events (at, event, actor, detail_sha256) \
     select now(), 'history-read', 'n' || n, sha256('{}') from generate_series(1, $1) n returning id), \
     detail as (insert into audit_details (event_id, detail) select id, '{}' from event) \
     insert into audit_pending (event_id) select id from event";

/// A database with stint's schema and nothing else.
struct Log {
    url: String,
    store: Store,
    sql: PgConnection,
}

impl Log {
    async fn begins() -> Self {
        let url = database().await;
        let store = Store::open(&url, 8).expect("a store");
        store.migrate().await.expect("migrated");
        let sql = PgConnection::connect(&url).await.expect("a connection");
        Self { url, store, sql }
    }

    async fn append(&mut self, count: i32) {
        sqlx::query(APPEND_MANY).bind(count).execute(&mut self.sql).await.expect("appended");
    }

    async fn run(&mut self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.sql).await.expect(statement);
    }

    fn sealer(&self, key: Option<SigningKey>, published: Vec<Head>) -> Sealer {
        Sealer::new(self.store.clone(), key, published)
    }

    /// The event and the hash of each leaf, in order; their places have no gap.
    async fn leaves(&mut self) -> Vec<(i64, Hash)> {
        let rows: Vec<(i64, i64, Vec<u8>)> =
            sqlx::query_as("select leaf_index, event_id, hash from audit_leaves order by leaf_index")
                .fetch_all(&mut self.sql)
                .await
                .expect("leaves");
        assert!(rows.iter().zip(0..).all(|((place, _, _), expected)| *place == expected), "places have a gap");
        rows.into_iter().map(|(_, event, hash)| (event, Hash(hash.try_into().expect("32 bytes")))).collect()
    }

    async fn heads(&mut self) -> Vec<(Head, Option<String>)> {
        let rows: Vec<(i64, Vec<u8>, Option<String>)> =
            sqlx::query_as("select tree_size, root, note from audit_checkpoints order by tree_size")
                .fetch_all(&mut self.sql)
                .await
                .expect("heads");
        let head = |(size, root, note): (i64, Vec<u8>, _)| {
            let root = Hash(root.try_into().expect("32 bytes"));
            (Head { size: size.try_into().expect("a size"), root }, note)
        };
        rows.into_iter().map(head).collect()
    }

    /// Every event is sealed once, every leaf is its event's, and every head is that of the leaves before it.
    async fn is_whole(&mut self) {
        let mut sealed: Vec<_> = self.leaves().await.into_iter().map(|(event, _)| event).collect();
        sealed.sort_unstable();
        let events: Vec<i64> = sqlx::query_scalar("select id from audit_events order by id")
            .fetch_all(&mut self.sql)
            .await
            .expect("events");
        assert_eq!(sealed, events, "an event is missing, or sealed twice");
        let pending: i64 =
            sqlx::query_scalar("select count(*) from audit_pending").fetch_one(&mut self.sql).await.expect("a count");
        assert_eq!(pending, 0);
        let hashes: Vec<_> = self.leaves().await.into_iter().map(|(_, hash)| hash).collect();
        let shown = self.store.log_between(0, hashes.len() as u64).await.expect("readable");
        assert!(shown.iter().zip(&hashes).all(|(event, hash)| event.record.leaf_hash() == *hash));
        let mut earlier: Option<Head> = None;
        for (head, _) in self.heads().await {
            assert_eq!(head.root, naive_root(&hashes[..usize::try_from(head.size).expect("small")]));
            if let Some(earlier) = earlier {
                let proof = self.store.consistency_proof(earlier.size, head.size).await.expect("a proof");
                check_tree(&proof, head.size, head.root, earlier.size, earlier.root).expect("a prefix");
            }
            earlier = Some(head);
        }
        assert_eq!(earlier.map_or(0, |head| head.size), hashes.len() as u64);
    }
}

/// RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    let sha256 = |bytes: &[u8]| Hash(digest(&SHA256, bytes).as_ref().try_into().expect("32 bytes"));
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        leaves => {
            let k = (leaves.len() - 1).ilog2();
            let (left, right) = leaves.split_at(1 << k);
            sha256(&[&[1][..], &naive_root(left).0, &naive_root(right).0].concat())
        }
    }
}

fn key() -> SigningKey {
    let text = SigningKey::text_of("stint.contoso.com", &[7; 32]).expect("a key");
    SigningKey::parse(&text).expect("a key")
}

fn now() -> Timestamp {
    morning()
}

/// Small numbers that look random and are the same each run.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// Which events were committed before each one was begun, as far as its writer knew.
type Causes = Arc<Mutex<BTreeMap<i64, i64>>>;

/// Appends by two connections whose transactions end in another order than they began.
async fn write(url: String, seed: u64, committed: Arc<Mutex<Option<i64>>>, causes: Causes) {
    let mut roll = dice(seed);
    let mut slow = PgConnection::connect(&url).await.expect("a connection");
    let mut quick = PgConnection::connect(&url).await.expect("a connection");
    let actor = format!("writer {seed}");
    for _ in 0..40 {
        let mut open = vec![];
        let cause = *committed.lock().expect("not poisoned");
        let mut outer = slow.begin().await.expect("begun");
        for _ in 0..=roll(3) {
            let id: i64 = sqlx::query_scalar(APPEND).bind(&actor).fetch_one(&mut *outer).await.expect("appended");
            open.extend(cause.map(|cause| (id, cause)));
        }
        for _ in 0..roll(4) {
            let cause = *committed.lock().expect("not poisoned");
            let id: i64 = sqlx::query_scalar(APPEND).bind(&actor).fetch_one(&mut quick).await.expect("appended");
            causes.lock().expect("not poisoned").extend(cause.map(|cause| (id, cause)));
            *committed.lock().expect("not poisoned") = Some(id);
        }
        if roll(5) == 0 {
            outer.rollback().await.expect("rolled back");
        } else {
            #[expect(clippy::disallowed_methods, reason = "no standby is waited for here")]
            outer.commit().await.expect("committed");
            causes.lock().expect("not poisoned").extend(open);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_appended_meanwhile_is_sealed_once_and_behind_its_cause() {
    let mut log = Log::begins().await;
    let (committed, causes) = (Arc::default(), Causes::default());
    let writers: Vec<_> = (1..=6)
        .map(|seed| tokio::spawn(write(log.url.clone(), seed, Arc::clone(&committed), Arc::clone(&causes))))
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let seals: Vec<_> = (0..2)
        .map(|_| {
            let (sealer, done) = (log.sealer(Some(key()), vec![]), Arc::clone(&done));
            tokio::spawn(async move {
                let mut times = 0;
                while !done.load(Ordering::Relaxed) {
                    times += u32::from(matches!(sealer.seal(now()).await.expect("sealed"), Sealing::Whole(1..)));
                }
                times
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    done.store(true, Ordering::Relaxed);
    let mut times = 0;
    for seal in seals {
        times += seal.await.expect("a sealer");
    }
    assert!(times > 3, "sealed while it was written, {times} times");
    let sealer = log.sealer(Some(key()), vec![]);
    sealer.seal_now(now()).await.expect("sealed");
    log.is_whole().await;
    let places: BTreeMap<_, _> = log.leaves().await.into_iter().zip(0_u64..).map(|((id, _), at)| (id, at)).collect();
    let causes = causes.lock().expect("not poisoned").clone();
    assert!(causes.len() > 300, "{}", causes.len());
    for (event, cause) in &causes {
        assert!(places[cause] < places[event], "{event} stands before {cause}, which was committed before it began");
    }
    let order: Vec<_> = places.values().collect();
    assert!(!order.is_sorted(), "transactions ended in another order than they began");
    let notes: Vec<_> = log.heads().await.into_iter().map(|(_, note)| note).collect();
    assert!(notes.iter().all(Option::is_some), "each sealer goes on from what the other one signed");
}

#[tokio::test]
async fn a_sealer_that_dies_anywhere_leaves_nothing_half_done() {
    let mut log = Log::begins().await;
    let sealer = log.sealer(Some(key()), vec![]);
    let mut died = 0;
    for waits in 1..=20 {
        log.append(300).await;
        let mut outcome = None;
        let finished = dropped_after(waits, async { outcome = Some(sealer.seal_now(now()).await) }).await;
        assert!(!finished || matches!(outcome, Some(Ok(Sealing::Whole(300)))), "at {waits}: {outcome:?}");
        died += u32::from(!finished);
        sealer.seal_now(now()).await.expect("sealed");
        log.is_whole().await;
    }
    // How often it waits depends on how quickly the server answers.
    assert!(died > 0, "it died {died} times");
}

#[tokio::test]
async fn just_as_many_as_fit_into_one_batch_are_sealed_and_that_is_all() {
    let mut log = Log::begins().await;
    log.append(4096).await;
    let sealer = log.sealer(Some(key()), vec![]);
    assert_eq!(sealer.seal(now()).await.expect("sealed"), Sealing::Whole(4096));
    log.is_whole().await;
}

#[tokio::test]
async fn one_seals_at_a_time_and_the_others_do_nothing() {
    let mut log = Log::begins().await;
    log.append(3).await;
    let mut other = PgConnection::connect(&log.url).await.expect("a connection");
    let mut transaction = other.begin().await.expect("begun");
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(0x7365_616c_i64)
        .execute(&mut *transaction)
        .await
        .expect("the lock");
    sqlx::query("insert into audit_leaves (leaf_index, event_id, hash) values (0, 2, sha256('half'))")
        .execute(&mut *transaction)
        .await
        .expect("half a sealing");
    let sealer = log.sealer(None, vec![]);
    assert_eq!(sealer.seal(now()).await.expect("asked"), Sealing::Busy);
    log.append(1).await;
    drop(transaction);
    other.close().await.expect("gone");
    // Its lock is free once the server has noticed.
    assert_eq!(sealer.seal_now(now()).await.expect("sealed"), Sealing::Whole(4));
    assert_eq!(sealer.seal(now()).await.expect("asked"), Sealing::Whole(0));
    log.is_whole().await;
    assert_eq!(log.heads().await.len(), 1, "what is whole gets no further head");
}

#[tokio::test]
async fn appending_waits_for_no_sealer() {
    let mut log = Log::begins().await;
    log.append(10).await;
    let sealer = log.sealer(None, vec![]);
    let mut amid = 0;
    for waits in 1..=20 {
        amid += u32::from(!appended_amid(waits, &sealer, &log.store).await);
    }
    // How often depends on how quickly the server answers.
    assert!(amid > 0, "appended in the middle of sealing, {amid} times");
    sealer.seal_now(now()).await.expect("sealed");
    log.is_whole().await;
}

/// Seals up to the n-th wait, appends there, and lets the sealing end; `true`: it had ended before.
async fn appended_amid(waits: usize, sealer: &Sealer, store: &Store) -> bool {
    let actor = Actor::stint();
    let read = HistoryRead {
        at: now(),
        actor: &actor,
        request: None,
        tenant: None,
        what: "requests",
        filter: json!({}),
        count: 0,
    };
    let mut sealing = Box::pin(sealer.seal_now(now()));
    let ended = dropped_after(waits, sealing.as_mut()).await;
    let appending = tokio::time::timeout(std::time::Duration::from_secs(20), store.note_reading(&read));
    appending.await.expect("appending does not wait").expect("appended");
    if !ended {
        sealing.await.expect("sealed");
    }
    ended
}

#[tokio::test]
async fn proofs_of_any_size_are_those_of_the_rfc() {
    let mut log = Log::begins().await;
    log.append(66_100).await;
    let sealer = log.sealer(None, vec![]);
    assert_eq!(sealer.seal(now()).await.expect("sealed"), Sealing::Whole(66_100));
    let hashes: Vec<_> = log.leaves().await.into_iter().map(|(_, hash)| hash).collect();
    let nodes: Vec<(i16, i64)> =
        sqlx::query_as("select level, count(*) from audit_nodes group by level order by level")
            .fetch_all(&mut log.sql)
            .await
            .expect("nodes");
    assert_eq!(nodes, [(8, 258), (16, 1)]);
    let mut roll = dice(3);
    let edges = [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, 66_100];
    let sizes: BTreeSet<u64> = edges.into_iter().chain((0..30).map(|_| 1 + roll(66_100))).collect();
    let mut earlier: Option<Head> = None;
    for size in sizes {
        let root = naive_root(&hashes[..usize::try_from(size).expect("small")]);
        assert_eq!(log.store.tree_root(size).await.expect("a root"), root, "{size}");
        let places: Vec<_> = [0, size - 1, size / 2].into_iter().chain((0..5).map(|_| roll(size))).collect();
        let proofs = log.store.inclusion_proofs(size, &places).await.expect("proofs");
        for (place, proof) in places.iter().zip(proofs) {
            let leaf = hashes[usize::try_from(*place).expect("small")];
            check_record(&proof, size, root, *place, leaf).expect("proved");
        }
        if let Some(earlier) = earlier {
            let proof = log.store.consistency_proof(earlier.size, size).await.expect("a proof");
            check_tree(&proof, size, root, earlier.size, earlier.root).expect("proved");
        }
        earlier = Some(Head { size, root });
    }
    assert_eq!(log.store.tree_root(0).await.expect("a root"), naive_root(&[]));
    assert!(log.store.inclusion_proofs(66_101, &[0]).await.is_err(), "what is not sealed is not proved");
}

#[tokio::test]
async fn heads_are_signed_where_there_is_a_key() {
    let mut log = Log::begins().await;
    log.append(3).await;
    log.sealer(None, vec![]).seal(now()).await.expect("sealed");
    assert_eq!(log.store.signed_head(None).await.expect("readable"), None);
    log.append(2).await;
    log.sealer(Some(key()), vec![]).seal(now()).await.expect("sealed");
    let signed = log.store.signed_head(None).await.expect("readable").expect("a signed head");
    let read = read_checkpoint(&signed.note, &[verifier()]).expect("signed");
    assert_eq!((read.size, read.root), (5, signed.head.root));
    assert_eq!(log.store.signed_head(Some(5)).await.expect("readable"), Some(signed));
    assert_eq!(log.store.signed_head(Some(3)).await.expect("readable"), None);
}

fn verifier() -> VerifyingKey {
    key().verifier_key().clone()
}

/// Lets the owner of the tables do what triggers refuse.
const UNGUARD: &str =
    "alter table audit_leaves disable trigger user; alter table audit_checkpoints disable trigger user";

#[tokio::test]
async fn a_tree_that_does_not_go_on_from_what_was_signed_is_not_signed() {
    let rewritten = "update audit_leaves set hash = sha256('other') where leaf_index = 1";
    let cut = "delete from audit_leaves where leaf_index >= 3; delete from audit_checkpoints where tree_size > 3";
    for tampering in [rewritten, cut] {
        // Told by the process that signed, by the database alone, and by what was published alone.
        for (same_process, keeps_heads) in [(true, false), (false, true), (false, false)] {
            if tampering == cut && keeps_heads {
                continue;
            }
            let mut log = Log::begins().await;
            log.append(5).await;
            let first = log.sealer(Some(key()), vec![]);
            first.seal(now()).await.expect("sealed");
            let head = log.store.signed_head(None).await.expect("readable").expect("a head").head;
            log.run(UNGUARD).await;
            log.run(tampering).await;
            if !keeps_heads {
                log.run("delete from audit_checkpoints").await;
            }
            log.append(1).await;
            let published = if keeps_heads { vec![] } else { vec![head] };
            let sealer = if same_process { first } else { log.sealer(Some(key()), published) };
            assert_eq!(sealer.seal(now()).await.expect("sealed all the same"), Sealing::Whole(1));
            assert!(sealer.is_forked(), "{tampering}, {same_process}, {keeps_heads}");
            let (newest, note) = log.heads().await.pop().expect("a head");
            assert_eq!((newest.size, note), (if tampering == cut { 4 } else { 6 }, None));
            assert!(!log.store.has_head(head).await.expect("readable"));
        }
    }
}

#[tokio::test]
async fn a_log_that_lost_leaves_below_its_nodes_is_not_sealed_on() {
    let mut log = Log::begins().await;
    log.append(5).await;
    let sealer = log.sealer(Some(key()), vec![]);
    sealer.seal(now()).await.expect("sealed");
    log.run(UNGUARD).await;
    log.run("delete from audit_leaves where leaf_index = 2").await;
    log.append(1).await;
    let told = sealer.seal(now()).await.expect_err("nothing to go on from").to_string();
    assert!(told.contains("audit_leaves") && told.contains("hash 2 of level 0 is missing"), "{told}");
    assert_eq!(log.store.seal_state().await.expect("readable").pending, 1, "it waits");
}

#[tokio::test]
async fn every_table_of_the_log_refuses_to_be_rewritten_even_by_its_owner() {
    let mut log = Log::begins().await;
    log.append(300).await;
    log.sealer(Some(key()), vec![]).seal(now()).await.expect("sealed");
    log.run("insert into audit_drops (dropped_before, event_id) values ('2020-01-01T00:00:00Z', 1)").await;
    for table in ["audit_events", "audit_details", "audit_leaves", "audit_nodes", "audit_checkpoints", "audit_drops"] {
        let column: String = sqlx::query_scalar(
            "select column_name::text from information_schema.columns where table_name = $1 order by ordinal_position limit 1 offset 1",
        )
        .bind(table)
        .fetch_one(&mut log.sql)
        .await
        .expect("a column");
        for statement in [
            format!("update {table} set {column} = {column}"),
            format!("delete from {table}"),
            format!("truncate {table} cascade"),
        ] {
            let done = sqlx::query(sqlx::AssertSqlSafe(statement.as_str())).execute(&mut log.sql).await;
            let refused = done.expect_err(&statement).to_string();
            assert!(
                refused.contains("append-only") || refused.contains("only be dropped after"),
                "{statement}: {refused}"
            );
        }
    }
    log.is_whole().await;
}

/// What `serve` needs of the log, and no more.
const SERVING: &str = "create role sealing login; grant select, insert on audit_events, audit_details, audit_leaves, \
     audit_nodes, audit_checkpoints to sealing; grant select, insert, delete on audit_pending to sealing";

#[tokio::test]
async fn a_role_that_may_only_insert_seals() {
    let mut log = Log::begins().await;
    log.run(SERVING).await;
    let url = format!("{}&user=sealing", log.url);
    let theirs = Store::open(&url, 2).expect("a store");
    log.append(300).await;
    let sealer = Sealer::new(theirs.clone(), Some(key()), vec![]);
    assert_eq!(sealer.seal(now()).await.expect("sealed"), Sealing::Whole(300));
    log.is_whole().await;
    let mut sql = PgConnection::connect(&url).await.expect("a connection");
    for statement in [
        "update audit_leaves set hash = hash",
        "delete from audit_checkpoints",
        "truncate audit_nodes",
        "delete from audit_events",
        "alter table audit_leaves disable trigger user",
    ] {
        let refused = sqlx::query(statement).execute(&mut sql).await.expect_err(statement).to_string();
        assert!(refused.contains("permission denied") || refused.contains("must be owner"), "{statement}: {refused}");
    }
    log.run("drop owned by sealing; drop role sealing").await;
}
