//! A bounded memory of the HTTP calls a server received.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;

/// Older calls are forgotten.
const KEPT: usize = 10_000;

/// One HTTP call, refused ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// When it arrived.
    pub at: Timestamp,
    /// What was answered; 0 when nothing was.
    pub status: u16,
}

/// The last calls, oldest first.
#[derive(Default)]
pub(super) struct Calls(VecDeque<Call>);

impl Calls {
    pub(super) fn record(&mut self, request: &Request<Bytes>, at: Timestamp, status: u16) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        self.0.push_back(Call { method: request.method().to_string(), path, at, status });
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.0.iter().cloned().collect()
    }
}
