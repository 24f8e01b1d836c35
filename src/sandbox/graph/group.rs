//! Groups, and who is in them (`contracts/graph.md §3, §12`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::assignment::Assignment;
use super::object::Among;
use super::query::Query;
use super::refusal::Refusal;
use super::state::{State, Tenant};
use super::surface::{Access, What};
use super::{Asked, Graph, Outcome};

/// A group as Entra knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Object id.
    pub id: String,
    /// `displayName`
    pub name: String,
    /// Whether it may hold roles; fixed at its creation.
    pub role_assignable: bool,
    /// A rule decides who is in it; PIM refuses it.
    pub dynamic: bool,
    /// Synchronised from on-premises; PIM refuses it.
    pub on_premises: bool,
    /// PIM does not know groups that are too young ([`Knobs`](super::Knobs)).
    pub created_at: Timestamp,
}

impl Group {
    /// A plain security group, long known to PIM, that cannot hold roles.
    #[must_use]
    pub fn security(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            role_assignable: false,
            dynamic: false,
            on_premises: false,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// `isAssignableToRole` and `onPremisesSyncEnabled` are null where they are not true.
    fn row(&self) -> Value {
        let types: &[&str] = if self.dynamic { &["DynamicMembership"] } else { &[] };
        json!({
            "id": self.id,
            "displayName": self.name,
            "isAssignableToRole": self.role_assignable.then_some(true),
            "securityEnabled": true,
            "mailEnabled": false,
            "groupTypes": types,
            "membershipRule": self.dynamic.then_some("(user.department -eq \"IT\")"),
            "onPremisesSyncEnabled": self.on_premises.then_some(true),
            "createdDateTime": self.created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    }
}

impl Graph {
    pub(super) fn group(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let query = Query::of(asked.request.uri())?;
        let group = state.tenant(asked.caller.tenant).groups.get(&id.to_ascii_lowercase());
        let group = group.ok_or_else(|| Refusal::directory_object(id))?;
        let mut row = query.select(group.row());
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#groups/$entity", self.url));
        Ok((200, Some(row)))
    }

    /// Those of the groups asked about that the user, group or service principal is in.
    pub(super) fn check_member_groups(&self, state: &mut State, asked: &Asked, among: Among, id: &str) -> Outcome {
        let body: Value = serde_json::from_slice(asked.request.body())
            .map_err(|_| Refusal::bad("Unable to read JSON request payload."))?;
        let groups = body["groupIds"].as_array().ok_or_else(|| Refusal::bad("The property 'groupIds' is required."))?;
        let tenant = state.tenant(asked.caller.tenant);
        let who = tenant.find_among(among, id).ok_or_else(|| Refusal::directory_object(id))?;
        let is_in = |group: &&Value| group.as_str().is_some_and(|group| tenant.is_member(group, &who, asked.now));
        let found: Vec<_> = groups.iter().filter(is_in).collect();
        let context = format!("{}/v1.0/$metadata#Collection(Edm.String)", self.url);
        Ok((200, Some(json!({ "@odata.context": context, "value": found }))))
    }
}

impl Tenant {
    /// In the group for good, or for as long as PIM gives it.
    fn is_member(&self, group: &str, principal: &str, now: Timestamp) -> bool {
        let principal = principal.to_ascii_lowercase();
        let place = What::group(group, Access::Member);
        let for_good =
            self.members.get(&group.to_ascii_lowercase()).is_some_and(|members| members.contains(&principal));
        let given = |row: &Assignment| row.holding.principal == principal && row.holding.what == place;
        for_good || self.assignments.iter().any(|row| given(row) && row.is_active(now))
    }
}
