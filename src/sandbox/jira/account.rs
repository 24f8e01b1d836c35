//! People, customers and apps of the site.

use serde_json::{Value, json};

use super::Flavour;
use super::flavour::Dialect;

/// An Atlassian account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The immutable id.
    pub account_id: String,
    /// Display name.
    pub name: String,
    /// The login name, which Data Center shows in place of the account's id.
    pub user_name: String,
    /// The immutable key on Data Center.
    pub user_key: String,
    /// Absent when the person's privacy settings hide it.
    pub email: Option<String>,
    /// The person's own time zone, as an IANA name.
    pub time_zone: String,
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
            user_name: email.split('@').next().unwrap_or_default().to_owned(),
            user_key: account_id.to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            email: Some(email.to_owned()),
            account_type: "atlassian".to_owned(),
            active: true,
        }
    }

    /// The same person with this key on Data Center.
    #[must_use]
    pub fn with_user_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.user_key);
        self
    }

    /// The same person in another time zone.
    #[must_use]
    pub fn in_zone(mut self, time_zone: &str) -> Self {
        time_zone.clone_into(&mut self.time_zone);
        self
    }

    /// What the site shows for an id it has no account for.
    pub(super) fn former(account_id: &str) -> Self {
        let mut account = Self::person(account_id, "Former user", "");
        account.email = None;
        account
    }

    /// As the platform API shows it.
    pub(super) fn row(&self, url: &str, dialect: Dialect) -> Value {
        let mut row = self.brief(dialect);
        row["self"] = json!(self.link(url, dialect));
        if dialect.is_cloud() {
            row["accountType"] = json!(self.account_type);
        }
        row["avatarUrls"] = json!({"48x48": format!("{url}/avatar/{}/48", encoded(&self.account_id))});
        row
    }

    /// As Service Management shows it.
    pub(super) fn service_desk_row(&self, url: &str, flavour: Flavour) -> Value {
        let mut row = self.brief(flavour.hook());
        let link = self.link(url, flavour.hook());
        row["_links"] = json!({"jiraRest": link, "self": link, "avatarUrls": {}});
        row
    }

    fn brief(&self, dialect: Dialect) -> Value {
        let mut row = json!({"displayName": self.name, "active": self.active, "timeZone": self.time_zone});
        if dialect.is_cloud() {
            row["accountId"] = json!(self.account_id);
        } else {
            row["name"] = json!(self.user_name);
            row["key"] = json!(self.user_key);
        }
        if let Some(email) = &self.email {
            row["emailAddress"] = json!(email);
        }
        row
    }

    fn link(&self, url: &str, dialect: Dialect) -> String {
        let (name, value) =
            if dialect.is_cloud() { ("accountId", &self.account_id) } else { ("username", &self.user_name) };
        format!("{url}/rest/api/{}/user?{name}={}", dialect.version(), encoded(value))
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
