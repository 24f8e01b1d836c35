//! Who may receive something: users, service principals, groups; renamed, re-used, deleted.

use serde_json::Value;
use stint::sandbox::{
    graph::{Fault, FaultKind, Group, On, ServicePrincipal, User},
    jira::IssueDraft,
    story,
};

use crate::world::It;

const ROBOT: &str = "3b9d1f70-6c2e-4a58-8d17-0f4e5a6b7c81";
const ADMINS: &str = "4c0e2a81-7d3f-4b69-9e28-1a5f6b7c8d92";
const RECEIVERS: &str = "5d1f3b92-8e40-4c7a-af39-2b607c9d8ea3";
const CLIENT: &str = "6e204ca3-9f51-4d8b-8b4a-3c718d9eafb4";

/// The catalog's entitlement, with further lines.
fn catalog(lines: &str) -> String {
    format!(
        r#"
[entitlements.exchange-admin]
title = "Exchange Administrator"
target = {{ kind = "directory-role", role = "29232cdf-9323-42fd-ade2-1d097af3e4de", scope = "/" }}
max_duration = "PT8H"
revoke_sessions = true
{lines}
"#
    )
}

/// A world whose entitlement allows these kinds of principal; its folder holds the catalog.
async fn begins(allow: &str) -> (It, tempfile::TempDir) {
    begins_with(&format!("allow = {allow}"), &[]).await
}

/// A world whose entitlement has these further lines, with further keys of the configuration.
async fn begins_with(lines: &str, further: &[(&str, &str)]) -> (It, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.toml");
    std::fs::write(&path, catalog(lines)).expect("a file");
    let path = path.to_str().expect("a path").to_owned();
    let keys = further.iter().copied().chain([("STINT__TENANTS__CONTOSO__CATALOG", path.as_str())]);
    let keys = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let it = It::with(|setup| setup.overrides.extend(keys)).await;
    let graph = &it.world.sandbox.graph;
    graph.add_service_principal(story::TENANT, ServicePrincipal::application(ROBOT, CLIENT, "Deploy robot"));
    graph.add_group(story::TENANT, Group { role_assignable: true, ..Group::security(ADMINS, "Exchange admins") });
    (it, folder)
}

fn asking_for(principal: &str) -> IssueDraft {
    IssueDraft { principal: principal.into(), ..IssueDraft::default() }
}

/// Takes the ticket in and gives the codes it is refused for; nothing may have been granted.
async fn refused(it: &It, ticket: &str) -> Vec<String> {
    let id = it.taken_in(ticket).await;
    let document = it.until(&id, "rejected").await;
    it.work().await;
    assert!(it.creates().is_empty(), "something was granted");
    codes(&document)
}

fn codes(document: &Value) -> Vec<String> {
    let reasons = document["decision"]["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code").to_owned()).collect()
}

/// A ticket that is decided on and then waits for PIM.
async fn decided(it: &It, draft: IssueDraft) -> String {
    let ticket = it.approved(draft);
    it.world.sandbox.graph.fault(Fault { on: On::ReadInstances, kind: FaultKind::Status(503), times: 2 });
    let id = it.taken_in(&ticket).await;
    assert_eq!(it.until(&id, "held").await["hold"]["reason"], "graph-unavailable");
    id
}

#[tokio::test]
async fn a_service_principal_receives_what_allows_its_kind_by_its_object_id_and_revokes_no_sessions() {
    let (it, _folder) = begins("['service-principal']").await;
    let ticket = it.approved(asking_for(ROBOT));
    let id = it.taken_in(&ticket).await;
    let active = it.until(&id, "active").await;
    assert_eq!(active["principal"]["name"], "Deploy robot");
    assert_eq!(active["principal"]["kind"], "service-principal");
    assert_eq!(it.creates()[0].principal, ROBOT);
    it.world.sandbox.jira.cancel(&ticket);
    it.deliver(&ticket).await;
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "withdrawn");
    let ledger = it.world.sandbox.graph.ledger();
    assert!(ledger.iter().all(|entry| entry.action != "revokeSignInSessions"));
    it.ends().await;
}

#[tokio::test]
async fn a_group_that_can_hold_roles_receives_what_allows_its_kind() {
    let (it, _folder) = begins("['group']").await;
    let ticket = it.approved(asking_for(ADMINS));
    let id = it.taken_in(&ticket).await;
    let active = it.until(&id, "active").await;
    assert_eq!(active["principal"]["kind"], "group");
    assert_eq!(it.creates()[0].principal, ADMINS);
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn each_kind_of_principal_must_be_in_one_of_the_groups_that_may_receive_it() {
    let lines = format!("allow = ['service-principal', 'group']\nrequesters = {{ any_of_groups = ['{RECEIVERS}'] }}");
    for (principal, among) in [(ROBOT, "servicePrincipals"), (ADMINS, "groups"), (story::NINA_ID, "users")] {
        let (it, _folder) = begins_with(&lines, &[]).await;
        let ticket = it.approved(asking_for(principal));
        assert_eq!(refused(&it, &ticket).await, ["principal-not-entitled"], "{among}");
        it.world.sandbox.graph.add_to_group(story::TENANT, RECEIVERS, principal);
        let ticket = it.approved(asking_for(principal));
        let id = it.taken_in(&ticket).await;
        it.until(&id, "active").await;
        assert_eq!(it.creates()[0].principal, principal);
        let asked = format!("/v1.0/{among}/{principal}/checkMemberGroups");
        assert!(it.world.sandbox.graph.calls().iter().any(|call| call.path == asked), "{asked}");
        it.until(&id, "ended").await;
        it.ends().await;
    }
}

#[tokio::test]
async fn neither_is_looked_for_where_its_kind_is_not_allowed_or_by_another_name() {
    for (allow, principal) in [
        ("[]", ROBOT),
        ("[]", ADMINS),
        ("['group']", ROBOT),
        ("['service-principal']", ADMINS),
        ("['service-principal']", CLIENT),
        ("['service-principal', 'group']", "Exchange admins"),
    ] {
        let (it, _folder) = begins(allow).await;
        let ticket = it.approved(asking_for(principal));
        assert_eq!(refused(&it, &ticket).await, ["principal-not-found"], "{allow} {principal}");
        it.ends().await;
    }
}

#[tokio::test]
async fn a_group_that_cannot_hold_roles_is_refused() {
    let (it, _folder) = begins("['group']").await;
    it.world.sandbox.graph.add_group(story::TENANT, Group::security(ADMINS, "Exchange admins"));
    let ticket = it.approved(asking_for(ADMINS));
    assert_eq!(refused(&it, &ticket).await, ["principal-group-not-assignable"]);
    it.ends().await;
}

#[tokio::test]
async fn a_group_with_somebody_in_it_who_never_receives_anything_is_refused() {
    let never = format!("['{}']", story::LENA_ID);
    let (it, _folder) = begins_with("allow = ['group']", &[("STINT__TENANTS__CONTOSO__NEVER", &never)]).await;
    it.world.sandbox.graph.add_to_group(story::TENANT, ADMINS, story::LENA_ID);
    let ticket = it.approved(asking_for(ADMINS));
    assert_eq!(refused(&it, &ticket).await, ["principal-holds-never"]);
    it.ends().await;
}

#[tokio::test]
async fn who_cannot_be_known_not_to_be_in_a_group_keeps_it_waiting() {
    let never = format!("['{}']", story::LENA_ID);
    let (it, _folder) = begins_with("allow = ['group']", &[("STINT__TENANTS__CONTOSO__NEVER", &never)]).await;
    let denied = FaultKind::Code { status: 403, code: "Authorization_RequestDenied".into(), message: "no".into() };
    it.world.sandbox.graph.fault(Fault { on: On::ReadServicePrincipals, kind: denied, times: 2 });
    let id = it.taken_in(&it.approved(asking_for(ADMINS))).await;
    assert_eq!(it.until(&id, "held").await["hold"]["reason"], "graph-permission");
    assert!(it.creates().is_empty());
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_member_of_the_group_does_not_approve_for_it() {
    let (it, _folder) = begins("['group']").await;
    it.world.sandbox.graph.add_to_group(story::TENANT, ADMINS, story::OMAR_ID);
    let ticket = it.approved(asking_for(ADMINS));
    assert_eq!(refused(&it, &ticket).await, ["self-approval"]);
    it.ends().await;
}

#[tokio::test]
async fn an_approver_whose_membership_cannot_be_known_does_not_approve_for_a_group() {
    let (it, _folder) = begins("['group']").await;
    it.world.sandbox.graph.update_user(story::TENANT, story::OMAR_ID, |omar| {
        omar.upn = "omar@elsewhere.example".into();
        omar.mail = None;
    });
    let ticket = it.approved(asking_for(ADMINS));
    assert_eq!(refused(&it, &ticket).await, ["approver-membership-unknown"]);
    it.ends().await;
}

#[tokio::test]
async fn a_disabled_service_principal_and_stints_own_are_refused() {
    let (it, _folder) = begins("['service-principal']").await;
    let graph = &it.world.sandbox.graph;
    let disabled = ServicePrincipal { enabled: false, ..ServicePrincipal::application(ROBOT, CLIENT, "Deploy robot") };
    graph.add_service_principal(story::TENANT, disabled);
    let ticket = it.approved(asking_for(ROBOT));
    assert_eq!(refused(&it, &ticket).await, ["principal-disabled"]);
    graph.add_service_principal(story::TENANT, ServicePrincipal::application(ROBOT, story::CLIENT_ID, "stint"));
    let ticket = it.approved(asking_for(ROBOT));
    assert_eq!(refused(&it, &ticket).await, ["principal-is-stint"]);
    it.ends().await;
}

#[tokio::test]
async fn two_users_with_one_mail_address_are_ambiguous() {
    let (it, _folder) = begins("[]").await;
    for (id, upn) in [(ROBOT, "kim.one@contoso.example"), (ADMINS, "kim.two@contoso.example")] {
        let mail = Some("kim@contoso.example".into());
        it.world.sandbox.graph.add_user(story::TENANT, User { mail, ..User::member(id, upn, "Kim") });
    }
    let ticket = it.approved(asking_for("kim@contoso.example"));
    assert_eq!(refused(&it, &ticket).await, ["principal-ambiguous"]);
    it.ends().await;
}

#[tokio::test]
async fn who_was_renamed_after_the_decision_still_receives_it() {
    let (it, _folder) = begins("[]").await;
    let id = decided(&it, IssueDraft::default()).await;
    it.world.sandbox.graph.update_user(story::TENANT, story::NINA_ID, |nina| {
        nina.upn = "nina.moser@contoso.example".into();
        nina.mail = Some("nina.moser@contoso.example".into());
    });
    it.until(&id, "active").await;
    assert_eq!(it.creates()[0].principal, story::NINA_ID);
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_name_that_another_one_has_by_now_refuses() {
    let (it, _folder) = begins("[]").await;
    let id = decided(&it, IssueDraft::default()).await;
    let graph = &it.world.sandbox.graph;
    graph.update_user(story::TENANT, story::NINA_ID, |nina| {
        nina.upn = "nina.moser@contoso.example".into();
        nina.mail = Some("nina.moser@contoso.example".into());
    });
    graph.add_user(story::TENANT, User::member(ROBOT, story::NINA_UPN, "Nina Keller the younger"));
    let rejected = it.until(&id, "rejected").await;
    assert_eq!(codes(&rejected), ["changed-after-decision"]);
    assert!(it.creates().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn who_was_deleted_or_disabled_after_the_decision_receives_nothing() {
    for (deleted, code) in [(true, "principal-not-found"), (false, "principal-disabled")] {
        let (it, _folder) = begins("[]").await;
        let id = decided(&it, IssueDraft::default()).await;
        let graph = &it.world.sandbox.graph;
        if deleted {
            graph.remove_user(story::TENANT, story::NINA_ID);
        } else {
            graph.update_user(story::TENANT, story::NINA_ID, |nina| nina.enabled = false);
        }
        assert_eq!(codes(&it.until(&id, "rejected").await), [code]);
        assert!(it.creates().is_empty());
        it.ends().await;
    }
}

#[tokio::test]
async fn a_group_disbanded_after_the_decision_receives_nothing() {
    let (it, _folder) = begins("['group']").await;
    let id = decided(&it, asking_for(ADMINS)).await;
    it.world.sandbox.graph.add_group(story::TENANT, Group::security(ADMINS, "Exchange admins"));
    assert_eq!(codes(&it.until(&id, "rejected").await), ["principal-group-not-assignable"]);
    assert!(it.creates().is_empty());
    it.ends().await;
}
