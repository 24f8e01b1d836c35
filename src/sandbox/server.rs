//! A loopback HTTP/1.1 server that can also misbehave.
//!
//! A handler is a plain function from request to [`Answer`]; it holds no lock across an await because it has none.
//! Apart from replying it may hang up without a word, break off in the middle of a body, or never answer. These
//! need the connection itself, which is why there is a loop of our own here and no framework.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::wire::{http_date, set_header};

/// What a handler decides about one request.
pub(super) enum Answer {
    /// Answer properly.
    Reply(Response<Bytes>),
    /// Announce the whole body, send half of it, close the connection.
    Truncate(Response<Bytes>),
    /// Close the connection without a single byte.
    HangUp,
    /// Keep the connection open and stay silent until the client goes away.
    Stall,
    /// Answer so, after so much real time; the guard is dropped when that is done or the client goes away.
    Held { answer: Box<Answer>, latency: Duration, until_answered: Box<dyn Send> },
}

impl Answer {
    /// The status line the client will see; 0 where it will see none.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Reply(response) | Self::Truncate(response) => response.status().as_u16(),
            Self::HangUp | Self::Stall => 0,
            Self::Held { answer, .. } => answer.status(),
        }
    }

    /// Dates the answer by the server's own clock.
    pub(super) fn date(&mut self, now: Timestamp) {
        match self {
            Self::Reply(response) | Self::Truncate(response) => set_header(response, "date", &http_date(now)),
            Self::Held { answer, .. } => answer.date(now),
            Self::HangUp | Self::Stall => {}
        }
    }
}

pub(super) type Handler = Arc<dyn Fn(&Request<Bytes>) -> Answer + Send + Sync>;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A bound port that does not serve yet, so that every server's URL is known before any of them starts.
pub(super) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Binds a loopback port; 0 means any free one.
    pub(super) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The origin, without a trailing slash.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts answering with `handler`.
    pub(super) fn serve(self, handler: Handler) -> Server {
        Server(tokio::spawn(accept(self.listener, handler)))
    }
}

/// A running server; it and all its connections end when this is dropped.
pub(super) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, handler: Handler) {
    // A dropped JoinSet aborts what it holds: no connection outlives its server.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, Arc::clone(&handler)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, handler: Handler) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, Arc::clone(&handler)));
    // An error here is a client that left or a fault that was asked for; neither is news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, handler: Handler) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    play(handler(&Request::from_parts(parts, body))).await
}

async fn play(answer: Answer) -> io::Result<Response<Body>> {
    match answer {
        Answer::Reply(response) => Ok(response.map(whole)),
        Answer::Truncate(response) => Ok(halved(response)),
        Answer::HangUp => Err(io::ErrorKind::ConnectionReset.into()),
        Answer::Stall => std::future::pending().await,
        Answer::Held { answer, latency, until_answered } => {
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            let response = Box::pin(play(*answer)).await;
            drop(until_answered);
            response
        }
    }
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn halved(mut response: Response<Bytes>) -> Response<Body> {
    let length = response.body().len();
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    response.map(|body| {
        let half = body.slice(..length / 2);
        StreamBody::new(stream::unfold(Some(half), |rest| async move {
            if let Some(bytes) = rest {
                return Some((Ok(Frame::data(bytes)), None));
            }
            // Pending once, so that the first half is flushed before the connection breaks.
            tokio::task::yield_now().await;
            Some((Err(io::ErrorKind::ConnectionReset.into()), None))
        }))
        .boxed_unsync()
    })
}
