//! Several approved tickets for one thing: joined, extended, and cut back again.

use stint::sandbox::graph::Knobs;

use crate::{
    targets::{Target, moment, near},
    tried::revoke,
    world::minutes,
};

on_each![
    a_second_ticket_extends_it_a_third_joins_and_each_leaves_by_its_own_end,
    an_update_that_leaves_the_schedule_its_id_is_told_apart,
    an_update_that_pim_takes_only_after_five_minutes_is_waited_for,
];

async fn a_second_ticket_extends_it_a_third_joins_and_each_leaves_by_its_own_end(target: Target) {
    told(target, |_| {}).await;
}

async fn an_update_that_leaves_the_schedule_its_id_is_told_apart(target: Target) {
    told(target, |knobs| knobs.update_keeps_schedule = true).await;
}

async fn an_update_that_pim_takes_only_after_five_minutes_is_waited_for(target: Target) {
    told(target, |knobs| knobs.early_updates_refused = true).await;
}

async fn told(target: Target, bend: impl FnOnce(&mut Knobs)) {
    let it = target.begins().await;
    it.graph().set(bend);
    let tickets = ["PT40M", "PT1H"].map(|duration| target.ticket(&it, duration));

    let first = it.taken_in(&tickets[0]).await;
    it.until(&first, "active").await;
    let second = it.taken_in(&tickets[1]).await;
    let asked_at = it.world.clock.now();
    let extended = it.until(&second, "active").await;
    let waited = it.world.clock.now().duration_since(asked_at);
    assert!(waited <= minutes(6), "PIM took it after five minutes, and stint asked after {waited}");
    assert_eq!(extended["assignment"]["joined"][0]["request"], first.as_str());
    assert!(near(it.end_in_pim(), moment(&extended, "/assignment/ends_at")));
    let third = target.asked(&it, "PT15M").await;
    let joined = it.until(&third, "active").await;
    assert_eq!(joined["assignment"]["joined"].as_array().map(Vec::len), Some(2), "{joined:#}");
    assert_eq!((it.creates().len(), it.updates().len()), (1, 1), "the third moved nothing");

    it.pass(minutes(2)).await;
    revoke(&it, &second).await;
    let left = it.until(&second, "ended").await;
    assert_eq!(left["end"]["continued_by"].as_array().map(Vec::len), Some(2));
    let first_until = moment(&it.document(&first).await, "/assignment/ends_at");
    assert!(near(it.end_in_pim(), first_until), "cut back to the first's: {:#?}", it.updates());
    it.until(&third, "ended").await;
    it.until(&first, "ended").await;
    assert!(it.given().is_empty() && it.removals().is_empty(), "it ends by itself");
    assert!(it.updates().iter().all(|update| target.is_of(update) && !update.updated_foreign));
    assert_eq!(it.updates().len(), 2);
    it.ends().await;
}
