//! What one tenant needs to know, already checked: made by the configuration, read here.

use std::path::PathBuf;

use secrecy::ExposeSecret;
use url::Url;
use uuid::Uuid;

use super::assertion::{CredentialFault, SigningCertificate};
pub use super::material::{Material, without_newline};
use crate::domain::id::TenantName;

/// One Entra tenant that stint serves.
#[derive(Clone, Debug)]
pub struct TenantSettings {
    /// Its name in the configuration.
    pub name: TenantName,
    /// Its id in Entra.
    pub tenant_id: Uuid,
    /// stint's application there.
    pub client_id: String,
    /// How that application proves itself.
    pub credential: AppCredential,
    /// A second application that may only remove, and then makes every removal; absent where the first one does.
    pub remover: Option<App>,
    /// Graph's origin in the tenant's cloud, without a version.
    pub graph_url: Url,
    /// The login service's origin in the tenant's cloud.
    pub login_url: Url,
}

/// An application in Entra with its proof.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id; of a managed identity, that identity's client id.
    pub client_id: String,
    /// How it proves itself.
    pub credential: AppCredential,
}

/// How stint's application proves itself to Entra (`contracts/graph.md` §9).
#[derive(Clone, Debug)]
pub enum AppCredential {
    /// A client secret.
    Secret(Material),
    /// A certificate that Entra knows, with its private key, both PEM.
    Certificate {
        /// The certificate; its SHA-256 thumbprint names the key to Entra.
        certificate: Material,
        /// PKCS#8 or PKCS#1.
        private_key: Material,
    },
    /// A token of another issuer, whom the application trusts; for whom it is meant stands in the token itself.
    WorkloadIdentity {
        /// Where that token lies; whoever issues it replaces it before it ends.
        token_file: PathBuf,
    },
    /// The machine's own identity; its metadata service gives the tokens.
    ManagedIdentity {
        /// The metadata service's origin.
        endpoint: Url,
        /// The one identity that belongs to the machine itself, which is asked for by no name.
        system_assigned: bool,
    },
}

impl AppCredential {
    /// What makes it unusable, as far as that shows here: a certificate and a key that do not belong together.
    #[must_use]
    pub fn fault(&self) -> Option<CredentialFault> {
        match self {
            Self::Certificate { certificate, private_key } => {
                SigningCertificate::from_pem(certificate.text().expose_secret(), private_key.text()).err()
            }
            Self::Secret(_) | Self::WorkloadIdentity { .. } | Self::ManagedIdentity { .. } => None,
        }
    }
}
