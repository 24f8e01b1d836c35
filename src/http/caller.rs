//! A caller whose role was checked, and what it may see.

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::Value;
use tracing::error;

use super::{
    Api,
    auth::{Caller, Visible},
    error::Problem,
};
use crate::{
    domain::{
        audit::Actor,
        id::{ObjectId, RequestId, TenantName},
    },
    store::{
        HistoryRead,
        history::{Filter, Reading},
    },
};

/// A caller who may call this route. Handlers take it as an argument.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub caller: Caller,
    pub sees: Sees,
}

/// What a caller may see on the route it called. What concerns no tenant is seen only by those who see everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    /// Every tenant, and what has none.
    Everything,
    /// What concerns these tenants.
    Tenants(BTreeSet<TenantName>),
    /// Requests for this principal, in the tenants that have issued its token.
    Own { by: ObjectId, tenants: Vec<String> },
}

/// What was read, to be put down in the audit log.
pub(super) struct Read {
    /// What, such as `requests`.
    pub what: &'static str,
    /// The one request it was about, where it was one.
    pub request: Option<RequestId>,
    /// What it was narrowed down to.
    pub filter: Value,
    /// How many entries are given out.
    pub count: u64,
}

impl<S: Sync> FromRequestParts<S> for Admitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| {
            error!("a handler asks for a caller on a route that lets nobody in by role");
            Problem::internal()
        })
    }
}

impl Admitted {
    /// The caller, as the audit log names it.
    pub fn actor(&self) -> Actor {
        Actor::caller(self.caller.tenant, self.caller.oid)
    }

    /// What the caller may read, where the route it called is for those who may act.
    pub fn reads(&self) -> Sees {
        match self.caller.roles.tenants_visible() {
            Visible::All => Sees::Everything,
            Visible::Some(tenants) => Sees::Tenants(tenants),
        }
    }

    /// Whether the caller may read what belongs to this tenant, or to none.
    pub fn may_read(&self, tenant: Option<&TenantName>) -> bool {
        tenant.map_or(self.caller.roles.tenants_visible() == Visible::All, |t| self.caller.roles.is_auditor_for(t))
    }

    /// Whether the caller may act on what belongs to this tenant, or to none.
    pub fn may_operate(&self, tenant: Option<&TenantName>) -> bool {
        let roles = &self.caller.roles;
        tenant.map_or(*roles.tenants_operated() == Visible::All, |tenant| roles.is_operator_for(tenant))
    }

    /// This filter, cut down to what the caller may see.
    pub fn narrowed(&self, filter: Filter) -> Filter {
        Filter { visible_tenants: self.sees.tenants(), own: self.sees.own(), ..filter }
    }
}

impl Sees {
    /// The names of the tenants to which it is limited; `None`: not limited.
    pub fn tenants(&self) -> Option<Vec<String>> {
        match self {
            Self::Everything => None,
            Self::Tenants(tenants) => Some(tenants.iter().map(ToString::to_string).collect()),
            Self::Own { tenants, .. } => Some(tenants.clone()),
        }
    }

    /// The principal to whom it is limited; `None`: not limited.
    pub fn own(&self) -> Option<uuid::Uuid> {
        match self {
            Self::Own { by, .. } => Some(by.0),
            Self::Everything | Self::Tenants(_) => None,
        }
    }
}

impl Api {
    /// Puts down that this caller reads history. Only then may the answer be given.
    ///
    /// # Errors
    /// 503 when it cannot be put down.
    pub(super) async fn note_reading(&self, by: &Admitted, read: Read) -> Result<(), Problem> {
        self.put_down(None, by, read).await
    }

    /// The same, on the connection on which it was read.
    ///
    /// # Errors
    /// 503 when it cannot be put down.
    pub(super) async fn note_on(&self, reading: &mut Reading, by: &Admitted, read: Read) -> Result<(), Problem> {
        self.put_down(Some(reading), by, read).await
    }

    async fn put_down(&self, reading: Option<&mut Reading>, by: &Admitted, read: Read) -> Result<(), Problem> {
        let tenants = by.sees.tenants().unwrap_or_default();
        let asked = read.filter.get("tenant").and_then(Value::as_str).map(str::to_owned);
        // Who asks for a tenant that it may not see reads nothing of it.
        let tenant = match (&by.sees, &tenants[..]) {
            (Sees::Everything, _) => asked,
            (_, [one]) => Some(one.clone()),
            (_, several) => asked.filter(|asked| several.contains(asked)),
        };
        let mut filter = read.filter;
        // A tenant's own auditors learn from its events of no other tenant.
        if let Some(filter) = filter.as_object_mut().filter(|_| tenant.is_some()) {
            filter.remove("visible_tenants");
        }
        let entry = HistoryRead {
            at: self.clock.now(),
            actor: &by.actor(),
            request: read.request,
            tenant: tenant.as_deref(),
            what: read.what,
            filter,
            count: read.count,
        };
        let noted = match reading {
            Some(reading) => reading.note(&entry).await,
            None => self.store.note_reading(&entry).await,
        };
        noted.map_err(|problem| {
            error!(%problem, "a reading could not be put down, so nothing is given out");
            Problem::unavailable("that you read this cannot be recorded now", 30)
        })
    }
}
