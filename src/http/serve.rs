//! The connection loop: bounded connections, headers and bodies, each with a deadline.
//!
//! `axum::serve` sets no timer at all, so a slow client could hold a connection for ever; this loop gives hyper its
//! timers and takes a new connection only when one of a fixed number of places is free.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::socket::Socket;

/// The smallest head that hyper agrees to.
const MIN_HEADER_BYTES: usize = 8192;

/// What callers may send, and how slowly.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at a time; further ones wait unaccepted.
    pub connections: usize,
    /// From the opening of a connection, or the end of the previous request, to the end of a request's head. An idle
    /// connection is closed after the same time.
    pub header_time: Duration,
    /// Bytes of a request's head, 8192 at least; 100 headers at most, whatever stands here.
    pub header_bytes: usize,
    /// From the first look at a body to its end.
    pub body_time: Duration,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// How long a caller may go without reading any of its answer.
    pub write_time: Duration,
    /// What is under way when told to stop may take this long.
    pub grace: Duration,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// Longer than allowed, whatever its headers said.
    TooLarge,
    /// Not all there in time.
    TooSlow,
    /// Broken off.
    Broken,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_time: Duration::from_secs(10),
            header_bytes: 32 * 1024,
            body_time: Duration::from_secs(15),
            body_bytes: 1024 * 1024,
            write_time: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves until told to stop, then lets what is under way finish; what does not finish in time is cut.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    while let Some((stream, place)) = accept(&listener, &places, &stop).await {
        // Ended ones are let go of here, so that their number stays that of the places.
        while open.try_join_next().is_some() {}
        let socket = TokioIo::new(Socket::new(stream, limits.write_time));
        let service = TowerToHyperService::new(app.clone());
        let connection = graceful.watch(builder(&limits).serve_connection(socket, service));
        open.spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
        warn!("some connections did not end in time and are cut");
    }
    open.shutdown().await;
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes.max(MIN_HEADER_BYTES));
    builder
}

/// The next connection once there is a place for it; `None` when told to stop.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = tokio::select! {
        () = stop.cancelled() => return None,
        place = Arc::clone(places).acquire_owned() => place.ok()?,
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Answers are small; waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                return Some((stream, place));
            }
            Err(error) if is_of_one_caller(&error) => debug!(%error, "a caller left before it was accepted"),
            Err(error) => {
                // Out of file descriptors, most likely: accepting again at once would spin.
                warn!(%error, "no connection can be accepted");
                let _ = tokio::time::timeout(Duration::from_millis(200), stop.cancelled()).await;
            }
        }
    }
}

/// Whether an accept failed for the one caller only, so that the next need not wait.
fn is_of_one_caller(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Reads a whole body within size and time, whatever its headers promise.
///
/// # Errors
/// [`BodyFault`].
pub async fn read_body(body: Body, limits: &Limits) -> Result<Bytes, BodyFault> {
    tokio::time::timeout(limits.body_time, collect(body, limits.body_bytes)).await.unwrap_or(Err(BodyFault::TooSlow))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, BodyFault> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyFault::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(BodyFault::TooLarge);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
