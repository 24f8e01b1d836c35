//! Who and what there is: the same in every seed.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::Timestamp;
use regex::Regex;
use stint::{
    domain::{
        approval::{Account, AccountKind, Approval, Outcome, Vote},
        assignment::{Holding, Principal},
        duration::Duration,
        entitlement::{Catalog, Entitlement},
        id::{AccountId, ApprovalId, ConnectionName, EntitlementKey, ObjectId, TenantName, TicketId, TicketNumber},
        target::{AssignmentKind, Target},
        ticket::{Basis, Field, Standing, Ticket, Window},
    },
    tickets::settings::{Common, FieldNames},
};
use uuid::Uuid;

use crate::plan::{Approver, TicketPlan};

/// Connections: name, the tenant that their tickets are for, and whether what they ask for is only tried.
pub const CONNECTIONS: [(&str, usize, bool); 4] =
    [("desk", 0, false), ("rehearsals", 0, true), ("other-desk", 1, false), (SHARED, 1, false)];

/// The connection that serves all tenants; its tickets name theirs.
const SHARED: &str = "shared-desk";

pub const TENANTS: [&str; 2] = ["contoso", "fabrikam"];

/// Entitlements: key, longest minutes, whether protected, and how many approve.
const ENTITLEMENTS: [(&str, u32, bool, u8); 3] =
    [("reader", 60, false, 1), ("admin", 30, true, 1), ("owner", 30, true, 2)];

/// The longest time that an entitlement gives.
pub fn longest(entitlement: usize) -> jiff::SignedDuration {
    jiff::SignedDuration::from_mins(i64::from(ENTITLEMENTS[entitlement].1))
}

pub fn is_protected(entitlement: usize) -> bool {
    ENTITLEMENTS[entitlement].2
}

pub fn tenant(place: usize) -> TenantName {
    TenantName::new(TENANTS[place])
}

pub fn connection(place: usize) -> ConnectionName {
    ConnectionName::new(CONNECTIONS[place].0)
}

/// The place of a tenant by its name.
pub fn tenant_place(name: &TenantName) -> Option<usize> {
    TENANTS.iter().position(|tenant| *tenant == name.as_str())
}

pub fn principal(place: usize) -> ObjectId {
    ObjectId(Uuid::from_u128(0xa000 + place as u128))
}

fn target(place: usize) -> Target {
    let keys = [("role".to_owned(), format!("role-{place}")), ("scope".to_owned(), "/".to_owned())];
    Target { kind: "directory-role".into(), assignment: AssignmentKind::Active, keys: BTreeMap::from(keys) }
}

/// What a ticket asks for.
pub fn holding(plan: &TicketPlan) -> Holding {
    Holding { principal: principal(plan.principal), target: target(plan.entitlement) }
}

pub fn catalog() -> Catalog {
    let entitlement = |place: usize| {
        let (key, minutes, protected, approvers) = ENTITLEMENTS[place];
        Entitlement {
            key: EntitlementKey::new(key),
            title: format!("The {key}"),
            target: target(place),
            min_duration: Duration::minutes(5),
            max_duration: Duration::minutes(minutes),
            approvers,
            protected,
            approver_group: None,
            requester_groups: vec![],
            allow: vec![],
            per_hour: protected.then_some(2),
            revoke_sessions: protected,
        }
    };
    let entries = (0..ENTITLEMENTS.len()).map(|place| (EntitlementKey::new(ENTITLEMENTS[place].0), entitlement(place)));
    Catalog { version: "sha256:catalog".into(), entitlements: entries.collect() }
}

/// The user whom an object id names.
pub fn user(id: ObjectId) -> Option<Principal> {
    let known = (0..2).map(principal).chain([boss()]).any(|known| known == id);
    known.then(|| Principal {
        id,
        name: format!("User {id}"),
        upn: None,
        enabled: true,
        kind: None,
        role_assignable: false,
    })
}

/// Who approves.
pub fn boss() -> ObjectId {
    ObjectId(Uuid::from_u128(0xb055))
}

/// The users to whom a mail address leads.
pub fn by_mail(mail: &str) -> Vec<ObjectId> {
    match mail {
        "boss@example.test" | "boss-again@example.test" => vec![boss()],
        "deputy@example.test" => vec![ObjectId(Uuid::from_u128(0xde9))],
        "asker@example.test" => vec![ObjectId(Uuid::from_u128(0xa5ce))],
        "clerk@example.test" => vec![ObjectId(Uuid::from_u128(0xc1e))],
        "receiver-0@example.test" => vec![principal(0)],
        "receiver-1@example.test" => vec![principal(1)],
        _ => vec![],
    }
}

fn account(id: &str) -> Account {
    Account {
        id: AccountId::new(id),
        name: Some(id.to_owned()),
        email: Some(format!("{id}@example.test")),
        kind: AccountKind::Person,
        active: Some(true),
    }
}

/// Whoever is asked to approve a ticket, and whose vote stays open.
fn voters(plan: &TicketPlan) -> Vec<(Account, bool)> {
    let yes = |id: &str| (account(id), false);
    match plan.approver {
        Approver::Boss => vec![yes("boss")],
        Approver::Two => vec![yes("boss"), yes("deputy")],
        Approver::Twice => vec![yes("boss"), yes("boss-again")],
        Approver::OneOfTwo => vec![yes("boss"), (account("deputy"), true)],
        Approver::Asker => vec![yes("asker")],
        Approver::Clerk => vec![yes("clerk")],
        Approver::Receiver => vec![yes(&format!("receiver-{}", plan.principal))],
        Approver::Robot => vec![(Account { kind: AccountKind::App, ..account("robot") }, false)],
        Approver::Stranger => vec![yes("stranger")],
    }
}

/// One round of approval.
pub fn approval(round: usize, plan: &TicketPlan, at: Timestamp, outcome: Outcome) -> Approval {
    let decided_at = (outcome != Outcome::Pending).then_some(at);
    let vote = |approver, outcome| Vote { approver: Some(approver), outcome, decided_at };
    Approval {
        id: ApprovalId::new(format!("round-{round}")),
        outcome,
        opened_at: at - jiff::SignedDuration::from_secs(1),
        decided_at,
        votes: voters(plan)
            .into_iter()
            .map(|(who, open)| vote(who, if open { Outcome::Pending } else { outcome }))
            .collect(),
        without_approver: false,
    }
}

pub fn ticket_id(place: usize) -> TicketId {
    TicketId::new(format!("{}", 10_000 + place))
}

/// A ticket as it is once approved.
pub fn ticket(place: usize, plan: &TicketPlan, began: Timestamp, approved_at: Timestamp) -> Ticket {
    let moment = |seconds: Option<i64>| seconds.map(|seconds| began + jiff::SignedDuration::from_secs(seconds));
    Ticket {
        id: ticket_id(place),
        number: TicketNumber::new(format!("SIM-{place}")),
        url: None,
        in_scope: true,
        standing: Standing::Approved,
        requester: Some(account("asker")),
        creator: Some(account("clerk")),
        entitlement: Field::Text(ENTITLEMENTS[plan.entitlement].0.into()),
        principal: Field::Text(principal(plan.principal).to_string()),
        duration: Field::Text(format!("PT{}M", plan.minutes)),
        tenant: is_shared(plan.connection).then(|| Field::Text(TENANTS[CONNECTIONS[plan.connection].1].into())),
        approvals: vec![approval(0, plan, approved_at, Outcome::Approved)],
        fields_changed_at: None,
        window: Window { start: moment(plan.starts_at), end: moment(plan.ends_at), unknown: None },
        basis: Basis::ReadBack,
        time_zone: None,
    }
}

/// Whether a connection serves several tenants.
fn is_shared(connection: usize) -> bool {
    CONNECTIONS[connection].0 == SHARED
}

/// The tenant of whatever a connection is told of; `None` where only the ticket says.
pub fn only_tenant(connection: usize) -> Option<TenantName> {
    (!is_shared(connection)).then(|| tenant(CONNECTIONS[connection].1))
}

/// What every connection has.
pub fn settings(place: usize) -> Common {
    SETTINGS[place].clone()
}

static SETTINGS: LazyLock<[Common; 4]> = LazyLock::new(|| {
    CONNECTIONS.map(|(name, tenant, dry_run)| Common {
        name: ConnectionName::new(name),
        tenants: if name == SHARED {
            TENANTS.map(TenantName::new).to_vec()
        } else {
            vec![TenantName::new(TENANTS[tenant])]
        },
        base_url: "https://desk.example.test/".parse().expect("a URL"),
        account: None,
        ticket_pattern: Regex::new("SIM-[0-9]+").expect("a pattern"),
        fields: FieldNames {
            entitlement: "entitlement".into(),
            principal: "principal".into(),
            duration: "duration".into(),
            tenant: None,
            window_start: None,
            window_end: None,
        },
        max_approval_age: Duration::hours(24),
        poll_interval: Duration::minutes(5),
        internal_notes: true,
        dry_run,
    })
});
