//! Deliveries: what proves them, and what a proved one says.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use stint::{
    json,
    sandbox::{Webhook, story},
    tickets::{Heard, VerifiedBody, settings::WebhookScheme, verify},
};

use super::{
    ground::{BASIC, BEARER, GROUND, TOLD, connection, now},
    joined, parts,
    texts::texts_of,
};

/// Every connection with the parts that say which.
const CONNECTIONS: [&str; 6] = ["jira-cloud", "servicenow", "service-desk", "data-center", "display", "told"];

/// Nothing is proved but what a holder of the secret made for just this body.
pub fn signature(input: &[u8]) {
    let parts = parts(input);
    let [which, lines, body] = parts.as_slice() else { return };
    let name = CONNECTIONS[usize::from(which.first().copied().unwrap_or_default()) % CONNECTIONS.len()];
    let headers = headers(lines);
    let settings = &connection(name).webhook;
    let Ok(verified) = verify(settings, &headers, Bytes::copy_from_slice(body), now()) else { return };
    assert_eq!(verified.bytes(), body);
    assert!(verified.delivery_key().len() <= 210, "a key of any length");
    let secret = settings.secrets[0].expose_secret();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    let mut genuine = Webhook { headers: vec![], body: body.to_vec() };
    match &settings.scheme {
        WebhookScheme::JiraHub => {
            genuine.sign_jira_hub(secret);
            let given = text("x-hub-signature").expect("a proof");
            assert!(given.eq_ignore_ascii_case(genuine.header("x-hub-signature").expect("made")), "{given}");
        }
        WebhookScheme::StandardWebhooks => {
            let at: i64 = text("webhook-timestamp").expect("a time").parse().expect("a number");
            assert!(at.abs_diff(now().as_second()) <= 300, "{at} is too far away");
            let at = jiff::Timestamp::from_second(at).expect("a time");
            genuine.sign_standard(secret, &text("webhook-id").expect("an id"), at);
            let made = genuine.header("webhook-signature").expect("made");
            let given = text("webhook-signature").expect("a proof");
            assert!(given.split(' ').any(|one| one == made), "{given}");
        }
        WebhookScheme::Bearer => assert!(text("authorization").expect("a proof").ends_with(secret)),
        WebhookScheme::Basic { username } => {
            genuine.basic(username, secret);
            let made = genuine.header("authorization").expect("made").split_once(' ').expect("a scheme").1.to_owned();
            assert!(text("authorization").expect("a proof").ends_with(&made));
        }
    }
}

/// Headers, one a line; what is none is left out.
fn headers(lines: &[u8]) -> HeaderMap {
    let pairs = lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

fn proved(name: &str, body: &[u8]) -> Webhook {
    let mut webhook = Webhook { headers: vec![], body: body.to_vec() };
    match name {
        "jira-cloud" => webhook.sign_jira_hub(story::WEBHOOK_SECRET),
        "data-center" => webhook.bearer(BEARER),
        "display" => webhook.basic("rule", BASIC),
        "told" => webhook.sign_standard(TOLD, "msg_1", now()),
        "servicenow" => webhook.sign_standard(story::SNOW_WEBHOOK_SECRET, "msg_1", now()),
        _ => webhook.sign_standard(story::DESK_WEBHOOK_SECRET, "msg_1", now()),
    }
    webhook
}

/// Genuine ones, genuine ones of another body, and forgeries.
pub fn signed() -> Vec<Vec<u8>> {
    let mut seeds = vec![];
    for (n, name) in (0_u8..).zip(CONNECTIONS) {
        let webhook = proved(name, b"{}");
        let lines: Vec<_> = webhook.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let lines = lines.join("\n");
        for body in [b"{}".as_slice(), b"{ }", b""] {
            seeds.push(joined(&[&[n], lines.as_bytes(), body]));
        }
        let more = format!("{lines}\n{lines}");
        seeds.push(joined(&[&[n], more.as_bytes(), b"{}".as_slice()]));
    }
    seeds
}

/// A genuine delivery of this body.
fn delivered(name: &str, body: &[u8]) -> VerifiedBody {
    let webhook = proved(name, body);
    let lines: Vec<_> = webhook.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let headers = headers(lines.join("\n").as_bytes());
    verify(&connection(name).webhook, &headers, Bytes::copy_from_slice(body), now()).expect("a genuine delivery")
}

/// What is heard stands in the body, which is a document that everybody reads alike.
fn heard(name: &str, body: &[u8]) {
    let settings = connection(name);
    let said = match settings.system.hear(&delivered(name, body)) {
        Ok(Heard::Hint(hint)) => hint,
        Ok(Heard::Ignored(why)) => return assert!(!why.is_empty() && why.len() < 400, "{why}"),
        Err(_) => return,
    };
    let value = json::parse(body).expect("a document");
    assert!(value.is_object(), "an array for an object");
    let texts = texts_of(&value);
    let stands = |wanted: &str| texts.iter().any(|text| text.contains(wanted));
    let id = said.ticket.as_str().rsplit('/').next().expect("a part");
    assert!(!id.is_empty() && stands(id), "{id} is nowhere");
    assert!(stands(said.number.as_str()), "{} is nowhere", said.number);
    assert!(said.ticket.as_str().len() <= 255 && said.number.as_str().len() <= 255, "of any length");
    if let Some(told) = &said.told {
        assert_eq!((&told.ticket.id, &told.ticket.number), (&said.ticket, &said.number));
        super::tickets::is_no_more_than_said(&told.ticket, &texts, "");
    }
}

/// A body of Jira, to both kinds of its connections.
pub fn jira(body: &[u8]) {
    heard("jira-cloud", body);
    heard("data-center", body);
}

/// A body of ServiceNow.
pub fn servicenow(body: &[u8]) {
    heard("servicenow", body);
    heard("display", body);
}

/// A body of a standard system, one that is asked and one that is not.
pub fn standard(body: &[u8]) {
    heard("service-desk", body);
    heard("told", body);
}

macro_rules! bodies {
    ($($name:literal)*) => {
        vec![$(include_bytes!(concat!("../../tests/fixtures/", $name, ".json")).to_vec()),*]
    };
}

pub fn jira_bodies() -> Vec<Vec<u8>> {
    // The clock and the secrets are ready before the first body comes.
    let _ = &GROUND.clock;
    bodies!("jira/hook-approved" "jira/hook-canceled" "jira/hook-comment" "jira/hook-created-approved" "jira/hook-moved"
        "jira/hook-deleted" "jira/dc-hook-approved" "jira/dc-hook-moved" "jira/automation-custom" "jira/automation-issue")
}

pub fn servicenow_bodies() -> Vec<Vec<u8>> {
    bodies!("servicenow/hook-approver" "servicenow/hook-change-approved" "servicenow/hook-display"
        "servicenow/hook-item-approved")
}

pub fn standard_bodies() -> Vec<Vec<u8>> {
    bodies!("standard/hook-approved" "standard/hook-withdrawn" "standard/told-approved")
}
