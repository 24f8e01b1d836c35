//! What a browser must be told before a page of another origin may read an answer.

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::super::wire::{empty, header_text, set_header};

/// The answer, readable by the page that asked.
pub(super) fn allowed(mut answer: Response<Bytes>, asked: &HeaderMap) -> Response<Bytes> {
    if let Some(origin) = header_text(asked, "origin") {
        set_header(&mut answer, "access-control-allow-origin", origin);
        set_header(&mut answer, "vary", "Origin");
    }
    answer
}

/// Whether a page may send more than a plain form.
pub(super) fn preflight(asked: &HeaderMap) -> Response<Bytes> {
    let mut answer = allowed(empty(200), asked);
    set_header(&mut answer, "access-control-allow-methods", "POST, OPTIONS");
    set_header(&mut answer, "access-control-allow-headers", "content-type");
    answer
}
