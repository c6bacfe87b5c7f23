//! An application (service principal) and how it proves itself to Microsoft Entra ID by an assertion, whoever
//! made that: what client certificate, client assertion, workload identity and Azure Pipelines share.

use super::http::{Http, Recorder, failure};
use super::options::check_tenant;
use super::{AccessToken, CredentialOptions};
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientMethodOptions, ClientOptions};
use azure_identity::{ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions};
use std::sync::Arc;

/// Which application, in which tenant of which cloud.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    authority: String,
    pub(super) http: Arc<Http>,
}

impl Application {
    /// Fails with [`ErrorCode::InvalidOption`] on an id that cannot be one.
    pub(super) fn new(
        tenant_id: String,
        client_id: String,
        options: &CredentialOptions,
        http: Arc<Http>,
    ) -> Result<Self> {
        check_tenant(&tenant_id)?;
        not_empty("client id", &client_id)?;
        Ok(Self { tenant_id, client_id, authority: options.authority()?, http })
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The address of the token endpoint, which is also the audience of assertions for it.
    pub(super) fn token_endpoint(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.authority.trim_end_matches('/'), self.tenant_id)
    }

    /// What `azure_identity` needs to ask this cloud through a recorder.
    pub(super) fn client_options(&self, recorder: &Arc<Recorder>) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        let mut options = recorder.client_options();
        options.cloud = Some(Arc::new(cloud.into()));
        options
    }

    /// Exchanges an assertion for a token, with a new object of `azure_identity`, which would cache it.
    pub(super) async fn exchange(&self, kind: &str, assertion: Secret, scope: &str) -> Result<AccessToken> {
        let recorder = Recorder::new(Arc::new(self.http.entra()?.clone()));
        let options = ClientAssertionCredentialOptions { client_options: self.client_options(&recorder) };
        let credential = ClientAssertionCredential::new(
            self.tenant_id.clone(),
            self.client_id.clone(),
            Ready(assertion),
            Some(options),
        )
        .map_err(|error| not_valid(kind, &error))?;
        match credential.get_token(&[scope], None).await {
            Ok(token) => Ok(token.into()),
            Err(_) => Err(failure(recorder.take(), kind, &self.authority)),
        }
    }
}

/// An assertion that is there already.
#[derive(Debug)]
struct Ready(Secret);

#[async_trait::async_trait]
impl ClientAssertion for Ready {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.expose().to_owned())
    }
}

/// The error for what `azure_identity` refuses to begin with.
pub(super) fn not_valid(kind: &str, error: &azure_core::Error) -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        format!("The credential ({kind}) is not valid: {error}."),
        "Correct the application's ids.",
    )
}

/// Refuses what is missing before anything is sent.
pub(super) fn not_empty(name: &str, value: &str) -> Result<()> {
    if !value.trim().is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::InvalidOption,
        format!("The {name} is empty."),
        "Take it from the Azure portal: App registrations.",
    ))
}
