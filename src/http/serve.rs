//! The connection loop: bounded connections, headers and bodies, each with a deadline.
//!
//! `axum::serve` sets no timer at all, so a slow client could hold a connection for ever; this loop gives hyper its
//! timers and a fixed number of places. When all are taken, a new connection gets the place of the one whose caller has
//! kept stint waiting longest (`places.rs`): so a crowd of callers who say nothing, or say it slowly, delays nobody else.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    places::{Asked, Place, Places, Told},
    socket::Socket,
};

/// The smallest head that hyper agrees to.
const MIN_HEADER_BYTES: usize = 8192;

/// What callers may send, and how slowly.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at a time. A further one takes the place of the one whose caller has kept stint waiting longest,
    /// and waits itself only while stint is at work for all of them.
    pub connections: usize,
    /// From the opening of a connection, or the end of the previous request, to the end of a request's head. An idle
    /// connection is closed after the same time.
    pub header_time: Duration,
    /// Bytes of a request's head, 8192 at least; what arrives at once may be up to twice as long. 100 headers at most,
    /// whatever stands here.
    pub header_bytes: usize,
    /// From the first look at a body to its end.
    pub body_time: Duration,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Bytes of all unfinished bodies together. Beyond them the caller whose larger body has been waited for longest loses
    /// its connection.
    pub bodies_bytes: usize,
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
            bodies_bytes: 32 * 1024 * 1024,
            write_time: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves until told to stop, then lets what is under way finish; what does not finish in time is cut.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: CancellationToken) {
    let app = TowerToHyperService::new(app);
    let places = Places::new(limits.connections, limits.bodies_bytes);
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    while let Some((stream, place)) = next(&listener, &places, &stop).await {
        // Ended ones are let go of here, so that their number stays that of the places.
        while open.try_join_next().is_some() {}
        let socket = TokioIo::new(Socket::new(stream, limits.write_time, Arc::clone(&place)));
        let (answering, its) = (app.clone(), Arc::clone(&place));
        let service = service_fn(move |request| answered(answering.clone(), Arc::clone(&its), request));
        let connection = graceful.watch(builder(&limits).serve_connection(socket, service));
        open.spawn(async move {
            tokio::select! {
                biased;
                () = place.lost() => debug!("a connection lost its place to another"),
                ended = connection => if let Err(error) = ended {
                    debug!(%error, "a connection ended early");
                }
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
        warn!("some connections did not end in time and are cut");
    }
    open.shutdown().await;
}

/// Answers by the app, and tells the connection's place when its caller is waited for, and when not.
async fn answered(
    app: TowerToHyperService<Router>,
    place: Arc<Place>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if is_coded_otherwise(request.headers()) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Ok(response);
    }
    let request = request.map(|body| Body::new(Asked::new(body, Arc::clone(&place))));
    let response = app.call(request).await?;
    Ok(response.map(|body| Body::new(Told::new(body, place))))
}

/// Whether it is coded in any way but chunked alone. Whoever stands in front may have read it otherwise, and seen it end
/// elsewhere (RFC 9112 §6.1).
fn is_coded_otherwise(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first = codings.next();
    first.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) || codings.next().is_some()
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes.max(MIN_HEADER_BYTES));
    builder
}

/// The next connection, with a place; `None` when told to stop.
async fn next(
    listener: &TcpListener,
    places: &Arc<Places>,
    stop: &CancellationToken,
) -> Option<(TcpStream, Arc<Place>)> {
    let taken = async {
        let stream = accept(listener).await;
        (stream, places.take().await)
    };
    tokio::select! {
        () = stop.cancelled() => None,
        taken = taken => Some(taken),
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small; waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if is_of_one_caller(&error) => debug!(%error, "a caller left before it was accepted"),
            Err(error) => {
                // Out of file descriptors, most likely: accepting again at once would spin.
                warn!(%error, "no connection can be accepted");
                let _ = tokio::time::timeout(Duration::from_millis(200), std::future::pending::<()>()).await;
            }
        }
    }
}

/// Whether an accept failed for the one caller only, so that the next need not wait.
fn is_of_one_caller(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Reads a whole body within size and time. One whose headers promise too much is not waited for.
///
/// # Errors
/// [`BodyFault`].
pub async fn read_body(body: Body, limits: &Limits) -> Result<Bytes, BodyFault> {
    tokio::time::timeout(limits.body_time, collect(body, limits.body_bytes)).await.unwrap_or(Err(BodyFault::TooSlow))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, BodyFault> {
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyFault::TooLarge);
    }
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
