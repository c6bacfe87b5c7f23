//! An application (service principal) with a client secret.

use super::application::{Application, not_empty, not_valid};
use super::http::{Http, Recorder, failure};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
#[cfg(any(doc, test))]
use crate::error::ErrorCode;
use crate::error::Result;
use crate::secret::Secret;
use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use std::sync::Arc;

pub(super) const NAME: &str = "client secret";

#[derive(Debug)]
pub(super) struct ClientSecret {
    application: Application,
    secret: Secret,
}

impl Credential {
    /// An application with a client secret, as the Azure portal shows them under App registrations.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] on an id that cannot be one, before anything is sent.
    pub fn client_secret(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        secret: impl Into<Secret>,
    ) -> Result<Self> {
        Self::client_secret_with(tenant_id, client_id, secret, &CredentialOptions::default())
    }

    /// [`client_secret`](Self::client_secret) with options.
    pub fn client_secret_with(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        secret: impl Into<Secret>,
        options: &CredentialOptions,
    ) -> Result<Self> {
        let http = options.http()?;
        let provider = ClientSecret::new(tenant_id.into(), client_id.into(), secret.into(), options, http)?;
        Ok(Self::from_provider(Arc::new(provider)))
    }
}

impl ClientSecret {
    pub(super) fn new(
        tenant_id: String,
        client_id: String,
        secret: Secret,
        options: &CredentialOptions,
        http: Arc<Http>,
    ) -> Result<Self> {
        let application = Application::new(tenant_id, client_id, options, http)?;
        not_empty("client secret", secret.expose())?;
        Ok(Self { application, secret })
    }

    /// Asks through `client`, with a new object of `azure_identity`: an older one would answer from its cache,
    /// which cannot be passed over, until 300 s before expiry.
    async fn ask(&self, client: Arc<dyn HttpClient>, scope: &str) -> Result<AccessToken> {
        let recorder = Recorder::new(client);
        let client_options = self.application.client_options(&recorder);
        let credential = ClientSecretCredential::new(
            &self.application.tenant_id,
            self.application.client_id.clone(),
            self.secret.expose().to_owned().into(),
            Some(ClientSecretCredentialOptions { client_options }),
        )
        .map_err(|error| not_valid(NAME, &error))?;
        match credential.get_token(&[scope], None).await {
            Ok(token) => Ok(token.into()),
            Err(_) => Err(failure(recorder.take(), NAME, self.application.authority())),
        }
    }
}

impl TokenProvider for ClientSecret {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(async move {
            let client = Arc::new(self.application.http.entra()?.clone());
            self.ask(client, &request.scope).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::headers::Headers;
    use azure_core::http::{AsyncRawResponse, Request, StatusCode};
    use parking_lot::Mutex;

    const TENANT: &str = "contoso.onmicrosoft.com";

    /// Answers every request alike and keeps it.
    #[derive(Debug)]
    struct Endpoint {
        status: u16,
        headers: Vec<(&'static str, &'static str)>,
        body: &'static str,
        urls: Mutex<Vec<String>>,
    }

    #[async_trait::async_trait]
    impl HttpClient for Endpoint {
        async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
            self.urls.lock().push(request.url().to_string());
            let mut headers = Headers::new();
            for (name, value) in &self.headers {
                headers.insert(*name, *value);
            }
            Ok(AsyncRawResponse::from_bytes(StatusCode::from(self.status), headers, self.body))
        }
    }

    fn endpoint(status: u16, body: &'static str) -> Endpoint {
        Endpoint { status, headers: Vec::new(), body, urls: Mutex::default() }
    }

    fn credential(options: &CredentialOptions) -> Result<ClientSecret> {
        ClientSecret::new(TENANT.into(), "client-1".into(), "hunter2".into(), options, options.http()?)
    }

    async fn ask(endpoint: Endpoint) -> (Result<AccessToken>, Arc<Endpoint>) {
        let endpoint = Arc::new(endpoint);
        let options = CredentialOptions::new().in_environment(&[]);
        let client = Arc::clone(&endpoint) as Arc<dyn HttpClient>;
        let answer = credential(&options).unwrap().ask(client, "https://redis.azure.com/.default").await;
        (answer, endpoint)
    }

    #[tokio::test]
    async fn a_token_comes_from_the_tenants_v2_endpoint() {
        let body = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"t-1"}"#;
        let (answer, endpoint) = ask(endpoint(200, body)).await;
        assert_eq!(answer.unwrap().secret.expose(), "t-1");
        assert_eq!(
            *endpoint.urls.lock(),
            ["https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"]
        );
    }

    #[tokio::test]
    async fn a_wrong_secret_is_a_refusal_with_advice_and_without_the_secret() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: t-1\r\nCorrelation ID: c-1","error_codes":[7000215]}"#;
        let (answer, endpoint) = ask(endpoint(401, body)).await;
        let error = answer.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SignInRefused);
        assert!(error.message().contains("AADSTS7000215") && error.message().contains("t-1"), "{error}");
        assert!(error.advice().contains("Secret ID"));
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(endpoint.urls.lock().len(), 1);
    }

    #[tokio::test]
    async fn throttling_is_not_retried_here_and_keeps_retry_after() {
        for status in [429, 503] {
            let mut busy = endpoint(status, "busy");
            busy.headers.push(("retry-after", "42"));
            let (answer, endpoint) = ask(busy).await;
            let error = answer.unwrap_err();
            assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
            assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(42)));
            assert_eq!(endpoint.urls.lock().len(), 1);
        }
    }

    #[tokio::test]
    async fn t_1_2_an_answer_that_is_no_token_is_not_repeated() {
        let (answer, _) = ask(endpoint(200, r#"{"access_token":["hunter2"]}"#)).await;
        let error = answer.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_reached_is_unavailable() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options =
            CredentialOptions::new().in_environment(&[]).authority_host(format!("https://127.0.0.1:{port}"));
        let credential = credential(&options).unwrap();
        let request = TokenRequest { scope: "https://redis.azure.com/.default".into(), force: false };
        let error = credential.token(&request).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
        assert!(error.is_retryable());
        assert!(error.message().contains("refused"), "{error}");
    }

    #[test]
    fn ids_that_cannot_be_one_are_refused_before_anything_is_sent() {
        assert!(Credential::client_secret("a/b", "c", "s").is_err());
        assert!(Credential::client_secret(TENANT, "", "s").is_err());
        assert!(Credential::client_secret(TENANT, "c", " ").is_err());
        let credential = Credential::client_secret(TENANT, "c", "hunter2").unwrap();
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
