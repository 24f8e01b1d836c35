//! The places that connections have, and whose turn it is to leave when all are taken.
//!
//! A connection either waits for its caller (for a request's head, for its body, for the answer to be read) or has stint at
//! work for it. Whoever is worked for keeps the place. Of those who keep stint waiting, the one that does so longest loses
//! it to a newcomer, whatever its timers would still allow: an honest caller needs milliseconds, so it is never the one
//! unless everybody is honest. There is no count by address, since all callers may come through one proxy.
//!
//! Memory for bodies is given and taken away alike: when unfinished bodies hold too much of it together, whoever has kept
//! stint waiting longest for one of the larger ones goes.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// A body that is no longer than this is nobody's trouble.
const SMALL: usize = 64 * 1024;

/// All places of a listener.
pub(super) struct Places {
    limit: usize,
    /// Bytes that unfinished bodies may hold together.
    bytes: usize,
    taken: Mutex<Taken>,
    /// Something may have become possible: somebody left, or waits now.
    changed: Notify,
}

/// Who has one, in the order in which they came.
#[derive(Default)]
struct Taken {
    by: BTreeMap<u64, Arc<Standing>>,
    next: u64,
}

/// The place of one connection, held by everything that belongs to it.
pub(super) struct Place {
    number: u64,
    standing: Arc<Standing>,
    places: Arc<Places>,
}

/// How a connection stands.
struct Standing {
    now: Mutex<Now>,
    lost: CancellationToken,
}

struct Now {
    /// Since when a request, or the rest of it, is waited for; `None` while stint is at work.
    asked: Option<Instant>,
    /// Since when no more of an answer can be sent; `None` while it can.
    told: Option<Instant>,
    /// Bytes of the request's body that are there.
    bytes: usize,
}

impl Places {
    /// So many, one at least, whose unfinished bodies hold so many bytes together.
    pub(super) fn new(limit: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit: limit.max(1), bytes, taken: Mutex::default(), changed: Notify::new() })
    }

    /// A place: a free one, or that of whoever keeps stint waiting longest. Waits only while stint is at work for all. Not
    /// for more than one newcomer at a time.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Place> {
        loop {
            if let Some(place) = self.free() {
                return place;
            }
            self.send_one_away();
            self.changed.notified().await;
        }
    }

    fn free(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut taken = locked(&self.taken);
        if taken.by.len() >= self.limit {
            return None;
        }
        let now = Now { asked: Some(Instant::now()), told: None, bytes: 0 };
        let standing = Arc::new(Standing { now: Mutex::new(now), lost: CancellationToken::new() });
        let number = taken.next;
        taken.next += 1;
        taken.by.insert(number, Arc::clone(&standing));
        Some(Arc::new(Place { number, standing, places: Arc::clone(self) }))
    }

    fn send_one_away(&self) {
        let taken = locked(&self.taken);
        if taken.by.values().any(|standing| standing.lost.is_cancelled()) {
            // Its place is as good as free.
            return;
        }
        longest_waiting(taken.by.values());
    }

    /// Makes room when unfinished bodies hold too much.
    fn make_room(&self) {
        let taken = locked(&self.taken);
        let staying = || taken.by.values().filter(|standing| !standing.lost.is_cancelled());
        let held: usize = staying().map(|standing| locked(&standing.now).unfinished()).sum();
        if held > self.bytes {
            longest_waiting(staying().filter(|standing| locked(&standing.now).unfinished() > SMALL));
        }
    }
}

/// Takes the place away from whoever of these has kept stint waiting longest.
fn longest_waiting<'a>(among: impl Iterator<Item = &'a Arc<Standing>>) {
    let waiting = among.filter_map(|standing| Some((standing.waits_since()?, standing)));
    if let Some((_, standing)) = waiting.min_by_key(|(since, _)| *since) {
        standing.lose();
    }
}

impl Now {
    fn unfinished(&self) -> usize {
        if self.asked.is_some() { self.bytes } else { 0 }
    }
}

impl Standing {
    fn waits_since(&self) -> Option<Instant> {
        let now = locked(&self.now);
        now.asked.into_iter().chain(now.told).min()
    }

    /// Ends the connection, unless stint has just gone to work for it.
    fn lose(&self) {
        let now = locked(&self.now);
        if now.asked.is_some() || now.told.is_some() {
            self.lost.cancel();
        }
    }
}

impl Place {
    /// Returns once the place belongs to another.
    pub(super) async fn lost(&self) {
        self.standing.lost.cancelled().await;
    }

    /// From here on the caller's next request is waited for.
    fn waits_for_a_request(&self) {
        let mut now = locked(&self.standing.now);
        now.asked.get_or_insert_with(Instant::now);
        now.bytes = 0;
        drop(now);
        self.places.changed.notify_one();
    }

    /// So much more of the body is there.
    fn takes(&self, bytes: usize) {
        let mut now = locked(&self.standing.now);
        now.bytes += bytes;
        let is_large = now.bytes > SMALL;
        drop(now);
        if is_large {
            self.places.make_room();
        }
    }

    /// The caller has sent all it had to. False when the place is lost: then nothing may be begun.
    fn is_at_work(&self) -> bool {
        locked(&self.standing.now).asked = None;
        !self.standing.lost.is_cancelled()
    }

    /// From here on the caller must read before more can be sent.
    pub(super) fn cannot_send(&self) {
        locked(&self.standing.now).told.get_or_insert_with(Instant::now);
        self.places.changed.notify_one();
    }

    /// More could be sent.
    pub(super) fn can_send(&self) {
        locked(&self.standing.now).told = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.places.taken).by.remove(&self.number);
        self.places.changed.notify_one();
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request's body. Once all of it is there, stint is at work.
pub(super) struct Asked {
    body: Incoming,
    place: Arc<Place>,
}

impl Asked {
    /// Of a request whose head is there.
    pub(super) fn new(body: Incoming, place: Arc<Place>) -> Self {
        if body.is_end_stream() {
            place.is_at_work();
        }
        Self { body, place }
    }
}

impl hyper::body::Body for Asked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { body, place } = self.get_mut();
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        let is_whole = frame.is_none() || body.is_end_stream();
        if is_whole && !place.is_at_work() {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        place.takes(data.map_or(0, Bytes::len));
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body. Once it is sent, or given up, the caller's next request is waited for.
pub(super) struct Told {
    body: Body,
    place: Arc<Place>,
}

impl Told {
    /// Of an answer that is ready to be sent, whether or not all of the request was read.
    pub(super) fn new(body: Body, place: Arc<Place>) -> Self {
        place.is_at_work();
        Self { body, place }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.place.waits_for_a_request();
    }
}

impl hyper::body::Body for Told {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
