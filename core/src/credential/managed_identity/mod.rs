//! Managed identity: the identity that Azure gives to the machine or app that this runs on. The services that hand
//! out its tokens are asked directly: `azure_identity` 1.0 fixes the address of IMDS, retries it by itself for 72 s, knows
//! no resource id on App Service, and none of the rarer services.
//!
//! Which service and how it is asked is in `host`, what it answers in `reply`.

mod arc;
mod host;
mod reply;

use super::answer::Answer;
use super::http::{Http, METADATA_CONNECT_TIMEOUT, reason};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use host::Host;
use reply::{TokenBody, explain};
use reqwest::{Response, StatusCode};
use std::sync::Arc;
use std::time::SystemTime;

pub(super) const NAME: &str = "managed identity";

const ELSEWHERE: &str = "Run this on an Azure resource with a managed identity, or use another credential.";

/// Which of the managed identities of this resource to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ManagedIdentityId {
    /// The one that Azure made with the resource. Default.
    #[default]
    SystemAssigned,
    /// A user-assigned one, by its client id.
    ClientId(String),
    /// A user-assigned one, by its object (principal) id.
    ObjectId(String),
    /// A user-assigned one, by its resource id: `/subscriptions/...`.
    ResourceId(String),
}

impl ManagedIdentityId {
    fn value(&self) -> Option<&str> {
        match self {
            Self::SystemAssigned => None,
            Self::ClientId(id) | Self::ObjectId(id) | Self::ResourceId(id) => Some(id),
        }
    }
}

impl Credential {
    /// A managed identity of what this runs on: virtual machine, scale set, AKS node, App Service, function,
    /// container app, machine with Azure Arc, node of Service Fabric, Cloud Shell, Azure Machine Learning.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] on an empty id.
    pub fn managed_identity(id: ManagedIdentityId) -> Result<Self> {
        Self::managed_identity_with(id, &CredentialOptions::default())
    }

    /// [`managed_identity`](Self::managed_identity) with options.
    pub fn managed_identity_with(id: ManagedIdentityId, options: &CredentialOptions) -> Result<Self> {
        if id.value().is_some_and(|value| value.trim().is_empty()) {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                "The id of the managed identity is empty.",
                "Give the identity's id, or use the system-assigned identity.",
            ));
        }
        Ok(Self::from_provider(Arc::new(ManagedIdentity::new(id, options, options.http()?))))
    }
}

#[derive(Debug)]
pub(super) struct ManagedIdentity {
    id: ManagedIdentityId,
    options: CredentialOptions,
    http: Arc<Http>,
}

impl ManagedIdentity {
    pub(super) fn new(id: ManagedIdentityId, options: &CredentialOptions, http: Arc<Http>) -> Self {
        Self { id, options: options.clone(), http }
    }

    fn service(&self) -> Host {
        Host::found(&self.options.environment, &self.options)
    }

    /// Whether there is somebody to ask, found out within a second, without asking for a token: outside Azure a
    /// request to IMDS may get lost instead of being refused.
    ///
    /// Fails with [`ErrorCode::CredentialUnavailable`].
    pub(super) async fn probe(&self) -> Result<()> {
        let Host::Imds { host } = self.service() else { return Ok(()) };
        // Without the header that real requests have, IMDS refuses it at once; any answer will do.
        let url = format!("{}?api-version=2018-02-01", Host::imds_url(&host));
        let request = self.http.metadata()?.get(url).timeout(METADATA_CONNECT_TIMEOUT);
        let response = request.send().await.map_err(|error| unreachable(&host, error).retryable(false))?;
        // Docker Desktop answers in the place of those that it cannot reach.
        let is_docker = response.status() == StatusCode::FORBIDDEN
            && response.text().await.is_ok_and(|text| text.contains("unreachable"));
        if !is_docker {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::CredentialUnavailable,
            format!("No managed identity endpoint answered at {host}: a proxy says that it is unreachable."),
            ELSEWHERE,
        ))
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let service = self.service();
        let label = service.label();
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let request = || service.request(&self.http, &self.id, resource);
        let mut response = request()?.send().await.map_err(|error| unreachable(&label, error))?;
        let is_arc = matches!(service, Host::AzureArc { .. });
        if is_arc && response.status() == StatusCode::UNAUTHORIZED {
            let key = self.answer_of_arc(&response)?;
            let answered = request()?.header("Authorization", format!("Basic {}", key.expose()));
            response = answered.send().await.map_err(|error| unreachable(&label, error))?;
        }
        if !response.status().is_success() {
            return Err(refusal(&label, response).await);
        }
        let body = response.bytes().await.map_err(|error| unreachable(&label, error))?;
        let body = TokenBody::read(&label, &body)?;
        if is_arc {
            body.confirms(&self.id)?;
        }
        Ok(body.into_token(SystemTime::now()))
    }

    fn answer_of_arc(&self, response: &Response) -> Result<Secret> {
        let challenge = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
        let directory = self.options.arc_token_directory.clone();
        let directory = directory.or_else(|| arc::key_directory(self.options.environment.get("PROGRAMDATA")));
        arc::answer(challenge.unwrap_or_default(), &directory.unwrap_or_default())
    }
}

impl TokenProvider for ManagedIdentity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(&request.scope))
    }
}

/// No answer: outside Azure there is nobody to give one, inside it passes.
fn unreachable(host: &str, error: reqwest::Error) -> Error {
    Error::new(
        ErrorCode::CredentialUnavailable,
        format!("No managed identity endpoint answered at {host}: {}.", reason(&error.without_url())),
        ELSEWHERE,
    )
    .retryable(true)
}

async fn refusal(label: &str, response: Response) -> Error {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.map(str::to_owned);
    let body = response.bytes().await.unwrap_or_default();
    explain(label, &Answer::new(status, retry_after.as_deref(), &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    /// Answers one request and returns it.
    fn serve(
        status: &'static str,
        headers: &'static str,
        body: &'static str,
    ) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 8192];
            let mut read = 0;
            while !request[..read].ends_with(b"\r\n\r\n") {
                read += stream.read(&mut request[read..]).unwrap();
            }
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        (host, served)
    }

    async fn ask(options: CredentialOptions, id: ManagedIdentityId) -> Result<AccessToken> {
        let credential = Credential::managed_identity_with(id, &options)?;
        let request = TokenRequest { scope: "https://redis.azure.com/.default".into(), force: false };
        credential.into_provider().token(&request).await
    }

    #[tokio::test]
    async fn imds_is_asked_as_documented() {
        let body = r#"{"access_token":"t-1","expires_on":"1893456001","expires_in":"3599","resource":"r","token_type":"Bearer"}"#;
        let (host, served) = serve("200 OK", "", body);
        let options =
            CredentialOptions::new().in_environment(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &host)]);
        let token = ask(options, ManagedIdentityId::ResourceId("/subscriptions/s 1".into())).await.unwrap();
        assert_eq!(token.secret.expose(), "t-1");
        assert_eq!(token.expires_at, SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_001));
        let request = served.join().unwrap();
        let line = request.lines().next().unwrap();
        assert_eq!(
            line,
            "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fredis.azure.com&msi_res_id=%2Fsubscriptions%2Fs+1 HTTP/1.1"
        );
        assert!(request.to_ascii_lowercase().contains("\r\nmetadata: true\r\n"));
    }

    #[tokio::test]
    async fn app_service_is_asked_as_documented() {
        let (host, served) = serve("200 OK", "", r#"{"access_token":"t-1","expires_on":1893456000}"#);
        let endpoint = format!("{host}/msi/token");
        let options = CredentialOptions::new()
            .in_environment(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", "hunter2")]);
        ask(options, ManagedIdentityId::ClientId("c-1".into())).await.unwrap();
        let request = served.join().unwrap();
        assert!(request.starts_with(
            "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fredis.azure.com&client_id=c-1 HTTP/1.1"
        ));
        assert!(request.to_ascii_lowercase().contains("\r\nx-identity-header: hunter2\r\n"));
    }

    #[tokio::test]
    async fn an_identity_that_is_not_assigned_is_said_so() {
        let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        let (host, _served) = serve("400 Bad Request", "", body);
        let options = CredentialOptions::new().in_environment(&[]).metadata_host(host);
        let error = ask(options, ManagedIdentityId::SystemAssigned).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("Identity not found. Assign the managed identity"), "{error}");
    }

    #[tokio::test]
    async fn throttling_keeps_retry_after() {
        let (host, _served) = serve("429 Too Many Requests", "retry-after: 7\r\n", "");
        let options = CredentialOptions::new().in_environment(&[]).metadata_host(host);
        let error = ask(options, ManagedIdentityId::SystemAssigned).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TokenEndpointUnavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }

    #[tokio::test]
    async fn nobody_there_is_unavailable_and_an_odd_answer_is_not_repeated() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options =
            CredentialOptions::new().in_environment(&[]).metadata_host(format!("http://127.0.0.1:{port}"));
        let error = ask(options, ManagedIdentityId::SystemAssigned).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
        assert!(error.is_retryable());
        for (status, body) in [("200 OK", r#"{"access_token":["hunter2"]}"#), ("404 Not Found", "hunter2")] {
            let (host, _served) = serve(status, "", body);
            let options = CredentialOptions::new().in_environment(&[]).metadata_host(host);
            let error = ask(options, ManagedIdentityId::SystemAssigned).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn an_empty_id_is_refused() {
        assert!(Credential::managed_identity(ManagedIdentityId::ClientId(" ".into())).is_err());
    }
}
