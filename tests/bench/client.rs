//! A small HTTP client that costs little: one connection, whole answers or a count of their bytes.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

/// One connection to a server.
pub struct Client {
    stream: BufReader<TcpStream>,
    head: String,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
    /// From the request to the body's end, in microseconds.
    pub micros: f64,
}

impl Client {
    /// Connects; these header lines go with every request.
    pub fn new(address: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let head = format!("HTTP/1.1\r\nhost: {address}\r\n{headers}");
        Self { stream: BufReader::with_capacity(256 * 1024, stream), head }
    }

    /// GETs a path.
    pub fn get(&mut self, path: &str) -> Answer {
        let request = format!("GET {path} {}\r\n", self.head);
        self.exchange(request.as_bytes())
    }

    /// POSTs a body with header lines of its own.
    pub fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut request =
            format!("POST {path} {}{headers}content-length: {}\r\n\r\n", self.head, body.len()).into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request)
    }

    fn exchange(&mut self, request: &[u8]) -> Answer {
        let began = Instant::now();
        let (status, length) = self.ask(request);
        let mut body = vec![0; length.expect("a length")];
        self.stream.read_exact(&mut body).expect("a body");
        Answer { status, body, micros: began.elapsed().as_secs_f64() * 1e6 }
    }

    /// Sends a request and reads the answer's head: its status, and its length where it tells.
    fn ask(&mut self, request: &[u8]) -> (u16, Option<usize>) {
        self.stream.get_mut().write_all(request).expect("sent");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(':') else { return (status, length) };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
    }

    /// GETs a path whose answer comes in chunks; gives how many lines it has, and its last kilobytes. What is read is not kept.
    pub fn count_lines(&mut self, path: &str) -> (usize, Vec<u8>) {
        let request = format!("GET {path} {}\r\n", self.head);
        let (status, length) = self.ask(request.as_bytes());
        assert_eq!((status, length), (200, None), "an export in chunks");
        let (mut lines, mut tail, mut chunk) = (0, Vec::new(), Vec::new());
        while self.chunk(&mut chunk) {
            lines += memchr_count(&chunk);
            if tail.len() > 64 * 1024 {
                tail.clear();
            }
            tail.extend_from_slice(&chunk[chunk.len().saturating_sub(16 * 1024)..]);
        }
        (lines, tail)
    }

    fn chunk(&mut self, into: &mut Vec<u8>) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the size of a chunk");
        let size = usize::from_str_radix(line.trim(), 16).expect("a size in hexadecimal");
        into.resize(size + 2, 0);
        self.stream.read_exact(into).expect("a chunk");
        into.truncate(size);
        size > 0
    }
}

fn memchr_count(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(*byte == b'\n')).sum()
}
