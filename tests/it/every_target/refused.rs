//! Refused: by PIM's own policy, and for whom the ticket names.

use stint::sandbox::{
    graph::{Fault, FaultKind, Level, On, RolePolicy, User},
    story,
};

use crate::{
    targets::{Target, reasons},
    tried::revoke,
    world::{It, minutes},
};

on_each![
    pims_policy_refuses_by_the_rule_of_its_level_and_the_other_levels_rules_bind_nobody,
    a_rule_that_only_the_call_met_fails_the_request_by_its_name,
    who_is_disabled_a_guest_or_not_one_person_gets_nothing,
    a_new_name_changes_nothing_of_what_is_held,
];

fn demanding_mfa() -> RolePolicy {
    RolePolicy { enabled_rules: vec!["MultiFactorAuthentication".into()], ..RolePolicy::default() }
}

fn allowing(maximum: &str) -> RolePolicy {
    RolePolicy { maximum_duration: maximum.into(), ..RolePolicy::default() }
}

/// The level of the target's rules, the other one, and how the names of its own rules end.
fn levels(target: Target) -> (Level, Level, &'static str) {
    if target.is_eligible() {
        (Level::Eligibility, Level::Assignment, "_Admin_Eligibility")
    } else {
        (Level::Assignment, Level::Eligibility, "_Admin_Assignment")
    }
}

async fn pims_policy_refuses_by_the_rule_of_its_level_and_the_other_levels_rules_bind_nobody(target: Target) {
    let it = target.begins().await;
    let (own, other, names) = levels(target);
    for (policy, code, rule) in [
        (demanding_mfa(), "pim-mfa-required", "Enablement"),
        (allowing("PT10M"), "pim-duration-too-long", "Expiration"),
        (allowing("PT0S"), "pim-duration-none", "Expiration"),
    ] {
        target.set_policy(&it, own, policy);
        let ticket = target.ticket(&it, "PT15M");
        let rejected = it.until(&it.taken_in(&ticket).await, "rejected").await;
        assert_eq!(reasons(&rejected), [code]);
        it.work().await;
        assert!(it.notes(&ticket)[0].contains(&format!("{rule}{names}")), "{:?}", it.notes(&ticket));
    }
    assert!(it.graph().ledger().is_empty(), "something was asked of PIM");

    target.set_policy(&it, own, allowing("PT15M"));
    target.set_policy(&it, other, RolePolicy { maximum_duration: "PT0S".into(), ..demanding_mfa() });
    let id = target.active(&it, "PT15M").await;
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn a_rule_that_only_the_call_met_fails_the_request_by_its_name(target: Target) {
    let it = target.begins().await;
    it.graph().fault(Fault::once(
        On::Create,
        FaultKind::Code {
            status: 400,
            code: "RoleAssignmentRequestPolicyValidationFailed".into(),
            message: "The following policy rules failed: [\"MfaRule\",\"ExpirationRule\"]".into(),
        },
    ));
    let ticket = target.ticket(&it, "PT15M");
    let failed = it.until(&it.taken_in(&ticket).await, "failed").await;
    let code = failed["failure"]["code"].as_str().expect("a code");
    assert_eq!(code, "RoleAssignmentRequestPolicyValidationFailed:MfaRule,ExpirationRule");
    it.work().await;
    assert!(it.notes(&ticket)[0].contains("MfaRule,ExpirationRule"), "{:?}", it.notes(&ticket));
    assert_eq!(it.calls_to("adminAssign").len(), 1);
    it.ends().await;
}

async fn refused_to(target: Target, it: &It, principal: &str, code: &str) {
    let ticket = target.ticket_for(it, principal, "PT15M");
    let rejected = it.until(&it.taken_in(&ticket).await, "rejected").await;
    assert!(reasons(&rejected).contains(&code), "{rejected:#}");
}

fn change_nina(it: &It, change: impl FnOnce(&mut User)) {
    it.graph().update_user(story::TENANT, story::NINA_ID, change);
}

async fn who_is_disabled_a_guest_or_not_one_person_gets_nothing(target: Target) {
    let it = target.begins().await;
    change_nina(&it, |nina| nina.enabled = false);
    refused_to(target, &it, story::NINA_UPN, "principal-disabled").await;
    change_nina(&it, |nina| {
        nina.enabled = true;
        nina.user_type = "Guest".into();
        nina.external_user_state = Some("Accepted".into());
    });
    refused_to(target, &it, story::NINA_UPN, "principal-guest").await;
    for id in [story::OMAR_ID, story::LENA_ID] {
        it.graph().update_user(story::TENANT, id, |user| user.mail = Some("team@contoso.example".into()));
    }
    refused_to(target, &it, "team@contoso.example", "principal-ambiguous").await;
    assert!(it.graph().ledger().is_empty(), "something was asked of PIM");
    it.ends().await;
}

async fn a_new_name_changes_nothing_of_what_is_held(target: Target) {
    let it = target.begins().await;
    let id = target.active(&it, "PT30M").await;
    change_nina(&it, |nina| {
        nina.upn = "nina.meyer@contoso.example".into();
        nina.mail = Some(nina.upn.clone());
    });
    it.pass(minutes(6)).await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    assert!(it.removals().iter().all(|removal| target.is_of(removal)), "{:?}", it.removals());
    assert_eq!(it.removals().len(), 1);
    refused_to(target, &it, story::NINA_UPN, "principal-not-found").await;
    it.ends().await;
}
