//! Entra, as the engine uses it: who is who, what PIM shows, and what it is asked to change.

use std::time::Duration;

use uuid::Uuid;

use super::port;
use crate::{
    domain::{
        assignment::{AssignOrder, Holding, Lookup, RemoveOrder, Sighting, UpdateOrder},
        entitlement::PrincipalKind,
        id::ObjectId,
        pim_policy::PimPolicy,
        target::Target,
    },
    graph::{Composition, Everybody, GraphError, News, Sent, TenantGraph, Way},
};

port! {
    /// One tenant's directory and PIM.
    trait Entra is TenantGraph;

    async fn look(holding: &Holding) -> Result<Sighting, GraphError>;
    async fn everybody(targets: &[Target]) -> Everybody;
    async fn assign(order: &AssignOrder, send_not_after: Duration) -> Sent;
    async fn update(order: &UpdateOrder, send_not_after: Duration) -> Sent;
    async fn remove(order: &RemoveOrder, send_not_after: Duration) -> Sent;
    async fn cancel(of: &Target, schedule_request_id: &str, call_id: Uuid, send_not_after: Duration) -> Sent;
    async fn revoke_sessions(user: ObjectId, call_id: Uuid, send_not_after: Duration) -> Sent;
    async fn find_principal(text: &str, kinds: &[PrincipalKind]) -> Result<Lookup, GraphError>;
    async fn find_by_id(id: ObjectId, kinds: &[PrincipalKind]) -> Result<Lookup, GraphError>;
    async fn find_by_mail(mail: &str) -> Result<Vec<ObjectId>, GraphError>;
    async fn groups_among(user: ObjectId, groups: &[ObjectId]) -> Result<Vec<ObjectId>, GraphError>;
    async fn groups_of(
        principal: (ObjectId, Option<PrincipalKind>),
        groups: &[ObjectId],
    ) -> Result<Vec<ObjectId>, GraphError>;
    async fn holds_any(group: ObjectId, some: &[ObjectId]) -> Result<bool, GraphError>;
    async fn policy(of: &Target) -> Result<Option<PimPolicy>, GraphError>;
    async fn composition(of: &Target) -> Result<Composition, GraphError>;

    fn may_send(wanted: &Target, way: Way) -> Result<(), GraphError>;
    fn seconds_ahead() -> i64;
    fn has_news() -> bool;
    fn take_news() -> Vec<News>;
    fn untold(news: Vec<News>) -> ();
}
