//! Names and identifiers, each a type of its own so that none is passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

text_id! {
    /// The name a tenant has in the configuration, such as `contoso`.
    TenantName
}
text_id! {
    /// The name a connection has in the configuration and in its webhook's path, such as `jira-cloud`.
    ConnectionName
}
text_id! {
    /// A ticket's immutable id in its own system: Jira's `issue.id`, ServiceNow's `sys_id`.
    TicketId
}
text_id! {
    /// A ticket's number as people say it, such as `ITSEC-482`. It may change when a ticket moves.
    TicketNumber
}
text_id! {
    /// One approval of a ticket: a JSM approval round, or the status change that stands for one.
    ApprovalId
}
text_id! {
    /// A person's or an app's immutable id in the ticket system.
    AccountId
}
text_id! {
    /// The key of a catalog entry, such as `exchange-admin`.
    EntitlementKey
}

uuid_id! {
    /// One of stint's own requests; a version 7 UUID, so that ids sort by arrival.
    RequestId
}
uuid_id! {
    /// One try at a call that changes something in Graph.
    AttemptId
}
uuid_id! {
    /// An Entra object id: a principal, a group, a tenant.
    ObjectId
}

impl RequestId {
    /// The text that ties an assignment in PIM to this request.
    #[must_use]
    pub fn marker(self) -> String {
        format!("stint:{self}")
    }
}
