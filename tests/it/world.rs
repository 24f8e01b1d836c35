//! The world each story plays in, and what must hold when it ends.

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _};
use stint::{
    app::{Only, Surroundings},
    demo::world::{Setup, World},
    domain::{
        id::{ConnectionName, RequestId, TenantName},
        request::Status,
    },
    outbound::{self, Body, Call, Credential, Wire},
    sandbox::{
        Postgres, PostgresOptions,
        graph::Entry,
        jira::{IssueDraft, Webhook, WebhookKind},
        story,
    },
    store::Store,
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// No work that is due at one moment takes so long.
const RESTS_WITHIN: Duration = Duration::from_mins(2);

/// No request needs so many moments to come to its end.
const MOST_MOMENTS: usize = 1_000;

/// Every table that holds what came from outside.
const TABLES: [&str; 11] = [
    "requests",
    "deliveries",
    "attempts",
    "notes",
    "findings",
    "audit_events",
    "audit_details",
    "polls",
    "told_tickets",
    "sweeps",
    "idempotency_keys",
];

static CLUSTER: OnceLock<Postgres> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
/// The database with the schema that those of the stories are copied from: that takes less time than to migrate each.
static MIGRATED: OnceCell<String> = OnceCell::const_new();

/// One story's world.
pub struct It {
    pub world: World,
    pub database_url: String,
    wire: Wire,
    deliveries: AtomicU32,
}

/// An answer of stint.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub body: Value,
}

/// Secrets of the stories, in any form in which they travel. None may ever be logged.
pub const SECRETS: [&str; 17] = [
    story::CLIENT_SECRET,
    story::JIRA_TOKEN,
    story::JIRA_PAT,
    story::WEBHOOK_SECRET,
    story::SNOW_PASSWORD,
    story::SNOW_OAUTH_SECRET,
    story::SNOW_WEBHOOK_SECRET,
    story::DESK_TOKEN,
    story::DESK_WEBHOOK_SECRET,
    crate::credentials::NEXT_SECRET,
    crate::credentials::REMOVERS_SECRET,
    "Bearer ey",
    "Basic c3",
    // A signed token, whichever way its header is written, and a private key.
    "eyJhbGciOi",
    "eyJ0eXAiOi",
    "BEGIN PRIVATE KEY",
    // A key that signs the audit log.
    "PRIVATE+KEY+",
];

/// Reads every line that stint logs in any story, down to its finest.
pub mod watch {
    use std::{
        io::{self, Write},
        sync::{
            LazyLock, Mutex, Once,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use regex::bytes::Regex;

    static BEGUN: Once = Once::new();
    /// Looks for all of them at once: there are many lines.
    static ANY_SECRET: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&super::SECRETS.map(regex::escape).join("|")).expect("a pattern"));
    static LINES: AtomicUsize = AtomicUsize::new(0);
    static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

    /// Begins to read, once for all stories.
    pub fn begins() {
        BEGUN.call_once(|| {
            let levels = "info,stint=trace,hyper=debug,hyper_util=debug,reqwest=debug,sqlx=debug";
            let subscriber = tracing_subscriber::fmt().with_env_filter(levels).with_ansi(false).with_writer(|| Reader);
            subscriber.init();
        });
    }

    /// How many lines were read, and which of them held a secret.
    pub fn lines_and_leaks() -> (usize, Vec<String>) {
        (LINES.load(Ordering::Relaxed), LEAKS.lock().expect("not poisoned").clone())
    }

    struct Reader;

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let line = || String::from_utf8_lossy(bytes).into_owned();
            LINES.fetch_add(1, Ordering::Relaxed);
            if ANY_SECRET.is_match(bytes) {
                LEAKS.lock().expect("not poisoned").push(line());
            }
            if std::env::var_os("STINT_LOG").is_some() {
                eprint!("{}", line());
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

/// The test run's private Postgres; its guard stops it when the run is over, however that ends.
pub fn cluster() -> &'static Postgres {
    CLUSTER.get_or_init(|| {
        let guard = Some(PathBuf::from(env!("CARGO_BIN_EXE_stint")));
        Postgres::start_with(PostgresOptions { guard, ..PostgresOptions::default() }).expect("a private Postgres")
    })
}

/// A database that no other test uses.
pub async fn database() -> String {
    cluster().url(&empty_database().await)
}

/// The name of a new database without anything.
async fn empty_database() -> String {
    let cluster = tokio::task::spawn_blocking(cluster).await.expect("a cluster");
    let name = new_name();
    cluster.create_database(&name).await.expect("a database");
    name
}

/// A database with stint's schema that no other test uses.
pub async fn migrated_database() -> String {
    let original = MIGRATED.get_or_init(|| async {
        let original = empty_database().await;
        let store = Store::open(&cluster().url(&original), 1).expect("a store");
        store.migrate().await.expect("migrated");
        store.close().await;
        original
    });
    let name = new_name();
    cluster().copy_database(&name, original.await).await.expect("a database");
    cluster().url(&name)
}

fn new_name() -> String {
    format!("story_{}", DATABASES.fetch_add(1, Ordering::Relaxed))
}

/// A port for a simulator that the configuration names before it runs.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The moment every story begins.
pub fn morning() -> Timestamp {
    "2026-11-03T08:12:40Z".parse().expect("a moment")
}

/// So many seconds.
pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// So many minutes.
pub fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// A service that waits for answers for as long as they take.
pub fn never_gives_up(setup: &mut Setup) {
    let ever = Duration::from_hours(24);
    setup.surroundings.outbound.total = ever;
    setup.surroundings.pace.step = ever;
}

impl It {
    /// The usual world.
    pub async fn begins() -> Self {
        Self::with(|_| {}).await
    }

    /// A world set up otherwise. Its worker does nothing by itself: the story says when it works.
    pub async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        watch::begins();
        Self::unwatched(change).await
    }

    /// The same, without reading every line of its log, which takes more time than the story.
    pub async fn unwatched(change: impl FnOnce(&mut Setup)) -> Self {
        let database_url = migrated_database().await;
        let mut setup = Setup::new(database_url.clone(), morning());
        setup.only = Only::Http;
        setup.surroundings = Surroundings {
            outbound: outbound::Limits { connect: Duration::from_secs(2), total: Duration::from_secs(3) },
            ..Surroundings::default()
        };
        change(&mut setup);
        let world = World::start(setup).await.expect("a world");
        let wire = Wire::new(outbound::Limits::default()).expect("a client");
        Self { world, database_url, wire, deliveries: AtomicU32::new(0) }
    }

    /// A world whose tenant has further keys, each a TOML value; they may speak of simulators by their ports.
    pub async fn with_tenant_keys(keys: impl FnOnce(&mut Setup) -> Vec<(&'static str, String)>) -> Self {
        let lay_over = |setup: &mut Setup| {
            let named = keys(setup).into_iter().map(|(key, value)| (format!("STINT__TENANTS__CONTOSO__{key}"), value));
            setup.overrides.extend(named);
        };
        Self::with(lay_over).await
    }

    /// A ticket that Nina filed and Omar approved.
    pub fn approved(&self, draft: IssueDraft) -> String {
        self.approved_by(draft, &[story::OMAR_ACCOUNT])
    }

    /// A ticket that these people approved.
    pub fn approved_by(&self, draft: IssueDraft, approvers: &[&str]) -> String {
        let jira = &self.world.sandbox.jira;
        let ticket = jira.create_issue(draft);
        jira.request_approvals(&ticket.id, approvers, approvers.len());
        self.world.clock.advance(minutes(18));
        for approver in approvers {
            jira.approve(&ticket.id, approver);
        }
        ticket.id
    }

    /// Posts Jira's webhook about the ticket's last change.
    pub async fn deliver(&self, ticket: &str) -> Seen {
        self.post(&self.world.webhook(ticket, WebhookKind::Updated)).await
    }

    /// Posts a webhook of Jira.
    pub async fn post(&self, webhook: &Webhook) -> Seen {
        self.post_to("jira-cloud", webhook).await
    }

    /// Posts a webhook to a connection.
    pub async fn post_to(&self, connection: &str, webhook: &Webhook) -> Seen {
        let (status, body, _) = webhook.deliver(&self.world.webhook_url(connection)).await.expect("an answer");
        Seen { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    /// Posts the webhook and gives the request's id.
    pub async fn taken_in(&self, ticket: &str) -> String {
        let seen = self.deliver(ticket).await;
        assert_eq!(seen.status, 202, "{}", seen.body);
        seen.body["request_id"].as_str().expect("a request id").to_owned()
    }

    /// Lets the worker do all that is due at this moment. One that finds something to do for ever fails the story.
    pub async fn work(&self) {
        let worked = tokio::time::timeout(RESTS_WITHIN, self.world.service.worker.run_until_idle()).await;
        worked.expect("a worker that comes to rest").expect("a working database");
    }

    /// Lets the worker run as in service, while the clock stands still, until something is so. What never becomes so fails
    /// the story.
    pub async fn works_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let becomes_so = async {
            while !is_so(self) {
                // Who waits asks, and leaves all others their turn meanwhile.
                self.fetch(&self.world.running.ops_url, "/livez", &Credential::Nobody).await;
            }
        };
        let becomes_so = tokio::time::timeout(RESTS_WITHIN, becomes_so);
        tokio::select! {
            () = self.world.service.worker.run(CancellationToken::new()) => unreachable!("nobody tells it to stop"),
            so = becomes_so => so.unwrap_or_else(|_| panic!("{what}: never")),
        }
    }

    /// Lets time pass, doing each step when it falls due.
    pub async fn pass(&self, time: SignedDuration) {
        let until = self.world.clock.now() + time;
        self.work().await;
        while let Some(next) = self.next_event().await.filter(|next| *next <= until) {
            self.world.clock.set(next.max(self.world.clock.now()));
            self.work().await;
        }
        self.world.clock.set(until);
    }

    /// Lets time pass until the request stands there; panics when it never comes to.
    pub async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..MOST_MOMENTS {
            self.work().await;
            // The whole document, whose reading leaves a trace of its own, is asked for only once.
            if self.status(id).await.as_str() == status {
                return self.document(id).await;
            }
            self.comes_to_next(id, status).await;
        }
        panic!("{id} does not come to an end: {:#}", self.document(id).await);
    }

    /// Lets time pass until the request's document is so.
    pub async fn until_true(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..MOST_MOMENTS {
            self.work().await;
            let document = self.document(id).await;
            if is_so(&document) {
                return document;
            }
            self.comes_to_next(id, what).await;
        }
        panic!("{id} does not come to an end: {:#}", self.document(id).await);
    }

    /// Moves the clock to the next moment when something is due.
    async fn comes_to_next(&self, id: &str, what: &str) {
        let Some(next) = self.next_event().await else {
            panic!("{id} never comes to this: {what}: {:#}", self.document(id).await);
        };
        self.world.clock.set(next.max(self.world.clock.now()));
    }

    async fn status(&self, id: &str) -> Status {
        let id = RequestId(id.parse().expect("a request id"));
        let request = self.world.service.store.load(id).await.expect("a working database");
        request.expect("a request").state.status()
    }

    async fn next_due(&self) -> Option<Timestamp> {
        self.world.service.store.next_due().await.expect("a working database")
    }

    async fn next_search(&self) -> Option<Timestamp> {
        let names = ["jira-cloud", "servicenow", "service-desk"].map(ConnectionName::new);
        self.world.service.store.next_poll(&names).await.expect("a working database")
    }

    /// When the tenant is next compared with Graph.
    pub async fn next_sweep(&self) -> Option<Timestamp> {
        let names = [TenantName::new(story::TENANT_NAME)];
        self.world.service.store.next_sweep(&names).await.expect("a working database")
    }

    /// When a request, a note, a search for missed approvals or a comparison with Graph falls due.
    pub async fn next_event(&self) -> Option<Timestamp> {
        let (search, sweep) = (self.next_search().await, self.next_sweep().await);
        [self.next_due().await, search, sweep].into_iter().flatten().min()
    }

    /// Lets time pass until every connection has just been searched.
    pub async fn right_after_a_search(&self) {
        self.work().await;
        let next = self.next_search().await.expect("a search");
        self.pass(next.duration_since(self.world.clock.now())).await;
        self.work().await;
    }

    /// The request as an auditor reads it.
    pub async fn document(&self, id: &str) -> Value {
        let seen = self.get(&format!("/v1/requests/{id}"), &self.auditor()).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        seen.body
    }

    /// An auditor's token.
    pub fn auditor(&self) -> String {
        self.world.token(story::LENA_ID, "Lena Vogt", &["Stint.Auditor"])
    }

    /// Reads a public route; a query may follow a question mark.
    pub async fn get(&self, path: &str, token: &str) -> Seen {
        self.fetch(&self.world.running.url, path, &Credential::Bearer(token.to_owned().into())).await
    }

    /// Reads any route of any listener.
    pub async fn fetch(&self, base: &str, path: &str, credential: &Credential) -> Seen {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let call = Call { method: http::Method::GET, path: path.into(), query, headers: vec![], body: Body::Empty };
        let answer = self.wire.send(&base.parse().expect("a url"), &call, credential).await.expect("an answer");
        let body = answer.json().unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&answer.body).into()));
        Seen { status: answer.status.as_u16(), body }
    }

    /// Every create that Entra carried out.
    pub fn creates(&self) -> Vec<Entry> {
        let created = |entry: &Entry| entry.committed && entry.action.eq_ignore_ascii_case("adminAssign");
        self.world.sandbox.graph.ledger().into_iter().filter(created).collect()
    }

    /// Every removal that Entra carried out.
    pub fn removals(&self) -> Vec<Entry> {
        let removed = |entry: &Entry| entry.committed && entry.action.eq_ignore_ascii_case("adminRemove");
        self.world.sandbox.graph.ledger().into_iter().filter(removed).collect()
    }

    /// The ticket's notes, as people see them.
    pub fn notes(&self, ticket: &str) -> Vec<String> {
        self.world.sandbox.jira.comments(ticket).into_iter().map(|comment| comment.text).collect()
    }

    /// An id for a delivery that no other has.
    pub fn fresh_id(&self) -> String {
        format!("msg_{}", self.deliveries.fetch_add(1, Ordering::Relaxed))
    }

    /// How many requests there are.
    pub async fn requests(&self) -> i64 {
        sqlx::query_scalar("select count(*) from requests").fetch_one(&mut self.sql().await).await.expect("a count")
    }

    /// A connection for checks past stint.
    pub async fn sql(&self) -> PgConnection {
        PgConnection::connect(&self.database_url).await.expect("a database connection")
    }

    /// What must hold at the end of every story: nothing is left to do, the books agree, and the log is whole.
    pub async fn ends(self) {
        self.work().await;
        assert_eq!(self.next_due().await, None, "work is left over");
        self.books_agree();
        let mut sql = self.sql().await;
        one_event_per_move(&mut sql).await;
        no_secret_is_stored(&mut sql).await;
        self.world.running.stop().await;
        self.world.service.store.close().await;
        assert_eq!(watch::lines_and_leaks().1, Vec::<String>::new(), "a secret was logged");
    }

    /// No request has two creates, none outlives what it asked for, and nothing foreign was touched.
    fn books_agree(&self) {
        let mut markers: Vec<_> = self.creates().into_iter().filter_map(|entry| entry.justification).collect();
        let all = markers.len();
        markers.sort();
        markers.dedup();
        assert_eq!(markers.len(), all, "an approval created two assignments");
        assert!(self.removals().iter().all(|entry| !entry.removed_foreign), "a foreign assignment was removed");
        let active = self.world.sandbox.graph.active_grants(story::TENANT);
        assert!(active.iter().all(|grant| grant.foreign), "an assignment outlived its request: {active:?}");
    }
}

/// Each request's events chain from state to state without gap or double, and end where the row stands.
async fn one_event_per_move(sql: &mut PgConnection) {
    let events = sqlx::query(
        "select e.request_id::text, e.state_from, e.state_to, r.state from audit_events e \
         join requests r on r.id = e.request_id where e.state_to is not null order by e.request_id, e.id",
    );
    let mut at: Option<(String, String, String)> = None;
    for row in events.fetch_all(sql).await.expect("the audit log") {
        let (id, from, to, state): (String, Option<String>, String, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if let Some((before, stood, last)) = &at {
            if *before == id {
                assert_eq!(from.as_deref(), Some(stood.as_str()), "request {id}: a move is missing or doubled");
            } else {
                assert_eq!((stood, &from), (last, &None), "request {before} ends elsewhere than its row");
            }
        }
        at = Some((id, to, state));
    }
    if let Some((id, stood, last)) = at {
        assert_eq!(stood, last, "request {id} ends elsewhere than its row");
    }
}

/// The secrets this world uses are in no row of any table.
async fn no_secret_is_stored(sql: &mut PgConnection) {
    for secret in SECRETS {
        for table in TABLES {
            let text = format!("select count(*) from {table} t where t::text like '%' || $1 || '%'");
            let count: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(text)).bind(secret).fetch_one(&mut *sql).await.expect("a count");
            assert_eq!(count, 0, "a secret is stored in {table}");
        }
    }
}
