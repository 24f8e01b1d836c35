//! Service principals, and which permissions they hold (`contracts/graph.md §9.4, §12`).

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::permission::APP_ROLES;
use super::query::Query;
use super::refusal::Refusal;
use super::state::{State, Tenant};
use super::{Asked, Graph, Outcome};

/// The application id of Microsoft Graph itself, the same everywhere.
const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";
/// The object id of its service principal, which differs between real tenants.
const GRAPH_OBJECT_ID: &str = "6a1f0c9d-52e8-4b37-8d40-91c2e3f4a5b6";

/// An application's presence in the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Object id; this is what PIM wants as a principal.
    pub id: String,
    /// The application's (client) id.
    pub app_id: String,
    /// `displayName`
    pub name: String,
    /// `accountEnabled`
    pub enabled: bool,
    /// PIM does not know principals that are too young ([`Knobs`](super::Knobs)).
    pub created_at: Timestamp,
}

impl ServicePrincipal {
    /// An enabled application, long known to PIM.
    #[must_use]
    pub fn application(id: &str, app_id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            app_id: app_id.to_owned(),
            name: name.to_owned(),
            enabled: true,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn row(&self) -> Value {
        json!({
            "id": self.id,
            "appId": self.app_id,
            "displayName": self.name,
            "accountEnabled": self.enabled,
            "servicePrincipalType": "Application",
        })
    }
}

impl Graph {
    pub(super) fn service_principal(&self, state: &mut State, asked: &Asked, key: &str) -> Outcome {
        let query = Query::of(asked.request.uri())?;
        let found = state.tenant(asked.caller.tenant).find_service_principal(key)?;
        let mut row = query.select(found.row());
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#servicePrincipals/$entity", self.url));
        Ok((200, Some(row)))
    }

    /// The permissions that were granted to it; all that there are for an application nobody has limited.
    pub(super) fn app_role_assignments(&self, state: &mut State, asked: &Asked, key: &str) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        let page_size = state.knobs.page_size;
        let tenant = state.tenant(asked.caller.tenant);
        let principal = tenant.find_service_principal(key)?;
        let granted = APP_ROLES.iter().filter(|(name, _)| tenant.permits(&principal.app_id, &[name]));
        let rows = granted.map(|(_, id)| app_role_row(&principal, id)).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, page_size))))
    }
}

fn app_role_row(principal: &ServicePrincipal, app_role: &str) -> Value {
    // Stable from call to call, as a stored object's id is.
    let of_role = app_role.parse::<Uuid>().unwrap_or_default().as_u128();
    let of_principal = principal.id.parse::<Uuid>().unwrap_or_default().as_u128();
    json!({
        "id": Uuid::from_u128(of_role ^ of_principal).simple().to_string(),
        "appRoleId": app_role,
        "principalDisplayName": principal.name,
        "principalId": principal.id,
        "principalType": "ServicePrincipal",
        "resourceDisplayName": "Microsoft Graph",
        "resourceId": GRAPH_OBJECT_ID,
    })
}

impl Tenant {
    /// By object id, or by `servicePrincipals(appId='…')`. Every tenant has Microsoft Graph's own.
    fn find_service_principal(&self, key: &str) -> Result<ServicePrincipal, Refusal> {
        let by_app = key.strip_prefix("servicePrincipals(appId='").and_then(|rest| rest.strip_suffix("')"));
        let graph = ServicePrincipal::application(GRAPH_OBJECT_ID, GRAPH_APP_ID, "Microsoft Graph");
        let mut all = self.service_principals.values().chain([&graph]);
        let found = all.find(|known| match by_app {
            Some(app_id) => known.app_id.eq_ignore_ascii_case(app_id),
            None => known.id.eq_ignore_ascii_case(key),
        });
        found.cloned().ok_or_else(|| Refusal::directory_object(by_app.unwrap_or(key)))
    }
}
