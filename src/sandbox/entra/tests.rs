//! The simulated login service, as a client meets it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde_json::{Value, json};

use super::super::story;
use super::super::testing::World;
use super::super::wire::guid;
use super::ApiToken;

pub(super) fn number(body: &Value) -> i64 {
    body["error_codes"][0].as_i64().unwrap()
}

pub(super) async fn by_secret(world: &World, secret: &str, scope: &str) -> (u16, Value) {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", story::CLIENT_ID),
        ("client_secret", secret),
        ("scope", scope),
    ];
    world.login(&form).await
}

pub(super) fn graph_scope(world: &World) -> String {
    format!("{}/.default", world.sandbox.graph.url())
}

#[tokio::test]
async fn only_the_current_secret_and_the_graph_scope_give_a_token() {
    let world = World::story().await;
    let scope = graph_scope(&world);
    let (status, body) = by_secret(&world, story::CLIENT_SECRET, &scope).await;
    assert_eq!((status, &body["expires_in"], &body["token_type"]), (200, &json!(3599), &json!("Bearer")));
    assert_eq!(number(&by_secret(&world, "wrong", &scope).await.1), 7_000_215);
    assert_eq!(number(&by_secret(&world, story::CLIENT_SECRET, "openid").await.1), 70011);

    world.sandbox.entra.set_secret(story::TENANT, story::CLIENT_ID, "rotated");
    assert_eq!(by_secret(&world, story::CLIENT_SECRET, &scope).await.0, 401);
    assert_eq!(by_secret(&world, "rotated", &scope).await.0, 200);
    assert_eq!(world.sandbox.entra.tokens_issued(), 2);
}

#[tokio::test]
async fn an_outage_lasts_as_many_calls_as_asked() {
    let world = World::story().await;
    world.sandbox.entra.fail_next(2, 503);
    let scope = graph_scope(&world);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(by_secret(&world, story::CLIENT_SECRET, &scope).await.0);
    }
    assert_eq!(seen, [503, 503, 200]);
}

pub(super) struct Signer {
    key: EncodingKey,
    pub(super) pem: String,
    thumbprint: String,
}

impl Signer {
    pub(super) fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
        Self {
            key: EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap(),
            pem: certificate.pem(),
            thumbprint: URL_SAFE_NO_PAD.encode(digest),
        }
    }

    pub(super) fn assertion(&self, algorithm: Algorithm, claims: &Value) -> String {
        let mut header = jsonwebtoken::Header::new(algorithm);
        header.x5t_s256 = Some(self.thumbprint.clone());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

pub(super) async fn by_assertion(world: &World, assertion: &str) -> (u16, Value) {
    let scope = graph_scope(world);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", story::CLIENT_ID),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
        ("scope", &scope),
    ];
    world.login(&form).await
}

pub(super) fn claims(world: &World) -> Value {
    let now = world.now().as_second();
    json!({
        "aud": format!("{}/{}/oauth2/v2.0/token", world.sandbox.entra.url(), story::TENANT),
        "iss": story::CLIENT_ID, "sub": story::CLIENT_ID, "jti": guid(),
        "iat": now, "nbf": now, "exp": now + 600,
    })
}

#[tokio::test]
async fn a_certificate_assertion_is_good_once_and_only_as_agreed() {
    let world = World::story().await;
    let signer = Signer::new();
    world.sandbox.entra.register_app(story::TENANT, story::CLIENT_ID, None, Some(&signer.pem));

    let good = signer.assertion(Algorithm::PS256, &claims(&world));
    assert_eq!(by_assertion(&world, &good).await.0, 200);
    assert_eq!(by_assertion(&world, &good).await.0, 401, "the same jti again");

    let old_style = signer.assertion(Algorithm::RS256, &claims(&world));
    assert_eq!(number(&by_assertion(&world, &old_style).await.1), 700_027);
    let stranger = Signer::new().assertion(Algorithm::PS256, &claims(&world));
    assert_eq!(number(&by_assertion(&world, &stranger).await.1), 700_027);

    let mut elsewhere = claims(&world);
    elsewhere["aud"] = json!("https://login.example/token");
    assert_eq!(number(&by_assertion(&world, &signer.assertion(Algorithm::PS256, &elsewhere)).await.1), 700_023);

    let late = signer.assertion(Algorithm::PS256, &claims(&world));
    world.pass(3600);
    assert_eq!(number(&by_assertion(&world, &late).await.1), 700_024);
}

#[tokio::test]
async fn an_api_token_verifies_against_the_published_key_until_the_key_rotates() {
    let world = World::story().await;
    let entra = &world.sandbox.entra;
    let token = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::NINA_ID, "Nina Keller", &["Stint.Auditor"]);
    let token = entra.issue_api_token(&token);

    let base = format!("{}/{}", entra.url(), story::TENANT);
    let configuration = get(&world, &format!("{base}/v2.0/.well-known/openid-configuration")).await;
    let keys_url = configuration["jwks_uri"].as_str().unwrap();
    let key = get(&world, keys_url).await["keys"][0].clone();
    assert!(key.get("alg").is_none());
    let issuer = key["issuer"].as_str().unwrap().replace("{tenantid}", &story::TENANT.to_string());
    assert_eq!(configuration["issuer"], issuer.as_str());

    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[story::API_AUDIENCE]);
    let decoding = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap()).unwrap();
    let read = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap();
    assert_eq!(read.claims["iss"], issuer.as_str());
    assert_eq!(read.claims["roles"], json!(["Stint.Auditor"]));
    assert_eq!(read.header.kid.as_deref(), key["kid"].as_str());

    entra.rotate_api_key();
    let new = get(&world, keys_url).await["keys"][0].clone();
    assert_ne!(new["kid"], key["kid"]);
}

#[tokio::test]
async fn a_hostile_header_goes_over_the_honest_one() {
    let world = World::story().await;
    let token = world.sandbox.entra.issue_api_token_with(json!({"alg": "none"}), json!({"sub": "x"}));
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["alg"], "none");
}

async fn get(world: &World, url: &str) -> Value {
    let response = world.http.get(url).send().await.unwrap();
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}
