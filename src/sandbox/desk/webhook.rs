//! The deliveries the desk would have sent, and their Standard Webhooks signatures (`contracts/tickets.md C`).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::jira::Webhook;
use super::Desk;
use super::model::{State, TicketState};
use super::render::milliseconds;

/// Which event of a ticket is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskEvent {
    /// The latest approval.
    Approved,
    /// The latest change of status away from approved, or the deletion.
    Withdrawn,
}

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

impl Desk {
    /// A delivery that names the ticket and no more, for a receiver that reads back.
    #[must_use]
    pub fn webhook_for(&self, id: &str, event: DeskEvent) -> Webhook {
        self.with(id, |state, index, _| {
            let ticket = &state.tickets[index];
            event.delivery(ticket, &json!({"id": ticket.id, "number": ticket.number}))
        })
    }

    /// A delivery that carries the whole document as it is now, for a receiver that cannot read back.
    #[must_use]
    pub fn whole_webhook_for(&self, id: &str, event: DeskEvent) -> Webhook {
        self.with(id, |state: &mut State, index, _| {
            let ticket = &state.tickets[index];
            event.delivery(ticket, &self.document(state, ticket))
        })
    }
}

impl DeskEvent {
    fn delivery(self, ticket: &TicketState, row: &Value) -> Webhook {
        let kind = match self {
            Self::Approved => "ticket.approved",
            Self::Withdrawn => "ticket.withdrawn",
        };
        let timestamp = milliseconds(self.happened(ticket));
        let body = json!({"type": kind, "timestamp": timestamp, "data": {"ticket": row}});
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Webhook { headers, body: body.to_string().into_bytes() }
    }

    /// An approval happens when its last vote falls, whatever became of the ticket since.
    fn happened(self, ticket: &TicketState) -> Timestamp {
        let decided = || ticket.approvals.iter().filter_map(|approval| approval.decided).max();
        match self {
            Self::Approved => decided().unwrap_or(ticket.status_changed),
            Self::Withdrawn => ticket.status_changed,
        }
    }
}

/// Signs with a shared secret (`whsec_…`) as this id, sent at this time.
///
/// A delivery that already bears a signature for the same id and time gets another one, as a sender does while it
/// changes secrets; otherwise the old one is replaced.
///
/// # Panics
///
/// The secret is not Base64.
pub fn sign_v1(webhook: &mut Webhook, secret: &str, id: &str, at: Timestamp) {
    #[expect(clippy::expect_used, reason = "a test that signs with a malformed secret must hear of it at once")]
    let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).expect("a Base64 secret");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let tag = hmac::sign(&key, &signed_content(webhook, id, at));
    bear(webhook, &format!("v1,{}", STANDARD.encode(tag)), id, at);
}

/// Signs with a private key, otherwise like [`sign_v1`].
pub fn sign_v1a(webhook: &mut Webhook, key: &Ed25519KeyPair, id: &str, at: Timestamp) {
    let signature = key.sign(&signed_content(webhook, id, at));
    bear(webhook, &format!("v1a,{}", STANDARD.encode(signature)), id, at);
}

/// The public half as a receiver is given it: `whpk_…`.
#[must_use]
pub fn public_key(key: &Ed25519KeyPair) -> String {
    format!("whpk_{}", STANDARD.encode(key.public_key()))
}

fn signed_content(webhook: &Webhook, id: &str, at: Timestamp) -> Vec<u8> {
    let mut content = format!("{id}.{}.", at.as_second()).into_bytes();
    content.extend_from_slice(&webhook.body);
    content
}

fn bear(webhook: &mut Webhook, token: &str, id: &str, at: Timestamp) {
    let at = at.as_second().to_string();
    let same = webhook.header(ID) == Some(id) && webhook.header(TIMESTAMP) == Some(&at);
    let before = webhook.header(SIGNATURE).filter(|_| same);
    let tokens = before.map_or_else(|| token.to_owned(), |before| format!("{before} {token}"));
    webhook.set_header(ID, id);
    webhook.set_header(TIMESTAMP, at);
    webhook.set_header(SIGNATURE, tokens);
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const MESSAGE: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";

    fn published() -> (Webhook, Timestamp) {
        let body = br#"{"email":"test@example.com","username":"test_user"}"#.to_vec();
        (Webhook { headers: Vec::new(), body }, Timestamp::from_second(1_649_367_553).unwrap())
    }

    #[test]
    fn the_published_signature_vector_holds() {
        let (mut webhook, at) = published();
        sign_v1(&mut webhook, SECRET, MESSAGE, at);
        assert_eq!(webhook.header(SIGNATURE), Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="));
        assert_eq!((webhook.header(ID), webhook.header(TIMESTAMP)), (Some(MESSAGE), Some("1649367553")));
    }

    #[test]
    fn a_public_key_verifies_what_the_private_one_signed() {
        let (mut webhook, at) = published();
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        sign_v1a(&mut webhook, &key, MESSAGE, at);
        let signature = webhook.header(SIGNATURE).unwrap().strip_prefix("v1a,").unwrap();
        let public = STANDARD.decode(public_key(&key).strip_prefix("whpk_").unwrap()).unwrap();
        let content = signed_content(&webhook, MESSAGE, at);
        UnparsedPublicKey::new(&ED25519, public).verify(&content, &STANDARD.decode(signature).unwrap()).unwrap();
    }

    #[test]
    fn two_secrets_sign_side_by_side_and_a_new_attempt_starts_anew() {
        let (mut webhook, at) = published();
        sign_v1(&mut webhook, SECRET, MESSAGE, at);
        sign_v1(&mut webhook, "whsec_AAAA", MESSAGE, at);
        assert_eq!(webhook.header(SIGNATURE).unwrap().split(' ').count(), 2);
        sign_v1(&mut webhook, SECRET, MESSAGE, Timestamp::from_second(1_649_367_853).unwrap());
        assert_eq!(webhook.header(SIGNATURE).unwrap().split(' ').count(), 1);
    }
}
