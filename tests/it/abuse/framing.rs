//! Where one request ends and the next begins: nothing is taken for a request that another reader might have taken for a
//! body, or the other way round.

use stint::sandbox::Webhook;

use super::{
    Abuse, abuse, all_are_answered, asked, broken_off, closes, genuine, honest, impatient, posted, taken_in_as,
    with_body,
};

/// A delivery like it under another identifier.
fn named(webhook: &Webhook, name: &str) -> Webhook {
    let mut webhook = webhook.clone();
    webhook.set_header("X-Atlassian-Webhook-Identifier", name);
    webhook
}

/// What is hidden in a body: a request that would be taken in.
fn hidden(webhook: &Webhook) -> Vec<u8> {
    honest(&named(webhook, "smuggled"))
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

fn heads() -> Vec<Abuse> {
    let get = |lines: &str| format!("GET /openapi.json HTTP/1.1\r\nHost: stint\r\nConnection: close\r\n{lines}\r\n");
    // The bound holds for what is waited for; what arrives at once may be twice as long.
    let long = "x".repeat(100_000);
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    vec![
        abuse("honest", get(""), &[200]),
        abuse("HTTP/0.9", "GET /openapi.json\r\n", &[400]),
        abuse("no version", "GET /openapi.json\r\nHost: stint\r\n\r\n", &[400]),
        abuse("HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[]),
        abuse("HTTP/1.2", "GET /openapi.json HTTP/1.2\r\nHost: stint\r\n\r\n", &[400]),
        abuse("HTTP/3.0", "GET /openapi.json HTTP/3.0\r\nHost: stint\r\n\r\n", &[400]),
        abuse("a lower-case protocol", "GET /openapi.json http/1.1\r\nHost: stint\r\n\r\n", &[400]),
        abuse("TLS", tls, &[400]),
        abuse("SSH", "SSH-2.0-OpenSSH_9.6\r\n", &[400]),
        abuse("NULs", vec![0_u8; 64], &[400]),
        abuse("a line without an end", long.clone(), &[431]),
        abuse("line ends without an end", "\r\n".repeat(100_000), &[431]),
        // RFC 9112 2.2 lets a lone LF end a line; nothing follows from it, since what is chunked or has a length is not.
        abuse("lines that end with LF", "GET /openapi.json HTTP/1.1\nHost: stint\nConnection: close\n\n", &[200]),
        abuse("a lone CR in a value", get("X: a\rb\r\n"), &[400]),
        abuse("lines that end with CR", "GET /openapi.json HTTP/1.1\rHost: stint\r\r", &[400]),
        abuse("a NUL in a value", get("X: a\0b\r\n"), &[400]),
        abuse("a NUL in a name", get("X\0: a\r\n"), &[400]),
        abuse("a control character in a value", get("X: a\x01b\r\n"), &[400]),
        abuse("space before the colon", get("Content-Length : 0\r\n"), &[400]),
        abuse("space before the first name", "GET /openapi.json HTTP/1.1\r\n Host: stint\r\n\r\n", &[400]),
        abuse("a folded value", get("X: a\r\n b\r\n"), &[400]),
        abuse("a line without a colon", get("nothing\r\n"), &[400]),
        abuse("a nameless value", get(": a\r\n"), &[400]),
        abuse("a name that is none", get("(x): a\r\n"), &[400]),
        abuse("a name of other letters", get("Höst: a\r\n"), &[400]),
        abuse("a value of other letters", get("X: hö\r\n"), &[200]),
        abuse("a huge value", get(&format!("X: {long}\r\n")), &[431]),
        abuse("a huge name", get(&format!("{long}: x\r\n")), &[431]),
        abuse("a huge address", format!("GET /{long} HTTP/1.1\r\nHost: stint\r\n\r\n"), &[431]),
        abuse("100 headers more than two", get(&"A: b\r\n".repeat(100)), &[431]),
        abuse("98 headers more than two", get(&"A: b\r\n".repeat(98)), &[200]),
        abuse("a head that stops", "GET /openapi.json HTTP/1.1\r\nHost: st", &[]),
        broken_off("a head that breaks off", "GET /openapi.json HTTP/1.1\r\nHost: st", &[]),
        abuse("nothing", "", &[]),
        broken_off("nothing at all", "", &[]),
        // The name in it means nothing to stint.
        abuse("no host", "GET /openapi.json HTTP/1.1\r\nConnection: close\r\n\r\n", &[200]),
        abuse("two hosts", get("Host: another\r\n"), &[200]),
        abuse("HTTP/1.0", "GET /openapi.json HTTP/1.0\r\n\r\n", &[200]),
        abuse("garbage behind it", [asked("GET /docs HTTP/1.1", ""), b"\0\0\0\0".to_vec()].concat(), &[200]),
        abuse(
            "garbage behind one that leaves the connection open",
            "GET /livez HTTP/1.1\r\nHost: stint\r\n\r\n\0\0\0\0",
            &[404, 400],
        ),
    ]
}

/// Lengths that are none, none of which may be taken for one.
const NO_LENGTHS: [&str; 13] =
    ["+2", "-2", "0x2", "2 2", "2,2", "2, 2", "", "2.0", "2e0", "\u{0662}", "18446744073709551616", "a", "02x"];

fn lengths(webhook: &Webhook) -> Vec<Abuse> {
    let with = |lines: &str| posted(&named(webhook, "length"), &format!("Connection: close\r\n{lines}"), b"{}");
    let mut table: Vec<_> = NO_LENGTHS
        .iter()
        .map(|length| abuse(format!("the length {length:?}"), with(&format!("Content-Length: {length}\r\n")), &[400]))
        .collect();
    table.extend([
        abuse("two lengths", with("Content-Length: 2\r\nContent-Length: 3\r\n"), &[400]),
        abuse("two lengths, the first one longer", with("Content-Length: 3\r\nContent-Length: 2\r\n"), &[400]),
        // Said twice alike (RFC 9112 6.3); the body is not what was signed.
        abuse("the same length twice", with("Content-Length: 2\r\nContent-Length: 2\r\n"), &[401]),
        abuse("a length with a zero before it", with("Content-Length: 02\r\n"), &[401]),
        abuse("a length with a tab behind it", with("Content-Length: 2\t\r\n"), &[401]),
        // No body was meant, so an empty one proves nothing.
        abuse("no length", with(""), &[401]),
        abuse("the greatest length", with("Content-Length: 18446744073709551615\r\n"), &[431]),
        broken_off("a body shorter than said", with("Content-Length: 3\r\n"), &[400]),
        abuse("a body that stops", with("Content-Length: 3\r\n"), &[408]),
        abuse("a body longer than said", with("Content-Length: 1\r\n"), &[401]),
    ]);
    table
}

fn codings(webhook: &Webhook) -> Vec<Abuse> {
    let body = &webhook.body;
    let with = |lines: &str, body: &[u8]| posted(&named(webhook, "coded"), lines, body);
    let close = |lines: &str, body: &[u8]| with(&format!("Connection: close\r\n{lines}"), body);
    let coding = |value: &str, answers: &[u16]| {
        abuse(
            format!("the coding {value:?}"),
            close(&format!("Transfer-Encoding: {value}\r\n"), &chunked(b"{}")),
            answers,
        )
    };
    let pieces = |what: &str, bytes: &[u8], answers: &[u16]| {
        abuse(what, close("Transfer-Encoding: chunked\r\n", bytes), answers)
    };
    let long = "x".repeat(20_000);
    vec![
        abuse("in chunks", posted(&named(webhook, "chunks"), "Transfer-Encoding: chunked\r\n", &chunked(body)), &[202]),
        coding("xchunked", &[400]),
        coding("chunked, identity", &[400]),
        coding("identity", &[400]),
        coding("", &[400]),
        coding("chunked;q=1", &[400]),
        coding("\"chunked\"", &[400]),
        coding("chunked, x", &[400]),
        coding("\x0bchunked", &[400]),
        coding("gzip, chunked", &[400]),
        coding("CHUNKED", &[401]),
        abuse("space before the coding's colon", close("Transfer-Encoding : chunked\r\n", &chunked(b"{}")), &[400]),
        abuse(
            "a coding in HTTP/1.0",
            [b"POST /webhooks/jira-cloud HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), &chunked(b"{}")]
                .concat(),
            &[400],
        ),
        pieces("a size that is none", b"zz\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("a size below nothing", b"-2\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("a size with a prefix", b"0x2\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("a size beyond all", b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("the greatest size", b"ffffffffffffffff\r\n{}", &[408]),
        pieces("no size", b"\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("no end behind a chunk", b"2\r\n{}0\r\n\r\n", &[400]),
        pieces("a size that ends with LF", b"2\n{}\r\n0\r\n\r\n", &[400]),
        pieces("a chunk that ends with LF", b"2\r\n{}\n0\r\n\r\n", &[400]),
        pieces("space before a size", b" 2\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("a word behind a size", b"2 x\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("an extension", b"2;a=b\r\n{}\r\n0\r\n\r\n", &[401]),
        pieces("a huge extension", format!("2;{long}\r\n{{}}\r\n0\r\n\r\n").as_bytes(), &[400]),
        pieces("an extension with a line end", b"2;a\nb\r\n{}\r\n0\r\n\r\n", &[400]),
        pieces("trailers", b"2\r\n{}\r\n0\r\nX-Hub-Signature: sha256=00\r\n\r\n", &[401]),
        pieces("huge trailers", format!("2\r\n{{}}\r\n0\r\nX: {long}\r\n\r\n").as_bytes(), &[400]),
        pieces("no last chunk", b"2\r\n{}\r\n", &[408]),
        broken_off("chunks that break off", close("Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n"), &[400]),
    ]
}

/// Requests in requests: whatever the outer one is answered, the inner one is not seen.
fn smuggled(webhook: &Webhook) -> Vec<Abuse> {
    let inner = hidden(webhook);
    let outer = named(webhook, "outer");
    let length = format!("Content-Length: {}\r\n", inner.len() + 5);
    let behind_the_end = [b"0\r\n\r\n".as_slice(), &inner].concat();
    let both = |lines: &str| posted(&outer, lines, &behind_the_end);
    let by_length = |extra: &str| posted(&outer, &format!("Content-Length: {}\r\n{extra}", inner.len()), &inner);
    vec![
        // Read as chunked (RFC 9112 6.1): an empty body that proves nothing, and the connection is closed behind it.
        abuse("a length, then a coding", both(&format!("{length}Transfer-Encoding: chunked\r\n")), &[401]),
        abuse("a coding, then a length", both(&format!("Transfer-Encoding: chunked\r\n{length}")), &[401]),
        abuse(
            "a length, then a coding that is none",
            both(&format!("{length}Transfer-Encoding: xchunked\r\n")),
            &[400],
        ),
        abuse("two codings", both("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), &[400]),
        abuse(
            "two codings, the other way round",
            both("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
            &[400],
        ),
        abuse("the same coding twice", both("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), &[400]),
        abuse("a folded coding", both(&format!("{length}Transfer-Encoding:\r\n chunked\r\n")), &[400]),
        abuse("a hidden coding", both(&format!("{length}X: a\rTransfer-Encoding: chunked\r\n")), &[400]),
        abuse(
            "no length and none meant",
            posted(&outer, "Content-Length: 0\r\nContent-Length: 99\r\n", &inner),
            &[400],
        ),
        abuse("in the body", by_length("Connection: close\r\n"), &[401]),
        abuse(
            "in the body of a reading request",
            [
                format!(
                    "GET /openapi.json HTTP/1.1\r\nHost: stint\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    inner.len()
                )
                .as_bytes(),
                &inner,
            ]
            .concat(),
            &[200],
        ),
        abuse(
            "in the body of a request that is for nothing",
            [
                format!(
                    "POST /nothing HTTP/1.1\r\nHost: stint\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    inner.len()
                )
                .as_bytes(),
                &inner,
            ]
            .concat(),
            &[404],
        ),
        abuse(
            "behind an expectation",
            posted(
                &outer,
                &format!("Expect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n", inner.len()),
                &inner,
            ),
            &[401],
        ),
        abuse(
            "behind an upgrade",
            [asked("GET /openapi.json HTTP/1.1", "Upgrade: websocket\r\n"), inner.clone()].concat(),
            &[200],
        ),
        abuse("behind a tunnel", [asked("CONNECT stint:443 HTTP/1.1", ""), inner.clone()].concat(), &[404]),
    ]
}

#[tokio::test]
async fn whatever_is_no_request_is_refused_or_cut() {
    let it = impatient().await;
    all_are_answered(&it, &it.world.running.url, heads()).await;
    let ops = heads().into_iter().filter(|abuse| abuse.answers.iter().all(|status| *status >= 400));
    let ops = ops.filter(|abuse| !abuse.what.starts_with("garbage")).collect();
    all_are_answered(&it, &it.world.running.ops_url, ops).await;
    closes(it).await;
}

#[tokio::test]
async fn a_body_ends_where_every_reader_would_end_it() {
    let it = impatient().await;
    let webhook = genuine(&it);
    let table = lengths(&webhook).into_iter().chain(codings(&webhook)).collect();
    all_are_answered(&it, &it.world.running.url, table).await;
    assert_eq!((taken_in_as(&it, "chunks").await, taken_in_as(&it, "length").await), (1, 0));
    assert_eq!(taken_in_as(&it, "coded").await, 0);
    closes(it).await;
}

#[tokio::test]
async fn no_request_is_smuggled_in_another() {
    let it = impatient().await;
    let webhook = genuine(&it);
    all_are_answered(&it, &it.world.running.url, smuggled(&webhook)).await;
    assert_eq!((taken_in_as(&it, "smuggled").await, taken_in_as(&it, "outer").await), (0, 0));
    // Nothing is wrong with what was smuggled, or with two requests in a row.
    let once = named(&webhook, "plain-1");
    let first = posted(&once, &format!("Content-Length: {}\r\n", once.body.len()), &once.body);
    let both = [first, honest(&named(&webhook, "plain-2"))].concat();
    all_are_answered(&it, &it.world.running.url, vec![abuse("two in a row", both, &[202, 202])]).await;
    assert_eq!(taken_in_as(&it, "plain").await, 2);
    let last = honest(&with_body(&named(&webhook, "plain-3"), webhook.body.clone()));
    all_are_answered(&it, &it.world.running.url, vec![abuse("one more", last, &[202])]).await;
    closes(it).await;
}
