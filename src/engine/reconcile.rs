//! The search for approvals whose webhook never came (`contracts/tickets.md` H10).
//!
//! Each connection is searched once in its interval by whichever worker comes first. What is found is read back before
//! anything is made of it, and taken in only if no request has that approval; so a search doubles nothing.

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{Desk, Engine, Ports, Records, retry};
use crate::{
    domain::{
        approval::Outcome,
        id::TicketId,
        policy::counts_from,
        ticket::{Hint, HintEvent, Reading, Standing, Ticket},
    },
    store::{Noticed, Poll, PollResult, StoreError},
    tickets::{Listed, Lookback, Source, TicketError},
};

/// One search reads so many tickets, for so long; the rest is left for the next one, which begins where this one stopped.
const MOST_READ: usize = 50;
const SEARCH_WITHIN: std::time::Duration = std::time::Duration::from_secs(40);

/// So many tickets of one search may fail to answer.
const FORGIVEN: u32 = 2;

impl<P: Ports> Engine<P> {
    /// Up to `limit` searches that are due, leased. What cannot be leased now is asked for again soon.
    pub(super) async fn due_polls(&self, until: Timestamp, limit: u32) -> Vec<Poll> {
        let now = self.clock.now();
        if limit == 0 || self.next_poll().is_some_and(|next| now < next) {
            return vec![];
        }
        match self.lease_polls(now, until, limit).await {
            Ok(polls) => polls,
            Err(problem) => {
                warn!(%problem, "no search can be leased; trying again");
                self.plan_poll(now + SignedDuration::from_secs(5));
                vec![]
            }
        }
    }

    async fn lease_polls(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Poll>, StoreError> {
        let first_due = |c: &Arc<P::Desk>| (c.settings().name.clone(), now + c.settings().poll_interval.signed());
        let searched: Vec<_> = self.searched().map(first_due).collect();
        let polls = self.store.lease_polls(&searched, now, until, limit).await?;
        self.plan_next().await?;
        Ok(polls)
    }

    fn searched(&self) -> impl Iterator<Item = &Arc<P::Desk>> {
        self.connections.values().filter(|connection| connection.source() == Source::ReadBack)
    }

    async fn plan_next(&self) -> Result<(), StoreError> {
        let names: Vec<_> = self.searched().map(|connection| connection.settings().name.clone()).collect();
        let next = self.store.next_poll(&names).await?;
        self.plan_poll(next.unwrap_or(Timestamp::MAX));
        Ok(())
    }

    /// When this process next asks whether a search is due; `None` before it ever did.
    pub(super) fn next_poll(&self) -> Option<Timestamp> {
        *self.next_poll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan_poll(&self, at: Timestamp) {
        *self.next_poll.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Makes one search and says when the next one is due.
    pub(super) async fn poll(&self, poll: Poll) {
        let Some(connection) = self.connections.get(&poll.connection) else { return };
        let began = self.clock.now();
        let interval = connection.settings().poll_interval.signed();
        let (result, due_at) = match self.search(connection, &poll, began).await {
            Ok(result @ PollResult::Partly(..)) => (result, self.clock.now()),
            Ok(result) => (result, began + interval),
            Err(BrokenOff { why: Unfinished::Ticket(error), reached }) => {
                let due_at = retry::after_ticket_error(self.clock.now(), &error, poll.failures).min(began + interval);
                let due_at = due_at.max(began + SignedDuration::from_secs(1));
                (PollResult::Failed(error.to_string(), reached), due_at)
            }
            Err(BrokenOff { why: Unfinished::Store(problem), reached }) => {
                (PollResult::Failed(problem.to_string(), reached), began + interval)
            }
        };
        if let PollResult::Failed(why, _) = &result {
            warn!(connection = %poll.connection, why, "the search for missed approvals failed; it is repeated");
        }
        if let Err(problem) = self.store.conclude_poll(&poll, &result, due_at).await {
            warn!(connection = %poll.connection, %problem, "a search is not recorded; its lease lapses");
        }
        if let Err(problem) = self.plan_next().await {
            warn!(%problem, "the next search cannot be planned; it is asked for again");
            self.plan_poll(self.clock.now() + SignedDuration::from_secs(5));
        }
    }

    async fn search(&self, connection: &P::Desk, poll: &Poll, now: Timestamp) -> Result<PollResult, BrokenOff> {
        let deadline = self.clock.monotonic() + SEARCH_WITHIN;
        let listed = self.list(connection, poll, now).await;
        let waiting = listed.map_err(|why| BrokenOff { why, reached: poll.broken_off.clone() })?;
        let mut began_at = poll.broken_off.as_ref().map_or(now, |(began_at, _)| *began_at);
        let mut unanswered = 0;
        for (index, one) in waiting.iter().enumerate() {
            let reached = index.checked_sub(1).map(|last| (began_at, waiting[last].ticket.clone()));
            if let Some((began_at, last)) = &reached
                && (index >= MOST_READ || self.clock.monotonic() >= deadline)
            {
                return Ok(PollResult::Partly(*began_at, last.clone()));
            }
            match self.look_at(connection, poll, one).await {
                Ok(Looked::Done) => {}
                // What was passed over is not covered: the next search begins where this one did.
                Ok(Looked::Unreadable) => began_at = began_at.min(poll.covered_until),
                Err(Unfinished::Ticket(TicketError::Unavailable { .. })) if unanswered < FORGIVEN => {
                    unanswered += 1;
                    began_at = began_at.min(poll.covered_until);
                }
                Err(why) => return Err(BrokenOff { why, reached: reached.or_else(|| poll.broken_off.clone()) }),
            }
        }
        Ok(PollResult::Whole(began_at))
    }

    /// The changed tickets that are left to look at.
    async fn list(&self, connection: &P::Desk, poll: &Poll, now: Timestamp) -> Result<Vec<Listed>, Unfinished> {
        let settings = connection.settings();
        // Search indexes lag behind writes, so windows overlap; what is older than an approval may be is refused anyway.
        let interval = settings.poll_interval.signed();
        let oldest = now - settings.max_approval_age.signed();
        let since = (poll.covered_until - interval).max(oldest).min(now - interval * 2);
        let listed = connection.changed(&Lookback { since, now }).await;
        let listed = self.heard(connection, listed).await?;
        Ok(self.unseen(connection, poll, listed).await?)
    }

    /// What is left to look at, in a fixed order: not what an open request still reads by itself, nor what the last search
    /// reached.
    async fn unseen(
        &self,
        connection: &P::Desk,
        poll: &Poll,
        mut listed: Vec<Listed>,
    ) -> Result<Vec<Listed>, StoreError> {
        listed.sort_by(|a, b| a.ticket.cmp(&b.ticket));
        listed.dedup_by(|a, b| a.ticket == b.ticket);
        listed.retain(|one| poll.broken_off.as_ref().is_none_or(|(_, reached)| one.ticket > *reached));
        let ids: Vec<_> = listed.iter().map(|one| one.ticket.clone()).collect();
        let open = self.store.read_by_requests(&connection.settings().name, &ids).await?;
        listed.retain(|one| !open.contains(&one.ticket));
        Ok(listed)
    }

    /// Reads a found ticket back and takes its approval in, if it is a fresh one that nobody has.
    async fn look_at(&self, connection: &P::Desk, poll: &Poll, listed: &Listed) -> Result<Looked, Unfinished> {
        let settings = connection.settings();
        let ticket = match self.ask_for_ticket(connection, &listed.ticket).await {
            Ok(Reading::Found(ticket)) => ticket,
            Ok(Reading::Absent) => return Ok(Looked::Done),
            // One ticket that cannot be read keeps no other one waiting.
            Err(
                error @ (TicketError::BadAnswer { .. }
                | TicketError::NotPermitted { .. }
                | TicketError::CallRefused { .. }),
            ) => {
                warn!(connection = %settings.name, ticket = %listed.number, %error, "a found ticket cannot be read");
                return Ok(Looked::Unreadable);
            }
            Err(error) => return Err(Unfinished::Ticket(error)),
        };
        let now = self.clock.now();
        let Some(hint) = missed(&ticket, poll.known_since, now - settings.max_approval_age.signed()) else {
            return Ok(Looked::Done);
        };
        if let Noticed::Made(request) = self.store.notice(&settings.name, &hint, settings.only_tenant(), now).await? {
            info!(connection = %settings.name, %request, ticket = %hint.number, "an approval whose webhook never came");
            self.metrics.delivery(settings.name.as_str(), "found");
            self.wake.notify_one();
        }
        Ok(Looked::Done)
    }
}

/// What came of looking at one ticket.
enum Looked {
    /// Whatever it says is taken care of.
    Done,
    /// It cannot be read, which keeps no other one waiting.
    Unreadable,
}

/// A search that broke off, and up to where it had got.
struct BrokenOff {
    why: Unfinished,
    reached: Option<(Timestamp, TicketId)>,
}

/// Why a search broke off.
enum Unfinished {
    Ticket(TicketError),
    Store(StoreError),
}

impl From<TicketError> for Unfinished {
    fn from(error: TicketError) -> Self {
        Self::Ticket(error)
    }
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a webhook about this ticket would have said; `None` when it carries no approval, one too old to be used, or one from
/// before the connection was served, such as under another name.
fn missed(ticket: &Ticket, known_since: Timestamp, oldest: Timestamp) -> Option<Hint> {
    let approval = ticket.newest_approval().filter(|approval| approval.outcome == Outcome::Approved)?;
    let decided_at = approval.decided_at?;
    let fresh = decided_at >= known_since && counts_from(ticket, decided_at) >= oldest;
    (ticket.in_scope && ticket.standing == Standing::Approved && fresh).then(|| Hint {
        ticket: ticket.id.clone(),
        number: ticket.number.clone(),
        event: HintEvent::Approved,
        approval: Some(approval.id.clone()),
        told: None,
    })
}
