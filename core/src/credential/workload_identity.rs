//! Workload identity on Kubernetes (AKS): a token that Kubernetes puts into a file is exchanged for one of
//! Microsoft Entra ID. `azure_identity` 1.0 keeps the file's content for ten minutes; it is read at each attempt
//! here.

use super::application::Application;
use super::http::Http;
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) const NAME: &str = "workload identity";

const ADVICE: &str = "Label the pod azure.workload.identity/use: \"true\" and annotate its service account with the identity's client id, or use another credential.";

/// Which identity and file; what is not set comes from the variables that the webhook of AKS sets.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WorkloadIdentity {
    tenant_id: Option<String>,
    client_id: Option<String>,
    token_file: Option<PathBuf>,
}

impl WorkloadIdentity {
    /// Everything from the environment: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tenant instead of `AZURE_TENANT_ID`.
    pub fn tenant_id(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant_id = Some(tenant_id.into());
        self
    }

    /// The application or user-assigned managed identity instead of `AZURE_CLIENT_ID`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The file with the service account's token instead of `AZURE_FEDERATED_TOKEN_FILE`.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some(path.into());
        self
    }
}

#[derive(Debug)]
pub(super) struct FromFile {
    identity: WorkloadIdentity,
    options: CredentialOptions,
    http: Arc<Http>,
}

impl Credential {
    /// The identity that this pod's service account is federated with.
    ///
    /// What is missing in the environment is an error of the first token
    /// ([`ErrorCode::CredentialUnavailable`]), not of this call.
    pub fn workload_identity(identity: WorkloadIdentity) -> Result<Self> {
        Self::workload_identity_with(identity, &CredentialOptions::default())
    }

    /// [`workload_identity`](Self::workload_identity) with options.
    pub fn workload_identity_with(identity: WorkloadIdentity, options: &CredentialOptions) -> Result<Self> {
        identity.tenant_id.as_deref().map_or(Ok(()), super::options::check_tenant)?;
        Ok(Self::from_provider(Arc::new(FromFile::new(identity, options, options.http()?))))
    }
}

impl FromFile {
    pub(super) fn new(identity: WorkloadIdentity, options: &CredentialOptions, http: Arc<Http>) -> Self {
        Self { identity, options: options.clone(), http }
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let get = |name| self.options.environment.get(name);
        let identity = &self.identity;
        let tenant_id = identity.tenant_id.clone().or_else(|| get("AZURE_TENANT_ID"));
        let client_id = identity.client_id.clone().or_else(|| get("AZURE_CLIENT_ID"));
        let file =
            identity.token_file.clone().or_else(|| get("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from));
        let (Some(tenant_id), Some(client_id), Some(file)) = (&tenant_id, &client_id, &file) else {
            let missing = [
                ("AZURE_TENANT_ID", tenant_id.is_none()),
                ("AZURE_CLIENT_ID", client_id.is_none()),
                ("AZURE_FEDERATED_TOKEN_FILE", file.is_none()),
            ];
            let missing: Vec<_> =
                missing.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect();
            return Err(Error::new(
                ErrorCode::CredentialUnavailable,
                format!("Not set in the environment: {}.", missing.join(", ")),
                ADVICE,
            ));
        };
        let application =
            Application::new(tenant_id.clone(), client_id.clone(), &self.options, Arc::clone(&self.http))?;
        let token = std::fs::read_to_string(file).map_err(|error| {
            let message = format!("The federated token file {} cannot be read: {error}.", file.display());
            Error::new(ErrorCode::CredentialUnavailable, message, ADVICE).retryable(true)
        })?;
        application.exchange(NAME, token.trim().into(), scope).await
    }
}

impl TokenProvider for FromFile {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(&request.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let ask = async |variables: &[(&str, &str)]| {
            let options = CredentialOptions::new().in_environment(variables);
            let credential = Credential::workload_identity_with(WorkloadIdentity::new(), &options).unwrap();
            let request = TokenRequest { scope: "https://redis.azure.com/.default".into(), force: false };
            credential.into_provider().token(&request).await.unwrap_err()
        };
        let ids = [("AZURE_TENANT_ID", "contoso.onmicrosoft.com"), ("AZURE_CLIENT_ID", "c")];
        let error = ask(&ids[..1]).await;
        assert_eq!(
            error.message(),
            "Not set in the environment: AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE."
        );
        assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
        let error = ask(&[ids[0], ids[1], ("AZURE_FEDERATED_TOKEN_FILE", "/nowhere")]).await;
        assert!(error.message().contains("/nowhere") && error.is_retryable(), "{error}");
    }
}
