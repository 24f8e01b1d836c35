use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    tickets::{jira::fixtures::webhook, settings::WebhookScheme, verify},
};

/// The published vector (`contracts/tickets.md` C).
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const MESSAGE: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const SECONDS: i64 = 1_649_367_553;
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const PROOF: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

const OTHER: &str = "whsec_Zml4dHVyZS1wcmV2aW91cy1rZXktb2YtMzItYnl0ZXM=";

/// The vector's delivery, to be spoiled part by part.
#[derive(Clone)]
struct Sent {
    secrets: Vec<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How long after the signed time it arrives.
    late: i64,
}

impl Sent {
    fn vector() -> Self {
        let headers = [(ID, MESSAGE), (TIMESTAMP, "1649367553"), (SIGNATURE, PROOF)];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).into();
        Self { secrets: vec![SECRET.into()], headers, body: BODY.to_vec(), late: 0 }
    }

    fn secrets(self, secrets: &[&str]) -> Self {
        Self { secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(), ..self }
    }

    /// With this header instead, or without it.
    fn header(mut self, name: &'static str, values: &[&str]) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.extend(values.iter().map(|value| (name, (*value).to_owned())));
        self
    }

    fn late(self, late: i64) -> Self {
        Self { late, ..self }
    }

    fn check(&self) -> Result<(), Unverified> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        let secrets: Vec<_> = self.secrets.iter().map(String::as_str).collect();
        let now = Timestamp::from_second(SECONDS + self.late).expect("a time");
        let settings = webhook(WebhookScheme::StandardWebhooks, &secrets);
        verify(&settings, &headers, Bytes::from(self.body.clone()), now).map(drop)
    }
}

/// An Ed25519 key pair: the public half as its owner hands it out, and what signs.
fn pair() -> (String, Ed25519KeyPair) {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    (format!("whpk_{}", STANDARD.encode(pair.public_key().as_ref())), pair)
}

fn signed() -> Vec<u8> {
    [MESSAGE.as_bytes(), b".1649367553.", BODY].concat()
}

/// What the holder of these bytes as a shared key would send.
fn proof_by(key: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed())))
}

#[test]
fn the_published_vector_holds_and_nothing_else_in_its_place() {
    let vector = Sent::vector();
    assert_eq!(vector.check(), Ok(()));
    let mut spoiled = vector.clone();
    spoiled.body[3] ^= 1;
    assert_eq!(spoiled.check(), Err(Unverified::Mismatch));
    for (name, value) in
        [(ID, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpK"), (TIMESTAMP, "1649367554"), (TIMESTAMP, "01649367553")]
    {
        assert_eq!(vector.clone().header(name, &[value]).check(), Err(Unverified::Mismatch), "{value}");
    }
}

#[test]
fn each_of_the_three_headers_is_there_once_and_says_something() {
    for name in [ID, TIMESTAMP, SIGNATURE] {
        let vector = Sent::vector();
        let (_, value) = vector.headers.iter().find(|(other, _)| *other == name).cloned().expect("a header");
        assert_eq!(vector.clone().header(name, &[]).check(), Err(Unverified::Missing), "{name}");
        assert_eq!(vector.clone().header(name, &[""]).check(), Err(Unverified::Missing), "{name}");
        assert_eq!(vector.clone().header(name, &[&value, &value]).check(), Err(Unverified::Doubled), "{name}");
        assert_eq!(vector.clone().header(name, &[&value, ""]).check(), Err(Unverified::Doubled), "{name}");
        assert_eq!(vector.header(name, &["\u{e9}"]).check(), Err(Unverified::Malformed), "{name}");
    }
}

#[test]
fn an_id_with_a_dot_is_refused_although_its_signature_fits() {
    // The same signed bytes, cut elsewhere.
    let sent = Sent::vector().header(ID, &["a.b"]);
    let text = [b"a.b.1649367553.", BODY].concat();
    let key = STANDARD.decode(&SECRET[6..]).expect("Base64");
    let proof = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text));
    assert_eq!(sent.header(SIGNATURE, &[&format!("v1,{proof}")]).check(), Err(Unverified::Malformed));
}

#[test]
fn a_timestamp_is_decimal_digits() {
    for odd in
        ["+1649367553", "-1649367553", "1649367553.0", "0x1", "1e9", "1649367553 ", "now", "99999999999999999999"]
    {
        assert_eq!(Sent::vector().header(TIMESTAMP, &[odd]).check(), Err(Unverified::Malformed), "{odd:?}");
    }
}

#[test]
fn a_delivery_is_as_old_and_as_early_as_the_tolerance_and_no_more() {
    for late in [0, 1, -1, 300, -300] {
        assert_eq!(Sent::vector().late(late).check(), Ok(()), "{late}");
    }
    for late in [301, -301, 86_400, -86_400, SECONDS] {
        assert_eq!(Sent::vector().late(late).check(), Err(Unverified::Untimely), "{late}");
    }
    let far = Sent::vector().header(TIMESTAMP, &["9223372036854775807"]);
    assert_eq!(far.check(), Err(Unverified::Mismatch));
}

#[test]
fn whoever_has_no_key_does_not_learn_whether_the_time_was_right() {
    let forged = Sent::vector().header(SIGNATURE, &["v1,AAAA"]);
    assert_eq!(forged.check(), forged.clone().late(86_400).check());
}

#[test]
fn any_of_several_signatures_proves() {
    let foreign = proof_by(b"another key of the sender's, unknown here");
    for list in [
        format!("{foreign} {PROOF}"),
        format!("{PROOF} {foreign}"),
        format!("v2,{} {PROOF}", &PROOF[3..]),
        format!("v1,**** v1 ,,, {PROOF}"),
        format!("  {PROOF} "),
    ] {
        assert_eq!(Sent::vector().header(SIGNATURE, &[&list]).check(), Ok(()), "{list}");
    }
    assert_eq!(Sent::vector().header(SIGNATURE, &[&format!("{foreign} {foreign}")]).check(), Err(Unverified::Mismatch));
}

#[test]
fn other_versions_and_other_writings_of_the_signature_prove_nothing() {
    let bare = &PROOF[3..];
    let unpadded = PROOF.trim_end_matches('=');
    let url_safe = PROOF.replace('+', "-").replace('/', "_");
    let hex = hex::encode(STANDARD.decode(bare).expect("Base64"));
    for odd in [
        bare,
        unpadded,
        &url_safe,
        &format!("v1,{hex}"),
        &format!("V1,{bare}"),
        &format!("v2,{bare}"),
        &format!("v1a,{bare}"),
        &format!("v1={bare}"),
        &format!(",{bare}"),
        &PROOF[..PROOF.len() - 8],
        "v1,",
        "v1",
        ",",
        " ",
    ] {
        assert_eq!(Sent::vector().header(SIGNATURE, &[odd]).check(), Err(Unverified::Mismatch), "{odd:?}");
    }
}

#[test]
fn a_list_without_end_is_refused_unread() {
    let list = |n: usize| format!("{}{PROOF}", "v1,AAAA ".repeat(n - 1));
    assert_eq!(Sent::vector().header(SIGNATURE, &[&list(MAX_SIGNATURES)]).check(), Ok(()));
    assert_eq!(Sent::vector().header(SIGNATURE, &[&list(MAX_SIGNATURES + 1)]).check(), Err(Unverified::Malformed));
}

#[test]
fn the_current_and_the_previous_key_prove_and_no_other() {
    for secrets in [&[SECRET, OTHER], &[OTHER, SECRET]] {
        assert_eq!(Sent::vector().secrets(secrets).check(), Ok(()));
    }
    for secrets in [&[OTHER][..], &[], &["", "whsec_", "whpk_", "not a key"]] {
        assert_eq!(Sent::vector().secrets(secrets).check(), Err(Unverified::Mismatch));
    }
}

#[test]
fn a_public_key_proves_what_its_private_half_signed() {
    let (public, pair) = pair();
    let proof = format!("v1a,{}", STANDARD.encode(pair.sign(&signed())));
    let sent = Sent::vector().secrets(&[&public]).header(SIGNATURE, &[&proof]);
    assert_eq!(sent.check(), Ok(()));
    assert_eq!(sent.clone().late(301).check(), Err(Unverified::Untimely));
    assert_eq!(sent.clone().header(TIMESTAMP, &["1649367554"]).check(), Err(Unverified::Mismatch));
    let (another, _) = self::pair();
    assert_eq!(sent.clone().secrets(&[&another]).check(), Err(Unverified::Mismatch));
    assert_eq!(sent.clone().secrets(&[&another, &public]).check(), Ok(()), "rotation");
    assert_eq!(sent.secrets(&[SECRET, &public]).check(), Ok(()), "from v1 to v1a");
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_one() {
    let (public, pair) = pair();
    let known_to_all = pair.public_key().as_ref();
    let mut proofs = vec![proof_by(known_to_all), proof_by(public.as_bytes()), proof_by(b"")];
    proofs.extend(proofs.clone().iter().map(|proof| proof.replace("v1,", "v1a,")));
    for proof in proofs {
        let sent = Sent::vector().secrets(&[&public]).header(SIGNATURE, &[&proof]);
        assert_eq!(sent.check(), Err(Unverified::Mismatch), "{proof}");
    }
    let proof = STANDARD.encode(pair.sign(&signed()));
    let sent = Sent::vector().secrets(&[&public]).header(SIGNATURE, &[&format!("v1,{proof}")]);
    assert_eq!(sent.check(), Err(Unverified::Mismatch));
}

#[test]
fn a_key_has_the_form_in_which_it_is_handed_out() {
    let shared = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    for good in [24, 32, 64] {
        assert!(matches!(key(&shared(good)), Some(Key::Shared(key)) if key.len() == good), "{good}");
    }
    assert!(matches!(key(&STANDARD.encode([7; 32])), Some(Key::Shared(_))), "the prefix may be missing");
    assert!(matches!(key(&pair().0), Some(Key::Public(_))));
    let private = format!("whsk_{}", STANDARD.encode([7; 64]));
    for bad in [shared(0), shared(23), shared(65), private, "whpk_".into(), shared(32).replace("whsec", "whpk") + "A"] {
        assert!(key(&bad).is_none(), "{bad}");
    }
}

#[test]
fn another_scheme_is_not_proved_by_these_headers_nor_this_scheme_by_another() {
    let vector = Sent::vector();
    let mut headers = HeaderMap::new();
    for (name, value) in &vector.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
    }
    let now = Timestamp::from_second(SECONDS).expect("a time");
    let basic = WebhookScheme::Basic { username: "desk".into() };
    for scheme in [WebhookScheme::Bearer, basic, WebhookScheme::JiraHub] {
        let checked = verify(&webhook(scheme.clone(), &[SECRET]), &headers, Bytes::from_static(BODY), now).map(drop);
        assert_eq!(checked, Err(Unverified::Missing), "{scheme:?}");
    }
    let bearer = format!("Bearer {SECRET}");
    let only = Sent { headers: vec![("authorization", bearer)], ..vector };
    assert_eq!(only.check(), Err(Unverified::Missing));
}

/// The second the reference implementation takes for the present.
fn present() -> Timestamp {
    Clock::system().now()
}

proptest! {
    #[test]
    fn what_the_reference_implementation_signs_is_proved_and_it_proves_what_fits_here(
        body in "\\PC{0,200}",
        id in "msg_[A-Za-z0-9]{1,40}",
        bytes in prop::collection::vec(any::<u8>(), 24..=64),
        off in -290_i64..290,
        spoil in any::<prop::sample::Index>(),
    ) {
        let secret = format!("whsec_{}", STANDARD.encode(&bytes));
        let reference = standardwebhooks::Webhook::new(&secret).expect("a key");
        let now = present();
        let seconds = now.as_second() + off;
        let proof = reference.sign(&id, seconds, body.as_bytes()).expect("a signature");
        let headers = |proof: &str| {
            let values = [(ID, id.clone()), (TIMESTAMP, seconds.to_string()), (SIGNATURE, proof.to_owned())];
            let pair = |(name, value): (&'static str, String)| {
                (HeaderName::from_static(name), HeaderValue::from_str(&value).expect("a value"))
            };
            HeaderMap::from_iter(values.map(pair))
        };
        let ours = |proof: &str, body: &str| {
            let settings = webhook(WebhookScheme::StandardWebhooks, &[&secret]);
            verify(&settings, &headers(proof), Bytes::from(body.to_owned()), now).is_ok()
        };
        prop_assert!(ours(&proof, &body));
        prop_assert!(reference.verify(body.as_bytes(), &headers(&proof)).is_ok());
        let longer = format!("{body} ");
        prop_assert!(!ours(&proof, &longer));
        // One character of the list spoiled: both judge alike.
        let mut spoiled = proof.clone().into_bytes();
        let at = spoil.index(spoiled.len());
        spoiled[at] = if spoiled[at] == b'A' { b'B' } else { b'A' };
        let spoiled = String::from_utf8(spoiled).expect("a text");
        prop_assert_eq!(ours(&spoiled, &body), reference.verify(body.as_bytes(), &headers(&spoiled)).is_ok());
    }

    #[test]
    fn no_headers_make_the_check_panic(id in "\\PC{0,20}", seconds in "\\PC{0,20}|[0-9]{1,20}", list in "(v1|v1a|v2|,| |[A-Za-z0-9+/=]){0,20}") {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID, id), (TIMESTAMP, seconds), (SIGNATURE, list)] {
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { return Ok(()) };
            headers.insert(name, value);
        }
        let (public, _) = pair();
        let settings = webhook(WebhookScheme::StandardWebhooks, &[SECRET, &public]);
        prop_assert!(check(&settings, &headers, BODY, Timestamp::UNIX_EPOCH).is_err());
    }
}
