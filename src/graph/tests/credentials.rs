//! Every kind of credential over the wire: what is sent, what is read again, and which of two identities it was.

use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    remove_order,
    server::{Asked, CLIENT, METADATA_PATH, Server, form, refusal, reply, token, token_call},
};
use crate::{
    domain::assignment::Answer,
    graph::{
        TenantGraph,
        settings::{App, AppCredential, Material},
    },
};

const REMOVING_APP: &str = "b7d3a9f0-6c21-4e58-9a04-d1f82c6e5b37";
const POST: &str = "POST /v1.0/roleManagement/directory/roleAssignmentScheduleRequests";
const IN_TIME: std::time::Duration = std::time::Duration::from_hours(1);

/// Files that hold credentials.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    /// The text, as it was read from a file at the start.
    fn material(&self, name: &str, text: &str) -> Material {
        self.write(name, text);
        Material::of_file(text, self.0.path().join(name))
    }
}

fn pair() -> (String, String) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
    let params = CertificateParams::new(vec!["stint.example".into()]).expect("parameters");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

fn secrets_sent(server: &Server) -> Vec<String> {
    server.asked(&token_call()).iter().map(|asked| form(asked)["client_secret"].clone()).collect()
}

/// By which certificate each assertion was signed, as its thumbprint.
fn thumbprints(server: &Server) -> Vec<String> {
    let of = |asked: &Asked| {
        let header = jsonwebtoken::decode_header(&form(asked)["client_assertion"]).expect("a header");
        header.x5t_s256.expect("a thumbprint")
    };
    server.asked(&token_call()).iter().map(of).collect()
}

async fn again(server: &Server, graph: &TenantGraph) -> Result<(), &'static str> {
    server.clock.advance(SignedDuration::from_hours(1));
    graph.token_works().await.map_err(|error| error.code())
}

#[tokio::test]
async fn a_refused_secret_gives_way_once_to_what_its_file_holds_now() {
    for code in [7_000_215, 7_000_222] {
        let (server, files) = (Server::start().await, Files::new());
        let graph = server.graph_with(AppCredential::Secret(files.material("secret", "the old one")), &server.url);
        graph.token_works().await.expect("a token");
        files.write("secret", "the new one\n");
        again(&server, &graph).await.expect("the old one while Entra takes it");
        server.on(&token_call(), [reply(401, refusal(code)), reply(200, token("by-the-new-one"))]);
        again(&server, &graph).await.expect("the new one");
        assert_eq!(secrets_sent(&server), ["the old one", "the old one", "the old one", "the new one"], "{code}");
        again(&server, &graph).await.expect("and the new one from now on");
        assert_eq!(secrets_sent(&server).last().map(String::as_str), Some("the new one"));
    }
}

#[tokio::test]
async fn a_refused_secret_without_a_successor_is_asked_with_once() {
    let (server, files) = (Server::start().await, Files::new());
    server.on(&token_call(), [reply(401, refusal(7_000_215))]);
    let of_file = files.material("secret", "the only one");
    for (secret, calls) in [(of_file, 1), (Material::fixed("by environment"), 2)] {
        let graph = server.graph_with(AppCredential::Secret(secret), &server.url);
        assert_eq!(graph.token_works().await.map_err(|error| error.code()), Err("graph-credential"));
        assert_eq!(server.tokens_asked(), calls);
    }
}

#[tokio::test]
async fn a_refused_secret_whose_successor_is_refused_too_or_unusable_is_refused() {
    let (server, files) = (Server::start().await, Files::new());
    server.on(&token_call(), [reply(401, refusal(7_000_215))]);
    let graph = server.graph_with(AppCredential::Secret(files.material("secret", "the old one")), &server.url);
    files.write("secret", "");
    assert_eq!(again(&server, &graph).await, Err("graph-credential"));
    files.write("secret", "the new one");
    assert_eq!(again(&server, &graph).await, Err("graph-credential"));
    assert_eq!(secrets_sent(&server), ["the old one", "the old one", "the new one"]);
}

#[tokio::test]
async fn a_new_pair_is_taken_up_at_the_next_fetch_and_half_of_one_never() {
    let (server, files) = (Server::start().await, Files::new());
    let ((certificate, key), (new_certificate, new_key)) = (pair(), pair());
    let credential = AppCredential::Certificate {
        certificate: files.material("c.pem", &certificate),
        private_key: files.material("k.pem", &key),
    };
    let graph = server.graph_with(credential, &server.url);
    graph.token_works().await.expect("a token");
    for half in [new_certificate.as_str(), "", &new_certificate[..200]] {
        files.write("c.pem", half);
        again(&server, &graph).await.expect("a token by the old pair");
    }
    files.write("c.pem", &new_certificate);
    files.write("k.pem", &new_key);
    again(&server, &graph).await.expect("a token by the new pair");
    let seen = thumbprints(&server);
    assert!(seen[..4].iter().all(|thumbprint| *thumbprint == seen[0]), "{seen:?}");
    assert_ne!(seen[4], seen[0]);
}

#[tokio::test]
async fn a_refused_certificate_is_read_again_once() {
    for code in [700_027, 7_000_274, 1_000_502] {
        let (server, files) = (Server::start().await, Files::new());
        let ((certificate, key), (new_certificate, new_key)) = (pair(), pair());
        let credential = AppCredential::Certificate {
            certificate: files.material("c.pem", &certificate),
            private_key: files.material("k.pem", &key),
        };
        let graph = server.graph_with(credential, &server.url);
        // Replaced while the old one is on its way: the file changes as Entra refuses.
        let folder = files.0.path().to_owned();
        server.when_a_token_is_asked(move || {
            std::fs::write(folder.join("c.pem"), &new_certificate).expect("written");
            std::fs::write(folder.join("k.pem"), &new_key).expect("written");
        });
        server.on(&token_call(), [reply(401, refusal(code)), reply(200, token("by-the-new-one"))]);
        graph.token_works().await.expect("a token");
        let seen = thumbprints(&server);
        assert!(seen.len() == 2 && seen[0] != seen[1], "{code}: {seen:?}");
    }
}

#[tokio::test]
async fn a_workloads_token_is_read_anew_each_time_and_sent_as_it_is() {
    let (server, files) = (Server::start().await, Files::new());
    files.write("token", "ey.J.first\n");
    let credential = AppCredential::WorkloadIdentity { token_file: files.0.path().join("token") };
    let graph = server.graph_with(credential, &server.url);
    graph.token_works().await.expect("a token");
    files.write("token", "ey.J.second");
    again(&server, &graph).await.expect("a token");
    files.write("token", "");
    assert_eq!(again(&server, &graph).await, Err("graph-credential"));
    let sent: Vec<_> = server.asked(&token_call()).iter().map(form).collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (sent[0]["client_assertion"].as_str(), sent[1]["client_assertion"].as_str()),
        ("ey.J.first", "ey.J.second")
    );
    assert_eq!(sent[0]["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(sent[0]["client_id"] == CLIENT && !sent[0].contains_key("client_secret"));
}

/// What the metadata service answers (`contracts/graph-samples/04`).
fn machines_token() -> Value {
    json!({
        "access_token": "opaque", "refresh_token": "", "expires_in": "3599", "expires_on": "1790003600",
        "not_before": "1790000000", "resource": "https://graph.microsoft.com/", "token_type": "Bearer",
    })
}

fn machine(server: &Server, system_assigned: bool) -> TenantGraph {
    let credential = AppCredential::ManagedIdentity { endpoint: server.url.clone(), system_assigned };
    server.graph_with(credential, &server.url)
}

#[tokio::test]
async fn a_machines_identity_is_asked_for_at_its_metadata_service_and_its_numbers_are_texts() {
    let server = Server::start().await;
    let call = format!("GET {METADATA_PATH}");
    server.on(&call, [reply(200, machines_token())]);
    for (system_assigned, name) in [(false, format!("&client_id={CLIENT}")), (true, String::new())] {
        machine(&server, system_assigned).token_works().await.expect("a token");
        let asked = server.asked(&call).pop().expect("a call");
        let resource = crate::outbound::segment(server.url.as_str());
        let query = format!("api-version=2018-02-01&resource={resource}{name}");
        assert_eq!(asked.uri.query(), Some(query.as_str()));
        assert_eq!(asked.headers["metadata"], "true");
        assert!(!asked.headers.contains_key("authorization"));
    }
    assert_eq!(server.tokens_asked(), 0);
}

#[tokio::test]
async fn a_machines_token_is_kept_until_five_minutes_before_its_end_too() {
    let server = Server::start().await;
    let call = format!("GET {METADATA_PATH}");
    server.on(&call, [reply(200, machines_token())]);
    let graph = machine(&server, false);
    for (after_secs, calls) in [(0, 1), (3298, 1), (1, 2)] {
        server.clock.advance(SignedDuration::from_secs(after_secs));
        let all = futures_util::future::join_all((0..4).map(|_| graph.token_works())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(server.asked(&call).len(), calls);
    }
}

#[tokio::test]
async fn a_metadata_service_that_is_away_is_asked_later_and_a_missing_identity_is_told() {
    for (status, code) in [
        (404, "graph-unavailable"),
        (410, "graph-unavailable"),
        (500, "graph-unavailable"),
        (429, "graph-throttled"),
        (400, "graph-credential"),
    ] {
        let server = Server::start().await;
        server.on(&format!("GET {METADATA_PATH}"), [reply(status, json!({"error": "invalid_request"}))]);
        let error = machine(&server, false).token_works().await.expect_err("no token");
        assert_eq!(error.code(), code, "{status}");
        assert_eq!(server.asked(&format!("GET {METADATA_PATH}")).len(), 1);
    }
}

fn with_remover(server: &Server) -> TenantGraph {
    let secret = |text: &str| AppCredential::Secret(Material::fixed(text));
    let remover = App { client_id: REMOVING_APP.into(), credential: secret("the remover's") };
    server.graph_of(secret("the main one's"), Some(remover), &server.url)
}

fn clients(server: &Server) -> Vec<String> {
    server.asked(&token_call()).iter().map(|asked| form(asked)["client_id"].clone()).collect()
}

#[tokio::test]
async fn only_removals_are_made_as_the_remover() {
    let server = Server::start().await;
    let graph = with_remover(&server);
    graph.assign(&super::assign_order(), IN_TIME).await;
    graph.cancel(&super::role_at("/"), "a4d81f36", super::call_id(), IN_TIME).await;
    let _ = graph.look(&super::holding()).await;
    assert_eq!(clients(&server), [CLIENT]);
    graph.remove(&remove_order(), IN_TIME).await;
    assert_eq!(clients(&server), [CLIENT, REMOVING_APP]);
    let bearers: Vec<_> = server.asked(POST).iter().map(|asked| asked.headers["authorization"].clone()).collect();
    assert_eq!(bearers, ["Bearer token-1", "Bearer token-2"]);
}

async fn both_work(graph: &TenantGraph) {
    graph.token_works().await.expect("a token");
    graph.remover_token_works().await.expect("a token of the remover");
}

#[tokio::test]
async fn a_refused_token_is_dropped_of_the_identity_that_was_refused() {
    let server = Server::start().await;
    let graph = with_remover(&server);
    both_work(&graph).await;
    assert_eq!(clients(&server), [CLIENT, REMOVING_APP]);
    server.on(POST, [reply(401, super::error_body("InvalidAuthenticationToken", "expired"))]);
    graph.remove(&remove_order(), IN_TIME).await;
    both_work(&graph).await;
    assert_eq!(clients(&server), [CLIENT, REMOVING_APP, REMOVING_APP]);
    graph.assign(&super::assign_order(), IN_TIME).await;
    both_work(&graph).await;
    assert_eq!(clients(&server), [CLIENT, REMOVING_APP, REMOVING_APP, CLIENT]);
}

#[tokio::test]
async fn a_refusal_says_which_of_two_identities_it_met() {
    let server = Server::start().await;
    server.on(&token_call(), [reply(200, token("good")), reply(401, refusal(700_016))]);
    let graph = with_remover(&server);
    graph.token_works().await.expect("the main one is known");
    let error = graph.remover_token_works().await.expect_err("the remover is not known");
    assert!(
        error
            .to_string()
            .contains(&format!("AADSTS700016: the application is not known in this tenant (remover {REMOVING_APP})")),
        "{error}"
    );
    let sent = graph.remove(&remove_order(), IN_TIME).await;
    let Answer::TenantRefused { code, detail } = sent.answer else { panic!("{:?}", sent.answer) };
    assert_eq!((code.as_str(), detail.matches("remover").count()), ("AADSTS700016", 1));

    let server = Server::start().await;
    server.on(POST, [reply(403, super::error_body("PermissionScopeNotGranted", "missing"))]);
    for (graph, whose) in
        [(with_remover(&server), format!("missing (remover {REMOVING_APP})")), (server.graph(), "missing".into())]
    {
        let Answer::TenantRefused { detail, .. } = graph.remove(&remove_order(), IN_TIME).await.answer else {
            panic!("a refusal")
        };
        assert_eq!(detail, whose);
    }
}
