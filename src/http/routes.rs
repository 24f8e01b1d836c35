//! Every public route with who may call it: the one table that router, check of roles, OpenAPI document and tests read.
//!
//! A new route is a handler with `#[utoipa::path(…)]` and one line here. The handler takes `Admitted`, which only the
//! check in this file makes, or takes none and learns nothing of its caller.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::MethodRouter,
};
use utoipa::OpenApi;

use super::{
    Api, acting, assignments,
    auth::{Caller, Visible},
    caller::{Admitted, Sees},
    checkpoint, document,
    error::Problem,
    events, evidence, export, findings, health, page, proof, requests, summary, webhook,
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever proves itself by the scheme of the connection it names.
    Anybody,
    /// Everybody: it tells nothing of anyone.
    Public,
    /// An auditor or operator; a requester, who sees own requests only.
    Reader,
    /// An auditor or operator.
    Auditor,
    /// An operator.
    Operator,
}

/// One line of the table.
pub struct Route {
    /// In lower case, as the OpenAPI document has it.
    pub method: &'static str,
    /// With its parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub who: Who,
    handler: MethodRouter<Arc<Api>>,
}

macro_rules! table {
    ($($method:ident $path:literal $who:ident $module:ident::$handler:ident)*) => {
        /// Every public route.
        #[must_use]
        pub fn table() -> Vec<Route> {
            vec![$(Route {
                method: stringify!($method),
                path: $path,
                who: Who::$who,
                handler: axum::routing::$method($module::$handler),
            }),*]
        }

        /// What the handlers say of themselves.
        #[derive(OpenApi)]
        #[openapi(paths($($module::$handler),*), components(schemas(Problem)))]
        pub(super) struct Handlers;
    };
}

table! {
    post "/webhooks/{connection}"   Anybody  webhook::receive
    get  "/openapi.json"            Public   document::openapi
    get  "/docs"                    Public   page::docs
    get  "/v1/requests"             Reader   requests::list
    get  "/v1/requests/export"      Auditor  export::export
    get  "/v1/requests/{id}"        Reader   requests::show
    get  "/v1/requests/{id}/evidence" Auditor evidence::show
    get  "/v1/audit/checkpoint"     Auditor  checkpoint::show
    get  "/v1/audit/proof"          Auditor  proof::show
    get  "/v1/audit/events"         Auditor  events::list
    post "/v1/requests/{id}/revoke" Operator acting::revoke
    post "/v1/requests/{id}/retry"  Operator acting::retry
    get  "/v1/assignments"          Auditor  assignments::list
    get  "/v1/summary"              Auditor  summary::show
    get  "/v1/health"               Auditor  health::show
    get  "/v1/findings"             Auditor  findings::list
    post "/v1/findings/{id}/acknowledge" Operator findings::acknowledge
}

/// The table as a router, each route behind the check of its callers.
pub(super) fn router(api: &Arc<Api>) -> Router<Arc<Api>> {
    table().into_iter().fold(Router::new(), |router, route| {
        let checked = match route.who {
            Who::Anybody | Who::Public => route.handler,
            who => route.handler.route_layer(from_fn_with_state((Arc::clone(api), who), admit)),
        };
        router.route(route.path, checked)
    })
}

/// Lets a caller on to the handler, with what it may see there.
async fn admit(
    State((api, who)): State<(Arc<Api>, Who)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = api.tokens.caller(request.headers()).await?;
    let sees = who.sees(&api, &caller).ok_or_else(|| Problem::forbidden("the token's roles do not allow this"))?;
    request.extensions_mut().insert(Admitted { caller, sees });
    Ok(next.run(request).await)
}

impl Who {
    /// The roles of which a caller needs one; each but the last also counts for one tenant, as `Stint.Auditor.contoso`.
    #[must_use]
    pub fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Anybody | Self::Public => &[],
            Self::Reader => &["Stint.Auditor", "Stint.Operator", "Stint.Requester"],
            Self::Auditor => &["Stint.Auditor", "Stint.Operator"],
            Self::Operator => &["Stint.Operator"],
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Anybody => "Whoever proves itself by the connection's own scheme.",
            Self::Public => "Everybody, without a token.",
            Self::Reader => "Auditors and operators; requesters see their own requests.",
            Self::Auditor => "Auditors and operators.",
            Self::Operator => "Operators.",
        }
    }

    /// What this caller may see on such a route; `None`: it may not call it.
    fn sees(self, api: &Api, caller: &Caller) -> Option<Sees> {
        let tenants = match self {
            Self::Anybody | Self::Public => return None,
            Self::Reader | Self::Auditor => caller.roles.tenants_visible(),
            Self::Operator => caller.roles.tenants_operated().clone(),
        };
        match tenants {
            Visible::All => Some(Sees::Everything),
            Visible::Some(tenants) if !tenants.is_empty() => Some(Sees::Tenants(tenants)),
            Visible::Some(_) if self == Self::Reader && caller.roles.is_requester() => Some(own(api, caller)),
            Visible::Some(_) => None,
        }
    }
}

/// A requester's own: by object id, in the tenant that issued the token.
fn own(api: &Api, caller: &Caller) -> Sees {
    let of_issuer = api.tenant_ids.iter().filter(|(_, id)| **id == caller.tenant);
    Sees::Own { by: caller.oid, tenants: of_issuer.map(|(name, _)| name.clone()).collect() }
}
