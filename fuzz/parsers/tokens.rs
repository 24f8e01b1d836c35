//! Access tokens: presented by anybody, and issued by Entra with whatever claims.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use stint::{
    http::auth::{Caller, Denied, TokenSettings, Tokens},
    json,
    sandbox::{ApiToken, story},
};

use super::ground::{GROUND, now, wire};

/// The check, its keys fetched before the first token comes.
static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let settings = TokenSettings {
        tenant_id: story::TENANT,
        audience: story::API_AUDIENCE.into(),
        login_url: GROUND.sandbox.entra.url().parse().expect("a url"),
    };
    Tokens::new(settings, wire(), GROUND.clock.clone())
});

/// What Entra issued, and the parts of it that are signed.
static GENUINE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let person = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
    let app = ApiToken::app(story::TENANT, story::API_AUDIENCE, story::OMAR_ID, &["Stint.Operator.contoso"]);
    let issued = [person, app].map(|token| GROUND.sandbox.entra.issue_api_token(&token));
    for token in &issued {
        asked(format!("Bearer {token}").as_bytes()).expect("a good token");
    }
    issued.into()
});

fn asked(authorization: &[u8]) -> Result<Caller, Denied> {
    let value = HeaderValue::from_bytes(authorization).map_err(|_| Denied::NoToken)?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    GROUND.runtime.block_on(TOKENS.caller(&headers))
}

/// Nobody is let in but with what Entra signed, byte for byte.
pub fn presented(input: &[u8]) {
    let genuine = &*GENUINE;
    let answer = asked(input);
    let Ok(caller) = answer else { return };
    let text = std::str::from_utf8(input).expect("text");
    let token = text.split_once(' ').expect("a scheme").1;
    assert!(genuine.iter().any(|known| known == token), "{text} lets {caller:?} in");
}

pub fn presented_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![];
    for token in &*GENUINE {
        seeds.push(format!("Bearer {token}").into_bytes());
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let (_, claims) = signed.split_once('.').expect("three parts");
        // {"alg":"none","typ":"JWT"} and {"alg":"HS256","typ":"JWT"}
        for head in ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"] {
            seeds.push(format!("Bearer {head}.{claims}.{signature}").into_bytes());
            seeds.push(format!("Bearer {head}.{claims}.").into_bytes());
        }
    }
    seeds
}

/// Claims that Entra really signed: who is let in is who they say, in our tenant, for us, now.
pub fn issued(input: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Value>(input) else { return };
    if !claims.is_object() {
        return;
    }
    let token = GROUND.sandbox.entra.issue_api_token_with(json!({}), claims.clone());
    let Ok(caller) = asked(format!("Bearer {token}").as_bytes()) else { return };
    let is = |name: &str, wanted: &str| claims[name] == wanted;
    let (tenant, url) = (story::TENANT.to_string(), GROUND.sandbox.entra.url());
    assert!(is("ver", "2.0") && is("aud", story::API_AUDIENCE), "{claims}");
    assert!(is("iss", &format!("{url}/{tenant}/v2.0")), "{claims}");
    assert!(claims["tid"].as_str().is_some_and(|tid| tid.eq_ignore_ascii_case(&tenant)), "{claims}");
    assert!(claims["oid"].as_str().is_some_and(|oid| oid.eq_ignore_ascii_case(&caller.oid.to_string())), "{claims}");
    let (now, at) = (now().as_second(), |name: &str| claims[name].as_i64().expect("a time"));
    assert!(at("nbf").max(at("iat")) <= now + 60 && now < at("exp").saturating_add(60), "{claims}");
    let roles = claims["roles"].as_array().expect("roles");
    let of_stint = |role: &Value| role.as_str().is_some_and(|role| role.starts_with("Stint."));
    assert!(roles.iter().any(of_stint), "{claims}");
    json::parse(claims.to_string().as_bytes()).expect("strict");
}

pub fn issued_seeds() -> Vec<Vec<u8>> {
    let person = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
    let app = ApiToken::app(story::TENANT, story::API_AUDIENCE, story::OMAR_ID, &["Stint.Operator", "Stint.Requester"]);
    [person, app].map(|token| GROUND.sandbox.entra.api_claims(&token).to_string().into_bytes()).into()
}
