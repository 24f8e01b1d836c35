//! Reading the ticket back, asking the directory, deciding.

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};

use super::{
    Desk, Engine, Entra, Ports, Records, Tenant, answered::KNOWN_WITHIN, look::no_tenant, retry, step::hold_until,
};
use crate::{
    domain::{
        approval::Approval,
        approvers::Match,
        assignment::Lookup,
        entitlement::PrincipalKind,
        id::{ObjectId, TenantName},
        lifecycle::Event,
        pim_policy::PimPolicy,
        policy::{self, Case, Directory, Questions, Verdict},
        request::{Decision, EndOrder, Hold, Reason, Request, State},
        target::Target,
        ticket::{self, Field, Ticket},
        withdrawal::CLOSED,
    },
    graph::{Composition, GraphError},
    store::{Change, Reading, Spent, StoreError, UsedApproval},
    tickets::{Source, settings::Common},
};

/// A webhook may arrive before the REST API shows what it tells (`contracts/tickets.md` R9): this long the ticket is
/// read again and again.
const STALE_READS: SignedDuration = SignedDuration::from_secs(60);
const APPROVAL_PENDING: &str = "approval-pending";
const STALE_READ_PACE: SignedDuration = SignedDuration::from_secs(5);

/// The code of a refusal because the approval was used up.
pub(super) const USED: &str = "approval-used";

/// The ticket system's clock and stint's may differ so much; an approval this close to a call-off is taken for an earlier one.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(2);

/// A ticket that was missed once, and not found in this many further looks for so long, counts as deleted.
const ABSENT_LOOKS: u32 = 2;
pub(super) const ABSENT_FOR: SignedDuration = SignedDuration::from_mins(14);
const ABSENT: &str = "ticket-absent";
pub(super) const MISSED: &str = "the ticket was deleted, or is hidden from stint";

/// A ticket that lies elsewhere for so long was not moved by mistake.
const MOVED_FOR: SignedDuration = SignedDuration::from_mins(15);
const MOVED: &str = "ticket-moved";

/// The hold's code while the directory does not know a target.
const UNKNOWN: &str = "graph-not-yet";

/// What reading and deciding came to.
pub(super) struct Examined {
    pub ticket: Ticket,
    pub reading: Reading,
    pub approval: Option<UsedApproval>,
    pub verdict: Verdict,
    /// When the ticket was asked for, on the monotonic clock: its first answer is the oldest.
    pub read_at: std::time::Duration,
}

/// Why there is no verdict.
pub(super) enum Trouble {
    /// Something must be resolved first.
    Hold(Hold, Timestamp),
    /// Neither the ticket nor a sign of it is there.
    Absent,
    /// The directory cannot be asked now; whose it is is known by then.
    Directory(Box<Reading>, Hold, Timestamp),
    /// The ticket names no tenant of this connection.
    NoTenant(Box<Reading>, Option<UsedApproval>, Reason),
}

/// What a ticket, the directory and other requests about the ticket say.
pub(super) struct Inquiry {
    examined: Result<Examined, Trouble>,
    spent: Result<Spent, StoreError>,
}

impl<P: Ports> Engine<P> {
    /// Reads the ticket back, and asks what deciding on it needs.
    pub(super) async fn inquire(&self, request: &Request) -> Inquiry {
        // No other request about the ticket is open while this one is, so what others leave does not change meanwhile.
        let spent = self.store.spent(&request.connection, &request.ticket, request.id);
        let (examined, spent) = tokio::join!(self.examine(request), spent);
        Inquiry { examined, spent }
    }

    /// Moves the request as that says.
    pub(super) fn verified(&self, request: &Request, inquiry: Inquiry) -> Result<Change, StoreError> {
        let examined = match inquiry.examined {
            Ok(examined) => examined,
            Err(trouble) => return Ok(self.troubled(request, trouble)),
        };
        let Examined { ticket, reading, approval, verdict, .. } = examined;
        let verdict = match verdict {
            Verdict::Approved(decision) => unless_spent(&ticket, decision, inquiry.spent?),
            other => other,
        };
        let now = self.clock.now();
        let mut change = match verdict {
            Verdict::Approved(decision) => {
                let due_at = decision.not_before.map_or(now, |start| retry::first_watch(now).min(start.max(now)));
                Change::to(Event::Approve(decision), now, due_at)
            }
            Verdict::Rejected(reasons) => Change::to(Event::Reject(reasons), now, now),
            Verdict::Withdrawn => Change::to(Event::End(EndOrder::withdrawal(CLOSED, now)), now, now),
            Verdict::NotYet(hold) if has_moved_for_good(request, &hold, now) => {
                Change::to(Event::End(EndOrder::withdrawal(&hold.detail, now)), now, now)
            }
            Verdict::NotYet(hold) => not_yet(request, hold, now),
        };
        change.approval = approval.filter(|_| uses_up(change.event.as_ref()));
        change.reading = Some(reading);
        Ok(change)
    }

    /// The move that trouble makes before anything was sent.
    pub(super) fn troubled(&self, request: &Request, trouble: Trouble) -> Change {
        let now = self.clock.now();
        match trouble {
            Trouble::Hold(hold, due_at) => hold_until(request, hold, now, due_at),
            Trouble::Directory(reading, hold, due_at) => {
                Change { reading: Some(*reading), ..hold_until(request, hold, now, due_at) }
            }
            Trouble::Absent if is_gone(request, now) => {
                Change::to(Event::End(EndOrder::withdrawal(MISSED, now)), now, now)
            }
            Trouble::Absent => {
                let hold = Hold::new(ABSENT, MISSED);
                hold_until(request, hold, now, retry::parked(now))
            }
            Trouble::NoTenant(reading, approval, reason) => {
                let change = Change::to(Event::Reject(vec![reason]), now, now);
                Change { reading: Some(*reading), approval, ..change }
            }
        }
    }

    /// Reads the ticket back, asks the directory what the case needs, and decides.
    pub(super) async fn examine(&self, request: &Request) -> Result<Examined, Trouble> {
        let connection = self.connections.get(&request.connection).ok_or_else(|| {
            let detail = format!("the configuration has no connection {}", request.connection);
            Trouble::Hold(Hold::new("connection-unknown", detail), retry::parked(self.clock.now()))
        })?;
        let read_at = self.clock.monotonic();
        let ticket = self.read_ticket(request, connection).await?;
        let mut reading = kept(&ticket, self.clock.now(), request)?;
        let approval = ticket.newest_approval().map(used);
        let tenant_name = pick_tenant(&ticket, connection.settings())
            .map_err(|reason| Trouble::NoTenant(Box::new(reading.clone()), approval.clone(), reason))?;
        let tenant = self
            .tenants
            .get(&tenant_name)
            .ok_or_else(|| Trouble::Hold(no_tenant(&tenant_name), retry::parked(self.clock.now())))?;
        reading.tenant = Some(tenant_name.clone());
        let digest = reading.digest.clone();
        let case = Case {
            now: self.clock.now(),
            ticket: &ticket,
            snapshot_digest: &digest,
            tenant: &tenant_name,
            catalog: &tenant.catalog,
            never: &tenant.never,
            max_approval_age: connection.settings().max_approval_age,
            dry_run: self.grants_nothing(request).is_some(),
        };
        let verdict = if let Some(early) = policy::settle_early(&case) {
            early
        } else {
            let asked = self.ask_and_decide(request, tenant, &case).await;
            asked.map_err(|(hold, due_at)| Trouble::Directory(Box::new(reading.clone()), hold, due_at))?
        };
        Ok(Examined { ticket, reading, approval, verdict, read_at })
    }

    /// The request's ticket as its system shows it now or, where that cannot be asked, as webhooks last told it.
    pub(super) async fn read_ticket(&self, request: &Request, connection: &P::Desk) -> Result<Ticket, Trouble> {
        let reading = match connection.source() {
            Source::ReadBack => self.ask_for_ticket(connection, &request.ticket).await,
            Source::Webhooks => return self.told_ticket(request).await,
        };
        match reading {
            Ok(ticket::Reading::Found(ticket)) => Ok(*ticket),
            Ok(ticket::Reading::Absent) => Err(Trouble::Absent),
            Err(error) => {
                let due_at = retry::after_ticket_error(self.clock.now(), &error, request.looks);
                Err(Trouble::Hold(Hold::new(error.code(), error.to_string()), due_at))
            }
        }
    }

    async fn told_ticket(&self, request: &Request) -> Result<Ticket, Trouble> {
        let due_at = retry::next_try(self.clock.now(), request.looks);
        match self.store.told(&request.connection, &request.ticket).await {
            Ok(Some(ticket)) => Ok(ticket),
            Ok(None) => Err(Trouble::Hold(Hold::new(ABSENT, "no webhook has told of this ticket"), due_at)),
            Err(problem) => Err(Trouble::Hold(Hold::new("store-unavailable", problem.to_string()), due_at)),
        }
    }

    async fn ask_and_decide(
        &self,
        request: &Request,
        tenant: &Tenant<P::Entra>,
        case: &Case<'_>,
    ) -> Result<Verdict, (Hold, Timestamp)> {
        let directory = ask(tenant, case, request).await.map_err(|error| {
            let due_at = retry::after_graph(self.clock.now(), &error, request);
            (Hold::new(error.code(), error.to_string()), due_at)
        })?;
        Ok(policy::decide(case, &directory))
    }
}

/// An approval that other requests about the ticket used up or called off does not come back, whatever id it has by now.
fn unless_spent(ticket: &Ticket, decision: Box<Decision>, spent: Spent) -> Verdict {
    let opened_at = ticket.newest_approval().map_or(decision.approved_at, |approval| approval.opened_at);
    let reason = if spent.given_at.is_some_and(|given_at| opened_at <= given_at) {
        Reason::new(USED, "another request about this ticket used this approval up")
    } else if spent.called_off_at.is_some_and(|at| decision.approved_at <= at + CLOCKS_APART) {
        Reason::new("approval-called-off", "the ticket's access was called off after this approval, or just before it")
    } else {
        return Verdict::Approved(decision);
    };
    Verdict::Rejected(vec![reason])
}

/// Asks the directory and PIM what the case needs to know.
async fn ask(tenant: &Tenant<impl Entra>, case: &Case<'_>, request: &Request) -> Result<Directory, GraphError> {
    let questions = policy::questions(case);
    let of_target = ask_about_target(tenant, questions.target, was_unknown_long_enough(request, case.now));
    // Neither is dropped when the other fails: one of them may be the call that a stopped tenant is tried by.
    let (directory, of_target) = tokio::join!(ask_about_people(tenant, questions, request.state.decision()), of_target);
    let (pim, Composition { missing, holds_roles, .. }) = of_target?;
    Ok(Directory { pim, missing, holds_roles, ..directory? })
}

/// Whether the directory has not known the target for so long that it is not there at all.
fn was_unknown_long_enough(request: &Request, now: Timestamp) -> bool {
    let State::Held { hold, .. } = &request.state else { return false };
    let since = hold.since.filter(|_| hold.code == UNKNOWN);
    since.is_some_and(|since| now.duration_since(since) >= KNOWN_WITHIN)
}

/// PIM's policy for what would be given, and what of it is not there. Without either there is nothing to decide on. What is
/// not known yet is not there once that lasted `long_enough`.
async fn ask_about_target(
    tenant: &Tenant<impl Entra>,
    target: Option<&Target>,
    long_enough: bool,
) -> Result<(Option<PimPolicy>, Composition), GraphError> {
    let Some(target) = target else { return Ok((None, Composition::default())) };
    let mut found = tenant.graph.composition(target).await?;
    let unknown = std::mem::take(&mut found.unknown);
    if !(unknown.is_empty() || long_enough) {
        return Err(GraphError::Unknown { what: unknown.join(" and no ") });
    }
    found.missing.extend(unknown);
    if !found.missing.is_empty() {
        return Ok((None, found));
    }
    match tenant.graph.policy(target).await? {
        Some(policy) => Ok((Some(policy), found)),
        None => Err(GraphError::NoPolicy { target: target.to_string() }),
    }
}

/// Asks the directory who is who.
async fn ask_about_people(
    tenant: &Tenant<impl Entra>,
    questions: Questions<'_>,
    decided: Option<&Decision>,
) -> Result<Directory, GraphError> {
    let mut directory = Directory::default();
    if let Some(name) = questions.principal {
        directory.principal = Some(who(tenant, name, questions.kinds, decided).await?);
    }
    let principal = match &directory.principal {
        Some(Lookup::One(principal)) => Some((principal.id, principal.kind)),
        _ => None,
    };
    if let Some(principal) = principal.filter(|_| !questions.principal_groups.is_empty()) {
        directory.principal_groups = tenant.graph.groups_of(principal, questions.principal_groups).await?;
    }
    let group = principal.filter(|(_, kind)| *kind == Some(PrincipalKind::Group)).map(|(id, _)| id);
    if let Some(group) = group {
        directory.principal_holds_never = tenant.graph.holds_any(group, questions.never).await?;
    }
    for (account, mail) in questions.people {
        let users = tenant.graph.find_by_mail(&mail).await?;
        let in_approver_group = match (questions.approver_group, users.as_slice()) {
            (Some(group), [only]) => !tenant.graph.groups_among(*only, &[group]).await?.is_empty(),
            _ => false,
        };
        let in_principal = match group {
            Some(group) => is_any_in(tenant, &users, group).await?,
            None => false,
        };
        directory.people.push(Match { account, users, in_approver_group, in_principal });
    }
    Ok(directory)
}

/// Whom the ticket names. A name that nobody has any more still means whoever was decided on under it: the object id decides.
/// A name that another one has by now means that other one.
async fn who(
    tenant: &Tenant<impl Entra>,
    name: &str,
    kinds: &[PrincipalKind],
    decided: Option<&Decision>,
) -> Result<Lookup, GraphError> {
    let found = tenant.graph.find_principal(name, kinds).await?;
    match decided.map(|decision| &decision.principal) {
        Some(was) if found == Lookup::Nobody && was.named.as_deref() == Some(name) => {
            tenant.graph.find_by_id(was.id, kinds).await
        }
        _ => Ok(found),
    }
}

/// Whether any of these users is in the group, directly or through others.
async fn is_any_in(tenant: &Tenant<impl Entra>, users: &[ObjectId], group: ObjectId) -> Result<bool, GraphError> {
    for user in users {
        if !tenant.graph.groups_among(*user, &[group]).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The snapshot and its digest: SHA-256 over the JSON text with sorted keys and no white space.
pub(super) fn kept(ticket: &Ticket, now: Timestamp, request: &Request) -> Result<Reading, Trouble> {
    let snapshot = serde_json::to_value(ticket).map_err(|error| {
        let hold = Hold::new("ticket-bad-answer", error.to_string());
        Trouble::Hold(hold, retry::next_try(now, request.looks))
    })?;
    let digest = digest::digest(&digest::SHA256, snapshot.to_string().as_bytes());
    Ok(Reading {
        tenant: None,
        number: ticket.number.clone(),
        url: ticket.url.clone(),
        snapshot,
        digest: format!("sha256:{}", hex::encode(digest)),
    })
}

fn pick_tenant(ticket: &Ticket, connection: &Common) -> Result<TenantName, Reason> {
    if let Some(only) = connection.only_tenant() {
        return Ok(only.clone());
    }
    let tenants = &connection.tenants;
    let refuse = |detail: String| Reason::new("tenant-unknown", detail);
    match &ticket.tenant {
        Some(Field::Text(name)) => {
            let known = tenants.iter().find(|tenant| tenant.as_str() == name);
            known.cloned().ok_or_else(|| refuse(format!("{name:?} is no tenant of this connection")))
        }
        _ => Err(refuse("the ticket names no tenant, and the connection serves several".into())),
    }
}

/// A ticket that was moved away and stays there carries nothing any more.
fn has_moved_for_good(request: &Request, hold: &Hold, now: Timestamp) -> bool {
    let State::Held { hold: old, .. } = &request.state else { return false };
    let long_ago = old.since.is_some_and(|since| now.duration_since(since) >= MOVED_FOR);
    hold.code == MOVED && old.code == MOVED && long_ago
}

fn not_yet(request: &Request, hold: Hold, now: Timestamp) -> Change {
    let since = request.state_since.max(request.hinted_at);
    let may_be_stale = hold.code == APPROVAL_PENDING && now.duration_since(since) < STALE_READS;
    match &request.state {
        State::Held { hold: old, .. } if may_be_stale && old.code == hold.code => {
            Change::later(now, now + STALE_READ_PACE)
        }
        State::Verifying if may_be_stale => Change::later(now, now + STALE_READ_PACE),
        _ => hold_until(request, hold, now, retry::parked(now)),
    }
}

/// Looks count from the moment the ticket was first missed, a quarter of an hour apart in all.
fn is_gone(request: &Request, now: Timestamp) -> bool {
    let State::Held { hold, .. } = &request.state else { return false };
    let long_ago = hold.since.is_some_and(|since| now.duration_since(since) >= ABSENT_FOR);
    hold.code == ABSENT && request.looks >= ABSENT_LOOKS && long_ago
}

fn used(approval: &Approval) -> UsedApproval {
    UsedApproval { id: approval.id.clone(), given_at: approval.decided_at.unwrap_or(approval.opened_at) }
}

/// A decision either way uses the approval up, and so does a withdrawal; waiting does not.
fn uses_up(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::Approve(_) | Event::Reject(_) | Event::End(_)))
}
