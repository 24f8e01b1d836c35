//! Role definitions.

use serde_json::{Value, json};

use super::query::Query;
use super::refusal::Refusal;
use super::state::State;
use super::{Asked, Graph, Outcome};

impl Graph {
    pub(super) fn role_definition(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let query = Query::of(asked.request.uri())?;
        let key = id.to_ascii_lowercase();
        let tenant = state.tenant(asked.caller.tenant);
        let name = tenant.roles.get(&key).ok_or_else(|| Refusal::pim_object(id))?;
        let mut row = query.select(role_row(&key, name));
        let context = "roleManagement/directory/roleDefinitions/$entity";
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#{context}", self.url));
        Ok((200, Some(row)))
    }

    pub(super) fn role_definitions(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        let page_size = state.knobs.page_size;
        let tenant = state.tenant(asked.caller.tenant);
        let rows = tenant.roles.iter().map(|(id, name)| role_row(id, name)).collect();
        Ok((200, Some(query.page(&self.url, uri, rows, page_size))))
    }
}

fn role_row(id: &str, name: &str) -> Value {
    json!({
        "id": id,
        "displayName": name,
        "templateId": id,
        "description": format!("{name} (sandbox)"),
        "isBuiltIn": true,
        "isEnabled": true,
        "resourceScopes": ["/"],
        "rolePermissions": [],
        "version": "1",
    })
}
