//! The program itself, started as an operator starts it, against somebody else's Graph and Jira on loopback.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use stint::{
    clock::Clock,
    outbound::{Answer, Body, Call, Credential, Limits, Wire},
    sandbox::{
        ApiToken, Sandbox,
        jira::{IssueDraft, WebhookKind},
        story,
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::world::database;

/// A folder with a configuration file and everything it names.
pub struct Folder(TempDir);

impl Folder {
    fn new(sandbox: &Sandbox, database_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("entra-secret", &format!("{}\n", story::CLIENT_SECRET));
        write("jira-token", &format!("{}\n", story::JIRA_TOKEN));
        write("jira-webhook", &format!("{}\n", story::WEBHOOK_SECRET));
        write("database-url", database_url);
        write(
            "catalog.toml",
            "[entitlements.exchange-admin]\ntitle = \"Exchange Administrator\"\n\
             target = { kind = \"directory-role\", role = \"29232cdf-9323-42fd-ade2-1d097af3e4de\", scope = \"/\" }\n\
             assignment = \"active\"\nmin_duration = \"PT15M\"\nmax_duration = \"PT8H\"\napprovers = 1\nprotected = false\n",
        );
        write("stint.toml", &configuration(sandbox));
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    pub fn config(&self) -> String {
        self.path("stint.toml")
    }
}

/// Only keys that the design names.
fn configuration(sandbox: &Sandbox) -> String {
    let (entra, graph, jira) = (sandbox.entra.url(), sandbox.graph.url(), sandbox.jira.url());
    let (tenant, client, audience) = (story::TENANT, story::CLIENT_ID, story::API_AUDIENCE);
    let user = story::JIRA_USER;
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
ops_listen = "127.0.0.1:0"
public_url = "https://stint.contoso.com"
max_body_bytes = 1048576
trusted_proxies = []

[database]
url_file = "database-url"

[api]
tenant_id = "{tenant}"
audience = "{audience}"
login_url = "{entra}"

[tenants.contoso]
tenant_id = "{tenant}"
graph_url = "{graph}"
login_url = "{entra}"
client_id = "{client}"
credential = {{ kind = "secret", secret_file = "entra-secret" }}
catalog = "catalog.toml"
never = ["00000000-0000-0000-0000-000000000001"]

[connections.jira-cloud]
system = "jira"
tenants = ["contoso"]
base_url = "{jira}"
auth = {{ kind = "basic", username = "{user}", password_file = "jira-token" }}
webhook = {{ scheme = "jira-hub", secret_files = ["jira-webhook"] }}
ticket_pattern = "^ITSEC-[1-9][0-9]*$"
projects = ["ITSEC"]
approved_statuses = ["10016"]
approval = "jsm"
fields = {{ entitlement = "customfield_10051", principal = "customfield_10052", duration = "customfield_10053" }}
max_approval_age = "PT24H"
poll_interval = "PT5M"
internal_notes = true
"#
    )
}

fn stint(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command to its end: how, and what it said.
pub async fn told(arguments: &[&str]) -> (ExitStatus, String) {
    let output = stint(arguments).output().await.expect("stint runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&text).into_owned())
}

/// A serving stint, with its two addresses as it told them.
pub async fn serving(config: &str, only: Option<&str>) -> (Child, String, String) {
    let mut arguments = vec!["serve", "--config", config];
    arguments.extend(only.into_iter().flat_map(|half| ["--only", half]));
    let mut child = stint(&arguments).spawn().expect("stint starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        while let Some(line) = lines.next_line().await.expect("a line") {
            if line.contains("\"serving\"") {
                return line;
            }
        }
        panic!("stint ended without serving");
    });
    let line: serde_json::Value = serde_json::from_str(&told.await.expect("in time")).expect("a log line");
    let address = |name: &str| line["fields"][name].as_str().expect("an address").to_owned();
    let (url, ops) = (address("url"), address("ops"));
    // Somebody must go on reading, or a full pipe would stop the service.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url, ops)
}

pub async fn world() -> (Sandbox, Folder) {
    let clock = Clock::system();
    let sandbox = Sandbox::start(Arc::new(move || clock.now())).await.expect("simulators");
    sandbox.seed_story();
    let folder = Folder::new(&sandbox, &database().await);
    (sandbox, folder)
}

#[tokio::test]
async fn migrate_then_serve_grants_for_real_and_stops_when_told() {
    let (sandbox, folder) = world().await;
    let (refused, words) = told(&["serve", "--config", &folder.config()]).await;
    assert_eq!(refused.code(), Some(1));
    assert!(words.contains("stint migrate"), "{words}");
    let (migrated, words) = told(&["migrate", "--config", &folder.config()]).await;
    assert!(migrated.success(), "{words}");

    let (mut child, url, ops) = serving(&folder.config(), None).await;
    let id = deliver(&sandbox, &url).await;
    let document = active(&sandbox, &url, &id).await;
    assert_eq!(document["principal"]["id"], story::NINA_ID);
    assert_eq!(sandbox.graph.active_grants(story::TENANT).len(), 1);
    assert_eq!(read(&sandbox, &ops, "/readyz").await.status, 200);

    let pid = rustix::process::Pid::from_raw(child.id().expect("running").try_into().expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("in time").expect("ended");
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn intake_and_work_run_apart_and_one_wakes_the_other() {
    let (sandbox, folder) = world().await;
    told(&["migrate", "--config", &folder.config()]).await;
    let (_worker, none, _) = serving(&folder.config(), Some("worker")).await;
    assert!(none.is_empty(), "a worker takes no webhooks");
    let (_http, url, _) = serving(&folder.config(), Some("http")).await;
    let id = deliver(&sandbox, &url).await;
    let document = active(&sandbox, &url, &id).await;
    // Long before the worker's own timer of thirty seconds.
    let received: jiff::Timestamp = document["received_at"].as_str().expect("a time").parse().expect("a time");
    let confirmed: jiff::Timestamp =
        document["assignment"]["confirmed_at"].as_str().expect("a time").parse().expect("a time");
    assert!(confirmed.duration_since(received).as_secs() < 20, "the worker was not woken");
}

/// Posts the webhook about a ticket just approved; gives the request's id.
async fn deliver(sandbox: &Sandbox, url: &str) -> String {
    let ticket = sandbox.jira.create_issue(IssueDraft::default());
    sandbox.jira.request_approval(&ticket.id, &[story::OMAR_ACCOUNT]);
    sandbox.jira.approve(&ticket.id, story::OMAR_ACCOUNT);
    let mut webhook = sandbox.jira.webhook_for(&ticket.id, WebhookKind::Updated);
    webhook.sign_jira_hub(story::WEBHOOK_SECRET);
    let (status, body, _) = webhook.deliver(&format!("{url}/webhooks/jira-cloud")).await.expect("an answer");
    assert_eq!(status, 202);
    let answer: serde_json::Value = serde_json::from_slice(&body).expect("json");
    let id = answer["request_id"].as_str().expect("an id");
    assert_eq!(answer["status_url"], format!("https://stint.contoso.com/v1/requests/{id}"));

    id.to_owned()
}

/// Reads a route as an auditor.
async fn read(sandbox: &Sandbox, base: &str, path: &str) -> Answer {
    let auditor = ApiToken::app(story::TENANT, story::API_AUDIENCE, story::LENA_ID, &["Stint.Auditor"]);
    let credential = Credential::Bearer(sandbox.entra.issue_api_token(&auditor).into());
    let call = Call { method: http::Method::GET, path: path.into(), query: vec![], headers: vec![], body: Body::Empty };
    let wire = Wire::new(Limits::default()).expect("a client");
    wire.send(&base.parse().expect("a url"), &call, &credential).await.expect("an answer")
}

/// Reads the request until it is active.
async fn active(sandbox: &Sandbox, url: &str, id: &str) -> serde_json::Value {
    let reading = tokio::time::timeout(Duration::from_secs(40), async {
        loop {
            let document = read(sandbox, url, &format!("/v1/requests/{id}")).await.json().expect("json");
            if document["status"] == "active" {
                break document;
            }
            tokio::task::yield_now().await;
        }
    });
    reading.await.expect("active in time")
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_serve_and_by_migrate() {
    let (_sandbox, folder) = world().await;
    told(&["migrate", "--config", &folder.config()]).await;
    let url = std::fs::read_to_string(folder.path("database-url")).expect("a url");
    let mut sql = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.expect("a connection");
    let newer = "update _sqlx_migrations set version = version + 1";
    sqlx::query(newer).execute(&mut sql).await.expect("an update");
    for command in ["serve", "migrate"] {
        let (refused, words) = told(&[command, "--config", &folder.config()]).await;
        assert_eq!(refused.code(), Some(1), "{words}");
        assert!(words.contains("newer"), "{words}");
    }
}

#[tokio::test]
async fn every_fault_of_the_configuration_stands_in_one_message_without_a_secret() {
    let (sandbox, folder) = world().await;
    let faulty = configuration(&sandbox)
        .replace("approved_statuses = [\"10016\"]", "approved_statuses = []\napproved_status = 1")
        .replace("max_approval_age = \"PT24H\"", "max_approval_age = \"1 day\"")
        .replace("graph_url = \"http://127.0.0.1", "graph_url = \"http://graph.example")
        .replace("listen = \"127.0.0.1:0\"\nops", "listen = \"everywhere\"\nops")
        .replace("secret_files = [\"jira-webhook\"]", "secret_files = [\"short-secret\"]");
    std::fs::write(folder.path("stint.toml"), faulty).expect("written");
    std::fs::write(folder.path("short-secret"), "tiny-secret").expect("written");
    let (refused, words) = told(&["serve", "--config", &folder.config()]).await;
    assert_eq!(refused.code(), Some(2));
    for key in [
        "server.listen",
        "tenants.contoso.graph_url",
        "connections.jira-cloud.approved_statuses",
        "connections.jira-cloud.approved_status",
        "connections.jira-cloud.max_approval_age",
        "connections.jira-cloud.webhook.secret_files",
    ] {
        assert!(words.contains(key), "{key} is not named in:\n{words}");
    }
    assert!(!words.contains("tiny-secret"), "{words}");
}

#[tokio::test]
async fn a_database_out_of_reach_is_told_with_its_cause() {
    let (_sandbox, folder) = world().await;
    std::fs::write(folder.path("database-url"), "postgres://stint@127.0.0.1:1/stint").expect("written");
    for command in ["serve", "migrate"] {
        let (refused, words) = told(&[command, "--config", &folder.config()]).await;
        assert_eq!(refused.code(), Some(1), "{words}");
        assert!(words.contains("database.url") && words.contains("refused"), "{words}");
    }
}

#[tokio::test]
async fn wrong_usage_and_a_missing_file_end_with_two() {
    assert_eq!(told(&["serve", "--nonsense"]).await.0.code(), Some(2));
    let (refused, words) = told(&["serve", "--config", "/nowhere/stint.toml"]).await;
    assert_eq!(refused.code(), Some(2));
    assert!(words.contains("/nowhere/stint.toml"), "{words}");
}

#[tokio::test]
async fn the_schema_of_the_configuration_is_printed() {
    let mut child = stint(&["config-schema"]).spawn().expect("stint starts");
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).await.expect("text");
    let schema: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert!(schema["properties"]["connections"].is_object(), "{text}");
}

#[tokio::test]
async fn the_demo_sees_every_step_and_leaves_no_process_behind() {
    let (ended, words) = told(&["demo"]).await;
    assert!(ended.success(), "{words}");
    assert!(words.contains("Every step was seen."), "{words}");
    assert!(!words.contains('\u{1b}'), "colours are for terminals");
    assert!(Path::new(env!("CARGO_BIN_EXE_stint")).exists());
}
