//! The servers that a database URL names, of which one takes writes at a time.
//!
//! `postgres://stint@db1:5432,db2:5432/stint` names two. Whichever of them takes writes is used, and another one as soon as
//! that one does not any more; so a failover needs neither a proxy nor a restart. A standby is never used: each new
//! connection is asked whether it takes writes before anything else.

use std::{
    str::FromStr as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    Connection as _, Executor as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgPool},
};
use tracing::{info, warn};

use super::StoreError;

/// How long a server may take to say whether it takes writes.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// How often the one in use is asked, and all of them where none takes writes.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// When another server was turned to. Connections made before that lead to one that is gone, or takes no writes.
#[derive(Debug, Default)]
pub(super) struct Turned(Mutex<Option<Instant>>);

impl Turned {
    /// Whether a connection of this age was made before the turn.
    pub(super) fn outdates(&self, age: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| age > at.elapsed())
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Reads a URL: one set of options for each server, in their order.
///
/// # Errors
/// When it is no URL, or asks for another kind of server than one that takes writes.
pub(super) fn parse(url: &str) -> Result<Vec<PgConnectOptions>, sqlx::Error> {
    let (url, wanted) = without_wish(url);
    if wanted.is_some_and(|wanted| wanted != "read-write" && wanted != "primary") {
        return Err(sqlx::Error::Configuration("target_session_attrs can only be read-write".into()));
    }
    let Some((before, hosts, after)) = around_hosts(&url) else { return Ok(vec![url.parse()?]) };
    hosts.split(',').map(|host| PgConnectOptions::from_str(&format!("{before}{host}{after}"))).collect()
}

/// The URL in three parts: up to its hosts, the hosts, and the rest; `None` where it names at most one.
fn around_hosts(url: &str) -> Option<(&str, &str, &str)> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let hosts = &url[start..end];
    hosts.contains(',').then_some((&url[..start], hosts, &url[end..]))
}

/// The URL without `target_session_attrs`, which other clients need, and what it says.
fn without_wish(url: &str) -> (String, Option<&str>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let wish = query.split('&').find_map(|pair| pair.strip_prefix("target_session_attrs="));
    let others: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("target_session_attrs=")).collect();
    (format!("{base}?{}", others.join("&")), wish)
}

/// Asks the server at the other end whether it takes writes: `false` on a standby, and while one is being promoted.
pub(super) async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = connection.fetch_one("show transaction_read_only").await?;
    Ok(row.try_get::<String, _>(0)? == "off")
}

/// The first server that takes writes.
///
/// # Errors
/// Where none does: what each of them said.
pub(super) async fn choose(servers: &[PgConnectOptions]) -> Result<usize, StoreError> {
    let mut said = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        match open(server).await {
            Ok(connection) => {
                let _ = connection.close().await;
                return Ok(number);
            }
            Err(problem) if servers.len() == 1 => return Err(problem),
            Err(problem) => said.push(format!("{}:{}: {problem}", server.get_host(), server.get_port())),
        }
    }
    Err(StoreError::NoServer(said.join("; ")))
}

/// A connection to this server, if it takes writes.
async fn open(server: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let opening = async {
        let mut connection = PgConnection::connect_with(server).await?;
        if takes_writes(&mut connection).await? {
            return Ok(connection);
        }
        Err(StoreError::NoServer("it takes no writes".into()))
    };
    tokio::time::timeout(ANSWER_WITHIN, opening)
        .await
        .unwrap_or_else(|_| Err(StoreError::NoServer("it does not answer".into())))
}

/// Turns all pools to whichever server takes writes, until they are closed.
pub(super) async fn follow(servers: Vec<[PgConnectOptions; 3]>, pools: [PgPool; 3], turned: Arc<Turned>) {
    let mut used = 0;
    let plain: Vec<_> = servers.iter().map(|[options, ..]| options.clone()).collect();
    while !pools[0].is_closed() {
        tokio::select! {
            () = pools[0].close_event() => return,
            () = while_it_takes_writes(&plain[used]) => {}
        }
        match choose(&plain).await {
            Ok(found) if found != used => {
                info!(server = %plain[found].get_host(), port = plain[found].get_port(), "turning to another database server");
                used = found;
                for (pool, options) in pools.iter().zip(&servers[used]) {
                    pool.set_connect_options(options.clone());
                }
                turned.now();
            }
            Ok(_) => {}
            Err(problem) => {
                warn!(%problem, "the database is out of reach");
                let _ = tokio::time::timeout(ASK_EVERY, pools[0].close_event()).await;
            }
        }
    }
}

/// Returns when this server does not answer any more, or takes no writes.
async fn while_it_takes_writes(server: &PgConnectOptions) {
    let Ok(mut connection) = open(server).await else { return };
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let asked = tokio::time::timeout(ANSWER_WITHIN, takes_writes(&mut connection)).await;
        if !matches!(asked, Ok(Ok(true))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Vec<(String, u16)> {
        let servers = parse(url).expect("a URL");
        servers.iter().map(|server| (server.get_host().to_owned(), server.get_port())).collect()
    }

    #[test]
    fn each_host_of_a_list_is_a_server_with_all_else_alike() {
        let url = "postgres://stint:p%40ss@db1:5433,db2:5434,db3/stint?sslmode=require";
        let expected = [("db1", 5433), ("db2", 5434), ("db3", 5432)];
        assert_eq!(read(url), expected.map(|(host, port)| (host.to_owned(), port)));
        for server in parse(url).expect("a URL") {
            assert_eq!((server.get_username(), server.get_database()), ("stint", Some("stint")));
            assert!(matches!(server.get_ssl_mode(), sqlx::postgres::PgSslMode::Require));
        }
    }

    #[test]
    fn one_host_is_one_server() {
        assert_eq!(read("postgres://stint@db:5433/a,b"), [("db".to_owned(), 5433)]);
        assert_eq!(read("postgres:///stint?host=/run/a,b&port=5433").len(), 1);
    }

    #[test]
    fn only_a_server_that_takes_writes_can_be_asked_for() {
        assert_eq!(read("postgres://a,b/stint?target_session_attrs=read-write&sslmode=disable").len(), 2);
        assert_eq!(read("postgres://a/stint?target_session_attrs=primary").len(), 1);
        for other in ["any", "read-only", "prefer-standby", ""] {
            assert!(parse(&format!("postgres://a,b/stint?target_session_attrs={other}")).is_err(), "{other}");
        }
    }
}
