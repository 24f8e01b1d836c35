//! Everything this Graph remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::super::call::Calls;
use super::super::fault::Queue;
use super::fault::{FaultKind, On};
use super::knobs::Knobs;
use super::ledger::{Entry, Grant};
use super::policy::RolePolicy;
use super::route::Route;
use super::{Asked, User};

#[derive(Default)]
pub(super) struct State {
    pub(super) knobs: Knobs,
    pub(super) faults: Queue<On, FaultKind>,
    pub(super) ledger: Vec<Entry>,
    pub(super) calls: Calls,
    tenants: HashMap<Uuid, Tenant>,
}

/// One tenant's directory and PIM. Ids are keyed in lower case.
#[derive(Default)]
pub(super) struct Tenant {
    /// Faults that strike only calls of this tenant.
    pub(super) faults: Queue<On, FaultKind>,
    pub(super) users: BTreeMap<String, User>,
    /// Members, direct or not, by group.
    pub(super) groups: HashMap<String, BTreeSet<String>>,
    pub(super) roles: BTreeMap<String, String>,
    pub(super) policies: HashMap<String, RolePolicy>,
    pub(super) requests: Vec<ScheduleRequest>,
    pub(super) assignments: Vec<Assignment>,
}

/// Principal, role, scope: what may be assigned only once at a time.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Triple {
    pub(super) principal: String,
    pub(super) role: String,
    pub(super) scope: String,
}

/// PIM's request object.
pub(super) struct ScheduleRequest {
    pub(super) id: String,
    pub(super) action: &'static str,
    pub(super) triple: Triple,
    pub(super) client_id: String,
    pub(super) justification: Option<String>,
    pub(super) ticket: (Option<String>, Option<String>),
    pub(super) created: Timestamp,
    pub(super) shown_from: Timestamp,
    /// Absent on a removal.
    pub(super) window: Option<Window>,
    pub(super) canceled: bool,
    /// When reads begin to show that its assignment was removed.
    pub(super) revoked_from: Option<Timestamp>,
}

/// From when to when, and how that was asked for.
#[derive(Clone)]
pub(super) struct Window {
    /// Absent when it will never start.
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) granted_until: Timestamp,
    /// The caller asked for a start in the future.
    pub(super) scheduled: bool,
    pub(super) asked_type: &'static str,
    pub(super) asked_duration: Option<String>,
    pub(super) asked_end: Option<Timestamp>,
}

/// What PIM gives for a while.
pub(super) struct Assignment {
    pub(super) schedule_id: String,
    pub(super) instance_id: String,
    pub(super) request_id: Option<String>,
    pub(super) triple: Triple,
    pub(super) created: Timestamp,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) scheduled: bool,
    pub(super) removed_at: Option<Timestamp>,
    pub(super) shown_from: Timestamp,
    pub(super) hidden_from: Option<Timestamp>,
    pub(super) foreign: bool,
    pub(super) justification: Option<String>,
}

impl State {
    pub(super) fn tenant(&mut self, id: Uuid) -> &mut Tenant {
        self.tenants.entry(id).or_default()
    }

    /// Reads leave no trace in the ledger; a refused write does.
    pub(super) fn record_refused(&mut self, route: &Route, asked: &Asked, error: &str) {
        let mut entry = match route {
            Route::CreateRequest => Entry::of_body(asked),
            Route::CancelRequest(id) => {
                let request = self.tenant(asked.caller.tenant).requests.iter().find(|request| request.id == *id);
                Entry::of_cancel(asked, id, request)
            }
            _ => return,
        };
        entry.error = Some(error.to_owned());
        self.ledger.push(entry);
    }
}

impl Tenant {
    /// The direct assignment of the triple that is running or still to come.
    pub(super) fn live(&mut self, triple: &Triple, now: Timestamp) -> Option<&mut Assignment> {
        self.assignments.iter_mut().find(|assignment| assignment.triple == *triple && !assignment.is_over(now))
    }
}

impl Triple {
    pub(super) fn new(principal: &str, role: &str, scope: &str) -> Self {
        Self { principal: principal.to_ascii_lowercase(), role: role.to_ascii_lowercase(), scope: scope.to_owned() }
    }
}

impl Assignment {
    pub(super) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        let expired = self.end.filter(|end| *end <= now);
        match (self.removed_at, expired) {
            (Some(removed), Some(expired)) => Some(removed.min(expired)),
            (removed, expired) => removed.or(expired),
        }
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at(now).is_some()
    }

    pub(super) fn is_active(&self, now: Timestamp) -> bool {
        self.start.is_some_and(|start| start <= now) && !self.is_over(now)
    }

    /// Accepted for now, not yet provisioned.
    pub(super) fn is_in_flight(&self, now: Timestamp) -> bool {
        !self.scheduled && self.start.is_none_or(|start| now < start)
    }

    /// Whether reads show it; they lag behind writes, not behind the clock.
    pub(super) fn is_shown(&self, now: Timestamp) -> bool {
        let removed = self.hidden_from.is_some_and(|from| from <= now);
        let expired = self.end.is_some_and(|end| end <= now);
        self.shown_from <= now && !removed && !expired
    }

    pub(super) fn grant(&self, now: Timestamp) -> Grant {
        Grant {
            principal: self.triple.principal.clone(),
            role: self.triple.role.clone(),
            scope: self.triple.scope.clone(),
            start: self.start.filter(|start| *start <= now),
            end: self.end,
            ended_at: self.ended_at(now),
            foreign: self.foreign,
            request_id: self.request_id.clone(),
            schedule_id: self.schedule_id.clone(),
            justification: self.justification.clone(),
        }
    }
}

impl Entry {
    /// What the body says, unverified.
    pub(super) fn of_body(asked: &Asked) -> Self {
        let body: Value = serde_json::from_slice(asked.request.body()).unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            action: text("/action").unwrap_or_default(),
            principal: text("/principalId").unwrap_or_default(),
            role: text("/roleDefinitionId").unwrap_or_default(),
            scope: text("/directoryScopeId").unwrap_or_default(),
            justification: text("/justification"),
            ticket_number: text("/ticketInfo/ticketNumber"),
            ticket_system: text("/ticketInfo/ticketSystem"),
            duration: text("/scheduleInfo/expiration/duration"),
            ..Self::of_call(asked)
        }
    }

    pub(super) fn of_cancel(asked: &Asked, id: &str, request: Option<&ScheduleRequest>) -> Self {
        let mut entry = Self { action: "cancel".to_owned(), request_id: Some(id.to_owned()), ..Self::of_call(asked) };
        if let Some(request) = request {
            entry.principal.clone_from(&request.triple.principal);
            entry.role.clone_from(&request.triple.role);
            entry.scope.clone_from(&request.triple.scope);
            entry.justification.clone_from(&request.justification);
        }
        entry
    }

    fn of_call(asked: &Asked) -> Self {
        Self {
            at: asked.now,
            tenant: asked.caller.tenant,
            client_id: asked.caller.client_id.clone(),
            client_request_id: asked.trace.client_request_id.clone(),
            ..Self::default()
        }
    }
}
