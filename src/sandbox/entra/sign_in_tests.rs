//! Signing in to the page, as a browser goes through it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use super::super::story;
use super::super::testing::World;
use super::tests::number;

const BACK: &str = "http://127.0.0.1:8080/console/";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// That verifier's challenge, as RFC 7636 appendix B has it.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What a good page asks for, with some of it said otherwise; an empty value leaves it out.
fn asked(otherwise: &[(&str, &str)]) -> Vec<(String, String)> {
    let scope = format!("openid {}/.default", story::API_AUDIENCE);
    let good = [
        ("client_id", story::API_AUDIENCE),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("response_mode", "fragment"),
        ("scope", &scope),
        ("state", "the state & more"),
        ("nonce", "the nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("login_hint", "auditor"),
    ];
    let changed = |name: &str| otherwise.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    let pairs = good.iter().map(|(name, value)| (name.to_string(), changed(name).unwrap_or(value).to_owned()));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

/// Asks to be signed in; answers status, where that leads, and the page.
async fn authorize(world: &World, otherwise: &[(&str, &str)]) -> (u16, Option<Url>, String) {
    let url = format!("{}/{}/oauth2/v2.0/authorize", world.sandbox.entra.url(), story::TENANT);
    let url = Url::parse_with_params(&url, asked(otherwise)).unwrap();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    let location = answer.headers().get("location").map(|location| location.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), location, answer.text().await.unwrap())
}

/// What came back in the fragment, by its name.
fn told(location: &Url, name: &str) -> Option<String> {
    let fragment = location.fragment().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(fragment.as_bytes());
    pairs.find(|(told, _)| told == name).map(|(_, value)| value.into_owned())
}

async fn code(world: &World, otherwise: &[(&str, &str)]) -> String {
    let (status, location, page) = authorize(world, otherwise).await;
    assert_eq!(status, 302, "{page}");
    told(&location.unwrap(), "code").unwrap()
}

/// Redeems a code with some of it said otherwise; answers status, body and to which origin the answer is shown.
async fn redeem(world: &World, code: &str, otherwise: &[(&str, &str)]) -> (u16, Value, Option<String>) {
    let good = [
        ("grant_type", "authorization_code"),
        ("client_id", story::API_AUDIENCE),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
        ("origin", "http://127.0.0.1:8080"),
    ];
    let changed = |name: &str| otherwise.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    let said = good.map(|(name, value)| (name, changed(name).unwrap_or(value)));
    let (origin, form) = said.split_last().unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let url = format!("{}/{}/oauth2/v2.0/token", world.sandbox.entra.url(), story::TENANT);
    let mut request = world.http.post(url).body(body);
    if !origin.1.is_empty() {
        request = request.header("origin", origin.1);
    }
    let answer = request.send().await.unwrap();
    let shown = answer.headers().get("access-control-allow-origin").map(|shown| shown.to_str().unwrap().to_owned());
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(), shown)
}

fn claims(token: &Value) -> Value {
    let claims = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn each_member_signs_in_with_a_role_of_its_own() {
    let world = World::story().await;
    for (hint, object_id, name, role) in story::READERS {
        let (_, location, _) = authorize(&world, &[("login_hint", hint)]).await;
        let location = location.unwrap();
        assert_eq!(told(&location, "state").as_deref(), Some("the state & more"));
        assert!(location.as_str().starts_with(&format!("{BACK}#code=")), "{location}");
        let (status, body, shown) = redeem(&world, &told(&location, "code").unwrap(), &[]).await;
        assert_eq!((status, shown.as_deref()), (200, Some("http://127.0.0.1:8080")), "{body}");
        let access = claims(&body["access_token"]);
        assert_eq!((access["oid"].as_str(), access["name"].as_str()), (Some(object_id), Some(name)));
        assert_eq!((access["roles"][0].as_str(), access["aud"].as_str()), (Some(role), Some(story::API_AUDIENCE)));
        assert_eq!(access["exp"].as_i64(), Some(world.now().as_second() + 3599));
        assert_eq!(claims(&body["id_token"])["nonce"], "the nonce");
    }
}

#[tokio::test]
async fn who_names_nobody_is_asked_who_it_is() {
    let world = World::story().await;
    for hint in ["", "somebody@contoso.example"] {
        let (status, location, page) = authorize(&world, &[("login_hint", hint)]).await;
        assert_eq!((status, location), (200, None));
        for (hint, _, name, _) in story::READERS {
            assert!(page.contains(&format!("data-person=\"{hint}\"")) && page.contains(name), "{page}");
        }
        assert!(page.contains("&amp;login_hint=operator") && !page.contains("contoso.example&"), "{page}");
    }
    let (_, _, page) = authorize(&world, &[("login_hint", ""), ("state", "\"><script>")]).await;
    assert!(!page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn nobody_is_sent_where_the_page_is_not() {
    let world = World::story().await;
    for elsewhere in [
        "http://stint.contoso.example/console/",
        "https://stint.contoso.example/",
        "http://127.0.0.1:8080/console",
        "http://127.0.0.1:8080/console/?next=x",
        "http://127.0.0.1.example/console/",
        "nowhere",
        "",
    ] {
        let (status, location, page) = authorize(&world, &[("redirect_uri", elsewhere)]).await;
        assert_eq!((status, location), (400, None), "{elsewhere}");
        assert!(page.contains("AADSTS50011"), "{page}");
    }
    let (status, location, page) = authorize(&world, &[("client_id", story::CLIENT_ID)]).await;
    assert_eq!((status, location), (400, None));
    assert!(page.contains("AADSTS700016"), "{page}");
    assert_eq!(authorize(&world, &[("redirect_uri", "https://stint.contoso.example/console/")]).await.0, 302);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_told_to_whoever_asked() {
    let world = World::story().await;
    let graph = format!("{}/.default {}/.default", story::API_AUDIENCE, world.sandbox.graph.url());
    for (changed, value, error, number) in [
        ("response_type", "token", "unsupported_response_type", "AADSTS70005"),
        ("scope", "openid", "invalid_scope", "AADSTS70011"),
        ("scope", graph.as_str(), "invalid_scope", "AADSTS70011"),
        ("code_challenge", "", "invalid_request", "AADSTS9002325"),
        ("code_challenge", VERIFIER.split_at(20).0, "invalid_request", "AADSTS9002325"),
        ("code_challenge_method", "plain", "invalid_request", "AADSTS9002325"),
    ] {
        let (status, location, _) = authorize(&world, &[(changed, value)]).await;
        let location = location.unwrap();
        assert_eq!((status, told(&location, "error").as_deref()), (302, Some(error)), "{location}");
        assert!(told(&location, "error_description").unwrap().starts_with(number), "{location}");
        assert_eq!(told(&location, "state").as_deref(), Some("the state & more"));
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_a_short_time_and_for_who_can_prove_it() {
    let world = World::story().await;
    let good = code(&world, &[]).await;
    for (changed, value, expected) in [
        ("code", "another", 9_002_313),
        ("client_id", story::CLIENT_ID, 70_000),
        ("redirect_uri", "http://127.0.0.1:8081/console/", 500_112),
        ("code_verifier", CHALLENGE, 501_481),
        ("code_verifier", "", 501_481),
        ("origin", "", 9_002_327),
    ] {
        let (status, body, _) = redeem(&world, &good, &[(changed, value)]).await;
        assert_eq!((status, number(&body)), (400, expected), "{changed}: {body}");
    }
    assert_eq!(redeem(&world, &good, &[]).await.0, 200);
    let (_, again, shown) = redeem(&world, &good, &[]).await;
    assert_eq!((number(&again), &again["error"]), (54_005, &Value::from("invalid_grant")));
    assert!(shown.is_some(), "the page may read why it was refused");

    let late = code(&world, &[]).await;
    world.pass(600);
    assert_eq!(number(&redeem(&world, &late, &[]).await.1), 70_008);
}

#[tokio::test]
async fn only_pages_that_redeem_codes_may_read_the_token_endpoint() {
    let world = World::story().await;
    let url = format!("{}/{}/oauth2/v2.0/token", world.sandbox.entra.url(), story::TENANT);
    let origin = "http://127.0.0.1:8080";
    let form = format!("grant_type=client_credentials&client_id={}", story::CLIENT_ID);
    let answer = world.http.post(&url).header("origin", origin).body(form).send().await.unwrap();
    assert!(answer.headers().get("access-control-allow-origin").is_none());
    let preflight = world.http.request(http::Method::OPTIONS, &url).header("origin", origin).send().await.unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-origin"], origin);
    assert_eq!(preflight.headers()["access-control-allow-methods"], "POST, OPTIONS");
}
