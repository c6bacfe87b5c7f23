//! The identity that is signed in to the Azure Developer CLI: for development machines.

use super::application::not_valid;
use super::tool::{Runner, Tool};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
#[cfg(doc)]
use crate::error::ErrorCode;
use crate::error::Result;
use azure_core::credentials::TokenCredential;
use azure_identity::{AzureDeveloperCliCredential, AzureDeveloperCliCredentialOptions, Executor};
use std::sync::Arc;

pub(super) const NAME: &str = "Azure Developer CLI";

static TOOL: Tool = Tool {
    name: "The Azure Developer CLI",
    program: "azd",
    signed_out: &["azd auth login"],
    sign_in: "Run \"azd auth login\".",
    install: "Install the Azure Developer CLI and run \"azd auth login\", or use another credential.",
    by_hand: "Run \"azd auth token --output json\" by hand to see what is wrong.",
    update: "Update the Azure Developer CLI.",
};

#[derive(Debug)]
pub(super) struct AzureDeveloperCli(Runner);

impl Credential {
    /// The identity that `azd auth login` signed in.
    pub fn azure_developer_cli() -> Result<Self> {
        Self::azure_developer_cli_with(&CredentialOptions::default())
    }

    /// [`azure_developer_cli`](Self::azure_developer_cli) with options, of which
    /// [`CredentialOptions::tenant_id`] matters.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] when the tenant id cannot be one.
    pub fn azure_developer_cli_with(options: &CredentialOptions) -> Result<Self> {
        Ok(Self::from_provider(Arc::new(AzureDeveloperCli::new(options)?)))
    }
}

impl AzureDeveloperCli {
    pub(super) fn new(options: &CredentialOptions) -> Result<Self> {
        Runner::new(&TOOL, options).map(Self)
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let shell = self.0.shell();
        let credential = AzureDeveloperCliCredential::new(Some(AzureDeveloperCliCredentialOptions {
            tenant_id: self.0.tenant_id.clone(),
            executor: Some(Arc::clone(&shell) as Arc<dyn Executor>),
        }))
        .map_err(|error| not_valid(NAME, &error))?;
        credential.get_token(&[scope], None).await.map(Into::into).map_err(|_| shell.explain())
    }
}

impl TokenProvider for AzureDeveloperCli {
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

    async fn ask(name: &str, script: &str) -> Result<AccessToken> {
        let azd = Fake::new("azd", name, script);
        AzureDeveloperCli::new(&azd.options()).unwrap().ask("https://redis.azure.com/.default").await
    }

    #[tokio::test]
    async fn a_token_comes_from_azd() {
        let script = r#"test "$*" = "auth token -o json --no-prompt --scope https://redis.azure.com/.default" && echo '{"token":"t-1","expiresOn":"2030-01-01T00:00:00Z"}'"#;
        assert_eq!(ask("ok", script).await.unwrap().secret.expose(), "t-1");
    }

    #[tokio::test]
    async fn every_failure_says_what_to_do() {
        for (name, script, said, advice) in [
            (
                "old",
                r#"printf '%s\n' '{"type":"consoleMessage","data":{"message":"\nERROR: not logged in, run `azd auth login` to login\n"}}' >&2; exit 1"#,
                "signed in: not logged in",
                "azd auth login",
            ),
            (
                "new",
                r#"echo '{"error":"fetching token: AADSTS700082: expired","message":"x"}'; echo hunter2; exit 1"#,
                "AADSTS700082",
                "azd auth login",
            ),
            ("other", "echo 'disk full' >&2; echo hunter2; exit 3", "disk full", "by hand"),
            ("missing", "exit 127", "not on PATH", "Install"),
            ("broken", "echo '{\"token\":\"hunter2\"'", "output", "Update"),
        ] {
            let error = ask(name, script).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(said) && error.advice().contains(advice), "{name}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
