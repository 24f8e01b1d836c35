//! Putting the parts together: from a checked configuration to a running service.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use secrecy::ExposeSecret as _;
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    config::{self, Config},
    console,
    domain::id::{ConnectionName, TenantName},
    engine::{Engine, Pace, Publishing, Tenant, Worker},
    graph::TenantGraph,
    http::{
        self, Api, Wake,
        auth::{TokenSettings, Tokens},
        cursor::Cursors,
        serve::Limits,
    },
    outbound::{self, Wire},
    publish::{self, Destination},
    store::{Head, SchemaState, Sealer, Store, StoreError, Wakes},
    telemetry::Metrics,
    tickets::{Connection, settings::ConnectionSettings},
};

/// What to look at when no connection can be opened.
const UNREACHABLE: &str = "the database that database.url names cannot be reached";

/// Connections each process may hold to the database.
const POOL: u32 = 24;

/// Which half of the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Both.
    Both,
    /// Webhooks and the API.
    Http,
    /// The work on requests.
    Worker,
}

/// What a service may be given besides its configuration; never by configuration.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// How long calls to others may take.
    pub outbound: outbound::Limits,
    /// What callers may send, and how slowly.
    pub inbound: Limits,
    /// How much is done at a time.
    pub pace: Pace,
    /// PIM is only asked whether it would grant; nothing is granted.
    pub dry_run: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            outbound: outbound::Limits::default(),
            inbound: Limits::default(),
            pace: Pace::default(),
            dry_run: false,
        }
    }
}

/// A service put together, not running yet.
pub struct Service {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its worker.
    pub worker: Arc<Worker>,
    /// The database.
    pub store: Store,
    api: Arc<Api>,
    others: Arc<Notify>,
    config: Config,
}

/// A running service.
pub struct Running {
    /// Where callers reach it, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Where its operators reach it.
    pub ops_url: String,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// `stint serve`.
///
/// # Errors
/// When the service cannot start: the schema, an address, a credential.
pub async fn serve(config: Config, only: Only, dry_run: bool) -> anyhow::Result<()> {
    let service = Service::assemble(config, Surroundings { dry_run, ..Surroundings::default() })?;
    service.check_schema().await?;
    let running = service.start(only).await?;
    info!(url = running.url, ops = running.ops_url, dry_run, "serving");
    stop_signal().await?;
    info!("stopping: what is under way is finished first");
    running.stop().await;
    Ok(())
}

/// `stint migrate`.
///
/// # Errors
/// When the database cannot be reached, is newer than the program, or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let (key, store) = as_owner(&config)?;
    store.reach().await.with_context(|| format!("the database that {key} names cannot be reached"))?;
    let before = store.schema_state().await.context("the database cannot be read")?;
    if let SchemaState::Newer(count) = before {
        bail!("the database has {} that this stint does not know: use a newer stint", migrations(count));
    }
    store.migrate().await?;
    match before {
        SchemaState::Older(count) => anstream::println!("applied {}", migrations(count)),
        _ => anstream::println!("the schema is up to date"),
    }
    Ok(())
}

/// `stint retention`: drops what its time is over for, bodies first and facts last.
///
/// # Errors
/// When the database cannot be reached, has another schema, or fails; what was dropped until then stays dropped.
pub async fn retention(config: &Config, clock: &Clock) -> anyhow::Result<()> {
    let (key, store) = as_owner(config)?;
    store.reach().await.with_context(|| format!("the database that {key} names cannot be reached"))?;
    if store.schema_state().await.context("the database cannot be read")? != SchemaState::Current {
        bail!("the database has another schema than this stint: run `stint migrate` first");
    }
    let (now, kept) = (clock.now(), config.retention);
    for (what, time) in [("bodies", kept.bodies), ("snapshots", kept.snapshots), ("details", kept.details)] {
        let Some(before) = time.and_then(|time| now.checked_sub(time).ok()) else {
            anstream::println!("{what}: kept for ever");
            continue;
        };
        let dropped = match what {
            "bodies" => store.drop_bodies(before, now).await,
            "snapshots" => store.drop_snapshots(before, now).await,
            _ => store.drop_details(before, now).await,
        };
        anstream::println!("{what}: dropped {} from before {before}", dropped.context("the database failed")?);
    }
    Ok(())
}

/// The database as its owner reaches it, and the key that says how.
fn as_owner(config: &Config) -> anyhow::Result<(&'static str, Store)> {
    let database = &config.database;
    let (key, url) = match &database.migrate_url {
        Some(url) => ("database.migrate_url", url),
        None => ("database.url", &database.url),
    };
    Ok((key, Store::open(url.expose_secret(), 1).context(key)?))
}

impl Service {
    /// Puts a service together. Nothing is called yet.
    ///
    /// # Errors
    /// When a part cannot be made from the configuration.
    pub fn assemble(config: Config, surroundings: Surroundings) -> anyhow::Result<Self> {
        let Surroundings { clock, outbound, inbound, pace, dry_run } = surroundings;
        let wire = Wire::new(outbound).context("the HTTPS client cannot be set up")?;
        let store = Store::open(config.database.url.expose_secret(), POOL).context("database.url")?;
        let connections = connections(&config, &wire, &clock);
        let tenants = tenants(&config, &wire, &clock)?;
        let metrics = Arc::new(Metrics::new());
        let engine = Engine::new(store.clone(), clock.clone(), connections.clone(), tenants, Arc::clone(&metrics));
        let sealer = Arc::new(Sealer::new(store.clone(), config.audit.signing_key.clone(), published(&config)));
        let engine = engine.with_dry_run(dry_run).with_log(Arc::clone(&sealer), publishing(&config, &wire));
        let engine = Arc::new(engine);
        let worker = Arc::new(Worker::new(Arc::clone(&engine), pace));
        let others = Arc::new(Notify::new());
        let tokens = TokenSettings {
            tenant_id: config.api.tenant_id,
            audience: config.api.audience.clone(),
            login_url: config.api.login_url.clone(),
        };
        let api = Arc::new(Api {
            store: store.clone(),
            sealer,
            clock: clock.clone(),
            connections,
            tenant_ids: tenant_ids(&config),
            tokens: Tokens::new(tokens, wire, clock),
            cursors: Cursors::new(cursor_secret(&config).as_deref(), &config.api.audience),
            public_url: config.server.public_url.clone(),
            limits: Limits { body_bytes: config.server.max_body_bytes, ..inbound },
            exports: http::Exports::new(config.audit.signing_key.clone()),
            written: http::document::Written::default(),
            metrics,
            wake: Wake { here: engine.wake(), elsewhere: Arc::clone(&others) },
        });
        Ok(Self { engine, worker, store, api, others, config })
    }

    /// Refuses a schema that is not the program's own.
    ///
    /// # Errors
    /// When it is older or newer, or cannot be read.
    pub async fn check_schema(&self) -> anyhow::Result<()> {
        self.store.reach().await.context(UNREACHABLE)?;
        match self.store.schema_state().await.context("the database cannot be read")? {
            SchemaState::Current => Ok(()),
            SchemaState::Older(count) => bail!("the database lacks {}: run `stint migrate` first", migrations(count)),
            SchemaState::Newer(count) => bail!(
                "the database has {} that this stint does not know: `stint migrate` was run by a newer stint, use \
                 that one",
                migrations(count)
            ),
        }
    }

    /// Listens and works until stopped.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn start(&self, only: Only) -> anyhow::Result<Running> {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let server = &self.config.server;
        let ops = bind("server.ops_listen", server.ops_listen).await?;
        let ops_url = url_of(&ops)?;
        tasks.spawn(http::serve::serve(ops, http::ops_router(&self.api), self.api.limits, stop.clone()));
        let mut url = String::new();
        if only != Only::Worker {
            let public = bind("server.listen", server.listen).await?;
            url = url_of(&public)?;
            let page = console::router(&console_settings(&self.config));
            tasks.spawn(http::serve::serve(public, http::router(&self.api, page), self.api.limits, stop.clone()));
        }
        if only != Only::Http {
            let worker = Arc::clone(&self.worker);
            let stopped = stop.clone();
            tasks.spawn(async move { worker.run(stopped).await });
            tasks.spawn(listen(self.store.clone(), self.engine.wake(), stop.clone()));
            let engine = Arc::clone(&self.engine);
            let stopped = stop.clone();
            tasks.spawn(async move { engine.keep_log(stopped).await });
        }
        tasks.spawn(tell_others(self.store.clone(), Arc::clone(&self.others), stop.clone()));
        Ok(Running { url, ops_url, stop, tasks })
    }
}

impl Running {
    /// Stops taking work, finishes what is under way, and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// People sign in where the API's tokens come from.
fn console_settings(config: &Config) -> console::Settings {
    console::Settings {
        login_url: config.api.login_url.clone(),
        tenant_id: config.api.tenant_id,
        client_id: config.console.client_id.clone(),
        scope: config.console.scope.clone(),
    }
}

fn connections(config: &Config, wire: &Wire, clock: &Clock) -> HashMap<ConnectionName, Arc<Connection>> {
    let connection = |settings: &ConnectionSettings| {
        let connection = Connection::new(settings.clone(), wire.clone(), clock.clone());
        (settings.common.name.clone(), Arc::new(connection))
    };
    config.connections.iter().map(connection).collect()
}

fn tenants(config: &Config, wire: &Wire, clock: &Clock) -> anyhow::Result<HashMap<TenantName, Tenant>> {
    let tenant = |tenant: &config::Tenant| {
        let name = tenant.graph.name.clone();
        let graph = TenantGraph::new(tenant.graph.clone(), wire.clone(), clock.clone())
            .with_context(|| format!("tenants.{name}.credential"))?;
        Ok((name, Tenant { graph, catalog: tenant.catalog.clone(), never: tenant.never.clone() }))
    };
    config.tenants.iter().map(tenant).collect()
}

/// A signature that is never given out is a secret that only the key's holder can make, and always makes alike.
fn cursor_secret(config: &Config) -> Option<Vec<u8>> {
    config.audit.signing_key.as_ref()?.sign("the secret of cursors\n").ok().map(String::into_bytes)
}

fn publishing(config: &Config, wire: &Wire) -> Publishing {
    Publishing {
        destinations: config.audit.publish.clone(),
        interval: config.audit.publish_interval,
        wire: Some(wire.clone()),
    }
}

/// The heads that stand in files, which the log must go on from. While one cannot be read, nothing is signed.
fn published(config: &Config) -> Vec<Head> {
    let paths = config.audit.publish.iter().filter_map(|destination| match destination {
        Destination::File(path) => Some(path),
        _ => None,
    });
    let newest = paths.filter_map(|path| match publish::newest(path) {
        Ok(head) => head.map(|head| Head { size: head.size, root: head.root }),
        Err(problem) => {
            error!(%problem, "no head of the audit log is signed until stint starts with a file it can read");
            Some(Head::NOBODYS)
        }
    });
    newest.collect()
}

fn tenant_ids(config: &Config) -> HashMap<String, uuid::Uuid> {
    config.tenants.iter().map(|t| (t.graph.name.to_string(), t.graph.tenant_id)).collect()
}

/// Gathers wakes for a moment and sends them to other replicas as one.
async fn tell_others(store: Store, others: Arc<Notify>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = others.notified() => {}
        }
        let gathered = tokio::time::timeout(Wakes::GATHER, stop.cancelled()).await;
        if let Err(problem) = store.notify().await {
            warn!(%problem, "other replicas are not woken; their timers will do it");
        }
        if gathered.is_ok() {
            return;
        }
    }
}

/// Passes wakes of other replicas on to the worker here.
async fn listen(store: Store, wake: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let listening = async {
            let mut wakes = store.wakes().await?;
            loop {
                wakes.next().await?;
                wake.notify_one();
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            ended = listening => {
                let ended: Result<(), StoreError> = ended;
                if let Err(problem) = ended {
                    warn!(%problem, "not listening for other replicas; the timer works on");
                }
            }
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), stop.cancelled()).await;
    }
}

async fn bind(key: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key}: {address} cannot be listened on"))
}

fn url_of(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// So many migrations, in words.
fn migrations(count: usize) -> String {
    if count == 1 { "1 migration".to_owned() } else { format!("{count} migrations") }
}

/// Returns when the process is told to stop, by a terminal or by whoever runs it.
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let interrupt: JoinHandle<_> = tokio::spawn(tokio::signal::ctrl_c());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt => {}
    }
    Ok(())
}
