//! Each check once: what is good, what is looked at, and what will fail.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use regex::Regex;
use secrecy::SecretString;
use uuid::Uuid;

use super::{Outcome, Report, Said, Subject, connection, database, entitlement, permissions, secret, tenant};
use crate::{
    domain::{
        duration::Duration,
        entitlement::{Catalog, Entitlement, PrincipalKind},
        id::{EntitlementKey, TenantName},
        pim_policy::{Demand, PimPolicy},
        target::{AssignmentKind, Target},
    },
    graph::{
        Flaw, GraphError, Inspected,
        permission::{ALL_ROLES, Consented, GROUPS, OF_GROUPS, USERS},
        permissions_for,
    },
    store::Health,
};

const ROLE: &str = "29232cdf-9323-42fd-ade2-1d097af3e4de";
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

fn outcomes(said: impl IntoIterator<Item = Said>) -> Vec<Outcome> {
    said.into_iter().map(|said| said.0).collect()
}

fn entitlement(role: &str) -> Entitlement {
    let keys = BTreeMap::from([("role".to_owned(), role.to_owned()), ("scope".to_owned(), "/".to_owned())]);
    Entitlement {
        key: EntitlementKey::new("exchange-admin"),
        title: "Exchange Administrator".into(),
        target: Target { kind: "directory-role".into(), assignment: AssignmentKind::Active, keys },
        min_duration: Duration::minutes(15),
        max_duration: Duration::hours(8),
        approvers: 1,
        protected: false,
        approver_group: None,
        requester_groups: vec![],
        allow: vec![],
        per_hour: None,
        revoke_sessions: false,
    }
}

fn policy() -> PimPolicy {
    PimPolicy {
        maximum: Some(Duration::hours(8)),
        expiration_required: true,
        demands: vec![Demand::Justification, Demand::Ticketing],
    }
}

fn permission_error() -> GraphError {
    GraphError::Permission { code: "Authorization_RequestDenied".into(), detail: "denied".into() }
}

#[test]
fn secrets_that_repeat_or_hardly_vary_fail_and_are_never_shown() {
    for (text, outcome) in [
        ("k3J9xQ0vTz7Lm2Rb8Wc5Yd1Nf6Hg4Ps0", Outcome::Ok),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Outcome::Ok),
        ("whpk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Outcome::Ok),
        ("k3J9xQ0vTz7Lm2Rb8Wc5Yd1N", Outcome::Warn),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Outcome::Fail),
        ("correct-horse!correct-horse!corr", Outcome::Fail),
        ("abababcdcdcdabcdabcdabcdcdabcdab", Outcome::Fail),
    ] {
        let said = secret::strengths(&[SecretString::from(text)]);
        assert!(!said[0].1.contains(text), "{said:?}");
        assert_eq!(outcomes(said), [outcome], "{text}");
    }
}

#[test]
fn a_pattern_takes_less_than_everything() {
    for (text, outcome) in [("^ITSEC-[1-9][0-9]*$", Outcome::Ok), ("^.*$", Outcome::Warn), ("^[a-z ]+$", Outcome::Warn)]
    {
        assert_eq!(connection::pattern(&Regex::new(text).expect("a pattern")).0, outcome, "{text}");
    }
}

#[test]
fn clocks_a_minute_apart_are_told_and_five_minutes_fail() {
    for (seconds, outcome) in
        [(0, Outcome::Ok), (60, Outcome::Ok), (-61, Outcome::Warn), (300, Outcome::Warn), (-301, Outcome::Fail)]
    {
        assert_eq!(tenant::apart(Ok(Some(SignedDuration::from_secs(seconds)))).0, outcome, "{seconds}");
    }
    assert_eq!(tenant::apart(Ok(None)).0, Outcome::Warn);
}

fn consented(ids: &[Uuid]) -> Vec<Consented> {
    ids.iter().map(|id| Consented { id: *id, resource: "Microsoft Graph".into() }).collect()
}

fn catalog(entitlement: Entitlement) -> Catalog {
    Catalog { version: String::new(), entitlements: [(entitlement.key.clone(), entitlement)].into() }
}

#[test]
fn a_permission_too_few_fails_and_one_too_many_is_told() {
    let needs = permissions::to_assign(&catalog(entitlement(ROLE)));
    let of_pim = permissions_for(&entitlement(ROLE).target).expect("a known target");
    let enough = [USERS.id, of_pim.write.id, of_pim.policy.id];
    assert_eq!(outcomes(permissions::compare(&needs, &consented(&enough))), [Outcome::Ok]);
    let [Said(Outcome::Fail, lacking)] = &permissions::compare(&needs, &consented(&enough[..2]))[..] else {
        panic!("one thing lacks")
    };
    assert!(lacking.contains("RoleManagement.Read.Directory"), "{lacking}");
    let more = [&enough[..], &[ALL_ROLES.id, GROUPS.id, Uuid::nil()]].concat();
    let said = permissions::compare(&needs, &consented(&more));
    assert_eq!(outcomes(said.clone()), [Outcome::Warn; 3]);
    assert!(said[0].1.contains("RoleManagement.ReadWrite.Directory"), "{}", said[0].1);
    assert!(said[2].1.contains(&Uuid::nil().to_string()), "{}", said[2].1);
}

fn told(said: &[Said], outcome: Outcome) -> Vec<&str> {
    said.iter().filter(|said| said.0 == outcome).map(|said| said.1.as_str()).collect()
}

#[test]
fn what_covers_a_removal_may_lie_beside_it_but_a_remover_that_can_assign_is_told() {
    let catalog = catalog(entitlement(ROLE));
    let of_pim = permissions_for(&entitlement(ROLE).target).expect("a known target");
    let main = consented(&[USERS.id, of_pim.write.id, of_pim.policy.id, of_pim.remove.id]);
    assert_eq!(outcomes(permissions::compare(&permissions::to_assign(&catalog), &main)), [Outcome::Ok]);
    let needs = permissions::to_remove(&catalog);
    assert_eq!(outcomes(permissions::compare(&needs, &consented(&[of_pim.remove.id]))), [Outcome::Ok]);
    let lacks = permissions::compare(&needs, &[]);
    assert_eq!(told(&lacks, Outcome::Fail).len(), 1, "{lacks:?}");
    assert!(lacks[0].1.contains("lacks RoleAssignmentSchedule.Remove.Directory"), "{lacks:?}");
    for held in [vec![of_pim.write.id], vec![of_pim.write.id, of_pim.remove.id]] {
        let said = permissions::compare(&needs, &consented(&held));
        assert_eq!(outcomes(said.clone()), [Outcome::Warn], "it removes all the same: {said:?}");
        assert!(said[0].1.contains("it can assign too, where RoleAssignmentSchedule.Remove.Directory is enough"));
    }
}

#[test]
fn a_remover_of_what_has_no_permission_to_remove_only_needs_the_one_to_assign() {
    let mut eligible = entitlement(ROLE);
    eligible.target.assignment = AssignmentKind::Eligible;
    let needs = permissions::to_remove(&catalog(eligible.clone()));
    let of_pim = permissions_for(&eligible.target).expect("a known target");
    assert_eq!(outcomes(permissions::compare(&needs, &consented(&[of_pim.write.id]))), [Outcome::Ok]);
}

#[test]
fn groups_and_sessions_need_permissions_of_their_own() {
    let mut wanting = entitlement(ROLE);
    wanting.approver_group = Some(crate::domain::id::ObjectId(Uuid::nil()));
    wanting.revoke_sessions = true;
    wanting.allow = vec![PrincipalKind::ServicePrincipal];
    let lacking: Vec<_> = permissions::compare(&permissions::to_assign(&catalog(wanting)), &[]);
    let told = format!("{lacking:?}");
    for name in [
        "GroupMember.Read.All or Group.Read.All",
        "User.RevokeSessions.All",
        "User.Read.All",
        "Application.Read.All or Directory.Read.All",
    ] {
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn a_group_target_says_itself_what_it_is_read_with() {
    let mut group = entitlement(ROLE);
    let keys = [("group", ROLE), ("access", "member")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    group.target = Target { kind: "group".into(), assignment: AssignmentKind::Active, keys: keys.into() };
    let lacking = permissions::compare(&permissions::to_assign(&catalog(group)), &[]);
    let groups = |line: &&str| line.contains("lacks GroupMember.Read.All or Group.Read.All or Directory.Read.All");
    assert_eq!(told(&lacking, Outcome::Fail).into_iter().filter(groups).count(), 1, "{lacking:?}");
}

#[test]
fn a_list_of_permissions_that_is_not_shown_is_no_fault() {
    assert_eq!(outcomes(tenant::consented(&[], Err(permission_error()))), [Outcome::Warn]);
    let unavailable = GraphError::Unavailable { reason: "down".into(), after: None };
    assert_eq!(outcomes(tenant::consented(&[], Err(unavailable))), [Outcome::Fail]);
}

#[test]
fn a_policy_must_allow_the_longest_that_the_catalog_allows() {
    let allowed = |policy| entitlement::allowed(&entitlement(ROLE), policy);
    assert_eq!(outcomes(allowed(Ok(Some(policy())))), [Outcome::Ok]);
    for (changed, code) in [
        (PimPolicy { maximum: Some(Duration::hours(4)), ..policy() }, "pim-duration-too-long"),
        (PimPolicy { maximum: Some(Duration::seconds(0)), ..policy() }, "pim-duration-none"),
        (PimPolicy { demands: vec![Demand::Mfa], ..policy() }, "pim-mfa-required"),
    ] {
        let [Said(Outcome::Fail, told)] = &allowed(Ok(Some(changed)))[..] else { panic!("{code}") };
        assert!(told.starts_with(code), "{told}");
    }
    let strange = PimPolicy { demands: vec![Demand::Unknown("Fingerprint".into())], ..policy() };
    assert_eq!(outcomes(allowed(Ok(Some(strange)))), [Outcome::Ok, Outcome::Warn]);
    assert_eq!(outcomes(allowed(Ok(None))), [Outcome::Fail]);
    assert_eq!(outcomes(allowed(Err(permission_error()))), [Outcome::Fail]);
}

fn group_part(found: Result<Vec<Flaw>, GraphError>) -> Inspected {
    Inspected { name: "group g1".into(), shown_with: OF_GROUPS, found }
}

#[test]
fn what_is_not_there_or_refused_fails_and_what_is_hidden_is_told() {
    let part = |found| entitlement::there(&[group_part(found)]).remove(0);
    assert_eq!(part(Ok(vec![Flaw::HoldsRoles])).0, Outcome::Ok);
    assert_eq!(part(Ok(vec![Flaw::Refused("it is dynamic")])).0, Outcome::Fail);
    assert_eq!(part(Err(GraphError::NotFound { code: "ResourceNotFound".into() })).0, Outcome::Fail);
    let hidden = part(Err(permission_error()));
    assert_eq!(hidden.0, Outcome::Warn);
    assert!(hidden.1.contains("(GroupMember.Read.All or Group.Read.All or Directory.Read.All would)"), "{}", hidden.1);
}

#[test]
fn what_is_powerful_is_to_be_protected() {
    assert_eq!(entitlement::protected(&entitlement(ROLE), &[]), []);
    let global = entitlement(GLOBAL_ADMINISTRATOR);
    assert_eq!(outcomes(entitlement::protected(&global, &[])), [Outcome::Fail]);
    let global = Entitlement { protected: true, ..global };
    assert_eq!(outcomes(entitlement::protected(&global, &[])), [Outcome::Ok]);
    let group = group_part(Ok(vec![Flaw::HoldsRoles]));
    assert_eq!(outcomes(entitlement::protected(&entitlement(ROLE), &[group])), [Outcome::Fail]);
}

#[test]
fn a_database_is_new_durable_and_served_by_a_small_role() {
    let good = Health {
        version: 150_004,
        not_durable: vec![],
        ahead_of_standby: None,
        excess_rights: vec![],
        missing_rights: vec![],
    };
    let all = |health: &Health| [database::version(health), database::durability(health), database::rights(health)];
    assert_eq!(outcomes(all(&good)), [Outcome::Ok; 3]);
    let bad = Health {
        version: 140_011,
        not_durable: vec!["fsync".into()],
        excess_rights: vec!["is a superuser".into()],
        ..good.clone()
    };
    assert_eq!(outcomes(all(&bad)), [Outcome::Fail, Outcome::Fail, Outcome::Warn]);
    let weak =
        Health { ahead_of_standby: Some("local".into()), missing_rights: vec!["insert on requests".into()], ..good };
    assert_eq!(outcomes(all(&weak)), [Outcome::Ok, Outcome::Warn, Outcome::Fail]);
}

#[test]
fn a_report_reads_by_section_and_fails_when_a_line_does() {
    let mut report = Report::default();
    let tenant = TenantName::new("contoso");
    report.say(&Subject::database(), "reachable", Said::ok("yes"));
    report.say(&Subject::tenant(&tenant), "token", Said::warn("soon\u{1b}[31m\u{202e}x\u{200b}"));
    assert!(!report.has_failed());
    let about = Subject::entitlement(&tenant, &EntitlementKey::new("exchange-admin"));
    report.say(&about, "pim-policy", Said::fail("no"));
    assert!(report.has_failed());
    let text = report.to_string();
    let wanted = "database\n  ok    reachable   yes\n\ntenant contoso\n  warn  token       soon [31m x \n\n\
                  tenant contoso, entitlement exchange-admin\n  FAIL  pim-policy  no\n\n1 ok, 1 to look at, 1 that will fail";
    assert_eq!(text, wanted);
    let json = serde_json::to_value(&report.lines[2]).expect("json");
    let wanted = serde_json::json!({"tenant": "contoso", "entitlement": "exchange-admin", "check": "pim-policy",
        "outcome": "fail", "detail": "no"});
    assert_eq!(json, wanted);
}
