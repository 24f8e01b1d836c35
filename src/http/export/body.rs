//! A body written by a task: it ends only when the task says so, and is cut in every other case.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

/// Chunks that may wait to be read.
const WAITING: usize = 2;

/// Where the task puts what it writes.
pub(super) struct Outlet {
    chunks: mpsc::Sender<Bytes>,
    end: mpsc::Sender<()>,
}

/// Nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unread;

struct Inlet {
    chunks: mpsc::Receiver<Bytes>,
    end: mpsc::Receiver<()>,
}

/// A body and where it is written.
pub(super) fn channel() -> (Outlet, Body) {
    let (chunks, chunks_in) = mpsc::channel(WAITING);
    let (end, end_in) = mpsc::channel(1);
    let inlet = Inlet { chunks: chunks_in, end: end_in };
    (Outlet { chunks, end }, Body::from_stream(stream::try_unfold(inlet, next)))
}

/// The next chunk. A task that is gone without having said that this was all, by whatever way, has broken off.
async fn next(mut inlet: Inlet) -> io::Result<Option<(Bytes, Inlet)>> {
    if let Some(chunk) = inlet.chunks.recv().await {
        return Ok(Some((chunk, inlet)));
    }
    inlet.end.try_recv().map(|()| None).map_err(|_| io::Error::other("the export broke off"))
}

impl Outlet {
    /// Where chunks go.
    pub(super) fn chunks(&self) -> &mpsc::Sender<Bytes> {
        &self.chunks
    }

    /// Sends what is there, if anything.
    ///
    /// # Errors
    /// [`Unread`].
    pub(super) async fn send(&self, chunk: Bytes) -> Result<(), Unread> {
        if chunk.is_empty() { Ok(()) } else { self.chunks.send(chunk).await.map_err(|_| Unread) }
    }

    /// Works for as long as somebody reads; `None` when nobody does any more.
    pub(super) async fn while_read<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.chunks.closed() => None,
            done = work => Some(done),
        }
    }

    /// The body is whole.
    pub(super) async fn end(self) {
        let _ = self.end.send(()).await;
    }

    /// The body breaks off here.
    pub(super) fn cut(self) {
        drop(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_ends_only_when_its_task_says_so() {
        let (outlet, body) = channel();
        outlet.send("whole".into()).await.expect("read");
        outlet.end().await;
        assert_eq!(axum::body::to_bytes(body, 100).await.expect("whole"), "whole");
    }

    #[tokio::test]
    async fn a_task_that_breaks_off_or_panics_cuts_the_body() {
        let (outlet, body) = channel();
        outlet.send("a part".into()).await.expect("read");
        outlet.cut();
        axum::body::to_bytes(body, 100).await.expect_err("cut");
        let (outlet, body) = channel();
        let task = tokio::spawn(async move {
            outlet.send("a part".into()).await.expect("read");
            panic!("oh");
        });
        task.await.expect_err("panicked");
        axum::body::to_bytes(body, 100).await.expect_err("cut");
    }

    #[tokio::test]
    async fn work_stops_when_nobody_reads_any_more() {
        let (outlet, body) = channel();
        drop(body);
        assert_eq!(outlet.while_read(std::future::pending::<()>()).await, None);
    }
}
