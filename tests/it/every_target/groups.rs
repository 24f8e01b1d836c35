//! What only groups can be: unknown to PIM yet, or not for it at all (`contracts/graph.md` §3).

use stint::sandbox::{
    graph::{Fault, FaultKind, Group, On},
    story,
};

use crate::{
    targets::{GROUP, Target},
    world::seconds,
};

on_groups![
    a_group_that_pim_does_not_know_yet_is_waited_for,
    a_group_that_the_call_does_not_find_is_tried_again_for_a_while,
    a_group_that_pim_cannot_manage_is_refused_in_its_words,
];

async fn a_group_that_pim_does_not_know_yet_is_waited_for(target: Target) {
    let it = target.begins().await;
    let ticket = target.ticket(&it, "PT15M");
    it.graph().set(|knobs| knobs.young_group_seconds = 45);
    let created_at = it.world.clock.now();
    it.graph().add_group(story::TENANT, Group { created_at, ..Group::security(GROUP, "Exchange operators") });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "held").await;
    assert!(it.creates().is_empty());
    it.until(&id, "active").await;
    let waited = it.world.clock.now().duration_since(created_at);
    assert!(waited >= seconds(45) && waited <= seconds(180), "{waited}");
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn a_group_that_the_call_does_not_find_is_tried_again_for_a_while(target: Target) {
    let it = target.begins().await;
    let unknown = FaultKind::Code { status: 404, code: "ResourceNotFound".into(), message: "not found".into() };
    it.graph().fault(Fault { on: On::Create, kind: unknown.clone(), times: 2 });
    let id = target.asked(&it, "PT15M").await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-not-yet");
    it.until(&id, "active").await;
    assert_eq!(it.creates()[0].duration.as_deref(), Some("PT15M"));
    it.until(&id, "ended").await;

    it.graph().fault(Fault { on: On::Create, kind: unknown, times: usize::MAX });
    let failed = it.until(&target.asked(&it, "PT15M").await, "failed").await;
    assert_eq!(failed["failure"]["code"], "ResourceNotFound");
    assert_eq!(it.creates().len(), 1);
    it.ends().await;
}

async fn a_group_that_pim_cannot_manage_is_refused_in_its_words(target: Target) {
    let it = target.begins().await;
    let group = || Group::security(GROUP, "Exchange operators");
    for group in [Group { dynamic: true, ..group() }, Group { on_premises: true, ..group() }] {
        it.graph().add_group(story::TENANT, group);
        let ticket = target.ticket(&it, "PT15M");
        let failed = it.until(&it.taken_in(&ticket).await, "failed").await;
        assert_eq!(failed["failure"]["code"], "BadRequest");
        it.work().await;
        assert!(it.notes(&ticket)[0].contains("The group cannot be managed in PIM"), "{:?}", it.notes(&ticket));
    }
    assert_eq!((it.calls_to("adminAssign").len(), it.creates().len()), (2, 0));
    it.ends().await;
}
