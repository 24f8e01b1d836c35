//! The whole log as lines, read from the database part by part: however long it is, and however slowly it is taken, only
//! one part is in memory, and no transaction is open meanwhile.

use std::{io, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use jiff::Timestamp;
use serde_json::json;
use tracing::error;

use super::super::{
    Api,
    caller::{Admitted, Read, Sees},
    error::Problem,
};
use crate::domain::proof::Closing;

/// So many events are read at a time.
const PART: u64 = 500;

/// What of the log was given out so far.
struct Way {
    api: Arc<Api>,
    by: String,
    at: Timestamp,
    next: u64,
    size: u64,
    count: u64,
    digest: Context,
    closed: bool,
}

/// Gives out the whole log, as it is sealed now.
pub(super) async fn stream(api: Arc<Api>, by: Admitted, whole: bool) -> Result<Response, Problem> {
    if !whole {
        return Err(Problem::bad_request("format=ndjson gives out the whole log, without filters and after"));
    }
    if by.sees != Sees::Everything {
        return Err(Problem::forbidden("the whole log is for those who see all tenants; read it by pages"));
    }
    // Taken first: everything that happened until then is in the file.
    let at = api.clock.now();
    api.seal_now(at).await?;
    let size = api.store.tree_size().await.map_err(Problem::from_store)?;
    api.note_reading(&by, Read { what: "audit-log", request: None, filter: json!({}), count: size }).await?;
    let (by, digest) = (by.actor().to_string(), Context::new(&SHA256));
    let way = Way { api, by, at, next: 0, size, count: 0, digest, closed: false };
    let parts = stream::try_unfold(way, Way::part);
    let kind = "application/x-ndjson";
    let file = "attachment; filename=\"audit-events.ndjson\"";
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)], Body::from_stream(parts)).into_response())
}

impl Way {
    /// The next part. A failure cuts the answer off in front of its closing line.
    async fn part(self) -> io::Result<Option<(Bytes, Self)>> {
        match self.next_part().await {
            Ok(part) => Ok(part),
            Err(problem) => {
                error!(problem, "a download of the audit log broke off");
                Err(io::Error::other("the log cannot be read on"))
            }
        }
    }

    async fn next_part(mut self) -> Result<Option<(Bytes, Self)>, String> {
        if self.closed {
            return Ok(None);
        }
        if self.next >= self.size {
            self.closed = true;
            let line = self.closing()?.ndjson_line();
            return Ok(Some((line.into(), self)));
        }
        let until = self.size.min(self.next + PART);
        let events = self.api.store.log_between(self.next, until).await.map_err(|error| error.to_string())?;
        let mut lines = Vec::with_capacity(events.len() * 512);
        for event in &events {
            serde_json::to_writer(&mut lines, event).map_err(|error| error.to_string())?;
            lines.push(b'\n');
        }
        self.digest.update(&lines);
        self.count += events.len() as u64;
        self.next = until;
        Ok(Some((lines.into(), self)))
    }

    fn closing(&self) -> Result<Closing, String> {
        let closing = Closing {
            format: "ndjson".into(),
            what: "audit-events".into(),
            filter: json!({}),
            from: None,
            to: None,
            count: self.count,
            sha256: hex::encode(self.digest.clone().finish()),
            at: self.at,
            by: self.by.clone(),
            note: None,
        };
        match self.api.sealer.key() {
            None => Ok(closing),
            Some(key) => closing.signed(key).map_err(|error| error.to_string()),
        }
    }
}
