//! The ticket is read once more right before anything is sent: what is sent is what was approved, and still is.

use std::time::Duration as Wait;

use jiff::{SignedDuration, Timestamp};

use super::{
    Engine, Ports, retry,
    step::{go_on, hold_until},
    verify::kept,
    watch::{UNCLEAR, doubt, shows_another, withdrawn},
};
use crate::{
    domain::{
        duration::{Duration, GRANTABLE},
        lifecycle::Event,
        policy::Verdict,
        request::{Decision, Hold, Reason, Request},
        withdrawal::{CLOSED, Carried, carried},
    },
    store::{Change, Reading},
};

/// The ticket was read at most this long before the call that assigns is sent.
pub(super) const TICKET_FRESH: Wait = Wait::from_secs(5);

impl<P: Ports> Engine<P> {
    /// Reads the ticket once more before sending. `Ok`: it still says what was decided on, and was read then.
    pub(super) async fn read_again(&self, request: &Request, decision: &Decision) -> Result<Wait, Box<Change>> {
        let examined = match self.examine(request).await {
            Ok(examined) => examined,
            Err(trouble) => return Err(Box::new(self.troubled(request, trouble))),
        };
        let now = self.clock.now();
        match carried(decision, &examined.ticket) {
            // What an unknown word means is decided below.
            Carried::Yes | Carried::Unclear => {}
            Carried::No(why) => return Err(Box::new(withdrawn(why, now))),
            Carried::Doubtful(why) => {
                let hold = match examined.verdict {
                    Verdict::NotYet(hold) => hold,
                    _ => Hold::new(UNCLEAR, why),
                };
                let another_approval = shows_another(decision, &examined.ticket);
                let change = doubt(request, hold, why, now);
                return Err(Box::new(Change { reading: Some(examined.reading), another_approval, ..change }));
            }
        }
        let change = match examined.verdict {
            Verdict::Approved(again) if decision.agrees_with(&again) && again.duration >= least(decision, &again) => {
                return self.still_fresh(request, &examined.reading, examined.read_at).await;
            }
            Verdict::Approved(_) => Change::to(Event::Reject(vec![changed()]), now, now),
            Verdict::Rejected(reasons) => Change::to(Event::Reject(reasons), now, now),
            Verdict::Withdrawn => withdrawn(CLOSED, now),
            Verdict::NotYet(hold) => hold_until(request, hold, now, retry::parked(now)),
        };
        Err(Box::new(Change { reading: Some(examined.reading), ..change }))
    }

    /// When the ticket was read. Asking the directory takes its time; a reading that grew old over that is repeated, and
    /// must be the same.
    async fn still_fresh(&self, request: &Request, reading: &Reading, read_at: Wait) -> Result<Wait, Box<Change>> {
        let again_at = self.clock.monotonic();
        if again_at.saturating_sub(read_at) < TICKET_FRESH / 2 {
            return Ok(read_at);
        }
        let Some(connection) = self.connections.get(&request.connection) else { return Ok(read_at) };
        let read = self.read_ticket(request, connection).await;
        let read = read.and_then(|ticket| kept(&ticket, self.clock.now(), request));
        let now = self.clock.now();
        match read {
            Ok(again) if again.digest != reading.digest => {
                Err(Box::new(go_on(request, now, now + SignedDuration::from_secs(5))))
            }
            Ok(_) if self.clock.monotonic().saturating_sub(again_at) >= TICKET_FRESH => {
                Err(Box::new(too_slow(request, now)))
            }
            Ok(_) => Ok(again_at),
            Err(trouble) => Err(Box::new(self.troubled(request, trouble))),
        }
    }
}

/// A later decision may only be shorter because the change window has come closer.
fn least(decision: &Decision, again: &Decision) -> Duration {
    if again.not_after.is_some() { *GRANTABLE.start() } else { decision.duration }
}

/// The ticket system takes longer to show the ticket than a reading may be old.
pub(super) fn too_slow(request: &Request, now: Timestamp) -> Change {
    let slow = Hold::new("ticket-slow", "reading the ticket took longer than a reading may be old");
    hold_until(request, slow, now, retry::next_try(now, request.looks))
}

fn changed() -> Reason {
    Reason::new("changed-after-decision", "the ticket or the catalog no longer says what was decided on")
}
