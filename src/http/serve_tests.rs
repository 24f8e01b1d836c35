//! Slow, greedy and endless callers, over real sockets.

use axum::{extract::State, response::IntoResponse as _, routing::post};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn short() -> Limits {
    Limits {
        connections: 2,
        header_time: Duration::from_millis(150),
        body_time: Duration::from_millis(150),
        body_bytes: 1000,
        grace: Duration::from_millis(300),
        ..Limits::default()
    }
}

async fn echo(State(limits): State<Limits>, body: Body) -> axum::response::Response {
    match read_body(body, &limits).await {
        Ok(bytes) => bytes.into_response(),
        Err(BodyFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(BodyFault::TooSlow) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(BodyFault::Broken) => StatusCode::BAD_REQUEST.into_response(),
    }
}

struct Host {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn host(limits: Limits) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let app = Router::new().route("/", post(echo)).with_state(limits);
    let ended = tokio::spawn(serve(listener, app, limits, stop.clone()));
    Host { address, stop, ended }
}

/// Writes these bytes, then reads until the server closes the connection.
async fn answer_to(host: &Host, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(host.address).await.expect("a connection");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post_of(length: usize, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn headers_that_do_not_arrive_in_time_cut_the_connection() {
    let host = host(short()).await;
    let answer = answer_to(&host, b"POST / HTTP/1.1\r\nhost: x\r\nslow").await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let silent = answer_to(&host, b"").await;
    assert!(!silent.contains(" 200 "), "{silent}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_refused() {
    let host = host(short()).await;
    assert!(answer_to(&host, &post_of(10, "abc")).await.contains(" 408 "));
}

#[tokio::test]
async fn a_body_is_as_long_as_it_is_whatever_it_promises() {
    let host = host(short()).await;
    assert!(answer_to(&host, &post_of(1001, &"x".repeat(1001))).await.contains(" 413 "));
    assert!(answer_to(&host, &post_of(1000, &"x".repeat(1000))).await.contains(" 200 "));
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = format!("{head}400\r\n{}\r\n0\r\n\r\n", "x".repeat(1024));
    assert!(answer_to(&host, chunked.as_bytes()).await.contains(" 413 "));
}

#[tokio::test]
async fn more_connections_than_places_wait_and_are_served_when_a_place_is_free() {
    let host = host(short()).await;
    let idle = [TcpStream::connect(host.address).await, TcpStream::connect(host.address).await];
    // Both places are taken by callers who say nothing; their header time frees them.
    assert!(answer_to(&host, &post_of(3, "abc")).await.contains(" 200 "));
    drop(idle);
}

#[tokio::test]
async fn told_to_stop_it_ends_although_a_caller_stays() {
    let host = host(Limits { header_time: Duration::from_secs(60), ..short() }).await;
    let mut stays = TcpStream::connect(host.address).await.expect("a connection");
    stays.write_all(b"POST / HTTP/1.1\r\n").await.expect("sent");
    assert!(answer_to(&host, &post_of(3, "abc")).await.contains(" 200 "));
    host.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), host.ended).await.expect("in time").expect("no panic");
    assert!(TcpStream::connect(host.address).await.is_err());
}
