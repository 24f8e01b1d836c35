//! A canary in every secret: it shows in no log line, no answer and no row.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use stint::{
    outbound::Credential,
    sandbox::{
        graph::{Fault, FaultKind, On},
        jira::{IssueDraft, JiraFault, JiraFaultKind, JiraOn, WebhookKind},
        story,
    },
};
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{It, minutes};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn no_secret_shows_in_logs_or_answers_even_when_everything_goes_wrong() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // Only this thread's lines are caught, so the whole story runs on it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answers = tracing::subscriber::with_default(subscriber, || runtime.block_on(a_bad_day()));
    let mut text = String::from_utf8_lossy(&log.0.lock().expect("not poisoned")).into_owned();
    assert!(text.contains("request moved"), "nothing was caught");
    text.push_str(&answers);
    for secret in [story::CLIENT_SECRET, story::JIRA_TOKEN, story::WEBHOOK_SECRET, "Bearer ey", "Basic "] {
        assert!(!text.contains(secret), "{secret} shows: {}", around(&text, secret));
    }
}

fn around(text: &str, secret: &str) -> String {
    let place = text.find(secret).unwrap_or(0);
    text.chars().skip(text[..place].chars().count().saturating_sub(300)).take(600).collect()
}

async fn a_bad_day() -> String {
    let it = It::begins().await;
    let mut answers = Vec::new();
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let mut forged = it.world.sandbox.jira.webhook_for(&ticket, WebhookKind::Updated);
    forged.set_header("Authorization", format!("Bearer {}", story::WEBHOOK_SECRET));
    answers.push(format!("{:?}", it.post(&forged).await));
    it.world.sandbox.jira.fault(JiraFault::once(JiraOn::Issue, JiraFaultKind::Status(401)));
    it.world.sandbox.jira.fault(JiraFault::once(JiraOn::Comment, JiraFaultKind::DropAfterCommit));
    it.world.sandbox.entra.fail_next(1, 401);
    it.world.sandbox.graph.fault(Fault::once(On::ReadInstances, FaultKind::Html(502)));
    it.world.sandbox.graph.fault(Fault::once(On::Create, FaultKind::DropAfterCommit));
    let id = it.taken_in(&ticket).await;
    answers.push(it.until(&id, "ended").await.to_string());
    it.pass(minutes(10)).await;
    for path in ["/v1/requests", "/v1/requests?limit=x", "/nowhere"] {
        answers.push(format!("{:?}", it.get(path, &it.auditor()).await));
        answers.push(format!("{:?}", it.get(path, "not-a-token").await));
    }
    let metrics = it.fetch(&it.world.running.ops_url, "/metrics", &Credential::Nobody).await;
    answers.push(format!("{metrics:?}"));
    it.ends().await;
    answers.concat()
}
