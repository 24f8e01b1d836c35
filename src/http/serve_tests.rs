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
        write_time: Duration::from_millis(150),
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

/// Nobody is sent away by a timer.
fn patient() -> Limits {
    let long = Duration::from_mins(5);
    Limits { header_time: long, body_time: long, write_time: long, ..short() }
}

/// What is answered at all is answered without a timer's help.
async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), wanted).await.expect("nobody has to wait for a timer")
}

async fn connected(host: &Host, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(host.address).await.expect("a connection");
    stream.write_all(bytes).await.expect("sent");
    stream
}

#[tokio::test]
async fn a_crowd_of_callers_who_keep_stint_waiting_delays_nobody() {
    let head = b"POST / HTTP/1.1\r\nhost: x\r\n";
    let half = post_of(1000, "a part");
    let answered = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    for begun in [&b""[..], head, &half, answered] {
        let host = host(patient()).await;
        let mut crowd = Vec::new();
        for _ in 0..8 {
            crowd.push(connected(&host, begun).await);
            let answer = soon(answer_to(&host, &post_of(3, "abc"))).await;
            assert!(answer.contains(" 200 "), "{:?}: {answer}", begun.escape_ascii().to_string());
        }
    }
}

#[tokio::test]
async fn unfinished_bodies_hold_no_more_memory_than_they_may() {
    let (large, held) = (100_000, 250_000);
    let limits = Limits { connections: 20, body_bytes: 200_000, bodies_bytes: held, ..patient() };
    let host = host(limits).await;
    let part = "x".repeat(large);
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.push(connected(&host, &post_of(large + 1, &part)).await);
        // A small one is nobody's trouble, and a large one that comes at once is answered.
        assert!(soon(answer_to(&host, &post_of(3, "abc"))).await.contains(" 200 "));
        assert!(soon(answer_to(&host, &post_of(large, &part))).await.contains(" 200 "));
    }
    let mut lost = 0;
    for mut stream in crowd {
        // What is there to read is the end; who is still waited for gets the answer now.
        let _ = stream.write_all(b"x").await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        lost += usize::from(answer.is_empty());
    }
    assert!(lost >= 10 - held / large, "{lost} lost their places");
}

#[tokio::test]
async fn who_keeps_stint_waiting_longest_goes_first() {
    let host = host(patient()).await;
    let mut first = connected(&host, b"POST / HTTP/1.1\r\n").await;
    let mut second = connected(&host, b"POST / HTTP/1.1\r\n").await;
    assert!(soon(answer_to(&host, &post_of(3, "abc"))).await.contains(" 200 "));
    assert!(matches!(soon(first.read(&mut [0; 1])).await, Ok(0) | Err(_)), "the first one is gone");
    second.write_all(b"host: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc").await.expect("sent");
    let mut answer = String::new();
    soon(second.read_to_string(&mut answer)).await.expect("the second one is still there");
    assert!(answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn whom_stint_works_for_keeps_the_place_and_the_next_one_waits() {
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let (held, limits) = (Arc::clone(&go_on), patient());
    let work = async move |body: Body| {
        read_body(body, &limits).await.expect("a body");
        let _ = begun.send(());
        held.acquire().await.expect("open").forget();
        "done"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let app = Router::new().route("/", post(work));
    let host = Host { address, stop: stop.clone(), ended: tokio::spawn(serve(listener, app, limits, stop)) };
    let mut callers = Vec::new();
    for _ in 0..2 {
        callers.push(connected(&host, &post_of(3, "abc")).await);
        soon(begins.recv()).await.expect("at work");
    }
    callers.push(connected(&host, &post_of(3, "abc")).await);
    go_on.add_permits(3);
    for mut caller in callers {
        let mut answer = String::new();
        soon(caller.read_to_string(&mut answer)).await.expect("an orderly end");
        assert!(answer.contains(" 200 ") && answer.ends_with("done"), "{answer}");
    }
}

#[tokio::test]
async fn a_crowd_that_does_not_read_its_answers_delays_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new()
        .route("/", post(async || "short"))
        // More than the buffers of both sockets take.
        .route("/long", post(async || vec![0u8; 64 * 1024 * 1024]));
    let stop = CancellationToken::new();
    let host = Host { address, stop: stop.clone(), ended: tokio::spawn(serve(listener, app, patient(), stop)) };
    let mut deaf = Vec::new();
    for _ in 0..4 {
        deaf.push(connected(&host, b"POST /long HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await);
        assert!(soon(answer_to(&host, &post_of(0, ""))).await.contains(" 200 "));
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_and_closed_when_none_comes() {
    let host = host(short()).await;
    let mut stream = TcpStream::connect(host.address).await.expect("a connection");
    let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc".repeat(2);
    stream.write_all(&request).await.expect("sent");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.expect("an orderly end");
    assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
}

#[tokio::test]
async fn a_head_is_bounded_in_bytes_and_in_headers() {
    let host = host(Limits { header_bytes: 8192, ..short() }).await;
    let long = format!("POST / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(9000));
    assert!(answer_to(&host, long.as_bytes()).await.contains(" 431 "));
    let many = format!("POST / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(100));
    assert!(answer_to(&host, many.as_bytes()).await.contains(" 431 "));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_from_a_slow_one() {
    let stop = CancellationToken::new();
    let (faults, mut fault) = tokio::sync::mpsc::unbounded_channel();
    let app = Router::new().route(
        "/",
        post(async move |body: Body| {
            let patient = Limits { body_time: Duration::from_mins(1), ..short() };
            let _ = faults.send(read_body(body, &patient).await);
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, app, short(), stop.clone()));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(&post_of(10, "abc")).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    assert_eq!(fault.recv().await, Some(Err(BodyFault::Broken)));
}

#[tokio::test]
async fn a_caller_who_does_not_read_its_answer_loses_its_place() {
    let limits = Limits { connections: 1, ..short() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    // More than the buffers of both sockets take.
    let app = Router::new().route("/", post(async || vec![0u8; 64 * 1024 * 1024]));
    let stop = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, app, limits, stop.clone()));
    let mut deaf = TcpStream::connect(address).await.expect("a connection");
    deaf.write_all(&post_of(0, "")).await.expect("sent");
    let mut next = TcpStream::connect(address).await.expect("a connection");
    next.write_all(&post_of(0, "")).await.expect("sent");
    let mut head = [0; 12];
    next.read_exact(&mut head).await.expect("an answer, once the place is free");
    assert_eq!(&head, b"HTTP/1.1 200");
    stop.cancel();
    drop(ended);
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_is_under_way() {
    let host = host(Limits { grace: Duration::from_mins(1), body_time: Duration::from_mins(1), ..short() }).await;
    let mut stream = TcpStream::connect(host.address).await.expect("a connection");
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        .await
        .expect("sent");
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.expect("the handler asks for the body");
    host.stop.cancel();
    stream.write_all(b"abc").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an orderly end");
    assert!(answer.contains(" 200 ") && answer.ends_with("abc"), "{answer}");
    host.ended.await.expect("no panic");
}

#[tokio::test]
async fn told_to_stop_it_ends_although_a_caller_stays() {
    let host = host(Limits { header_time: Duration::from_mins(1), ..short() }).await;
    let mut stays = TcpStream::connect(host.address).await.expect("a connection");
    stays.write_all(b"POST / HTTP/1.1\r\n").await.expect("sent");
    assert!(answer_to(&host, &post_of(3, "abc")).await.contains(" 200 "));
    host.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), host.ended).await.expect("in time").expect("no panic");
    assert!(TcpStream::connect(host.address).await.is_err());
    // Cut off rather than left behind; a reset is as good as an end.
    assert!(matches!(stays.read(&mut [0; 1]).await, Ok(0) | Err(_)));
}
