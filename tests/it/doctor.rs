//! `stint doctor`, started as an operator starts it: all is well, or each fault is named with what to do about it.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use stint::{
    clock::Clock,
    config,
    domain::proof::SigningKey,
    sandbox::{
        Postgres, PostgresOptions, Sandbox,
        graph::{Fault, FaultKind, Group, On, RolePolicy, ServicePrincipal},
        story,
    },
};
use tempfile::TempDir;
use tokio::{process::Command, sync::OnceCell};

use crate::{
    credentials::REMOVERS_SECRET,
    world::{SECRETS, database},
};

/// A database that keeps what it was told, with stint's schema.
static DURABLE: OnceCell<(Postgres, String)> = OnceCell::const_new();

const GROUP: &str = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";
const REMOVER: &str = "b7d3a9f0-6c21-4e58-9a04-d1f82c6e5b37";
const REMOVE: &str = "RoleAssignmentSchedule.Remove.Directory";
const NOBODY: &str = "00000000-0000-4000-8000-000000000077";

/// What this catalog needs, and what lets the doctor see it.
const PERMISSIONS: [&str; 4] = [
    "RoleAssignmentSchedule.ReadWrite.Directory",
    "RoleManagement.Read.Directory",
    "User.Read.All",
    "Application.Read.All",
];

/// Simulators, and a configuration that names them.
struct Practice {
    sandbox: Sandbox,
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What the command said, and how it ended.
struct Told {
    code: Option<i32>,
    text: String,
}

impl Practice {
    /// Everything in order.
    async fn opens() -> Self {
        let mut practice = Self::without_schema(String::new()).await;
        let (_, url) = DURABLE.get_or_init(durable).await;
        practice.over("DATABASE__URL", url);
        practice
    }

    async fn without_schema(database_url: String) -> Self {
        let clock = Clock::system();
        let sandbox = Sandbox::start(Arc::new(move || clock.now())).await.expect("simulators");
        sandbox.seed_story();
        let application = ServicePrincipal::application(NOBODY, story::CLIENT_ID, "stint");
        sandbox.graph.add_service_principal(story::TENANT, application);
        sandbox.graph.set_permissions(story::TENANT, story::CLIENT_ID, &PERMISSIONS);
        let folder = tempfile::tempdir().expect("a folder");
        let mut practice = Self { sandbox, folder, variables: vec![] };
        practice.write_files();
        let key = SigningKey::text_of("stint.contoso.example", &[7; 32]).expect("a key");
        practice.over("AUDIT__SIGNING_KEY", &key);
        practice.over("DATABASE__URL", &database_url);
        practice.point_to_simulators();
        practice
    }

    fn write_files(&self) {
        std::fs::create_dir(self.folder.path().join("sandbox-secrets")).expect("a folder");
        self.write("sandbox.toml", config::SANDBOX);
        self.write("sandbox-catalog.toml", config::SANDBOX_CATALOG);
        for (name, secret) in [
            ("entra-client-secret", story::CLIENT_SECRET),
            ("jira-api-token", story::JIRA_TOKEN),
            ("jira-webhook", story::WEBHOOK_SECRET),
            ("servicenow-password", story::SNOW_PASSWORD),
            ("servicenow-webhook", story::SNOW_WEBHOOK_SECRET),
            ("desk-token", story::DESK_TOKEN),
            ("desk-webhook", story::DESK_WEBHOOK_SECRET),
        ] {
            self.write(&format!("sandbox-secrets/{name}"), secret);
        }
    }

    fn point_to_simulators(&mut self) {
        let urls = [
            ("API__LOGIN_URL", self.sandbox.entra.url()),
            ("TENANTS__CONTOSO__LOGIN_URL", self.sandbox.entra.url()),
            ("TENANTS__CONTOSO__GRAPH_URL", self.sandbox.graph.url()),
            ("CONNECTIONS__JIRA_CLOUD__BASE_URL", self.sandbox.jira.url()),
            ("CONNECTIONS__SERVICENOW__BASE_URL", self.sandbox.servicenow.url()),
            ("CONNECTIONS__SERVICE_DESK__BASE_URL", self.sandbox.desk.url()),
        ];
        for (key, url) in urls {
            self.over(key, &url);
        }
    }

    fn over(&mut self, key: &str, value: &str) {
        self.variables.push((format!("STINT__{key}"), value.to_owned()));
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// Adds to an entry of the catalog.
    fn catalog(&self, after: &str, line: &str) {
        let text = config::SANDBOX_CATALOG.replacen(after, &format!("{after}\n{line}"), 1);
        assert_ne!(text, config::SANDBOX_CATALOG);
        self.write("sandbox-catalog.toml", &text);
    }

    async fn run(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("sandbox.toml"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("stint runs");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        for secret in SECRETS {
            assert!(!text.contains(secret), "a secret is shown");
        }
        Told { code: output.status.code(), text }
    }

    async fn lines(&self) -> (Option<i32>, Vec<Value>) {
        let told = self.run(&["doctor", "--json"]).await;
        let lines = serde_json::from_str(&told.text).unwrap_or_else(|error| panic!("{error}: {}", told.text));
        (told.code, lines)
    }
}

async fn durable() -> (Postgres, String) {
    let start = || {
        let guard = Some(PathBuf::from(env!("CARGO_BIN_EXE_stint")));
        Postgres::start_with(PostgresOptions { guard, fsync: true, ..PostgresOptions::default() }).expect("a Postgres")
    };
    let postgres = tokio::task::spawn_blocking(start).await.expect("a Postgres");
    postgres.create_database("practice").await.expect("a database");
    let url = postgres.url("practice");
    let migrated = Practice::without_schema(url.clone()).await.run(&["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.text);
    (postgres, url)
}

/// One fault: what is broken, and which line must say so.
struct Broken {
    breaks: fn(&mut Practice),
    about: (&'static str, &'static str),
    check: &'static str,
    says: &'static str,
}

fn policy(maximum: &str, enabled: &str) -> RolePolicy {
    RolePolicy { maximum_duration: maximum.into(), expiration_required: true, enabled_rules: vec![enabled.into()] }
}

fn set_policy(practice: &mut Practice, policy: RolePolicy) {
    practice.sandbox.graph.set_policy(story::TENANT, story::EXCHANGE_ADMINISTRATOR, policy);
}

const TENANT: (&str, &str) = ("tenant", "contoso");
const EXCHANGE: (&str, &str) = ("entitlement", "exchange-admin");
const APPROVERS: &str = "approvers = 1";

/// A group in the catalog instead of the Exchange role.
fn give_group(practice: &mut Practice, change: impl FnOnce(&mut Group)) {
    let mut group = Group::security(GROUP, "Exchange admins");
    change(&mut group);
    practice.sandbox.graph.add_group(story::TENANT, group);
    let role = r#"target = { kind = "directory-role", role = "29232cdf-9323-42fd-ade2-1d097af3e4de", scope = "/" }"#;
    let target = format!(r#"target = {{ kind = "group", group = "{GROUP}" }}"#);
    practice.write("sandbox-catalog.toml", &config::SANDBOX_CATALOG.replacen(role, &target, 1));
    consent(practice, &[]);
}

/// Permissions for groups, and these.
fn consent(practice: &Practice, more: &[&str]) {
    let groups = [
        "GroupMember.Read.All",
        "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
        "RoleManagementPolicy.Read.AzureADGroup",
    ];
    let all = [&PERMISSIONS[..], &groups, more].concat();
    practice.sandbox.graph.set_permissions(story::TENANT, story::CLIENT_ID, &all);
}

/// Changes the catalog's first entry so that it needs groups.
fn ask_for_group(practice: &mut Practice, line: &str) {
    practice.catalog(APPROVERS, line);
    consent(practice, &[]);
}

/// The Exchange role in an administrative unit that nobody has added.
fn scope_to_unit(practice: &mut Practice) {
    let role = r#"29232cdf-9323-42fd-ade2-1d097af3e4de", scope = "/""#;
    let text =
        config::SANDBOX_CATALOG.replacen(role, &role.replace("\"/", &format!("\"/administrativeUnits/{NOBODY}")), 1);
    assert_ne!(text, config::SANDBOX_CATALOG);
    practice.write("sandbox-catalog.toml", &text);
    consent(practice, &["AdministrativeUnit.Read.All"]);
}

/// A second application for removals, which Entra knows by this secret and consents to these permissions of.
fn set_remover(practice: &mut Practice, known_secret: &str, permissions: &[&str]) {
    practice.write("sandbox-secrets/entra-remover-secret", REMOVERS_SECRET);
    let table = "kind = 'secret', secret_file = 'sandbox-secrets/entra-remover-secret'";
    practice.over("TENANTS__CONTOSO__REMOVER", &format!("{{ client_id = '{REMOVER}', {table} }}"));
    let Sandbox { entra, graph, .. } = &practice.sandbox;
    entra.register_app(story::TENANT, REMOVER, Some(known_secret), None);
    graph.add_service_principal(story::TENANT, ServicePrincipal::application(GROUP, REMOVER, "stint remover"));
    graph.set_permissions(story::TENANT, REMOVER, permissions);
}

const BROKEN: [Broken; 20] = [
    Broken {
        breaks: |p| give_group(p, |group| group.role_assignable = true),
        about: EXCHANGE,
        check: "protected",
        says: "protected = true",
    },
    Broken {
        breaks: |p| p.write("sandbox-secrets/entra-client-secret", "another-secret-than-entra-knows-01"),
        about: TENANT,
        check: "token",
        says: "credential",
    },
    Broken {
        breaks: |p| p.sandbox.graph.set(|knobs| knobs.clock_skew_seconds = 400),
        about: TENANT,
        check: "clock",
        says: "NTP",
    },
    Broken {
        breaks: |p| p.sandbox.graph.set_permissions(story::TENANT, story::CLIENT_ID, &PERMISSIONS[1..]),
        about: TENANT,
        check: "permissions",
        says: "lacks RoleAssignmentSchedule.ReadWrite.Directory",
    },
    Broken {
        // The list of permissions is not shown, so that a harmless read has to tell.
        breaks: |p| p.sandbox.graph.set_permissions(story::TENANT, story::CLIENT_ID, &PERMISSIONS[1..3]),
        about: EXCHANGE,
        check: "assignable",
        says: "consent",
    },
    Broken {
        breaks: |p| p.sandbox.graph.set_licensed(story::TENANT, false),
        about: TENANT,
        check: "licence",
        says: "PIM needs",
    },
    Broken {
        breaks: |p| set_policy(p, policy("P15D", "MultiFactorAuthentication")),
        about: EXCHANGE,
        check: "pim-policy",
        says: "Enablement_Admin_Assignment",
    },
    Broken {
        breaks: |p| set_policy(p, policy("PT4H", "Justification")),
        about: EXCHANGE,
        check: "pim-policy",
        says: "at most PT4H",
    },
    Broken {
        breaks: |p| set_policy(p, policy("PT0S", "Justification")),
        about: EXCHANGE,
        check: "pim-policy",
        says: "pim-duration-none",
    },
    Broken {
        breaks: |p| {
            let other = config::SANDBOX_CATALOG.replacen(story::EXCHANGE_ADMINISTRATOR, NOBODY, 1);
            p.write("sandbox-catalog.toml", &other);
        },
        about: EXCHANGE,
        check: "target",
        says: "no role 00000000-0000-4000-8000-000000000077",
    },
    Broken {
        breaks: scope_to_unit,
        about: EXCHANGE,
        check: "target",
        says: "the tenant has no administrative unit 00000000-0000-4000-8000-000000000077",
    },
    Broken {
        breaks: |p| set_remover(p, "another-secret-than-the-remover-has-1", &[REMOVE]),
        about: TENANT,
        check: "remover-token",
        says: "(remover b7d3a9f0-6c21-4e58-9a04-d1f82c6e5b37)",
    },
    Broken {
        breaks: |p| set_remover(p, REMOVERS_SECRET, &["User.Read.All"]),
        about: TENANT,
        check: "remover-permissions",
        says: "remover b7d3a9f0-6c21-4e58-9a04-d1f82c6e5b37: lacks RoleAssignmentSchedule.Remove.Directory",
    },
    Broken {
        breaks: |p| give_group(p, |group| group.dynamic = true),
        about: EXCHANGE,
        check: "target",
        says: "a rule decides",
    },
    Broken {
        breaks: |p| give_group(p, |group| group.on_premises = true),
        about: EXCHANGE,
        check: "target",
        says: "on-premises",
    },
    Broken {
        breaks: |p| ask_for_group(p, &format!("approver_group = \"{NOBODY}\"")),
        about: EXCHANGE,
        check: "approver-group",
        says: "correct it in the catalog",
    },
    Broken {
        breaks: |p| ask_for_group(p, &format!("requesters = {{ any_of_groups = [\"{NOBODY}\"] }}")),
        about: EXCHANGE,
        check: "requester-groups",
        says: "correct it in the catalog",
    },
    Broken {
        breaks: |p| p.write("sandbox-secrets/jira-api-token", "another-token-than-jira-knows"),
        about: ("connection", "jira-cloud"),
        check: "credential",
        says: "auth",
    },
    Broken {
        breaks: |p| p.write("sandbox-secrets/jira-webhook", &"weak".repeat(8)),
        about: ("connection", "jira-cloud"),
        check: "webhook-secret",
        says: "repeats",
    },
    Broken {
        breaks: |p| p.sandbox.graph.fault(Fault { on: On::ReadPolicies, kind: FaultKind::Html(502), times: 100 }),
        about: EXCHANGE,
        check: "pim-policy",
        says: "not available",
    },
];

#[tokio::test]
async fn where_all_is_well_the_doctor_says_so_and_changes_nothing() {
    let practice = Practice::opens().await;
    let told = practice.run(&["doctor"]).await;
    assert_eq!(told.code, Some(0), "{}", told.text);
    for section in ["database", "tenant contoso", "tenant contoso, entitlement global-admin", "connection servicenow"] {
        assert!(told.text.lines().any(|line| line == section), "{}", told.text);
    }
    assert!(told.text.contains("Global Administrator is a tier-0 role, and is protected"), "{}", told.text);
    assert!(told.text.contains("carries what this configuration needs, and no more"), "{}", told.text);
    assert!(!told.text.contains("FAIL"), "{}", told.text);
    assert!(practice.sandbox.graph.ledger().is_empty());
    let (code, lines) = practice.lines().await;
    assert_eq!(code, Some(0));
    let told: Vec<_> = lines.iter().filter(|line| line["outcome"] != "ok").collect();
    assert!(told.iter().all(|line| line["check"] == "rights"), "only the test's owner role: {told:?}");
}

#[tokio::test]
async fn a_list_of_permissions_that_is_not_shown_is_told_and_fails_nothing() {
    let mut practice = Practice::opens().await;
    practice.sandbox.graph.set_permissions(story::TENANT, story::CLIENT_ID, &PERMISSIONS[..3]);
    practice.over("TENANTS__CONTOSO__NEVER", &format!("[\"{}\"]", story::OMAR_ID));
    practice.over("TENANTS__CONTOSO__SERVICE_PRINCIPAL_ID", NOBODY);
    let (code, lines) = practice.lines().await;
    assert_eq!(code, Some(0), "{lines:#?}");
    let told: Vec<_> =
        lines.iter().filter(|line| line["outcome"] == "warn" && line["check"] == "permissions").collect();
    let [line] = told[..] else { panic!("one warning: {lines:#?}") };
    assert!(line["detail"].as_str().is_some_and(|detail| detail.contains("Application.Read.All")), "{line:#?}");
    let graph = lines.iter().filter(|line| line["tenant"] == "contoso" && line["outcome"] != "ok").count();
    assert_eq!(graph, 1, "{lines:#?}");
}

#[tokio::test]
async fn the_service_principal_that_is_named_is_the_one_that_is_asked_about() {
    let mut practice = Practice::opens().await;
    practice.over("TENANTS__CONTOSO__SERVICE_PRINCIPAL_ID", NOBODY);
    assert_eq!(practice.lines().await.0, Some(0));
    let asked = |path: &str| practice.sandbox.graph.calls().iter().filter(|call| call.path.contains(path)).count();
    assert_eq!(asked(&format!("/servicePrincipals/{NOBODY}/appRoleAssignments")), 1);
    assert_eq!(asked("appId="), 0);
}

#[tokio::test]
async fn each_fault_fails_the_command_and_is_named_with_what_to_do() {
    for broken in BROKEN {
        let mut practice = Practice::opens().await;
        (broken.breaks)(&mut practice);
        let (code, lines) = practice.lines().await;
        let (key, name) = broken.about;
        let says = |line: &&Value| {
            line["outcome"] == "fail"
                && line["check"] == broken.check
                && line[key] == name
                && line["detail"].as_str().is_some_and(|detail| detail.contains(broken.says))
        };
        assert!(lines.iter().any(|line| says(&line)), "{} {name}: {lines:#?}", broken.check);
        assert_eq!(code, Some(1), "{} {name}", broken.check);
        assert!(practice.sandbox.graph.ledger().is_empty());
    }
}

#[tokio::test]
async fn too_much_power_and_nobodys_ids_are_looked_at_without_failing() {
    let mut practice = Practice::opens().await;
    give_group(&mut practice, |_| {});
    let group = "5d1e3b80-7f26-4c9a-8e14-b0a9c8d7e6f5";
    practice.sandbox.graph.add_group(story::TENANT, Group::security(group, "Break-glass"));
    let never = ["00000000-0000-4000-8000-000000000078", group, NOBODY];
    practice.over("TENANTS__CONTOSO__NEVER", &format!("{never:?}"));
    consent(&practice, &["RoleManagement.ReadWrite.Directory"]);
    let (code, lines) = practice.lines().await;
    assert_eq!(code, Some(0), "{lines:#?}");
    let warned = |check: &str, says: &str| {
        let told = |line: &Value| line["detail"].as_str().is_some_and(|detail| detail.contains(says));
        lines.iter().any(|line| line["check"] == check && line["outcome"] == "warn" && told(line))
    };
    assert!(warned("permissions", "RoleManagement.ReadWrite.Directory"), "{lines:#?}");
    assert!(warned("never", never[0]), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line["check"] == "never").count(), 1, "a group and an application are there");
}

#[tokio::test]
async fn a_remover_is_checked_as_an_identity_of_its_own() {
    let mut practice = Practice::opens().await;
    set_remover(&mut practice, REMOVERS_SECRET, &[REMOVE]);
    // What the main application once removed with harms nobody.
    let main = [&PERMISSIONS[..], &[REMOVE]].concat();
    practice.sandbox.graph.set_permissions(story::TENANT, story::CLIENT_ID, &main);
    let (code, lines) = practice.lines().await;
    assert_eq!(code, Some(0), "{lines:#?}");
    for (check, whose) in [
        ("token", format!("application {}", story::CLIENT_ID)),
        ("permissions", format!("application {}: carries what", story::CLIENT_ID)),
        ("remover-token", format!("remover {REMOVER}")),
        ("remover-permissions", format!("remover {REMOVER}: carries what")),
    ] {
        let of_check: Vec<_> = lines.iter().filter(|line| line["check"] == check).collect();
        assert_eq!(of_check.len(), 1, "{lines:#?}");
        assert_eq!(of_check[0]["outcome"], "ok", "{lines:#?}");
        assert!(of_check[0]["detail"].as_str().is_some_and(|detail| detail.contains(&whose)), "{lines:#?}");
    }
    assert!(practice.sandbox.graph.ledger().is_empty());
}

#[tokio::test]
async fn a_remover_that_can_assign_as_well_is_looked_at() {
    let mut practice = Practice::opens().await;
    set_remover(&mut practice, REMOVERS_SECRET, &[PERMISSIONS[0]]);
    let (code, lines) = practice.lines().await;
    assert_eq!(code, Some(0), "{lines:#?}");
    let told: Vec<_> = lines.iter().filter(|line| line["check"] == "remover-permissions").collect();
    assert_eq!((told.len(), &told[0]["outcome"]), (1, &"warn".into()), "{lines:#?}");
    assert!(told[0]["detail"].as_str().is_some_and(|detail| detail.contains("it can assign too")), "{lines:#?}");
}

#[tokio::test]
async fn a_database_that_forgets_lacks_its_schema_or_is_not_there_fails() {
    let forgetful = Practice::without_schema(database().await).await;
    let (code, lines) = forgetful.lines().await;
    let failed = lines.iter().filter(|line| line["outcome"] == "fail").filter_map(|line| line["check"].as_str());
    assert_eq!((code, failed.collect()), (Some(1), vec!["schema", "durability"]), "{lines:#?}");
    let nowhere = Practice::without_schema("postgres://stint@127.0.0.1:1/stint".into()).await;
    let (code, lines) = nowhere.lines().await;
    assert_eq!(code, Some(1));
    assert_eq!((&lines[0]["check"], &lines[0]["outcome"]), (&"reachable".into(), &"fail".into()), "{lines:#?}");
}

#[tokio::test]
async fn a_role_that_only_reads_and_writes_rows_is_as_it_should_be() {
    let mut practice = Practice::opens().await;
    let (postgres, url) = DURABLE.get_or_init(durable).await;
    let mut sql = PgConnection::connect(url).await.expect("the owner");
    let role = "create role serving login; grant select, insert, update, delete on all tables in schema public to serving; \
                revoke update, delete, truncate on audit_events, audit_details, audit_leaves, audit_nodes, audit_checkpoints \
                from serving; revoke insert, update, delete on audit_drops from serving";
    sqlx::raw_sql(role).execute(&mut sql).await.expect("a role");
    practice.over("DATABASE__URL", &format!("{}&user=serving", postgres.url("practice")));
    practice.over("DATABASE__MIGRATE_URL", url);
    let (code, lines) = practice.lines().await;
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines.iter().all(|line| line["outcome"] == "ok"), "{lines:#?}");
    assert!(lines.iter().any(|line| line["check"] == "migrate-url"), "{lines:#?}");

    let less = "revoke update on requests, findings from serving";
    sqlx::raw_sql(less).execute(&mut sql).await.expect("a smaller role");
    practice.over("DATABASE__MIGRATE_URL", "postgres://stint@127.0.0.1:1/stint");
    let (code, lines) = practice.lines().await;
    let failed: Vec<_> = lines.iter().filter(|line| line["outcome"] == "fail").collect();
    let [rights, migrate_url] = failed[..] else { panic!("two faults: {lines:#?}") };
    assert_eq!((code, &rights["check"], &migrate_url["check"]), (Some(1), &"rights".into(), &"migrate-url".into()));
    let told = rights["detail"].as_str().expect("words");
    assert!(told.contains("update on findings, update on requests"), "{told}");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_no_diagnosis() {
    let practice = Practice::opens().await;
    practice.write("sandbox.toml", "[server]\nlisten = 8080\n");
    let told = practice.run(&["doctor"]).await;
    assert_eq!(told.code, Some(2), "{}", told.text);
}
