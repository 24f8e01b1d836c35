//! How an application proves itself to Entra: `credential`, and `remover` with an application of its own.

use std::path::PathBuf;

use jsonwebtoken::EncodingKey;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{
    address,
    place::{Place, TOKEN_FILE},
    raw, secret,
    server::GUID,
};
use crate::graph::settings::{App, AppCredential, Material, without_newline};

const KINDS: &str = "certificate, secret, workload-identity or managed-identity";

/// The credential of stint's application.
pub(super) fn main(at: &Place, raw: raw::AppCredential) -> Option<AppCredential> {
    at.unused("client_id", raw.client_id.as_ref(), "stands beside credential, not in it");
    credential(at, raw)
}

/// The application that removes; never the first one once more, which would separate nothing.
pub(super) fn remover(at: &Place, main: Option<Uuid>, raw: raw::AppCredential) -> Option<App> {
    let here = at.down("client_id");
    let client_id = here.parsed::<Uuid>(raw.client_id.clone(), GUID);
    if client_id.is_some() && client_id == main {
        here.fault("is that of the tenant's credential; a remover is another application, which may only remove");
    }
    let credential = credential(at, raw);
    Some(App { client_id: client_id?.to_string(), credential: credential? })
}

fn credential(at: &Place, raw: raw::AppCredential) -> Option<AppCredential> {
    let kind = at.down("kind").required(raw.kind, KINDS)?;
    refuse_others(at, kind, &raw);
    let credential = match kind {
        raw::CredentialKind::Secret => AppCredential::Secret(material(at, "secret", raw.secret, raw.secret_file)?),
        raw::CredentialKind::Certificate => {
            let certificate = certificate(&at.down("certificate_file"), raw.certificate_file);
            let private_key = private_key(at, raw.private_key, raw.private_key_file);
            AppCredential::Certificate { certificate: certificate?, private_key: private_key? }
        }
        raw::CredentialKind::WorkloadIdentity => {
            AppCredential::WorkloadIdentity { token_file: token_file(&at.down("token_file"), raw.token_file)? }
        }
        raw::CredentialKind::ManagedIdentity => {
            let endpoint = address::metadata(&at.down("endpoint"), raw.endpoint)?;
            AppCredential::ManagedIdentity { endpoint, system_assigned: raw.system_assigned.unwrap_or_default() }
        }
    };
    let fault = credential.fault();
    if let Some(fault) = fault {
        at.fault(fault.to_string());
    }
    fault.is_none().then_some(credential)
}

/// Which keys each kind has; every other one is a slip.
fn refuse_others(at: &Place, kind: raw::CredentialKind, raw: &raw::AppCredential) {
    let (name, own): (&str, &[&str]) = match kind {
        raw::CredentialKind::Secret => ("secret", &["secret", "secret_file"]),
        raw::CredentialKind::Certificate => ("certificate", &["certificate_file", "private_key", "private_key_file"]),
        raw::CredentialKind::WorkloadIdentity => ("workload-identity", &["token_file"]),
        raw::CredentialKind::ManagedIdentity => ("managed-identity", &["endpoint", "system_assigned"]),
    };
    let all = [
        ("secret", raw.secret.is_some()),
        ("secret_file", raw.secret_file.is_some()),
        ("certificate_file", raw.certificate_file.is_some()),
        ("private_key", raw.private_key.is_some()),
        ("private_key_file", raw.private_key_file.is_some()),
        ("token_file", raw.token_file.is_some()),
        ("system_assigned", raw.system_assigned.is_some()),
        ("endpoint", raw.endpoint.is_some()),
    ];
    for (key, _) in all.into_iter().filter(|(key, is_given)| *is_given && !own.contains(key)) {
        at.down(key).fault(format!("has no meaning beside kind = \"{name}\""));
    }
}

/// A secret of the table, which remembers the file it came from, if it did.
fn material(at: &Place, name: &str, inline: Option<String>, file: Option<String>) -> Option<Material> {
    let from = file.as_ref().filter(|_| inline.is_none()).map(|file| at.path(file));
    let text = secret::required(at, name, inline, file)?;
    Some(match from {
        Some(file) => Material::of_file(text, file),
        None => Material::fixed(text),
    })
}

fn certificate(at: &Place, path: Option<String>) -> Option<Material> {
    let path = at.required(path, "the path of a PEM file")?;
    let text = String::from_utf8(at.file(&path)?).unwrap_or_default();
    let readable = CertificateDer::from_pem_slice(text.as_bytes()).is_ok();
    let certificate = Material::of_file(without_newline(&text), at.path(&path));
    at.hold(readable, certificate, "a file with a PEM certificate")
}

/// An encrypted key, or one that is not RSA, would fail only when the first token is asked for.
fn private_key(at: &Place, inline: Option<String>, file: Option<String>) -> Option<Material> {
    let from = if inline.is_some() { "private_key" } else { "private_key_file" };
    let key = material(at, "private_key", inline, file)?;
    let readable = EncodingKey::from_rsa_pem(key.text().expose_secret().as_bytes()).is_ok();
    at.down(from).hold(readable, key, "an unencrypted RSA private key in PEM (PKCS#8 or PKCS#1)")
}

/// The file is read each time a token is needed; that it can be read at all is known at the start.
fn token_file(at: &Place, path: Option<String>) -> Option<PathBuf> {
    let path = path.or_else(|| at.document.token_file.clone());
    let path = at.required(path, &format!("the path of the token's file, or set {TOKEN_FILE}"))?;
    let token = secret::read(at, &path)?;
    let is_token = token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
    at.hold(is_token, at.path(&path), "a file with a token of visible ASCII characters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    const CREDENTIAL: &str = "tenants.contoso.credential";
    const REMOVER: &str = "tenants.contoso.remover";
    const REMOVING_APP: &str = "b7d3a9f0-6c21-4e58-9a04-d1f82c6e5b37";

    fn good(sample: Sample) -> AppCredential {
        sample.good().tenants.remove(0).graph.credential
    }

    #[test]
    fn one_trailing_newline_of_a_secret_file_is_not_part_of_the_secret() {
        for (content, secret) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
            let sample = Sample::new().file("sandbox-secrets/entra-client-secret", content);
            let AppCredential::Secret(found) = good(sample) else { panic!("a secret") };
            assert_eq!(found.text().expose_secret(), secret);
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
        let AppCredential::Secret(found) = good(Sample::new().variable(variable, "true")) else { panic!("a secret") };
        assert_eq!(found.text().expose_secret(), "true");
        let twice = Sample::new().variable(variable, "x").variable(&format!("{variable}_FILE"), "x");
        assert!(twice.fault().contains("is given twice by the environment"));
    }

    #[test]
    fn keys_of_another_kind_of_credential_are_refused() {
        let fault = Sample::new().set("tenants.contoso.credential.certificate_file", "'c'").fault();
        assert!(fault.contains("certificate_file: has no meaning beside kind = \"secret\""), "{fault}");
    }

    #[test]
    fn a_second_credential_in_the_file_does_not_show_its_secret() {
        let fault = Sample::new().set("tenants.contoso.remover", "{ secret = 4711 }").faults();
        assert!(!fault.concat().contains("4711"));
    }

    #[test]
    fn a_certificate_comes_with_its_private_key() {
        let (certificate, key) = certificate_and_key();
        let table = "{ kind = 'certificate', certificate_file = 'c.pem', private_key_file = 'k.pem' }";
        let sample = || Sample::new().set(CREDENTIAL, table).file("c.pem", &certificate);
        let AppCredential::Certificate { certificate: found, .. } = good(sample().file("k.pem", &key)) else {
            panic!("a certificate")
        };
        assert_eq!(found.text().expose_secret(), without_newline(&certificate));

        let fault = sample().file("k.pem", "hunter2").fault();
        assert!(
            fault.contains("private_key_file: is not an unencrypted RSA private key") && !fault.contains("hunter2")
        );
        let fault = sample().file("c.pem", &key).file("k.pem", &key).fault();
        assert!(fault.contains("certificate_file: is not a file with a PEM certificate"), "{fault}");
        let fault = sample().file("k.pem", certificate_and_key().1).fault();
        assert_eq!(fault, "tenants.contoso.credential: the private key does not belong to the certificate");
        let variable = "STINT__TENANTS__CONTOSO__CREDENTIAL__PRIVATE_KEY";
        assert!(sample().variable(variable, &key).parse().is_ok());
    }

    fn certificate_and_key() -> (String, String) {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["stint".into()]).expect("parameters");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    #[test]
    fn a_workloads_token_file_is_named_here_or_by_kubernetes() {
        let sample = |keys: &str| {
            let table = format!("{{ kind = 'workload-identity'{keys} }}");
            Sample::new().set(CREDENTIAL, &table).file("token", "ey.J.x\n").file("theirs", "ey.J.y")
        };
        let file_of = |sample| match good(sample) {
            AppCredential::WorkloadIdentity { token_file } => token_file,
            other => panic!("{other:?}"),
        };
        assert!(file_of(sample(", token_file = 'token'")).ends_with("token"));
        assert!(file_of(sample("").variable(TOKEN_FILE, "theirs")).ends_with("theirs"));
        let both = sample(", token_file = 'token'").variable(TOKEN_FILE, "theirs");
        assert!(file_of(both).ends_with("token"), "what is configured wins");

        let fault = sample("").fault();
        assert!(fault.ends_with(
            "token_file: is missing; write the path of the token's file, or set AZURE_FEDERATED_TOKEN_FILE"
        ));
        let fault = sample("").variable(TOKEN_FILE, "gone").fault();
        assert!(fault.starts_with("tenants.contoso.credential.token_file: cannot read "), "{fault}");
        let fault = sample(", token_file = 'token'").file("token", "two words").fault();
        assert!(fault.contains("token_file: is not a file with a token"), "{fault}");
        let fault = sample(", token_file = 'token', secret_file = 'x'").fault();
        assert!(fault.contains("secret_file: has no meaning beside kind = \"workload-identity\""), "{fault}");
    }

    #[test]
    fn a_managed_identity_needs_nothing_and_may_stand_in_on_this_machine() {
        let of = |keys: &str| Sample::new().set(CREDENTIAL, &format!("{{ kind = 'managed-identity'{keys} }}"));
        let read = |keys: &str| match good(of(keys)) {
            AppCredential::ManagedIdentity { endpoint, system_assigned } => (endpoint.to_string(), system_assigned),
            other => panic!("{other:?}"),
        };
        assert_eq!(read(""), ("http://169.254.169.254/".to_owned(), false));
        let own = read(", system_assigned = true, endpoint = 'http://127.0.0.1:8401'");
        assert_eq!(own, ("http://127.0.0.1:8401/".to_owned(), true));
        let fault = of(", endpoint = 'http://10.0.0.1'").fault();
        assert!(fault.starts_with("tenants.contoso.credential.endpoint: is not http://169.254.169.254"), "{fault}");
        let fault = of(", token_file = 'x'").fault();
        assert!(fault.contains("token_file: has no meaning beside kind = \"managed-identity\""), "{fault}");
    }

    #[test]
    fn a_remover_is_an_application_of_its_own_with_any_credential() {
        let remover = |client_id: &str, keys: &str| {
            let table = format!("{{ client_id = '{client_id}', {keys} }}");
            Sample::new().set(REMOVER, &table).file("r", "a-removers-secret")
        };
        assert!(Sample::new().good().tenants[0].graph.remover.is_none());
        let found = remover(REMOVING_APP, "kind = 'secret', secret_file = 'r'").good().tenants.remove(0).graph.remover;
        let Some(App { client_id, credential: AppCredential::Secret(secret) }) = found else { panic!("a remover") };
        assert_eq!((client_id.as_str(), secret.text().expose_secret()), (REMOVING_APP, "a-removers-secret"));
        assert!(remover(REMOVING_APP, "kind = 'managed-identity'").parse().is_ok());
        let by_variable = remover(REMOVING_APP, "kind = 'secret'");
        assert!(by_variable.variable("STINT__TENANTS__CONTOSO__REMOVER__SECRET", "x").parse().is_ok());

        let fault = remover("5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80", "kind = 'managed-identity'").fault();
        assert!(fault.starts_with("tenants.contoso.remover.client_id: is that of the tenant's credential"), "{fault}");
        let fault = Sample::new().set(REMOVER, "{ kind = 'managed-identity' }").fault();
        assert!(fault.starts_with("tenants.contoso.remover.client_id: is missing"), "{fault}");
        let fault = remover(REMOVING_APP, "secret_file = 'r'").fault();
        assert!(fault.starts_with("tenants.contoso.remover.kind: is missing"), "{fault}");
        let fault = Sample::new().set("tenants.contoso.credential.client_id", "'x'").fault();
        assert_eq!(fault, "tenants.contoso.credential.client_id: stands beside credential, not in it");
    }
}
