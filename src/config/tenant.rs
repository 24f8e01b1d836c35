//! `[tenants.…]`: the Entra tenants that stint serves, each with its catalog.

use std::collections::BTreeMap;

use jsonwebtoken::EncodingKey;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::{
    address, catalog,
    place::Place,
    raw::{self, Section},
    secret, section,
    server::GUID,
};
use crate::{
    domain::{
        entitlement::Catalog,
        id::{ObjectId, TenantName},
    },
    graph::settings::{AppCredential, TenantSettings},
};

/// One Entra tenant, with what may be granted there.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// How it is reached.
    pub graph: TenantSettings,
    /// What may be granted there.
    pub catalog: Catalog,
    /// stint's own service principal, by which its changes are known in the directory's log.
    pub service_principal_id: Option<Uuid>,
    /// Principals that never receive anything.
    pub never: Vec<ObjectId>,
}

/// What a tenant's or a connection's name may look like: it stands in paths, app roles and variable names.
pub(super) const NAME: &str = "a name of lower-case letters, digits and single dashes or underscores between them";

/// Whether a name is a [`NAME`] of at most 63 characters.
pub(super) fn is_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 63 && name.split(['-', '_']).all(part)
}

/// Faults names that are no names, and names that one environment variable could not tell apart.
pub(super) fn check_names<'a>(at: &Place, names: impl Iterator<Item = &'a String>) {
    let mut known = BTreeMap::new();
    for name in names {
        let here = at.down(name);
        here.hold(is_name(name), (), NAME);
        if let Some(other) = known.insert(name.replace('-', "_"), name) {
            here.fault(format!("differs from {other:?} only by - and _; rename one"));
        }
    }
}

pub(super) fn tenants(at: &Place, raw: BTreeMap<String, Section<raw::Tenant>>) -> Vec<Tenant> {
    if raw.is_empty() {
        at.fault("is missing; describe at least one tenant under [tenants.<name>]");
    }
    check_names(at, raw.keys());
    let mut ids = BTreeMap::new();
    let checked = raw.into_iter().filter_map(|(name, Section(raw))| {
        let here = at.down(&name);
        let id = here.down("tenant_id").parsed(raw.tenant_id.clone(), GUID);
        if let Some(other) = id.and_then(|id: Uuid| ids.insert(id, name.clone())) {
            // One Entra tenant under two names could be granted the same thing twice.
            here.down("tenant_id").fault(format!("is that of tenant {other:?} already"));
        }
        tenant(&here, name, id, raw)
    });
    checked.collect()
}

fn tenant(at: &Place, name: String, tenant_id: Option<Uuid>, mut raw: raw::Tenant) -> Option<Tenant> {
    let graph = settings(at, name, tenant_id, &mut raw);
    at.unused("remover", raw.remover.as_ref(), "is not available in this version; leave it out");
    let catalog = catalog::load(&at.down("catalog"), raw.catalog);
    let service_principal_id =
        at.down("service_principal_id").optional(raw.service_principal_id, |at, id| at.parsed(Some(id), GUID));
    let never = at.down("never").each(raw.never.unwrap_or_default(), |at, id| at.parsed(Some(id), GUID));
    Some(Tenant { graph: graph?, catalog: catalog?, service_principal_id: service_principal_id.ok()?, never: never? })
}

fn settings(at: &Place, name: String, tenant_id: Option<Uuid>, raw: &mut raw::Tenant) -> Option<TenantSettings> {
    let client_id = at.down("client_id").parsed::<Uuid>(raw.client_id.take(), GUID);
    let credential = credential(&at.down("credential"), section(raw.credential.take()));
    let (graph_url, login_url) = hosts(at, raw)?;
    Some(TenantSettings {
        name: TenantName::new(name),
        tenant_id: tenant_id?,
        client_id: client_id?.to_string(),
        credential: credential?,
        graph_url,
        login_url,
    })
}

/// Graph and the login service: those of a cloud, or both by address; never one without the other.
fn hosts(at: &Place, raw: &mut raw::Tenant) -> Option<(Url, Url)> {
    let (graph, login) = match (raw.cloud, raw.graph_url.take(), raw.login_url.take()) {
        (Some(cloud), None, None) => {
            let (graph, login) = cloud.origins();
            (graph.to_owned(), login.to_owned())
        }
        (None, Some(graph), Some(login)) => (graph, login),
        (Some(_), _, _) => {
            return fault(&at.down("cloud"), "is given beside graph_url or login_url; keep the one or the others");
        }
        (None, None, None) => return fault(&at.down("cloud"), "is missing; write global, us-gov, us-dod or china"),
        (None, None, _) => return fault(&at.down("graph_url"), "is missing; it comes together with login_url"),
        (None, _, None) => return fault(&at.down("login_url"), "is missing; it comes together with graph_url"),
    };
    let graph = address::microsoft(&at.down("graph_url"), Some(graph), "https://graph.microsoft.com");
    let login = address::microsoft(&at.down("login_url"), Some(login), address::GLOBAL_LOGIN);
    Some((graph?, login?))
}

fn fault<T>(at: &Place, problem: &str) -> Option<T> {
    at.fault(problem);
    None
}

fn credential(at: &Place, raw: raw::AppCredential) -> Option<AppCredential> {
    use raw::CredentialKind::{Certificate, ManagedIdentity, Secret, WorkloadIdentity};
    let kind = at.down("kind");
    match kind.required(raw.kind, "certificate or secret")? {
        Secret => {
            let other = "has no meaning beside kind = \"secret\"";
            at.unused("certificate_file", raw.certificate_file.as_ref(), other);
            at.unused("private_key", raw.private_key.as_ref(), other);
            at.unused("private_key_file", raw.private_key_file.as_ref(), other);
            secret::required(at, "secret", raw.secret, raw.secret_file).map(AppCredential::Secret)
        }
        Certificate => {
            let other = "has no meaning beside kind = \"certificate\"";
            at.unused("secret", raw.secret.as_ref(), other);
            at.unused("secret_file", raw.secret_file.as_ref(), other);
            let certificate = certificate(&at.down("certificate_file"), raw.certificate_file);
            let private_key = private_key(at, raw.private_key, raw.private_key_file);
            Some(AppCredential::Certificate { certificate: certificate?, private_key: private_key? })
        }
        WorkloadIdentity => not_yet(&kind, "workload-identity"),
        ManagedIdentity => not_yet(&kind, "managed-identity"),
    }
}

fn not_yet<T>(kind: &Place, name: &str) -> Option<T> {
    kind.unavailable(name, "certificate, secret");
    None
}

fn certificate(at: &Place, path: Option<String>) -> Option<String> {
    let bytes = at.file(&at.required(path, "the path of a PEM file")?)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let readable = CertificateDer::from_pem_slice(text.as_bytes()).is_ok();
    at.hold(readable, text, "a file with a PEM certificate")
}

/// An encrypted key, or one that is not RSA, would fail only when the first token is asked for.
fn private_key(at: &Place, inline: Option<String>, file: Option<String>) -> Option<SecretString> {
    let from = if inline.is_some() { "private_key" } else { "private_key_file" };
    let key = secret::required(at, "private_key", inline, file)?;
    let readable = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes()).is_ok();
    at.down(from).hold(readable, key, "an unencrypted RSA private key in PEM (PKCS#8 or PKCS#1)")
}
