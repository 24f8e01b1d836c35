//! The search for approvals whose webhook never came (`contracts/tickets.md` H10), and what stops a connection.
//!
//! Each connection is searched once in its interval by whichever worker comes first. What is found is read back before
//! anything is made of it, and taken in only if no request has that approval; so a search doubles nothing.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::{info, warn};

use super::{Engine, retry};
use crate::{
    domain::{
        approval::Outcome,
        id::{ConnectionName, TicketId},
        ticket::{Hint, HintEvent, Reading, Standing, Ticket},
    },
    store::{NewFinding, Noticed, Poll, PollResult, StoreError},
    tickets::{Connection, Listed, Lookback, Source, TicketError},
};

/// The finding that a connection's credential is refused; also the hold of what waits for it.
const CREDENTIAL: &str = "ticket-credential";

/// One search reads so many tickets; the rest is left for the next one, which begins where this one stopped.
const MOST_READ: usize = 50;

impl Engine {
    /// The searches that are due, leased.
    pub(super) async fn due_polls(&self, until: Timestamp) -> Result<Vec<Poll>, StoreError> {
        let now = self.clock.now();
        if self.next_poll().is_some_and(|next| now < next) {
            return Ok(vec![]);
        }
        let polled = self.connections.values().filter(|connection| connection.source() == Source::ReadBack);
        let polled: Vec<_> =
            polled.map(|c| (c.settings().name.clone(), now + c.settings().poll_interval.signed())).collect();
        if polled.is_empty() {
            self.plan_poll(Timestamp::MAX);
            return Ok(vec![]);
        }
        let polls = self.store.lease_polls(&polled, now, until).await?;
        let next = self.store.next_poll().await?;
        self.plan_poll(next.unwrap_or(Timestamp::MAX));
        Ok(polls)
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
            Err(Unfinished::Ticket(error)) => {
                let due_at = retry::after_ticket_error(self.clock.now(), &error, poll.failures).min(began + interval);
                (PollResult::Failed(error.to_string()), due_at.max(began + SignedDuration::from_secs(1)))
            }
            Err(Unfinished::Store(problem)) => (PollResult::Failed(problem.to_string()), began + interval),
        };
        if let PollResult::Failed(why) = &result {
            warn!(connection = %poll.connection, why, "the search for missed approvals failed; it is repeated");
        }
        if let Err(problem) = self.store.conclude_poll(&poll, &result, due_at).await {
            warn!(connection = %poll.connection, %problem, "a search is not recorded; its lease lapses");
        }
        if let Ok(Some(next)) = self.store.next_poll().await {
            self.plan_poll(next);
        }
    }

    async fn search(&self, connection: &Connection, poll: &Poll, now: Timestamp) -> Result<PollResult, Unfinished> {
        let settings = connection.settings();
        // Search indexes lag behind writes, so windows overlap; what is older than an approval may be is refused anyway.
        let interval = settings.poll_interval.signed();
        let since =
            (poll.covered_until - interval).max(now - settings.max_approval_age.signed()).min(now - interval * 2);
        let listed = connection.changed(&Lookback { since, now }).await;
        let listed = self.heard(connection, listed).await?;
        let waiting = self.unseen(connection, poll, listed).await?;
        let began_at = poll.broken_off.as_ref().map_or(now, |(began_at, _)| *began_at);
        for listed in waiting.iter().take(MOST_READ) {
            self.look_at(connection, listed).await?;
        }
        Ok(match waiting.get(MOST_READ.saturating_sub(1)) {
            Some(last) if waiting.len() > MOST_READ => PollResult::Partly(began_at, last.ticket.clone()),
            _ => PollResult::Whole(began_at),
        })
    }

    /// What is left to look at, in a fixed order: not what has an open request, nor what the last search reached.
    async fn unseen(
        &self,
        connection: &Connection,
        poll: &Poll,
        mut listed: Vec<Listed>,
    ) -> Result<Vec<Listed>, StoreError> {
        listed.sort_by(|a, b| a.ticket.cmp(&b.ticket));
        listed.dedup_by(|a, b| a.ticket == b.ticket);
        listed.retain(|one| poll.broken_off.as_ref().is_none_or(|(_, reached)| one.ticket > *reached));
        let ids: Vec<_> = listed.iter().map(|one| one.ticket.clone()).collect();
        let open = self.store.with_open_request(&connection.settings().name, &ids).await?;
        listed.retain(|one| !open.contains(&one.ticket));
        Ok(listed)
    }

    /// Reads a found ticket back and takes its approval in, if it is a fresh one that nobody has.
    async fn look_at(&self, connection: &Connection, listed: &Listed) -> Result<(), Unfinished> {
        let settings = connection.settings();
        let ticket = match self.ask_for_ticket(connection, &listed.ticket).await {
            Ok(Reading::Found(ticket)) => ticket,
            Ok(Reading::Absent) => return Ok(()),
            // One ticket that cannot be read keeps no other one waiting.
            Err(
                error @ (TicketError::BadAnswer { .. }
                | TicketError::NotPermitted { .. }
                | TicketError::CallRefused { .. }),
            ) => {
                warn!(connection = %settings.name, ticket = %listed.number, %error, "a found ticket cannot be read");
                return Ok(());
            }
            Err(error) => return Err(Unfinished::Ticket(error)),
        };
        let now = self.clock.now();
        let Some(hint) = missed(&ticket, now - settings.max_approval_age.signed()) else { return Ok(()) };
        let tenant = if let [only] = settings.tenants.as_slice() { Some(only) } else { None };
        if let Noticed::Made(request) = self.store.notice(&settings.name, &hint, tenant, now).await? {
            info!(connection = %settings.name, %request, ticket = %hint.number, "an approval whose webhook never came");
            self.metrics.delivery(settings.name.as_str(), "found");
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Reads a ticket back, minding what the answer says about the connection.
    pub(super) async fn ask_for_ticket(
        &self,
        connection: &Connection,
        ticket: &TicketId,
    ) -> Result<Reading, TicketError> {
        let reading = connection.read(ticket).await;
        self.heard(connection, reading).await
    }

    /// Minds what an answer says about its connection: one finding for as long as the credential is refused.
    pub(super) async fn heard<T>(
        &self,
        connection: &Connection,
        answer: Result<T, TicketError>,
    ) -> Result<T, TicketError> {
        let name = &connection.settings().name;
        let noted = match &answer {
            // Another call may have found meanwhile that it works again.
            Err(TicketError::Credential) if connection.is_stopped() => self.stopped(name).await,
            Ok(_) => self.works(name).await,
            Err(_) => Ok(()),
        };
        if let Err(problem) = noted {
            warn!(connection = %name, %problem, "a finding is not recorded");
        }
        answer
    }

    async fn stopped(&self, name: &ConnectionName) -> Result<(), StoreError> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let detail =
            json!({ "what": "the ticket system refuses stint's credential; what rests on this connection waits" });
        let finding = NewFinding { kind: CREDENTIAL, detail };
        if self.store.raise_of_connection(name, &finding, self.clock.now()).await? {
            warn!(connection = %name, "the ticket system refuses stint's credential; the connection is stopped");
        }
        Ok(())
    }

    /// The database is told once that the connection works, and not with each answer.
    async fn works(&self, name: &ConnectionName) -> Result<(), StoreError> {
        if self.works.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Ok(());
        }
        if self.store.clear_of_connection(name, CREDENTIAL, self.clock.now()).await? {
            info!(connection = %name, "the ticket system takes stint's credential again");
            self.wake.notify_one();
        }
        self.works.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Ok(())
    }
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

/// What a webhook about this ticket would have said; `None` when it carries no approval, or one too old to be used.
fn missed(ticket: &Ticket, oldest: Timestamp) -> Option<Hint> {
    let approval = ticket.newest_approval().filter(|approval| approval.outcome == Outcome::Approved)?;
    let fresh = approval.decided_at.is_some_and(|at| at >= oldest);
    (ticket.in_scope && ticket.standing == Standing::Approved && fresh).then(|| Hint {
        ticket: ticket.id.clone(),
        number: ticket.number.clone(),
        event: HintEvent::Approved,
        approval: Some(approval.id.clone()),
        told: None,
    })
}
