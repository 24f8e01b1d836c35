//! A world with a history of many stories, sealed many times, and a copy of it to put back.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use stint::{
    domain::{
        audit::Actor,
        id::ObjectId,
        proof::{Hash, SigningKey},
    },
    sandbox::{
        graph::{Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
    store::{HistoryRead, Sealer, Store},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::world::{It, minutes};

/// Tables that a trial may spoil, or that stint writes while it answers.
const TABLES: [&str; 9] = [
    "audit_events",
    "audit_details",
    "audit_pending",
    "audit_leaves",
    "audit_nodes",
    "audit_checkpoints",
    "audit_drops",
    "findings",
    "requests",
];

/// Everything before it happens to it.
pub struct Whole {
    pub it: It,
    pub store: Store,
    pub key: SigningKey,
    /// Requests whose facts are all there.
    pub requests: Vec<String>,
    /// One whose facts were dropped after their time.
    pub faded: String,
    /// Heads as an auditor got them, smallest first; the last but one is the one that was kept elsewhere.
    pub heads: Vec<(u64, String)>,
    pub folder: TempDir,
}

impl Whole {
    /// Plays the stories and keeps a copy.
    pub async fn begins() -> Self {
        let it = It::unwatched(|_| {}).await;
        let key = it.world.config().audit.signing_key.clone().expect("a key");
        let store = Store::open(&it.database_url, 4).expect("a store");
        let folder = TempDir::new().expect("a folder");
        let mut whole = Self { it, store, key, requests: vec![], faded: String::new(), heads: vec![], folder };
        whole.plays().await;
        whole.copy().await;
        whole
    }

    async fn plays(&mut self) {
        let sealer = Sealer::new(self.store.clone(), Some(self.key.clone()), vec![]);
        self.reads(100).await;
        self.is_granted_and_ends().await;
        self.faded = self.requests.pop().expect("a request");
        self.it.pass(minutes(24 * 60)).await;
        let old = self.it.world.clock.now();
        self.reads(40).await;
        self.seal(&sealer).await;
        self.is_granted_and_ends().await;
        self.is_refused().await;
        self.reads(130).await;
        self.seal(&sealer).await;
        self.is_revoked().await;
        self.joins_another().await;
        self.store.drop_details(old, self.it.world.clock.now()).await.expect("a working database");
        self.is_withdrawn().await;
        self.fails().await;
        self.is_only_tried().await;
        self.reads(300).await;
        self.seal(&sealer).await;
        self.reads(60).await;
        self.seal(&sealer).await;
        self.it.world.clock.advance(minutes(60));
    }

    /// So many readings of history.
    async fn reads(&self, count: u64) {
        let actor = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
        for count in 0..count {
            let read = HistoryRead {
                at: self.it.world.clock.now(),
                actor: &actor,
                request: None,
                tenant: (count % 3 == 0).then_some(story::TENANT_NAME),
                what: "requests",
                filter: json!({ "status": "active" }),
                count,
            };
            self.store.note_reading(&read).await.expect("a working database");
        }
    }

    async fn seal(&mut self, sealer: &Sealer) {
        sealer.seal_now(self.it.world.clock.now()).await.expect("a working database");
        let head = self.store.signed_head(None).await.expect("a working database").expect("a head");
        self.heads.push((head.head.size, head.note));
    }

    async fn asked(&mut self, duration: &str) -> (String, String) {
        let ticket = self.it.approved(IssueDraft { duration: duration.into(), ..IssueDraft::default() });
        let id = self.it.taken_in(&ticket).await;
        self.requests.push(id.clone());
        (id, ticket)
    }

    async fn is_granted_and_ends(&mut self) {
        let (id, _) = self.asked("PT30M").await;
        self.it.until(&id, "ended").await;
    }

    async fn is_refused(&mut self) {
        let draft = IssueDraft { entitlement: "global-admin".into(), ..IssueDraft::default() };
        let ticket = self.it.approved(draft);
        let id = self.it.taken_in(&ticket).await;
        self.it.until(&id, "rejected").await;
        self.requests.push(id);
    }

    async fn is_revoked(&mut self) {
        let (id, _) = self.asked("PT2H").await;
        self.it.until(&id, "active").await;
        self.it.pass(minutes(10)).await;
        let operator = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
        let request = id.parse().expect("an id");
        self.it.world.service.engine.revoke(request, operator, "enough").await.expect("a working database");
        self.it.until(&id, "ended").await;
    }

    async fn joins_another(&mut self) {
        let (first, _) = self.asked("PT50M").await;
        self.it.until(&first, "active").await;
        self.it.pass(minutes(10)).await;
        let (second, _) = self.asked("PT80M").await;
        self.it.until(&second, "active").await;
        self.it.until(&first, "ended").await;
        self.it.until(&second, "ended").await;
    }

    /// Held first, and over before anything was decided.
    async fn is_withdrawn(&mut self) {
        let ticket = self.it.world.sandbox.jira.create_issue(IssueDraft::default());
        self.it.world.sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
        self.it.world.sandbox.jira.transition(&ticket.id, story::STATUS_APPROVED, story::NINA_ACCOUNT);
        let id = self.it.taken_in(&ticket.id).await;
        self.it.until(&id, "held").await;
        self.it.world.sandbox.jira.cancel(&ticket.id);
        self.it.until(&id, "ended").await;
        self.requests.push(id);
    }

    async fn fails(&mut self) {
        let code = "RoleAssignmentRequestPolicyValidationFailed".to_owned();
        let kind = FaultKind::Code { status: 400, code, message: "[\"ExpirationRule\"]".into() };
        self.it.world.sandbox.graph.fault(Fault::once(On::Create, kind));
        let (id, _) = self.asked("PT30M").await;
        self.it.until(&id, "failed").await;
    }

    async fn is_only_tried(&mut self) {
        self.it.world.restart(|_, surroundings| surroundings.dry_run = true).await.expect("a restart");
        let (id, _) = self.asked("PT30M").await;
        self.it.until(&id, "ended").await;
        self.it.world.restart(|_, surroundings| surroundings.dry_run = false).await.expect("a restart");
    }

    /// How many events are sealed.
    pub fn size(&self) -> u64 {
        self.heads.last().expect("a head").0
    }

    /// How many events the checkpoint covers that was kept elsewhere.
    pub fn kept_size(&self) -> u64 {
        self.heads[self.heads.len() - 2].0
    }

    /// A connection of the database's owner to whom no trigger applies.
    pub async fn owner(&self) -> PgConnection {
        let mut sql = self.it.sql().await;
        run(&mut sql, "set session_replication_role = replica".into()).await;
        sql
    }

    async fn copy(&self) {
        let mut sql = self.owner().await;
        let copies = TABLES.map(|table| format!("create table kept.{table} as table public.{table}")).join("; ");
        run(&mut sql, format!("create schema kept; {copies}")).await;
    }

    /// Makes everything as it was.
    pub async fn put_back(&self) {
        let mut sql = self.owner().await;
        let one = |table| match table {
            // Other tables point at requests, so they cannot be emptied at once.
            "requests" => "delete from requests; insert into requests select * from kept.requests".to_owned(),
            table => {
                format!("truncate {table}; insert into {table} overriding system value select * from kept.{table}")
            }
        };
        run(&mut sql, TABLES.map(one).join("; ")).await;
    }

    /// The whole log agrees with itself, as only somebody without the key can make it: leaves, nodes and roots over what
    /// the records say now.
    pub async fn recompute(&self) {
        let mut sql = self.owner().await;
        let events = self.store.log_between(0, 1 << 40).await.expect("readable");
        let leaves: Vec<Hash> = events.iter().map(|event| event.record.leaf_hash()).collect();
        let mut statements = Vec::new();
        for (event, hash) in events.iter().zip(&leaves) {
            let index = event.leaf_index.expect("sealed");
            let hash = hex::encode(hash.0);
            statements.push(format!("update audit_leaves set hash = '\\x{hash}' where leaf_index = {index}"));
        }
        for (number, tile) in leaves.chunks_exact(256).enumerate() {
            let hash = hex::encode(root(tile).0);
            statements.push(format!("update audit_nodes set hash = '\\x{hash}' where node_index = {number}"));
        }
        for (size, _) in &self.heads {
            let covered = usize::try_from(*size).expect("small").min(leaves.len());
            let hash = hex::encode(root(&leaves[..covered]).0);
            statements.push(format!("update audit_checkpoints set root = '\\x{hash}' where tree_size = {size}"));
        }
        run(&mut sql, statements.join("; ")).await;
    }

    /// Nothing was left half done by all that.
    pub async fn ends(self) {
        self.it.ends().await;
    }
}

/// RFC 6962 root over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut tree = stint::domain::proof::Frontier::default();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

/// Runs statements, one after the other.
pub async fn run(sql: &mut PgConnection, text: String) {
    let shown: String = text.chars().take(300).collect();
    sqlx::raw_sql(AssertSqlSafe(text)).execute(sql).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
}
