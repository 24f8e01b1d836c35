//! The file as written: every key optional, every value as its text.
//!
//! These structs say which keys exist and what TOML type each has; [`super::schema`] is made from them. What the values
//! must be is checked afterwards, where all faults can be gathered. Nothing is required here since any key may come from
//! the environment instead.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A TOML table. A derived struct alone would take an array of its values as well.
#[derive(Default)]
pub(super) struct Section<T>(pub(super) T);

/// The whole configuration of stint.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "stint.toml")]
pub(super) struct File {
    /// Where stint listens, and how it is reached.
    pub(super) server: Option<Section<Server>>,
    /// Where stint keeps what it knows.
    pub(super) database: Option<Section<Database>>,
    /// Who may read history through the API.
    pub(super) api: Option<Section<Api>>,
    /// How people sign in to the web page at `/console/`.
    pub(super) console: Option<Section<Console>>,
    /// What is dropped after its time, by `stint retention`.
    pub(super) retention: Option<Section<Retention>>,
    /// How the audit log is signed and published.
    pub(super) audit: Option<Section<Audit>>,
    /// The Entra tenants that stint serves, by name.
    #[serde(default)]
    pub(super) tenants: BTreeMap<String, Section<Tenant>>,
    /// The ticket-system instances that may ask, by name; the name stands in the webhook's path.
    #[serde(default)]
    pub(super) connections: BTreeMap<String, Section<Connection>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    /// Address and port of webhooks and API. Default `127.0.0.1:8080`.
    pub(super) listen: Option<String>,
    /// Address and port of health and metrics. Default `127.0.0.1:9090`.
    pub(super) ops_listen: Option<String>,
    /// The address under which others reach `listen`.
    #[schemars(extend("format" = "uri"))]
    pub(super) public_url: Option<String>,
    /// The longest webhook body, in bytes. Default and maximum 1048576.
    #[schemars(range(min = 1024, max = 1_048_576))]
    pub(super) max_body_bytes: Option<u64>,
    /// Proxies whose `X-Forwarded-For` would be believed: addresses or networks such as `10.0.0.0/8`. Nothing uses it yet.
    pub(super) trusted_proxies: Option<Vec<String>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    /// `postgres://…`; without a password when it stands in the file.
    pub(super) url: Option<String>,
    /// A file that holds the URL.
    pub(super) url_file: Option<String>,
    /// The URL that `stint migrate` uses; as `url` when absent.
    pub(super) migrate_url: Option<String>,
    /// A file that holds that URL.
    pub(super) migrate_url_file: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    #[schemars(skip)]
    pub(super) signing_key: Option<String>,
    /// A file that holds the key that signs heads of the log and ends of exports; `stint audit new-key` makes one.
    pub(super) signing_key_file: Option<String>,
    /// Places that the owner of the database cannot rewrite, to which signed heads of the log go.
    pub(super) publish: Option<Vec<Section<Publish>>>,
    /// How often. Default `PT1H`.
    pub(super) publish_interval: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    /// `file`, `http` or `ticket`.
    pub(super) kind: Option<PublishKind>,
    /// `file`: holds the newest head; beside it, ending in `.log`, stands a file with all of them.
    pub(super) path: Option<String>,
    /// `http`: takes each head as a POST of its text.
    #[schemars(extend("format" = "uri"))]
    pub(super) url: Option<String>,
    /// `http`: a file that holds a bearer token for it.
    pub(super) token_file: Option<String>,
    /// `ticket`: the connection through which notes are written.
    pub(super) connection: Option<String>,
    /// `ticket`: the ticket's immutable id.
    pub(super) ticket: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PublishKind {
    File,
    Http,
    Ticket,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Api {
    /// The Entra tenant that issues API tokens.
    #[schemars(extend("format" = "uuid"))]
    pub(super) tenant_id: Option<String>,
    /// The `aud` that API tokens must carry.
    pub(super) audience: Option<String>,
    /// Origin of the login service. Default `https://login.microsoftonline.com`.
    #[schemars(extend("format" = "uri"))]
    pub(super) login_url: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Console {
    /// The application that people sign in to: a single-page application with the redirect URI `…/console/`. Default: the
    /// API's own, `api.audience`.
    pub(super) client_id: Option<String>,
    /// What the page asks for in their name. Default: `/.default` of `api.audience`.
    pub(super) scope: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    /// How long bodies and headers of webhooks are kept, such as `P90D`. Absent: for ever.
    pub(super) bodies: Option<String>,
    /// How long ticket snapshots are kept once their request is over; no shorter than bodies. Absent: for ever.
    pub(super) snapshots: Option<String>,
    /// How long the facts of audit events are kept; no shorter than snapshots. Absent: for ever.
    pub(super) details: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the fields are the file's keys")]
pub(super) struct Tenant {
    /// The tenant's id in Entra.
    #[schemars(extend("format" = "uuid"))]
    pub(super) tenant_id: Option<String>,
    /// The Microsoft cloud it lives in; instead of `graph_url` and `login_url`.
    pub(super) cloud: Option<Cloud>,
    /// Graph's origin, without a version; together with `login_url`, instead of `cloud`.
    #[schemars(extend("format" = "uri"))]
    pub(super) graph_url: Option<String>,
    /// Origin of the login service; together with `graph_url`, instead of `cloud`.
    #[schemars(extend("format" = "uri"))]
    pub(super) login_url: Option<String>,
    /// The id of stint's application in this tenant.
    #[schemars(extend("format" = "uuid"))]
    pub(super) client_id: Option<String>,
    /// How that application proves itself.
    pub(super) credential: Option<Section<AppCredential>>,
    /// A second application, used for every removal and for nothing else.
    pub(super) remover: Option<Section<AppCredential>>,
    /// The catalog file.
    pub(super) catalog: Option<String>,
    /// The object id of stint's own service principal, to know its own changes in the directory's log.
    #[schemars(extend("format" = "uuid"))]
    pub(super) service_principal_id: Option<String>,
    /// Object ids that never receive anything, such as break-glass accounts.
    pub(super) never: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cloud {
    Global,
    UsGov,
    UsDod,
    China,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppCredential {
    /// `remover` only: the id of that application.
    #[schemars(extend("format" = "uuid"))]
    pub(super) client_id: Option<String>,
    /// `certificate`, `secret`, `workload-identity` or `managed-identity`.
    pub(super) kind: Option<CredentialKind>,
    #[schemars(skip)]
    pub(super) secret: Option<String>,
    /// `secret`: a file that holds the client secret.
    pub(super) secret_file: Option<String>,
    /// `certificate`: the certificate, PEM.
    pub(super) certificate_file: Option<String>,
    #[schemars(skip)]
    pub(super) private_key: Option<String>,
    /// `certificate`: its RSA private key, PEM.
    pub(super) private_key_file: Option<String>,
    /// `workload-identity`: a file that holds the other issuer's token. Default: what `AZURE_FEDERATED_TOKEN_FILE` names.
    pub(super) token_file: Option<String>,
    /// `managed-identity`: whether it is the machine's own rather than one assigned to it. Default false.
    pub(super) system_assigned: Option<bool>,
    /// `managed-identity`: origin of the metadata service. Default `http://169.254.169.254`.
    #[schemars(extend("format" = "uri"))]
    pub(super) endpoint: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CredentialKind {
    Certificate,
    Secret,
    WorkloadIdentity,
    ManagedIdentity,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    /// The kind of ticket system. Each has further keys of its own.
    pub(super) system: Option<String>,
    /// The tenants it may ask for; with more than one, `fields.tenant` picks.
    pub(super) tenants: Option<Vec<String>>,
    /// Where its API is.
    #[schemars(extend("format" = "uri"))]
    pub(super) base_url: Option<String>,
    /// How stint signs in there.
    pub(super) auth: Option<Section<Auth>>,
    /// How its webhooks prove themselves.
    pub(super) webhook: Option<Section<Webhook>>,
    /// Which ticket numbers are for stint: a regular expression from `^` to `$`.
    #[schemars(extend("format" = "regex"))]
    pub(super) ticket_pattern: Option<String>,
    /// Which of its fields say what is asked for.
    pub(super) fields: Option<Section<Fields>>,
    /// Approvals older than this are refused. Default `PT24H`.
    pub(super) max_approval_age: Option<String>,
    /// How often tickets are looked for whose webhook never came, and how often the ticket behind an assignment is
    /// read again. Default `PT5M`.
    pub(super) poll_interval: Option<String>,
    /// How far the clock of a signed timestamp may be off. Default `PT5M`.
    pub(super) tolerance: Option<String>,
    /// How ticket accounts are matched to Entra users: `email`.
    pub(super) people: Option<People>,
    /// Whether notes are hidden from customers. Default true.
    pub(super) internal_notes: Option<bool>,
    /// Whether PIM is only asked what it would grant, and nothing is granted. Default false.
    pub(super) dry_run: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum People {
    Email,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    /// `basic`, `bearer`, `api-key` or `oauth-client`.
    pub(super) kind: Option<AuthKind>,
    /// `basic`: the account.
    pub(super) username: Option<String>,
    #[schemars(skip)]
    pub(super) password: Option<String>,
    /// `basic`: a file that holds its password or API token.
    pub(super) password_file: Option<String>,
    #[schemars(skip)]
    pub(super) token: Option<String>,
    /// `bearer`, `api-key`: a file that holds the token or key.
    pub(super) token_file: Option<String>,
    /// `oauth-client`: the client's id.
    pub(super) client_id: Option<String>,
    #[schemars(skip)]
    pub(super) secret: Option<String>,
    /// `oauth-client`: a file that holds the client's secret.
    pub(super) secret_file: Option<String>,
    /// `oauth-client`: where tokens are issued.
    pub(super) token_url: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AuthKind {
    Basic,
    Bearer,
    ApiKey,
    OauthClient,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// `jira-hub`, `standard-webhooks`, `bearer` or `basic`.
    pub(super) scheme: Option<Scheme>,
    /// Files that hold one or two secrets of at least 24 bytes, the current one first: HMAC secrets (for
    /// `standard-webhooks` in its own form, `whsec_…`, or a public key, `whpk_…`), bearer tokens, or passwords.
    #[schemars(length(min = 1, max = 2))]
    pub(super) secret_files: Option<Vec<String>>,
    #[schemars(skip)]
    pub(super) secrets: Option<Vec<String>>,
    /// `basic`: the account.
    pub(super) username: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scheme {
    JiraHub,
    Bearer,
    StandardWebhooks,
    Basic,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// Holds a catalog key or an exact title.
    pub(super) entitlement: Option<String>,
    /// Holds an object id or a UPN.
    pub(super) principal: Option<String>,
    /// Holds an ISO 8601 duration.
    pub(super) duration: Option<String>,
    /// Holds a tenant's name, where the connection serves several.
    pub(super) tenant: Option<String>,
    /// Holds the moment before which there is no access.
    pub(super) window_start: Option<String>,
    /// Holds the moment after which there is no access.
    pub(super) window_end: Option<String>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableOnly(PhantomData)).map(Self)
    }
}

struct TableOnly<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableOnly<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<T: JsonSchema> JsonSchema for Section<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
