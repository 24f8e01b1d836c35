//! Each rule once, starting from a case that everything allows.

use uuid::Uuid;

use super::*;
use crate::domain::{
    approval::{Account, AccountKind, Vote},
    assignment::Principal,
    id::{ApprovalId, EntitlementKey, TicketId, TicketNumber},
    pim_policy::Demand,
    target::{AssignmentKind, Target},
    ticket::{Basis, Window},
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("time")
}

fn user(n: u128) -> ObjectId {
    ObjectId(Uuid::from_u128(n))
}

fn account(id: &str) -> Account {
    Account {
        id: AccountId::new(id),
        name: Some(format!("Name of {id}")),
        email: Some(format!("{id}@contoso.example")),
        kind: AccountKind::Person,
        active: Some(true),
    }
}

fn vote(id: &str) -> Vote {
    Vote { approver: Some(account(id)), outcome: Outcome::Approved, decided_at: None }
}

fn round() -> Approval {
    Approval {
        id: ApprovalId::new("37"),
        outcome: Outcome::Approved,
        opened_at: at("2026-11-03T08:12:41Z"),
        decided_at: Some(at("2026-11-03T08:31:07Z")),
        votes: vec![vote("omar")],
        without_approver: false,
    }
}

fn text_field(text: &str) -> Field {
    Field::Text(text.into())
}

/// A case under construction.
struct Story {
    now: Timestamp,
    ticket: Ticket,
    entitlement: Entitlement,
    never: Vec<ObjectId>,
    directory: Directory,
}

fn story() -> Story {
    let ticket = Ticket {
        id: TicketId::new("10482"),
        number: TicketNumber::new("ITSEC-482"),
        url: None,
        in_scope: true,
        standing: Standing::Approved,
        requester: Some(account("nina")),
        creator: Some(account("nina")),
        entitlement: text_field("exchange-admin"),
        principal: text_field("nina@contoso.example"),
        duration: text_field("PT4H"),
        tenant: None,
        approvals: vec![round()],
        fields_changed_at: None,
        window: Window::default(),
        basis: Basis::ReadBack,
        time_zone: None,
    };
    let entitlement = Entitlement {
        key: EntitlementKey::new("exchange-admin"),
        title: "Exchange Administrator".into(),
        target: Target {
            kind: "directory-role".into(),
            assignment: AssignmentKind::Active,
            keys: std::collections::BTreeMap::new(),
        },
        revoke_sessions: false,
        min_duration: Duration::minutes(15),
        max_duration: Duration::hours(8),
        approvers: 1,
        protected: false,
        approver_group: None,
        requester_groups: vec![],
        allow: vec![],
        per_hour: None,
    };
    let nina = Principal {
        id: user(1),
        name: "Nina Keller".into(),
        upn: Some("nina@contoso.example".into()),
        enabled: true,
        kind: None,
        role_assignable: true,
    };
    let omar =
        Match { account: AccountId::new("omar"), users: vec![user(2)], in_approver_group: false, in_principal: false };
    let pim = PimPolicy {
        maximum: Some(Duration::hours(24)),
        expiration_required: true,
        demands: vec![Demand::Justification],
    };
    let directory = Directory {
        principal: Some(Lookup::One(nina)),
        principal_groups: vec![],
        people: vec![omar],
        pim: Some(pim),
        missing: vec![],
        holds_roles: false,
        principal_holds_never: false,
    };
    Story { now: at("2026-11-03T08:31:10Z"), ticket, entitlement, never: vec![], directory }
}

impl Story {
    fn decide(&self) -> Verdict {
        let key = self.entitlement.key.clone();
        let entitlements = [(key, self.entitlement.clone())].into();
        let catalog = Catalog { version: "sha256:1".into(), entitlements };
        let case = Case {
            now: self.now,
            ticket: &self.ticket,
            snapshot_digest: "sha256:2",
            tenant: &TenantName::new("contoso"),
            catalog: &catalog,
            never: &self.never,
            max_approval_age: Duration::hours(24),
            dry_run: false,
        };
        decide(&case, &self.directory)
    }

    fn codes(&self) -> Vec<String> {
        match self.decide() {
            Verdict::Rejected(reasons) => reasons.into_iter().map(|r| r.code).collect(),
            other => panic!("not rejected: {other:?}"),
        }
    }

    fn hold(&self) -> String {
        match self.decide() {
            Verdict::NotYet(hold) => hold.code,
            other => panic!("not waiting: {other:?}"),
        }
    }

    fn decision(&self) -> Decision {
        match self.decide() {
            Verdict::Approved(decision) => *decision,
            other => panic!("not approved: {other:?}"),
        }
    }

    fn principal(&mut self, change: impl FnOnce(&mut Principal)) {
        if let Some(Lookup::One(principal)) = &mut self.directory.principal {
            change(principal);
        }
    }
}

#[test]
fn what_everything_allows_is_granted_as_asked() {
    let decision = story().decision();
    assert_eq!((decision.duration, decision.bound_by), (Duration::hours(4), Bound::Requested));
    assert_eq!(decision.principal.id, user(1));
    assert_eq!(decision.approved_at, at("2026-11-03T08:31:07Z"));
    assert_eq!(decision.approvers.len(), 1);
}

#[test]
fn the_entitlement_may_be_named_by_its_exact_title_only() {
    let mut story = story();
    story.ticket.entitlement = text_field("Exchange Administrator");
    assert_eq!(story.decision().entitlement.key.as_str(), "exchange-admin");
    story.ticket.entitlement = text_field("exchange administrator");
    assert_eq!(story.codes(), ["entitlement-unknown"]);
}

#[test]
fn a_longer_wish_is_cut_to_the_entitlement_and_a_shorter_one_refused() {
    let mut story = story();
    story.ticket.duration = text_field("PT12H");
    let decision = story.decision();
    assert_eq!((decision.duration, decision.bound_by), (Duration::hours(8), Bound::Entitlement));
    assert_eq!(decision.requested, Duration::hours(12));
    story.ticket.duration = text_field("PT10M");
    assert_eq!(story.codes(), ["duration-too-short"]);
    story.ticket.duration = text_field("4 hours");
    assert_eq!(story.codes(), ["duration-invalid"]);
}

#[test]
fn a_change_window_cuts_the_end_and_says_so() {
    let mut story = story();
    story.ticket.window.end = Some(at("2026-11-03T09:31:10Z"));
    let decision = story.decision();
    assert_eq!((decision.duration, decision.bound_by), (Duration::hours(1), Bound::ChangeWindow));
    story.ticket.window.end = Some(at("2026-11-03T08:33:00Z"));
    assert_eq!(story.codes(), ["change-window-over"]);
}

#[test]
fn a_window_still_to_come_delays_the_start_and_keeps_the_approval_fresh() {
    let mut story = story();
    story.ticket.window.start = Some(at("2026-11-06T08:00:00Z"));
    assert_eq!(story.decision().not_before, story.ticket.window.start);
    story.now = at("2026-11-06T08:00:01Z");
    assert_eq!(story.decision().not_before, None);
}

#[test]
fn an_approved_status_without_an_approval_object_is_refused() {
    let mut story = story();
    story.ticket.approvals.clear();
    assert_eq!(story.codes(), ["no-approval-object"]);
}

#[test]
fn the_newest_round_decides_and_no_round_may_be_open() {
    let mut story = story();
    let declined = Approval { id: ApprovalId::new("36"), outcome: Outcome::Declined, ..round() };
    story.ticket.approvals.insert(0, Approval { opened_at: at("2026-11-03T08:00:00Z"), ..declined.clone() });
    assert_eq!(story.decision().approval.as_str(), "37");
    story.ticket.approvals.push(Approval { opened_at: at("2026-11-03T08:20:00Z"), ..declined });
    assert_eq!(story.codes(), ["approval-declined"]);
    let open =
        Approval { outcome: Outcome::Pending, decided_at: None, opened_at: at("2026-11-03T07:00:00Z"), ..round() };
    story.ticket.approvals.insert(0, open);
    assert_eq!(story.hold(), "approval-pending");
}

#[test]
fn what_is_not_final_or_not_shown_waits() {
    let waits = |change: fn(&mut Ticket)| {
        let mut story = story();
        change(&mut story.ticket);
        story.hold()
    };
    assert_eq!(waits(|t| t.standing = Standing::Open), "approval-pending");
    assert_eq!(waits(|t| t.approvals[0].outcome = Outcome::Unknown), "approval-unclear");
    assert_eq!(waits(|t| t.in_scope = false), "ticket-moved");
    assert_eq!(waits(|t| t.duration = Field::Hidden), "field-hidden");
    assert_eq!(waits(|t| t.entitlement = Field::Hidden), "field-hidden");
    assert_eq!(waits(|t| t.principal = Field::Hidden), "field-hidden");
    assert_eq!(waits(|t| t.requester = None), "field-hidden");
    assert_eq!(waits(|t| t.creator = None), "field-hidden");
}

#[test]
fn a_closed_ticket_is_withdrawn_whatever_else_it_says() {
    let mut story = story();
    story.ticket.standing = Standing::Closed;
    story.ticket.approvals.clear();
    assert_eq!(story.decide(), Verdict::Withdrawn);
}

#[test]
fn requester_creator_and_beneficiary_never_approve_for_themselves() {
    let mut by_requester = story();
    by_requester.ticket.requester = Some(account("omar"));
    assert_eq!(by_requester.codes(), ["self-approval"]);
    let mut by_creator = story();
    by_creator.ticket.creator = Some(account("omar"));
    assert_eq!(by_creator.codes(), ["self-approval"]);
    let mut by_beneficiary = story();
    by_beneficiary.directory.people[0].users = vec![user(9), user(1)];
    assert_eq!(by_beneficiary.codes(), ["self-approval"]);
    let mut one_of_two = story();
    one_of_two.ticket.approvals[0].votes.push(vote("nina"));
    assert_eq!(one_of_two.codes(), ["self-approval"]);
}

#[test]
fn bots_inactive_accounts_and_hidden_identities_do_not_count() {
    let without = |change: fn(&mut Vote)| {
        let mut story = story();
        change(&mut story.ticket.approvals[0].votes[0]);
        story.codes()
    };
    let none = ["no-counted-approver"];
    assert_eq!(without(|v| v.approver = None), none);
    assert_eq!(without(|v| v.outcome = Outcome::Pending), none);
    assert_eq!(without(|v| v.approver.iter_mut().for_each(|a| a.kind = AccountKind::App)), none);
    assert_eq!(without(|v| v.approver.iter_mut().for_each(|a| a.active = Some(false))), none);
}

#[test]
fn an_approval_nobody_was_asked_for_counts_only_where_no_approver_is_demanded() {
    let unapproved = |change: fn(&mut Entitlement)| {
        let mut story = story();
        story.ticket.approvals[0] = Approval { votes: vec![], without_approver: true, ..round() };
        change(&mut story.entitlement);
        story
    };
    let Verdict::Approved(decision) = unapproved(|_| ()).decide() else { panic!("approved") };
    assert_eq!(decision.approvers, []);
    let none = ["no-counted-approver"];
    assert_eq!(unapproved(|e| e.protected = true).codes(), none);
    assert_eq!(unapproved(|e| e.approvers = 2).codes(), none);
    assert_eq!(unapproved(|e| e.approver_group = Some(user(7))).codes(), none);
}

#[test]
fn the_same_approver_twice_is_one_approver() {
    let mut story = story();
    story.entitlement.approvers = 2;
    story.ticket.approvals[0].votes.push(vote("omar"));
    assert_eq!(story.codes(), ["too-few-approvers"]);
    story.ticket.approvals[0].votes.push(vote("rosa"));
    assert_eq!(story.decision().duration, Duration::hours(4));
}

#[test]
fn protected_entitlements_need_every_approver_matched_and_in_the_group() {
    let mut story = story();
    story.entitlement.protected = true;
    assert_eq!(story.decision().duration, Duration::hours(4));
    story.directory.people[0].users = vec![user(2), user(3)];
    assert_eq!(story.codes(), ["approver-unmatched"]);
    story.directory.people.clear();
    assert_eq!(story.codes(), ["approver-unmatched"]);
    story.directory.people = vec![Match {
        account: AccountId::new("omar"),
        users: vec![user(2)],
        in_approver_group: false,
        in_principal: false,
    }];
    story.entitlement.approver_group = Some(user(50));
    assert_eq!(story.codes(), ["approver-not-in-group"]);
    story.directory.people[0].in_approver_group = true;
    assert_eq!(story.decision().duration, Duration::hours(4));
}

#[test]
fn an_edit_after_the_approval_refuses_and_one_before_does_not() {
    let mut story = story();
    story.ticket.fields_changed_at = Some(at("2026-11-03T08:31:07Z"));
    assert_eq!(story.decision().duration, Duration::hours(4));
    story.ticket.fields_changed_at = Some(at("2026-11-03T08:31:08Z"));
    assert_eq!(story.codes(), ["edited-after-approval"]);
}

#[test]
fn an_old_or_undated_approval_is_refused() {
    let mut story = story();
    story.now = at("2026-11-04T08:31:08Z");
    assert_eq!(story.codes(), ["stale-approval"]);
    story.ticket.approvals[0].decided_at = None;
    assert_eq!(story.codes(), ["approval-undated"]);
}

#[test]
fn only_one_enabled_member_may_receive_it() {
    let refused = |change: fn(&mut Story)| {
        let mut story = story();
        change(&mut story);
        story.codes()
    };
    assert_eq!(refused(|s| s.directory.principal = Some(Lookup::Nobody)), ["principal-not-found"]);
    assert_eq!(refused(|s| s.directory.principal = Some(Lookup::Several)), ["principal-ambiguous"]);
    assert_eq!(refused(|s| s.principal(|p| p.enabled = false)), ["principal-disabled"]);
    assert_eq!(refused(|s| s.principal(|p| p.kind = Some(PrincipalKind::Guest))), ["principal-guest"]);
    assert_eq!(refused(|s| s.never = vec![user(1)]), ["principal-never"]);
    assert_eq!(refused(|s| s.entitlement.requester_groups = vec![user(60)]), ["principal-not-entitled"]);
    assert_eq!(refused(|s| s.ticket.principal = Field::Empty), ["principal-missing"]);
    assert_eq!(refused(|s| s.ticket.principal = Field::Unreadable), ["principal-unreadable"]);
}

#[test]
fn a_guest_is_taken_where_the_entitlement_allows_guests() {
    let mut story = story();
    story.principal(|p| p.kind = Some(PrincipalKind::Guest));
    story.entitlement.allow = vec![PrincipalKind::Guest];
    assert_eq!(story.decision().principal.id, user(1));
}

#[test]
fn service_principals_and_groups_are_taken_only_where_the_entitlement_allows_them() {
    for (kind, code) in
        [(PrincipalKind::ServicePrincipal, "principal-service-principal"), (PrincipalKind::Group, "principal-group")]
    {
        let mut story = story();
        story.principal(|p| p.kind = Some(kind));
        assert_eq!(story.codes(), [code]);
        story.entitlement.allow = vec![kind];
        assert_eq!(story.decision().principal.kind, Some(kind));
        story.principal(|p| p.enabled = false);
        assert_eq!(story.codes(), ["principal-disabled"]);
    }
    let mut story = story();
    story.directory.principal = Some(Lookup::Stint);
    assert_eq!(story.codes(), ["principal-is-stint"]);
}

#[test]
fn a_group_must_be_able_to_hold_roles_and_none_of_its_members_approves_for_it() {
    let mut story = story();
    story.entitlement.allow = vec![PrincipalKind::Group];
    story.principal(|p| (p.kind, p.role_assignable) = (Some(PrincipalKind::Group), false));
    assert_eq!(story.codes(), ["principal-group-not-assignable"]);
    story.principal(|p| p.role_assignable = true);
    story.directory.people[0].in_principal = true;
    assert_eq!(story.codes(), ["self-approval"]);
    story.directory.people[0].in_principal = false;
    story.directory.people[0].users = vec![];
    assert_eq!(story.codes(), ["approver-membership-unknown"]);
    story.directory.people[0].users = vec![user(2), user(3)];
    assert_eq!(story.codes(), ["approver-membership-unknown"]);
}

#[test]
fn every_reason_is_given_at_once() {
    let mut story = story();
    story.ticket.requester = Some(account("omar"));
    story.ticket.duration = text_field("soon");
    story.ticket.fields_changed_at = Some(at("2026-11-03T08:31:09Z"));
    story.principal(|p| p.enabled = false);
    let mut codes = story.codes();
    codes.sort();
    assert_eq!(codes, ["duration-invalid", "edited-after-approval", "principal-disabled", "self-approval"]);
}

#[test]
fn the_directory_is_asked_about_the_principal_and_everybody_who_asks_or_approves() {
    let story = story();
    let catalog = Catalog { version: String::new(), entitlements: [].into() };
    let case = Case {
        now: story.now,
        ticket: &story.ticket,
        snapshot_digest: "",
        tenant: &TenantName::new("contoso"),
        catalog: &catalog,
        never: &[],
        max_approval_age: Duration::hours(24),
        dry_run: false,
    };
    let asked = questions(&case);
    assert_eq!(asked.principal, Some("nina@contoso.example"));
    let mail = |name: &str| (AccountId::new(name), format!("{name}@contoso.example"));
    assert_eq!(asked.people, [mail("nina"), mail("omar")]);
}

#[test]
fn two_accounts_of_one_person_are_one_approver_and_no_way_around_self_approval() {
    let same = |name: &str| Match {
        account: AccountId::new(name),
        users: vec![user(2)],
        in_approver_group: false,
        in_principal: false,
    };
    let mut two = story();
    two.entitlement.approvers = 2;
    two.ticket.approvals[0].votes.push(vote("omar-too"));
    two.directory.people.push(same("omar-too"));
    assert_eq!(two.codes(), ["too-few-approvers"]);
    let mut own = story();
    own.directory.people.push(same("nina"));
    assert_eq!(own.codes(), ["self-approval"]);
}

#[test]
fn an_edit_between_two_votes_refuses() {
    let mut story = story();
    story.entitlement.approvers = 2;
    story.ticket.approvals[0].votes.push(vote("rosa"));
    story.ticket.fields_changed_at = Some(at("2026-11-03T08:12:40Z"));
    assert_eq!(story.decision().approvers.len(), 2);
    story.ticket.fields_changed_at = Some(at("2026-11-03T08:20:00Z"));
    assert_eq!(story.codes(), ["edited-after-approval"], "undated votes may be as old as the round");
    for vote in &mut story.ticket.approvals[0].votes {
        vote.decided_at = Some(at("2026-11-03T08:25:00Z"));
    }
    assert_eq!(story.decision().approvers.len(), 2);
}

#[test]
fn an_unread_ticket_gives_nothing_that_is_protected() {
    let mut story = story();
    story.ticket.basis = Basis::Webhook;
    assert_eq!(story.decision().basis, Basis::Webhook);
    story.entitlement.protected = true;
    assert_eq!(story.codes(), ["read-back-needed"]);
}

#[test]
fn what_pims_policy_forbids_is_refused_by_the_rules_name() {
    let refused = |change: fn(&mut PimPolicy)| {
        let mut story = story();
        change(story.directory.pim.as_mut().expect("a policy"));
        story.codes()
    };
    assert_eq!(refused(|pim| pim.demands.push(Demand::Mfa)), ["pim-mfa-required"]);
    assert_eq!(refused(|pim| pim.maximum = Some(Duration::seconds(0))), ["pim-duration-none"]);
    assert_eq!(refused(|pim| pim.maximum = Some(Duration::hours(3))), ["pim-duration-too-long"]);
    let both = refused(|pim| {
        *pim = PimPolicy { demands: vec![Demand::Mfa], maximum: Some(Duration::hours(1)), ..pim.clone() }
    });
    assert_eq!(both, ["pim-mfa-required", "pim-duration-too-long"]);
}

#[test]
fn pims_maximum_is_held_against_what_would_be_granted_not_what_was_asked() {
    let mut story = story();
    story.ticket.duration = text_field("PT12H");
    story.directory.pim.as_mut().expect("a policy").maximum = Some(Duration::hours(8));
    assert_eq!(story.decision().duration, Duration::hours(8));
    story.ticket.window.end = Some(at("2026-11-03T09:31:10Z"));
    story.directory.pim.as_mut().expect("a policy").maximum = Some(Duration::hours(1));
    assert_eq!(story.decision().duration, Duration::hours(1));
}

#[test]
fn nothing_is_granted_without_a_policy_or_a_target() {
    let mut story = story();
    story.directory.pim = None;
    assert_eq!(story.codes(), ["pim-policy-unknown"]);
    story.directory.missing = vec!["role r1".into(), "administrative unit a1".into()];
    assert_eq!(story.codes(), ["target-not-found"]);
}

#[test]
fn what_may_hold_roles_is_given_only_where_it_is_protected() {
    let mut story = story();
    story.directory.holds_roles = true;
    assert_eq!(story.codes(), ["target-must-be-protected"]);
    story.entitlement.protected = true;
    assert_eq!(story.decision().duration, Duration::hours(4));
}

#[test]
fn a_group_with_somebody_in_it_who_never_receives_anything_receives_nothing() {
    let mut story = story();
    story.entitlement.allow = vec![PrincipalKind::Group];
    story.principal(|p| p.kind = Some(PrincipalKind::Group));
    story.directory.principal_holds_never = true;
    assert_eq!(story.codes(), ["principal-holds-never"]);
}

#[test]
fn a_window_that_cannot_be_read_is_no_window() {
    let mut story = story();
    story.ticket.window.unknown = Some(Field::Unreadable);
    assert_eq!(story.codes(), ["change-window-unreadable"]);
    story.ticket.window.unknown = Some(Field::Hidden);
    assert_eq!(story.hold(), "field-hidden");
}

#[path = "withdrawal_tests.rs"]
mod withdrawal;
