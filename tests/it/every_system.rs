//! What holds for every ticket system, told once and played on each.

use serde_json::Value;
use sqlx::Row as _;
use stint::demo::world::Setup;

use crate::{
    systems::{Change, DataCenter, Happened, Item, Jira, Person, Standard, System, Trouble, Wish},
    world::{It, Seen, minutes, seconds},
};

use Happened::{Approved, Withdrawn};
use Person::{Lena, Nina, Omar};

/// The stories, played on each system.
macro_rules! play {
    ($($story:ident,)*) => {
        play!(@ jira_cloud, Jira, $($story,)*);
        play!(@ jira_data_center, DataCenter, $($story,)*);
        play!(@ servicenow_item, Item, $($story,)*);
        play!(@ servicenow_change, Change, $($story,)*);
        play!(@ standard, Standard, $($story,)*);
    };
    (@ $module:ident, $system:ident, $($story:ident,)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $story() {
                    super::$story::<super::$system>().await;
                }
            )*
        }
    };
}

play![
    an_approved_ticket_is_granted_and_ends_by_itself,
    an_approval_by_nobody_is_refused,
    a_ticket_declined_after_all_is_never_granted,
    an_old_approval_is_refused,
    nobody_approves_for_themselves,
    nobody_approves_what_they_created,
    an_edit_after_the_approval_refuses,
    what_the_catalog_does_not_know_is_refused,
    a_ticket_withdrawn_before_the_grant_gives_nothing,
    a_ticket_withdrawn_while_its_start_is_waited_for_gives_nothing,
    a_ticket_withdrawn_after_the_grant_is_removed_as_soon_as_pim_allows,
    a_withdrawal_whose_webhook_never_came_is_noticed,
    a_reopened_ticket_is_withdrawn_once_that_is_certain,
    a_closed_ticket_ends_the_access,
    a_deleted_ticket_ends_the_access_after_several_looks,
    an_approval_whose_webhook_never_came_is_found_and_never_doubled,
    webhooks_repeated_and_reordered_change_nothing,
    a_read_that_lags_behind_its_webhook_is_repeated,
    a_ticket_system_in_trouble_holds_and_ends_nothing,
    a_broken_credential_stops_its_connection_with_one_finding,
    a_change_window_delays_the_start_and_cuts_the_end,
    a_second_approval_of_a_reopened_ticket_is_a_request_of_its_own,
    a_new_approval_takes_the_place_of_one_in_force_without_any_webhook,
];

async fn begins<S: System>() -> It {
    let overrides = |setup: &mut Setup| {
        let given = S::overrides().into_iter();
        setup.overrides.extend(given.map(|(key, value)| (format!("STINT__{key}"), value.to_owned())));
    };
    let it = It::with(overrides).await;
    S::prepare(&it);
    it
}

/// A ticket that Omar approved.
fn approved<S: System>(it: &It, wish: &Wish) -> String {
    approved_by::<S>(it, wish, Omar)
}

fn approved_by<S: System>(it: &It, wish: &Wish, approver: Person) -> String {
    let ticket = S::file(it, wish);
    S::ask(it, &ticket, &[approver]);
    it.world.clock.advance(minutes(3));
    S::approve(it, &ticket, approver);
    it.world.clock.advance(seconds(1));
    ticket
}

async fn deliver<S: System>(it: &It, ticket: &str, happened: Happened) -> Seen {
    it.post_to(S::CONNECTION, &S::webhook(it, ticket, happened)).await
}

async fn taken_in<S: System>(it: &It, ticket: &str) -> String {
    let seen = deliver::<S>(it, ticket, Approved).await;
    assert_eq!(seen.status, 202, "{}", seen.body);
    seen.body["request_id"].as_str().expect("a request id").to_owned()
}

/// A request in force on an approved ticket: the ticket and the request's id.
async fn active<S: System>(it: &It) -> (String, String) {
    let ticket = approved::<S>(it, &Wish::default());
    let id = taken_in::<S>(it, &ticket).await;
    it.until(&id, "active").await;
    (ticket, id)
}

fn codes(document: &Value) -> Vec<&str> {
    let reasons = document["decision"]["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code")).collect()
}

/// The ticket is refused for these reasons, told so in one note, and nothing is sent.
async fn refused<S: System>(it: It, ticket: &str, expected: &[&str]) {
    let id = taken_in::<S>(&it, ticket).await;
    let document = it.until(&id, "rejected").await;
    assert_eq!(codes(&document), expected, "{document:#}");
    it.work().await;
    let notes = S::notes(&it, ticket);
    assert!(notes.len() == 1 && notes[0].contains("Access not granted"), "{notes:?}");
    assert!(it.creates().is_empty(), "something was sent");
    it.pass(minutes(12)).await;
    assert_eq!(it.requests().await, 1, "the search found what was refused");
    it.ends().await;
}

async fn an_approved_ticket_is_granted_and_ends_by_itself<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    let document = it.until(&id, "ended").await;
    assert_eq!(document["end"]["cause"], "expired");
    assert_eq!(document["connection"], S::CONNECTION);
    assert_eq!(document["ticket"]["basis"], "read-back");
    assert_eq!(it.creates().len(), 1);
    it.work().await;
    let notes = S::notes(&it, &ticket);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("Access granted") && note.contains("UTC")), "{notes:?}");
    it.ends().await;
}

async fn an_approval_by_nobody_is_refused<S: System>() {
    let it = begins::<S>().await;
    let ticket = S::file(&it, &Wish::default());
    it.world.clock.advance(minutes(1));
    S::approve_by_nobody(&it, &ticket);
    refused::<S>(it, &ticket, &["no-approval-object"]).await;
}

async fn a_ticket_declined_after_all_is_never_granted<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved::<S>(&it, &Wish::default());
    let webhook = S::webhook(&it, &ticket, Approved);
    S::reopen(&it, &ticket);
    S::ask(&it, &ticket, &[Lena]);
    it.world.clock.advance(seconds(20));
    S::decline(&it, &ticket, Lena);
    let seen = it.post_to(S::CONNECTION, &webhook).await;
    let id = seen.body["request_id"].as_str().expect("a request id").to_owned();
    let over = it.until_true(&id, "is over", |d| d["status"] == "rejected" || d["status"] == "ended").await;
    assert!(over["status"] == "rejected" || over["end"]["cause"] == "withdrawn", "{over:#}");
    assert!(it.creates().is_empty());
    it.ends().await;
}

async fn an_old_approval_is_refused<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved::<S>(&it, &Wish::default());
    it.world.clock.advance(minutes(24 * 60 + 1));
    refused::<S>(it, &ticket, &["stale-approval"]).await;
}

async fn nobody_approves_for_themselves<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved_by::<S>(&it, &Wish::default(), Nina);
    refused::<S>(it, &ticket, &["self-approval"]).await;
}

async fn nobody_approves_what_they_created<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved::<S>(&it, &Wish { creator: Omar, ..Wish::default() });
    refused::<S>(it, &ticket, &["self-approval"]).await;
}

async fn an_edit_after_the_approval_refuses<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved::<S>(&it, &Wish::default());
    it.world.clock.advance(seconds(30));
    S::edit_duration(&it, &ticket, "PT8H");
    refused::<S>(it, &ticket, &["edited-after-approval"]).await;
}

async fn what_the_catalog_does_not_know_is_refused<S: System>() {
    let it = begins::<S>().await;
    let wish = Wish {
        entitlement: "domain-admin".into(),
        principal: "nobody@contoso.example".into(),
        duration: "4 hours".into(),
        ..Wish::default()
    };
    let ticket = approved::<S>(&it, &wish);
    refused::<S>(it, &ticket, &["entitlement-unknown", "duration-invalid", "principal-not-found"]).await;
}

async fn a_ticket_withdrawn_before_the_grant_gives_nothing<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved::<S>(&it, &Wish::default());
    let webhook = S::webhook(&it, &ticket, Approved);
    S::cancel(&it, &ticket);
    let seen = it.post_to(S::CONNECTION, &webhook).await;
    let id = seen.body["request_id"].as_str().expect("a request id").to_owned();
    let document = it.until(&id, "ended").await;
    assert_eq!(document["end"]["cause"], "withdrawn");
    assert!(it.creates().is_empty());
    it.work().await;
    let notes = S::notes(&it, &ticket);
    assert!(notes.len() == 1 && notes[0].contains("approved anew"), "{notes:?}");
    it.ends().await;
}

async fn a_ticket_withdrawn_while_its_start_is_waited_for_gives_nothing<S: System>() {
    let it = begins::<S>().await;
    let wish = Wish { window: (Some(it.world.clock.now() + minutes(90)), None), ..Wish::default() };
    let ticket = approved::<S>(&it, &wish);
    let id = taken_in::<S>(&it, &ticket).await;
    it.until(&id, "approved").await;
    S::cancel(&it, &ticket);
    it.pass(minutes(6)).await;
    let document = it.document(&id).await;
    assert_eq!((&document["status"], &document["end"]["cause"]), (&"ended".into(), &"withdrawn".into()));
    it.pass(minutes(120)).await;
    assert!(it.creates().is_empty());
    it.ends().await;
}

async fn a_ticket_withdrawn_after_the_grant_is_removed_as_soon_as_pim_allows<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    let approval = S::webhook(&it, &ticket, Approved);
    it.world.clock.advance(seconds(60));
    S::cancel(&it, &ticket);
    let seen = deliver::<S>(&it, &ticket, Withdrawn).await;
    assert_eq!((seen.status, seen.body["request_id"].as_str()), (202, Some(id.as_str())));
    it.work().await;
    let ending = it.document(&id).await;
    assert_eq!((&ending["status"], &ending["end"]["cause"]), (&"ending".into(), &"withdrawn".into()));
    assert!(ending["end"]["next_look_at"].is_string(), "the five-minute rule does not show: {}", ending["end"]);
    assert!(it.removals().is_empty(), "PIM refuses removals that early");
    let document = it.until(&id, "ended").await;
    assert_eq!(document["end"]["cause"], "withdrawn");
    assert_eq!(it.removals().len(), 1);

    it.post_to(S::CONNECTION, &approval).await;
    it.pass(minutes(90)).await;
    assert_eq!(it.creates().len(), 1, "the same approval granted again");
    it.ends().await;
}

async fn a_withdrawal_whose_webhook_never_came_is_noticed<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    it.pass(minutes(10)).await;
    S::cancel(&it, &ticket);
    it.pass(minutes(5)).await;
    assert_eq!(it.document(&id).await["end"]["cause"], "withdrawn");
    it.until(&id, "ended").await;
    assert_eq!(it.removals().len(), 1);
    it.ends().await;
}

async fn a_reopened_ticket_is_withdrawn_once_that_is_certain<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    it.pass(minutes(10)).await;
    S::reopen(&it, &ticket);
    deliver::<S>(&it, &ticket, Withdrawn).await;
    it.work().await;
    assert_eq!(it.document(&id).await["status"], "active", "on a single reading");
    it.pass(minutes(1)).await;
    assert_eq!(it.document(&id).await["end"]["cause"], "withdrawn");
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn a_closed_ticket_ends_the_access<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    S::close(&it, &ticket);
    it.pass(minutes(5)).await;
    assert_eq!(it.document(&id).await["end"]["cause"], "withdrawn");
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn a_deleted_ticket_ends_the_access_after_several_looks<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    it.pass(minutes(2)).await;
    S::delete(&it, &ticket);
    it.pass(minutes(10)).await;
    assert_eq!(it.document(&id).await["status"], "active", "one 404 is no deletion");
    it.pass(minutes(12)).await;
    assert_eq!(it.document(&id).await["end"]["cause"], "withdrawn");
    it.until(&id, "ended").await;
    it.pass(minutes(60 * 25)).await;
    it.ends().await;
}

async fn an_approval_whose_webhook_never_came_is_found_and_never_doubled<S: System>() {
    let it = begins::<S>().await;
    it.work().await;
    let ticket = approved::<S>(&it, &Wish::default());
    it.pass(minutes(5)).await;
    assert_eq!(it.requests().await, 1, "the search found nothing");
    it.pass(minutes(1)).await;
    assert_eq!(it.creates().len(), 1);
    // The webhook comes after all, and once more when all is over.
    let late = deliver::<S>(&it, &ticket, Approved).await;
    assert!(late.status == 202 || late.status == 200, "{}", late.body);
    it.pass(minutes(90)).await;
    deliver::<S>(&it, &ticket, Approved).await;
    it.pass(minutes(30)).await;
    assert_eq!(it.creates().len(), 1, "an approval that was found granted twice");
    it.ends().await;
}

async fn webhooks_repeated_and_reordered_change_nothing<S: System>() {
    let it = begins::<S>().await;
    let ticket = approved::<S>(&it, &Wish::default());
    let approval = S::webhook(&it, &ticket, Approved);
    it.world.clock.advance(seconds(40));
    S::cancel(&it, &ticket);
    let withdrawal = S::webhook(&it, &ticket, Withdrawn);
    // The later word arrives first.
    let seen = it.post_to(S::CONNECTION, &withdrawal).await;
    assert!(seen.body["ignored"].is_string(), "{}", seen.body);
    let first = it.post_to(S::CONNECTION, &approval).await;
    let again = it.post_to(S::CONNECTION, &approval).await;
    assert_eq!((first.status, again.status), (202, 200));
    assert_eq!(first.body["request_id"], again.body["request_id"]);
    it.pass(minutes(30)).await;
    it.post_to(S::CONNECTION, &withdrawal).await;
    it.pass(minutes(30)).await;
    assert!(it.creates().is_empty(), "a withdrawn ticket was granted");
    it.ends().await;
}

async fn a_read_that_lags_behind_its_webhook_is_repeated<S: System>() {
    let it = begins::<S>().await;
    let ticket = S::file(&it, &Wish::default());
    S::ask(&it, &ticket, &[Omar]);
    it.world.clock.advance(minutes(3));
    S::freeze(&it, &ticket, 25);
    S::approve(&it, &ticket, Omar);
    let id = taken_in::<S>(&it, &ticket).await;
    it.work().await;
    assert!(it.creates().is_empty());
    it.pass(seconds(60)).await;
    assert_eq!(it.document(&id).await["status"], "active");
    it.until(&id, "ended").await;
    it.ends().await;
}

async fn a_ticket_system_in_trouble_holds_and_ends_nothing<S: System>() {
    let it = begins::<S>().await;
    for (trouble, code) in [
        (Trouble::Throttled(20), "ticket-throttled"),
        (Trouble::Page, "ticket-unavailable"),
        (Trouble::Down, "ticket-unavailable"),
    ] {
        // A search that falls due would meet the trouble first.
        it.right_after_a_search().await;
        let ticket = approved::<S>(&it, &Wish { duration: "PT30M".into(), ..Wish::default() });
        S::trouble(&it, trouble, 1);
        let id = taken_in::<S>(&it, &ticket).await;
        it.work().await;
        let held = it.document(&id).await;
        assert_eq!((&held["status"], &held["hold"]["reason"]), (&"held".into(), &code.into()), "{trouble:?}");
        assert!(held["hold"]["next_look_at"].is_string());
        it.until(&id, "active").await;
        // In force, the same trouble ends nothing.
        S::trouble(&it, trouble, 2);
        it.pass(minutes(3)).await;
        assert_eq!(it.document(&id).await["status"], "active", "{trouble:?}");
        it.until(&id, "ended").await;
    }
    it.ends().await;
}

async fn a_broken_credential_stops_its_connection_with_one_finding<S: System>() {
    let it = begins::<S>().await;
    let lena =
        Wish { requester: Lena, creator: Lena, principal: stint::sandbox::story::LENA_UPN.into(), ..Wish::default() };
    let tickets = [approved::<S>(&it, &Wish::default()), approved::<S>(&it, &lena)];
    S::break_login(&it);
    let mut ids = vec![];
    for ticket in &tickets {
        ids.push(taken_in::<S>(&it, ticket).await);
    }
    it.pass(minutes(2)).await;
    for id in &ids {
        assert_eq!(it.document(id).await["hold"]["reason"], "ticket-credential");
    }
    let before = S::calls(&it);
    it.pass(minutes(30)).await;
    let calls = S::calls(&it) - before;
    assert!(calls <= 16, "{calls} calls with a credential known to be broken");
    assert_eq!(findings(&it).await, [false], "one finding, not cleared yet");
    S::mend_login(&it);
    it.pass(minutes(6)).await;
    for id in &ids {
        assert_eq!(it.document(id).await["status"], "active");
    }
    assert_eq!(findings(&it).await, [true], "the finding is over");
    for id in &ids {
        it.until(id, "ended").await;
    }
    it.ends().await;
}

/// The findings about connections, each with whether it is over.
async fn findings(it: &It) -> Vec<bool> {
    let rows =
        sqlx::query("select cleared_at is not null from findings where connection is not null order by raised_at");
    let rows = rows.fetch_all(&mut it.sql().await).await.expect("the findings");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn a_change_window_delays_the_start_and_cuts_the_end<S: System>() {
    let it = begins::<S>().await;
    let start = it.world.clock.now() + minutes(60);
    let end = start + minutes(40);
    let wish = Wish { duration: "PT2H".into(), window: (Some(start), Some(end)), ..Wish::default() };
    let ticket = approved::<S>(&it, &wish);
    let id = taken_in::<S>(&it, &ticket).await;
    it.work().await;
    let waiting = it.document(&id).await;
    assert_eq!(waiting["status"], "approved", "{waiting:#}");
    assert_eq!(waiting["decision"]["bound_by"], "change-window");
    it.until(&id, "active").await;
    assert!(it.world.clock.now() >= start);
    it.work().await;
    let notes = S::notes(&it, &ticket);
    assert!(notes.len() == 1 && notes[0].contains("cut from PT2H to the change window"), "{notes:?}");
    let document = it.until(&id, "ended").await;
    let ends_at: jiff::Timestamp =
        document["assignment"]["ends_at"].as_str().expect("an end").parse().expect("a moment");
    assert!(ends_at <= end + seconds(60), "{ends_at} is after {end}");
    it.ends().await;
}

async fn a_second_approval_of_a_reopened_ticket_is_a_request_of_its_own<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    it.until(&id, "ended").await;
    S::reopen(&it, &ticket);
    it.world.clock.advance(minutes(1));
    S::ask(&it, &ticket, &[Lena]);
    it.world.clock.advance(minutes(1));
    S::approve(&it, &ticket, Lena);
    it.world.clock.advance(seconds(1));
    let second = taken_in::<S>(&it, &ticket).await;
    assert_ne!(second, id);
    it.until(&second, "ended").await;
    assert_eq!(it.creates().len(), 2);
    it.ends().await;
}

async fn a_new_approval_takes_the_place_of_one_in_force_without_any_webhook<S: System>() {
    let it = begins::<S>().await;
    let (ticket, id) = active::<S>(&it).await;
    it.pass(minutes(10)).await;
    S::reopen(&it, &ticket);
    it.world.clock.advance(seconds(5));
    S::ask(&it, &ticket, &[Lena]);
    it.world.clock.advance(seconds(5));
    S::approve(&it, &ticket, Lena);
    it.pass(minutes(10)).await;
    let first = it.document(&id).await;
    assert_eq!((&first["status"], &first["end"]["cause"]), (&"ended".into(), &"withdrawn".into()));
    assert_eq!((it.requests().await, it.creates().len()), (2, 2), "the new approval was lost");
    let after = "select count(*) from audit_events join audit_details on event_id = id \
                 where event = 'received' and detail->'because'->>'after' = $1";
    let follows: i64 = sqlx::query_scalar(after).bind(&id).fetch_one(&mut it.sql().await).await.expect("a count");
    assert_eq!(follows, 1, "it was found otherwise than by reading the ticket behind the first one");
    it.pass(minutes(90)).await;
    assert_eq!((it.requests().await, it.creates().len()), (2, 2));
    it.ends().await;
}
