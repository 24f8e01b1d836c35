//! PIM's own policy is read before anything is asked of PIM, and once more right before a call is sent.

use stint::{
    config,
    sandbox::{
        Retry,
        graph::{Fault, FaultKind, On, RolePolicy},
        jira::IssueDraft,
        story,
    },
};

use crate::world::It;

fn rules(maximum: &str, enabled: &[&str]) -> RolePolicy {
    RolePolicy {
        maximum_duration: maximum.into(),
        expiration_required: true,
        enabled_rules: enabled.iter().map(|&rule| rule.to_owned()).collect(),
    }
}

fn set(it: &It, policy: RolePolicy) {
    it.world.sandbox.graph.set_policy(story::TENANT, story::EXCHANGE_ADMINISTRATOR, policy);
}

#[tokio::test]
async fn a_rule_that_forbids_it_refuses_the_request_by_name_before_anything_is_sent() {
    for (policy, code, named) in [
        (rules("P15D", &["MultiFactorAuthentication"]), "pim-mfa-required", "Enablement_Admin_Assignment"),
        (rules("PT1H", &["Justification"]), "pim-duration-too-long", "PT1H"),
        (rules("PT0S", &[]), "pim-duration-none", "Expiration_Admin_Assignment"),
        (RolePolicy { expiration_required: false, ..rules("PT1H", &[]) }, "pim-duration-too-long", "PT1H"),
    ] {
        let it = It::begins().await;
        set(&it, policy);
        let ticket = it.approved(IssueDraft::default());
        let id = it.taken_in(&ticket).await;
        let rejected = it.until(&id, "rejected").await;
        let reasons = rejected["decision"]["reasons"].as_array().expect("reasons");
        assert_eq!(reasons.len(), 1, "{rejected:#}");
        assert_eq!(reasons[0]["code"], code);
        assert!(reasons[0]["detail"].as_str().expect("a detail").contains(named), "{}", reasons[0]);
        it.work().await;
        assert!(it.notes(&ticket)[0].contains(named));
        assert!(it.world.sandbox.graph.ledger().is_empty(), "nothing was asked of PIM");
        it.ends().await;
    }
}

const UNIT: &str = "4f1b2c3d-0a9e-4d8c-b7a6-958473625140";

/// A world whose entitlement gives its role at this scope; its folder holds the catalog.
async fn scoped(scope: &str) -> (It, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = config::SANDBOX_CATALOG.replacen(r#"scope = "/""#, &format!("scope = \"{scope}\""), 1);
    assert_ne!(text, config::SANDBOX_CATALOG);
    let path = folder.path().join("catalog.toml");
    std::fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("a path").to_owned();
    let it = It::with(|setup| setup.overrides.push(("STINT__TENANTS__CONTOSO__CATALOG".into(), path))).await;
    (it, folder)
}

#[tokio::test]
async fn a_scope_that_the_directory_does_not_know_refuses_the_request_before_anything_is_sent() {
    for scope in [format!("/administrativeUnits/{UNIT}"), format!("/{UNIT}")] {
        let (it, _folder) = scoped(&scope).await;
        let ticket = it.approved(IssueDraft::default());
        let id = it.taken_in(&ticket).await;
        let rejected = it.until(&id, "rejected").await;
        let reasons = rejected["decision"]["reasons"].as_array().expect("reasons");
        assert_eq!((reasons.len(), &reasons[0]["code"]), (1, &"target-not-found".into()), "{rejected:#}");
        assert!(reasons[0]["detail"].as_str().expect("a detail").contains(UNIT), "{}", reasons[0]);
        assert!(it.world.sandbox.graph.ledger().is_empty(), "nothing was asked of PIM");
        it.work().await;
        it.ends().await;
    }
}

#[tokio::test]
async fn a_scope_that_is_there_or_not_shown_to_stint_is_left_to_pim_and_stops_nothing_else() {
    for shown in [true, false] {
        let (it, _folder) = scoped(&format!("/administrativeUnits/{UNIT}")).await;
        let graph = &it.world.sandbox.graph;
        graph.add_administrative_unit(story::TENANT, UNIT);
        if !shown {
            let enough =
                ["RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.Read.Directory", "User.Read.All"];
            graph.set_permissions(story::TENANT, story::CLIENT_ID, &enough);
        }
        let ticket = it.approved(IssueDraft::default());
        let id = it.taken_in(&ticket).await;
        it.work().await;
        let document = it.until(&id, "active").await;
        assert!(!document["timeline"].to_string().contains("graph-permission"), "{document:#}");
        assert_eq!(it.creates()[0].scope, format!("/administrativeUnits/{UNIT}"));
        it.until(&id, "ended").await;
        it.ends().await;
    }
}

#[tokio::test]
async fn demands_that_stint_always_meets_are_no_hindrance() {
    let it = It::begins().await;
    set(&it, rules("PT4H", &["Justification", "Ticketing"]));
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_rule_that_changes_after_the_decision_refuses_before_the_call() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    it.world.sandbox.graph.fault(Fault {
        on: On::ReadInstances,
        kind: FaultKind::Throttle(Retry::Seconds(60)),
        times: 1,
    });
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["decision"]["duration"], "PT4H");
    set(&it, rules("P15D", &["MultiFactorAuthentication"]));
    let rejected = it.until(&id, "rejected").await;
    assert!(rejected.to_string().contains("pim-mfa-required"), "{rejected:#}");
    assert!(it.world.sandbox.graph.ledger().is_empty(), "nothing was asked of PIM");
    it.ends().await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_holds_the_request_until_it_can() {
    let it = It::begins().await;
    it.world.sandbox.graph.fault(Fault { on: On::ReadPolicies, kind: FaultKind::Status(403), times: 1 });
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-permission");
    assert!(it.world.sandbox.graph.ledger().is_empty(), "nothing was asked of PIM");
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    it.ends().await;
}
