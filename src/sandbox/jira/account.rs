//! People, customers and apps of the site.

use serde_json::{Value, json};

/// An Atlassian account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The immutable id.
    pub account_id: String,
    /// Display name.
    pub name: String,
    /// Absent when the person's privacy settings hide it.
    pub email: Option<String>,
    /// `atlassian`, `customer` or `app`.
    pub account_type: String,
    /// Whether the account may still log in.
    pub active: bool,
}

impl Account {
    /// An active employee with a visible address.
    #[must_use]
    pub fn person(account_id: &str, name: &str, email: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            name: name.to_owned(),
            email: Some(email.to_owned()),
            account_type: "atlassian".to_owned(),
            active: true,
        }
    }

    /// What the site shows for an id it has no account for.
    pub(super) fn former(account_id: &str) -> Self {
        let mut account = Self::person(account_id, "Former user", "");
        account.email = None;
        account
    }

    /// As the platform API shows it.
    pub(super) fn row(&self, url: &str, version: u8) -> Value {
        let mut row = self.brief();
        row["self"] = json!(self.link(url, version));
        row["accountType"] = json!(self.account_type);
        row["avatarUrls"] = json!({"48x48": format!("{url}/avatar/{}/48", encoded(&self.account_id))});
        row
    }

    /// As Service Management shows it.
    pub(super) fn service_desk_row(&self, url: &str) -> Value {
        let mut row = self.brief();
        let link = self.link(url, 2);
        row["_links"] = json!({"jiraRest": link, "self": link, "avatarUrls": {}});
        row
    }

    fn brief(&self) -> Value {
        let mut row = json!({
            "accountId": self.account_id,
            "displayName": self.name,
            "active": self.active,
            "timeZone": "Europe/Berlin",
        });
        if let Some(email) = &self.email {
            row["emailAddress"] = json!(email);
        }
        row
    }

    fn link(&self, url: &str, version: u8) -> String {
        format!("{url}/rest/api/{version}/user?accountId={}", encoded(&self.account_id))
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
