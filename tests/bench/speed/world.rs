//! Where everything runs: Postgres, simulators with many tenants, a configuration for all of them.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sqlx::{Connection as _, PgConnection};
use stint::{
    clock::Clock,
    config::SANDBOX_CATALOG,
    sandbox::{
        Desk, Postgres, Sandbox, Webhook,
        desk::{DeskEvent, TicketDraft},
        graph::User,
        story,
    },
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    Size,
    client::Client,
    cluster,
    process::{Process, free_port},
};

/// PIM takes few calls of a tenant at a time, so there are as many tenants as requests that four workers have in flight.
const TENANTS: u64 = 256;

/// Where only that all work was really done is judged.
const FEW_TENANTS: u64 = 16;

/// Ticket systems, each of which serves some of the tenants: no single one may take half of the places.
const DESKS: u64 = 4;

/// Everything that is needed to measure.
pub struct World<'a> {
    /// How much is measured.
    pub size: Size,
    /// Tenants.
    pub tenants: u64,
    /// Entra, Graph and the desk.
    pub sandbox: Sandbox,
    /// Further worlds, for their desks.
    others: Vec<Sandbox>,
    runtime: &'a Runtime,
    folder: TempDir,
    postgres: Postgres,
    made: AtomicU64,
}

/// stint, running.
pub struct Stint {
    /// The process; its address is where webhooks go, or where operators look when it is a worker only.
    pub process: Process,
    /// Where operators look.
    pub ops: String,
}

/// An approved ticket.
pub struct Ticket {
    /// In which tenant.
    pub tenant: u64,
    /// At which desk.
    pub desk: Desk,
    /// Whose assignment is asked for, by object id.
    pub principal: String,
    /// Where its webhook goes.
    pub path: String,
    /// The webhook that tells of the approval, signed.
    pub webhook: Webhook,
}

impl<'a> World<'a> {
    /// Starts Postgres and the simulators.
    pub fn set_up(runtime: &'a Runtime, size: Size) -> Self {
        let mut worlds: Vec<_> = (0..DESKS).map(|_| runtime.block_on(start())).collect();
        let tenants = size.of(TENANTS, FEW_TENANTS);
        let folder = write_config(&worlds, tenants);
        let sandbox = worlds.remove(0);
        (0..tenants).for_each(|tenant| seed(&sandbox, tenant));
        let postgres = cluster::start(runtime);
        Self { size, tenants, sandbox, others: worlds, runtime, folder, postgres, made: AtomicU64::new(0) }
    }

    /// A new database with stint's schema; gives its URL.
    pub fn database(&self) -> String {
        let name = format!("speed_{}", self.made.fetch_add(1, Ordering::Relaxed));
        cluster::database(self.runtime, &self.postgres, &name)
    }

    /// Starts stint, or one half of it, on a database.
    pub fn stint(&self, database: &str, only: Option<&str>) -> Stint {
        let [address, ops] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
        command.args(["serve", "--config"]).arg(self.folder.path().join("stint.toml"));
        command.args(only.into_iter().flat_map(|half| ["--only", half]));
        for (key, value) in [("DATABASE__URL", database), ("SERVER__LISTEN", &address), ("SERVER__OPS_LISTEN", &ops)] {
            command.env(format!("STINT__{key}"), value);
        }
        // What stint logs is part of what it does; where it goes is not.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let awaited = if only == Some("worker") { ops.clone() } else { address };
        Stint { process: Process::listening(command, awaited), ops }
    }

    /// A ticket that was approved, for somebody who never asked before.
    pub fn ticket(&self) -> Ticket {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let tenant = number % self.tenants;
        let (principal, upn) = (Uuid::now_v7().to_string(), format!("person{number}@tenant{tenant}.example"));
        self.sandbox.graph.add_user(tenant_id(tenant), User::member(&principal, &upn, "Somebody"));
        let nth = usize::try_from(tenant % DESKS).expect("a few");
        let desk = [&self.sandbox].into_iter().chain(&self.others).nth(nth).expect("a desk").desk.clone();
        let ticket = desk.create(TicketDraft { principal: upn, ..TicketDraft::default() });
        desk.edit(&ticket.id, "customer", &format!("tenant{tenant}"));
        desk.request_approval(&ticket.id, &[story::OMAR_DESK]);
        desk.approve(&ticket.id, story::OMAR_DESK);
        let mut webhook = desk.webhook_for(&ticket.id, DeskEvent::Approved);
        webhook.sign_standard(&webhook_secret(tenant % DESKS), &format!("msg_{number}"), Clock::system().now());
        Ticket { tenant, desk, principal, path: path(tenant % DESKS), webhook }
    }

    /// A number that a statement answers with.
    pub fn number(&self, database: &str, statement: &'static str) -> i64 {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(database).await.expect("a connection");
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.expect("a number")
        })
    }
}

/// Where a desk sends its webhooks.
pub fn path(desk: u64) -> String {
    format!("/webhooks/desk{desk}")
}

/// What signs a desk's webhooks.
pub fn webhook_secret(desk: u64) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    format!("whsec_{}", BASE64_STANDARD.encode(format!("the-webhook-secret-of-desk-{desk:04}")))
}

/// Posts a webhook; it must be taken in.
pub fn post(client: &mut Client, path: &str, webhook: &Webhook) {
    let mut headers = String::new();
    for (name, value) in &webhook.headers {
        headers.extend([name.as_ref(), ": ", value.as_str(), "\r\n"]);
    }
    let answer = client.post(path, &headers, &webhook.body);
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
}

/// A tenant as Entra knows it.
pub fn tenant_id(tenant: u64) -> Uuid {
    Uuid::from_u64_pair(0x9b0f_4c52_6a1d_4f3e, 0x8c27_0000_0000_0000 + tenant)
}

async fn start() -> Sandbox {
    let clock = Clock::system();
    let sandbox = Sandbox::start(Arc::new(move || clock.now())).await.expect("simulators");
    sandbox.seed_story();
    sandbox.desk.name_rounds(true);
    sandbox
}

fn seed(sandbox: &Sandbox, tenant: u64) {
    let id = tenant_id(tenant);
    sandbox.entra.register_app(id, story::CLIENT_ID, Some(story::CLIENT_SECRET), None);
    sandbox.graph.add_role(id, story::EXCHANGE_ADMINISTRATOR, "Exchange Administrator");
    for (person, upn) in [(story::NINA_ID, story::NINA_UPN), (story::OMAR_ID, story::OMAR_UPN)] {
        sandbox.graph.add_user(id, User::member(person, upn, "Somebody"));
    }
}

fn write_config(worlds: &[Sandbox], tenants: u64) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("entra-secret", story::CLIENT_SECRET);
    write("desk-token", story::DESK_TOKEN);
    write("catalog.toml", SANDBOX_CATALOG);
    let (entra, graph) = (worlds[0].entra.url(), worlds[0].graph.url());
    let (client, audience) = (story::CLIENT_ID, story::API_AUDIENCE);
    let mut parts = vec![format!(
        "[server]\npublic_url = \"https://stint.contoso.com\"\n\
         [api]\ntenant_id = \"{}\"\naudience = \"{audience}\"\nlogin_url = \"{entra}\"\n",
        story::TENANT
    )];
    for tenant in 0..tenants {
        parts.push(format!(
            "[tenants.tenant{tenant}]\ntenant_id = \"{}\"\ngraph_url = \"{graph}\"\nlogin_url = \"{entra}\"\n\
             client_id = \"{client}\"\ncredential = {{ kind = \"secret\", secret_file = \"entra-secret\" }}\n\
             catalog = \"catalog.toml\"\n",
            tenant_id(tenant)
        ));
    }
    for (desk, world) in (0..).zip(worlds) {
        write(&format!("webhook-{desk}"), &webhook_secret(desk));
        let of_desk: Vec<_> =
            (desk..tenants).step_by(worlds.len()).map(|tenant| format!("\"tenant{tenant}\"")).collect();
        parts.push(format!(
            "[connections.desk{desk}]\nsystem = \"standard\"\ntenants = [{}]\nbase_url = \"{}\"\n\
             auth = {{ kind = \"bearer\", token_file = \"desk-token\" }}\n\
             webhook = {{ scheme = \"standard-webhooks\", secret_files = [\"webhook-{desk}\"] }}\n\
             ticket_pattern = \"^DESK-[1-9][0-9]*$\"\nread_back = \"http\"\nfields = {{ tenant = \"customer\" }}\n",
            of_desk.join(", "),
            world.desk.url()
        ));
    }
    write("stint.toml", &parts.concat());
    folder
}
