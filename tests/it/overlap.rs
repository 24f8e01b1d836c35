//! Several approved tickets for one thing: they share the assignment, and nobody is cut off before his own approval ends.

use jiff::Timestamp;
use serde_json::Value;
use stint::{
    domain::{audit::Actor, id::ObjectId},
    sandbox::{
        Retry,
        graph::{Entry, Fault, FaultKind, On},
        jira::IssueDraft,
        story,
    },
};
use uuid::Uuid;

use crate::world::{It, minutes, seconds};

/// PIM may end an assignment this much later than it was asked to.
const TOLERANCE: i64 = 60;

fn asking_for(duration: &str) -> IssueDraft {
    IssueDraft { duration: duration.into(), ..IssueDraft::default() }
}

/// A request of its own ticket, and that ticket.
async fn asked(it: &It, duration: &str) -> (String, String) {
    let ticket = it.approved(asking_for(duration));
    (it.taken_in(&ticket).await, ticket)
}

async fn active(it: &It, duration: &str) -> (String, String) {
    let (id, ticket) = asked(it, duration).await;
    it.until(&id, "active").await;
    (id, ticket)
}

async fn revoke(it: &It, id: &str) {
    let operator = Actor::caller(story::TENANT, ObjectId(Uuid::nil()));
    let request = id.parse().expect("an id");
    it.world.service.engine.revoke(request, operator, "no longer needed").await.expect("a working database");
}

fn updates(it: &It) -> Vec<Entry> {
    let updated = |entry: &Entry| entry.committed && entry.action.eq_ignore_ascii_case("adminUpdate");
    it.world.sandbox.graph.ledger().into_iter().filter(updated).collect()
}

/// When the one assignment in force ends by PIM's own word.
fn end_in_pim(it: &It) -> Timestamp {
    let grants = it.world.sandbox.graph.active_grants(story::TENANT);
    assert_eq!(grants.len(), 1, "one assignment is in force: {grants:?}");
    grants[0].end.expect("an end")
}

fn moment(document: &Value, path: &str) -> Timestamp {
    let text = document.pointer(path).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{path} in {document:#}")).parse().expect("a moment")
}

fn near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= seconds(TOLERANCE)
}

fn in_force(it: &It) -> bool {
    !it.world.sandbox.graph.active_grants(story::TENANT).is_empty()
}

#[tokio::test]
async fn a_second_ticket_joins_and_moves_the_end_out() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    it.pass(minutes(10)).await;
    let (second, ticket) = active(&it, "PT80M").await;

    assert_eq!((it.creates().len(), updates(&it).len()), (1, 1));
    let (one, two) = (it.document(&first).await, it.document(&second).await);
    assert!(near(end_in_pim(&it), moment(&two, "/assignment/ends_at")));
    assert_eq!(one["assignment"].get("joined"), None);
    assert_eq!(two["assignment"]["joined"][0]["request"], first.as_str());
    assert_eq!(one["holders"][0]["request"], second.as_str());
    assert_eq!(two["holders"][0]["request"], first.as_str());
    it.work().await;
    assert!(it.notes(&ticket)[0].contains("is held by ticket ITSEC-"), "{:?}", it.notes(&ticket));

    let one = it.until(&first, "ended").await;
    assert_eq!(
        (&one["end"]["cause"], &one["end"]["continued_by"][0]["request"]),
        (&"expired".into(), &second.as_str().into())
    );
    assert!(in_force(&it), "the second ticket's time goes on");
    assert_eq!(it.document(&second).await["status"], "active");
    let two = it.until(&second, "ended").await;
    assert_eq!(
        (&two["end"]["cause"], two["end"]["continued_by"].as_array().map(Vec::len)),
        (&"expired".into(), Some(0))
    );
    assert!(!in_force(&it) && it.removals().is_empty());
    it.ends().await;
}

/// Changes the attempt in force when the first extension is recorded, as somebody does who comes right before that.
const COMES_BETWEEN: &str = "create function comes_between() returns trigger language plpgsql as $$ begin \
     if not exists (select from attempts where kind = 'update') then \
     update attempts set absent_reads = absent_reads + 1; end if; return new; end $$; \
     create trigger comes_between before insert on attempts for each row execute function comes_between()";

#[tokio::test]
async fn what_was_seen_before_somebody_came_between_is_not_acted_on() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    it.pass(minutes(10)).await;
    sqlx::raw_sql(COMES_BETWEEN).execute(&mut it.sql().await).await.expect("somebody");
    let (second, _) = active(&it, "PT80M").await;
    let two = it.document(&second).await;
    let attempts = two["attempts"].as_array().expect("attempts");
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("not-sent"), Some("accepted")], "{two:#}");
    assert_eq!((it.creates().len(), updates(&it).len()), (1, 1));
    it.until(&first, "ended").await;
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_shorter_second_ticket_joins_without_a_call_and_moves_nothing() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT80M").await;
    it.pass(minutes(10)).await;
    let before = end_in_pim(&it);
    let (second, _) = active(&it, "PT20M").await;
    assert_eq!((it.creates().len(), updates(&it).len(), end_in_pim(&it)), (1, 0, before));
    let two = it.until(&second, "ended").await;
    assert_eq!(two["end"]["continued_by"][0]["request"], first.as_str());
    assert_eq!(it.document(&first).await["status"], "active");
    assert!(in_force(&it));
    it.until(&first, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn when_the_longer_one_is_revoked_it_is_cut_back_to_the_other() {
    for wait in [1, 6] {
        let it = It::begins().await;
        let (first, _) = active(&it, "PT50M").await;
        it.pass(minutes(8)).await;
        let (second, _) = active(&it, "PT90M").await;
        it.pass(minutes(wait)).await;
        revoke(&it, &second).await;
        let two = it.until(&second, "ended").await;
        assert_eq!(
            (&two["end"]["cause"], &two["end"]["continued_by"][0]["request"]),
            (&"revoked".into(), &first.as_str().into())
        );
        let one = it.document(&first).await;
        assert_eq!(one["status"], "active");
        assert!(near(end_in_pim(&it), moment(&one, "/assignment/ends_at")), "after {wait} minutes");
        it.until(&first, "ended").await;
        assert!(!in_force(&it) && it.removals().is_empty());
        it.ends().await;
    }
}

#[tokio::test]
async fn when_the_shorter_one_is_revoked_nothing_changes_for_the_other() {
    for wait in [1, 6] {
        let it = It::begins().await;
        let (first, _) = active(&it, "PT50M").await;
        it.pass(minutes(8)).await;
        let (second, _) = active(&it, "PT80M").await;
        let until = end_in_pim(&it);
        it.pass(minutes(wait)).await;
        revoke(&it, &first).await;
        let one = it.until(&first, "ended").await;
        assert_eq!(one["end"]["continued_by"][0]["request"], second.as_str());
        assert_eq!((end_in_pim(&it), it.removals().len()), (until, 0));
        revoke(&it, &second).await;
        it.until(&second, "ended").await;
        assert_eq!(it.removals().len(), 1, "the last holder removes it");
        it.ends().await;
    }
}

#[tokio::test]
async fn a_withdrawn_ticket_leaves_the_other_ones_access() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    it.pass(minutes(6)).await;
    let (second, ticket) = active(&it, "PT90M").await;
    it.world.sandbox.jira.cancel(&ticket);
    it.deliver(&ticket).await;
    let two = it.until(&second, "ended").await;
    assert_eq!(two["end"]["cause"], "withdrawn");
    assert!(near(end_in_pim(&it), moment(&it.document(&first).await, "/assignment/ends_at")));
    it.until(&first, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn both_revoked_at_once_remove_it_once() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    let (second, _) = active(&it, "PT80M").await;
    it.pass(minutes(6)).await;
    revoke(&it, &first).await;
    revoke(&it, &second).await;
    it.until(&first, "ended").await;
    it.until(&second, "ended").await;
    assert!(!in_force(&it));
    assert_eq!(it.removals().len(), 1);
    it.ends().await;
}

#[tokio::test]
async fn a_join_whose_answer_is_lost_moves_the_end_once_and_to_one_place() {
    for kind in [
        FaultKind::DropAfterCommit,
        FaultKind::DropBeforeCommit,
        FaultKind::StatusAfterCommit(504),
        FaultKind::Truncated201,
        FaultKind::HtmlAfterCommit(502),
        FaultKind::Status(503),
        FaultKind::Throttle(Retry::Seconds(7)),
    ] {
        for lag in [0, 60] {
            let it = It::begins().await;
            let (first, _) = active(&it, "PT50M").await;
            it.pass(minutes(8)).await;
            it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = lag);
            let (second, _) = asked(&it, "PT80M").await;
            let asked_at = it.world.clock.now();
            it.world.sandbox.graph.fault(Fault::once(On::Create, kind.clone()));
            let two = it.until(&second, "active").await;
            let ends_at = moment(&two, "/assignment/ends_at");
            assert!(ends_at <= asked_at + minutes(80) + seconds(TOLERANCE), "{kind:?} {lag}: an end never slides");
            assert!(near(end_in_pim(&it), ends_at), "{kind:?} {lag}");
            assert_eq!(it.creates().len(), 1);
            it.until(&first, "ended").await;
            it.until(&second, "ended").await;
            it.ends().await;
        }
    }
}

#[tokio::test]
async fn a_join_that_somebody_revoked_before_it_was_seen_gets_no_time_anew() {
    let it = It::begins().await;
    active(&it, "PT50M").await;
    it.pass(minutes(8)).await;
    let (second, _) = asked(&it, "PT80M").await;
    let (graph, sent_at) = (&it.world.sandbox.graph, it.world.clock.now());
    graph.fault(Fault::once(On::Create, FaultKind::DropAfterCommit));
    it.work().await;
    assert_eq!(updates(&it).len(), 1);
    assert!(graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/"));
    graph.set(|knobs| knobs.status = Some("Revoked".into()));
    let is_closed =
        |document: &Value| !["open", "accepted"].contains(&document["attempts"][0]["outcome"].as_str().expect("one"));
    it.until_true(&second, "its first attempt is closed", is_closed).await;
    graph.set(|knobs| knobs.status = None);
    it.until(&second, "active").await;
    assert!(it.world.clock.now() > sent_at + minutes(5), "it was asked for again");
    assert!(end_in_pim(&it) <= sent_at + minutes(80) + seconds(TOLERANCE), "until {}", end_in_pim(&it));
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_cut_back_whose_answer_is_lost_is_settled_by_reading() {
    for kind in [FaultKind::DropAfterCommit, FaultKind::DropBeforeCommit, FaultKind::StatusAfterCommit(504)] {
        for lag in [0, 90] {
            let it = It::begins().await;
            let (first, _) = active(&it, "PT50M").await;
            it.pass(minutes(8)).await;
            let (second, _) = active(&it, "PT90M").await;
            it.pass(minutes(6)).await;
            it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = lag);
            it.world.sandbox.graph.fault(Fault::once(On::Create, kind.clone()));
            revoke(&it, &second).await;
            it.until(&second, "ended").await;
            let one = it.document(&first).await;
            assert!(near(end_in_pim(&it), moment(&one, "/assignment/ends_at")), "{kind:?} {lag}");
            it.until(&first, "ended").await;
            it.ends().await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_cut_back_is_removed_when_the_other_approval_ends() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT1H").await;
    it.pass(minutes(10)).await;
    let (second, _) = active(&it, "PT90M").await;
    it.pass(minutes(6)).await;
    let message = "The following policy rules failed: [\"ExpirationRule\"]".to_owned();
    let code = "RoleAssignmentRequestPolicyValidationFailed".to_owned();
    it.world.sandbox.graph.fault(Fault {
        on: On::Create,
        kind: FaultKind::Code { status: 400, code, message },
        times: 1000,
    });
    revoke(&it, &second).await;
    let two = it.until_true(&second, "is held", |d| d["hold"]["reason"] == "cut-back-refused").await;
    assert_eq!(two["status"], "held");
    let ends_at = moment(&it.document(&first).await, "/assignment/ends_at");
    it.pass(ends_at.duration_since(it.world.clock.now()) + seconds(TOLERANCE)).await;
    assert!(!in_force(&it), "nothing of ours outlives its approval");
    it.world.sandbox.graph.clear_faults();
    it.until(&first, "ended").await;
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn where_pims_policy_does_not_let_it_last_longer_the_second_follows_the_first() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT1H").await;
    let message = "The following policy rules failed: [\"ExpirationRule\"]".to_owned();
    let code = "RoleAssignmentRequestPolicyValidationFailed".to_owned();
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::Code { status: 400, code, message }));
    let (second, _) = asked(&it, "PT80M").await;
    it.until_true(&second, "is held", |d| d["hold"]["reason"] == "cannot-extend").await;
    it.until(&first, "ended").await;
    let two = it.until(&second, "active").await;
    assert_eq!((it.creates().len(), two["assignment"].get("joined")), (2, None));
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_ticket_that_comes_while_the_first_is_unclear_waits_until_it_is_known() {
    let it = It::begins().await;
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::DropAfterCommit));
    let (one, two) = (it.approved(asking_for("PT50M")), it.approved(asking_for("PT80M")));
    let first = it.taken_in(&one).await;
    it.work().await;
    let second = it.taken_in(&two).await;
    it.work().await;
    assert!(updates(&it).is_empty());
    it.until(&first, "active").await;
    it.until(&second, "active").await;
    assert_eq!((it.creates().len(), updates(&it).len()), (1, 1));
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_ticket_that_comes_while_the_first_is_being_removed_follows_it() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    it.pass(minutes(6)).await;
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
    revoke(&it, &first).await;
    it.work().await;
    assert_eq!(it.removals().len(), 1);
    let (second, _) = asked(&it, "PT80M").await;
    it.until(&first, "ended").await;
    it.until(&second, "active").await;
    assert_eq!(it.creates().len(), 2);
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn somebody_elses_hand_in_between_is_never_touched() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    let (second, _) = active(&it, "PT80M").await;
    it.pass(minutes(6)).await;
    let graph = &it.world.sandbox.graph;
    graph.remove_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/");
    graph.add_foreign_grant(story::TENANT, story::NINA_ID, story::EXCHANGE_ADMINISTRATOR, "/", None);
    revoke(&it, &second).await;
    revoke(&it, &first).await;
    it.until(&first, "ended").await;
    it.until(&second, "ended").await;
    assert!(it.removals().is_empty());
    it.ends().await;
}

#[tokio::test]
async fn three_holders_leave_one_by_one_in_any_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let it = It::begins().await;
        let mut ids = vec![];
        for duration in ["PT100M", "PT3H", "PT140M"] {
            ids.push(active(&it, duration).await.0);
            it.pass(minutes(7)).await;
        }
        for (left, who) in order.into_iter().enumerate() {
            revoke(&it, &ids[who]).await;
            it.until(&ids[who], "ended").await;
            let mut latest = None;
            for other in &order[left + 1..] {
                let document = it.document(&ids[*other]).await;
                assert_eq!(document["status"], "active");
                latest = latest.max(Some(moment(&document, "/assignment/ends_at")));
            }
            match latest {
                Some(latest) => assert!(near(end_in_pim(&it), latest), "{order:?} after {who} left"),
                None => assert!(!in_force(&it)),
            }
        }
        assert_eq!((it.creates().len(), it.removals().len()), (1, 1));
        it.ends().await;
    }
}

async fn findings(it: &It) -> Vec<String> {
    let rows = sqlx::query_scalar("select kind from findings order by raised_at");
    rows.fetch_all(&mut it.sql().await).await.expect("findings")
}

#[tokio::test]
async fn what_was_cut_back_is_known_as_stints_own_to_every_later_comparison() {
    for keeps in [false, true] {
        let it = It::begins().await;
        it.world.sandbox.graph.set(|knobs| knobs.update_keeps_schedule = keeps);
        let (first, _) = active(&it, "PT80M").await;
        let (second, _) = active(&it, "PT3H").await;
        it.pass(minutes(6)).await;
        revoke(&it, &second).await;
        it.until(&second, "ended").await;
        it.world.sandbox.graph.purge_requests(story::TENANT);
        it.pass(minutes(35)).await;
        assert_eq!(findings(&it).await, Vec::<String>::new());
        assert_eq!(it.document(&first).await["status"], "active");
        revoke(&it, &first).await;
        it.until(&first, "ended").await;
        assert!(!in_force(&it), "it is removed although PIM no longer lists who made it");
        assert_eq!(it.removals().len(), 1);
        it.ends().await;
    }
}

#[tokio::test]
async fn a_holder_who_leaves_before_the_next_one_is_confirmed_takes_nothing_along() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT3H").await;
    it.pass(minutes(10)).await;
    it.world.sandbox.graph.set(|knobs| knobs.read_lag_seconds = 60);
    let (second, _) = asked(&it, "PT160M").await;
    it.work().await;
    revoke(&it, &first).await;
    it.until(&first, "ended").await;
    let two = it.until(&second, "active").await;
    it.pass(minutes(5)).await;
    assert!(near(end_in_pim(&it), moment(&two, "/assignment/ends_at")));
    assert_eq!(it.document(&second).await["status"], "active");
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn an_extension_that_hangs_is_cancelled_when_its_request_ends() {
    let it = It::begins().await;
    let (first, _) = active(&it, "PT50M").await;
    it.pass(minutes(6)).await;
    it.world.sandbox.graph.set(|knobs| knobs.granted_forever = true);
    let (second, _) = asked(&it, "PT80M").await;
    it.until_true(&second, "is taken by PIM", |d| d["attempts"][0]["outcome"] == "accepted").await;
    revoke(&it, &second).await;
    let two = it.until(&second, "ended").await;
    let kinds: Vec<_> = two["attempts"].as_array().expect("attempts").iter().map(|a| a["kind"].as_str()).collect();
    assert!(kinds.contains(&Some("cancel")), "{kinds:?}");
    assert!(near(end_in_pim(&it), moment(&it.document(&first).await, "/assignment/ends_at")));
    revoke(&it, &first).await;
    it.until(&first, "ended").await;
    assert_eq!(it.removals().len(), 1, "nothing pending keeps it from ending");
    it.ends().await;
}

#[tokio::test]
async fn no_end_is_moved_by_a_clock_that_differs_from_graphs() {
    for skew in [600, -600] {
        let it = It::begins().await;
        let (first, _) = active(&it, "PT80M").await;
        it.pass(minutes(10)).await;
        it.world.sandbox.graph.set(|knobs| knobs.clock_skew_seconds = skew);
        let (second, _) = asked(&it, "PT80M").await;
        it.until_true(&second, "is held", |d| d["hold"]["reason"] == "clocks-apart").await;
        assert!(updates(&it).is_empty());
        it.world.sandbox.graph.set(|knobs| knobs.clock_skew_seconds = 0);
        it.until(&second, "active").await;
        it.until(&first, "ended").await;
        it.until(&second, "ended").await;
        it.ends().await;
    }
}
