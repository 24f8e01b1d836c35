//! The story that the demo, the documentation and most tests tell.
//!
//! Nina Keller asks for Exchange Administrator for herself, Omar Haddad approves; Lena Vogt is the second approver
//! where two are needed. Everybody and everything is fictitious, the secrets too.

use uuid::{Uuid, uuid};

use super::Sandbox;
use super::desk::Person;
use super::entra::Member;
use super::graph::User;
use super::jira::Account;
use super::servicenow;

/// The tenant's name in configuration.
pub const TENANT_NAME: &str = "contoso";
/// The tenant.
pub const TENANT: Uuid = uuid!("9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60");
/// stint's application in that tenant.
pub const CLIENT_ID: &str = "5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80";
/// Its secret.
pub const CLIENT_SECRET: &str = "sandbox-entra-client-secret-0001";
/// The audience of tokens for stint's own API.
pub const API_AUDIENCE: &str = "c7d1e5f0-2b4a-4c8e-9f60-1a2b3c4d5e70";

/// Nina Keller's object id.
pub const NINA_ID: &str = "2d8f6b1c-7e30-4a95-b4d2-6c1e0f9a8b31";
/// Nina Keller's user principal name and mail address.
pub const NINA_UPN: &str = "nina.keller@contoso.example";
/// Nina Keller's Atlassian account.
pub const NINA_ACCOUNT: &str = "712020:1c5e9a30-4b7d-4f21-8e60-2a9d3c7b5f11";
/// Nina Keller's key on Jira Data Center.
pub const NINA_USER_KEY: &str = "JIRAUSER10204";
/// Nina Keller at the desk.
pub const NINA_DESK: &str = "u17";
/// Omar Haddad's object id.
pub const OMAR_ID: &str = "8a4c2e6f-1b9d-4d73-9e05-7f3a2b1c0d42";
/// Omar Haddad's user principal name and mail address.
pub const OMAR_UPN: &str = "omar.haddad@contoso.example";
/// Omar Haddad's Atlassian account.
pub const OMAR_ACCOUNT: &str = "712020:6f2b8d41-9c3e-4a57-b0d8-4e1f7a2c9b22";
/// Omar Haddad's key on Jira Data Center.
pub const OMAR_USER_KEY: &str = "JIRAUSER10077";
/// Omar Haddad at the desk.
pub const OMAR_DESK: &str = "u20";
/// Lena Vogt's object id.
pub const LENA_ID: &str = "f16b3d82-5c7a-4e09-8b41-9d0e2c4f6a53";
/// Lena Vogt's user principal name and mail address.
pub const LENA_UPN: &str = "lena.vogt@contoso.example";
/// Lena Vogt's Atlassian account.
pub const LENA_ACCOUNT: &str = "712020:b83d5f17-2a6c-4e90-9d14-7c0b8e3f6a33";
/// Lena Vogt's key on Jira Data Center.
pub const LENA_USER_KEY: &str = "JIRAUSER10311";
/// Lena Vogt at the desk.
pub const LENA_DESK: &str = "u23";

/// Who may read stint's history and act on it: a word for `login_hint`, object id, name and app role.
pub const READERS: [(&str, &str, &str, &str); 3] = [
    ("auditor", LENA_ID, "Lena Vogt", "Stint.Auditor"),
    ("operator", OMAR_ID, "Omar Haddad", "Stint.Operator"),
    ("requester", NINA_ID, "Nina Keller", "Stint.Requester"),
];

/// The role asked for: its id is the same in every tenant.
pub const EXCHANGE_ADMINISTRATOR: &str = "29232cdf-9323-42fd-ade2-1d097af3e4de";
/// The most powerful role there is.
pub const HELPDESK_ADMINISTRATOR: &str = "729827e3-9c14-49f7-bb1b-9608f156bbb8";
/// Role definition id, the same in every tenant.
pub const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// The Jira project of access requests.
pub const PROJECT: &str = "ITSEC";
/// Their issue type.
pub const ISSUE_TYPE: &str = "10031";
/// Status "Waiting for approval".
pub const STATUS_WAITING: &str = "10013";
/// Status "Approved".
pub const STATUS_APPROVED: &str = "10016";
/// Status "Declined".
pub const STATUS_DECLINED: &str = "10017";
/// Status "Canceled".
pub const STATUS_CANCELED: &str = "10009";
/// Custom field that names the entitlement.
pub const FIELD_ENTITLEMENT: &str = "customfield_10051";
/// Custom field that names the principal.
pub const FIELD_PRINCIPAL: &str = "customfield_10052";
/// Custom field that holds the duration.
pub const FIELD_DURATION: &str = "customfield_10053";
/// Custom field that holds the wished start.
pub const FIELD_START: &str = "customfield_10061";
/// Custom field that holds the wished end.
pub const FIELD_END: &str = "customfield_10062";

/// The login of stint's Jira account.
pub const JIRA_USER: &str = "stint@contoso.example";
/// Its API token.
pub const JIRA_TOKEN: &str = "sandbox-jira-api-token-000000001";
/// A personal access token of stint's user, for Data Center.
pub const JIRA_PAT: &str = "sandbox-jira-personal-token-00001";
/// The site's id at the gateway.
pub const CLOUD_ID: &str = "4d7c1a92-8e35-4b60-a1f7-3c9e5d2b8a64";
/// stint's own Atlassian account.
pub const JIRA_SERVICE_ACCOUNT: &str = "712020:00000000-1111-4222-8333-444455556666";
/// Its key on Jira Data Center.
pub const JIRA_SERVICE_USER_KEY: &str = "JIRAUSER10400";
/// The secret that signs Jira's webhooks.
pub const WEBHOOK_SECRET: &str = "sandbox-jira-webhook-secret-0001";

/// Nina Keller's user in ServiceNow.
pub const NINA_SYS_ID: &str = "3f7a1c9e5b2d48f0a6c4e81d7b93f211";
/// Omar Haddad's user in ServiceNow.
pub const OMAR_SYS_ID: &str = "84d2b6e0f1a347c99e5d0c3b7a68f122";
/// Lena Vogt's user in ServiceNow.
pub const LENA_SYS_ID: &str = "c95e3f7a20b84d61b7f2a4d8e1c06f33";
/// The catalog item "Privileged Entra role".
pub const SNOW_CATALOG_ITEM: &str = "71b0e4d8a9c35f26d1e7f4083b5c6f44";
/// A catalog item that has nothing to do with access.
pub const SNOW_OTHER_ITEM: &str = "0d6c8a1f4e7b92d35c0f1e8a6b4d7f55";
/// The user name of stint's account in ServiceNow.
pub const SNOW_USER: &str = "stint.svc";
/// Its password.
pub const SNOW_PASSWORD: &str = "sandbox-servicenow-password-0001";
/// Its API key.
pub const SNOW_API_KEY: &str = "sandbox-servicenow-api-key-00001";
/// The OAuth client that acts as it.
pub const SNOW_OAUTH_CLIENT: &str = "e2b7d05f9a1c4e63";
/// That client's secret.
pub const SNOW_OAUTH_SECRET: &str = "sandbox-servicenow-oauth-secret1";
/// stint's own user in ServiceNow.
pub const SNOW_SERVICE_ACCOUNT: &str = "5e1f9b3d7c2a40e8963b8d5f0a1c6f66";
/// The secret with which ServiceNow's business rule signs.
pub const SNOW_WEBHOOK_SECRET: &str = "whsec_c2FuZGJveC1zZXJ2aWNlbm93LXdlYmhvb2sta2V5LTAwMDE=";
/// The catalog variable, and the column of a change, that names the entitlement.
pub const SNOW_ENTITLEMENT: &str = "entitlement";
/// The one that names the principal.
pub const SNOW_PRINCIPAL: &str = "target_upn";
/// The one that holds the duration.
pub const SNOW_DURATION: &str = "duration";
/// The desk's token for stint.
pub const DESK_TOKEN: &str = "sandbox-desk-token-0000000000001";
/// The secret that signs the desk's webhooks.
pub const DESK_WEBHOOK_SECRET: &str = "whsec_c2FuZGJveC1kZXNrLXdlYmhvb2stc2VjcmV0LTAwMDE=";

/// The site's custom fields: id and name.
pub(super) const FIELDS: [(&str, &str); 5] = [
    (FIELD_ENTITLEMENT, "Entitlement"),
    (FIELD_PRINCIPAL, "Principal"),
    (FIELD_DURATION, "Duration"),
    (FIELD_START, "Start of access"),
    (FIELD_END, "End of access"),
];

impl Sandbox {
    /// Fills the empty world with the story's people, roles, application and logins; no ticket yet.
    pub fn seed_story(&self) {
        self.entra.register_app(TENANT, CLIENT_ID, Some(CLIENT_SECRET), None);
        self.entra.register_page(TENANT, API_AUDIENCE, API_AUDIENCE);
        for (hint, object_id, name, role) in READERS {
            self.entra.add_member(TENANT, Member::new(hint, object_id, name, &[role]));
        }
        self.graph.add_role(TENANT, EXCHANGE_ADMINISTRATOR, "Exchange Administrator");
        self.graph.add_role(TENANT, GLOBAL_ADMINISTRATOR, "Global Administrator");
        self.graph.add_role(TENANT, HELPDESK_ADMINISTRATOR, "Helpdesk Administrator");
        for (id, upn, name, desk) in [
            (NINA_ID, NINA_UPN, "Nina Keller", NINA_DESK),
            (OMAR_ID, OMAR_UPN, "Omar Haddad", OMAR_DESK),
            (LENA_ID, LENA_UPN, "Lena Vogt", LENA_DESK),
        ] {
            self.graph.add_user(TENANT, User::member(id, upn, name));
            self.desk.set_person(Person::new(desk, name, upn));
        }
        self.seed_jira();
        self.seed_servicenow();
        self.desk.allow_bearer(DESK_TOKEN);
    }

    fn seed_jira(&self) {
        for (account, key, name, email, zone) in [
            (NINA_ACCOUNT, NINA_USER_KEY, "Nina Keller", NINA_UPN, "Europe/Zurich"),
            (OMAR_ACCOUNT, OMAR_USER_KEY, "Omar Haddad", OMAR_UPN, "Europe/Berlin"),
            (LENA_ACCOUNT, LENA_USER_KEY, "Lena Vogt", LENA_UPN, "Europe/Berlin"),
            (JIRA_SERVICE_ACCOUNT, JIRA_SERVICE_USER_KEY, "stint integration", JIRA_USER, "Etc/UTC"),
        ] {
            self.jira.set_account(Account::person(account, name, email).with_user_key(key).in_zone(zone));
        }
        self.jira.allow_basic(JIRA_USER, JIRA_TOKEN);
        self.jira.allow_bearer(JIRA_PAT);
    }

    fn seed_servicenow(&self) {
        for (id, user_name, name, email) in [
            (NINA_SYS_ID, "nina.keller", "Nina Keller", NINA_UPN),
            (OMAR_SYS_ID, "omar.haddad", "Omar Haddad", OMAR_UPN),
            (LENA_SYS_ID, "lena.vogt", "Lena Vogt", LENA_UPN),
            (SNOW_SERVICE_ACCOUNT, SNOW_USER, "stint integration", "stint.svc@contoso.example"),
        ] {
            self.servicenow.set_user(&servicenow::User::person(id, user_name, name, email));
        }
        self.servicenow.add_catalog_item(SNOW_CATALOG_ITEM, "Privileged Entra role");
        self.servicenow.add_catalog_item(SNOW_OTHER_ITEM, "Second monitor");
        self.servicenow.allow_basic(SNOW_USER, SNOW_PASSWORD);
        self.servicenow.allow_api_key(SNOW_API_KEY, SNOW_USER);
        self.servicenow.allow_client(SNOW_OAUTH_CLIENT, SNOW_OAUTH_SECRET, SNOW_USER);
    }
}
