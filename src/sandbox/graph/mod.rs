//! Microsoft Graph, small: users, role definitions, PIM for directory roles and its policies.
//!
//! A call is first asked who makes it (the token names the tenant), then whether a [`Fault`] is waiting for it, and
//! only then answered. The PIM engine (`pim.rs`) keeps the truth; what reads show of it bends under [`Knobs`].
//! Whatever changed, or tried to, stands in the ledger.

mod control;
mod directory;
mod fault;
mod hand;
mod knobs;
mod ledger;
mod pim;
mod policy;
mod query;
mod refusal;
mod render;
mod route;
mod state;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;

use self::fault::Effect;
use self::refusal::{Refusal, Trace};
use self::route::Route;
use self::state::State;
use super::entra::Caller;
use super::server::Answer;
use super::wire::{bearer, empty, header_text, json, lock, set_header};
use super::{Entra, Now};

pub use self::directory::User;
pub use self::fault::{Fault, FaultKind, On};
pub use self::knobs::{Casing, Knobs};
pub use self::ledger::{Entry, Grant};
pub use self::policy::RolePolicy;

/// The simulated Graph. Clones share one state.
#[derive(Clone)]
pub struct Graph {
    url: Arc<str>,
    now: Now,
    entra: Entra,
    state: Arc<Mutex<State>>,
}

/// One call that got past authentication.
struct Asked<'a> {
    caller: Caller,
    now: Timestamp,
    trace: Trace,
    request: &'a Request<Bytes>,
}

/// A proper answer: status and, except for 204, a body.
type Outcome = Result<(u16, Option<Value>), Refusal>;

impl Graph {
    pub(super) fn new(url: String, entra: Entra, now: Now) -> Self {
        Self { url: url.into(), now, entra, state: Arc::new(Mutex::new(State::default())) }
    }

    pub(super) fn handle(&self, request: &Request<Bytes>) -> Answer {
        let now = (self.now)();
        let trace = Trace::of(request.headers(), now);
        let caller = bearer(request.headers()).and_then(|token| self.entra.caller(token));
        let answer = match caller {
            Some(caller) => self.attend(&Asked { caller, now, trace, request }),
            None => Answer::Reply(Refusal::token().answer(&trace, false)),
        };
        lock(&self.state).calls.record(request, now, answer.status());
        answer
    }

    /// Faults of the infrastructure come before the service (nothing happened) or after it (it did happen).
    fn attend(&self, asked: &Asked) -> Answer {
        let route = Route::of(asked.request.method(), asked.request.uri().path());
        let on = route.on(asked.request.body());
        let mut state = lock(&self.state);
        let fault = state.faults.take(|waiting| waiting.matches(on));
        match fault.map_or(Effect::None, FaultKind::effect) {
            Effect::None => Answer::Reply(self.reply(&mut state, &route, asked)),
            Effect::Instead(play) => {
                state.record_refused(&route, asked, "fault before commit");
                play.answer(&asked.trace, asked.now, || empty(500))
            }
            Effect::After(play) => {
                let reply = self.reply(&mut state, &route, asked);
                play.answer(&asked.trace, asked.now, || reply)
            }
        }
    }

    fn reply(&self, state: &mut State, route: &Route, asked: &Asked) -> Response<Bytes> {
        let mut response = match self.serve(state, route, asked) {
            Ok((status, Some(body))) => json(status, &body),
            Ok((status, None)) => empty(status),
            Err(refusal) => {
                state.record_refused(route, asked, &refusal.code);
                refusal.answer(&asked.trace, state.knobs.wrap_errors)
            }
        };
        asked.trace.write(&mut response);
        response
    }

    fn serve(&self, state: &mut State, route: &Route, asked: &Asked) -> Outcome {
        match route {
            Route::User(id) => self.user(state, asked, id),
            Route::Users => self.users(state, asked),
            Route::CheckMemberGroups(id) => self.check_member_groups(state, asked, id),
            Route::RoleDefinition(id) => self.role_definition(state, asked, id),
            Route::RoleDefinitions => self.role_definitions(state, asked),
            Route::CreateRequest => self.create_request(state, asked),
            Route::CancelRequest(id) => Self::cancel_request(state, asked, id),
            Route::Request(id) => self.schedule_request(state, asked, id),
            Route::Requests => self.schedule_requests(state, asked),
            Route::Schedule(id) => self.schedule(state, asked, id),
            Route::Schedules => self.schedules(state, asked),
            Route::Instance(id) => self.instance(state, asked, id),
            Route::Instances => self.instances(state, asked),
            Route::PolicyAssignments => self.policy_assignments(state, asked),
            Route::PolicyRules(id) => self.policy_rules(state, asked, id),
            Route::Unknown => Err(Refusal::segment()),
        }
    }
}

impl Trace {
    fn of(headers: &http::HeaderMap, now: Timestamp) -> Self {
        let client = header_text(headers, "client-request-id").map(str::to_owned);
        Self::new(client, now)
    }

    fn write(&self, response: &mut Response<Bytes>) {
        set_header(response, "request-id", &self.request_id);
        set_header(response, "client-request-id", self.client());
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
