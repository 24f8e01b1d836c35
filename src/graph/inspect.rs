//! Reads that only ask whether everything is in place; nothing is changed by any of them.

use jiff::SignedDuration;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Flaw, GraphError, TenantGraph, client,
    permission::{Consented, Permission, Permissions},
    principal,
    schedule::{guid, object},
    target,
};
use crate::{
    domain::{assignment::Lookup, entitlement::PrincipalKind, id::ObjectId, target::Target},
    json,
    outbound::Call,
};

/// A part of a target, and what is to be said about it.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// It in words.
    pub name: String,
    /// With any of these permissions the directory shows it.
    pub shown_with: &'static [Permission],
    /// What is to be said about it, unless it cannot be read.
    pub found: Result<Vec<Flaw>, GraphError>,
}

impl TenantGraph {
    /// How far the clock here is ahead of Graph's; `None` when its answer bears no date.
    ///
    /// # Errors
    /// When Graph gives no answer at all. Any answer will do, a refusal too.
    pub async fn clock_ahead(&self) -> Result<Option<SignedDuration>, GraphError> {
        let answer = self.client.ask(&object(format!("/users/{}", Uuid::nil()))).await?;
        Ok(client::date_of(&answer).map(|date| self.clock.now().duration_since(date)))
    }

    /// The application permissions consented to for the application with this id; where it is known, its service principal is
    /// asked for by its object id.
    ///
    /// # Errors
    /// When the directory does not show them.
    pub async fn consented(&self, client_id: &str, object_id: Option<Uuid>) -> Result<Vec<Consented>, GraphError> {
        let of_application = || format!("/servicePrincipals(appId='{client_id}')");
        let principal = object_id.map_or_else(of_application, |id| format!("/servicePrincipals/{id}"));
        let call = object(format!("{principal}/appRoleAssignments"));
        let rows = self.client.list(call).await?;
        let read: Result<Vec<_>, _> = rows.iter().map(consented).collect();
        Ok(read?)
    }

    /// Whether the directory has a user, service principal or group with this id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn has_principal(&self, id: ObjectId) -> Result<bool, GraphError> {
        Ok(self.find_by_id(id, &PrincipalKind::NO_USERS).await? != Lookup::Nobody)
    }

    /// Whether the directory has a group with this id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn has_group(&self, id: ObjectId) -> Result<bool, GraphError> {
        match self.client.read(&principal::group(id)).await {
            Ok(_) => Ok(true),
            Err(GraphError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the directory says about each part of a target.
    ///
    /// # Errors
    /// When nothing here knows such a target.
    pub async fn inspect(&self, of: &Target) -> Result<Vec<Inspected>, GraphError> {
        let mut inspected = Vec::new();
        for part in target(of)?.parts() {
            let read = self.client.read(&part.call).await;
            let found = read.map(|row| (part.flaws)(&row));
            inspected.push(Inspected { name: part.name, shown_with: part.shown_with, found });
        }
        Ok(inspected)
    }

    /// Makes sure that PIM shows schedule requests for this target, which only those may see who may make them.
    ///
    /// # Errors
    /// When it does not.
    pub async fn shows_requests(&self, of: &Target) -> Result<(), GraphError> {
        let nobody: Call = target(of)?.list_requests(ObjectId(Uuid::nil()));
        self.client.read(&nobody).await.map(drop)
    }
}

/// What assigning this target needs.
///
/// # Errors
/// When nothing here knows such a target.
pub fn permissions_for(of: &Target) -> Result<Permissions, GraphError> {
    Ok(target(of)?.surface().permissions)
}

fn consented(row: &Value) -> Result<Consented, json::Fault> {
    let resource = json::optional_text(row, "/resourceDisplayName")?.unwrap_or("another service");
    Ok(Consented { id: guid(row, "/appRoleId")?, resource: super::error::shortened(resource) })
}
