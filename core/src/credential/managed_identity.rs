//! Managed identity: the metadata service of virtual machines and AKS (IMDS), and the one of App Service,
//! Functions and Container Apps. Asked directly: `azure_identity` 1.0 fixes the address of IMDS, retries it by
//! itself for 72 s, and knows no resource id on App Service.
//!
//! Sources: "How to use managed identities on an Azure VM to acquire an access token" and "How to use managed
//! identities for App Service and Azure Functions: REST endpoint reference", Microsoft Learn.

use super::answer::{Answer, one_line};
use super::http::{Http, reason};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use reqwest::{RequestBuilder, Response, Url};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) const NAME: &str = "managed identity";

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
    /// A managed identity of the virtual machine, scale set, AKS node, App Service, function or container app
    /// that this runs on.
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

/// Where to ask, as the environment says.
#[derive(Debug, PartialEq)]
enum Service {
    Imds { host: String },
    AppService { endpoint: String, header: Secret },
}

impl ManagedIdentity {
    pub(super) fn new(id: ManagedIdentityId, options: &CredentialOptions, http: Arc<Http>) -> Self {
        Self { id, options: options.clone(), http }
    }

    fn service(&self) -> Result<Service> {
        let get = |name| self.options.environment.get(name);
        let unsupported = |what: &str| {
            Err(Error::new(
                ErrorCode::CredentialUnavailable,
                format!("The managed identity of {what} is not supported."),
                "Use another credential here, such as a client secret.",
            ))
        };
        match (get("IDENTITY_ENDPOINT"), get("IDENTITY_HEADER")) {
            (Some(_), Some(_)) if get("IDENTITY_SERVER_THUMBPRINT").is_some() => {
                unsupported("Service Fabric")
            }
            (Some(endpoint), Some(header)) => Ok(Service::AppService { endpoint, header: header.into() }),
            (Some(_), None) if get("IMDS_ENDPOINT").is_some() => unsupported("Azure Arc"),
            (None, _) if get("MSI_ENDPOINT").is_some() => {
                unsupported("Cloud Shell and Azure Machine Learning")
            }
            _ => Ok(Service::Imds { host: self.options.metadata() }),
        }
    }

    fn request(&self, service: &Service, scope: &str) -> Result<RequestBuilder> {
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let (base, version, resource_id) = match service {
            Service::Imds { host } => {
                let base = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
                (base, "2018-02-01", "msi_res_id")
            }
            Service::AppService { endpoint, .. } => (endpoint.clone(), "2019-08-01", "mi_res_id"),
        };
        let mut query = vec![("api-version", version), ("resource", resource)];
        match &self.id {
            ManagedIdentityId::SystemAssigned => {}
            ManagedIdentityId::ClientId(id) => query.push(("client_id", id)),
            ManagedIdentityId::ObjectId(id) => query.push(("object_id", id)),
            ManagedIdentityId::ResourceId(id) => query.push((resource_id, id)),
        }
        let url = Url::parse_with_params(&base, query).map_err(|_| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("\"{base}\" is not a URL to ask for a managed identity."),
                "Correct metadata_host, AZURE_POD_IDENTITY_AUTHORITY_HOST or IDENTITY_ENDPOINT.",
            )
        })?;
        let request = self.http.metadata()?.get(url);
        Ok(match service {
            Service::Imds { .. } => request.header("Metadata", "true"),
            Service::AppService { header, .. } => request.header("X-IDENTITY-HEADER", header.expose()),
        })
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let service = self.service()?;
        let host = match &service {
            Service::Imds { host } => host,
            Service::AppService { endpoint, .. } => endpoint,
        };
        let response = self.request(&service, scope)?.send().await;
        let response = response.map_err(|error| unreachable(host, error))?;
        if !response.status().is_success() {
            return Err(refusal(host, response).await);
        }
        let body = response.bytes().await.map_err(|error| unreachable(host, error))?;
        // Why serde refused it could quote the token: not repeated.
        let body: TokenBody = serde_json::from_slice(&body).map_err(|_| {
            Error::new(
                ErrorCode::CredentialUnavailable,
                format!("{host} answered with something that is not a managed identity's token."),
                "This does not seem to be Azure's metadata service; use another credential here.",
            )
        })?;
        let expires_at = body.expires_at(SystemTime::now());
        Ok(AccessToken { secret: body.access_token.into(), expires_at })
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

/// The success body; numbers come as text from IMDS and as either from others.
#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    #[serde(default)]
    expires_on: Option<Number>,
    #[serde(default)]
    expires_in: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn seconds(&self) -> Option<Duration> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
        }
        .map(Duration::from_secs)
    }
}

impl TokenBody {
    fn expires_at(&self, now: SystemTime) -> SystemTime {
        let at = self.expires_on.as_ref().and_then(Number::seconds);
        let at = at.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(at));
        let after = self.expires_in.as_ref().and_then(Number::seconds);
        // Without either the token's own claim decides; a day is what Azure issues.
        at.or_else(|| now.checked_add(after?)).unwrap_or(now + Duration::from_hours(24))
    }
}

/// No answer: outside Azure there is nobody to give one, inside it passes.
fn unreachable(host: &str, error: reqwest::Error) -> Error {
    Error::new(
        ErrorCode::CredentialUnavailable,
        format!("No managed identity endpoint answered at {host}: {}.", reason(&error.without_url())),
        "Run this on an Azure resource with a managed identity, or use another credential.",
    )
    .retryable(true)
}

async fn refusal(host: &str, response: Response) -> Error {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.map(str::to_owned);
    let body = response.bytes().await.unwrap_or_default();
    explain(host, &Answer::new(status, retry_after.as_deref(), &body))
}

/// What a refusal of the metadata service means. It asks to be tried again on 404, 410, 429 and 5xx.
fn explain(host: &str, answer: &Answer) -> Error {
    let status = answer.status;
    let text = answer.body.as_ref().map(|body| format!(" {}", one_line(&body.text()))).unwrap_or_default();
    if matches!(status, 429 | 500..) || (matches!(status, 404 | 410) && answer.body.is_some()) {
        return Error::new(
            ErrorCode::TokenEndpointUnavailable,
            format!("The managed identity endpoint at {host} answered {status}.{text}"),
            "It is tried again; right after a start or an assignment this passes.",
        )
        .after(answer.retry_after);
    }
    let advice = match (status, &answer.body) {
        (400, Some(_)) => {
            "Assign the managed identity to this Azure resource (Identity, in the portal), or correct its id."
        }
        _ => "This does not seem to be Azure's metadata service; use another credential here.",
    };
    Error::new(
        ErrorCode::CredentialUnavailable,
        format!("The managed identity endpoint at {host} answered {status}.{text}"),
        advice,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

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

    #[tokio::test]
    async fn hosts_with_another_protocol_are_named() {
        for (variables, name) in [
            (vec![("IDENTITY_ENDPOINT", "x"), ("IMDS_ENDPOINT", "x")], "Azure Arc"),
            (vec![("MSI_ENDPOINT", "x")], "Cloud Shell"),
            (
                vec![
                    ("IDENTITY_ENDPOINT", "x"),
                    ("IDENTITY_HEADER", "x"),
                    ("IDENTITY_SERVER_THUMBPRINT", "x"),
                ],
                "Service Fabric",
            ),
        ] {
            let options = CredentialOptions::new().in_environment(&variables);
            let error = ask(options, ManagedIdentityId::SystemAssigned).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(name), "{error}");
        }
    }

    #[test]
    fn an_empty_id_is_refused() {
        assert!(Credential::managed_identity(ManagedIdentityId::ClientId(" ".into())).is_err());
    }
}
