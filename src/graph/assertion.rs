//! A certificate's proof of who stint is: a short JWT, signed PS256, that Entra matches by the certificate's
//! thumbprint (`contracts/graph.md` §9.2).

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::{
    Error as TlsError, InconsistentKeys, SignatureAlgorithm,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

/// How long an assertion is good for; Entra takes five to ten minutes.
const LIFETIME_SECS: i64 = 300;

/// What is wrong with a certificate or its private key. Never holds any of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// The certificate text holds no readable `CERTIFICATE` block.
    #[error("the certificate is not PEM with a CERTIFICATE block")]
    Certificate,
    /// The key text holds no readable private key; encrypted keys are not read.
    #[error("the private key is not PEM with an unencrypted PRIVATE KEY or RSA PRIVATE KEY block")]
    PrivateKey,
    /// PS256 needs an RSA key of at least 2048 bits.
    #[error("the private key is not an RSA key of at least 2048 bits")]
    NotRsa,
    /// The two do not belong together, or the certificate cannot be read for it.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

/// A certificate with the key that signs in its name.
#[derive(Debug)]
pub(super) struct SigningCertificate {
    thumbprint: String,
    key: EncodingKey,
}

impl SigningCertificate {
    /// Reads both and makes sure that they belong together.
    pub(super) fn from_pem(certificate: &str, private_key: &SecretString) -> Result<Self, CredentialFault> {
        let certificate =
            CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| CredentialFault::Certificate)?;
        let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &certificate));
        check_pair(certificate, private_key)?;
        let key = EncodingKey::from_rsa_pem(private_key.expose_secret().as_bytes());
        Ok(Self { thumbprint, key: key.map_err(|_| CredentialFault::PrivateKey)? })
    }

    /// A fresh assertion by this client for this token endpoint.
    pub(super) fn assert(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(self.thumbprint.clone());
        let now = now.as_second();
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": Uuid::new_v4(),
            "iat": now, "nbf": now, "exp": now + LIFETIME_SECS,
        });
        jsonwebtoken::encode(&header, &claims, &self.key).map(SecretString::from)
    }
}

fn check_pair(certificate: CertificateDer<'static>, private_key: &SecretString) -> Result<(), CredentialFault> {
    let key = PrivateKeyDer::from_pem_slice(private_key.expose_secret().as_bytes())
        .map_err(|_| CredentialFault::PrivateKey)?;
    let key = any_supported_type(&key).map_err(|_| CredentialFault::NotRsa)?;
    if key.algorithm() != SignatureAlgorithm::RSA {
        return Err(CredentialFault::NotRsa);
    }
    match CertifiedKey::new(vec![certificate], key).keys_match() {
        // Without a public key to compare, Entra has the last word.
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(_) => Err(CredentialFault::Mismatch),
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm as Kind};
    use serde_json::Value;

    use super::*;

    fn pair(kind: &'static Kind) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate_for(kind).expect("a key");
        let params = CertificateParams::new(vec!["stint.example".into()]).expect("parameters");
        (params.self_signed(&key).expect("a certificate"), key)
    }

    fn fault(certificate: &str, private_key: &str) -> CredentialFault {
        let read = SigningCertificate::from_pem(certificate, &SecretString::from(private_key));
        read.expect_err("a fault")
    }

    #[test]
    fn the_assertion_verifies_with_the_certificates_public_key_and_names_its_thumbprint() {
        let (certificate, key) = pair(&PKCS_RSA_SHA256);
        let signing = SigningCertificate::from_pem(&certificate.pem(), &key.serialize_pem().into()).expect("a pair");
        let now = crate::clock::Clock::system().now();
        let text = signing.assert("client", "https://login.example/t/oauth2/v2.0/token", now);

        let mut expected = Validation::new(Algorithm::PS256);
        expected.set_audience(&["https://login.example/t/oauth2/v2.0/token"]);
        expected.set_issuer(&["client"]);
        expected.set_required_spec_claims(&["aud", "iss", "sub", "exp", "nbf"]);
        let public = DecodingKey::from_rsa_der(key.public_key_raw());
        let token = jsonwebtoken::decode::<Value>(text.expect("signed").expose_secret(), &public, &expected);
        let token = token.expect("a genuine assertion");

        let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, certificate.der()));
        assert_eq!(token.header.x5t_s256.as_deref(), Some(thumbprint.as_str()));
        assert_eq!((thumbprint.len(), token.header.typ.as_deref()), (43, Some("JWT")));
        assert_eq!(token.claims["exp"], now.as_second() + 300);
        assert_eq!(token.claims["sub"], "client");
    }

    #[test]
    fn each_fault_of_the_pem_is_named_and_shows_nothing_of_the_key() {
        let (certificate, key) = pair(&PKCS_RSA_SHA256);
        let (elliptic_certificate, elliptic) = pair(&PKCS_ECDSA_P256_SHA256);
        let other = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let pem = certificate.pem();
        for (found, wanted) in [
            (fault("", &key.serialize_pem()), CredentialFault::Certificate),
            (fault(&key.serialize_pem(), &key.serialize_pem()), CredentialFault::Certificate),
            (fault(&pem, ""), CredentialFault::PrivateKey),
            (fault(&pem, &pem), CredentialFault::PrivateKey),
            (fault(&elliptic_certificate.pem(), &elliptic.serialize_pem()), CredentialFault::NotRsa),
            (fault(&pem, &other.serialize_pem()), CredentialFault::Mismatch),
        ] {
            assert_eq!(found, wanted);
        }
    }
}
