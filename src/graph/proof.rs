//! What an application shows Entra for itself: a secret, a certificate's signature, or another issuer's token; and how
//! each is renewed while stint runs.
//!
//! Secrets and certificates change under a running service: a file is replaced, then the old one is withdrawn in Entra,
//! or the other way round. So a certificate is read again before each fetch, and either kind when Entra refuses it. What
//! cannot be used, such as a pair of which only one half is there yet, never replaces what works.

use std::path::PathBuf;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{
    assertion::{CredentialFault, SigningCertificate},
    error::GraphError,
    material::{self, Material},
};

/// What happens to a proof that is read again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Nothing new is there.
    Same,
    /// The new one is used from now on.
    Replaced,
    /// Something is there that cannot be used; the old one stays.
    Unusable(String),
}

/// What is sent for a proof, beside the client's id: a parameter's name and its value.
pub(super) struct Shown {
    pub(super) is_assertion: bool,
    pub(super) value: SecretString,
}

/// One application's proof.
#[derive(Debug)]
pub(super) enum Proof {
    Secret(Material),
    Certificate { pair: SigningCertificate, certificate: Material, private_key: Material },
    Federated { token_file: PathBuf },
}

/// Refusals of a secret: the file may hold its successor (`contracts/graph.md` §9.1).
const SECRET_REFUSED: &[u64] = &[7_000_215, 7_000_222];

/// Refusals of a certificate: the files may hold its successor (§9.1).
const CERTIFICATE_REFUSED: &[u64] = &[700_027, 7_000_274, 1_000_502];

/// An assertion outside its validity: a fresh one may be inside (§9.1).
const ASSERTION_OUT_OF_TIME: u64 = 700_024;

impl Proof {
    pub(super) fn secret(secret: Material) -> Self {
        Self::Secret(secret)
    }

    /// A pair that belongs together.
    pub(super) fn certificate(certificate: Material, private_key: Material) -> Result<Self, CredentialFault> {
        let pair = SigningCertificate::from_pem(certificate.text().expose_secret(), private_key.text())?;
        Ok(Self::Certificate { pair, certificate, private_key })
    }

    /// Another issuer's token, read each time it is needed.
    pub(super) fn federated(token_file: PathBuf) -> Self {
        Self::Federated { token_file }
    }

    /// What is sent to this token endpoint now.
    pub(super) async fn show(&self, client_id: &str, audience: &str, now: Timestamp) -> Result<Shown, GraphError> {
        match self {
            Self::Secret(secret) => Ok(Shown { is_assertion: false, value: secret.text().clone() }),
            Self::Certificate { pair, .. } => {
                let signed = pair.assert(client_id, audience, now);
                let value = signed.map_err(|error| unusable("assertion-not-signed", error.to_string()))?;
                Ok(Shown { is_assertion: true, value })
            }
            Self::Federated { token_file } => {
                let told = |problem| format!("the token file {}: {problem}", token_file.display());
                let read = material::read(token_file).await;
                let value = read.map_err(|error| unusable("federated-token-unreadable", told(error.to_string())))?;
                Ok(Shown { is_assertion: true, value })
            }
        }
    }

    /// Takes up what the files hold before anything is asked with it. A secret waits until its predecessor is refused.
    pub(super) async fn renew(&mut self) -> Renewal {
        match self {
            Self::Certificate { .. } => self.read_again().await,
            Self::Secret(_) | Self::Federated { .. } => Renewal::Same,
        }
    }

    /// Whether it is worth asking once more after this refusal, and what was taken up for that.
    pub(super) async fn renew_after(&mut self, codes: &[u64]) -> (bool, Renewal) {
        let any = |wanted: &[u64]| codes.iter().any(|code| wanted.contains(code));
        let is_late = any(&[ASSERTION_OUT_OF_TIME]);
        match self {
            Self::Secret(_) if any(SECRET_REFUSED) => {
                let renewal = self.read_again().await;
                (renewal == Renewal::Replaced, renewal)
            }
            Self::Certificate { .. } if any(CERTIFICATE_REFUSED) => (true, self.read_again().await),
            Self::Certificate { .. } => (is_late, Renewal::Same),
            // Read anew by itself: its issuer may have replaced it meanwhile.
            Self::Federated { .. } => (is_late || any(CERTIFICATE_REFUSED), Renewal::Same),
            Self::Secret(_) => (false, Renewal::Same),
        }
    }

    async fn read_again(&mut self) -> Renewal {
        match self.successor().await {
            Ok(Some(successor)) => {
                *self = successor;
                Renewal::Replaced
            }
            Ok(None) => Renewal::Same,
            Err(problem) => Renewal::Unusable(problem),
        }
    }

    /// What the files hold, if that is something else.
    async fn successor(&self) -> Result<Option<Self>, String> {
        match self {
            Self::Secret(secret) => {
                let new = secret.again().await.map_err(|error| error.to_string())?;
                Ok((!new.equals(secret)).then(|| Self::secret(new)))
            }
            Self::Certificate { certificate, private_key, .. } => {
                let new = certificate.again().await.map_err(|error| format!("the certificate: {error}"))?;
                let key = private_key.again().await.map_err(|error| format!("the private key: {error}"))?;
                if new.equals(certificate) && key.equals(private_key) {
                    return Ok(None);
                }
                Self::certificate(new, key).map(Some).map_err(|fault| fault.to_string())
            }
            Self::Federated { .. } => Ok(None),
        }
    }
}

fn unusable(code: &str, detail: String) -> GraphError {
    GraphError::Credential { code: code.to_owned(), detail }
}
