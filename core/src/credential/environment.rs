//! The credential that the environment describes, as every Azure SDK reads it.

use super::client_secret::ClientSecret;
use super::http::Http;
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use std::sync::Arc;

pub(super) const NAME: &str = "environment";

/// Reads the variables at each attempt, so that what is set later is found.
#[derive(Debug)]
pub(super) struct FromEnvironment {
    options: CredentialOptions,
    http: Arc<Http>,
}

impl Credential {
    /// The application that `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` describe.
    ///
    /// A missing variable is an error of the first token ([`ErrorCode::CredentialUnavailable`]), not of this
    /// call.
    pub fn environment() -> Result<Self> {
        Self::environment_with(&CredentialOptions::default())
    }

    /// [`environment`](Self::environment) with options.
    pub fn environment_with(options: &CredentialOptions) -> Result<Self> {
        Ok(Self::from_provider(Arc::new(FromEnvironment::new(options, options.http()?))))
    }
}

impl FromEnvironment {
    pub(super) fn new(options: &CredentialOptions, http: Arc<Http>) -> Self {
        Self { options: options.clone(), http }
    }

    fn described(&self) -> Result<ClientSecret> {
        const NAMES: [&str; 3] = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];
        let get = |name| self.options.environment.get(name);
        let [tenant_id, client_id, secret] = NAMES.map(get);
        if let (Some(tenant_id), Some(client_id), Some(secret)) = (&tenant_id, &client_id, &secret) {
            let (tenant_id, client_id) = (tenant_id.clone(), client_id.clone());
            return ClientSecret::new(
                tenant_id,
                client_id,
                secret.as_str().into(),
                &self.options,
                Arc::clone(&self.http),
            );
        }
        if secret.is_none() && get("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
            return Err(Error::new(
                ErrorCode::CredentialUnavailable,
                "AZURE_CLIENT_CERTIFICATE_PATH is set, but this version does not read client certificates.",
                "Set AZURE_CLIENT_SECRET, use a managed identity, or bring the token with a custom credential.",
            ));
        }
        let missing: Vec<_> = NAMES
            .into_iter()
            .zip([&tenant_id, &client_id, &secret])
            .filter(|(_, value)| value.is_none())
            .collect();
        let missing: Vec<_> = missing.into_iter().map(|(name, _)| name).collect();
        Err(Error::new(
            ErrorCode::CredentialUnavailable,
            format!("Not set in the environment: {}.", missing.join(", ")),
            "Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET to use an application's secret.",
        ))
    }

    async fn ask(&self, request: &TokenRequest) -> Result<AccessToken> {
        self.described()?.token(request).await
    }
}

impl TokenProvider for FromEnvironment {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(variables: &[(&str, &str)]) -> Result<ClientSecret> {
        let options = CredentialOptions::new().in_environment(variables);
        FromEnvironment::new(&options, options.http().unwrap()).described()
    }

    #[test]
    fn the_missing_variables_are_named() {
        let error = described(&[("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "")]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
        assert_eq!(error.message(), "Not set in the environment: AZURE_TENANT_ID, AZURE_CLIENT_SECRET.");
    }

    #[test]
    fn an_application_with_a_secret_is_described() {
        let all = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "hunter2")];
        let found = described(&all).unwrap();
        assert!(!format!("{found:?}").contains("hunter2"));
        let error = described(&[("AZURE_TENANT_ID", "a/b"), all[1], all[2]]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidOption);
    }

    #[test]
    fn a_certificate_is_said_to_be_missing_here() {
        let error =
            described(&[("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_CERTIFICATE_PATH", "x.pem")]).unwrap_err();
        assert!(error.message().contains("AZURE_CLIENT_CERTIFICATE_PATH"));
    }
}
