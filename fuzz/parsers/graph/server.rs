//! A login service and a Graph on one port that answer what they are told, even if that is no HTTP. Each call has a
//! connection of its own.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{LazyLock, Mutex, PoisonError},
};

/// What is answered.
#[derive(Clone)]
pub enum Reply {
    /// A whole answer.
    Whole { status: u16, retry_after: String, body: Vec<u8> },
    /// These bytes, and no more.
    Raw(Vec<u8>),
}

pub struct Server {
    pub url: String,
    /// By what the path holds, the first that fits.
    replies: Mutex<Vec<(&'static str, Reply)>>,
}

pub static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    for _ in 0..4 {
        let listener = listener.try_clone().expect("a listener");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A caller who is gone gets no answer.
                let _ = stream.and_then(serve);
            }
        });
    }
    Server { url, replies: Mutex::default() }
});

impl Server {
    /// From here on these are the answers.
    pub fn answer(&self, replies: &[(&'static str, Reply)]) {
        *self.replies.lock().unwrap_or_else(PoisonError::into_inner) = replies.to_vec();
    }
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = Vec::new();
    while !is_whole(&asked) {
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => asked.extend_from_slice(&piece[..length]),
        }
    }
    stream.write_all(&answer_to(&asked))
}

/// Whether the head is there, and as much of a body as it promises.
fn is_whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .to_ascii_lowercase()
        .split("\r\ncontent-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next().and_then(|length| length.parse::<usize>().ok()));
    body.len() >= length.unwrap_or_default()
}

fn answer_to(asked: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(asked.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    if line.contains("/oauth2/v2.0/token") {
        let token = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"a.token.of-this-test"}"#;
        return whole(200, "", token.as_bytes());
    }
    let replies = SERVER.replies.lock().unwrap_or_else(PoisonError::into_inner);
    match replies.iter().find(|(path, _)| line.contains(path)) {
        Some((_, Reply::Whole { status, retry_after, body })) => whole(*status, retry_after, body),
        Some((_, Reply::Raw(bytes))) => bytes.clone(),
        None => whole(404, "", b"{}"),
    }
}

fn whole(status: u16, retry_after: &str, body: &[u8]) -> Vec<u8> {
    let retry_after = if retry_after.is_empty() { String::new() } else { format!("Retry-After: {retry_after}\r\n") };
    let has_body = !matches!(status, 204 | 304);
    let length = if has_body { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{length}{retry_after}\r\n");
    [head.as_bytes(), if has_body { body } else { b"" }].concat()
}
