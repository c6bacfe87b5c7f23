//! An application (service principal) whose assertions somebody else makes: a key vault that signs, another
//! identity provider that is trusted (federation).

use super::application::Application;
use super::custom::of_application;
use super::{Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::Result;
#[cfg(doc)]
use crate::error::{Error, ErrorCode};
use crate::secret::Secret;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

const NAME: &str = "client assertion";

struct FromAssertion<F> {
    application: Application,
    function: F,
}

impl Credential {
    /// An application that proves itself by the assertion (a signed JWT) that `function` returns.
    ///
    /// The function is called at each attempt to get a token, on the thread `keyless-token`, and must not block
    /// it. Its errors count as [`ErrorCode::CredentialUnavailable`] that a retry may heal, unless it returns
    /// keyless' own [`Error`], which is kept; their text must not hold a secret.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] on an id that cannot be one.
    pub fn client_assertion<F, T, E>(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        function: F,
    ) -> Result<Self>
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Secret, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self::client_assertion_with(tenant_id, client_id, function, &CredentialOptions::default())
    }

    /// [`client_assertion`](Self::client_assertion) with options.
    pub fn client_assertion_with<F, T, E>(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        function: F,
        options: &CredentialOptions,
    ) -> Result<Self>
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Secret, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let application = Application::new(tenant_id.into(), client_id.into(), options, options.http()?)?;
        Ok(Self::from_provider(Arc::new(FromAssertion { application, function })))
    }
}

impl<F, T, E> TokenProvider for FromAssertion<F>
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<Secret, E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(async move {
            let assertion = (self.function)().await.map_err(|error| {
                of_application(
                    error,
                    &format!("The function for the credential ({NAME}) failed"),
                    "Look into the application's own function for assertions.",
                )
            })?;
            self.application.exchange(NAME, assertion, &request.scope).await
        })
    }
}

impl<F> fmt::Debug for FromAssertion<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromAssertion").field("application", &self.application).finish_non_exhaustive()
    }
}
