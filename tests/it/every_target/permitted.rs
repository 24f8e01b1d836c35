//! What a tenant's licence and the applications' permissions allow (`contracts/graph.md` §6.1, §9.4).

use stint::sandbox::story;

use crate::{
    credentials::{REMOVER, REMOVERS_SECRET},
    targets::Target,
    tried::revoke,
    world::{It, minutes},
};

on_each![
    without_a_licence_nothing_is_given_and_nothing_in_force_is_taken_for_ended,
    without_the_permission_to_write_nothing_is_given_and_it_is_named,
    an_application_that_may_only_remove_removes_what_another_gave,
];

async fn without_a_licence_nothing_is_given_and_nothing_in_force_is_taken_for_ended(target: Target) {
    let it = target.begins().await;
    it.graph().set_licensed(story::TENANT, false);
    let id = target.asked(&it, "PT15M").await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-licence");
    it.pass(minutes(11)).await;
    assert!(it.graph().ledger().is_empty(), "something was asked of PIM");
    it.graph().set_licensed(story::TENANT, true);
    it.until(&id, "active").await;

    it.graph().set_licensed(story::TENANT, false);
    it.pass(minutes(30)).await;
    let unknown = it.document(&id).await;
    assert_ne!(unknown["status"], "ended", "{unknown:#}");
    it.graph().set_licensed(story::TENANT, true);
    it.until(&id, "ended").await;
    assert_eq!((it.creates().len(), it.removals().len()), (1, 0));
    it.ends().await;
}

/// What stint's application holds, whatever it may do in PIM.
const READS: [&str; 4] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagementPolicy.Read.AzureADGroup",
];

/// Limits an application to reading, and to these verbs on the target's lists.
fn permit(it: &It, client_id: &str, target: Target, verbs: &[&str]) {
    let of_target: Vec<_> = verbs.iter().map(|verb| target.permission(verb)).collect();
    let names: Vec<_> = READS.into_iter().chain(of_target.iter().map(String::as_str)).collect();
    it.graph().set_permissions(story::TENANT, client_id, &names);
}

async fn without_the_permission_to_write_nothing_is_given_and_it_is_named(target: Target) {
    let it = target.begins().await;
    permit(&it, story::CLIENT_ID, target, &["Read", "Remove"]);
    let id = target.asked(&it, "PT15M").await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-permission");
    let detail = held["hold"]["detail"].as_str().expect("words");
    assert!(detail.contains(&target.permission("ReadWrite")), "{detail}");
    it.pass(minutes(11)).await;
    assert!(it.creates().is_empty());
    permit(&it, story::CLIENT_ID, target, &["ReadWrite"]);
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

async fn an_application_that_may_only_remove_removes_what_another_gave(target: Target) {
    let table = format!("{{ client_id = '{REMOVER}', kind = 'secret', secret = '{REMOVERS_SECRET}' }}");
    let it = target.world(|setup| setup.overrides.push(("STINT__TENANTS__CONTOSO__REMOVER".into(), table))).await;
    it.world.sandbox.entra.register_app(story::TENANT, REMOVER, Some(REMOVERS_SECRET), None);
    permit(&it, story::CLIENT_ID, target, &["ReadWrite"]);
    it.graph().set_permissions(story::TENANT, REMOVER, &[&target.permission("Remove")]);
    let id = target.active(&it, "PT30M").await;
    it.pass(minutes(6)).await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    let by = |action| it.calls_to(action).into_iter().map(|entry| entry.client_id).collect::<Vec<_>>();
    assert_eq!(by("adminAssign"), [story::CLIENT_ID]);
    assert_eq!(by("adminRemove"), [REMOVER]);
    it.ends().await;
}
