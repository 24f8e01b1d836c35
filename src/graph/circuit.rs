//! Whether a tenant's Graph is believed to serve stint: its licence, its permissions, the credential.
//!
//! What only a person can mend stops the part of Graph that it concerns: nothing is called there for a while, then a single
//! call tries again. So a fault costs one call now and then, and not one for each request that waits. Times are the
//! monotonic clock's, which nobody can set back.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{error::GraphError, part::Part};

/// A stopped part is tried again this often.
const TRY_AGAIN: Duration = Duration::from_mins(5);

/// Nobody else calls while somebody tries a stopped part, or for so long if that comes to nothing.
const TRIAL: Duration = Duration::from_mins(1);

/// That a part works is told again after this long: another process may have told otherwise.
const TELL_AGAIN: Duration = Duration::from_mins(10);

/// What only a person can mend, of a tenant as a whole (`contracts/graph.md` §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantFault {
    /// The tenant has no licence for PIM.
    Licence,
    /// stint's application lacks a permission.
    Permission,
    /// stint's application cannot sign in.
    Credential,
}

/// What calls have told about a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This part of Graph refuses.
    Broken {
        /// The part's name.
        part: String,
        /// What is wrong.
        fault: TenantFault,
        /// Graph's or Entra's words.
        detail: String,
    },
    /// This part of Graph serves.
    Works {
        /// The part's name.
        part: String,
    },
}

/// One tenant's circuits.
#[derive(Debug, Default)]
pub(super) struct Circuits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    parts: HashMap<Part, Circuit>,
    news: Vec<News>,
}

#[derive(Debug, Default)]
struct Circuit {
    stopped: Option<Stopped>,
    refused_at: Option<Duration>,
    told_at: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Stopped {
    fault: TenantFault,
    detail: String,
    until: Duration,
    /// Refused itself; otherwise stopped because another part was.
    refused: bool,
}

impl TenantFault {
    /// A stable name: the finding's, and the hold's of what waits for it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Licence => "graph-licence",
            Self::Permission => "graph-permission",
            Self::Credential => "graph-credential",
        }
    }

    /// What a refusal of a call that changes something tells of the tenant.
    #[must_use]
    pub fn of_code(code: &str) -> Self {
        match code {
            "AadPremiumLicenseRequired" => Self::Licence,
            "PermissionScopeNotGranted" => Self::Permission,
            _ => Self::Credential,
        }
    }
}

impl Circuits {
    /// Whether these parts may all be called now; begins nothing.
    pub(super) fn check(&self, parts: &[Part], now: Duration) -> Result<(), GraphError> {
        self.state().check(parts, now)
    }

    /// Whether a call that needs all these parts may be begun now. After the pause the first to ask may.
    pub(super) fn admit(&self, parts: &[Part], now: Duration) -> Result<(), GraphError> {
        let mut state = self.state();
        state.check(parts, now)?;
        for part in parts {
            let stopped = state.parts.get_mut(part).and_then(|circuit| circuit.stopped.as_mut());
            // What was only stopped along with another part has refused nothing: it needs no single trial.
            if let Some(stopped) = stopped.filter(|stopped| stopped.refused) {
                stopped.until = now + TRIAL;
            }
        }
        Ok(())
    }

    /// The part served a call begun then. A refusal since says more.
    pub(super) fn served(&self, part: Part, began: Duration, now: Duration) {
        let mut state = self.state();
        let circuit = state.parts.entry(part).or_default();
        if circuit.refused_at.is_some_and(|refused| refused >= began) {
            return;
        }
        let was = circuit.stopped.take();
        if was.is_some() || circuit.told_at.is_none_or(|told| now.saturating_sub(told) >= TELL_AGAIN) {
            circuit.told_at = Some(now);
            state.news.push(News::Works { part: part.name() });
        }
        if was.is_some_and(|was| was.fault == TenantFault::Licence) {
            state.free_unless_unlicensed();
        }
    }

    /// The part refused a call for this fault.
    pub(super) fn refused(&self, part: Part, fault: TenantFault, detail: &str, now: Duration) {
        let mut state = self.state();
        let stopped = Stopped { fault, detail: detail.to_owned(), until: now + TRY_AGAIN, refused: true };
        if fault == TenantFault::Licence {
            for other in Part::licensed().filter(|other| *other != part) {
                let circuit = state.parts.entry(other).or_default();
                if circuit.stopped.as_ref().is_none_or(|stopped| !stopped.refused) {
                    circuit.stopped = Some(Stopped { refused: false, ..stopped.clone() });
                }
            }
        }
        state.parts.insert(part, Circuit { stopped: Some(stopped), refused_at: Some(now), told_at: None });
        state.news.push(News::Broken { part: part.name(), fault, detail: detail.to_owned() });
    }

    /// Whether anything is to be told.
    pub(super) fn has_news(&self) -> bool {
        !self.state().news.is_empty()
    }

    /// Takes what is to be told, oldest first.
    pub(super) fn take_news(&self) -> Vec<News> {
        std::mem::take(&mut self.state().news)
    }

    /// Gives back what could not be told.
    pub(super) fn untold(&self, mut news: Vec<News>) {
        let mut state = self.state();
        news.append(&mut state.news);
        state.news = news;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, parts: &[Part], now: Duration) -> Result<(), GraphError> {
        let stopped = parts.iter().filter_map(|part| self.parts.get(part)?.stopped.as_ref());
        match stopped.into_iter().find(|stopped| now < stopped.until) {
            Some(stopped) => Err(GraphError::Stopped { code: stopped.fault.code(), detail: stopped.detail.clone() }),
            None => Ok(()),
        }
    }

    /// What was stopped beside a part without licence goes on once no part is without.
    fn free_unless_unlicensed(&mut self) {
        let unlicensed = |stopped: &Stopped| stopped.fault == TenantFault::Licence;
        let mut all = self.parts.values().filter_map(|circuit| circuit.stopped.as_ref());
        if all.any(|stopped| unlicensed(stopped) && stopped.refused) {
            return;
        }
        for circuit in self.parts.values_mut() {
            circuit.stopped.take_if(|stopped| unlicensed(stopped));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::part::{Area, Way};

    const ROLES: Part = Part::Of(Area::Roles, Way::Read);
    const ROLES_WRITE: Part = Part::Of(Area::Roles, Way::Write);
    const GROUPS: Part = Part::Of(Area::Groups, Way::Read);
    const USERS: Part = Part::Of(Area::Users, Way::Read);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn admitted(circuits: &Circuits, part: Part, second: u64) -> Result<(), &'static str> {
        circuits.admit(&[part], at(second)).map_err(|error| error.code())
    }

    #[test]
    fn a_missing_permission_stops_its_own_part_until_one_call_tries_it_again() {
        let circuits = Circuits::default();
        circuits.refused(ROLES, TenantFault::Permission, "why", at(10));
        assert_eq!(admitted(&circuits, ROLES, 309), Err("graph-permission"));
        for other in [ROLES_WRITE, GROUPS, USERS] {
            assert_eq!(admitted(&circuits, other, 11), Ok(()));
        }
        assert_eq!(admitted(&circuits, ROLES, 310), Ok(()), "the trial");
        assert_eq!(admitted(&circuits, ROLES, 311), Err("graph-permission"), "beside the trial");
        circuits.served(ROLES, at(5), at(312));
        assert_eq!(admitted(&circuits, ROLES, 312), Err("graph-permission"), "begun before the refusal");
        circuits.served(ROLES, at(310), at(313));
        assert_eq!(admitted(&circuits, ROLES, 313), Ok(()));
    }

    #[test]
    fn a_trial_without_an_answer_does_not_stop_a_part_for_good() {
        let circuits = Circuits::default();
        circuits.refused(ROLES, TenantFault::Permission, "why", at(0));
        assert_eq!(admitted(&circuits, ROLES, 300), Ok(()));
        assert_eq!(admitted(&circuits, ROLES, 361), Ok(()));
    }

    #[test]
    fn a_missing_licence_stops_all_of_pim_and_nothing_else() {
        let circuits = Circuits::default();
        circuits.refused(ROLES, TenantFault::Licence, "why", at(0));
        for part in Part::licensed() {
            assert_eq!(admitted(&circuits, part, 1), Err("graph-licence"), "{}", part.name());
        }
        assert_eq!(admitted(&circuits, USERS, 1), Ok(()));
        circuits.served(GROUPS, at(300), at(300));
        assert_eq!(admitted(&circuits, ROLES, 299), Err("graph-licence"), "groups say nothing of roles");
        circuits.served(ROLES, at(300), at(300));
        for part in Part::licensed() {
            assert_eq!(admitted(&circuits, part, 1), Ok(()), "{}", part.name());
        }
    }

    #[test]
    fn a_call_that_needs_two_parts_tries_neither_while_one_is_stopped() {
        let circuits = Circuits::default();
        circuits.refused(ROLES, TenantFault::Permission, "why", at(0));
        circuits.refused(GROUPS, TenantFault::Permission, "why", at(100));
        assert!(circuits.admit(&[ROLES, GROUPS], at(300)).is_err());
        assert_eq!(admitted(&circuits, ROLES, 300), Ok(()), "its trial was not spent");
    }

    #[test]
    fn what_is_told_is_told_once_and_never_lost() {
        let circuits = Circuits::default();
        let works = News::Works { part: "roles-read".into() };
        let broken = News::Broken { part: "roles-read".into(), fault: TenantFault::Permission, detail: "why".into() };
        circuits.served(ROLES, at(0), at(0));
        circuits.served(ROLES, at(1), at(1));
        let told = circuits.take_news();
        assert_eq!(told, std::slice::from_ref(&works));
        circuits.refused(ROLES, TenantFault::Permission, "why", at(2));
        circuits.untold(told);
        circuits.served(ROLES, at(302), at(302));
        assert_eq!(circuits.take_news(), [works.clone(), broken, works.clone()]);
        assert!(!circuits.has_news());
        circuits.served(ROLES, at(902), at(902));
        assert_eq!(circuits.take_news(), [works], "another process may have told otherwise");
    }
}
