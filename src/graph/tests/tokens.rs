//! Tokens over the wire: one call for all who wait, kept while good, signed by the certificate.

use futures_util::future::join_all;
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::Value;

use super::server::{Asked, Server, TOKEN_PATH, form, refusal, reply, token, token_call};
use crate::graph::settings::{AppCredential, Material};

#[tokio::test]
async fn whoever_waits_for_a_token_shares_one_call() {
    let server = Server::start().await;
    let graph = server.graph();
    let all = join_all((0..8).map(|_| graph.token_works())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(server.tokens_asked(), 1);
}

#[tokio::test]
async fn a_failure_is_shared_for_a_moment_and_then_tried_again() {
    let server = Server::start().await;
    server.on(&token_call(), [reply(503, ""), reply(200, token("late"))]);
    let graph = server.graph();
    let all = join_all((0..8).map(|_| graph.token_works())).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(server.tokens_asked(), 1);
    server.clock.advance(SignedDuration::from_secs(2));
    graph.token_works().await.expect("a token");
    assert_eq!(server.tokens_asked(), 2);
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_its_end() {
    let server = Server::start().await;
    let graph = server.graph();
    for (after_secs, calls) in [(0, 1), (3298, 1), (1, 2)] {
        server.clock.advance(SignedDuration::from_secs(after_secs));
        graph.token_works().await.expect("a token");
        assert_eq!(server.tokens_asked(), calls);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_used_until_its_end_and_renewal_is_tried_now_and_then() {
    let server = Server::start().await;
    server.on(&token_call(), [reply(200, token("old")), reply(503, "")]);
    let graph = server.graph();
    graph.token_works().await.expect("a token");
    server.clock.advance(SignedDuration::from_secs(3299));
    for calls in [2, 2, 3] {
        graph.token_works().await.expect("the old token");
        assert_eq!(server.tokens_asked(), calls);
        server.clock.advance(SignedDuration::from_secs(1));
    }
    server.clock.advance(SignedDuration::from_secs(297));
    assert!(graph.token_works().await.is_err(), "it has ended");
    server.on(&token_call(), [reply(200, token("new"))]);
    server.clock.advance(SignedDuration::from_secs(2));
    graph.token_works().await.expect("a new token");
}

#[tokio::test]
async fn a_secret_travels_in_the_form_and_nowhere_else() {
    let server = Server::start().await;
    server.on(&token_call(), [reply(401, refusal(7_000_215))]);
    let graph = server.graph();
    let error = graph.token_works().await.expect_err("a wrong secret");
    assert_eq!(error.code(), "graph-credential");
    assert!(!format!("{error} {error:?} {graph:?}").contains("s3cret"));
    let sent = form(&server.asked(&token_call())[0]);
    let scope = format!("{}/.default", server.url.as_str().trim_end_matches('/'));
    assert_eq!((sent["client_secret"].as_str(), sent["scope"].as_str()), ("s3cret & more", scope.as_str()));
    assert_eq!(sent["grant_type"], "client_credentials");
}

fn certificate() -> (AppCredential, KeyPair) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
    let params = CertificateParams::new(vec!["stint.example".into()]).expect("parameters");
    let credential = AppCredential::Certificate {
        certificate: Material::fixed(params.self_signed(&key).expect("a certificate").pem()),
        private_key: Material::fixed(key.serialize_pem()),
    };
    (credential, key)
}

/// The `jti` of an assertion that this key signed for this server.
fn verified(server: &Server, asked: &Asked, key: &KeyPair) -> String {
    let sent = form(asked);
    assert_eq!(sent["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(!sent.contains_key("client_secret"));
    let mut wanted = Validation::new(Algorithm::PS256);
    wanted.set_audience(&[format!("{}{}", server.url.as_str().trim_end_matches('/'), TOKEN_PATH)]);
    wanted.set_issuer(&[&sent["client_id"]]);
    // The server's clock stands in 2026; the lifetime is compared with that below.
    wanted.validate_exp = false;
    let public = DecodingKey::from_rsa_der(key.public_key_raw());
    let token = jsonwebtoken::decode::<Value>(&sent["client_assertion"], &public, &wanted).expect("genuine");
    let now = super::start().as_second();
    assert_eq!((token.claims["nbf"].as_i64(), token.claims["exp"].as_i64()), (Some(now), Some(now + 300)));
    assert_eq!(token.header.x5t_s256.map(|thumbprint| thumbprint.len()), Some(43));
    token.claims["jti"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_certificate_signs_a_fresh_assertion_for_each_try() {
    let server = Server::start().await;
    server.on(&token_call(), [reply(401, refusal(700_024)), reply(200, token("good"))]);
    let (credential, key) = certificate();
    let graph = server.graph_with(credential, &server.url);
    graph.token_works().await.expect("a token at the second try");
    let asked = server.asked(&token_call());
    let ids: Vec<_> = asked.iter().map(|asked| verified(&server, asked, &key)).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn an_assertion_refused_twice_is_refused_for_good() {
    for code in [700_024, 700_027, 7_000_274] {
        let server = Server::start().await;
        server.on(&token_call(), [reply(401, refusal(code))]);
        let (credential, _) = certificate();
        let error = server.graph_with(credential, &server.url).token_works().await.expect_err("refused");
        assert_eq!((error.code(), server.tokens_asked()), ("graph-credential", 2));
    }
}
