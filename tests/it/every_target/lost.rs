//! Answers that are lost, calls that never left, and an answer that is not true (`contracts/graph.md` §7.2, §7.3, §0.6).

use std::time::Duration;

use stint::{
    outbound::Limits,
    sandbox::{
        Retry,
        graph::{Fault, FaultKind, On},
    },
};

use crate::{
    door::Door,
    targets::{TOLERANCE, Target, moment, near},
    tried::revoke,
    world::{It, minutes, seconds},
};

on_each![
    however_an_answer_is_lost_there_is_one_assignment_and_its_end_stays,
    a_throttled_call_was_not_carried_out,
    a_call_that_found_no_connection_was_never_sent,
    a_removal_that_worked_and_is_denied_is_settled_by_reading,
];

/// Every way in which it is not known whether a call was carried out (`contracts/graph.md` §7.2): without and with it.
fn unclear() -> [FaultKind; 12] {
    [
        FaultKind::StallBeforeCommit,
        FaultKind::StallAfterCommit,
        FaultKind::DropBeforeCommit,
        FaultKind::DropAfterCommit,
        FaultKind::Status(500),
        FaultKind::StatusAfterCommit(500),
        FaultKind::Html(502),
        FaultKind::HtmlAfterCommit(502),
        FaultKind::Status(503),
        FaultKind::StatusAfterCommit(503),
        FaultKind::Status(504),
        FaultKind::StatusAfterCommit(504),
    ]
}

async fn however_an_answer_is_lost_there_is_one_assignment_and_its_end_stays(target: Target) {
    let it = target
        .world(|setup| {
            setup.surroundings.outbound = Limits { connect: Duration::from_secs(2), total: Duration::from_millis(800) };
        })
        .await;
    for lag in [0, 60] {
        it.graph().set(|knobs| knobs.read_lag_seconds = lag);
        for kind in unclear() {
            one_assignment(target, &it, kind.clone(), &format!("{kind:?}, reads late by {lag} s")).await;
        }
    }
    it.ends().await;
}

async fn one_assignment(target: Target, it: &It, kind: FaultKind, told: &str) {
    let before = it.creates().len();
    let ticket = target.ticket(it, "PT10M");
    it.graph().fault(Fault::once(On::Create, kind));
    let id = it.taken_in(&ticket).await;
    let planned = it.world.clock.now() + minutes(10);
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "assigning", "{told}");
    let active = it.until(&id, "active").await;
    let ends_at = moment(&active, "/assignment/ends_at");
    assert!(near(ends_at, planned), "{told}: the end slid from {planned} to {ends_at}");
    assert_eq!(it.end_in_pim(), ends_at, "{told}");
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "expired", "{told}");
    assert_eq!(moment(&ended, "/assignment/ends_at"), ends_at, "{told}");
    assert_eq!((it.creates().len(), it.removals().len()), (before + 1, 0), "{told}");
}

async fn a_throttled_call_was_not_carried_out(target: Target) {
    let it = target.begins().await;
    // A date has whole seconds: up to one of them is over already.
    for (retry, wait) in [(Retry::Seconds(40), 40), (Retry::HttpDate(70), 69), (Retry::Zero, 1), (Retry::Absent, 2)] {
        it.graph().fault(Fault::once(On::Create, FaultKind::Throttle(retry)));
        let before = it.calls_to("adminAssign").len();
        let id = target.asked(&it, "PT5M").await;
        let held = it.until(&id, "held").await;
        assert_eq!(held["hold"]["reason"], "graph-throttled");
        it.until(&id, "active").await;
        let [refused, taken] = &it.calls_to("adminAssign")[before..] else { panic!("two calls") };
        assert!(!refused.committed && taken.committed);
        assert_eq!(taken.duration.as_deref(), Some("PT5M"), "a refused call used no time up");
        let early = || format!("sent again after {:?}, before {wait} s", taken.at.duration_since(refused.at));
        assert!(taken.at >= refused.at + seconds(wait), "{}", early());
        it.until(&id, "ended").await;
    }
    it.ends().await;
}

/// A world behind a door, and a request whose ticket is approved.
async fn behind(door: &Door, target: Target) -> (It, String) {
    let it = target
        .world(|setup| {
            setup.ports.graph = door.graph;
            setup.overrides.push(("STINT__TENANTS__CONTOSO__GRAPH_URL".into(), door.url()));
        })
        .await;
    it.world.sandbox.entra.set_graph_scope(&format!("{}/.default", door.url()));
    let ticket = target.ticket(&it, "PT5M");
    (it, ticket)
}

async fn a_call_that_found_no_connection_was_never_sent(target: Target) {
    // How many calls come before the one that assigns.
    let mut door = Door::new();
    door.open().await;
    let (it, ticket) = behind(&door, target).await;
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    let before = it.graph().calls().iter().position(|call| call.method == "POST").expect("a call that assigns");
    it.until(&id, "ended").await;
    it.ends().await;

    let mut door = Door::new();
    door.open_for(before).await;
    let (it, ticket) = behind(&door, target).await;
    let id = it.taken_in(&ticket).await;
    it.work().await;
    let held = it.document(&id).await;
    assert_eq!((&held["status"], &held["hold"]["reason"]), (&"held".into(), &"graph-unavailable".into()));
    assert_eq!(held["attempts"][0]["outcome"], "not-sent", "{held:#}");
    assert_eq!(it.graph().calls().len(), before);
    door.open().await;
    it.until(&id, "active").await;
    assert_eq!(it.creates()[0].duration.as_deref(), Some("PT5M"), "a call that never left used no time up");
    assert_eq!(it.calls_to("adminAssign").len(), 1);
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn a_removal_that_worked_and_is_denied_is_settled_by_reading(target: Target) {
    let it = target.begins().await;
    let denied = FaultKind::CodeAfterCommit {
        status: 400,
        code: "RoleAssignmentDoesNotExist".into(),
        message: "The Role assignment does not exist.".into(),
    };
    for lag in [0, 60] {
        it.graph().set(|knobs| knobs.read_lag_seconds = lag);
        let before = it.calls_to("adminRemove").len();
        let id = target.active(&it, "PT30M").await;
        it.pass(minutes(6)).await;
        it.graph().fault(Fault::once(On::Remove, denied.clone()));
        revoke(&it, &id).await;
        it.work().await;
        assert_eq!(it.document(&id).await["status"], "ending", "the answer is no proof");
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "revoked");
        assert_eq!(it.calls_to("adminRemove").len(), before + 1, "reads late by {lag} s");
        assert!(moment(&ended, "/end/confirmed_at") > moment(&ended, "/end/ordered_at") + seconds(TOLERANCE / 2));
    }
    it.ends().await;
}
