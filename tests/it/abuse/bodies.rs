//! What is in a body: bombs, depth, odd texts, each genuinely signed so that it is looked at.

use serde_json::{Value, json};
use stint::sandbox::Webhook;

use super::{Abuse, abuse, all_are_answered, closes, genuine, honest, impatient, posted, with_body};

/// The longest body that is read.
const LONGEST: usize = 1024 * 1024;

/// The delivery with this body, under an identifier of its own: a repeat would get the answer of the first.
fn alone(webhook: &Webhook, what: &str, body: impl Into<Vec<u8>>) -> Vec<u8> {
    let mut webhook = with_body(webhook, body);
    let name: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    webhook.set_header("X-Atlassian-Webhook-Identifier", name);
    honest(&webhook)
}

/// Every object of the document, as a JSON pointer.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members.iter().map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        _ => vec![],
    };
    for (name, member) in members {
        objects(member, &format!("{at}/{name}"), found);
    }
}

fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                texts(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => (0..).zip(items).for_each(|(n, item)| texts(item, &format!("{at}/{n}"), found)),
        Value::String(_) => found.push(at.to_owned()),
        _ => {}
    }
}

/// The text of this object with its first member there twice.
fn doubled(document: &Value, at: &str) -> Option<String> {
    let object = document.pointer(at)?.as_object()?;
    let (name, member) = object.iter().next()?;
    let (whole, first) = (Value::Object(object.clone()).to_string(), json!({ name: member }).to_string());
    let twice = format!("{},{}", first.strip_suffix('}')?, whole.strip_prefix('{')?);
    Some(document.to_string().replacen(&whole, &twice, 1))
}

/// Each object with a key twice, each as an array, and each text with a NUL in it.
fn everywhere(webhook: &Webhook) -> Vec<Abuse> {
    let document: Value = serde_json::from_slice(&webhook.body).expect("json");
    let mut table = vec![];
    let mut push = |what: String, body: String, answers: &[u16]| {
        let sent = alone(webhook, &what, body);
        table.push(abuse(what, sent, answers));
    };
    let (mut object_places, mut text_places) = (vec![], vec![]);
    objects(&document, "", &mut object_places);
    texts(&document, "", &mut text_places);
    assert!(object_places.len() > 5 && text_places.len() > 20, "{document:#}");
    for at in &object_places {
        if let Some(body) = doubled(&document, at) {
            push(format!("a key twice at {at:?}"), body, &[400]);
        }
    }
    for at in &text_places {
        let mut spoilt = document.clone();
        *spoilt.pointer_mut(at).expect("a text") = json!("a\0b");
        push(format!("a NUL at {at:?}"), spoilt.to_string(), &[400]);
    }
    for (at, answers) in [("", [400]), ("/issue", [422]), ("/issue/fields", [202])] {
        let mut spoilt = document.clone();
        let object = spoilt.pointer_mut(at).expect("an object");
        *object = object.as_object().expect("an object").values().cloned().collect();
        push(format!("an array for the object at {at:?}"), spoilt.to_string(), &answers);
    }
    table
}

fn odd(webhook: &Webhook) -> Vec<Abuse> {
    let signed = |what: &str, body: &[u8], answers: &[u16]| abuse(what, alone(webhook, what, body), answers);
    let deep = |open: &str, close: &str, times: usize| [open.repeat(times), close.repeat(times)].concat();
    let in_a_text = |text: &[u8]| [b"{\"webhookEvent\":\"".as_slice(), text, b"\"}"].concat();
    let number = |text: &str| format!("{{\"webhookEvent\":\"x\",\"n\":{text}}}").into_bytes();
    vec![
        signed("nothing", b"", &[400]),
        signed("space", b" \r\n\t", &[400]),
        signed("null", b"null", &[400]),
        signed("an empty array", b"[]", &[400]),
        signed("an empty object", b"{}", &[422]),
        signed("a text", b"\"{}\"", &[400]),
        signed("two documents", b"{}{}", &[400]),
        signed("a form", b"a=b&c=d", &[400]),
        signed("a comment", b"{/**/}", &[400]),
        signed("a comma too many", b"{\"a\":1,}", &[400]),
        signed("NaN", b"{\"a\":NaN}", &[400]),
        signed("a byte-order mark", b"\xef\xbb\xbf{}", &[400]),
        signed("UTF-16", b"\xff\xfe{\0}\0", &[400]),
        signed("a depth bomb of arrays", deep("[", "]", 400_000).as_bytes(), &[400]),
        signed("a depth bomb that is not even closed", "[".repeat(1_000_000).as_bytes(), &[400]),
        signed(
            "a depth bomb of objects",
            format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).as_bytes(),
            &[400],
        ),
        signed("a wide array", format!("[{}1]", "1,".repeat(500_000)).as_bytes(), &[400]),
        signed(
            "many keys",
            format!("{{{}\"z\":1}}", (0..60_000).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat())
                .as_bytes(),
            &[422],
        ),
        signed("a long key", format!("{{\"{}\":1}}", "k".repeat(1_000_000)).as_bytes(), &[422]),
        signed("a lone surrogate", &in_a_text(b"\\ud800"), &[400]),
        signed("surrogates the wrong way round", &in_a_text(b"\\udc00\\ud800"), &[400]),
        signed("bytes that are no UTF-8", &in_a_text(b"\xff\xfe"), &[400]),
        signed("an overlong slash", &in_a_text(b"\xc0\xaf"), &[400]),
        signed("a surrogate in UTF-8", &in_a_text(b"\xed\xa0\x80"), &[400]),
        signed("beyond Unicode", &in_a_text(b"\xf4\x90\x80\x80"), &[400]),
        signed("a raw control character", &in_a_text(b"a\nb"), &[400]),
        signed("an escape that is none", &in_a_text(b"\\x41"), &[400]),
        signed("a NUL in a key", b"{\"a\\u0000\":1}", &[400]),
        signed("characters that mislead", &in_a_text("\u{202e}\u{2066}\u{e0041}".as_bytes()), &[202]),
        signed("a number beyond all", &number("1e999"), &[400]),
        signed("a number of many digits", &number(&"7".repeat(300)), &[202]),
        signed("a number of very many digits", &number(&"7".repeat(900_000)), &[400]),
        signed("a number with a sign", &number("+1"), &[400]),
        signed("a number in hex", &number("0x10"), &[400]),
        signed("a number with a zero before it", &number("01"), &[400]),
        signed("a small number of many digits", &number(&format!("0.{}1", "0".repeat(900_000))), &[202]),
    ]
}

fn sizes(webhook: &Webhook) -> Vec<Abuse> {
    let spaces = |length: usize| with_body(webhook, vec![b' '; length]);
    let unsigned = |length: usize| posted(&without_proof(webhook), &head(length), &vec![b' '; length]);
    let chunked = |length: usize| {
        let bytes = vec![b' '; length];
        let lines = "Connection: close\r\nTransfer-Encoding: chunked\r\n";
        posted(&spaces(length), lines, &[format!("{length:x}\r\n").as_bytes(), &bytes, b"\r\n0\r\n\r\n"].concat())
    };
    // What a compressed body would grow to is never looked at.
    let bomb = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), &[0x55; 1000]].concat();
    let encoded = |encoding: &str, answers: &[u16]| {
        let webhook = with_body(webhook, bomb.clone());
        let lines = format!("{}Content-Encoding: {encoding}\r\n", head(bomb.len()));
        abuse(format!("a body in {encoding}"), posted(&webhook, &lines, &bomb), answers)
    };
    vec![
        abuse("a body of the greatest length", honest(&spaces(LONGEST)), &[400]),
        abuse("a body one byte longer", honest(&spaces(LONGEST + 1)), &[413]),
        abuse("chunks of the greatest length", chunked(LONGEST), &[400]),
        abuse("chunks one byte longer", chunked(LONGEST + 1), &[413]),
        abuse("an unsigned body of the greatest length", unsigned(LONGEST), &[401]),
        abuse("an unsigned body one byte longer", unsigned(LONGEST + 1), &[413]),
        abuse(
            "a promise of 10 GB with an expectation",
            posted(webhook, "Expect: 100-continue\r\nContent-Length: 10000000000\r\n", b""),
            &[413],
        ),
        encoded("gzip", &[400]),
        encoded("deflate", &[400]),
        encoded("br", &[400]),
        encoded("identity", &[400]),
    ]
}

fn head(length: usize) -> String {
    format!("Connection: close\r\nContent-Length: {length}\r\n")
}

fn without_proof(webhook: &Webhook) -> Webhook {
    let mut webhook = webhook.clone();
    webhook.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-hub-signature"));
    webhook
}

#[tokio::test]
async fn bodies_of_every_odd_kind_are_refused_and_kept_small() {
    let it = impatient().await;
    let webhook = genuine(&it);
    all_are_answered(&it, &it.world.running.url, odd(&webhook)).await;
    all_are_answered(&it, &it.world.running.url, sizes(&webhook)).await;
    closes(it).await;
}

#[tokio::test]
async fn doubled_keys_and_nul_are_refused_wherever_they_stand() {
    let it = impatient().await;
    let webhook = genuine(&it);
    all_are_answered(&it, &it.world.running.url, everywhere(&webhook)).await;
    closes(it).await;
}
