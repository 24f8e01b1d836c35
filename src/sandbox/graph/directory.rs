//! Users.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ledger::Entry;
use super::query::Query;
use super::refusal::Refusal;
use super::state::State;
use super::{Asked, Graph, Outcome};

/// A user as Entra knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Object id.
    pub id: String,
    /// `userPrincipalName`
    pub upn: String,
    /// Primary address, if there is a mailbox. For a guest it proves nothing.
    pub mail: Option<String>,
    /// `displayName`
    pub name: String,
    /// `accountEnabled`
    pub enabled: bool,
    /// `Member` or `Guest`.
    pub user_type: String,
    /// `PendingAcceptance` or `Accepted` for guests.
    pub external_user_state: Option<String>,
    /// PIM does not know principals that are too young ([`Knobs`](super::Knobs)).
    pub created_at: Timestamp,
}

impl User {
    /// An enabled member whose mail address is their user principal name, long known to PIM.
    #[must_use]
    pub fn member(id: &str, upn: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            upn: upn.to_owned(),
            mail: Some(upn.to_owned()),
            name: name.to_owned(),
            enabled: true,
            user_type: "Member".to_owned(),
            external_user_state: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn row(&self) -> Value {
        let addresses: Vec<String> = self.mail.iter().map(|mail| format!("SMTP:{mail}")).collect();
        json!({
            "id": self.id,
            "userPrincipalName": self.upn,
            "mail": self.mail,
            "displayName": self.name,
            "accountEnabled": self.enabled,
            "userType": self.user_type,
            "externalUserState": self.external_user_state,
            "createdDateTime": self.created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "proxyAddresses": addresses,
        })
    }

    /// Whether the row may pass the filter: most are told apart without being drawn up.
    fn may_be_wanted(&self, query: &Query) -> bool {
        let is = |property, own: &str| query.wanted(property).is_none_or(|wanted| wanted.eq_ignore_ascii_case(own));
        is("id", &self.id) && is("userPrincipalName", &self.upn) && is("mail", self.mail.as_deref().unwrap_or_default())
    }

    pub(super) fn is(&self, id_or_upn: &str) -> bool {
        self.id.eq_ignore_ascii_case(id_or_upn) || self.upn.eq_ignore_ascii_case(id_or_upn)
    }
}

/// What a user is filtered by.
const FILTERABLE: [&str; 6] = ["id", "mail", "userPrincipalName", "proxyAddresses", "accountEnabled", "userType"];

/// Without `$select`, neither `accountEnabled` nor `userType` is in the answer (§12).
const BY_DEFAULT: [&str; 4] = ["id", "displayName", "mail", "userPrincipalName"];

impl Graph {
    pub(super) fn user(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let query = Query::of(asked.request.uri())?;
        let tenant = state.tenant(asked.caller.tenant);
        let user = tenant.users.values().find(|user| user.is(id)).ok_or_else(|| Refusal::directory_object(id))?;
        let mut row = by_default(&query, user.row());
        let selected = query.selected().unwrap_or_default().join(",");
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#users({selected})/$entity", self.url));
        Ok((200, Some(row)))
    }

    /// Ends the user's sessions; access tokens already issued run on, so all there is to see is the ledger.
    pub(super) fn revoke_sessions(&self, state: &mut State, asked: &Asked, id: &str) -> Outcome {
        let tenant = state.tenant(asked.caller.tenant);
        let user = tenant.users.values().find(|user| user.is(id)).ok_or_else(|| Refusal::directory_object(id))?;
        let entry = Entry { principal: user.id.to_ascii_lowercase(), committed: true, ..Entry::of_sessions(asked) };
        state.ledger.push(entry);
        let context = format!("{}/v1.0/$metadata#Edm.Boolean", self.url);
        Ok((200, Some(json!({ "@odata.context": context, "value": true }))))
    }

    pub(super) fn users(&self, state: &mut State, asked: &Asked) -> Outcome {
        let uri = asked.request.uri();
        let query = Query::of(uri)?;
        query.only(&FILTERABLE)?;
        let page_size = state.knobs.page_size;
        let users = state.tenant(asked.caller.tenant).users.values().filter(|user| user.may_be_wanted(&query));
        let rows: Vec<Value> = users.map(User::row).collect();
        let mut page = query.page(&self.url, uri, rows, page_size);
        if let Some(rows) = page["value"].as_array_mut() {
            for row in rows {
                *row = by_default(&query, row.take());
            }
        }
        Ok((200, Some(page)))
    }
}

fn by_default(query: &Query, row: Value) -> Value {
    match (query.selected(), row) {
        (None, Value::Object(mut row)) => {
            row.retain(|name, _| BY_DEFAULT.contains(&name.as_str()));
            Value::Object(row)
        }
        (_, row) => query.select(row),
    }
}
