//! Who counts as an approver: people who said yes, each once, and none of them for themselves.
//!
//! Accounts are told apart by their immutable ids. E-mail addresses lead to Entra users and serve only to refuse: two
//! accounts that lead to a common user are one person.

use super::{
    approval::{Account, AccountKind, Approval, Outcome, Vote},
    assignment::Lookup,
    entitlement::{Entitlement, PrincipalKind},
    id::{AccountId, ObjectId},
    policy::Directory,
    request::{Approver, Reason},
    ticket::Ticket,
};

/// A ticket account and the Entra users it leads to.
#[derive(Clone, Debug)]
pub struct Match {
    /// The account.
    pub account: AccountId,
    /// Users with its e-mail address; exactly one is a match.
    pub users: Vec<ObjectId>,
    /// Whether that one user is in the entitlement's approver group.
    pub in_approver_group: bool,
    /// Whether any of these users is in the group that is to receive it; false when no group is.
    pub in_principal: bool,
}

/// Who voted yes and is known by name, bots left out.
pub(super) fn approving(approval: &Approval) -> Vec<&Account> {
    let yes = |vote: &&Vote| vote.outcome == Outcome::Approved;
    let accounts = approval.votes.iter().filter(yes).filter_map(|vote| vote.approver.as_ref());
    accounts.filter(|a| a.kind != AccountKind::App && a.active != Some(false)).collect()
}

/// The approvers that count, with every reason against them.
pub(super) fn counted(
    ticket: &Ticket,
    directory: &Directory,
    approval: &Approval,
    entitlement: Option<&Entitlement>,
    reasons: &mut Vec<Reason>,
) -> Vec<Approver> {
    if approval.without_approver {
        reasons.extend(entitlement.filter(|entitlement| wants_approvers(entitlement)).map(unapproved));
        return vec![];
    }
    let accounts = approving(approval);
    reasons.extend(self_approval(ticket, directory, &accounts));
    if let Some(entitlement) = entitlement {
        reasons.extend(too_few(persons(directory, &accounts), entitlement));
        reasons.extend(unmatched(directory, &accounts, entitlement));
    }
    if receives_as_group(directory) {
        reasons.extend(unknown_members(directory, &accounts));
    }
    let when = |id: &AccountId| {
        let vote = approval.votes.iter().find(|v| v.approver.as_ref().is_some_and(|a| a.id == *id));
        vote.and_then(|v| v.decided_at).or(approval.decided_at)
    };
    accounts.iter().map(|a| Approver { id: a.id.clone(), name: a.name.clone(), decided_at: when(&a.id) }).collect()
}

/// Whether an approval without any approver is not enough: one that is protected, or that says who or how many must approve.
fn wants_approvers(entitlement: &Entitlement) -> bool {
    entitlement.protected || entitlement.approver_group.is_some() || entitlement.approvers > 1
}

fn unapproved(entitlement: &Entitlement) -> Reason {
    let detail = format!("nobody was asked to approve, which {} does not accept", entitlement.title);
    Reason::new("no-counted-approver", detail)
}

/// How many different people these accounts are: the same account, or accounts that lead to a common Entra user, are one.
fn persons(directory: &Directory, accounts: &[&Account]) -> usize {
    let mut known: Vec<&Account> = Vec::new();
    for account in accounts {
        if !known.iter().any(|other| are_one(directory, &other.id, &account.id)) {
            known.push(account);
        }
    }
    known.len()
}

fn are_one(directory: &Directory, one: &AccountId, other: &AccountId) -> bool {
    let users = |id| matched(directory, id).map_or(&[][..], |m| &m.users);
    one == other || users(one).iter().any(|user| users(other).contains(user))
}

fn self_approval(ticket: &Ticket, directory: &Directory, accounts: &[&Account]) -> Option<Reason> {
    let asked_by = |asking: &Option<Account>, id| asking.as_ref().is_some_and(|a| are_one(directory, &a.id, id));
    let receives = |id| match &directory.principal {
        Some(Lookup::One(principal)) => {
            matched(directory, id).is_some_and(|m| m.users.contains(&principal.id) || m.in_principal)
        }
        _ => false,
    };
    let own = accounts
        .iter()
        .find(|a| asked_by(&ticket.requester, &a.id) || asked_by(&ticket.creator, &a.id) || receives(&a.id))?;
    let name = own.name.as_deref().unwrap_or(own.id.as_str());
    let detail = format!("{name} approved, and also asked for, created or would receive it");
    Some(Reason::new("self-approval", detail))
}

fn receives_as_group(directory: &Directory) -> bool {
    matches!(&directory.principal, Some(Lookup::One(principal)) if principal.kind == Some(PrincipalKind::Group))
}

/// Whether an approver is in the group that receives it must be known, or they may approve for themselves.
fn unknown_members(directory: &Directory, accounts: &[&Account]) -> Vec<Reason> {
    let unknown = |a: &&&Account| matched(directory, &a.id).is_none_or(|m| m.users.len() != 1);
    let reason = |account: &&Account| {
        let name = account.name.as_deref().unwrap_or(account.id.as_str());
        let detail = format!(
            "whether {name} is in the group that would receive it is not known: no single Entra user has their e-mail"
        );
        Reason::new("approver-membership-unknown", detail)
    };
    accounts.iter().filter(unknown).map(reason).collect()
}

fn too_few(people: usize, entitlement: &Entitlement) -> Option<Reason> {
    let needed = usize::from(entitlement.approvers.max(1));
    let detail = format!("{people} of {needed} needed approvers count; bots and inactive accounts never do");
    let code = if people == 0 { "no-counted-approver" } else { "too-few-approvers" };
    (people < needed).then(|| Reason::new(code, detail))
}

fn unmatched(directory: &Directory, accounts: &[&Account], entitlement: &Entitlement) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let must_match = entitlement.protected || entitlement.approver_group.is_some();
    for account in accounts.iter().filter(|_| must_match) {
        let name = account.name.as_deref().unwrap_or(account.id.as_str());
        let found = matched(directory, &account.id);
        if found.is_none_or(|m| m.users.len() != 1) {
            let detail = format!("{name} is not matched to exactly one Entra user by e-mail");
            reasons.push(Reason::new("approver-unmatched", detail));
        } else if entitlement.approver_group.is_some() && !found.is_some_and(|m| m.in_approver_group) {
            let detail = format!("{name} is not in the entitlement's approver group");
            reasons.push(Reason::new("approver-not-in-group", detail));
        }
    }
    reasons
}

fn matched<'a>(directory: &'a Directory, id: &AccountId) -> Option<&'a Match> {
    directory.people.iter().find(|m| m.account == *id)
}
