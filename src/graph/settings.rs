//! What one tenant needs to know, already checked: made by the configuration, read here.

use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

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
    /// Graph's origin in the tenant's cloud, without a version.
    pub graph_url: Url,
    /// The login service's origin in the tenant's cloud.
    pub login_url: Url,
}

/// How stint's application proves itself to Entra.
#[derive(Clone, Debug)]
pub enum AppCredential {
    /// A client secret.
    Secret(SecretString),
    /// A certificate that Entra knows, with its private key, both PEM.
    Certificate {
        /// The certificate; its SHA-256 thumbprint names the key to Entra.
        certificate: String,
        /// PKCS#8 or PKCS#1.
        private_key: SecretString,
    },
}
