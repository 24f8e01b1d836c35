//! Every kind of target as the stories need it: its entry in the catalog, and how others see and touch what it gives.
//!
//! A story that holds for each of them is told once, in `every_target.rs` and its neighbours.

use jiff::Timestamp;
use serde_json::Value;
use stint::{
    demo::world::Setup,
    sandbox::{
        graph::{Access, Entry, Grant, Graph, Group, Held, Level, RolePolicy, ServicePrincipal, What},
        jira::IssueDraft,
        story,
    },
};

use crate::world::{It, seconds};

/// A group that PIM knows.
pub const GROUP: &str = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";
/// An administrative unit.
const UNIT: &str = "3c5d7e91-0a2b-4c6d-8e1f-9b0a7c5d3e42";
/// An application: a single object at which a role may be given.
const OBJECT: &str = "b04f6d18-7c93-4e25-a1d0-5e8f2c7b9a63";

/// A role that no other entry of the catalog gives.
const TEAMS_ADMINISTRATOR: &str = "69091246-20e8-4a56-aa4d-066075b2a7a8";

/// PIM may end an assignment this much later than it was asked to.
pub const TOLERANCE: i64 = 60;

/// One thing that the catalog lets a ticket ask for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The catalog's key, which a ticket names.
    pub key: &'static str,
    /// The catalog's `target`.
    table: fn() -> String,
    /// The same as Graph's simulator names it.
    pub what: fn() -> What,
    /// How the paths of PIM's three lists begin.
    pub lists: &'static str,
    /// How the permissions for them begin and end.
    permissions: (&'static str, &'static str),
}

const ROLES: &str = "/v1.0/roleManagement/directory/roleAssignmentSchedule";
const ELIGIBLE_ROLES: &str = "/v1.0/roleManagement/directory/roleEligibilitySchedule";
const GROUPS: &str = "/v1.0/identityGovernance/privilegedAccess/group/assignmentSchedule";
const ELIGIBLE_GROUPS: &str = "/v1.0/identityGovernance/privilegedAccess/group/eligibilitySchedule";

/// A role in the whole tenant.
pub const ROLE: Target = Target {
    key: "a-role",
    table: || role_at("/"),
    what: || What::role(TEAMS_ADMINISTRATOR, "/"),
    lists: ROLES,
    permissions: ("RoleAssignmentSchedule", "Directory"),
};

/// The same role in an administrative unit.
pub const ROLE_IN_UNIT: Target = Target {
    key: "a-role-in-a-unit",
    table: || role_at(&unit()),
    what: || What::role(TEAMS_ADMINISTRATOR, &unit()),
    ..ROLE
};

/// The same role at one object.
pub const ROLE_AT_OBJECT: Target = Target {
    key: "a-role-at-an-object",
    table: || role_at(&format!("/{OBJECT}")),
    what: || What::role(TEAMS_ADMINISTRATOR, &format!("/{OBJECT}")),
    ..ROLE
};

/// A role that may be activated.
pub const ELIGIBLE_ROLE: Target = Target {
    key: "an-eligible-role",
    what: || What::eligible_role(TEAMS_ADMINISTRATOR, "/"),
    lists: ELIGIBLE_ROLES,
    permissions: ("RoleEligibilitySchedule", "Directory"),
    ..ROLE
};

/// Membership in a group.
pub const MEMBER: Target = Target {
    key: "a-member",
    table: || format!("{{ kind = 'group', group = '{GROUP}' }}"),
    what: || What::group(GROUP, Access::Member),
    lists: GROUPS,
    permissions: ("PrivilegedAssignmentSchedule", "AzureADGroup"),
};

/// Ownership of a group.
pub const OWNER: Target = Target {
    key: "an-owner",
    table: || format!("{{ kind = 'group', group = '{GROUP}', access = 'owner' }}"),
    what: || What::group(GROUP, Access::Owner),
    ..MEMBER
};

/// Membership that may be activated.
pub const ELIGIBLE_MEMBER: Target = Target {
    key: "an-eligible-member",
    what: || What::eligible_group(GROUP, Access::Member),
    lists: ELIGIBLE_GROUPS,
    permissions: ("PrivilegedEligibilitySchedule", "AzureADGroup"),
    ..MEMBER
};

/// All of them: the catalog of every story has them all.
const ALL: [Target; 7] = [ROLE, ROLE_IN_UNIT, ROLE_AT_OBJECT, ELIGIBLE_ROLE, MEMBER, OWNER, ELIGIBLE_MEMBER];

/// The sandbox's connections, as overrides name them.
const CONNECTIONS: [&str; 3] = ["JIRA_CLOUD", "SERVICENOW", "SERVICE_DESK"];

/// Tickets stand still in these stories, and looking at them takes time.
fn seldom_searched(connection: &str) -> (String, String) {
    (format!("STINT__CONNECTIONS__{connection}__POLL_INTERVAL"), "PT1H".into())
}

fn role_at(scope: &str) -> String {
    format!("{{ kind = 'directory-role', role = '{TEAMS_ADMINISTRATOR}', scope = '{scope}' }}")
}

fn unit() -> String {
    format!("/administrativeUnits/{UNIT}")
}

impl Target {
    /// Its entry in the catalog.
    fn entry(&self) -> String {
        let assignment = if self.is_eligible() { "eligible" } else { "active" };
        format!(
            "[entitlements.{}]\ntitle = 'Exchange: {}'\ntarget = {}\nassignment = '{assignment}'\n\
             min_duration = 'PT5M'\nmax_duration = 'PT8H'\napprovers = 1\n\n",
            self.key,
            self.key,
            (self.table)(),
        )
    }

    /// The holder may activate it, and has nothing before.
    pub fn is_eligible(&self) -> bool {
        self.lists == ELIGIBLE_ROLES || self.lists == ELIGIBLE_GROUPS
    }

    /// The world that the story asks for, with everything that its catalog names.
    pub async fn world(self, change: impl FnOnce(&mut Setup)) -> It {
        let it = It::with(|setup| {
            setup.entitlements = ALL.iter().map(Self::entry).collect();
            setup.overrides.extend(CONNECTIONS.map(seldom_searched));
            change(setup);
        })
        .await;
        let graph = it.graph();
        graph.add_group(story::TENANT, Group::security(GROUP, "Exchange operators"));
        graph.add_administrative_unit(story::TENANT, UNIT);
        graph.add_role(story::TENANT, TEAMS_ADMINISTRATOR, "Teams Administrator");
        let object = ServicePrincipal::application(OBJECT, "6f1d2c3b-8a97-4e50-b6c1-0d9e8f7a5b24", "Mail archive");
        graph.add_service_principal(story::TENANT, object);
        it
    }

    /// The usual one.
    pub async fn begins(self) -> It {
        self.world(|_| {}).await
    }

    /// A ticket that asks for it, approved.
    pub fn ticket(self, it: &It, duration: &str) -> String {
        self.ticket_for(it, story::NINA_UPN, duration)
    }

    /// The same for somebody else.
    pub fn ticket_for(self, it: &It, principal: &str, duration: &str) -> String {
        let (entitlement, principal, duration) = (self.key.into(), principal.into(), duration.into());
        it.approved(IssueDraft { entitlement, principal, duration, ..IssueDraft::default() })
    }

    /// A request for it that has just been taken in.
    pub async fn asked(self, it: &It, duration: &str) -> String {
        it.taken_in(&self.ticket(it, duration)).await
    }

    /// A request for it in force.
    pub async fn active(self, it: &It, duration: &str) -> String {
        let id = self.asked(it, duration).await;
        it.until(&id, "active").await;
        id
    }

    /// Somebody else gives it to Nina.
    pub fn given_by_others(self, it: &It, end: Option<Timestamp>) {
        it.graph().add_foreign(story::TENANT, story::NINA_ID, (self.what)(), Held::Direct, end);
    }

    /// Somebody else takes it from Nina.
    pub fn taken_by_others(self, it: &It) {
        assert!(it.graph().remove_what(story::TENANT, story::NINA_ID, &(self.what)()), "she holds it");
    }

    /// Sets its policy in PIM at this level.
    pub fn set_policy(self, it: &It, at: Level, policy: RolePolicy) {
        let graph = it.graph();
        match ((self.what)(), at) {
            (What::Group { group, access, .. }, _) => graph.set_group_policy(story::TENANT, &group, access, at, policy),
            (What::Role { role, .. }, Level::Assignment) => graph.set_policy(story::TENANT, &role, policy),
            (What::Role { role, .. }, Level::Eligibility) => graph.set_eligibility_policy(story::TENANT, &role, policy),
        }
    }

    /// The permission that such a call needs, by its verb.
    pub fn permission(self, verb: &str) -> String {
        format!("{}.{verb}.{}", self.permissions.0, self.permissions.1)
    }

    /// Whether the call was about this and Nina, on the right one of PIM's surfaces.
    pub fn is_of(self, entry: &Entry) -> bool {
        let named = match (self.what)() {
            What::Role { role, scope, .. } => (&entry.role, &entry.scope) == (&role, &scope) && entry.group.is_none(),
            What::Group { group, access, .. } => {
                (entry.group.as_ref(), entry.access) == (Some(&group), Some(access)) && entry.role.is_empty()
            }
        };
        named && entry.surface == (self.what)().surface() && entry.principal == story::NINA_ID
    }
}

impl It {
    /// The simulated Graph.
    pub fn graph(&self) -> &Graph {
        &self.world.sandbox.graph
    }

    /// Calls that asked PIM to do this, whatever came of them.
    pub fn calls_to(&self, action: &str) -> Vec<Entry> {
        let ledger = self.graph().ledger().into_iter();
        ledger.filter(|entry| entry.action.eq_ignore_ascii_case(action)).collect()
    }

    /// Every new end that Entra took.
    pub fn updates(&self) -> Vec<Entry> {
        self.calls_to("adminUpdate").into_iter().filter(|entry| entry.committed).collect()
    }

    /// What stint has given and is in force by PIM's own word.
    pub fn given(&self) -> Vec<Grant> {
        self.graph().active_grants(story::TENANT).into_iter().filter(|grant| !grant.foreign).collect()
    }

    /// When the one assignment in force ends by PIM's own word.
    pub fn end_in_pim(&self) -> Timestamp {
        let given = self.given();
        assert_eq!(given.len(), 1, "one assignment is in force: {given:?}");
        given[0].end.expect("an end")
    }

    /// The kinds of the findings that nobody has cleared.
    pub async fn findings(&self) -> Vec<String> {
        let kinds = sqlx::query_scalar("select kind from findings where cleared_at is null order by kind");
        kinds.fetch_all(&mut self.sql().await).await.expect("findings")
    }
}

/// A moment of a request's document.
pub fn moment(document: &Value, path: &str) -> Timestamp {
    let text = document.pointer(path).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{path} in {document:#}")).parse().expect("a moment")
}

/// As near as PIM keeps to an end.
pub fn near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= seconds(TOLERANCE)
}

/// The codes of every reason for which a request was refused.
pub fn reasons(document: &Value) -> Vec<&str> {
    let reasons = document["decision"]["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code")).collect()
}
