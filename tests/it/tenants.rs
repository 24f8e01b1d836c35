//! Many tenants: what one refuses or throttles is met once, told once, and touches no other.

use std::collections::BTreeSet;

use sqlx::Row as _;
use stint::{
    demo::world::Setup,
    sandbox::{
        Ports, Retry,
        graph::{Fault, FaultKind, On, User},
        jira::IssueDraft,
        story,
    },
    store::{Lease, Room, Store},
};
use uuid::{Uuid, uuid};

use crate::{
    systems::{Happened, Person, Standard, System, Wish},
    tried::{attempts, pim_reads, revoke},
    world::{It, free_port, minutes, never_gives_up, seconds},
};

const FABRIKAM: Uuid = uuid!("4c1d7e20-8f3a-4b69-9d05-2e7a6c5b1f38");
const FABRIKAM_CLIENT: &str = "b80f3a6d-2c57-4e91-8a34-7d1e9c0b5f26";
const LISTS: [On; 3] = [On::ReadRequests, On::ReadSchedules, On::ReadInstances];

/// A world in which the desk's tickets are about a second tenant.
pub async fn two_tenants(in_flight: u32) -> It {
    two_tenants_with(|setup| setup.surroundings.pace.in_flight = in_flight).await
}

/// The same, set up otherwise.
async fn two_tenants_with(change: impl FnOnce(&mut Setup)) -> It {
    let ports = Ports { entra: free_port(), graph: free_port(), ..Ports::default() };
    let it = It::with(|setup| {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let set = |key: &str, value: &str| (format!("STINT__{key}"), value.to_owned());
        setup.ports = ports;
        change(setup);
        setup.overrides.extend([
            set("TENANTS__FABRIKAM__TENANT_ID", &FABRIKAM.to_string()),
            set("TENANTS__FABRIKAM__CLIENT_ID", FABRIKAM_CLIENT),
            set("TENANTS__FABRIKAM__CREDENTIAL__KIND", "secret"),
            set("TENANTS__FABRIKAM__CREDENTIAL__SECRET", story::SNOW_OAUTH_SECRET),
            set("TENANTS__FABRIKAM__CATALOG", "sandbox-catalog.toml"),
            set("TENANTS__FABRIKAM__LOGIN_URL", &url(ports.entra)),
            set("TENANTS__FABRIKAM__GRAPH_URL", &url(ports.graph)),
            set("CONNECTIONS__SERVICE_DESK__TENANTS", r#"["fabrikam"]"#),
        ]);
    })
    .await;
    let sandbox = &it.world.sandbox;
    sandbox.entra.register_app(FABRIKAM, FABRIKAM_CLIENT, Some(story::SNOW_OAUTH_SECRET), None);
    sandbox.graph.add_role(FABRIKAM, story::EXCHANGE_ADMINISTRATOR, "Exchange Administrator");
    Standard::prepare(&it);
    it
}

/// So many people in a tenant, by their sign-in names.
fn people(it: &It, tenant: Uuid, count: usize) -> Vec<String> {
    let person = |n: usize| {
        let upn = format!("person{n}@{}.example", if tenant == FABRIKAM { "fabrikam" } else { "contoso" });
        it.world.sandbox.graph.add_user(tenant, User::member(&Uuid::new_v4().to_string(), &upn, "Somebody"));
        upn
    };
    (0..count).map(person).collect()
}

/// One request in Jira's tenant for each of so many people, all approved at the same time.
async fn requests(it: &It, count: usize) -> Vec<String> {
    let jira = &it.world.sandbox.jira;
    let file = |principal: String| {
        let ticket = jira.create_issue(IssueDraft { principal, duration: "PT8H".into(), ..IssueDraft::default() });
        jira.request_approvals(&ticket.id, &[story::OMAR_ACCOUNT], 1);
        ticket.id
    };
    let tickets: Vec<_> = people(it, story::TENANT, count).into_iter().map(file).collect();
    it.world.clock.advance(minutes(18));
    let mut ids = vec![];
    for ticket in tickets {
        jira.approve(&ticket, story::OMAR_ACCOUNT);
        ids.push(it.taken_in(&ticket).await);
    }
    ids
}

/// The same in the second tenant, by the desk.
async fn requests_of_fabrikam(it: &It, count: usize) -> Vec<String> {
    let mut ids = vec![];
    for principal in people(it, FABRIKAM, count) {
        let ticket = Standard::file(it, &Wish { principal, duration: "PT8H".into(), ..Wish::default() });
        Standard::ask(it, &ticket, &[Person::Omar]);
        it.world.clock.advance(minutes(1));
        Standard::approve(it, &ticket, Person::Omar);
        let seen = it.post_to("service-desk", &Standard::webhook(it, &ticket, Happened::Approved)).await;
        assert_eq!(seen.status, 202, "{}", seen.body);
        ids.push(seen.body["request_id"].as_str().expect("a request id").to_owned());
    }
    ids
}

async fn all_are(it: &It, ids: &[String], status: &str, reason: Option<&str>) {
    for id in ids {
        let document = it.document(id).await;
        assert_eq!((document["status"].as_str(), document["hold"]["reason"].as_str()), (Some(status), reason), "{id}");
    }
}

/// What refuses tenants: which, of what kind, and whether it is over. That their comparison waits for it is told as well.
async fn findings(it: &It) -> Vec<(String, String, bool)> {
    let rows = sqlx::query(
        "select tenant, kind, cleared_at is not null from findings where request_id is null and kind like 'graph-%' order by id",
    );
    let rows = rows.fetch_all(&mut it.sql().await).await.expect("findings");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn told(it: &It, event: &str) -> i64 {
    let count = sqlx::query_scalar(
        "select count(*) from audit_events join audit_details on event_id = id \
         where event = $1 and tenant = 'contoso' and detail::text like '%graph-%'",
    );
    count.bind(event).fetch_one(&mut it.sql().await).await.expect("a count")
}

fn finding(tenant: &str, kind: &str, over: bool) -> Vec<(String, String, bool)> {
    vec![(tenant.to_owned(), kind.to_owned(), over)]
}

fn creates_sent(it: &It) -> usize {
    it.world.sandbox.graph.ledger().iter().filter(|entry| entry.action.eq_ignore_ascii_case("adminAssign")).count()
}

fn refuse(it: &It, tenant: Uuid, on: &[On], (status, code): (u16, &str)) {
    for on in on {
        let kind = FaultKind::WrappedCode { status, code: code.into(), message: "refused".into() };
        it.world.sandbox.graph.fault_in(tenant, Fault { on: *on, kind, times: 100_000 });
    }
}

#[tokio::test]
async fn a_missing_licence_is_one_finding_and_a_call_now_and_then_and_mends_itself() {
    let it = It::begins().await;
    refuse(&it, story::TENANT, &[&LISTS[..], &[On::Create]].concat(), (400, "AadPremiumLicenseRequired"));
    let ids = requests(&it, 6).await;
    it.pass(minutes(60)).await;
    all_are(&it, &ids, "held", Some("graph-licence")).await;
    assert_eq!(findings(&it).await, finding("contoso", "graph-licence", false));
    let calls = pim_reads(&it);
    assert!(calls <= 4 + 13, "{calls} calls in an hour");
    assert_eq!(creates_sent(&it), 0);

    it.world.sandbox.graph.clear_faults_in(story::TENANT);
    it.pass(minutes(7)).await;
    all_are(&it, &ids, "active", None).await;
    assert_eq!(findings(&it).await, finding("contoso", "graph-licence", true));
    assert_eq!((told(&it, "finding-raised").await, told(&it, "finding-cleared").await), (1, 1));
    for id in ids {
        it.until(&id, "ended").await;
    }
    it.ends().await;
}

#[tokio::test]
async fn a_missing_permission_to_assign_keeps_nothing_from_ending() {
    let it = It::begins().await;
    let first = requests(&it, 1).await.remove(0);
    it.until(&first, "active").await;
    it.pass(minutes(6)).await;
    refuse(&it, story::TENANT, &[On::Create], (403, "PermissionScopeNotGranted"));
    let ids = requests(&it, 4).await;
    it.pass(minutes(60)).await;
    all_are(&it, &ids, "held", Some("graph-permission")).await;
    assert_eq!(findings(&it).await, finding("contoso", "graph-permission", false));
    let sent = creates_sent(&it);
    assert!(sent <= 1 + 2 + 13, "{sent} calls in an hour");
    for id in &ids {
        assert!(attempts(&it, id).await <= 14, "an attempt for each look");
    }
    revoke(&it, &first).await;
    it.work().await;
    assert_eq!(it.removals().len(), 1, "a removal needs another permission");
    it.until(&first, "ended").await;

    it.world.sandbox.graph.clear_faults_in(story::TENANT);
    it.pass(minutes(7)).await;
    all_are(&it, &ids, "active", None).await;
    assert_eq!(findings(&it).await, finding("contoso", "graph-permission", true));
}

#[tokio::test]
async fn a_directory_that_refuses_to_be_read_stops_no_end() {
    for (status, code, told) in [(403, "Authorization_RequestDenied", true), (403, "SomethingNew", false)] {
        let it = It::begins().await;
        let first = requests(&it, 1).await.remove(0);
        it.until(&first, "active").await;
        it.pass(minutes(6)).await;
        refuse(&it, story::TENANT, &[On::ReadUsers], (status, code));
        let second = it.taken_in(&it.approved(IssueDraft::default())).await;
        it.work().await;
        all_are(&it, &[second], "held", Some("graph-permission")).await;
        let finding = if told { finding("contoso", "graph-permission", false) } else { vec![] };
        assert_eq!(findings(&it).await, finding);
        revoke(&it, &first).await;
        it.work().await;
        assert_eq!(it.removals().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn what_only_decisions_are_made_from_may_be_hidden_and_everything_still_ends() {
    let it = It::begins().await;
    let first = requests(&it, 1).await.remove(0);
    it.until(&first, "active").await;
    it.pass(minutes(6)).await;
    refuse(&it, story::TENANT, &[On::ReadRoles, On::ReadPolicies], (403, "PermissionScopeNotGranted"));
    let second = it.taken_in(&it.approved(IssueDraft::default())).await;
    it.work().await;
    all_are(&it, &[second], "held", Some("graph-permission")).await;
    revoke(&it, &first).await;
    it.work().await;
    assert_eq!(it.removals().len(), 1);
    it.until(&first, "ended").await;
}

#[tokio::test]
async fn a_refused_credential_stops_everything_of_its_tenant_and_nothing_of_another() {
    let it = two_tenants(32).await;
    let (entra, graph) = (&it.world.sandbox.entra, &it.world.sandbox.graph);
    entra.set_secret(story::TENANT, story::CLIENT_ID, "another-secret-than-stint-has");
    let ids = requests(&it, 5).await;
    let others = requests_of_fabrikam(&it, 2).await;
    it.pass(minutes(60)).await;
    all_are(&it, &ids, "held", Some("graph-credential")).await;
    all_are(&it, &others, "active", None).await;
    assert_eq!(findings(&it).await, finding("contoso", "graph-credential", false));

    entra.set_secret(story::TENANT, story::CLIENT_ID, story::CLIENT_SECRET);
    it.pass(minutes(7)).await;
    all_are(&it, &ids, "active", None).await;
    assert_eq!(findings(&it).await, finding("contoso", "graph-credential", true));

    // A token that Graph refuses, and no fresh one mends it.
    let kind = FaultKind::Status(401);
    graph.fault_in(story::TENANT, Fault { on: On::Any, kind, times: 100_000 });
    let ids = requests(&it, 3).await;
    let before = graph.calls().iter().filter(|call| call.status == 401).count();
    it.pass(minutes(60)).await;
    all_are(&it, &ids, "held", Some("graph-credential")).await;
    let calls = graph.calls().iter().filter(|call| call.status == 401).count() - before;
    assert!(calls <= 2 * (4 + 13), "{calls} calls in an hour");
    assert_eq!(findings(&it).await.iter().filter(|(.., over)| !over).count(), 1);
}

#[tokio::test]
async fn a_backlog_drains_as_fast_as_a_throttling_graph_answers() {
    let it = It::begins().await;
    let graph = &it.world.sandbox.graph;
    for (on, retry, times) in [
        (On::Create, Retry::Seconds(7), 3),
        (On::Create, Retry::HttpDate(20), 2),
        (On::Create, Retry::Zero, 2),
        (On::Create, Retry::Absent, 4),
        (On::ReadInstances, Retry::Seconds(5), 3),
        (On::ReadSchedules, Retry::Absent, 3),
        (On::ReadUsers, Retry::Seconds(3), 3),
    ] {
        graph.fault(Fault { on, kind: FaultKind::Throttle(retry), times });
    }
    let ids = requests(&it, 60).await;
    it.pass(minutes(6)).await;
    all_are(&it, &ids, "active", None).await;
    assert_eq!((it.creates().len(), graph.faults_waiting()), (60, 0));
    let calls = graph.calls();
    let throttled: Vec<_> = calls.iter().filter(|call| call.status == 429 && call.method == "POST").collect();
    let creates = calls.iter().filter(|call| call.method == "POST" && call.path.ends_with("ScheduleRequests"));
    for call in creates {
        let early = |pause: &&&stint::sandbox::Call| pause.at < call.at && call.at < pause.at + seconds(1);
        assert_eq!(throttled.iter().find(early), None, "{call:?} in a pause");
    }
    assert_eq!(creates_sent(&it), 60 + throttled.len());
    assert!(calls.len() < 60 * 50, "{} calls for 60 requests", calls.len());
}

#[tokio::test]
async fn a_dead_tenant_keeps_neither_grants_nor_ends_of_another_waiting() {
    let it = two_tenants_with(|setup| {
        setup.surroundings.pace.in_flight = 8;
        never_gives_up(setup);
    })
    .await;
    let dead = requests_of_fabrikam(&it, 6).await;
    let alive = requests(&it, 1).await.remove(0);
    it.until(&alive, "active").await;
    it.pass(minutes(10)).await;
    all_are(&it, &dead, "active", None).await;
    let graph = &it.world.sandbox.graph;
    graph.fault_in(FABRIKAM, Fault { on: On::Any, kind: FaultKind::StallBeforeCommit, times: 100_000 });
    for id in &dead {
        revoke(&it, id).await;
    }
    requests_of_fabrikam(&it, 6).await;
    it.world.clock.advance(seconds(1));
    revoke(&it, &alive).await;
    let before = it.creates().len();
    requests(&it, 1).await;
    // Nobody gives up on the dead one, so whoever waited for it would wait for ever.
    it.works_until("one is removed and another assigned", |it| it.removals().len() == 1 && it.creates().len() > before)
        .await;
}

#[tokio::test]
async fn a_tenant_takes_no_more_places_than_its_share_for_ends_or_for_anything_else() {
    let it = It::begins().await;
    let ids = requests(&it, 10).await;
    let mut sql = it.sql().await;
    for (id, tenant, ends) in [(4, "other", false), (8, "other", true), (5, "contoso", true), (6, "contoso", true)] {
        let change =
            "update requests set tenant = $2, end_requested = case when $3 then '{}'::jsonb end where id = $1::uuid";
        let change = sqlx::query(change).bind(&ids[id]).bind(tenant).bind(ends);
        change.execute(&mut sql).await.expect("changed");
    }
    // Of what is due at the same moment any may come first.
    for (place, id) in (1..).zip(&ids) {
        let in_turn =
            "update requests set due_at = due_at - interval '1 minute' + $2 * interval '1 second' where id = $1::uuid";
        sqlx::query(in_turn).bind(id).bind(f64::from(place)).execute(&mut sql).await.expect("changed");
    }
    let now = it.world.clock.now();
    let room = Room { ends: 8, others: 8, per_connection: 8, per_tenant: 1 };
    let store = &it.world.service.store;
    let leases = store.lease_due(now, now + seconds(120), room).await.expect("leases");
    let mut taken: Vec<_> = leases.iter().map(|lease| (lease.request().to_string(), lease.is_end())).collect();
    let mut expected = vec![(&ids[0], false), (&ids[4], false), (&ids[5], true), (&ids[8], true)];
    expected.sort();
    taken.sort();
    assert_eq!(taken.iter().map(|(id, end)| (id, *end)).collect::<Vec<_>>(), expected);
    let more = store.lease_due(now, now + seconds(120), room).await.expect("leases");
    assert_eq!(more.len(), 0, "what is in work counts");
    let another = Store::open(&it.database_url, 1).expect("a store");
    let theirs = another.lease_due(now, now + seconds(120), room).await.expect("leases");
    let both = |leases: &[Lease]| leases.iter().map(Lease::is_end).collect::<BTreeSet<_>>().len() == 2;
    assert!(theirs.len() == 2 && both(&theirs), "another worker has shares of its own: {theirs:?}");
    drop(leases);
    let more = store.lease_due(now, now + seconds(120), room).await.expect("leases");
    assert!(!more.is_empty(), "what is dropped takes no place");
    assert!(more.iter().all(|lease| theirs.iter().all(|other| other.request() != lease.request())));
}

#[tokio::test]
async fn nothing_of_one_tenant_is_ever_sent_as_another() {
    let it = two_tenants(32).await;
    let theirs = requests_of_fabrikam(&it, 3).await;
    let ours = requests(&it, 3).await;
    it.pass(minutes(10)).await;
    all_are(&it, &[&theirs[..], &ours[..]].concat(), "active", None).await;
    for id in [&theirs[0], &ours[0]] {
        revoke(&it, id).await;
        it.until(id, "ended").await;
    }
    let ledger = it.world.sandbox.graph.ledger();
    assert_eq!(ledger.len(), 8);
    for entry in ledger {
        let (client, system) =
            if entry.tenant == FABRIKAM { (FABRIKAM_CLIENT, "service-desk") } else { (story::CLIENT_ID, "jira-cloud") };
        assert_eq!(entry.client_id, client, "{entry:?}");
        assert!(entry.committed && entry.ticket_system.as_deref().is_none_or(|named| named == system), "{entry:?}");
    }
    let refused = it.world.sandbox.graph.calls().into_iter().find(|call| matches!(call.status, 401 | 403));
    assert_eq!(refused, None);
}
