//! The contract's sample deliveries, posted with exactly their headers: each is accepted or refused as its contract says.
//!
//! The samples lie beside the project, not in it. Where they are absent their stories say so and pass; the project's
//! own fixtures cover the same ground.

use std::{collections::BTreeSet, path::Path};

use jiff::Timestamp;
use serde_json::Value;
use stint::sandbox::Webhook;

use crate::world::{It, seconds};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contracts/ticket-samples");
const VECTORS: &str = "_headers-and-test-vectors.json";

const JIRA_SECRET: &str = "stint-jira-webhook-secret-EXAMPLE";
const SNOW_SECRET: &str = "whsec_c3RpbnQtc2VydmljZW5vdy1zaGFyZWQta2V5LUVYQU1QTEUtMzJieXRlcw==";
const DESK_SECRET: &str = "whsec_c3RpbnQtc3RhbmRhcmQtd2ViaG9va3MtRVhBTVBMRSE=";
const DESK_SECRET_BEFORE: &str = "whsec_YW4tb2xkZXItcm90YXRlZC1vdXQtRVhBTVBMRS1rZXk=";

/// The sample's own password is shorter than a webhook secret may be, so that stint does not start with it.
const SNOW_USER: &str = "svc-servicenow";
const SNOW_PASSWORD: &str = "example-password-that-is-long-enough";

/// Who signs like them, and is none of them.
const STRANGER: &str = "whsec_bm9ib2R5LWtub3dzLXRoaXMta2V5LW5vdC1ldmVuLW1l";

/// What the samples' senders need of the configuration, over the sandbox's.
const CONNECTIONS: [(&str, &str); 8] = [
    ("JIRA_CLOUD__WEBHOOK__SECRETS", JIRA_SECRET),
    (
        "JIRA_CLOUD__FIELDS",
        r#"{ entitlement = "customfield_10115", principal = "customfield_10116", duration = "customfield_10117" }"#,
    ),
    (
        "AUTOMATION",
        r#"{ system = "jira", tenants = ["contoso"], base_url = "https://acme-msp.atlassian.net",
            auth = { kind = "bearer", token = "unused" }, ticket_pattern = "^ITSEC-[1-9][0-9]*$",
            webhook = { scheme = "bearer", secrets = ["stint-automation-token-EXAMPLE"] },
            projects = ["ITSEC"], approved_statuses = ["10016"], fields = { entitlement = "customfield_10115",
            principal = "customfield_10116", duration = "customfield_10117" } }"#,
    ),
    ("SERVICENOW__WEBHOOK__SECRETS", SNOW_SECRET),
    ("SERVICENOW__FIELDS", r#"{ entitlement = "entra_role", principal = "target_upn", duration = "duration" }"#),
    (
        "DISPLAY",
        r#"{ system = "servicenow", tenants = ["contoso"], base_url = "https://acmedev.service-now.com",
            auth = { kind = "bearer", token = "unused" }, ticket_pattern = "^(RITM|CHG)[0-9]{7,12}$",
            webhook = { scheme = "basic", username = "svc-servicenow", secrets = ["example-password-that-is-long-enough"] },
            fields = { entitlement = "entra_role", principal = "target_upn", duration = "duration" } }"#,
    ),
    (
        "SERVICE_DESK__WEBHOOK__SECRETS",
        r#"["whsec_c3RpbnQtc3RhbmRhcmQtd2ViaG9va3MtRVhBTVBMRSE=",
            "whsec_YW4tb2xkZXItcm90YXRlZC1vdXQtRVhBTVBMRS1rZXk="]"#,
    ),
    (
        "FRESHSERVICE",
        r#"{ system = "standard", tenants = ["contoso"], base_url = "https://acme-msp.freshservice.example",
            auth = { kind = "bearer", token = "unused" }, ticket_pattern = "^SR-[1-9][0-9]*$", read_back = "http",
            webhook = { scheme = "bearer", secrets = ["stint-freshservice-token-EXAMPLE"] } }"#,
    ),
];

/// Its sender has the same secret as Jira Cloud's, which one stint would not take for two connections.
const DATA_CENTER: [(&str, &str); 7] = [
    ("JIRA_CLOUD__WEBHOOK__SECRETS", JIRA_SECRET),
    ("JIRA_CLOUD__DEPLOYMENT", "data-center"),
    ("JIRA_CLOUD__APPROVAL", "status-transition"),
    ("JIRA_CLOUD__PROJECTS", r#"["OPS"]"#),
    ("JIRA_CLOUD__TICKET_PATTERN", "^OPS-[1-9][0-9]*$"),
    ("JIRA_CLOUD__APPROVED_STATUSES", r#"["10600"]"#),
    (
        "JIRA_CLOUD__FIELDS",
        r#"{ entitlement = "customfield_12001", principal = "customfield_12002", duration = "customfield_12003" }"#,
    ),
];

/// What asks for nothing by itself, and where it is posted.
const PASSED_OVER: [(&str, &str); 14] = [
    ("jira-cloud-issue_updated-declined", "jira-cloud"),
    ("jira-cloud-issue_updated-edited-after-approval", "jira-cloud"),
    ("jira-cloud-issue_updated-reopened", "jira-cloud"),
    ("jira-cloud-issue_updated-canceled", "jira-cloud"),
    ("jira-cloud-issue_created-with-initial-status", "jira-cloud"),
    ("jira-cloud-issue_deleted", "jira-cloud"),
    ("jira-cloud-issue_updated-moved", "jira-cloud"),
    (COMMENT, "jira-cloud"),
    ("snow-ritm-rejected", "servicenow"),
    ("snow-ritm-cancelled-after-approval", "servicenow"),
    ("snow-ritm-variables-edited-after-approval", "servicenow"),
    ("snow-change-canceled", "servicenow"),
    ("snow-change-reverted-to-new", "servicenow"),
    ("standard-webhooks-ticket-cancelled", "service-desk"),
];

/// What says that a ticket was approved, and where it is posted. Whether that is true, by whom it was approved, and all
/// else is read back: a hint about a self-approval is a hint too.
const TAKEN_IN: [(&str, &str); 11] = [
    (APPROVED, "jira-cloud"),
    ("jira-cloud-issue_updated-status-approved-but-approval-pending", "jira-cloud"),
    ("jira-cloud-issue_updated-self-approved", "jira-cloud"),
    ("jira-automation-custom-data", "automation"),
    ("jira-automation-issue-data-automation-format", "automation"),
    ("snow-ritm-approved", "servicenow"),
    ("snow-ritm-self-approved", "servicenow"),
    ("snow-approver-record-approved", "servicenow"),
    ("snow-change-approved", "servicenow"),
    (DISPLAY_VALUES, "display"),
    ("standard-webhooks-ticket-approved", "service-desk"),
];

/// How many tickets those are about, counted for each connection.
const TICKETS: usize = 6;

const APPROVED: &str = "jira-cloud-issue_updated-approved";
const COMMENT: &str = "jira-cloud-comment_created";
const DYNAMIC: &str = "jira-cloud-dynamic-issue_updated-approved";
const DISPLAY_VALUES: &str = "snow-ritm-approved-displayvalues-unsigned";
const FROM_DATA_CENTER: &str = "jira-dc-issue_updated-approved";

/// Of systems whose ways to sign stint does not know.
const OTHERS: [&str; 3] =
    ["zendesk-ticket-status_changed", "connectwise-callback-ticket", "freshservice-workflow-webhook-ticket-approved"];

/// The samples as they lie there; `None`, once said so, where they do not.
struct Samples(Value);

impl Samples {
    fn beside_the_project() -> Option<Self> {
        if !Path::new(FOLDER).exists() {
            println!("no contract lies beside the project: its samples are not tried");
            return None;
        }
        Some(Self(serde_json::from_slice(&file(VECTORS)).expect("the samples' headers")))
    }

    fn get(&self, name: &str) -> Webhook {
        let mut webhook = self.with_headers_of(name, &format!("{name}.json"));
        if name == DISPLAY_VALUES {
            webhook.basic(SNOW_USER, SNOW_PASSWORD);
        }
        webhook
    }

    fn with_headers_of(&self, name: &str, entry: &str) -> Webhook {
        let headers = self.0["headers"][entry].as_object().unwrap_or_else(|| panic!("no headers for {entry}"));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let headers = headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        Webhook { headers, body: file(&format!("{name}.json")) }
    }
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FOLDER).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn begins(overrides: &[(&str, &str)]) -> It {
    It::with(|setup| {
        let named = overrides.iter().map(|(key, value)| (format!("STINT__CONNECTIONS__{key}"), (*value).to_owned()));
        setup.overrides.extend(named);
    })
    .await
}

/// Posts a delivery when it was signed: status and body.
async fn post(it: &It, connection: &str, webhook: &Webhook) -> (u16, Value) {
    if let Some(at) = signed_at(webhook) {
        it.world.clock.set(at);
    }
    let seen = it.post_to(connection, webhook).await;
    (seen.status, seen.body)
}

fn signed_at(webhook: &Webhook) -> Option<Timestamp> {
    let seconds = webhook.header("webhook-timestamp")?.parse().expect("seconds");
    Some(Timestamp::from_second(seconds).expect("a moment"))
}

/// A later delivery of the same body: genuine, and known by another identifier.
fn later(webhook: &Webhook, id: &str) -> Webhook {
    let mut webhook = webhook.clone();
    match signed_at(&webhook) {
        Some(at) => {
            let secret = if webhook.header("user-agent").is_some() { SNOW_SECRET } else { DESK_SECRET };
            webhook.sign_standard(secret, id, at);
        }
        None => webhook.set_header("x-atlassian-webhook-identifier", id),
    }
    webhook
}

/// Posts what must prove nothing.
async fn refused(it: &It, connection: &str, webhook: &Webhook, why: &str) {
    let (status, body, _) = webhook.deliver(&it.world.webhook_url(connection)).await.expect("an answer");
    assert_eq!((status, body.len()), (401, 0), "{why}: {:?}", webhook.headers);
}

async fn stored(it: &It) -> i64 {
    sqlx::query_scalar("select count(*) from deliveries").fetch_one(&mut it.sql().await).await.expect("a count")
}

/// Ends without reading any ticket: the samples' are of no simulator.
async fn ends(it: It) {
    it.world.running.stop().await;
    it.world.service.store.close().await;
}

#[tokio::test]
async fn what_asks_for_nothing_is_passed_over_and_what_was_approved_is_taken_in_once() {
    let Some(samples) = Samples::beside_the_project() else { return };
    let it = begins(&CONNECTIONS).await;
    for (name, connection) in PASSED_OVER {
        for delivery in ["the first", "its repeat"] {
            let (status, body) = post(&it, connection, &samples.get(name)).await;
            assert!(status == 202 && body["ignored"].is_string(), "{name}, {delivery}: {status} {body}");
        }
    }
    assert_eq!(it.requests().await, 0);

    let mut taken = BTreeSet::new();
    for (name, connection) in TAKEN_IN {
        let (status, body) = post(&it, connection, &samples.get(name)).await;
        assert!(status == 202 && body["repeat"] == false, "{name}: {status} {body}");
        let (again, repeated) = post(&it, connection, &samples.get(name)).await;
        assert!(again == 200 && repeated["repeat"] == true, "{name}: {again} {repeated}");
        assert_eq!(body["request_id"], repeated["request_id"], "{name}");
        taken.insert(body["request_id"].as_str().expect("an id").to_owned());
    }
    let second = samples.with_headers_of(APPROVED, &format!("{APPROVED}.json (2nd delivery of the same event)"));
    let (status, body) = post(&it, "jira-cloud", &second).await;
    assert!(status == 200 && body["repeat"] == true, "{status} {body}");
    assert_eq!(taken.len(), TICKETS);
    assert_eq!(it.requests().await, i64::try_from(TICKETS).expect("a count"));

    // Once a request is open, what happens to its ticket is for it to look at.
    for (name, connection) in PASSED_OVER {
        let (status, body) = post(&it, connection, &later(&samples.get(name), &it.fresh_id())).await;
        let joined = body["request_id"].as_str().is_some_and(|id| taken.contains(id));
        assert!(status == 202 && (joined || name == COMMENT), "{name}: {status} {body}");
    }
    assert_eq!(it.requests().await, i64::try_from(TICKETS).expect("a count"));
    ends(it).await;
}

#[tokio::test]
async fn a_delivery_of_data_center_is_taken_in_without_an_identifier() {
    let Some(samples) = Samples::beside_the_project() else { return };
    let it = begins(&DATA_CENTER).await;
    let webhook = samples.get(FROM_DATA_CENTER);
    let (status, body) = post(&it, "jira-cloud", &webhook).await;
    assert!(status == 202 && body["request_id"].is_string(), "{status} {body}");
    let (status, again) = post(&it, "jira-cloud", &webhook).await;
    assert_eq!((status, &again["request_id"]), (200, &body["request_id"]));
    altered(&it, FROM_DATA_CENTER, "jira-cloud", &webhook).await;
    assert_eq!(stored(&it).await, 1);
    ends(it).await;
}

#[tokio::test]
async fn a_sample_altered_anywhere_proves_nothing() {
    let Some(samples) = Samples::beside_the_project() else { return };
    let it = begins(&CONNECTIONS).await;
    for (name, connection) in PASSED_OVER.into_iter().chain(TAKEN_IN) {
        altered(&it, name, connection, &samples.get(name)).await;
    }
    assert_eq!(stored(&it).await, 0, "what proves nothing was kept");
    ends(it).await;
}

/// Takes a genuine delivery and posts it with its proof, or what it proves, changed in every way that matters.
async fn altered(it: &It, name: &str, connection: &str, genuine: &Webhook) {
    let at = signed_at(genuine);
    if let Some(at) = at {
        it.world.clock.set(at);
    }
    let proof = ["x-hub-signature", "webhook-signature", "authorization"];
    let proof = proof.into_iter().find(|header| genuine.header(header).is_some()).expect("a proof");
    let mut bare = genuine.clone();
    bare.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(proof));
    refused(it, connection, &bare, &format!("{name} without its proof")).await;
    let mut foreign = bare.clone();
    match (proof, at) {
        ("x-hub-signature", _) => foreign.sign_jira_hub(STRANGER),
        ("webhook-signature", Some(at)) => {
            let id = genuine.header("webhook-id").expect("an id").to_owned();
            foreign.sign_standard(STRANGER, &id, at);
        }
        _ if connection == "display" => foreign.basic(SNOW_USER, STRANGER),
        _ => foreign.bearer(STRANGER),
    }
    refused(it, connection, &foreign, &format!("{name} proved by a stranger")).await;
    if proof == "authorization" {
        return;
    }
    for place in [0, genuine.body.len() / 2, genuine.body.len() - 1] {
        let mut changed = genuine.clone();
        changed.body[place] ^= 1;
        refused(it, connection, &changed, &format!("{name} with its byte {place} changed")).await;
    }
    let Some(at) = at else { return };
    for off in [-301, 301] {
        it.world.clock.set(at + seconds(off));
        refused(it, connection, genuine, &format!("{name} {off} seconds off")).await;
    }
    it.world.clock.set(at);
    for header in ["webhook-id", "webhook-timestamp"] {
        let mut changed = genuine.clone();
        changed.set_header(header, "1793694669");
        refused(it, connection, &changed, &format!("{name} with another {header}")).await;
    }
}

#[tokio::test]
async fn either_of_two_signatures_fits_while_a_desk_changes_its_secret() {
    let Some(samples) = Samples::beside_the_project() else { return };
    let it = begins(&CONNECTIONS).await;
    let both = samples.get("standard-webhooks-ticket-cancelled");
    for (secret, signature) in
        [DESK_SECRET_BEFORE, DESK_SECRET].into_iter().zip(both.header("webhook-signature").expect("two").split(' '))
    {
        let mut one = both.clone();
        one.set_header("webhook-signature", signature);
        let (status, body) = post(&it, "service-desk", &one).await;
        assert_eq!(status, 202, "{body}");
        let mut ours = both.clone();
        ours.headers.retain(|(name, _)| name != "webhook-signature");
        let id = both.header("webhook-id").expect("an id").to_owned();
        ours.sign_standard(secret, &id, signed_at(&both).expect("a moment"));
        assert_eq!(ours.header("webhook-signature"), Some(signature), "the samples are signed otherwise");
    }
    ends(it).await;
}

#[tokio::test]
async fn a_password_too_short_for_stint_proves_nothing() {
    let Some(samples) = Samples::beside_the_project() else { return };
    let it = begins(&CONNECTIONS).await;
    let short = samples.with_headers_of(DISPLAY_VALUES, &format!("{DISPLAY_VALUES}.json"));
    refused(&it, "display", &short, "by the sample's own password").await;
    ends(it).await;
}

#[tokio::test]
async fn a_dynamic_webhook_needs_a_signature_like_any_other() {
    let Some(_) = Samples::beside_the_project() else { return };
    let it = begins(&CONNECTIONS).await;
    let mut webhook = Webhook { headers: vec![], body: file(&format!("{DYNAMIC}.json")) };
    webhook.set_header("content-type", "application/json; charset=UTF-8");
    refused(&it, "jira-cloud", &webhook, "unsigned").await;
    webhook.sign_jira_hub(JIRA_SECRET);
    let (status, body) = post(&it, "jira-cloud", &webhook).await;
    assert!(status == 202 && body["request_id"].is_string(), "{status} {body}");
    ends(it).await;
}

#[tokio::test]
async fn other_systems_ways_to_sign_prove_nothing_and_their_bodies_are_no_tickets() {
    let Some(samples) = Samples::beside_the_project() else { return };
    let it = begins(&CONNECTIONS).await;
    for name in OTHERS {
        for connection in ["service-desk", "servicenow", "jira-cloud", "automation", "display"] {
            refused(&it, connection, &samples.get(name), name).await;
        }
    }
    let (status, body) = post(&it, "freshservice", &samples.get(OTHERS[2])).await;
    assert_eq!((status, &body["code"]), (400, &"bad-request".into()), "{body}");
    assert_eq!(stored(&it).await, 0);
    ends(it).await;
}

#[test]
fn every_sample_has_its_line_here() {
    let Some(_) = Samples::beside_the_project() else { return };
    let names = PASSED_OVER.into_iter().chain(TAKEN_IN).map(|(name, _)| name);
    let mut here: BTreeSet<_> = names.chain(OTHERS).chain([DYNAMIC, FROM_DATA_CENTER]).map(str::to_owned).collect();
    for entry in std::fs::read_dir(FOLDER).expect("the samples") {
        let name = entry.expect("a file").file_name().into_string().expect("a name");
        let Some(name) = name
            .strip_suffix(".json")
            .filter(|name| !name.starts_with("rest-") && *name != "_headers-and-test-vectors")
        else {
            continue;
        };
        assert!(here.remove(name), "{name} is not tried");
    }
    assert!(here.is_empty(), "no such samples: {here:?}");
}
