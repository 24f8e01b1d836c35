//! Applications and what each may prove itself with: several secrets and certificates side by side, so that one can be
//! rotated while the other is in use, and issuers whose tokens are trusted.

use jiff::Timestamp;

use super::assertion::{self, Certificate};
use super::federated::{self, Trust};
use super::refusal::Refusal;

/// One application of a tenant.
#[derive(Default)]
pub(super) struct App {
    pub(super) secrets: Vec<Secret>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) trusts: Vec<Trust>,
    pub(super) disabled: bool,
}

/// A client secret.
pub(super) struct Secret {
    pub(super) text: String,
    pub(super) expired: bool,
}

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), expired: false }
    }
}

impl App {
    pub(super) fn check_secret(&self, secret: &str) -> Result<(), Refusal> {
        match self.secrets.iter().find(|known| known.text == secret) {
            Some(Secret { expired: false, .. }) => Ok(()),
            Some(_) => Err(Refusal::of(7_000_222)),
            None => Err(Refusal::of(7_000_215)),
        }
    }

    /// The `jti` that may not come again; none for another issuer's token, which may be shown until it ends.
    pub(super) fn check_assertion(
        &self,
        assertion: &str,
        audience: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Option<String>, Refusal> {
        if assertion::claimed_issuer(assertion)? == client_id {
            return assertion::check(&self.certificates, assertion, audience, client_id, now).map(Some);
        }
        federated::check(&self.trusts, assertion, now)?;
        Ok(None)
    }
}
