//! A credential that the application brings: a function that yields a token.

use super::{AccessToken, Credential, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

struct Custom<F> {
    name: String,
    function: F,
}

impl Credential {
    /// A credential that calls `function` for each token; `name` is how errors and logs call it.
    ///
    /// The function runs on the thread `keyless-token`, one call at a time, and must not block it: what blocks
    /// belongs into `tokio::task::spawn_blocking`. It is asked again and again: with backoff after an error,
    /// and with [`TokenRequest::force`] when a token that it may have cached must be passed over. Its errors
    /// count as [`ErrorCode::CredentialUnavailable`] that a retry may heal, unless it returns keyless' own
    /// [`Error`], which is kept. A panic is such an error too. The error's text reaches logs and
    /// callers: it must not hold a secret.
    pub fn custom<F, T, E>(name: impl Into<String>, function: F) -> Self
    where
        F: Fn(TokenRequest) -> T + Send + Sync + 'static,
        T: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self::from_provider(Arc::new(Custom { name: name.into(), function }))
    }
}

impl<F, T, E> TokenProvider for Custom<F>
where
    F: Fn(TokenRequest) -> T + Send + Sync + 'static,
    T: Future<Output = Result<AccessToken, E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(async move {
            (self.function)(request.clone()).await.map_err(|error| {
                of_application(
                    error,
                    &format!("The credential ({}) failed", self.name),
                    "Look into the application's own credential.",
                )
            })
        })
    }
}

/// The error for what a function of the application failed with: keyless' own as it is, any other one wrapped.
pub(super) fn of_application(
    error: impl Into<Box<dyn StdError + Send + Sync>>,
    what: &str,
    advice: &'static str,
) -> Error {
    match error.into().downcast::<Error>() {
        Ok(own) => *own,
        Err(foreign) => Error::new(ErrorCode::CredentialUnavailable, format!("{what}: {foreign}."), advice)
            .retryable(true),
    }
}

impl<F> fmt::Debug for Custom<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask<E: Into<Box<dyn StdError + Send + Sync>> + Send + Clone + Sync + 'static>(
        error: E,
    ) -> Error {
        let credential = Credential::custom("vault", move |_| std::future::ready(Err(error.clone())));
        let request = TokenRequest { scope: "s".into(), force: false };
        credential.into_provider().token(&request).await.unwrap_err()
    }

    #[tokio::test]
    async fn its_own_errors_may_be_of_any_kind() {
        let error = ask("the vault is sealed").await;
        assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
        assert!(error.is_retryable());
        assert!(error.message().contains("vault is sealed"));
        let error = ask(Error::new(ErrorCode::SignInRefused, "No.", "")).await;
        assert_eq!(error.code(), ErrorCode::SignInRefused);
    }
}
