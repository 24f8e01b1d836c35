//! Where people sign in: a page that asks who they are and sends them back with a code.
//!
//! As Entra does it, a refusal stands on this page while it is unknown who asked, and goes back to whoever asked from then on.
//! `login_hint` with a member's own word chooses without the page.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use url::{Host, Url, form_urlencoded::Serializer};
use uuid::Uuid;

use super::super::wire::{Pairs, empty, lock, page, set_header};
use super::code::Code;
use super::refusal::Refusal;
use super::{Entra, State};

/// The path to which people come back.
const BACK_TO: &str = "/console/";

/// Scopes that ask for nothing of an API.
const OF_OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Base64url of a SHA-256.
const CHALLENGE_LENGTH: usize = 43;

/// Somebody of a tenant who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The word by which `login_hint` chooses him.
    pub hint: String,
    /// Object id.
    pub oid: String,
    /// Display name.
    pub name: String,
    /// App roles.
    pub roles: Vec<String>,
}

impl Member {
    /// Somebody with these app roles.
    #[must_use]
    pub fn new(hint: &str, oid: &str, name: &str, roles: &[&str]) -> Self {
        let roles = roles.iter().map(ToString::to_string).collect();
        Self { hint: hint.to_owned(), oid: oid.to_owned(), name: name.to_owned(), roles }
    }
}

/// A single-page application to which people sign in.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) audience: String,
}

/// Who asked, and where people go back to.
struct Origin {
    tenant: Uuid,
    client_id: String,
    page: Page,
    redirect_uri: String,
    state: Option<String>,
    by_query: bool,
}

impl Entra {
    pub(super) fn authorize(&self, tenant: &str, query: &str) -> Response<Bytes> {
        let asked = Pairs::parse(query.as_bytes());
        let mut state = lock(&self.state);
        let origin = match state.origin(tenant, &asked) {
            Ok(origin) => origin,
            Err(refusal) => return refused(&refusal),
        };
        let challenge = match origin.challenge(&asked) {
            Ok(challenge) => challenge,
            Err(refusal) => return origin.sent_back(&refusal_pairs(&refusal)),
        };
        match state.hinted(origin.tenant, asked.first("login_hint")) {
            Some(member) => {
                let code = state.grant(origin.code(&asked, challenge, member, (self.now)()));
                origin.sent_back(&[("code", code)])
            }
            None => chooser(query, &state.members_of(origin.tenant)),
        }
    }
}

impl State {
    fn origin(&self, tenant: &str, asked: &Pairs) -> Result<Origin, Refusal> {
        let tenant = self.known_tenant(tenant)?;
        let client_id = asked.first("client_id").unwrap_or_default().to_owned();
        let page = self.pages.get(&(tenant, client_id.clone())).ok_or_else(|| Refusal::of(700_016))?.clone();
        let redirect_uri =
            asked.first("redirect_uri").filter(|uri| leads_back(uri)).ok_or_else(|| Refusal::of(50_011))?;
        Ok(Origin {
            tenant,
            client_id,
            page,
            redirect_uri: redirect_uri.to_owned(),
            state: asked.first("state").map(str::to_owned),
            by_query: asked.first("response_mode") != Some("fragment"),
        })
    }

    fn members_of(&self, tenant: Uuid) -> Vec<Member> {
        self.members.iter().filter(|(of, _)| *of == tenant).map(|(_, member)| member.clone()).collect()
    }

    fn hinted(&self, tenant: Uuid, hint: Option<&str>) -> Option<Member> {
        self.members_of(tenant).into_iter().find(|member| Some(member.hint.as_str()) == hint)
    }
}

/// Whether people may be sent there: the page, over https or on this machine.
fn leads_back(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    scheme && url.path() == BACK_TO && url.query().is_none() && url.fragment().is_none()
}

impl Origin {
    /// The code challenge, once all else that was asked for is as it must be.
    fn challenge(&self, asked: &Pairs) -> Result<String, Refusal> {
        if asked.first("response_type") != Some("code") {
            return Err(Refusal::of(70_005));
        }
        if !self.is_of_the_api(asked.first("scope").unwrap_or_default()) {
            return Err(Refusal::of(70_011));
        }
        let challenge = asked.first("code_challenge").filter(|challenge| challenge.len() == CHALLENGE_LENGTH);
        let hashed = challenge.filter(|_| asked.first("code_challenge_method") == Some("S256"));
        hashed.map(str::to_owned).ok_or_else(|| Refusal::of(9_002_325))
    }

    /// Whether a scope asks for the application's own API, and for no other.
    fn is_of_the_api(&self, scope: &str) -> bool {
        let own = |word: &str| word.strip_prefix(&self.page.audience).is_some_and(|rest| rest.starts_with('/'));
        let mut words = scope.split_ascii_whitespace();
        words.clone().any(own) && words.all(|word| own(word) || OF_OPENID.contains(&word))
    }

    fn code(&self, asked: &Pairs, challenge: String, member: Member, now: Timestamp) -> Code {
        Code {
            tenant: self.tenant,
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            audience: self.page.audience.clone(),
            challenge,
            nonce: asked.first("nonce").map(str::to_owned),
            member,
            given_at: now,
            redeemed: false,
        }
    }

    /// Back to whoever asked, with what came of it.
    fn sent_back(&self, told: &[(&str, String)]) -> Response<Bytes> {
        let state = self.state.iter().map(|state| ("state", state.clone()));
        let told = Serializer::new(String::new()).extend_pairs(told.iter().cloned().chain(state)).finish();
        let mark = if self.by_query { '?' } else { '#' };
        let mut answer = empty(302);
        set_header(&mut answer, "location", &format!("{}{mark}{told}", self.redirect_uri));
        set_header(&mut answer, "cache-control", "no-store");
        answer
    }
}

fn refusal_pairs(refusal: &Refusal) -> [(&'static str, String); 2] {
    [("error", refusal.error().to_owned()), ("error_description", refusal.description())]
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem;\
                     color-scheme:light dark}a{display:block;margin:.75rem 0;padding:.75rem 1rem;border:1px solid;\
                     border-radius:.5rem;text-decoration:none}small{display:block}";

/// Asks who it is.
fn chooser(query: &str, members: &[Member]) -> Response<Bytes> {
    let mut links = String::new();
    for member in members {
        let asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "login_hint");
        let asked = Serializer::new(String::new()).extend_pairs(asked).append_pair("login_hint", &member.hint).finish();
        let (hint, name, roles) = (escaped(&member.hint), escaped(&member.name), escaped(&member.roles.join(", ")));
        let _ =
            write!(links, "<a data-person=\"{hint}\" href=\"?{}\">{name}<small>{roles}</small></a>", escaped(&asked));
    }
    html(200, "Pick an account", &format!("<p>This is the sandbox's Entra: nobody needs a password.</p>{links}"))
}

/// Says why nobody is sent anywhere.
fn refused(refusal: &Refusal) -> Response<Bytes> {
    html(
        400,
        "Sorry, but we are having trouble signing you in.",
        &format!("<p>{}</p>", escaped(&refusal.description())),
    )
}

fn html(status: u16, title: &str, body: &str) -> Response<Bytes> {
    let head = format!(
        "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>"
    );
    let whole = format!("<head>{head}<style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body>");
    page(status, format!("<!doctype html><html lang=\"en\">{whole}</html>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
