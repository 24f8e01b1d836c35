//! Who is calling: an Entra v2 access token, checked in every part on purpose.
//!
//! The algorithm is pinned before a key is looked up; issuer, tenant, audience and version must be exactly ours; times
//! are checked against stint's own clock. What is wrong with a refused token is logged, not told.

use std::collections::BTreeSet;

use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;
use tracing::info;
use url::Url;
use uuid::Uuid;

use super::{error::Problem, keys::Keys};
use crate::{
    clock::Clock,
    domain::id::{ObjectId, TenantName},
    json,
    outbound::Wire,
};

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
    /// For display; absent for applications.
    pub name: Option<String>,
    /// What it may do.
    pub roles: Roles,
}

/// stint's roles in a token. Other roles are nothing to stint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    auditor: Visible,
    operator: Visible,
    requester: bool,
}

/// Which tenants a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Every one.
    All,
    /// These.
    Some(BTreeSet<TenantName>),
}

impl Default for Visible {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
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
    /// 401 for any fault of the token, 403 when it carries none of stint's roles, 503 while Entra's keys cannot be had.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = bearer(headers).ok_or_else(|| refuse("there is not exactly one bearer token"))?;
        let head = jsonwebtoken::decode_header(token).map_err(|_| refuse("the header cannot be read"))?;
        if head.alg != Algorithm::RS256 {
            return Err(refuse("the algorithm is not RS256"));
        }
        let kid = head.kid.ok_or_else(|| refuse("there is no key id"))?;
        let unavailable = || Problem::unavailable("Entra's signing keys cannot be fetched now", 30);
        let set = self.keys.knowing(&kid).await.ok_or_else(unavailable)?;
        let key = set.keys.get(&kid).ok_or_else(|| refuse("no published key has this id"))?;
        if key.issuer.as_ref().is_some_and(|issuer| *issuer != set.issuer) {
            return Err(refuse("the key signs for another issuer"));
        }
        let validation = validation(&set.issuer, &self.settings.audience);
        let claims = jsonwebtoken::decode::<Value>(token, &key.decoding, &validation);
        let claims = claims.map_err(|_| refuse("signature, issuer or audience is wrong"))?.claims;
        self.check_times(&claims)?;
        self.read(&claims)
    }

    /// By stint's own clock, which `jsonwebtoken` does not know.
    fn check_times(&self, claims: &Value) -> Result<(), Problem> {
        let now = self.clock.now().as_second();
        let at = |claim: &str| claims.get(claim).and_then(Value::as_i64).ok_or_else(|| refuse("a time is missing"));
        if now >= at("exp")?.saturating_add(LEEWAY_SECONDS) {
            return Err(refuse("it has expired"));
        }
        if now < at("nbf")?.saturating_sub(LEEWAY_SECONDS) {
            return Err(refuse("it is not valid yet"));
        }
        Ok(())
    }

    fn read(&self, claims: &Value) -> Result<Caller, Problem> {
        let text = |path: &str| json::text(claims, path).ok();
        if text("/ver") != Some("2.0") {
            return Err(refuse("it is no v2.0 token"));
        }
        let tenant: Option<Uuid> = text("/tid").and_then(|tid| tid.parse().ok());
        let tenant = tenant.filter(|tid| *tid == self.settings.tenant_id);
        let tenant = tenant.ok_or_else(|| refuse("it is another tenant's"))?;
        let oid = text("/oid").and_then(|oid| oid.parse().ok()).ok_or_else(|| refuse("there is no object id"))?;
        let listed = claims.get("roles").and_then(Value::as_array);
        let roles = Roles::read(listed.into_iter().flatten().filter_map(Value::as_str));
        if roles == Roles::default() {
            return Err(Problem::forbidden("the token carries none of stint's roles"));
        }
        Ok(Caller { oid, tenant, name: text("/name").map(str::to_owned), roles })
    }
}

impl Roles {
    /// Reads role names: `Stint.Auditor` for every tenant, `Stint.Auditor.contoso` for one.
    fn read<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut roles = Self::default();
        for name in names {
            match name.strip_prefix("Stint.").map(|role| role.split_once('.').unwrap_or((role, ""))) {
                Some(("Auditor", tenant)) => roles.auditor.add(tenant),
                Some(("Operator", tenant)) => roles.operator.add(tenant),
                Some(("Requester", "")) => roles.requester = true,
                _ => {}
            }
        }
        roles
    }

    /// The tenants whose history the caller may read: auditors and operators alike.
    #[must_use]
    pub fn tenants_visible(&self) -> Visible {
        match (&self.auditor, &self.operator) {
            (Visible::Some(auditor), Visible::Some(operator)) => {
                Visible::Some(auditor.union(operator).cloned().collect())
            }
            _ => Visible::All,
        }
    }

    /// Whether the caller may act on this tenant's requests.
    #[must_use]
    pub fn is_operator_for(&self, tenant: &TenantName) -> bool {
        match &self.operator {
            Visible::All => true,
            Visible::Some(tenants) => tenants.contains(tenant),
        }
    }

    /// Whether the caller may read requests made for themselves.
    #[must_use]
    pub fn is_requester(&self) -> bool {
        self.requester
    }
}

impl Visible {
    fn add(&mut self, tenant: &str) {
        match self {
            _ if tenant.is_empty() => *self = Self::All,
            Self::All => {}
            Self::Some(tenants) => {
                tenants.insert(TenantName::new(tenant));
            }
        }
    }
}

/// The one bearer token; `None` when there is none, several, or something else.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= MAX_TOKEN_BYTES).then_some(token)
}

/// Signature, issuer and audience; times are checked apart.
fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = true;
    validation.leeway = 0;
    validation
}

fn refuse(why: &'static str) -> Problem {
    info!(why, "an access token was refused");
    Problem::unauthorized("the access token is missing or not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(names: &[&str]) -> Visible {
        Roles::read(names.iter().copied()).tenants_visible()
    }

    #[test]
    fn a_role_counts_for_every_tenant_or_for_the_one_it_names() {
        let contoso = || Visible::Some([TenantName::new("contoso")].into());
        assert_eq!(visible(&["Stint.Auditor"]), Visible::All);
        assert_eq!(visible(&["Stint.Operator"]), Visible::All);
        assert_eq!(visible(&["Stint.Auditor.contoso"]), contoso());
        assert_eq!(visible(&["Stint.Auditor.contoso", "Stint.Operator.contoso"]), contoso());
        assert_eq!(visible(&["Stint.Auditor.contoso", "Stint.Auditor"]), Visible::All);
    }

    #[test]
    fn other_names_are_no_roles_of_stint() {
        for name in ["Auditor", "stint.auditor", "Stint.", "Stint.Auditors", "Stint.Requester.contoso", ""] {
            assert_eq!(Roles::read([name].into_iter()), Roles::default(), "{name}");
        }
    }

    #[test]
    fn reading_is_not_acting() {
        let contoso = TenantName::new("contoso");
        assert!(!Roles::read(["Stint.Auditor"].into_iter()).is_operator_for(&contoso));
        assert!(Roles::read(["Stint.Operator.contoso"].into_iter()).is_operator_for(&contoso));
        assert!(!Roles::read(["Stint.Operator.fabrikam"].into_iter()).is_operator_for(&contoso));
    }
}
