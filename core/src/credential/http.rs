//! HTTP for credentials: which certificate authorities are trusted, one client per use, and a transport that
//! remembers how the token endpoint answered. What the answers mean is in `answer`.

use super::answer::Answer;
use super::thumbprint::Thumbprint;
use crate::error::{Error, ErrorCode, Result};
use crate::trust;
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, Transport};
use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

/// How long a TCP connection to the metadata service of the same machine may take where it may well not exist.
pub(super) const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The HTTP clients of one credential, built when first used and kept.
///
/// No connection is kept open between requests: they are an hour apart, and a forked child must not find its
/// parent's.
#[derive(Debug)]
pub(super) struct Http {
    extra_roots: Vec<CertificateDer<'static>>,
    connect_timeout: Duration,
    entra: OnceCell<reqwest::Client>,
    metadata: OnceCell<reqwest::Client>,
}

impl Http {
    /// Fails with [`ErrorCode::InvalidOption`] when `ca_certificates` is not PEM.
    pub(super) fn new(ca_certificates: &[u8], connect_timeout: Duration) -> Result<Self> {
        let extra_roots =
            if ca_certificates.is_empty() { Vec::new() } else { trust::read_pem(ca_certificates)? };
        Ok(Self { extra_roots, connect_timeout, entra: OnceCell::new(), metadata: OnceCell::new() })
    }

    /// The client for Microsoft Entra ID; honours `HTTPS_PROXY` and `NO_PROXY`.
    pub(super) fn entra(&self) -> Result<&reqwest::Client> {
        self.entra.get_or_try_init(|| self.build(self.connect_timeout, |builder| builder))
    }

    /// The client for metadata services of this machine: never through a proxy, and quick to see that there is
    /// none.
    pub(super) fn metadata(&self) -> Result<&reqwest::Client> {
        let timeout = self.connect_timeout.min(METADATA_CONNECT_TIMEOUT);
        self.metadata.get_or_try_init(|| self.build(timeout, reqwest::ClientBuilder::no_proxy))
    }

    /// A client for the one service of this machine whose certificate has this SHA-1 thumbprint, whoever signed it.
    pub(super) fn with_certificate(&self, thumbprint: &str) -> Result<reqwest::Client> {
        let tls = trust::client_config(rustls::DEFAULT_VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Thumbprint::new(thumbprint)))
            .with_no_client_auth();
        let timeout = self.connect_timeout.min(METADATA_CONNECT_TIMEOUT);
        Self::build_with(tls, timeout, reqwest::ClientBuilder::no_proxy)
    }

    fn build(
        &self,
        connect_timeout: Duration,
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<reqwest::Client> {
        let tls = trust::client_config(rustls::DEFAULT_VERSIONS)?
            .with_root_certificates(trust::roots(&self.extra_roots).0)
            .with_no_client_auth();
        Self::build_with(tls, connect_timeout, more)
    }

    fn build_with(
        tls: rustls::ClientConfig,
        connect_timeout: Duration,
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<reqwest::Client> {
        let failed = |error: &dyn StdError| {
            Error::new(
                ErrorCode::Internal,
                format!("The HTTP client for token requests could not be made: {}.", reason(error)),
                "Check the certificate authorities given by option.",
            )
        };
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("keyless/", env!("CARGO_PKG_VERSION")));
        more(builder).build().map_err(|error| failed(&error))
    }
}

/// What came of the request that went through a [`Recorder`].
#[derive(Debug)]
pub(super) enum Outcome {
    /// No answer came, and why.
    Unreachable {
        reason: String,
    },
    Refused(Answer),
}

/// A transport for one attempt of `azure_identity`: no retries of its own, and what went wrong is kept.
///
/// `azure_identity` 1.0 reads the error description without unescaping it, so it loses every description with a
/// line break, which Entra's have; the answer is kept whole here.
#[derive(Debug)]
pub(super) struct Recorder {
    client: Arc<dyn HttpClient>,
    outcome: Mutex<Option<Outcome>>,
}

impl Recorder {
    pub(super) fn new(client: Arc<dyn HttpClient>) -> Arc<Self> {
        Arc::new(Self { client, outcome: Mutex::default() })
    }

    /// Options for `azure_identity` that send through this recorder and never retry: the token source does.
    pub(super) fn client_options(self: &Arc<Self>) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(Arc::clone(self) as Arc<dyn HttpClient>)),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        }
    }

    /// What went wrong, if anything did.
    pub(super) fn take(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }
}

#[async_trait::async_trait]
impl HttpClient for Recorder {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answered = async {
            let response = self.client.execute_request(request).await?;
            let (status, headers, body) = response.deconstruct();
            Ok((status, headers, body.collect().await?))
        };
        let (status, headers, body) = answered.await.inspect_err(|error: &azure_core::Error| {
            *self.outcome.lock() = Some(Outcome::Unreachable { reason: reason(error) });
        })?;
        if !status.is_success() {
            let retry_after = headers.get_optional_str(&azure_core::http::headers::RETRY_AFTER);
            *self.outcome.lock() = Some(Outcome::Refused(Answer::new(status.into(), retry_after, &body)));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// The error for what a recorder saw.
pub(super) fn failure(outcome: Option<Outcome>, credential: &str, authority: &str) -> Error {
    match outcome {
        Some(Outcome::Refused(answer)) => answer.into_error(credential),
        Some(Outcome::Unreachable { reason }) if reason.contains("certificate") => Error::new(
            ErrorCode::TokenEndpointUnavailable,
            format!("The certificate of {authority} is not trusted: {reason}."),
            "Pass the certificate authority of the proxy on the way as ca_certificates, or set SSL_CERT_FILE.",
        )
        .retryable(false),
        Some(Outcome::Unreachable { reason }) => Error::new(
            ErrorCode::TokenEndpointUnavailable,
            format!("{authority} could not be reached: {reason}."),
            "Check name resolution, firewall and HTTPS_PROXY for the token endpoint.",
        ),
        // The answer was a success, but not one of a token endpoint. Its text could hold a token: not repeated.
        None => Error::new(
            ErrorCode::TokenEndpointUnavailable,
            format!("{authority} answered with something that is not a token."),
            "Check the authority host, and the proxy on the way.",
        ),
    }
}

/// An error's text with its causes, each once: the outer ones of HTTP clients say little.
pub(super) fn reason(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_must_be_pem() {
        let timeout = Duration::from_secs(1);
        assert!(Http::new(b"", timeout).is_ok());
        let broken: &[u8] = b"-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n";
        for pem in [b"not pem".as_slice(), broken] {
            assert_eq!(Http::new(pem, timeout).unwrap_err().code(), ErrorCode::InvalidOption);
        }
    }

    #[test]
    fn the_clients_are_built_once() {
        let http = Http::new(b"", Duration::from_secs(1)).unwrap();
        assert!(std::ptr::eq(http.entra().unwrap(), http.entra().unwrap()));
        http.metadata().unwrap();
    }
}
