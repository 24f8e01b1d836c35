//! Good traffic amid a crowd: more callers than there are places keep stint waiting in every way there is, and each good
//! delivery is answered all the same. No timer helps: they are longer than the test.

use std::time::Duration;

use stint::{
    http::serve::Limits,
    sandbox::jira::{IssueDraft, WebhookKind},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{abuse, address, answers_to, closes, honest, is_unharmed, statuses};
use crate::world::It;

const PLACES: usize = 8;
/// Each of them once for each good delivery, over and over.
const KINDS: [&[u8]; 6] = [
    b"",
    b"POST /webhooks/jira-cloud HTTP/1.1\r\nHost: st",
    b"POST /webhooks/jira-cloud HTTP/1.1\r\nHost: stint\r\nContent-Length: 1000\r\n\r\n{\"a",
    b"POST /webhooks/jira-cloud HTTP/1.1\r\nHost: stint\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{",
    b"POST /webhooks/jira-cloud HTTP/1.1\r\nHost: stint\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
    b"GET /openapi.json HTTP/1.1\r\nHost: stint\r\n\r\n",
];

#[tokio::test]
async fn every_good_delivery_is_answered_while_a_crowd_holds_all_places() {
    let it = It::with(|setup| {
        let long = Duration::from_mins(10);
        setup.surroundings.inbound =
            Limits { connections: PLACES, header_time: long, body_time: long, write_time: long, ..Limits::default() };
    })
    .await;
    let address = address(&it.world.running.url);
    let mut crowd = vec![];
    for kind in KINDS.iter().cycle().take(PLACES * 8) {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        // The place may be another's already.
        let _ = stream.write_all(kind).await;
        crowd.push(stream);
        let ticket = it.approved(IssueDraft::default());
        let good = abuse("good", honest(&it.world.webhook(&ticket, WebhookKind::Updated)), &[202]);
        let answer = tokio::time::timeout(Duration::from_secs(30), answers_to(&address, &good)).await;
        assert_eq!(statuses(&answer.expect("answered without a timer's help"), "good"), [202]);
    }
    assert_eq!(it.requests().await, i64::try_from(crowd.len()).expect("a count"));
    is_unharmed(&it).await;
    closes(it).await;
}
