//! A canary in every secret: it shows in no log line, no answer and no row.

use stint::{
    outbound::Credential,
    sandbox::{
        graph::{Fault, FaultKind, On},
        jira::{IssueDraft, JiraFault, JiraFaultKind, JiraOn, WebhookKind},
        story,
    },
};

use crate::world::{It, SECRETS, minutes, watch};

#[tokio::test]
async fn no_secret_shows_in_logs_or_answers_even_when_everything_goes_wrong() {
    let answers = a_bad_day().await;
    for secret in SECRETS {
        assert!(!answers.contains(secret), "{secret} shows in an answer");
    }
    let (lines, leaks) = watch::lines_and_leaks();
    assert!(lines > 100, "only {lines} lines were read");
    assert_eq!(leaks, Vec::<String>::new());
}

#[test]
fn the_reader_of_the_log_would_see_a_secret() {
    watch::begins();
    // Not one of the stories' own, so that their check stays meaningful.
    let (before, _) = watch::lines_and_leaks();
    tracing::info!(target: "stint", "a line");
    assert!(watch::lines_and_leaks().0 > before);
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
