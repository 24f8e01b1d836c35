//! Who is calling: an Entra v2 access token, checked in every part on purpose.
//!
//! The algorithm is pinned before a key is looked up; then signature, issuer, tenant, audience, version and times are
//! compared one by one, times by stint's own clock. Nothing is read from claims before their signature holds. Roles come
//! last: [`Roles`] says what the caller may see and do. Handlers call [`Tokens::caller`] and hand on its refusal.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use jsonwebtoken::Algorithm;
use serde_json::Value;
use tracing::info;
use url::Url;
use uuid::Uuid;

use super::{
    error::Problem,
    keys::{Key, Keys},
};
use crate::{clock::Clock, domain::id::ObjectId, json, outbound::Wire};

pub use super::roles::{Roles, Visible};

/// Entra's and stint's clocks may differ by this much.
const LEEWAY_SECONDS: i64 = 60;

/// Longer tokens are refused unread; Entra's stay far below.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Which tokens are accepted.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The tenant that issues them.
    pub tenant_id: Uuid,
    /// The API's client id.
    pub audience: String,
    /// The login service's origin.
    pub login_url: Url,
}

/// Checks access tokens.
pub struct Tokens {
    settings: TokenSettings,
    keys: Keys,
    clock: Clock,
}

/// Who is calling, proved.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Object id of the person or application.
    pub oid: ObjectId,
    /// The tenant that vouches for it.
    pub tenant: Uuid,
    /// For display; absent for applications, and where Entra gives none.
    pub name: Option<String>,
    /// An application calls for itself: the token says so, or carries no scope that a person could have granted.
    pub app: bool,
    /// What it may do.
    pub roles: Roles,
}

/// Why a caller is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is not exactly one bearer token.
    NoToken,
    /// There is one, and it is not valid.
    Invalid(Flaw),
    /// It is valid and carries none of stint's roles.
    NoRole,
    /// Nothing can be said about it while Entra's keys cannot be had.
    KeysUnavailable,
}

/// What is wrong with an access token. The log says which; the caller is told only [`Flaw::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the part of the token that is not as it must be")]
pub enum Flaw {
    Shape,
    Algorithm,
    Key,
    Signature,
    Issuer,
    Audience,
    Tenant,
    Version,
    Object,
    Times,
    Expired,
    NotYetValid,
}

impl Flaw {
    /// What the caller is told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Shape | Self::Algorithm => "malformed",
            Self::Key | Self::Signature => "signature",
            Self::Issuer | Self::Audience | Self::Tenant | Self::Version | Self::Object | Self::Times => "claims",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoToken => Self::unauthorized("exactly one bearer token is needed"),
            Denied::Invalid(flaw) => Self::unauthorized(format!("the access token is not valid: {}", flaw.code())),
            Denied::NoRole => Self::forbidden("the access token carries none of stint's roles"),
            Denied::KeysUnavailable => Self::unavailable("Entra's signing keys cannot be fetched now", 30),
        }
    }
}

impl From<Flaw> for Denied {
    fn from(flaw: Flaw) -> Self {
        Self::Invalid(flaw)
    }
}

impl Tokens {
    /// Nothing is fetched before the first token comes.
    #[must_use]
    pub fn new(settings: TokenSettings, wire: Wire, clock: Clock) -> Self {
        let keys = Keys::new(settings.tenant_id, settings.login_url.clone(), wire, clock.clone());
        Self { settings, keys, clock }
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// [`Denied`], which is logged here and becomes 401, 403 or 503.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        let token = bearer(headers).ok_or(Denied::NoToken)?;
        let caller = self.check(token).await;
        if let Err(why) = &caller {
            info!(?why, "an access token was refused");
        }
        caller
    }

    async fn check(&self, token: &str) -> Result<Caller, Denied> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Shape)?;
        let (head, claims) = signed.split_once('.').ok_or(Flaw::Shape)?;
        let kid = key_id(&document(head)?)?;
        let set = self.keys.knowing(&kid).await.ok_or(Denied::KeysUnavailable)?;
        let key = set.keys.get(&kid).ok_or(Flaw::Key)?;
        check_signature(signed, signature, key)?;
        let claims = document(claims)?;
        self.check_origin(&claims, &set.issuer, key)?;
        self.check_times(&claims)?;
        self.read(&claims)
    }

    /// Issued by our tenant, for us, as a v2.0 token (`contracts/graph.md` §9.6).
    fn check_origin(&self, claims: &Value, issuer: &str, key: &Key) -> Result<(), Flaw> {
        let is = |path, wanted: &str| json::text(claims, path).is_ok_and(|text| text == wanted);
        must(is("/ver", "2.0"), Flaw::Version)?;
        must(is("/iss", issuer), Flaw::Issuer)?;
        must(key.issuer.as_ref().is_none_or(|signs_for| signs_for == issuer), Flaw::Issuer)?;
        must(guid(claims, "/tid") == Some(self.settings.tenant_id), Flaw::Tenant)?;
        // A list of audiences is refused even if ours is among them: Entra issues for one.
        must(is("/aud", &self.settings.audience), Flaw::Audience)
    }

    fn check_times(&self, claims: &Value) -> Result<(), Flaw> {
        let now = self.clock.now().as_second();
        let at = |claim: &str| claims.get(claim).and_then(Value::as_i64).ok_or(Flaw::Times);
        let (issued, from, until) = (at("iat")?, at("nbf")?, at("exp")?);
        must(now < until.saturating_add(LEEWAY_SECONDS), Flaw::Expired)?;
        must(now >= issued.max(from).saturating_sub(LEEWAY_SECONDS), Flaw::NotYetValid)
    }

    fn read(&self, claims: &Value) -> Result<Caller, Denied> {
        let oid = guid(claims, "/oid").map(ObjectId).ok_or(Flaw::Object)?;
        let listed = claims.get("roles").and_then(Value::as_array);
        let roles = Roles::read(listed.into_iter().flatten().filter_map(Value::as_str));
        if roles == Roles::default() {
            return Err(Denied::NoRole);
        }
        let text = |path| json::text(claims, path).ok();
        let app = text("/idtyp") == Some("app") || text("/scp").is_none();
        let name = text("/name").map(str::to_owned);
        Ok(Caller { oid, tenant: self.settings.tenant_id, name, app, roles })
    }
}

/// The one bearer token; `None` when there is none, several, or something else.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= MAX_TOKEN_BYTES).then_some(token)
}

/// One part of a token, read strictly.
fn document(part: &str) -> Result<Value, Flaw> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Shape)?;
    json::parse(&bytes).map_err(|_| Flaw::Shape)
}

/// The key id of a header that asks for RS256 and nothing beyond it. Addresses of keys in it are never followed.
fn key_id(head: &Value) -> Result<String, Flaw> {
    let text = |path| json::optional_text(head, path).map_err(|_| Flaw::Shape);
    must(text("/alg")? == Some("RS256"), Flaw::Algorithm)?;
    must(text("/typ")?.is_none_or(|kind| kind.eq_ignore_ascii_case("JWT")), Flaw::Shape)?;
    // Whoever does not understand a critical extension must refuse the token (RFC 7515 §4.1.11).
    must(head.get("crit").is_none(), Flaw::Shape)?;
    text("/kid")?.map(str::to_owned).ok_or(Flaw::Key)
}

fn check_signature(signed: &str, signature: &str, key: &Key) -> Result<(), Flaw> {
    let verified = jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.decoding, Algorithm::RS256);
    must(verified.unwrap_or(false), Flaw::Signature)
}

/// An id as Entra writes it, with its dashes.
fn guid(claims: &Value, path: &str) -> Option<Uuid> {
    json::text(claims, path).ok().filter(|text| text.len() == 36)?.parse().ok()
}

fn must(holds: bool, flaw: Flaw) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err(flaw) }
}
