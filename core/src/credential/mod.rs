//! Who we are: one file per kind of credential, and the default chain. The only place that names
//! `azure_identity`.

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
