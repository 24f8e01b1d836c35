//! Microsoft Graph, small: users, groups, service principals, role definitions, PIM with its four surfaces
//! ([`Surface`]) and its policies.
//!
//! A call is first asked who makes it (the token names the tenant), then whether a [`Fault`] is waiting for it and
//! whether the tenant calls too often, then whether the application may, and only then answered. One PIM engine
//! (`pim.rs`) keeps the truth; what reads show of it bends under [`Knobs`]. Whatever changed, or tried to, stands in
//! the ledger.

mod assignment;
mod control;
mod control_pim;
mod directory;
mod fault;
mod group;
mod hand;
mod knobs;
mod ledger;
mod object;
mod permission;
mod pim;
mod policies;
mod policy;
mod query;
mod reads;
mod refusal;
mod render;
mod replace;
mod roles;
mod route;
mod rules;
mod service_principal;
mod state;
mod surface;
mod target;
mod traffic;
mod wish;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;

use self::fault::Effect;
use self::refusal::{Refusal, Trace};
use self::route::Route;
use self::state::State;
use self::traffic::InFlight;
use super::entra::Caller;
use super::server::Answer;
use super::wire::{bearer, empty, header_text, json, lock, plus_seconds, set_header};
use super::{Entra, Now};

pub use self::directory::User;
pub use self::fault::{Fault, FaultKind, On};
pub use self::group::Group;
pub use self::knobs::{Casing, Knobs};
pub use self::ledger::{Entry, Grant, Held};
pub use self::policy::RolePolicy;
pub use self::service_principal::ServicePrincipal;
pub use self::surface::{Access, Level, Surface, What};
pub use self::traffic::MostInFlight;

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
        let now = self.time();
        let trace = Trace::of(request.headers(), now);
        let caller = bearer(request.headers()).and_then(|token| self.entra.caller(token));
        let mut answer = match caller {
            Some(caller) => self.attend(&Asked { caller, now, trace, request }),
            None => Answer::Reply(Refusal::token().answer(&trace, false)),
        };
        answer.date(now);
        lock(&self.state).calls.record(request, now, answer.status());
        answer
    }

    /// The time on Graph's own clock.
    fn time(&self) -> Timestamp {
        let skew = lock(&self.state).knobs.clock_skew_seconds;
        plus_seconds((self.now)(), skew)
    }

    /// Faults of the infrastructure come before the service (nothing happened) or after it (it did happen).
    fn attend(&self, asked: &Asked) -> Answer {
        let route = Route::of(asked.request.method(), asked.request.uri().path());
        let in_flight = InFlight::begin(&self.state, asked.caller.tenant, route.writes());
        let mut state = lock(&self.state);
        let latency = Duration::from_millis(state.knobs.latency_ms);
        let on = route.on(asked.request.body());
        let own = state.tenant(asked.caller.tenant).faults.take(|waiting| waiting.matches(on));
        let fault = own.or_else(|| state.faults.take(|waiting| waiting.matches(on)));
        let answer = match fault.map_or(Effect::None, FaultKind::effect) {
            Effect::None => Answer::Reply(self.reply(&mut state, &route, asked)),
            Effect::Instead(play) => {
                state.record_refused(&route, asked, "fault before commit");
                play.answer(&asked.trace, asked.now, || empty(500))
            }
            Effect::After(play) => {
                let reply = self.reply(&mut state, &route, asked);
                play.answer(&asked.trace, asked.now, || reply)
            }
        };
        Answer::Held { answer: Box::new(answer), latency, until_answered: Box::new(in_flight) }
    }

    fn reply(&self, state: &mut State, route: &Route, asked: &Asked) -> Response<Bytes> {
        let limit = state.knobs.calls_per_ten_seconds;
        let counted = state.traffic.count(asked.caller.tenant, limit, asked.now);
        let outcome = counted.map_err(|_| Refusal::throttled()).and_then(|()| self.serve(state, route, asked));
        let mut response = match outcome {
            Ok((status, Some(body))) => json(status, &body),
            Ok((status, None)) => empty(status),
            Err(refusal) => {
                state.record_refused(route, asked, &refusal.code);
                refusal.answer(&asked.trace, state.knobs.wrap_errors)
            }
        };
        if let Err(seconds) = counted {
            set_header(&mut response, "retry-after", &seconds.to_string());
        }
        asked.trace.write(&mut response);
        response
    }

    fn serve(&self, state: &mut State, route: &Route, asked: &Asked) -> Outcome {
        state.admit(route, asked)?;
        match route {
            Route::User(id) => self.user(state, asked, id),
            Route::Users => self.users(state, asked),
            Route::CheckMemberGroups(among, id) => self.check_member_groups(state, asked, *among, id),
            Route::RevokeSessions(id) => self.revoke_sessions(state, asked, id),
            Route::Group(id) => self.group(state, asked, id),
            Route::AdministrativeUnit(id) => self.administrative_unit(state, asked, id),
            Route::DirectoryObject(id) => self.directory_object(state, asked, id),
            Route::ServicePrincipal(key) => self.service_principal(state, asked, key),
            Route::AppRoleAssignments(key) => self.app_role_assignments(state, asked, key),
            Route::RoleDefinition(id) => self.role_definition(state, asked, id),
            Route::RoleDefinitions => self.role_definitions(state, asked),
            Route::CreateRequest(surface) => self.create_request(state, asked, *surface),
            Route::CancelRequest(surface, id) => Self::cancel_request(state, asked, *surface, id),
            Route::Request(surface, id) => self.schedule_request(state, asked, *surface, id),
            Route::Requests(surface) => self.schedule_requests(state, asked, *surface),
            Route::Schedule(surface, id) => self.schedule(state, asked, *surface, id),
            Route::Schedules(surface) => self.schedules(state, asked, *surface),
            Route::Instance(surface, id) => self.instance(state, asked, *surface, id),
            Route::Instances(surface) => self.instances(state, asked, *surface),
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
mod directory_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod oddity_tests;
#[cfg(test)]
mod permission_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod surface_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traffic_tests;
#[cfg(test)]
mod update_tests;
