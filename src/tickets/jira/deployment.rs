//! Cloud or Data Center: one product, two dialects (`contracts/tickets.md` A6).

use super::{super::TicketError, document, get};
use crate::{
    domain::id::TicketId,
    json,
    outbound::{Answer, Call, segment},
};

/// Which of the two a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deployment {
    /// Accounts by `accountId`, comments as documents, a changelog in pages.
    Cloud,
    /// Accounts by `key`, comments as wiki text, a changelog within its issue.
    DataCenter,
}

impl Deployment {
    /// Where the platform's API is.
    pub(super) fn api(self) -> &'static str {
        match self {
            Self::Cloud => "/rest/api/3",
            Self::DataCenter => "/rest/api/2",
        }
    }

    /// The member that holds an account's immutable id. Data Center's `name` is no such thing: it can be changed, and
    /// given to somebody else.
    pub(super) fn account_id(self) -> &'static str {
        match self {
            Self::Cloud => "accountId",
            Self::DataCenter => "key",
        }
    }

    pub(super) fn issue(self, ticket: &TicketId) -> String {
        format!("{}/issue/{}", self.api(), segment(ticket.as_str()))
    }

    /// Who the credential belongs to. Much of Jira answers anybody, so only this tells a lost credential from an issue
    /// that is missing, or from a list that is empty (`contracts/tickets.md` A7).
    pub(super) fn myself(self) -> Call {
        get(format!("{}/myself", self.api()), &[])
    }

    /// The account that [`Deployment::myself`] was answered with.
    pub(super) fn own_account(self, answer: &Answer) -> Result<String, TicketError> {
        let body = document(answer)?;
        Ok(json::text(&body, &format!("/{}", self.account_id()))?.to_owned())
    }
}
