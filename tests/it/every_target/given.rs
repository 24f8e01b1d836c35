//! Given once, on the right one of PIM's lists, and ended: by its own time, or by an operator's word.

use stint::sandbox::graph::Entry;

use crate::{
    targets::{Target, moment},
    tried::revoke,
    world::{It, minutes, seconds},
};

on_each_scope![
    it_is_given_once_and_ends_by_its_own_time,
    revoked_in_its_first_minutes_it_is_removed_as_soon_as_pim_allows,
    revoked_later_it_is_removed_at_once,
    what_somebody_else_gave_is_waited_for_and_never_touched,
];

async fn it_is_given_once_and_ends_by_its_own_time(target: Target) {
    let it = target.begins().await;
    let ticket = target.ticket(&it, "PT20M");
    let id = it.taken_in(&ticket).await;
    let active = it.until(&id, "active").await;
    let create = only(it.calls_to("adminAssign"));
    assert!(create.committed && target.is_of(&create), "{create:?}");
    assert_eq!(create.duration.as_deref(), Some("PT20M"));
    assert_eq!(create.justification, Some(format!("ITSEC-482 stint:{id}")));
    assert_eq!(create.ticket_number.as_deref(), Some("ITSEC-482"));
    assert_eq!(create.ticket_system.as_deref(), Some("jira-cloud"));

    assert_eq!(active["entitlement"]["key"], target.key);
    assert_eq!(active["assignment"]["schedule_request_id"].as_str(), create.request_id.as_deref());
    assert_eq!(active["assignment"]["schedule_id"].as_str(), create.schedule_id.as_deref());
    assert_eq!(Some(moment(&active, "/assignment/ends_at")), create.end);
    assert_eq!(Some(it.end_in_pim()), create.end);

    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "expired");
    assert!(it.given().is_empty() && it.calls_to("adminRemove").is_empty(), "it ends by itself");
    it.work().await;
    says_what_was_given(target, &it, &ticket);
    keeps_to_its_own_lists(target, &it);
    it.ends().await;
}

fn only(entries: Vec<Entry>) -> Entry {
    let [entry] = <[Entry; 1]>::try_from(entries).unwrap_or_else(|entries| panic!("one call: {entries:?}"));
    entry
}

fn says_what_was_given(target: Target, it: &It, ticket: &str) {
    let notes = it.notes(ticket);
    let has = if target.is_eligible() { "may activate" } else { "has" };
    assert!(notes[0].contains(&format!("Nina Keller {has} Exchange: {} for PT20M", target.key)), "{notes:?}");
    assert!(notes.len() == 2 && notes[1].contains("has ended on time"), "{notes:?}");
}

/// What is asked for and looked for there; the sweep reads what is in force everywhere.
fn keeps_to_its_own_lists(target: Target, it: &It) {
    let calls = it.graph().calls();
    let asked: Vec<_> = calls.iter().map(|call| &call.path).filter(|path| path.contains("ScheduleRequests")).collect();
    assert!(!asked.is_empty() && asked.iter().all(|path| path.starts_with(target.lists)), "{asked:?}");
}

async fn revoked_in_its_first_minutes_it_is_removed_as_soon_as_pim_allows(target: Target) {
    let it = target.begins().await;
    let id = target.active(&it, "PT20M").await;
    it.pass(minutes(1)).await;
    revoke(&it, &id).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "ending");
    assert!(it.calls_to("adminRemove").is_empty(), "PIM refuses removals that early");
    it.until(&id, "ended").await;
    let removal = only(it.calls_to("adminRemove"));
    assert!(removal.committed && target.is_of(&removal), "{removal:?}");
    let waited = removal.at.duration_since(removal.start.expect("a start"));
    assert!(waited >= minutes(5) && waited < minutes(6), "removed after {waited}");
    it.ends().await;
}

async fn revoked_later_it_is_removed_at_once(target: Target) {
    let it = target.begins().await;
    let id = target.active(&it, "PT20M").await;
    it.pass(minutes(6)).await;
    revoke(&it, &id).await;
    it.work().await;
    let removal = only(it.calls_to("adminRemove"));
    assert!(removal.committed && target.is_of(&removal), "{removal:?}");
    assert_eq!(it.document(&id).await["status"], "ending", "its absence is not proved yet");
    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "revoked");
    assert!(it.world.clock.now() >= removal.at + seconds(30), "on a single look");
    it.ends().await;
}

async fn what_somebody_else_gave_is_waited_for_and_never_touched(target: Target) {
    let it = target.begins().await;
    target.given_by_others(&it, None);
    let id = target.asked(&it, "PT20M").await;
    let held = it.until(&id, "held").await;
    assert_eq!(held["hold"]["reason"], "foreign-assignment");
    it.pass(minutes(12)).await;
    assert!(it.graph().ledger().is_empty(), "something was asked of PIM");
    target.taken_by_others(&it);
    it.until(&id, "active").await;
    it.until(&id, "ended").await;
    assert_eq!((it.creates().len(), it.removals().len()), (1, 0));
    it.ends().await;
}
