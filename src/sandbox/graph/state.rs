//! Everything this Graph remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::super::call::Calls;
use super::super::fault::Queue;
use super::assignment::Assignment;
use super::fault::{FaultKind, On};
use super::knobs::Knobs;
use super::ledger::Entry;
use super::policy::{PolicyKey, RolePolicy};
use super::route::Route;
use super::surface::{Access, Surface, What};
use super::traffic::Traffic;
use super::{Asked, Group, ServicePrincipal, User};

#[derive(Default)]
pub(super) struct State {
    pub(super) knobs: Knobs,
    pub(super) faults: Queue<On, FaultKind>,
    pub(super) ledger: Vec<Entry>,
    pub(super) calls: Calls,
    pub(super) traffic: Traffic,
    tenants: HashMap<Uuid, Tenant>,
}

/// One tenant's directory and PIM. Ids are keyed in lower case.
#[derive(Default)]
pub(super) struct Tenant {
    /// Faults that strike only calls of this tenant.
    pub(super) faults: Queue<On, FaultKind>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) service_principals: BTreeMap<String, ServicePrincipal>,
    pub(super) administrative_units: BTreeSet<String>,
    /// The permissions of each application that does not have them all, by client id.
    pub(super) permissions: HashMap<String, BTreeSet<String>>,
    pub(super) unlicensed: bool,
    /// Members, direct or not, by group.
    pub(super) members: HashMap<String, BTreeSet<String>>,
    pub(super) roles: BTreeMap<String, String>,
    /// Roles that can only be given for the whole tenant.
    pub(super) unscopable: BTreeSet<String>,
    /// With the time of the last edit.
    pub(super) policies: HashMap<PolicyKey, (RolePolicy, Timestamp)>,
    pub(super) requests: Vec<ScheduleRequest>,
    pub(super) assignments: Vec<Assignment>,
}

/// Principal and what they hold: what may be given directly only once at a time.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) principal: String,
    pub(super) what: What,
}

/// PIM's request object.
pub(super) struct ScheduleRequest {
    pub(super) id: String,
    pub(super) action: &'static str,
    pub(super) holding: Holding,
    pub(super) client_id: String,
    pub(super) justification: Option<String>,
    pub(super) ticket: (Option<String>, Option<String>),
    pub(super) created: Timestamp,
    pub(super) shown_from: Timestamp,
    /// Absent on a removal.
    pub(super) window: Option<Window>,
    /// The schedule that it made; absent on a removal.
    pub(super) target_schedule: Option<String>,
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

impl State {
    pub(super) fn tenant(&mut self, id: Uuid) -> &mut Tenant {
        self.tenants.entry(id).or_default()
    }

    /// Reads leave no trace in the ledger; a refused write does.
    pub(super) fn record_refused(&mut self, route: &Route, asked: &Asked, error: &str) {
        let mut entry = match route {
            Route::CreateRequest(surface) => Entry::of_body(asked, *surface),
            Route::CancelRequest(_, id) => {
                let request = self.tenant(asked.caller.tenant).requests.iter().find(|request| request.id == *id);
                Entry::of_cancel(asked, id, request)
            }
            Route::RevokeSessions(id) => Entry { principal: id.to_ascii_lowercase(), ..Entry::of_sessions(asked) },
            _ => return,
        };
        entry.error = Some(error.to_owned());
        self.ledger.push(entry);
    }
}

impl Tenant {
    /// The direct assignment of the holding that is running or still to come; the newest, when one waits to replace
    /// another.
    pub(super) fn live(&mut self, holding: &Holding, now: Timestamp) -> Option<&mut Assignment> {
        self.assignments.iter_mut().rev().find(|row| row.is_direct() && row.holding == *holding && !row.is_over(now))
    }
}

impl Holding {
    pub(super) fn new(principal: &str, what: What) -> Self {
        Self { principal: principal.to_ascii_lowercase(), what }
    }
}

impl Entry {
    /// What the body says, unverified.
    pub(super) fn of_body(asked: &Asked, surface: Surface) -> Self {
        let body: Value = serde_json::from_slice(asked.request.body()).unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            action: text("/action").unwrap_or_default(),
            surface,
            principal: text("/principalId").unwrap_or_default(),
            role: text("/roleDefinitionId").unwrap_or_default(),
            scope: text("/directoryScopeId").unwrap_or_default(),
            group: text("/groupId"),
            access: text("/accessId").and_then(|access| Access::parse(&access)),
            justification: text("/justification"),
            ticket_number: text("/ticketInfo/ticketNumber"),
            ticket_system: text("/ticketInfo/ticketSystem"),
            duration: text("/scheduleInfo/expiration/duration"),
            validation_only: body["isValidationOnly"] == true,
            ..Self::of_call(asked)
        }
    }

    pub(super) fn of_cancel(asked: &Asked, id: &str, request: Option<&ScheduleRequest>) -> Self {
        let mut entry = Self { action: "cancel".to_owned(), request_id: Some(id.to_owned()), ..Self::of_call(asked) };
        if let Some(request) = request {
            entry.about(&request.holding.principal, &request.holding.what);
            entry.justification.clone_from(&request.justification);
        }
        entry
    }

    pub(super) fn of_sessions(asked: &Asked) -> Self {
        Self { action: "revokeSignInSessions".to_owned(), ..Self::of_call(asked) }
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
