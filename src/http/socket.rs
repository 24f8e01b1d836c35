//! A caller's socket that does not wait for ever until the caller reads.
//!
//! hyper sets no timer on writing, so a caller who asks for a long answer and never reads it would keep a connection,
//! and whatever the answer is read from, for as long as it likes.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::places::Place;

/// A stream whose writes fail once none has passed for a while.
pub(super) struct Socket {
    stream: TcpStream,
    write_time: Duration,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    place: Arc<Place>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, write_time: Duration, place: Arc<Place>) -> Self {
        Self { stream, write_time, deadline: None, place }
    }

    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.deadline.take().is_some() {
                self.place.can_send();
            }
            return written;
        }
        let (write_time, place) = (self.write_time, &self.place);
        let deadline = self.deadline.get_or_insert_with(|| {
            place.cannot_send();
            Box::pin(sleep_until(Instant::now() + write_time))
        });
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let written = Pin::new(&mut socket.stream).poll_write(cx, bytes);
        socket.in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let written = Pin::new(&mut socket.stream).poll_write_vectored(cx, parts);
        socket.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
