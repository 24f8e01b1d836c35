//! Whether a ticket, as it stands, allows what it asks for.
//!
//! [`questions`] says what must be asked of the directory; [`decide`] then gives a decision with the limit that bound
//! it, or every reason why not. What is unknown, hidden or ambiguous never allows anything.

use jiff::Timestamp;

use super::{
    approval::{Approval, Outcome},
    approvers::{Match, approving, counted},
    assignment::{Lookup, Principal},
    duration::{Duration, GRANTABLE},
    entitlement::{Catalog, Entitlement, PrincipalKind},
    id::{AccountId, ObjectId, TenantName},
    pim_policy::PimPolicy,
    request::{Approver, Bound, Decision, Granted, Hold, Reason, Receiver},
    target::Target,
    ticket::{Basis, Field, Standing, Ticket},
};

/// Everything a decision rests on, except what the directory says.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// When it is decided.
    pub now: Timestamp,
    /// The ticket as just read.
    pub ticket: &'a Ticket,
    /// Digest of that reading.
    pub snapshot_digest: &'a str,
    /// The tenant it is for.
    pub tenant: &'a TenantName,
    /// That tenant's catalog.
    pub catalog: &'a Catalog,
    /// Principals that never receive anything, such as break-glass accounts.
    pub never: &'a [ObjectId],
    /// Approvals older than this are refused.
    pub max_approval_age: Duration,
    /// What is decided now is only tried, never granted.
    pub dry_run: bool,
}

/// What the directory says.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Who the ticket's principal is; `None` when there was no name to look up.
    pub principal: Option<Lookup>,
    /// Groups, among those asked about, that the principal is in.
    pub principal_groups: Vec<ObjectId>,
    /// Approving accounts, requester and creator, with the Entra users their e-mail leads to.
    pub people: Vec<Match>,
    /// The rules of PIM's policy for the entitlement's target; `None` when nobody could ask or PIM has no policy.
    pub pim: Option<PimPolicy>,
    /// What the entitlement's target is made of and the directory does not have, in words.
    pub missing: Vec<String>,
    /// Whoever is given the target may come to hold roles through it.
    pub holds_roles: bool,
    /// The principal is a group, and somebody is in it who never receives anything, or stint itself.
    pub principal_holds_never: bool,
}

/// What must be asked of the directory before a case can be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questions<'a> {
    /// The principal's name as the ticket gives it.
    pub principal: Option<&'a str>,
    /// Kinds of principal that the entitlement allows besides enabled members.
    pub kinds: &'a [PrincipalKind],
    /// Groups the principal may have to be in.
    pub principal_groups: &'a [ObjectId],
    /// Approving accounts, requester and creator, with their e-mail addresses.
    pub people: Vec<(AccountId, String)>,
    /// The group approvers may have to be in.
    pub approver_group: Option<ObjectId>,
    /// What would be given.
    pub target: Option<&'a Target>,
    /// Who must not be in a group that receives it.
    pub never: &'a [ObjectId],
}

/// What a case comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Everything allows it.
    Approved(Box<Decision>),
    /// Every reason why not.
    Rejected(Vec<Reason>),
    /// The ticket was closed or cancelled.
    Withdrawn,
    /// The ticket says nothing final yet; another look may.
    NotYet(Hold),
}

/// What must be asked of the directory.
#[must_use]
pub fn questions<'a>(case: &Case<'a>) -> Questions<'a> {
    let entitlement = asked_entitlement(case).ok();
    let mut people = case.ticket.newest_approval().map(approving).unwrap_or_default();
    people.extend([&case.ticket.requester, &case.ticket.creator].into_iter().flatten());
    // Of two views of one account the one that shows its address is kept.
    people.sort_by_key(|account| (&account.id, account.email.is_none()));
    people.dedup_by_key(|account| &account.id);
    Questions {
        principal: text(&case.ticket.principal),
        kinds: entitlement.map_or(&[], |e| &e.allow),
        principal_groups: entitlement.map_or(&[], |e| &e.requester_groups),
        people: people.into_iter().filter_map(|a| Some((a.id.clone(), a.email.clone()?))).collect(),
        approver_group: entitlement.and_then(|e| e.approver_group),
        target: entitlement.map(|e| &e.target),
        never: case.never,
    }
}

/// Whether the directory need not be asked, because the ticket itself says nothing final yet or no longer stands.
#[must_use]
pub fn settle_early(case: &Case<'_>) -> Option<Verdict> {
    let ticket = case.ticket;
    if ticket.standing == Standing::Closed {
        return Some(Verdict::Withdrawn);
    }
    not_yet(ticket).map(Verdict::NotYet)
}

/// Decides.
#[must_use]
pub fn decide(case: &Case<'_>, directory: &Directory) -> Verdict {
    if let Some(early) = settle_early(case) {
        return early;
    }
    let mut reasons = Vec::new();
    let approval = approval(case, &mut reasons);
    let entitlement = keep(asked_entitlement(case), &mut reasons);
    let asked = keep(asked_duration(case.ticket), &mut reasons);
    let principal = keep(receiver(case, directory, entitlement), &mut reasons);
    let approvers = approval.map(|a| counted(case.ticket, directory, a, entitlement, &mut reasons)).unwrap_or_default();
    let bounded = entitlement.zip(asked).and_then(|(e, asked)| keep(bound(case, e, asked), &mut reasons));
    reasons.extend(entitlement.and_then(|entitlement| unread(case.ticket, entitlement)));
    let length = bounded.map(|(duration, _)| duration);
    reasons.extend(entitlement.map(|e| unassignable(e, directory, length)).unwrap_or_default());
    match (approval, entitlement, asked, principal, bounded) {
        (Some(approval), Some(entitlement), Some(requested), Some(principal), Some((duration, bound_by)))
            if reasons.is_empty() =>
        {
            let parts = Parts { approval, entitlement, requested, principal, duration, bound_by, approvers };
            Verdict::Approved(Box::new(decision(case, parts)))
        }
        _ => Verdict::Rejected(reasons),
    }
}

struct Parts<'a> {
    approval: &'a Approval,
    entitlement: &'a Entitlement,
    requested: Duration,
    principal: Receiver,
    duration: Duration,
    bound_by: Bound,
    approvers: Vec<Approver>,
}

fn decision(case: &Case<'_>, parts: Parts<'_>) -> Decision {
    Decision {
        decided_at: case.now,
        tenant: case.tenant.clone(),
        approval: parts.approval.id.clone(),
        approved_at: parts.approval.decided_at.unwrap_or(case.now),
        approvers: parts.approvers,
        principal: parts.principal,
        entitlement: Granted {
            key: parts.entitlement.key.clone(),
            title: parts.entitlement.title.clone(),
            target: parts.entitlement.target.clone(),
            revoke_sessions: parts.entitlement.revoke_sessions,
        },
        requested: parts.requested,
        duration: parts.duration,
        bound_by: parts.bound_by,
        not_before: case.ticket.window.start.filter(|start| *start > case.now),
        not_after: case.ticket.window.end,
        basis: case.ticket.basis,
        time_zone: case.ticket.time_zone.clone(),
        dry_run: case.dry_run,
        catalog_version: case.catalog.version.clone(),
        snapshot_digest: case.snapshot_digest.to_owned(),
    }
}

/// What makes the ticket undecidable for now.
fn not_yet(ticket: &Ticket) -> Option<Hold> {
    let hidden = [
        ("entitlement", ticket.entitlement == Field::Hidden),
        ("principal", ticket.principal == Field::Hidden),
        ("duration", ticket.duration == Field::Hidden),
        ("requester", ticket.requester.is_none()),
        ("creator", ticket.creator.is_none()),
        ("change window", ticket.window.unknown == Some(Field::Hidden)),
    ];
    let hidden: Vec<_> = hidden.iter().filter(|(_, hidden)| *hidden).map(|(name, _)| *name).collect();
    if !ticket.in_scope {
        return Some(Hold::new("ticket-moved", "the ticket now lies outside the connection's projects"));
    }
    if !hidden.is_empty() {
        let detail = format!("the ticket system does not show stint: {}", hidden.join(", "));
        return Some(Hold::new("field-hidden", detail));
    }
    approval_open(ticket)
}

fn approval_open(ticket: &Ticket) -> Option<Hold> {
    let pending = |detail: &str| Some(Hold::new("approval-pending", detail));
    if ticket.approvals.iter().any(|a| a.outcome == Outcome::Pending) {
        return pending("an approval of the ticket is still open");
    }
    match ticket.newest_approval().map(|a| a.outcome) {
        Some(Outcome::Unknown) => {
            Some(Hold::new("approval-unclear", "the approval has an outcome stint does not know"))
        }
        Some(Outcome::Declined) => None,
        _ if ticket.standing != Standing::Approved => pending("the ticket is not in an approved status"),
        _ => None,
    }
}

/// The newest approval, once it is final, fresh, and later than every edit.
fn approval<'a>(case: &Case<'a>, reasons: &mut Vec<Reason>) -> Option<&'a Approval> {
    let Some(approval) = case.ticket.newest_approval() else {
        reasons.push(Reason::new("no-approval-object", "the ticket has an approved status but no approval behind it"));
        return None;
    };
    if approval.outcome != Outcome::Approved {
        reasons.push(Reason::new("approval-declined", "the newest approval of the ticket was declined"));
        return None;
    }
    let Some(decided_at) = approval.decided_at else {
        reasons.push(Reason::new("approval-undated", "the ticket system does not say when the approval was given"));
        return None;
    };
    reasons.extend(stale(case, decided_at));
    reasons.extend(edited(case.ticket, seen_by_all(approval, decided_at)));
    Some(approval)
}

/// Age counts from the approval, or from the change window's start where that comes later.
fn stale(case: &Case<'_>, decided_at: Timestamp) -> Option<Reason> {
    let too_old = case.now.duration_since(counts_from(case.ticket, decided_at)) > case.max_approval_age.signed();
    let detail = format!("approved at {decided_at}, more than {} ago", case.max_approval_age);
    too_old.then(|| Reason::new("stale-approval", detail))
}

/// From when the age of an approval counts.
#[must_use]
pub fn counts_from(ticket: &Ticket, decided_at: Timestamp) -> Timestamp {
    ticket.window.start.map_or(decided_at, |start| start.max(decided_at))
}

/// What every approver has certainly seen: the ticket as it stood at the first of several votes. Where the ticket system
/// does not date votes, that may have been as early as the round's opening.
fn seen_by_all(approval: &Approval, decided_at: Timestamp) -> Timestamp {
    let yes: Vec<_> = approval.votes.iter().filter(|vote| vote.outcome == Outcome::Approved).collect();
    if yes.len() < 2 {
        return decided_at;
    }
    yes.iter().map(|vote| vote.decided_at.unwrap_or(approval.opened_at)).min().unwrap_or(decided_at)
}

fn edited(ticket: &Ticket, seen_at: Timestamp) -> Option<Reason> {
    let changed = ticket.fields_changed_at.filter(|changed| *changed > seen_at)?;
    let detail = format!("what is asked for was changed at {changed}, after it was approved as it stood at {seen_at}");
    Some(Reason::new("edited-after-approval", detail))
}

fn asked_entitlement<'a>(case: &Case<'a>) -> Result<&'a Entitlement, Reason> {
    let name = required(&case.ticket.entitlement, "entitlement")?;
    let unknown = || Reason::new("entitlement-unknown", format!("the catalog has no entry {name:?}"));
    case.catalog.find(name).ok_or_else(unknown)
}

fn asked_duration(ticket: &Ticket) -> Result<Duration, Reason> {
    let written = required(&ticket.duration, "duration")?;
    written.parse().map_err(|error| Reason::new("duration-invalid", format!("{error}")))
}

fn required<'a>(field: &'a Field, name: &str) -> Result<&'a str, Reason> {
    match field {
        Field::Text(text) => Ok(text),
        Field::Unreadable => {
            Err(Reason::new(format!("{name}-unreadable"), format!("the field {name} is no single text")))
        }
        Field::Empty | Field::Hidden => {
            Err(Reason::new(format!("{name}-missing"), format!("the field {name} is empty")))
        }
    }
}

fn receiver(case: &Case<'_>, directory: &Directory, entitlement: Option<&Entitlement>) -> Result<Receiver, Reason> {
    let name = required(&case.ticket.principal, "principal")?;
    let principal = match &directory.principal {
        Some(Lookup::One(principal)) => principal,
        Some(Lookup::Several) => {
            return Err(Reason::new("principal-ambiguous", format!("several users are {name:?}")));
        }
        Some(Lookup::Stint) => {
            return Err(Reason::new("principal-is-stint", "stint grants nothing to itself"));
        }
        Some(Lookup::Nobody) | None => {
            return Err(Reason::new(
                "principal-not-found",
                format!("the tenant has nobody {name:?} who may receive this"),
            ));
        }
    };
    let refused = if !principal.enabled {
        Some(("principal-disabled", "the principal's account is disabled"))
    } else if let Some(refused) = unsuitable(principal, entitlement) {
        Some(refused)
    } else if case.never.contains(&principal.id) {
        Some(("principal-never", "the tenant's configuration never grants to this principal"))
    } else if directory.principal_holds_never {
        Some(("principal-holds-never", "somebody is in the group who never receives anything, or stint itself"))
    } else if !may_ask(directory, entitlement) {
        Some(("principal-not-entitled", "the principal is in none of the groups that may ask for this"))
    } else {
        None
    };
    match refused {
        Some((code, detail)) => Err(Reason::new(code, detail)),
        None => Ok(Receiver {
            id: principal.id,
            name: principal.name.clone(),
            kind: principal.kind,
            named: Some(name.to_owned()),
        }),
    }
}

/// Why its kind keeps a principal from receiving this, if it does.
fn unsuitable(principal: &Principal, entitlement: Option<&Entitlement>) -> Option<(&'static str, &'static str)> {
    let kind = principal.kind?;
    if !entitlement.is_some_and(|e| e.allow.contains(&kind)) {
        return Some(match kind {
            PrincipalKind::Guest => ("principal-guest", "the user is a guest, which the entitlement does not allow"),
            PrincipalKind::ServicePrincipal => {
                ("principal-service-principal", "it is a service principal, which the entitlement does not allow")
            }
            PrincipalKind::Group => ("principal-group", "it is a group, which the entitlement does not allow"),
        });
    }
    // PIM would take the order and never bring it into force (`contracts/graph.md` §12).
    let hangs = kind == PrincipalKind::Group && !principal.role_assignable;
    hangs.then_some(("principal-group-not-assignable", "roles cannot be assigned to this group (isAssignableToRole)"))
}

fn may_ask(directory: &Directory, entitlement: Option<&Entitlement>) -> bool {
    let groups = entitlement.map_or(&[][..], |e| &e.requester_groups);
    groups.is_empty() || groups.iter().any(|group| directory.principal_groups.contains(group))
}

/// What can make anybody powerful is not granted on a webhook's word alone.
fn unread(ticket: &Ticket, entitlement: &Entitlement) -> Option<Reason> {
    let detail = "the entitlement is protected, and this connection's tickets cannot be read back";
    let refused = ticket.basis == Basis::Webhook && entitlement.protected;
    refused.then(|| Reason::new("read-back-needed", detail))
}

/// What the directory and PIM's own policy have against giving it, whoever asks.
fn unassignable(entitlement: &Entitlement, directory: &Directory, length: Option<Duration>) -> Vec<Reason> {
    let target = &entitlement.target;
    if !directory.missing.is_empty() {
        let missing = directory.missing.join(" and no ");
        return vec![Reason::new("target-not-found", format!("the tenant has no {missing}"))];
    }
    if directory.holds_roles && !entitlement.protected {
        let detail = format!("{target} may hold roles, and the entitlement is not protected");
        return vec![Reason::new("target-must-be-protected", detail)];
    }
    match &directory.pim {
        Some(policy) => policy.refusals(target, length),
        None => vec![Reason::new("pim-policy-unknown", format!("PIM shows no policy for {target}"))],
    }
}

/// The duration to grant, and which limit made it so.
fn bound(case: &Case<'_>, entitlement: &Entitlement, asked: Duration) -> Result<(Duration, Bound), Reason> {
    let least = entitlement.min_duration.max(*GRANTABLE.start());
    let most = entitlement.max_duration.min(*GRANTABLE.end());
    if asked < least {
        return Err(Reason::new("duration-too-short", format!("{asked} is shorter than {least}")));
    }
    if case.ticket.window.unknown.is_some() {
        return Err(Reason::new("change-window-unreadable", "the ticket's change window is no moment with an offset"));
    }
    let (duration, by) = if asked > most { (most, Bound::Entitlement) } else { (asked, Bound::Requested) };
    let Some(end) = case.ticket.window.end else {
        return Ok((duration, by));
    };
    let start = case.ticket.window.start.map_or(case.now, |start| start.max(case.now));
    match Duration::between(start, end) {
        Some(left) if left >= duration => Ok((duration, by)),
        Some(left) if left >= *GRANTABLE.start() => Ok((left, Bound::ChangeWindow)),
        _ => Err(Reason::new("change-window-over", format!("the change window ends at {end}"))),
    }
}

fn text(field: &Field) -> Option<&str> {
    if let Field::Text(text) = field { Some(text) } else { None }
}

fn keep<T>(part: Result<T, Reason>, reasons: &mut Vec<Reason>) -> Option<T> {
    part.map_err(|reason| reasons.push(reason)).ok()
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
