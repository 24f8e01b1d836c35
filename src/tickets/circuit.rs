//! Whether a connection's credential is believed to work.
//!
//! A credential that is refused stops the connection: nothing is called with it for a while, then a single call tries it
//! again. So a broken one costs one call now and then, and not one for each ticket that waits. Times are the monotonic
//! clock's, which nobody can set back.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::error::TicketError;

/// A stopped connection is tried again this often.
const TRY_AGAIN: Duration = Duration::from_mins(5);

/// Nobody else calls while somebody tries a stopped connection, or for so long if that comes to nothing.
const TRIAL: Duration = Duration::from_mins(1);

/// How many refusals in a row, and over how long, a credential is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So many refusals in a row mean that it is broken.
    pub refusals: u32,
    /// Not before they have gone on for this long.
    pub over: Duration,
}

impl Patience {
    /// The first refusal counts.
    pub const NONE: Self = Self { refusals: 1, over: Duration::ZERO };
}

/// One connection's circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    patience: Patience,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refusals: u32,
    first_refused_at: Option<Duration>,
    last_refused_at: Option<Duration>,
    stopped_until: Option<Duration>,
}

impl Circuit {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, state: Mutex::default() }
    }

    /// Whether a reading, a listing or a note may be begun now. After the pause the first to ask may.
    pub(super) fn admit(&self, now: Duration) -> Result<(), TicketError> {
        let mut state = self.state();
        match state.stopped_until {
            Some(until) if now < until => Err(TicketError::Stopped),
            Some(_) => {
                state.stopped_until = Some(now + TRIAL);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the credential was refused, and not taken since.
    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped_until.is_some()
    }

    /// The credential was taken for what was begun then. A refusal since says more.
    pub(super) fn accepted(&self, began: Duration) {
        let mut state = self.state();
        if state.last_refused_at.is_none_or(|refused| refused < began) {
            *state = State::default();
        }
    }

    /// The credential was refused; what that means for whoever called.
    pub(super) fn refused(&self, now: Duration) -> TicketError {
        let mut state = self.state();
        state.refusals += 1;
        state.last_refused_at = Some(now);
        let first = *state.first_refused_at.get_or_insert(now);
        if state.refusals < self.patience.refusals || now.saturating_sub(first) < self.patience.over {
            let reason = "401, which this system also answers in passing".to_owned();
            return TicketError::Unavailable { reason, after: None };
        }
        state.stopped_until = Some(now + TRY_AGAIN);
        TicketError::Credential
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_refused_credential_stops_everybody_until_one_call_tries_it_again() {
        let circuit = Circuit::new(Patience::NONE);
        assert_eq!(circuit.admit(at(0)), Ok(()));
        assert_eq!(circuit.refused(at(0)), TicketError::Credential);
        assert_eq!(circuit.admit(at(299)), Err(TicketError::Stopped));
        assert_eq!(circuit.admit(at(300)), Ok(()), "the trial");
        assert_eq!(circuit.admit(at(301)), Err(TicketError::Stopped), "beside the trial");
        circuit.accepted(at(0));
        assert_eq!(circuit.admit(at(302)), Err(TicketError::Stopped), "begun before the refusal");
        circuit.accepted(at(300));
        assert_eq!(circuit.admit(at(303)), Ok(()));
    }

    #[test]
    fn a_trial_without_an_answer_does_not_stop_the_connection_for_good() {
        let circuit = Circuit::new(Patience::NONE);
        circuit.refused(at(0));
        assert_eq!(circuit.admit(at(300)), Ok(()));
        assert_eq!(circuit.admit(at(361)), Ok(()));
    }

    #[test]
    fn a_system_that_refuses_in_passing_is_forgiven_a_few_times() {
        let circuit = Circuit::new(Patience { refusals: 4, over: at(6) });
        for second in [0, 1, 3] {
            assert_eq!(circuit.refused(at(second)).code(), "ticket-unavailable");
        }
        assert_eq!(circuit.refused(at(5)).code(), "ticket-unavailable", "four, but too fast");
        assert_eq!(circuit.admit(at(6)), Ok(()));
        assert_eq!(circuit.refused(at(6)), TicketError::Credential);
    }
}
