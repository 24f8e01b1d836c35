//! One step: load, perform the effect that is due, make the move; again, while moves follow each other at once.

use std::time::Duration;

use tracing::{error, info, warn};

use super::{Engine, Ports, Records, retry, verify::USED};
use crate::{
    domain::{
        lifecycle::{Effect, Event, due},
        request::{Hold, Reason, Request, State},
    },
    store::{Change, Lease, StoreError},
};

/// Moves that follow each other under one lease stop here, so that a lease never outlives its time.
const MAX_MOVES: u32 = 8;

/// No further move is begun under a lease this old.
const LEASE_SPENT: Duration = Duration::from_secs(40);

/// What follows a move.
enum Next {
    /// The lease is still held, and something further is due: for this request as it stands now, or as it must be read anew.
    Move(Option<Box<Request>>),
    /// Nothing, under this lease.
    Nothing,
}

impl<P: Ports> Engine<P> {
    /// Performs what is due for the leased request. Whatever goes wrong, the row says when to come back.
    pub async fn step(&self, lease: Lease) {
        let id = lease.request();
        let began = self.clock.monotonic();
        let mut known = None;
        for _ in 0..MAX_MOVES {
            let was_known = known.is_some();
            match self.one_move(&lease, known).await {
                Ok(Next::Move(moved)) if self.clock.monotonic().saturating_sub(began) < LEASE_SPENT => known = moved,
                Ok(Next::Move(_)) => return self.give_back(lease, 0).await,
                Ok(Next::Nothing) => return,
                // A crash of the database undid the last move: the row says where to go on.
                Err(StoreError::Illegal(..)) if was_known => known = None,
                Err(problem) => return self.stumble(lease, problem).await,
            }
        }
        warn!(request = %id, "many moves in one step; going on later");
        self.give_back(lease, 1).await;
    }

    /// One effect and its move. The request is known where the last move has just brought it: whatever came in between is
    /// noticed by the next one.
    async fn one_move(&self, lease: &Lease, known: Option<Box<Request>>) -> Result<Next, StoreError> {
        let request = match known {
            Some(request) => *request,
            None => self.store.read(lease).await?,
        };
        if matches!(request.state, State::Received) && request.end_requested.is_none() {
            return self.take(lease, &request).await;
        }
        let began = self.clock.monotonic();
        let change = self.change_due(lease, &request).await;
        self.make(lease, &request, began, change).await
    }

    /// A new request's ticket is read while that is recorded; what it shows is the next move.
    async fn take(&self, lease: &Lease, request: &Request) -> Result<Next, StoreError> {
        let (now, began) = (self.clock.now(), self.clock.monotonic());
        let take = Ok(Some(Change::to(Event::Take, now, now)));
        // Tries count anew from where it is taken.
        let untried = Request { looks: 0, ..request.clone() };
        let (taken, inquiry) = tokio::join!(self.make(lease, request, began, take), self.inquire(&untried));
        match taken? {
            Next::Move(Some(taken)) => {
                let change = self.verified(&taken, inquiry).map(Some);
                match self.make(lease, &taken, began, change).await {
                    // A crash of the database undid that it was taken: the row says where to go on.
                    Err(StoreError::Illegal(..)) => Ok(Next::Move(None)),
                    made => made,
                }
            }
            next => Ok(next),
        }
    }

    /// Makes the move that an effect, begun then, leads to.
    async fn make(
        &self,
        lease: &Lease,
        request: &Request,
        began: Duration,
        change: Result<Option<Change>, StoreError>,
    ) -> Result<Next, StoreError> {
        let before = request.state.status();
        self.mind_tenants().await;
        let change = match change {
            Err(StoreError::EndOrdered(_)) => return Ok(Next::Move(None)),
            Err(StoreError::HoldingBusy(_)) => Some(self.busy(request)),
            change => change?,
        };
        let Some(mut change) = change else { return Ok(Next::Nothing) };
        let goes_on = change.due_at <= change.now;
        change.keep_lease = goes_on;
        let moved = match self.store.advance(lease, change.clone()).await {
            Err(StoreError::ApprovalUsed(_)) => self.store.advance(lease, used_up(change)).await?,
            Err(StoreError::EndOrdered(_)) => return Ok(Next::Move(None)),
            moved => moved?,
        };
        let after = moved.state.status();
        let outcome = if before == after { "waiting" } else { "moved" };
        let effect = due(&request.state).name();
        self.metrics.step(effect, outcome, self.clock.monotonic().saturating_sub(began));
        if before != after {
            self.metrics.moved(after);
            info!(request = %moved.id, from = %before, to = %after, "request moved");
        }
        Ok(if goes_on && !after.is_terminal() { Next::Move(Some(Box::new(moved))) } else { Next::Nothing })
    }

    /// The change that is due; `None` when nothing is.
    async fn change_due(&self, lease: &Lease, request: &Request) -> Result<Option<Change>, StoreError> {
        let now = self.clock.now();
        if let Some(order) = &request.end_requested {
            let mut change = Change::to(Event::End(order.clone()), now, now);
            change.actor = order.actor.clone();
            return Ok(Some(change));
        }
        match (due(&request.state), request.state.underlying()) {
            // It was held when a crash of the database undid that it was taken.
            (Effect::Verify, State::Received) => Ok(Some(go_on(request, now, now))),
            (Effect::Verify, _) => self.verified(request, self.inquire(request).await).map(Some),
            (Effect::Assign, State::Approved(decision) | State::Assigning(decision)) => {
                self.assign(lease, request, decision).await.map(Some)
            }
            (Effect::Watch, State::Active(decision, assignment)) => {
                Ok(Some(self.in_force(request, decision, assignment).await))
            }
            (Effect::End, State::Ending(decision, assignment, order)) => {
                self.end(lease, request, decision, assignment.as_ref(), order).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    fn busy(&self, request: &Request) -> Change {
        let hold = Hold::new(
            "held-by-another-request",
            "another request is changing the same principal's assignment; this one goes on after it",
        );
        let now = self.clock.now();
        hold_until(request, hold, now, retry::next_try(now, request.looks.max(2)))
    }

    async fn stumble(&self, lease: Lease, problem: StoreError) {
        let id = lease.request();
        match problem {
            StoreError::LeaseLost(_) => info!(request = %id, "another worker took the request over"),
            StoreError::Database(_) => {
                warn!(request = %id, %problem, "the step was not recorded; it is repeated");
                self.give_back(lease, 5).await;
            }
            _ => {
                error!(request = %id, %problem, "the step cannot be made");
                self.give_back(lease, 300).await;
            }
        }
    }

    /// Gives the lease back; if even that fails it lapses by itself.
    async fn give_back(&self, lease: Lease, seconds: i64) {
        let id = lease.request();
        let again = self.clock.now() + jiff::SignedDuration::from_secs(seconds);
        if let Err(problem) = self.store.release(lease, again).await {
            warn!(request = %id, %problem, "a lease is left to lapse");
        }
    }
}

/// Holds a request, or keeps it held for the same reason without a further event.
pub(super) fn hold_until(request: &Request, hold: Hold, now: jiff::Timestamp, due_at: jiff::Timestamp) -> Change {
    match &request.state {
        State::Held { hold: old, .. } if old.code == hold.code => Change::later(now, due_at),
        _ => Change::to(Event::Hold(Hold { since: Some(now), ..hold }), now, due_at),
    }
}

/// Goes on without a move; what held the request is resolved.
pub(super) fn go_on(request: &Request, now: jiff::Timestamp, due_at: jiff::Timestamp) -> Change {
    match request.state {
        State::Held { .. } => Change::to(Event::Resume, now, due_at),
        _ => Change::later(now, due_at),
    }
}

/// The same reading, refused because its approval was used before.
fn used_up(change: Change) -> Change {
    let reason = Reason::new(USED, "another request already rests on this approval");
    Change { event: Some(Event::Reject(vec![reason])), approval: None, ..change }
}
