//! Who may use the API: basic, API key, and tokens of the OAuth endpoint (`contracts/tickets.md B4`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use jiff::Timestamp;
use serde_json::json;

use super::super::wire::{Pairs, header_text, json as json_answer, opaque, plus_seconds};

const LIFETIME_SECONDS: i64 = 1799;

/// All logins; each acts as one user.
#[derive(Default)]
pub(super) struct Logins {
    /// User name and password.
    pub(super) basic: Vec<(String, String)>,
    /// API key and user name.
    pub(super) keys: Vec<(String, String)>,
    pub(super) clients: Vec<Client>,
    pub(super) tokens: Vec<Token>,
}

/// An OAuth client and the user it acts as when nobody logs in with it.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) user: String,
}

pub(super) struct Token {
    text: String,
    user: String,
    expires: Timestamp,
}

impl Logins {
    /// The user name a request logs in as.
    pub(super) fn user(&self, headers: &HeaderMap, now: Timestamp) -> Option<String> {
        if let Some(given) = header_text(headers, "x-sn-apikey") {
            return self.keys.iter().find(|(key, _)| key == given).map(|(_, user)| user.clone());
        }
        let given = header_text(headers, "authorization")?;
        if let Some(text) = given.strip_prefix("Bearer ") {
            let token = self.tokens.iter().find(|token| token.text == text && now < token.expires)?;
            return Some(token.user.clone());
        }
        let (user, password) = basic(given)?;
        self.has_password(&user, &password).then_some(user)
    }

    /// `POST /oauth_token.do` with grant `client_credentials` or `password`.
    pub(super) fn token(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let form = Pairs::parse(request.body());
        let Some(user) = self.grant(request.headers(), &form) else {
            return json_answer(401, &json!({"error_description": "access_denied", "error": "server_error"}));
        };
        let text = opaque();
        self.tokens.push(Token { text: text.clone(), user, expires: plus_seconds(now, LIFETIME_SECONDS) });
        let body = json!({
            "access_token": text, "scope": "useraccount", "token_type": "Bearer", "expires_in": LIFETIME_SECONDS,
        });
        json_answer(200, &body)
    }

    /// The client's id and secret come in the form or as basic credentials.
    fn grant(&self, headers: &HeaderMap, form: &Pairs) -> Option<String> {
        let (id, secret) = match (form.first("client_id"), form.first("client_secret")) {
            (Some(id), Some(secret)) => (id.to_owned(), secret.to_owned()),
            _ => basic(header_text(headers, "authorization")?)?,
        };
        let client = self.clients.iter().find(|client| client.id == id && client.secret == secret)?;
        match form.first("grant_type")? {
            "client_credentials" => Some(client.user.clone()),
            "password" => {
                let user = form.first("username")?;
                self.has_password(user, form.first("password")?).then(|| user.to_owned())
            }
            _ => None,
        }
    }

    fn has_password(&self, user: &str, password: &str) -> bool {
        self.basic.iter().any(|(name, known)| name == user && known == password)
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
