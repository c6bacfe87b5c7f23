//! An application (service principal) with a client certificate. `azure_identity` 1.0 has this kind, but links
//! OpenSSL for it, reads PKCS#12 only and sends SHA-1 thumbprints: the assertion is signed here.

use super::application::Application;
use super::assertion::sign;
use super::certificate::Certificate;
use super::http::Http;
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

pub(super) const NAME: &str = "client certificate";

/// A certificate with its private key, as a file or as the bytes of one: PEM or PKCS#12 (PFX), RSA.
#[derive(Clone)]
pub struct ClientCertificate {
    source: Source,
    password: Option<Secret>,
    send_x5c: bool,
}

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Bytes(Arc<Zeroizing<Vec<u8>>>),
}

impl ClientCertificate {
    /// A file, which is read again at each attempt to get a token: one that was replaced is used from then on.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::File(path.into()))
    }

    /// The bytes of such a file.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Source::Bytes(Arc::new(Zeroizing::new(bytes.into()))))
    }

    fn new(source: Source) -> Self {
        Self { source, password: None, send_x5c: false }
    }

    /// The password of an encrypted file; none by default.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Whether the certificate and its issuers are sent along (.NET: `SendX5C`), for applications that trust a
    /// subject name and issuer instead of one registered certificate; default false.
    pub fn send_x5c(mut self, send: bool) -> Self {
        self.send_x5c = send;
        self
    }

    fn read(&self) -> Result<Certificate> {
        let bytes = match &self.source {
            Source::Bytes(bytes) => Arc::clone(bytes),
            Source::File(path) => Arc::new(Zeroizing::new(std::fs::read(path).map_err(|error| {
                Error::new(
                    ErrorCode::InvalidOption,
                    format!("The client certificate {} cannot be read: {error}.", path.display()),
                    "Give the path of a PEM or PKCS#12 file that this process may read.",
                )
            })?)),
        };
        Certificate::read(&bytes, self.password.as_ref())
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientCertificate");
        if let Source::File(path) = &self.source {
            shown.field("file", path);
        }
        shown.field("send_x5c", &self.send_x5c).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct FromCertificate {
    application: Application,
    certificate: ClientCertificate,
}

impl Credential {
    /// An application with a certificate that is registered with it (or, with
    /// [`ClientCertificate::send_x5c`], whose subject name and issuer are).
    ///
    /// Fails with [`ErrorCode::InvalidOption`] on an id that cannot be one and on a certificate that cannot be
    /// used now. One that cannot be used later, at a token's renewal, is an error of that attempt, and the next
    /// one reads the file again.
    pub fn client_certificate(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        certificate: ClientCertificate,
    ) -> Result<Self> {
        Self::client_certificate_with(tenant_id, client_id, certificate, &CredentialOptions::default())
    }

    /// [`client_certificate`](Self::client_certificate) with options.
    pub fn client_certificate_with(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        certificate: ClientCertificate,
        options: &CredentialOptions,
    ) -> Result<Self> {
        certificate.read()?;
        let http = options.http()?;
        let provider = FromCertificate::new(tenant_id.into(), client_id.into(), certificate, options, http)?;
        Ok(Self::from_provider(Arc::new(provider)))
    }
}

impl FromCertificate {
    pub(super) fn new(
        tenant_id: String,
        client_id: String,
        certificate: ClientCertificate,
        options: &CredentialOptions,
        http: Arc<Http>,
    ) -> Result<Self> {
        Ok(Self { application: Application::new(tenant_id, client_id, options, http)?, certificate })
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let assertion = {
            // A file that is being replaced right now may be whole at the next attempt.
            let certificate = self.certificate.read().map_err(|error| {
                let (message, advice) = (error.message().to_owned(), error.advice().to_owned());
                Error::new(ErrorCode::CredentialUnavailable, message, advice).retryable(true)
            })?;
            let application = &self.application;
            let audience = application.token_endpoint();
            sign(
                &certificate,
                &application.client_id,
                &audience,
                self.certificate.send_x5c,
                SystemTime::now(),
            )?
        };
        self.application.exchange(NAME, assertion, scope).await
    }
}

impl TokenProvider for FromCertificate {
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

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    #[test]
    fn a_certificate_that_cannot_be_used_is_refused_at_once() {
        let pem = include_bytes!("testdata/encrypted.pem");
        let make = |certificate| Credential::client_certificate(TENANT, "client-1", certificate);
        let error = make(ClientCertificate::file("/nowhere/hunter.pem")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidOption);
        assert!(error.message().contains("/nowhere/hunter.pem"), "{error}");
        assert!(make(ClientCertificate::bytes(*pem)).is_err());
        let good = ClientCertificate::bytes(*pem).password("hunter2").send_x5c(true);
        assert!(!format!("{good:?}").contains("hunter2"));
        assert_eq!(make(good.clone()).unwrap().name(), "client certificate");
        assert!(Credential::client_certificate("a/b", "c", good).is_err());
    }
}
