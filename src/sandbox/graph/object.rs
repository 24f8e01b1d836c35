//! Objects of the directory by their id alone, and administrative units (`contracts/graph.md §12`).

use serde_json::{Value, json};

use super::query::Query;
use super::refusal::Refusal;
use super::state::{State, Tenant};
use super::{Asked, Graph, Outcome};

/// Whose groups are asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// By object id or user principal name.
    Users,
    Groups,
    ServicePrincipals,
}

impl Graph {
    pub(super) fn administrative_unit(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let key = id.to_ascii_lowercase();
        let known = state.tenant(asked.caller.tenant).administrative_units.contains(&key);
        if !known {
            return Err(Refusal::directory_object(id));
        }
        self.one(asked, "administrativeUnits", unit_row(&key))
    }

    /// What kind of object it is stands in `@odata.type`.
    pub(super) fn directory_object(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let row = state.tenant(asked.caller.tenant).object(&id.to_ascii_lowercase());
        let (kind, row) = row.ok_or_else(|| Refusal::directory_object(id))?;
        let mut answer = self.one(asked, "directoryObjects", row)?;
        if let (_, Some(body)) = &mut answer {
            body["@odata.type"] = json!(format!("#microsoft.graph.{kind}"));
        }
        Ok(answer)
    }

    fn one(&self, asked: &Asked, collection: &str, row: Value) -> Outcome {
        let mut row = Query::of(asked.request.uri())?.select(row);
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#{collection}/$entity", self.url));
        Ok((200, Some(row)))
    }
}

impl Tenant {
    fn object(&self, id: &str) -> Option<(&'static str, Value)> {
        let user = self.users.get(id).map(|user| ("user", json!({"id": user.id, "displayName": user.name})));
        let group = self.groups.get(id).map(|group| ("group", json!({"id": group.id, "displayName": group.name})));
        let principal = self.service_principals.get(id);
        let principal = principal.map(|known| ("servicePrincipal", json!({"id": known.id, "displayName": known.name})));
        let unit = self.administrative_units.get(id).map(|id| ("administrativeUnit", unit_row(id)));
        user.or(group).or(principal).or(unit)
    }

    /// The object id of who is named among those.
    pub(super) fn find_among(&self, among: Among, id: &str) -> Option<String> {
        let key = id.to_ascii_lowercase();
        match among {
            Among::Users => self.users.values().find(|user| user.is(id)).map(|user| user.id.clone()),
            Among::Groups => self.groups.get(&key).map(|group| group.id.clone()),
            Among::ServicePrincipals => self.service_principals.get(&key).map(|known| known.id.clone()),
        }
    }
}

fn unit_row(id: &str) -> Value {
    json!({"id": id, "displayName": format!("Unit {id}"), "description": null, "visibility": null})
}
