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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    const GRAPH: &str = "tenants.contoso.graph_url";
    const LOGIN: &str = "tenants.contoso.login_url";
    const CREDENTIAL: &str = "tenants.contoso.credential";

    #[test]
    fn a_cloud_gives_both_hosts() {
        let hosts = |cloud: &str| {
            let sample = Sample::new().without(GRAPH).without(LOGIN);
            let graph = sample.set("tenants.contoso.cloud", cloud).good().tenants.remove(0).graph;
            (graph.graph_url.to_string(), graph.login_url.to_string())
        };
        let pair = |graph: &str, login: &str| (format!("https://{graph}/"), format!("https://{login}/"));
        let us_login = "login.microsoftonline.us";
        assert_eq!(hosts("'global'"), pair("graph.microsoft.com", "login.microsoftonline.com"));
        assert_eq!(hosts("'us-gov'"), pair("graph.microsoft.us", us_login));
        assert_eq!(hosts("'us-dod'"), pair("dod-graph.microsoft.us", us_login));
        assert_eq!(hosts("'china'"), pair("microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"));
    }

    #[test]
    fn graph_and_login_come_together_or_by_cloud() {
        let fault = Sample::new().without(LOGIN).fault();
        assert!(fault.starts_with("tenants.contoso.login_url: is missing; it comes together"), "{fault}");
        let fault = Sample::new().without(GRAPH).fault();
        assert!(fault.starts_with("tenants.contoso.graph_url: is missing; it comes together"), "{fault}");
        let fault = Sample::new().set("tenants.contoso.cloud", "'global'").fault();
        assert!(fault.starts_with("tenants.contoso.cloud: is given beside"), "{fault}");
        let fault = Sample::new().without(LOGIN).without(GRAPH).fault();
        assert!(fault.starts_with("tenants.contoso.cloud: is missing"), "{fault}");
    }

    #[test]
    fn hosts_other_than_microsofts_are_refused_beyond_this_machine() {
        let faults = Sample::new().set(GRAPH, "'https://graph.example'").set(LOGIN, "'https://login.example'");
        let faults = faults.faults();
        assert!(faults.len() == 2 && faults.iter().all(|fault| fault.contains("one of Microsoft's")), "{faults:?}");
    }

    #[test]
    fn ids_are_guids() {
        let faults = Sample::new()
            .set("tenants.contoso.tenant_id", "'contoso.com'")
            .set("tenants.contoso.client_id", "'stint'")
            .set("tenants.contoso.service_principal_id", "'stint'")
            .set("tenants.contoso.never", "['2d8f6b1c-7e30-4a95-b4d2-6c1e0f9a8b31', 'nina']")
            .faults();
        let keys: Vec<_> =
            faults.iter().filter_map(|fault| fault.split_once(": is not a GUID")).map(|(key, _)| key).collect();
        let all = ["client_id", "never[1]", "service_principal_id", "tenant_id"];
        assert_eq!(keys, all.map(|key| format!("tenants.contoso.{key}")));
    }

    #[test]
    fn one_entra_tenant_has_one_name() {
        let sample = Sample::new().set(
            "tenants.again",
            r#"{ cloud = "global", catalog = "sandbox-catalog.toml",
            tenant_id = "9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60", client_id = "5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80",
            credential = { kind = "secret", secret_file = "sandbox-secrets/entra-client-secret" } }"#,
        );
        assert_eq!(sample.fault(), "tenants.contoso.tenant_id: is that of tenant \"again\" already");
    }

    #[test]
    fn names_are_plain_and_differ_by_more_than_dash_and_underscore() {
        for good in ["a", "contoso-emea", "a_b", "7"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Contoso", "a--b", "a__b", "-a", "a-", "a.b", "ä", "a b", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
        let faults = Sample::new().set("tenants.a-b", "{}").set("tenants.a_b", "{}").faults();
        assert!(faults.contains(&"tenants.a_b: differs from \"a-b\" only by - and _; rename one".to_owned()));
    }

    #[test]
    fn one_trailing_newline_of_a_secret_file_is_not_part_of_the_secret() {
        for (content, secret) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
            let tenant = Sample::new().file("sandbox-secrets/entra-client-secret", content).good().tenants.remove(0);
            let AppCredential::Secret(found) = tenant.graph.credential else { panic!("a secret") };
            assert_eq!(found.expose_secret(), secret);
        }
    }

    #[test]
    fn an_empty_or_binary_or_missing_secret_file_is_a_fault() {
        let path = "sandbox-secrets/entra-client-secret";
        let fault = Sample::new().file(path, "\n").fault();
        assert_eq!(fault, "tenants.contoso.credential.secret_file: is not a secret: it is empty");
        let fault = Sample::new().file(path, [0xff, 0xfe]).fault();
        assert_eq!(fault, "tenants.contoso.credential.secret_file: names a file that is not UTF-8 text");
        let fault = Sample::new().set("tenants.contoso.credential.secret_file", "'gone'").fault();
        assert!(fault.starts_with("tenants.contoso.credential.secret_file: cannot read "), "{fault}");
        let fault = Sample::new().without("tenants.contoso.credential.secret_file").fault();
        assert!(fault.ends_with("or set STINT__TENANTS__CONTOSO__CREDENTIAL__SECRET"), "{fault}");
    }

    #[test]
    fn a_secret_in_the_file_is_refused_even_beside_a_secret_file() {
        let fault = Sample::new().set("tenants.contoso.credential.secret", "'hunter2'").fault();
        assert_eq!(
            fault,
            "tenants.contoso.credential.secret: is a secret and may not stand in this file; \
             use secret_file or STINT__TENANTS__CONTOSO__CREDENTIAL__SECRET"
        );
    }

    #[test]
    fn the_environment_overrides_a_secret_file_but_not_itself() {
        let variable = "STINT__TENANTS__CONTOSO__CREDENTIAL__SECRET";
        let tenant = Sample::new().variable(variable, "true").good().tenants.remove(0);
        let AppCredential::Secret(found) = tenant.graph.credential else { panic!("a secret") };
        assert_eq!(found.expose_secret(), "true");
        let twice = Sample::new().variable(variable, "x").variable(&format!("{variable}_FILE"), "x");
        assert!(twice.fault().contains("is given twice by the environment"));
    }

    #[test]
    fn a_certificate_comes_with_its_private_key() {
        let (certificate, key) = certificate_and_key();
        let table = "{ kind = 'certificate', certificate_file = 'c.pem', private_key_file = 'k.pem' }";
        let sample = || Sample::new().set(CREDENTIAL, table).file("c.pem", &certificate);
        let tenant = sample().file("k.pem", &key).good().tenants.remove(0);
        assert!(
            matches!(tenant.graph.credential, AppCredential::Certificate { certificate: found, .. } if found == certificate)
        );

        let fault = sample().file("k.pem", "hunter2").fault();
        assert!(
            fault.contains("private_key_file: is not an unencrypted RSA private key") && !fault.contains("hunter2")
        );
        let fault = sample().file("c.pem", &key).file("k.pem", &key).fault();
        assert!(fault.contains("certificate_file: is not a file with a PEM certificate"), "{fault}");
        let variable = "STINT__TENANTS__CONTOSO__CREDENTIAL__PRIVATE_KEY";
        assert!(sample().variable(variable, &key).parse().is_ok());
    }

    fn certificate_and_key() -> (String, String) {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["stint".into()]).expect("parameters");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    #[test]
    fn keys_of_another_kind_of_credential_are_refused() {
        let fault = Sample::new().set("tenants.contoso.credential.certificate_file", "'c'").fault();
        assert!(fault.contains("certificate_file: has no meaning beside kind = \"secret\""), "{fault}");
    }

    #[test]
    fn what_belongs_to_later_work_is_named_as_not_available() {
        for kind in ["workload-identity", "managed-identity"] {
            let fault = Sample::new().set(CREDENTIAL, &format!("{{ kind = '{kind}' }}")).fault();
            let told = format!(
                "tenants.contoso.credential.kind: {kind} is not available in this version; accepted: certificate, secret"
            );
            assert_eq!(fault, told);
        }
        let fault = Sample::new().set("tenants.contoso.remover", "{ kind = 'secret' }").fault();
        assert!(fault.starts_with("tenants.contoso.remover: is not available in this version"), "{fault}");
    }

    #[test]
    fn a_second_credential_in_the_file_does_not_show_its_secret() {
        let fault = Sample::new().set("tenants.contoso.remover", "{ secret = 4711 }").faults();
        assert!(!fault.concat().contains("4711"));
    }
}
