//! Codes of people who signed in: each good once, for a short time, for whoever asked and can prove it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Response};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::super::wire::{Pairs, header_text, json as json_answer, lock, opaque, plus_seconds};
use super::api_token::ApiToken;
use super::refusal::Refusal;
use super::sign_in::Member;
use super::{Entra, LIFETIME_SECONDS, State};

/// How long a code is good.
const GOOD_SECONDS: i64 = 600;

/// What a code stands for.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) tenant: Uuid,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) audience: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) member: Member,
    pub(super) given_at: Timestamp,
    pub(super) redeemed: bool,
}

impl State {
    /// The text under which the code may be redeemed.
    pub(super) fn grant(&mut self, code: Code) -> String {
        let text = opaque();
        self.codes.insert(text.clone(), code);
        text
    }

    /// What the code stands for, used up by this.
    fn redeemed(&mut self, tenant: &str, form: &Pairs, now: Timestamp) -> Result<Code, Refusal> {
        let tenant = self.known_tenant(tenant)?;
        let text = form.first("code").unwrap_or_default();
        let code =
            self.codes.get_mut(text).filter(|code| code.tenant == tenant).ok_or_else(|| Refusal::of(9_002_313))?;
        code.check(form, now)?;
        code.redeemed = true;
        Ok(code.clone())
    }
}

impl Code {
    fn check(&self, form: &Pairs, now: Timestamp) -> Result<(), Refusal> {
        let verifier = form.first("code_verifier").unwrap_or_default();
        let proved = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == self.challenge;
        let faults = [
            (form.first("client_id") != Some(self.client_id.as_str()), 70_000),
            (self.redeemed, 54_005),
            (now >= plus_seconds(self.given_at, GOOD_SECONDS), 70_008),
            (form.first("redirect_uri") != Some(self.redirect_uri.as_str()), 500_112),
            (!proved, 501_481),
        ];
        let fault = faults.into_iter().find(|(is_so, _)| *is_so);
        fault.map_or(Ok(()), |(_, number)| Err(Refusal::of(number)))
    }
}

impl Entra {
    /// Tokens for a code.
    pub(super) fn redeem(&self, tenant: &str, form: &Pairs, headers: &HeaderMap) -> Response<Bytes> {
        let now = (self.now)();
        let redeemed = {
            let mut state = lock(&self.state);
            match state.due_failure() {
                Some(refusal) => Err(refusal),
                // Only pages are registered to get codes, and a page's browser says where the page is from.
                None if header_text(headers, "origin").is_none() => Err(Refusal::of(9_002_327)),
                None => state.redeemed(tenant, form, now),
            }
        };
        match redeemed {
            Ok(code) => json_answer(200, &self.tokens(&code, form.first("scope").unwrap_or_default())),
            Err(refusal) => refusal.answer(now),
        }
    }

    fn tokens(&self, code: &Code, scope: &str) -> serde_json::Value {
        let roles: Vec<&str> = code.member.roles.iter().map(String::as_str).collect();
        let access = ApiToken::user(code.tenant, &code.audience, &code.member.oid, &code.member.name, &roles);
        let access = ApiToken { expires_in: LIFETIME_SECONDS, ..access };
        let mut identity = self.api_claims(&access);
        identity["aud"] = json!(code.client_id);
        identity["nonce"] = json!(code.nonce);
        json!({
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": self.issue_api_token(&access),
            "id_token": self.issue_api_token_with(json!({}), identity),
        })
    }
}
