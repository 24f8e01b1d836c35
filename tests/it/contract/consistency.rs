//! `contracts/graph.md` §7: what the server guarantees, how an unclear answer is settled, and the timings seen.

use jiff::SignedDuration;
use stint::sandbox::{
    graph::{Fault, FaultKind, Held, Knobs, On},
    story,
};

use crate::{
    targets::ROLE,
    tried::revoke,
    world::{It, minutes, seconds},
};

#[tokio::test]
async fn section_7_1_an_assignment_over_an_activated_role_is_given_or_waited_for_as_pim_decides() {
    for blocked in [false, true] {
        let it = ROLE.begins().await;
        it.graph().set(|knobs| knobs.activation_blocks_assign = blocked);
        let ticket = ROLE.ticket(&it, "PT30M");
        let until = it.world.clock.now() + minutes(20);
        it.graph().add_foreign(story::TENANT, story::NINA_ID, (ROLE.what)(), Held::Activated, Some(until));
        let id = it.taken_in(&ticket).await;
        if blocked {
            let held = it.until_true(&id, "is held for it", |d| d["hold"]["reason"] == "said-to-exist").await;
            assert!(it.creates().is_empty(), "{held:#}");
        }
        it.until(&id, "active").await;
        assert_eq!(it.world.clock.now() >= until, blocked);
        assert_eq!(it.creates()[0].duration.as_deref(), Some("PT30M"));
        it.until(&id, "ended").await;
        assert_eq!((it.creates().len(), it.removals().len()), (1, 0));
        it.ends().await;
    }
}

#[tokio::test]
async fn section_7_3_steps_1_and_2_the_marker_is_found_on_the_last_page_and_adopted() {
    let it = ROLE.begins().await;
    it.graph().set(|knobs| (knobs.page_size, knobs.created_jitter_ms) = (1, 900));
    for _ in 0..3 {
        let id = ROLE.active(&it, "PT5M").await;
        it.until(&id, "ended").await;
    }
    it.graph().fault(Fault::once(On::Create, FaultKind::DropAfterCommit));
    let id = ROLE.asked(&it, "PT15M").await;
    let active = it.until(&id, "active").await;
    let lost = it.creates().pop().expect("a call");
    assert_eq!(it.creates().len(), 4);
    assert_eq!(active["assignment"]["schedule_request_id"].as_str(), lost.request_id.as_deref());
    assert_eq!(active["assignment"]["schedule_id"].as_str(), lost.schedule_id.as_deref());
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn section_7_3_step_3_what_pim_no_longer_lists_as_asked_for_is_known_by_its_schedule() {
    let it = ROLE.begins().await;
    let id = ROLE.active(&it, "PT30M").await;
    it.graph().purge_requests(story::TENANT);
    it.pass(minutes(6)).await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    assert_eq!(it.removals().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn section_7_3_step_4_it_is_looked_for_at_growing_distances_and_asked_again_only_then() {
    let it = ROLE.begins().await;
    let ticket = ROLE.ticket(&it, "PT30M");
    it.graph().fault(Fault::once(On::Create, FaultKind::DropBeforeCommit));
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    let [lost, again] = &it.calls_to("adminAssign")[..] else { panic!("two calls") };
    let looks: Vec<_> = looks(&it).into_iter().filter(|at| *at >= lost.at && *at < again.at).collect();
    let apart: Vec<_> = looks.windows(2).map(|two| two[1].duration_since(two[0]).as_secs()).collect();
    assert_eq!(apart[..5], [2, 5, 10, 20, 40], "{apart:?}");
    assert!(again.at.duration_since(lost.at) >= seconds(180), "asked again too soon");
    it.until(&id, "ended").await;
    it.ends().await;
}

/// When stint looked at what is in force.
fn looks(it: &It) -> Vec<jiff::Timestamp> {
    let calls = it.graph().calls().into_iter();
    calls.filter(|call| call.path.contains("roleAssignmentScheduleInstances")).map(|call| call.at).collect()
}

/// One of the timings, as the simulator plays it.
type Bend = fn(&mut Knobs);

#[tokio::test]
async fn section_7_4_each_timing_seen_gives_one_assignment_that_ends() {
    let knobs: [(&str, Bend); 9] = [
        ("created, completed 3.7 s later", |knobs| knobs.granted_seconds = 4),
        ("taken, in force 47 s later", |knobs| knobs.provision_delay_seconds = 47),
        ("pending for 40 s under another name", |knobs| {
            (knobs.granted_seconds, knobs.pending_status) = (40, Some("PendingScheduleCreation".into()));
        }),
        ("a change shows 12 s later", |knobs| knobs.read_lag_seconds = 12),
        ("a change shows a minute later", |knobs| knobs.read_lag_seconds = 60),
        ("an end a little later than asked for", |knobs| knobs.later_end_seconds = 50),
        ("Graph's clock ahead", |knobs| knobs.clock_skew_seconds = 25),
        ("Graph's clock behind", |knobs| knobs.clock_skew_seconds = -25),
        ("refusals wrapped, a rule nobody knows", |knobs| (knobs.wrap_errors, knobs.unknown_rule) = (true, true)),
    ];
    for (seen, bend) in knobs {
        let it = ROLE.begins().await;
        it.graph().set(bend);
        let id = ROLE.active(&it, "PT15M").await;
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "expired", "{seen}");
        assert_eq!((it.calls_to("adminAssign").len(), it.removals().len()), (1, 0), "{seen}");

        // And one that is ended early.
        let id = ROLE.active(&it, "PT30M").await;
        it.pass(minutes(6)).await;
        revoke(&it, &id).await;
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "revoked", "{seen}");
        assert_eq!(it.removals().len(), 1, "{seen}");
        it.ends().await;
    }
}

#[tokio::test]
async fn section_7_4_a_person_unknown_to_pim_for_two_minutes_is_waited_for() {
    let it = ROLE.begins().await;
    let ticket = ROLE.ticket(&it, "PT15M");
    it.graph().set(|knobs| knobs.young_principal_seconds = 120);
    let hired = it.world.clock.now();
    it.graph().update_user(story::TENANT, story::NINA_ID, |nina| nina.created_at = hired);
    let id = it.taken_in(&ticket).await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "graph-not-yet");
    it.until(&id, "active").await;
    let waited = it.world.clock.now().duration_since(hired);
    assert!((seconds(120)..=minutes(4)).contains(&waited), "{waited}: {:#?}", it.calls_to("adminAssign"));
    assert_eq!(it.creates()[0].duration.as_deref(), Some("PT15M"));
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn section_7_5_what_is_not_in_force_after_five_minutes_is_told_and_waited_for() {
    let it = ROLE.begins().await;
    it.graph().set(|knobs| knobs.granted_seconds = 8 * 60);
    let id = ROLE.asked(&it, "PT30M").await;
    let asked_at = it.world.clock.now();
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "not-in-force");
    let waited = it.world.clock.now().duration_since(asked_at);
    assert!((minutes(5)..minutes(6)).contains(&waited), "{waited}");
    it.until(&id, "active").await;
    assert_eq!(it.calls_to("adminAssign").len(), 1);
    it.until(&id, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn section_7_5_a_schedule_request_that_is_not_listed_yet_is_late_and_not_lost() {
    let it = ROLE.begins().await;
    it.graph().set(|knobs| (knobs.read_lag_seconds, knobs.granted_seconds) = (60, 70));
    let id = ROLE.asked(&it, "PT15M").await;
    let asked_at = it.world.clock.now();
    it.until(&id, "active").await;
    let waited: SignedDuration = it.world.clock.now().duration_since(asked_at);
    assert!((seconds(60)..minutes(3)).contains(&waited), "{waited}");
    assert_eq!(it.calls_to("adminAssign").len(), 1);
    it.until(&id, "ended").await;
    it.ends().await;
}
