//! What a test or the demo says to this Entra: applications, what they may prove themselves with, and what goes wrong.

use uuid::Uuid;

use super::super::fault::Retry;
use super::super::wire::lock;
use super::app::{App, Secret};
use super::assertion::{Certificate, Standing};
use super::federated::Issuer;
use super::managed_identity::Assigned;
use super::refusal::Planned;
use super::sign_in::{Member, Page};
use super::{Entra, State};

impl Entra {
    /// From now on the application may log in with what is given; an earlier registration is replaced.
    ///
    /// # Panics
    ///
    /// The certificate is not a PEM certificate with an RSA key.
    pub fn register_app(&self, tenant: Uuid, client_id: &str, secret: Option<&str>, certificate_pem: Option<&str>) {
        let app = App {
            secrets: secret.map(Secret::new).into_iter().collect(),
            certificates: certificate_pem.map(readable).into_iter().collect(),
            ..App::default()
        };
        lock(&self.state).apps.insert((tenant, client_id.to_owned()), app);
    }

    /// People may sign in to this application from a page on this machine, or by https from any: what it gets are tokens for
    /// this audience.
    pub fn register_page(&self, tenant: Uuid, client_id: &str, audience: &str) {
        let page = Page { audience: audience.to_owned() };
        lock(&self.state).pages.insert((tenant, client_id.to_owned()), page);
    }

    /// Somebody of the tenant may sign in.
    pub fn add_member(&self, tenant: Uuid, member: Member) {
        lock(&self.state).members.push((tenant, member));
    }

    /// The application may no longer log in at all.
    pub fn disable_app(&self, tenant: Uuid, client_id: &str) {
        lock(&self.state).app(tenant, client_id).disabled = true;
    }

    /// Rotates the application's secret: every old one is refused from now on, tokens already issued stay good.
    pub fn set_secret(&self, tenant: Uuid, client_id: &str, secret: &str) {
        lock(&self.state).app(tenant, client_id).secrets = vec![Secret::new(secret)];
    }

    /// Adds a secret beside those there are.
    pub fn add_secret(&self, tenant: Uuid, client_id: &str, secret: &str) {
        lock(&self.state).app(tenant, client_id).secrets.push(Secret::new(secret));
    }

    /// Takes a secret away.
    pub fn drop_secret(&self, tenant: Uuid, client_id: &str, secret: &str) {
        lock(&self.state).app(tenant, client_id).secrets.retain(|known| known.text != secret);
    }

    /// Lets a secret expire: it stays known, and is refused as such.
    pub fn expire_secret(&self, tenant: Uuid, client_id: &str, secret: &str) {
        let mut state = lock(&self.state);
        let secrets = state.app(tenant, client_id).secrets.iter_mut();
        secrets.filter(|known| known.text == secret).for_each(|known| known.expired = true);
    }

    /// Adds a certificate beside those there are.
    ///
    /// # Panics
    ///
    /// It is not a PEM certificate with an RSA key.
    pub fn add_certificate(&self, tenant: Uuid, client_id: &str, pem: &str) {
        lock(&self.state).app(tenant, client_id).certificates.push(readable(pem));
    }

    /// Takes a certificate away.
    ///
    /// # Panics
    ///
    /// It is not a PEM certificate with an RSA key.
    pub fn drop_certificate(&self, tenant: Uuid, client_id: &str, pem: &str) {
        let gone = readable(pem);
        lock(&self.state).app(tenant, client_id).certificates.retain(|known| !known.is(&gone));
    }

    /// Lets a certificate leave its validity: it stays known, and is refused as such.
    ///
    /// # Panics
    ///
    /// It is not a PEM certificate with an RSA key.
    pub fn expire_certificate(&self, tenant: Uuid, client_id: &str, pem: &str) {
        self.stands(tenant, client_id, pem, Standing::Expired);
    }

    /// Revokes a certificate: it stays known, and is refused as such.
    ///
    /// # Panics
    ///
    /// It is not a PEM certificate with an RSA key.
    pub fn revoke_certificate(&self, tenant: Uuid, client_id: &str, pem: &str) {
        self.stands(tenant, client_id, pem, Standing::Revoked);
    }

    fn stands(&self, tenant: Uuid, client_id: &str, pem: &str, standing: Standing) {
        let meant = readable(pem);
        let mut state = lock(&self.state);
        let certificates = state.app(tenant, client_id).certificates.iter_mut();
        certificates.filter(|known| known.is(&meant)).for_each(|known| known.standing = standing);
    }

    /// The application trusts this issuer's tokens about this subject for this audience.
    pub fn trust(&self, tenant: Uuid, client_id: &str, issuer: &Issuer, subject: &str, audience: &str) {
        lock(&self.state).app(tenant, client_id).trusts.push(issuer.trust(subject, audience));
    }

    /// The machine has this identity: its own (`system`), or one assigned to it.
    pub fn assign_identity(&self, tenant: Uuid, client_id: &str, system: bool) {
        lock(&self.state).identities.push(Assigned { tenant, client_id: client_id.to_owned(), system });
    }

    /// The only scope that the token endpoint accepts; at first `{graph url}/.default`.
    pub fn set_graph_scope(&self, scope: &str) {
        scope.clone_into(&mut lock(&self.state).graph_scope);
    }

    /// How many Graph tokens were issued since the start.
    #[must_use]
    pub fn tokens_issued(&self) -> usize {
        lock(&self.state).issued_count
    }

    /// The next `n` calls of the token endpoint answer this status.
    pub fn fail_next(&self, n: usize, status: u16) {
        self.plan(n, Planned::Status(status));
    }

    /// The next `n` calls of the token endpoint are refused with this AADSTS number, whatever they bring.
    pub fn refuse_next(&self, n: usize, code: u32) {
        self.plan(n, Planned::Code(code));
    }

    /// The next `n` calls of the token endpoint are throttled.
    pub fn throttle_next(&self, n: usize, retry: Retry) {
        self.plan(n, Planned::Throttled(retry));
    }

    fn plan(&self, n: usize, planned: Planned) {
        lock(&self.state).fail = (n > 0).then_some((n, planned));
    }

    /// The next `n` calls of the metadata service answer this status.
    pub fn fail_identity_next(&self, n: usize, status: u16) {
        lock(&self.state).fail_identity = (n > 0).then_some((n, status));
    }

    /// Every Graph token issued so far is refused from now on.
    pub fn revoke_tokens(&self) {
        lock(&self.state).issued.clear();
    }
}

impl State {
    /// The application, made known if it was not.
    fn app(&mut self, tenant: Uuid, client_id: &str) -> &mut App {
        self.apps.entry((tenant, client_id.to_owned())).or_default()
    }
}

#[expect(clippy::expect_used, reason = "whoever registers an unreadable certificate must hear of it at once")]
fn readable(pem: &str) -> Certificate {
    Certificate::from_pem(pem).expect("a PEM certificate with an RSA key")
}
