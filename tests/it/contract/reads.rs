//! `contracts/graph.md` §6.2: what is not read is not concluded from.

use stint::sandbox::{
    Retry,
    graph::{Fault, FaultKind, Group, On},
    story,
};

use crate::{
    targets::{MEMBER, ROLE, reasons},
    world::minutes,
};

/// Whatever a grant reads.
const READS: [On; 5] = [On::ReadUsers, On::ReadPolicies, On::ReadRequests, On::ReadSchedules, On::ReadInstances];

#[tokio::test]
async fn a_read_that_fails_is_repeated_and_nothing_is_concluded_from_it() {
    let it = ROLE.begins().await;
    for on in READS {
        for kind in [
            FaultKind::Status(503),
            FaultKind::Html(502),
            FaultKind::DropBeforeCommit,
            FaultKind::Throttle(Retry::Seconds(9)),
            FaultKind::Code { status: 404, code: "ResourceNotFound".into(), message: "not there".into() },
            FaultKind::Code {
                status: 400,
                code: "BadRequest".into(),
                message: "Resource not found for the segment 'roleAssignmentSchedules'.".into(),
            },
        ] {
            if on == On::ReadUsers && matches!(kind, FaultKind::Code { status: 404, .. }) {
                continue; // That is an answer: there is no such person.
            }
            let told = format!("{kind:?} at {on:?}");
            let before = it.graph().ledger().len();
            let ticket = ROLE.ticket(&it, "PT5M");
            it.graph().fault(Fault { on, kind, times: 2 });
            let id = it.taken_in(&ticket).await;
            it.until(&id, "active").await;
            assert_eq!(it.graph().faults_waiting(), 0, "{told}");
            let asked = &it.graph().ledger()[before..];
            assert!(asked.len() == 1 && asked[0].duration.as_deref() == Some("PT5M"), "{told}: {asked:#?}");
            it.until(&id, "ended").await;
        }
    }
    it.ends().await;
}

#[tokio::test]
async fn what_the_directory_says_is_not_there_refuses() {
    let it = MEMBER.begins().await;
    it.graph().fault(Fault::once(
        On::ReadGroups,
        FaultKind::Code { status: 404, code: "Request_ResourceNotFound".into(), message: "does not exist".into() },
    ));
    let rejected = it.until(&MEMBER.asked(&it, "PT15M").await, "rejected").await;
    assert_eq!(reasons(&rejected), ["target-not-found"]);

    it.graph().remove_user(story::TENANT, story::NINA_ID);
    let rejected = it.until(&MEMBER.asked(&it, "PT15M").await, "rejected").await;
    assert_eq!(reasons(&rejected), ["principal-not-found"]);
    it.pass(minutes(11)).await;
    assert!(it.graph().ledger().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn what_the_directory_does_not_know_yet_is_asked_for_again_and_is_missing_after_three_minutes() {
    let it = MEMBER.begins().await;
    let unknown = |times| Fault {
        on: On::ReadGroups,
        kind: FaultKind::Code { status: 404, code: "ResourceNotFound".into(), message: "not there".into() },
        times,
    };
    it.graph().fault(unknown(2));
    let id = MEMBER.asked(&it, "PT15M").await;
    assert_eq!(it.until(&id, "held").await["hold"]["reason"], "graph-not-yet");
    it.until(&id, "active").await;
    it.until(&id, "ended").await;

    it.graph().fault(unknown(usize::MAX));
    let id = MEMBER.asked(&it, "PT15M").await;
    it.pass(minutes(2)).await;
    assert_eq!(it.document(&id).await["hold"]["reason"], "graph-not-yet");
    assert_eq!(reasons(&it.until(&id, "rejected").await), ["target-not-found"]);
    it.ends().await;
}

#[tokio::test]
async fn a_group_that_may_hold_roles_is_given_only_where_it_is_protected() {
    let it = MEMBER.begins().await;
    let group = Group { role_assignable: true, ..Group::security(crate::targets::GROUP, "Exchange admins") };
    it.graph().add_group(story::TENANT, group);
    let rejected = it.until(&MEMBER.asked(&it, "PT15M").await, "rejected").await;
    assert_eq!(reasons(&rejected), ["target-must-be-protected"]);
    assert!(it.graph().ledger().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn a_path_that_graph_does_not_know_holds_and_proves_no_absence() {
    let it = ROLE.begins().await;
    let id = ROLE.active(&it, "PT15M").await;
    it.graph().fault(Fault {
        on: On::ReadInstances,
        kind: FaultKind::Code {
            status: 400,
            code: "BadRequest".into(),
            message: "Resource not found for the segment.".into(),
        },
        times: usize::MAX,
    });
    it.pass(minutes(40)).await;
    let unknown = it.document(&id).await;
    assert_ne!(unknown["status"], "ended", "{unknown:#}");
    it.graph().clear_faults();
    it.until(&id, "ended").await;
    it.ends().await;
}
