//! However stint proves itself to Entra, it grants and removes; what it proves itself with changes while it serves.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::Value;
use stint::sandbox::{Issuer, Retry, graph::Entry, jira::IssueDraft, story};
use tempfile::TempDir;

use crate::{
    tried::revoke,
    world::{It, free_port, minutes, seconds},
};

/// The secret that follows the story's own.
pub const NEXT_SECRET: &str = "sandbox-entra-client-secret-0002";
/// The secret of the application that only removes.
pub const REMOVERS_SECRET: &str = "sandbox-entra-remover-secret-001";

/// That application.
pub const REMOVER: &str = "b7d3a9f0-6c21-4e58-9a04-d1f82c6e5b37";
const SUBJECT: &str = "system:serviceaccount:stint:stint";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const CREDENTIAL: &str = "CREDENTIAL";

/// A folder of credentials, as an operator keeps it.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    /// A secret's table for the configuration.
    fn secret(&self, name: &str, text: &str) -> String {
        format!("kind = 'secret', secret_file = '{}'", self.write(name, text))
    }

    /// Writes a new pair and answers its certificate.
    fn renew_pair(&self) -> String {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let params = CertificateParams::new(vec!["stint.example".into()]).expect("parameters");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        self.write("stint.crt", &certificate);
        self.write("stint.key", &key.serialize_pem());
        certificate
    }

    fn pair_table(&self) -> String {
        let path = |name| self.0.path().join(name).display().to_string();
        let (certificate, key) = (path("stint.crt"), path("stint.key"));
        format!("{{ kind = 'certificate', certificate_file = '{certificate}', private_key_file = '{key}' }}")
    }
}

async fn with_credential(table: String) -> It {
    It::with_tenant_keys(|_| vec![(CREDENTIAL, table)]).await
}

/// A ticket is granted; after its first minutes an operator ends it.
async fn granted_and_removed(it: &It) -> Value {
    let id = granted(it).await;
    it.pass(minutes(6)).await;
    revoke(it, &id).await;
    it.until(&id, "ended").await
}

async fn granted(it: &It) -> String {
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    id
}

fn callers(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.client_id.as_str()).collect()
}

/// One grant and one removal, by stint's own application.
async fn serves(it: It) {
    granted_and_removed(&it).await;
    assert_eq!(callers(&it.creates()), [story::CLIENT_ID]);
    assert_eq!(callers(&it.removals()), [story::CLIENT_ID]);
    it.ends().await;
}

#[tokio::test]
async fn by_a_secret() {
    let files = Files::new();
    let it = with_credential(format!("{{ {} }}", files.secret("secret", story::CLIENT_SECRET))).await;
    serves(it).await;
}

#[tokio::test]
async fn by_a_certificate() {
    let files = Files::new();
    let certificate = files.renew_pair();
    let it = with_credential(files.pair_table()).await;
    it.world.sandbox.entra.register_app(story::TENANT, story::CLIENT_ID, None, Some(&certificate));
    serves(it).await;
}

#[tokio::test]
async fn by_the_token_of_another_issuer_which_is_replaced_before_it_ends() {
    let (files, issuer) = (Files::new(), Issuer::new("https://cluster.example").expect("a key"));
    let file = files.write("token", "to.be.replaced");
    let it = with_credential(format!("{{ kind = 'workload-identity', token_file = '{file}' }}")).await;
    let entra = &it.world.sandbox.entra;
    entra.register_app(story::TENANT, story::CLIENT_ID, None, None);
    entra.trust(story::TENANT, story::CLIENT_ID, &issuer, SUBJECT, AUDIENCE);
    for _ in 0..2 {
        files.write("token", &issuer.token(SUBJECT, AUDIENCE, it.world.clock.now(), 3600));
        granted_and_removed(&it).await;
        it.pass(minutes(120)).await;
    }
    assert_eq!(callers(&it.creates()), [story::CLIENT_ID; 2]);
    assert_eq!(callers(&it.removals()), [story::CLIENT_ID; 2]);
    it.ends().await;
}

/// A world on a machine with an identity; its metadata service stands beside the login service.
async fn on_a_machine(keys: &str) -> It {
    let table = |port| format!("{{ kind = 'managed-identity', endpoint = 'http://127.0.0.1:{port}'{keys} }}");
    It::with_tenant_keys(|setup| {
        setup.ports.entra = free_port();
        vec![(CREDENTIAL, table(setup.ports.entra))]
    })
    .await
}

#[tokio::test]
async fn by_an_identity_assigned_to_the_machine() {
    let it = on_a_machine("").await;
    it.world.sandbox.entra.assign_identity(story::TENANT, story::CLIENT_ID, false);
    it.world.sandbox.entra.assign_identity(story::TENANT, "another", true);
    serves(it).await;
}

#[tokio::test]
async fn by_the_machines_own_identity() {
    let it = on_a_machine(", system_assigned = true").await;
    it.world.sandbox.entra.assign_identity(story::TENANT, "another", false);
    it.world.sandbox.entra.assign_identity(story::TENANT, story::CLIENT_ID, true);
    serves(it).await;
}

#[tokio::test]
async fn a_metadata_service_that_is_being_updated_is_waited_for() {
    for status in [404, 410, 429, 500, 503] {
        let it = on_a_machine("").await;
        it.world.sandbox.entra.assign_identity(story::TENANT, story::CLIENT_ID, false);
        it.world.sandbox.entra.fail_identity_next(2, status);
        granted_and_removed(&it).await;
        it.ends().await;
    }
}

#[tokio::test]
async fn a_secret_is_rotated_while_stint_serves() {
    let files = Files::new();
    let it = with_credential(format!("{{ {} }}", files.secret("secret", story::CLIENT_SECRET))).await;
    let entra = &it.world.sandbox.entra;
    granted_and_removed(&it).await;
    entra.add_secret(story::TENANT, story::CLIENT_ID, NEXT_SECRET);
    files.write("secret", &format!("{NEXT_SECRET}\n"));
    it.pass(minutes(120)).await;
    granted_and_removed(&it).await;
    // From here on only the new one is any good, and a token is needed at once.
    entra.drop_secret(story::TENANT, story::CLIENT_ID, story::CLIENT_SECRET);
    entra.revoke_tokens();
    granted_and_removed(&it).await;
    assert_eq!((it.creates().len(), it.removals().len()), (3, 3));
    it.ends().await;
}

#[tokio::test]
async fn an_expired_secret_is_rotated_while_stint_serves() {
    let files = Files::new();
    let it = with_credential(format!("{{ {} }}", files.secret("secret", story::CLIENT_SECRET))).await;
    let entra = &it.world.sandbox.entra;
    entra.add_secret(story::TENANT, story::CLIENT_ID, NEXT_SECRET);
    entra.expire_secret(story::TENANT, story::CLIENT_ID, story::CLIENT_SECRET);
    files.write("secret", NEXT_SECRET);
    granted_and_removed(&it).await;
    it.ends().await;
}

#[tokio::test]
async fn a_certificate_is_rotated_while_stint_serves_and_half_a_pair_harms_nobody() {
    let files = Files::new();
    let old = files.renew_pair();
    let it = with_credential(files.pair_table()).await;
    let entra = &it.world.sandbox.entra;
    entra.register_app(story::TENANT, story::CLIENT_ID, None, Some(&old));
    granted_and_removed(&it).await;

    let key_of_old = std::fs::read_to_string(files.0.path().join("stint.key")).expect("a key");
    let new = files.renew_pair();
    let key_of_new = std::fs::read_to_string(files.0.path().join("stint.key")).expect("a key");
    files.write("stint.key", &key_of_old);
    entra.add_certificate(story::TENANT, story::CLIENT_ID, &new);
    entra.revoke_tokens();
    granted_and_removed(&it).await;

    files.write("stint.key", &key_of_new);
    entra.drop_certificate(story::TENANT, story::CLIENT_ID, &old);
    entra.revoke_tokens();
    granted_and_removed(&it).await;
    assert_eq!((it.creates().len(), it.removals().len()), (3, 3));
    it.ends().await;
}

async fn with_remover(files: &Files) -> It {
    let table = format!("{{ client_id = '{REMOVER}', {} }}", files.secret("remover", REMOVERS_SECRET));
    let it = It::with_tenant_keys(|_| vec![("REMOVER", table)]).await;
    it.world.sandbox.entra.register_app(story::TENANT, REMOVER, Some(REMOVERS_SECRET), None);
    it
}

#[tokio::test]
async fn a_remover_makes_every_removal_and_nothing_else() {
    let files = Files::new();
    let it = with_remover(&files).await;
    granted_and_removed(&it).await;
    it.world.sandbox.graph.set(|knobs| knobs.granted_forever = true);
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.work().await;
    revoke(&it, &id).await;
    it.until(&id, "ended").await;
    let ledger = it.world.sandbox.graph.ledger();
    for action in ["adminAssign", "adminRemove", "cancel"] {
        let by: Vec<_> = ledger.iter().filter(|entry| entry.action.eq_ignore_ascii_case(action)).collect();
        let wanted = if action == "adminRemove" { REMOVER } else { story::CLIENT_ID };
        assert!(!by.is_empty() && by.iter().all(|entry| entry.client_id == wanted), "{action}: {by:?}");
    }
    it.ends().await;
}

#[tokio::test]
async fn a_remover_that_cannot_sign_in_holds_the_removal_and_is_named() {
    let files = Files::new();
    let it = with_remover(&files).await;
    it.world.sandbox.entra.disable_app(story::TENANT, REMOVER);
    let id = granted(&it).await;
    it.pass(minutes(6)).await;
    revoke(&it, &id).await;
    it.work().await;
    let waiting = it.document(&id).await;
    assert!(waiting.to_string().contains("AADSTS7000112"), "{waiting:#}");
    assert!(waiting.to_string().contains(&format!("(remover {REMOVER})")), "{waiting:#}");
    assert!(it.removals().is_empty());
    it.world.sandbox.entra.register_app(story::TENANT, REMOVER, Some(REMOVERS_SECRET), None);
    it.until(&id, "ended").await;
    it.ends().await;
}

/// A request whose tenant is refused a token as `refuse` says, and how it stands then.
async fn refused(it: &It, what: &str, is_so: impl Fn(&Value) -> bool) -> String {
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until_true(&id, what, is_so).await;
    assert!(it.creates().is_empty(), "{what}");
    id
}

#[tokio::test]
async fn each_refusal_for_good_is_told_by_its_code_until_somebody_lifts_it() {
    for code in [
        7_000_215, 7_000_222, 700_027, 7_000_274, 700_024, 1_000_502, 7_000_214, 7_000_277, 700_016, 7_000_112, 70_011,
        90_002, 900_023, 70_021,
    ] {
        let it = It::begins().await;
        it.world.sandbox.entra.refuse_next(usize::MAX, code);
        let told = format!("AADSTS{code}");
        let id = refused(&it, &told, |document| document["hold"].to_string().contains("graph-credential")).await;
        let document = it.document(&id).await;
        assert!(document.to_string().contains(&format!("{told}:")), "{document:#}");
        it.world.sandbox.entra.refuse_next(0, code);
        it.until(&id, "active").await;
        it.until(&id, "ended").await;
        it.ends().await;
    }
}

#[tokio::test]
async fn a_loop_a_throttle_and_an_outage_are_waited_out() {
    for strike in [
        |it: &It| it.world.sandbox.entra.refuse_next(3, 50_196),
        |it: &It| it.world.sandbox.entra.throttle_next(3, Retry::Seconds(7)),
        |it: &It| it.world.sandbox.entra.throttle_next(3, Retry::Absent),
        |it: &It| it.world.sandbox.entra.fail_next(3, 500),
        |it: &It| it.world.sandbox.entra.fail_next(3, 503),
    ] {
        let it = It::begins().await;
        strike(&it);
        let id = granted(&it).await;
        let document = it.document(&id).await.to_string();
        assert!(!document.contains("graph-credential"), "{document}");
        it.until(&id, "ended").await;
        it.ends().await;
    }
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_its_end_once_for_all_who_need_it() {
    let it = It::begins().await;
    let entra = &it.world.sandbox.entra;
    let tickets: Vec<_> = (0..6).map(|_| it.approved(IssueDraft::default())).collect();
    it.taken_in(&tickets[0]).await;
    it.work().await;
    let begun = it.world.clock.now();
    assert_eq!(entra.tokens_issued(), 1);
    it.world.clock.set(begun + seconds(3298));
    it.taken_in(&tickets[1]).await;
    it.work().await;
    assert_eq!(entra.tokens_issued(), 1, "six minutes are enough");
    it.world.clock.set(begun + seconds(3299));
    for ticket in &tickets[2..] {
        it.taken_in(ticket).await;
    }
    it.work().await;
    assert_eq!(entra.tokens_issued(), 2);
    it.pass(minutes(60 * 40)).await;
    it.ends().await;
}
