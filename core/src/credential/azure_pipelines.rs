//! The service connection of an Azure Pipelines run: Azure DevOps issues a token for it, which is exchanged for
//! one of Microsoft Entra ID. `azure_identity` 1.0 has this kind too, but tells a refusal of Azure DevOps as one
//! of Microsoft Entra ID.
//!
//! Source: "Oidctoken - Create", Azure DevOps REST API 7.1.

use super::answer::one_line;
use super::application::{Application, not_empty};
use super::http::reason;
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use std::sync::Arc;

const NAME: &str = "Azure Pipelines";
const REQUEST_URI: &str = "SYSTEM_OIDCREQUESTURI";

#[derive(Debug)]
struct FromPipeline {
    application: Application,
    service_connection_id: String,
    access_token: Secret,
    options: CredentialOptions,
}

impl Credential {
    /// The service connection with this id, in a run of Azure Pipelines. `access_token` is the run's
    /// `System.AccessToken`, which a task has to map into its environment.
    ///
    /// Where to ask stands in `SYSTEM_OIDCREQUESTURI`, which every run has; without it the first token fails
    /// with [`ErrorCode::CredentialUnavailable`]. Fails with [`ErrorCode::InvalidOption`] on what cannot be an
    /// id.
    pub fn azure_pipelines(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        service_connection_id: impl Into<String>,
        access_token: impl Into<Secret>,
    ) -> Result<Self> {
        let options = CredentialOptions::default();
        Self::azure_pipelines_with(tenant_id, client_id, service_connection_id, access_token, &options)
    }

    /// [`azure_pipelines`](Self::azure_pipelines) with options.
    pub fn azure_pipelines_with(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        service_connection_id: impl Into<String>,
        access_token: impl Into<Secret>,
        options: &CredentialOptions,
    ) -> Result<Self> {
        let application = Application::new(tenant_id.into(), client_id.into(), options, options.http()?)?;
        let (service_connection_id, access_token) = (service_connection_id.into(), access_token.into());
        not_empty("id of the service connection", &service_connection_id)?;
        not_empty("access token of the run (System.AccessToken)", access_token.expose())?;
        let options = options.clone();
        Ok(Self::from_provider(Arc::new(FromPipeline {
            application,
            service_connection_id,
            access_token,
            options,
        })))
    }
}

/// The answer of Azure DevOps.
#[derive(Deserialize)]
struct OidcToken {
    #[serde(rename = "oidcToken")]
    token: String,
}

impl FromPipeline {
    async fn assertion(&self) -> Result<Secret> {
        let unavailable = |message: String, advice: &'static str| {
            Error::new(ErrorCode::CredentialUnavailable, message, advice)
        };
        let uri = self.options.environment.get(REQUEST_URI).ok_or_else(|| {
            unavailable(
                format!("Not set in the environment: {REQUEST_URI}."),
                "Use this credential in a run of Azure Pipelines, and another one elsewhere.",
            )
        })?;
        let query = [("api-version", "7.1"), ("serviceConnectionId", self.service_connection_id.as_str())];
        let url = Url::parse_with_params(&uri, query).map_err(|_| {
            unavailable(format!("{REQUEST_URI} is not a URL."), "Leave the variable to Azure Pipelines.")
        })?;
        let request = self
            .application
            .http
            .entra()?
            .post(url)
            .bearer_auth(self.access_token.expose())
            .header("content-type", "application/json")
            .header("content-length", "0")
            // Otherwise a refusal would be a page to sign in on.
            .header("x-tfs-fedauthredirect", "Suppress");
        let unreachable = |error: reqwest::Error| {
            Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("Azure DevOps could not be reached: {}.", reason(&error.without_url())),
                "Check name resolution, firewall and HTTPS_PROXY of the build agent.",
            )
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let reference = ["x-vss-e2eid", "x-msedge-ref"].into_iter().find_map(|name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(format!(" ({name}: {})", one_line(value)))
        });
        let reference = reference.unwrap_or_default();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("Azure DevOps answered {}{reference}.", status.as_u16()),
                "It is tried again; if this lasts, look at status.dev.azure.com.",
            ));
        }
        if !status.is_success() {
            return Err(Error::new(
                ErrorCode::SignInRefused,
                format!(
                    "Azure DevOps refused a token for the service connection with {}{reference}.",
                    status.as_u16()
                ),
                "Check the id of the service connection, that the pipeline may use it, and that SYSTEM_ACCESSTOKEN is $(System.AccessToken).",
            ));
        }
        let body = response.bytes().await.map_err(unreachable)?;
        // Why serde refused it could quote the token: not repeated.
        let body: OidcToken = serde_json::from_slice(&body).map_err(|_| {
            Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("Azure DevOps answered with something that is not a token{reference}."),
                "Check SYSTEM_OIDCREQUESTURI and the proxy on the way.",
            )
        })?;
        Ok(body.token.into())
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let assertion = self.assertion().await?;
        self.application.exchange(NAME, assertion, scope).await
    }
}

impl TokenProvider for FromPipeline {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(&request.scope))
    }
}
