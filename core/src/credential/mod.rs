//! Who we are: one file per kind of credential, and the default chain. The only place that names
//! `azure_identity`.

mod answer;
mod application;
mod assertion;
mod azure_cli;
mod azure_developer_cli;
mod azure_pipelines;
mod azure_powershell;
mod certificate;
mod chain;
mod client_assertion;
mod client_certificate;
mod client_secret;
mod custom;
mod environment;
mod http;
mod kinds;
mod managed_identity;
mod options;
mod thumbprint;
mod tool;
mod workload_identity;

pub use client_certificate::ClientCertificate;
pub use kinds::{KindInfo, KindOption, Made, ValueKind, kind, kinds};
pub use managed_identity::ManagedIdentityId;
pub use options::{AUTHORITY_CHINA, AUTHORITY_PUBLIC, AUTHORITY_US_GOVERNMENT, CredentialOptions};
pub use workload_identity::WorkloadIdentity;

use crate::error::Result;
use crate::secret::Secret;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

/// An access token as a credential yields it.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub secret: Secret,
    /// When it expires.
    pub expires_at: SystemTime,
}

impl From<azure_core::credentials::AccessToken> for AccessToken {
    fn from(token: azure_core::credentials::AccessToken) -> Self {
        Self { secret: token.token.secret().into(), expires_at: token.expires_on.into() }
    }
}

/// What is asked of a credential.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The scope, `https://redis.azure.com/.default` unless configured otherwise.
    pub scope: Arc<str>,
    /// Whether a token that a cache still holds must be passed over.
    pub force: bool,
}

/// The answer of a credential, later.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<AccessToken>> + Send + 'a>>;

/// What every kind of credential does.
pub trait TokenProvider: fmt::Debug + Send + Sync + 'static {
    /// The kind's name as errors and logs show it: `client secret`, `managed identity`.
    fn name(&self) -> &str;
    /// Acquires a token.
    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a>;
}

/// An identity to sign in with. Cheap to clone; `Debug` shows its kind and nothing of its secrets.
#[derive(Clone)]
pub struct Credential(Arc<dyn TokenProvider>);

impl Credential {
    /// A credential of any kind.
    pub fn from_provider(provider: Arc<dyn TokenProvider>) -> Self {
        Self(provider)
    }

    /// The kind's name as errors and logs show it.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    pub(crate) fn into_provider(self) -> Arc<dyn TokenProvider> {
        self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.name()).finish()
    }
}
