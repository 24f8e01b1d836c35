//! Entra and Graph: what PIM shows, what it is asked to change, and who is who in the directory.
//!
//! [`TenantGraph`] is all that others see of one tenant. It lends its calls to the vendor files, which are pure: an
//! [`AssignmentTarget`] turns orders into calls and rows into domain types, `principal` does the same for users, and
//! `answer` says what an answer to a write means. `client` is the one sender. `token` keeps the tokens of each identity,
//! which `login` fetches by what `proof` shows or from `managed_identity`; `refusal` says what Entra's no means. Every call
//! passes the tenant's `gate`: `circuit` stops what only a person can mend, `pause` what Graph throttles, each for a `part`
//! alone.
//!
//! Promised here: a write leaves at most once, and not after its time; an answer that cannot be read is never taken
//! for a yes, a no, or an absence; a token goes nowhere but to the configured Graph. Left out: waiting and trying
//! again, which the engine does by the request's own row.

use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::{
        assignment::{
            Answer, AssignOrder, Holding, Lookup, Principal, RemoveOrder, ScheduleAction, Sighting, UpdateOrder,
        },
        entitlement::PrincipalKind,
        id::ObjectId,
        pim_policy::PimPolicy,
        target::Target,
    },
    json,
    outbound::{self, Call, Wire},
};
use answer::Unanswered;
use client::Client;
use error::is_unknown_to_pim_yet;
use permission::Permission;
use settings::TenantSettings;
use token::Identity;

mod answer;
mod assertion;
mod circuit;
mod client;
mod directory_role;
mod directory_role_eligible;
mod error;
mod everybody;
mod gate;
mod group_membership;
mod group_membership_eligible;
mod inspect;
pub mod kind;
mod login;
mod managed_identity;
mod material;
mod part;
mod pause;
pub mod permission;
mod policy;
mod principal;
mod proof;
mod refusal;
mod schedule;
pub mod settings;
mod tier0;
mod token;

#[cfg(test)]
mod tests;

pub use assertion::CredentialFault;
pub use circuit::{News, TenantFault};
pub use error::{GraphError, Retry};
pub use everybody::Everybody;
pub use inspect::{Inspected, permissions_for};
pub use kind::TargetKind;
pub use part::Way;
pub use policy::PolicyPlace;
pub use schedule::Surface;

/// Every kind of target that can be assigned: a new one is a file, and a line here.
pub const TARGETS: &[&TargetKind] =
    &[&directory_role::KIND, &directory_role_eligible::KIND, &group_membership::KIND, &group_membership_eligible::KIND];

/// What a row says to a target: `None` when it is about another one.
pub type Row<T> = Result<Option<T>, json::Fault>;

/// One thing that can be assigned: where PIM keeps it, and which fields name it. Pure; what all of them share is in
/// `schedule`.
pub trait AssignmentTarget: Send + Sync {
    /// Where PIM keeps it.
    fn surface(&self) -> &Surface;

    /// What names it in the body of an order.
    fn fields(&self) -> Map<String, Value>;

    /// What narrows a list to it and this principal, as far as Graph can.
    fn filter(&self, principal: ObjectId) -> String;

    /// Whom a row of any of its lists is about; `None` when it is about another target.
    ///
    /// # Errors
    /// When that cannot be read: the row might be the one that matters.
    fn holder(&self, row: &Value) -> Row<ObjectId>;

    /// Lists the instances of everybody who holds it; the same call for targets that share the list.
    fn list_all_instances(&self) -> Call;

    /// Where PIM's policy for it is found.
    fn policy(&self) -> PolicyPlace;

    /// What must be in the directory for it to be given.
    fn parts(&self) -> Vec<Part>;

    /// Whether it may be something through which roles are held; its parts then tell.
    fn may_hold_roles(&self) -> bool {
        false
    }
}

/// An object of the directory that a target is made of.
#[derive(Clone, Debug)]
pub struct Part {
    /// It in words, such as `role 29232cdf-…`.
    pub name: String,
    /// Reads it.
    pub call: Call,
    /// With any of these permissions the directory shows it.
    pub shown_with: &'static [Permission],
    /// What is to be said about it as it was read.
    pub flaws: fn(&Value) -> Vec<Flaw>,
}

/// What the directory says of the parts of a target, each in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composition {
    /// Those that are not there.
    pub missing: Vec<String>,
    /// Those that are not known yet, or not there: they may be newer than what answered (`contracts/graph.md` §6.1).
    pub unknown: Vec<String>,
    /// Whoever is given the target may come to hold roles through it.
    pub holds_roles: bool,
}

/// Something about a part of a target that whoever configures it should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// PIM refuses it like this.
    Refused(&'static str),
    /// Whoever holds it may come to hold roles through it.
    HoldsRoles,
}

/// One tenant's directory and PIM.
#[derive(Debug)]
pub struct TenantGraph {
    client: Client,
    /// stint's own applications there: the one that assigns, and the one that removes.
    client_ids: Vec<String>,
    clock: Clock,
}

/// What came of a call that changes something, for the attempt's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it means.
    pub answer: Answer,
    /// The HTTP status; absent without a complete answer.
    pub http_status: Option<u16>,
    /// Graph's `request-id`, by which Microsoft finds the call; absent when it sent none.
    pub graph_request_id: Option<String>,
}

impl TenantGraph {
    /// Sets out to serve this tenant; calls nobody yet.
    ///
    /// # Errors
    /// [`CredentialFault`] when the certificate or its key cannot be used.
    pub fn new(settings: TenantSettings, wire: Wire, clock: Clock) -> Result<Self, CredentialFault> {
        let remover = settings.remover.as_ref().map(|app| app.client_id.clone());
        let client_ids = [settings.client_id.clone()].into_iter().chain(remover).collect();
        let client = Client::new(settings, wire, clock.clone())?;
        Ok(Self { client, client_ids, clock })
    }

    /// Everything PIM shows about this holding now.
    ///
    /// # Errors
    /// When any list or any row of it cannot be read: then nothing is known.
    pub async fn look(&self, holding: &Holding) -> Result<Sighting, GraphError> {
        let target = target(&holding.target)?;
        let principal = holding.principal;
        // All three to their ends: one of them may be the single call that tries a stopped part again.
        let (requests, schedules, instances) = tokio::join!(
            self.client.list(target.list_requests(principal)),
            self.client.list(target.list_schedules(principal)),
            self.client.list(target.list_instances(principal)),
        );
        let (requests, schedules, instances) = (requests?, schedules?, instances?);
        let mut requests = read_all(&requests, |row| target.read_request(principal, row))?;
        requests.retain(|request| !request.only_validated);
        Ok(Sighting {
            requests,
            schedules: read_all(&schedules, |row| target.read_schedule(principal, row))?,
            instances: read_all(&instances, |row| target.read_instance(principal, row))?,
        })
    }

    /// Asks PIM for the assignment, at most once and not after this time of [`Clock::monotonic`].
    pub async fn assign(&self, order: &AssignOrder, send_not_after: Duration) -> Sent {
        let target = match target(&order.holding.target) {
            Ok(target) => target,
            Err(error) => return Sent::unsupported(&error),
        };
        let by = Identity::Main;
        let outcome = self.client.write(by, &target.assign(order), order.call_id, send_not_after).await;
        let asked = (ScheduleAction::Assign, order.only_validate);
        self.changed(by, asked, order.holding.principal, &*target, outcome)
    }

    /// Asks PIM for the removal, at most once and not after this time of [`Clock::monotonic`], as the remover where the
    /// tenant has one. PIM removes whatever direct assignment it finds, so whose it is must be known before.
    pub async fn remove(&self, order: &RemoveOrder, send_not_after: Duration) -> Sent {
        let target = match target(&order.holding.target) {
            Ok(target) => target,
            Err(error) => return Sent::unsupported(&error),
        };
        let by = Identity::Remover;
        let outcome = self.client.write(by, &target.remove(order), order.call_id, send_not_after).await;
        self.changed(by, (ScheduleAction::Remove, false), order.holding.principal, &*target, outcome)
    }

    /// Asks PIM for another end, at most once and not after this time of [`Clock::monotonic`]. PIM changes whatever direct
    /// assignment it finds, so whose it is must be known before.
    pub async fn update(&self, order: &UpdateOrder, send_not_after: Duration) -> Sent {
        let target = match target(&order.holding.target) {
            Ok(target) => target,
            Err(error) => return Sent::unsupported(&error),
        };
        let by = Identity::Main;
        let outcome = self.client.write(by, &target.update(order), order.call_id, send_not_after).await;
        self.changed(by, (ScheduleAction::Update, false), order.holding.principal, &*target, outcome)
    }

    /// Asks PIM to cancel a schedule request, at most once and not after this time of [`Clock::monotonic`]. That needs
    /// the permission to assign, which a remover lacks (`contracts/graph.md` §9.4).
    ///
    /// [`Answer::Accepted`] then holds that id with [`crate::domain::assignment::Progress::Over`] and nothing else:
    /// PIM's yes is empty. One that can no longer be cancelled is [`Answer::Look`].
    pub async fn cancel(
        &self,
        of: &Target,
        schedule_request_id: &str,
        call_id: Uuid,
        send_not_after: Duration,
    ) -> Sent {
        let target = match target(of) {
            Ok(target) => target,
            Err(error) => return Sent::unsupported(&error),
        };
        let call = target.cancel(schedule_request_id);
        let by = Identity::Main;
        let outcome = self.client.write(by, &call, call_id, send_not_after).await;
        Sent::new(outcome, |reply| answer::to_cancel(schedule_request_id, reply, self.clock.now()))
    }

    /// Revokes the user's sign-in sessions, at most once and not after this time of [`Clock::monotonic`]; a repeat is
    /// harmless. Needs the permission `User.RevokeSessions.All`.
    ///
    /// [`Answer::Accepted`] holds no schedule request's id: there is none.
    pub async fn revoke_sessions(&self, user: ObjectId, call_id: Uuid, send_not_after: Duration) -> Sent {
        let outcome =
            self.client.write(Identity::Main, &principal::revoke_sessions(user), call_id, send_not_after).await;
        Sent::new(outcome, |reply| answer::to_sessions(reply, self.clock.now()))
    }

    /// Whom a ticket names: a user by object id, else by sign-in name, else by a mail address that only they have. What is
    /// no user is found by its object id alone, and only where its kind is among these.
    ///
    /// # Errors
    /// When the directory cannot be read; [`Lookup::Nobody`] is said only by the directory itself.
    pub async fn find_principal(&self, text: &str, kinds: &[PrincipalKind]) -> Result<Lookup, GraphError> {
        if let Some(id) = principal::object_id(text) {
            return self.find_by_id(id, kinds).await;
        }
        if !principal::is_address(text) {
            return Ok(Lookup::Nobody);
        }
        if let Some(found) = self.user_by_upn(text).await? {
            return Ok(Lookup::One(found));
        }
        match self.only(principal::by_mail(text)).await? {
            Lookup::Nobody => self.only(principal::by_proxy_address(text)).await,
            found => Ok(found),
        }
    }

    /// Who has this object id; what is no user only where its kind is among these.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn find_by_id(&self, id: ObjectId, kinds: &[PrincipalKind]) -> Result<Lookup, GraphError> {
        if let Some(user) = self.user_by_id(id).await? {
            return Ok(Lookup::One(user));
        }
        if kinds.contains(&PrincipalKind::ServicePrincipal)
            && let Some(row) = self.row(&principal::service_principal(id)).await?
        {
            let (found, application) = principal::read_service_principal(&row)?;
            let own = self.client_ids.iter().any(|id| application.eq_ignore_ascii_case(id));
            return if own { Ok(Lookup::Stint) } else { asked_for(id, found) };
        }
        if kinds.contains(&PrincipalKind::Group)
            && let Some(row) = self.row(&principal::group(id)).await?
        {
            return asked_for(id, principal::read_group(&row)?);
        }
        Ok(Lookup::Nobody)
    }

    /// Every user who has this as sign-in name, mail or further address, each once.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn find_by_mail(&self, mail: &str) -> Result<Vec<ObjectId>, GraphError> {
        if !principal::is_address(mail) {
            return Ok(vec![]);
        }
        // All three to their ends, as in a look.
        let (by_upn, by_mail, further) = tokio::join!(
            self.user_by_upn(mail),
            self.users(principal::by_mail(mail)),
            self.users(principal::by_proxy_address(mail)),
        );
        let all = by_upn?.into_iter().chain(by_mail?).chain(further?);
        let mut ids: Vec<_> = all.map(|user| user.id).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The rules of PIM's policy that bind an assignment of this target, as they stand now; `None` when PIM has no policy
    /// for it.
    ///
    /// # Errors
    /// When the policy, or one of these rules, cannot be read.
    pub async fn policy(&self, of: &Target) -> Result<Option<PimPolicy>, GraphError> {
        let target = target(of)?;
        let rows = self.client.list(target.policy().read()).await?;
        policy::find(&rows, &*target, of.assignment)
    }

    /// What the directory says of the parts of this target. What it does not show to stint counts as there: PIM will know.
    ///
    /// # Errors
    /// When nothing here knows such a target, or a part cannot be read through which roles may be held.
    pub async fn composition(&self, of: &Target) -> Result<Composition, GraphError> {
        let mut found = Composition::default();
        let target = target(of)?;
        for part in target.parts() {
            match self.client.read(&part.call).await {
                Ok(row) => found.holds_roles |= (part.flaws)(&row).contains(&Flaw::HoldsRoles),
                Err(GraphError::NotFound { code }) if is_unknown_to_pim_yet(&code) => found.unknown.push(part.name),
                Err(GraphError::NotFound { .. }) => found.missing.push(part.name),
                Err(error) if target.may_hold_roles() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Those of these groups that the user is in, directly or through others.
    ///
    /// # Errors
    /// When the directory cannot say.
    pub async fn groups_among(&self, user: ObjectId, groups: &[ObjectId]) -> Result<Vec<ObjectId>, GraphError> {
        self.groups_of((user, None), groups).await
    }

    /// As [`Self::groups_among`], for a principal of any kind.
    ///
    /// # Errors
    /// When the directory cannot say.
    pub async fn groups_of(
        &self,
        principal: (ObjectId, Option<PrincipalKind>),
        groups: &[ObjectId],
    ) -> Result<Vec<ObjectId>, GraphError> {
        let mut found = Vec::new();
        for some in groups.chunks(principal::GROUPS_AT_ONCE) {
            let body = self.client.read(&principal::check_groups(principal, some)).await?;
            let answered = principal::read_groups(&body)?;
            found.extend(answered.into_iter().filter(|group| some.contains(group)));
        }
        Ok(found)
    }

    /// How many seconds the clock here was ahead of Graph's at its last answer; negative when behind.
    #[must_use]
    pub fn seconds_ahead(&self) -> i64 {
        self.client.seconds_ahead()
    }

    /// Whether the group holds any of these, or an application of stint's own, directly or through others.
    ///
    /// # Errors
    /// When the directory cannot say of any one of them.
    pub async fn holds_any(&self, group: ObjectId, some: &[ObjectId]) -> Result<bool, GraphError> {
        let mut members = Vec::new();
        for client_id in &self.client_ids {
            if let Some(row) = self.row(&principal::application(client_id)).await? {
                members.push((principal::read_service_principal(&row)?.0.id, Some(PrincipalKind::ServicePrincipal)));
            }
        }
        for id in some {
            // Nobody is in no group, and stint is asked about anyway.
            if let Lookup::One(found) = self.find_by_id(*id, &PrincipalKind::NO_USERS).await? {
                members.push((*id, found.kind));
            }
        }
        for member in members {
            if member.0 == group || !self.groups_of(member, &[group]).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes sure that Entra gives stint's own application a token.
    ///
    /// # Errors
    /// When it does not.
    pub async fn token_works(&self) -> Result<(), GraphError> {
        self.client.sign_in(Identity::Main).await
    }

    /// Makes sure that Entra gives a token to whoever removes: the tenant's remover, else stint's own application.
    ///
    /// # Errors
    /// When it does not.
    pub async fn remover_token_works(&self) -> Result<(), GraphError> {
        self.client.sign_in(Identity::Remover).await
    }

    fn changed(
        &self,
        by: Identity,
        asked: (ScheduleAction, bool),
        principal: ObjectId,
        target: &dyn AssignmentTarget,
        outcome: Result<outbound::Answer, Unanswered>,
    ) -> Sent {
        let read = |body: &Value| target.read_request(principal, body);
        let meaning = |reply: &outbound::Answer| answer::to_write(asked, reply, self.clock.now(), read);
        Sent::new(outcome, |reply| naming(self.client.whose(by), meaning(reply)))
    }

    async fn user_by_id(&self, id: ObjectId) -> Result<Option<Principal>, GraphError> {
        self.user(principal::by_id(id), |found| found.id == id).await
    }

    async fn user_by_upn(&self, upn: &str) -> Result<Option<Principal>, GraphError> {
        let wanted = upn.to_lowercase();
        self.user(principal::by_upn(upn), |found| found.upn.as_ref().is_some_and(|upn| upn.to_lowercase() == wanted))
            .await
    }

    /// One user, who must be the one asked for.
    async fn user(&self, call: Call, is_asked: impl Fn(&Principal) -> bool) -> Result<Option<Principal>, GraphError> {
        let Some(row) = self.row(&call).await? else { return Ok(None) };
        match principal::read(&row)? {
            found if is_asked(&found) => Ok(Some(found)),
            _ => Err(GraphError::bad("another user than was asked for")),
        }
    }

    /// One object; `None` when the directory says that there is none.
    async fn row(&self, call: &Call) -> Result<Option<Value>, GraphError> {
        match self.client.read(call).await {
            Ok(row) => Ok(Some(row)),
            Err(GraphError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn users(&self, call: Call) -> Result<Vec<Principal>, GraphError> {
        let rows = self.client.list(call).await?;
        let users: Result<Vec<_>, _> = rows.iter().map(principal::read).collect();
        Ok(users?)
    }

    async fn only(&self, call: Call) -> Result<Lookup, GraphError> {
        let mut found = self.users(call).await?;
        Ok(match (found.pop(), found.is_empty()) {
            (None, _) => Lookup::Nobody,
            (Some(one), true) => Lookup::One(one),
            (Some(_), false) => Lookup::Several,
        })
    }
}

impl Sent {
    fn new(outcome: Result<outbound::Answer, Unanswered>, meaning: impl FnOnce(&outbound::Answer) -> Answer) -> Self {
        match outcome {
            Ok(reply) => Self {
                answer: meaning(&reply),
                http_status: Some(reply.status.as_u16()),
                graph_request_id: client::request_id(&reply),
            },
            Err(silence) => Self::without_answer(answer::to_silence(silence)),
        }
    }

    fn unsupported(error: &GraphError) -> Self {
        Self::without_answer(answer::not_sent(error.to_string()))
    }

    fn without_answer(answer: Answer) -> Self {
        Self { answer, http_status: None, graph_request_id: None }
    }
}

/// A refusal that a person must lift says whom it refuses, where that may be either of two.
fn naming(whose: Option<String>, answer: Answer) -> Answer {
    match (whose, answer) {
        (Some(whose), Answer::TenantRefused { code, detail }) => {
            Answer::TenantRefused { code, detail: format!("{detail} ({whose})") }
        }
        (_, answer) => answer,
    }
}

/// What was found, if it is what was asked for.
fn asked_for(id: ObjectId, found: Principal) -> Result<Lookup, GraphError> {
    if found.id == id { Ok(Lookup::One(found)) } else { Err(GraphError::bad("another object than was asked for")) }
}

/// What [`TARGETS`] makes of it.
fn target(wanted: &Target) -> Result<Box<dyn AssignmentTarget>, GraphError> {
    let kind = TARGETS.iter().find(|kind| kind.takes(wanted));
    let made = kind.and_then(|kind| (kind.make)(wanted));
    made.ok_or_else(|| GraphError::Unsupported { target: wanted.to_string() })
}

/// Reads every row; those about another holding are left out.
fn read_all<T>(rows: &[Value], read: impl Fn(&Value) -> Row<T>) -> Result<Vec<T>, GraphError> {
    let read: Result<Vec<_>, _> = rows.iter().filter_map(|row| read(row).transpose()).collect();
    Ok(read?)
}
