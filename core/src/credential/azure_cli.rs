//! The identity that is signed in to the Azure CLI: for development machines.

use super::application::not_valid;
use super::tool::{Runner, Tool};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
#[cfg(doc)]
use crate::error::ErrorCode;
use crate::error::Result;
use azure_core::credentials::TokenCredential;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use std::sync::Arc;

pub(super) const NAME: &str = "Azure CLI";

static TOOL: Tool = Tool {
    name: "The Azure CLI",
    program: "az",
    signed_out: &["az login"],
    sign_in: "Run \"az login\".",
    install: "Install the Azure CLI and run \"az login\", or use another credential.",
    by_hand: "Run \"az account get-access-token\" by hand to see what is wrong.",
    update: "Update the Azure CLI to 2.54.0 or newer.",
};

#[derive(Debug)]
pub(super) struct AzureCli(Runner);

impl Credential {
    /// The identity that `az login` signed in. Needs `az` 2.54 or newer on `PATH`.
    pub fn azure_cli() -> Result<Self> {
        Self::azure_cli_with(&CredentialOptions::default())
    }

    /// [`azure_cli`](Self::azure_cli) with options, of which [`CredentialOptions::tenant_id`] matters.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] when the tenant id cannot be one.
    pub fn azure_cli_with(options: &CredentialOptions) -> Result<Self> {
        Ok(Self::from_provider(Arc::new(AzureCli::new(options)?)))
    }
}

impl AzureCli {
    pub(super) fn new(options: &CredentialOptions) -> Result<Self> {
        Runner::new(&TOOL, options).map(Self)
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let shell = self.0.shell();
        let credential = AzureCliCredential::new(Some(AzureCliCredentialOptions {
            tenant_id: self.0.tenant_id.clone(),
            executor: Some(Arc::clone(&shell) as Arc<dyn Executor>),
            ..AzureCliCredentialOptions::default()
        }))
        .map_err(|error| not_valid(NAME, &error))?;
        credential.get_token(&[scope], None).await.map(Into::into).map_err(|_| shell.explain())
    }
}

impl TokenProvider for AzureCli {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(&request.scope))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::tool::fake::Fake;
    use super::*;
    use crate::error::ErrorCode;

    fn credential(az: &Fake) -> AzureCli {
        AzureCli::new(&az.options()).unwrap()
    }

    async fn ask(name: &str, script: &str) -> Result<AccessToken> {
        credential(&Fake::new("az", name, script)).ask("https://redis.azure.com/.default").await
    }

    #[tokio::test]
    async fn a_token_comes_from_az() {
        let token = ask(
            "ok",
            r#"echo '{"accessToken":"t-1","expires_on":1893456000,"tokenType":"Bearer"}'; test "$6" = https://redis.azure.com/.default"#,
        )
        .await
        .unwrap();
        assert_eq!(token.secret.expose(), "t-1");
    }

    #[tokio::test]
    async fn every_failure_says_what_to_do() {
        for (name, script, said, advice) in [
            (
                "login",
                "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1",
                "Please run",
                "az login",
            ),
            (
                "expired",
                "echo 'AADSTS700082: The refresh token has expired' >&2; exit 1",
                "AADSTS700082",
                "az login",
            ),
            ("other", "echo 'disk full' >&2; exit 3", "disk full", "get-access-token"),
            ("missing", "exit 127", "not on PATH", "Install"),
            ("old", "echo '{\"accessToken\":\"hunter2\",\"tokenType\":\"Bearer\"}'", "output", "2.54.0"),
        ] {
            let error = ask(name, script).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(said) && error.advice().contains(advice), "{name}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_hanging_az_is_not_started_twice() {
        let az = Fake::new("az", "hang", "sleep 1; exit 1");
        let credential = credential(&az);
        let scope = "https://redis.azure.com/.default";
        let cut = tokio::time::timeout(std::time::Duration::from_millis(100), credential.ask(scope)).await;
        assert!(cut.is_err());
        let error = credential.ask(scope).await.unwrap_err();
        assert!(error.message().contains("hangs"), "{error}");
    }
}
