//! When to look again. Every wait is in the row, so none is lost with a process.

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{duration::Duration, id::RequestId, request::Request},
    graph, tickets,
};

/// After an unclear outcome, and while an assignment comes into force: 2, 5, 10, 20, then every 40 seconds.
pub(super) fn next_look(now: Timestamp, looks: u32) -> Timestamp {
    now + SignedDuration::from_secs(pick(&[2, 5, 10, 20, 40], looks))
}

/// When a neighbour is in trouble: from 5 seconds, doubling up to a quarter of an hour.
pub(super) fn next_try(now: Timestamp, looks: u32) -> Timestamp {
    now + SignedDuration::from_secs(pick(&[5, 10, 20, 40, 80, 160, 320, 640, 900], looks))
}

/// After a refusal that passes by itself within minutes, such as of a principal that PIM does not know yet: 10, 20, then
/// every 30 seconds.
pub(super) fn soon(now: Timestamp, looks: u32) -> Timestamp {
    now + SignedDuration::from_secs(pick(&[10, 20, 30], looks))
}

/// When a ticket is first read again after it was decided on, or after its assignment came into force.
pub(super) fn first_watch(now: Timestamp) -> Timestamp {
    now + SignedDuration::from_mins(1)
}

/// When a person must act first.
pub(super) fn parked(now: Timestamp) -> Timestamp {
    now + SignedDuration::from_mins(5)
}

/// After a wait that a neighbour asked for: a second at least, a quarter of an hour at most.
pub(super) fn asked(now: Timestamp, after: Option<Duration>, looks: u32) -> Timestamp {
    match after {
        Some(wait) => now + wait.signed().clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(15)),
        None => next_look(now, looks),
    }
}

pub(super) fn after_ticket_error(now: Timestamp, error: &tickets::TicketError, looks: u32) -> Timestamp {
    match error.retry() {
        tickets::Retry::Later => next_try(now, looks),
        tickets::Retry::After(wait) => asked(now, Some(wait), looks),
        tickets::Retry::Never => parked(now),
    }
}

pub(super) fn after_graph_error(now: Timestamp, error: &graph::GraphError, looks: u32) -> Timestamp {
    match error.retry() {
        graph::Retry::Later => next_try(now, looks),
        graph::Retry::After(wait) => asked(now, Some(wait), looks),
        graph::Retry::Never => parked(now),
    }
}

/// The same, and what was throttled together does not come back together.
pub(super) fn after_graph(now: Timestamp, error: &graph::GraphError, request: &Request) -> Timestamp {
    let due_at = after_graph_error(now, error, request.looks);
    if matches!(error.retry(), graph::Retry::After(_)) { scattered(due_at, request.id) } else { due_at }
}

/// Up to two seconds later, always the same for a request: its id is random where it ends.
pub(super) fn scattered(at: Timestamp, id: RequestId) -> Timestamp {
    let [.., high, low] = *id.0.as_bytes();
    at + SignedDuration::from_millis(i64::from(u16::from_be_bytes([high, low]) % 2000))
}

fn pick(seconds: &[i64], looks: u32) -> i64 {
    let last = seconds.last().copied().unwrap_or(60);
    usize::try_from(looks).ok().and_then(|i| seconds.get(i).copied()).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_zero_is_not_taken_at_its_word() {
        let now = Timestamp::UNIX_EPOCH;
        let waits = |f: fn(Timestamp, u32) -> Timestamp| (0..11).map(|n| f(now, n).as_second()).collect::<Vec<_>>();
        assert_eq!(waits(next_look), [2, 5, 10, 20, 40, 40, 40, 40, 40, 40, 40]);
        assert_eq!(waits(next_try), [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]);
        assert_eq!(waits(soon)[..4], [10, 20, 30, 30]);
        assert_eq!(asked(now, Some(Duration::seconds(0)), 3).as_second(), 1);
        assert_eq!(asked(now, Some(Duration::seconds(u32::MAX)), 3).as_second(), 900);
    }
}
