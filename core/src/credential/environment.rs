//! The credential that the environment describes, as every Azure SDK reads it.

use super::client_certificate::{ClientCertificate, FromCertificate};
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

/// The application that the variables describe.
#[derive(Debug)]
enum Described {
    Secret(ClientSecret),
    Certificate(FromCertificate),
}

impl Credential {
    /// The application that `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` name, with the secret in
    /// `AZURE_CLIENT_SECRET` or else the certificate in the file `AZURE_CLIENT_CERTIFICATE_PATH`
    /// (`AZURE_CLIENT_CERTIFICATE_PASSWORD`, `AZURE_CLIENT_SEND_CERTIFICATE_CHAIN`).
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

    fn described(&self) -> Result<Described> {
        let get = |name| self.options.environment.get(name);
        let names = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];
        let (tenant_id, client_id) = (get(names[0]), get(names[1]));
        let (secret, certificate) = (get(names[2]), get("AZURE_CLIENT_CERTIFICATE_PATH"));
        let proof = secret.is_some() || certificate.is_some();
        let (Some(tenant_id), Some(client_id), true) = (&tenant_id, &client_id, proof) else {
            let set = [tenant_id.is_some(), client_id.is_some(), proof];
            let missing: Vec<_> =
                names.into_iter().zip(set).filter(|(_, set)| !set).map(|(name, _)| name).collect();
            let missing = missing.join(", ");
            return Err(if !proof && get("AZURE_USERNAME").is_some() && get("AZURE_PASSWORD").is_some() {
                Error::new(
                    ErrorCode::CredentialUnavailable,
                    format!(
                        "AZURE_USERNAME and AZURE_PASSWORD are set, but a sign-in by password knows no multi-factor authentication and is not offered. Not set: {missing}."
                    ),
                    "Give an application a secret or certificate, or run \"az login\".",
                )
            } else {
                Error::new(
                    ErrorCode::CredentialUnavailable,
                    format!("Not set in the environment: {missing}."),
                    "Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH) to use an application.",
                )
            });
        };
        let (tenant_id, client_id) = (tenant_id.clone(), client_id.clone());
        let http = Arc::clone(&self.http);
        if let Some(secret) = secret {
            return ClientSecret::new(tenant_id, client_id, secret.into(), &self.options, http)
                .map(Described::Secret);
        }
        let mut file = ClientCertificate::file(certificate.unwrap_or_default());
        if let Some(password) = get("AZURE_CLIENT_CERTIFICATE_PASSWORD") {
            file = file.password(password);
        }
        let send = get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN");
        let file = file.send_x5c(send.is_some_and(|send| send == "1" || send.eq_ignore_ascii_case("true")));
        FromCertificate::new(tenant_id, client_id, file, &self.options, http).map(Described::Certificate)
    }

    async fn ask(&self, request: &TokenRequest) -> Result<AccessToken> {
        match self.described()? {
            Described::Secret(secret) => secret.token(request).await,
            Described::Certificate(certificate) => certificate.token(request).await,
        }
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

    fn described(variables: &[(&str, &str)]) -> Result<Described> {
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
        let all = [
            ("AZURE_TENANT_ID", "contoso.onmicrosoft.com"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", "hunter2"),
        ];
        let found = described(&all).unwrap();
        assert!(!format!("{found:?}").contains("hunter2"));
        let error = described(&[("AZURE_TENANT_ID", "a/b"), all[1], all[2]]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidOption);
    }

    #[test]
    fn a_certificate_is_used_where_there_is_no_secret() {
        let all = [
            ("AZURE_TENANT_ID", "contoso.onmicrosoft.com"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_CERTIFICATE_PATH", "x.pem"),
            ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "hunter2"),
            ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true"),
        ];
        let found = format!("{:?}", described(&all).unwrap());
        assert!(
            found.contains("x.pem") && found.contains("send_x5c: true") && !found.contains("hunter2"),
            "{found}"
        );
        let secret = [all[0], all[1], all[2], ("AZURE_CLIENT_SECRET", "hunter2")];
        assert!(matches!(described(&secret).unwrap(), Described::Secret(_)));
    }

    #[test]
    fn a_password_is_said_not_to_be_enough() {
        let all = [("AZURE_CLIENT_ID", "c"), ("AZURE_USERNAME", "u"), ("AZURE_PASSWORD", "hunter2")];
        let error = described(&all).unwrap_err();
        assert!(
            error.message().contains("multi-factor") && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
}
