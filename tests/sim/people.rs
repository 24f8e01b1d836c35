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

use crate::plan::TicketPlan;

/// Connections: name, tenant, and whether what they ask for is only tried.
pub const CONNECTIONS: [(&str, usize, bool); 3] =
    [("desk", 0, false), ("rehearsals", 0, true), ("other-desk", 1, false)];

pub const TENANTS: [&str; 2] = ["contoso", "fabrikam"];

/// Entitlements: key, longest minutes, whether protected.
const ENTITLEMENTS: [(&str, u32, bool); 2] = [("reader", 60, false), ("admin", 30, true)];

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
        let (key, minutes, protected) = ENTITLEMENTS[place];
        Entitlement {
            key: EntitlementKey::new(key),
            title: format!("The {key}"),
            target: target(place),
            min_duration: Duration::minutes(5),
            max_duration: Duration::minutes(minutes),
            approvers: 1,
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
        "boss@example.test" => vec![boss()],
        "asker@example.test" => vec![ObjectId(Uuid::from_u128(0xa5ce))],
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

/// One round of approval.
pub fn approval(round: usize, self_approved: bool, at: Timestamp, outcome: Outcome) -> Approval {
    let approver = account(if self_approved { "asker" } else { "boss" });
    let decided_at = (outcome != Outcome::Pending).then_some(at);
    Approval {
        id: ApprovalId::new(format!("round-{round}")),
        outcome,
        opened_at: at - jiff::SignedDuration::from_secs(1),
        decided_at,
        votes: vec![Vote { approver: Some(approver), outcome, decided_at }],
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
        creator: Some(account("asker")),
        entitlement: Field::Text(ENTITLEMENTS[plan.entitlement].0.into()),
        principal: Field::Text(principal(plan.principal).to_string()),
        duration: Field::Text(format!("PT{}M", plan.minutes)),
        tenant: None,
        approvals: vec![approval(0, plan.self_approved, approved_at, Outcome::Approved)],
        fields_changed_at: None,
        window: Window { start: moment(plan.starts_at), end: moment(plan.ends_at), unknown: None },
        basis: Basis::ReadBack,
        time_zone: None,
    }
}

/// What every connection has.
pub fn settings(place: usize) -> Common {
    SETTINGS[place].clone()
}

static SETTINGS: LazyLock<[Common; 3]> = LazyLock::new(|| {
    CONNECTIONS.map(|(name, tenant, dry_run)| Common {
        name: ConnectionName::new(name),
        tenants: vec![TenantName::new(TENANTS[tenant])],
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
