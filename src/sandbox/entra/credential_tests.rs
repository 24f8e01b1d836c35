//! How applications prove themselves to the simulated login service, and how what they prove it with is rotated.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::super::fault::Retry;
use super::super::story;
use super::super::testing::World;
use super::Issuer;
use super::tests::{Signer, by_assertion, by_secret, claims, graph_scope, number};

const TENANT: uuid::Uuid = story::TENANT;
const CLIENT: &str = story::CLIENT_ID;
const EXCHANGE: &str = "api://AzureADTokenExchange";

async fn secret_code(world: &World, secret: &str) -> i64 {
    number(&by_secret(world, secret, &graph_scope(world)).await.1)
}

async fn assertion_code(world: &World, signer: &Signer) -> i64 {
    number(&by_assertion(world, &signer.assertion(Algorithm::PS256, &claims(world))).await.1)
}

#[tokio::test]
async fn two_secrets_are_good_side_by_side_until_one_is_dropped_or_expires() {
    let world = World::story().await;
    let entra = &world.sandbox.entra;
    let scope = graph_scope(&world);
    entra.add_secret(TENANT, CLIENT, "the second");
    for secret in [story::CLIENT_SECRET, "the second"] {
        assert_eq!(by_secret(&world, secret, &scope).await.0, 200);
    }
    entra.drop_secret(TENANT, CLIENT, story::CLIENT_SECRET);
    assert_eq!(secret_code(&world, story::CLIENT_SECRET).await, 7_000_215);
    entra.expire_secret(TENANT, CLIENT, "the second");
    assert_eq!(secret_code(&world, "the second").await, 7_000_222);
}

#[tokio::test]
async fn two_certificates_are_good_side_by_side_until_one_is_dropped_expires_or_is_revoked() {
    let world = World::story().await;
    let entra = &world.sandbox.entra;
    let (first, second) = (Signer::new(), Signer::new());
    entra.register_app(TENANT, CLIENT, None, Some(&first.pem));
    assert_eq!(assertion_code(&world, &second).await, 700_027);
    entra.add_certificate(TENANT, CLIENT, &second.pem);
    for signer in [&first, &second] {
        let assertion = signer.assertion(Algorithm::PS256, &claims(&world));
        assert_eq!(by_assertion(&world, &assertion).await.0, 200);
    }
    entra.drop_certificate(TENANT, CLIENT, &first.pem);
    assert_eq!(assertion_code(&world, &first).await, 700_027);
    entra.expire_certificate(TENANT, CLIENT, &second.pem);
    assert_eq!(assertion_code(&world, &second).await, 1_000_502);
    entra.revoke_certificate(TENANT, CLIENT, &second.pem);
    assert_eq!(assertion_code(&world, &second).await, 7_000_214);
}

#[tokio::test]
async fn an_unknown_and_a_disabled_application_are_told_apart() {
    let world = World::story().await;
    let scope = graph_scope(&world);
    let form = [("grant_type", "client_credentials"), ("client_id", "stranger"), ("scope", scope.as_str())];
    assert_eq!(number(&world.login(&form).await.1), 700_016);
    world.sandbox.entra.disable_app(TENANT, CLIENT);
    assert_eq!(secret_code(&world, story::CLIENT_SECRET).await, 7_000_112);
}

#[tokio::test]
async fn another_issuers_token_is_good_as_agreed_and_may_come_again() {
    let world = World::story().await;
    let issuer = Issuer::new("https://cluster.example").unwrap();
    let subject = "system:serviceaccount:stint:stint";
    world.sandbox.entra.trust(TENANT, CLIENT, &issuer, subject, EXCHANGE);
    let good = issuer.token(subject, EXCHANGE, world.now(), 3600);
    for _ in 0..2 {
        assert_eq!(by_assertion(&world, &good).await.0, 200);
    }
    let namesake = Issuer::new("https://cluster.example").unwrap();
    for (token, code) in [
        (issuer.token("system:serviceaccount:stint:other", EXCHANGE, world.now(), 3600), 70_021),
        (issuer.token(subject, "api://AzureADTokenExchangeChina", world.now(), 3600), 70_021),
        (Issuer::new("https://elsewhere.example").unwrap().token(subject, EXCHANGE, world.now(), 3600), 70_021),
        (namesake.token(subject, EXCHANGE, world.now(), 3600), 700_027),
        (issuer.token(subject, EXCHANGE, world.now(), -3600), 700_024),
    ] {
        assert_eq!(number(&by_assertion(&world, &token).await.1), code);
    }
}

#[tokio::test]
async fn any_number_can_be_asked_for_and_strikes_as_often_as_asked() {
    let world = World::story().await;
    let entra = &world.sandbox.entra;
    entra.refuse_next(1, 50_196);
    assert_eq!(secret_code(&world, story::CLIENT_SECRET).await, 50_196);
    entra.throttle_next(1, Retry::Seconds(7));
    assert_eq!(by_secret(&world, story::CLIENT_SECRET, &graph_scope(&world)).await.0, 429);
    assert_eq!(by_secret(&world, story::CLIENT_SECRET, &graph_scope(&world)).await.0, 200);
}

/// Asks the metadata service; without the header when `honest` is false.
async fn ask_machine(world: &World, client_id: Option<&str>, honest: bool) -> (u16, Value) {
    let resource = format!("{}/", world.sandbox.graph.url());
    let mut query = vec![("api-version", "2018-02-01"), ("resource", resource.as_str())];
    query.extend(client_id.map(|id| ("client_id", id)));
    let mut url = url::Url::parse(&world.sandbox.entra.url()).unwrap().join("metadata/identity/oauth2/token").unwrap();
    url.query_pairs_mut().extend_pairs(query);
    let mut request = world.http.get(url);
    if honest {
        request = request.header("Metadata", "true");
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn the_metadata_service_gives_tokens_of_the_identities_the_machine_has() {
    let world = World::story().await;
    let entra = &world.sandbox.entra;
    assert_eq!(ask_machine(&world, Some(CLIENT), true).await.0, 400, "none is assigned");
    entra.assign_identity(TENANT, CLIENT, false);
    let (status, body) = ask_machine(&world, Some(CLIENT), true).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!("3599")));
    let caller = entra.caller(body["access_token"].as_str().unwrap()).unwrap();
    assert_eq!((caller.tenant, caller.client_id.as_str()), (TENANT, CLIENT));
    assert_eq!(ask_machine(&world, None, true).await.0, 200, "the only one needs no name");
    assert_eq!(ask_machine(&world, Some(CLIENT), false).await.0, 400, "without the header");

    entra.assign_identity(TENANT, "another", false);
    assert_eq!(ask_machine(&world, None, true).await.0, 400, "one of two needs a name");
    entra.assign_identity(TENANT, "its own", true);
    let (_, body) = ask_machine(&world, None, true).await;
    assert_eq!(entra.caller(body["access_token"].as_str().unwrap()).unwrap().client_id, "its own");
    entra.fail_identity_next(1, 410);
    assert_eq!(ask_machine(&world, None, true).await.0, 410);
}
