//! Faults are put into a queue and consumed by the next calls they match.

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;

use super::wire::{http_date, plus_seconds, set_header, signed};

/// How a 429 says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// `Retry-After` in seconds.
    Seconds(u64),
    /// `Retry-After: 0`.
    Zero,
    /// `Retry-After` as an HTTP date, this many seconds after the sandbox's now.
    HttpDate(u64),
    /// No `Retry-After` at all.
    Absent,
}

impl Retry {
    pub(super) fn write(self, response: &mut Response<Bytes>, now: Timestamp) {
        match self {
            Self::Seconds(seconds) => set_header(response, "retry-after", &seconds.to_string()),
            Self::Zero => set_header(response, "retry-after", "0"),
            Self::HttpDate(ahead) => {
                set_header(response, "retry-after", &http_date(plus_seconds(now, signed(ahead))));
            }
            Self::Absent => {}
        }
    }
}

/// Faults waiting for their calls, oldest first.
pub(super) struct Queue<On, Kind>(Vec<(On, Kind, usize)>);

impl<On, Kind> Default for Queue<On, Kind> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<On: Copy, Kind: Clone> Queue<On, Kind> {
    pub(super) fn push(&mut self, on: On, kind: Kind, times: usize) {
        if times > 0 {
            self.0.push((on, kind, times));
        }
    }

    /// The oldest fault that matches, used up by one.
    pub(super) fn take(&mut self, matches: impl Fn(On) -> bool) -> Option<Kind> {
        let index = self.0.iter().position(|(on, _, _)| matches(*on))?;
        let (_, kind, times) = &mut self.0[index];
        let kind = kind.clone();
        *times -= 1;
        if *times == 0 {
            self.0.remove(index);
        }
        Some(kind)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.iter().map(|(_, _, times)| times).sum()
    }
}

/// What every simulator offers alike: faults that strike its next calls, and the calls it was asked.
macro_rules! faults_and_calls {
    ($system:ident, $fault:ident) => {
        impl $system {
            /// Queues a fault.
            pub fn fault(&self, fault: $fault) {
                lock(&self.state).faults.push(fault.on, fault.kind, fault.times);
            }

            /// Forgets the faults that have not struck.
            pub fn clear_faults(&self) {
                lock(&self.state).faults.clear();
            }

            /// How many faults have not struck.
            #[must_use]
            pub fn faults_waiting(&self) -> usize {
                lock(&self.state).faults.waiting()
            }

            /// The last ten thousand HTTP calls, oldest first.
            #[must_use]
            pub fn calls(&self) -> Vec<super::super::Call> {
                lock(&self.state).calls.all()
            }
        }
    };
}
pub(super) use faults_and_calls;
