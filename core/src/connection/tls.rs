//! Whom we trust: the rustls configuration of Redis connections and what a failed handshake means.

use crate::error::{Error, ErrorCode, Result};
use crate::options::TlsVersion;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::sync::Arc;

/// A configuration and, for error messages, the name of the root store it trusts.
#[derive(Clone)]
pub(crate) struct TlsConfig {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) store: Arc<str>,
}

impl TlsConfig {
    /// Trusts the platform's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured) or, where the platform
    /// has none, Mozilla's; and beside them those of `ca` (PEM).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`] when `ca` holds no usable certificate.
    pub(crate) fn new(ca: Option<&[u8]>, min: TlsVersion) -> Result<Self> {
        let (mut roots, mut store) = platform_roots();
        if let Some(pem) = ca {
            roots.roots.extend(given_roots(pem)?.roots);
            store = format!("the CA given by option, with {store},").into();
        }
        let versions: &[&rustls::SupportedProtocolVersion] = match min {
            TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::Tls13 => &[&rustls::version::TLS13],
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let internal = |error: String| Error::new(ErrorCode::Internal, error, "Report this.");
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| internal(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| internal(error.to_string()))?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), store })
    }
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore> {
    let unusable = |why: String| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("The CA given by option is not usable: {why}."),
            "Give PEM text with at least one BEGIN CERTIFICATE block.",
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() { Err(unusable("it holds no certificate".into())) } else { Ok(roots) }
}

fn platform_roots() -> (RootCertStore, Arc<str>) {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "a part of the platform's root store could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return (roots, "Mozilla's bundled roots (the platform has none)".into());
    }
    let store = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().map(|value| format!("{name}={value}")))
        .unwrap_or_else(|| "the platform's root store".into());
    (roots, store.into())
}

/// The name that the certificate must carry.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(|_| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("{host:?} is no name that a certificate can carry."),
            "Give the cache's host name, or set tls_host to it.",
        )
    })
}

/// The names in a certificate; rustls gives them as `DnsName("...")` and `IpAddress(...)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

/// What a failed handshake means and what to do about it.
pub(crate) fn explain(error: &rustls::Error, host: &str, store: &str) -> Error {
    let (message, advice) = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => (
            format!("The server's certificate is signed by an authority that {store} does not contain."),
            "Give the authority's certificate by ca_file or SSL_CERT_FILE; if it is a proxy's, ask whoever runs the network.".into(),
        ),
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => (
            format!(
                "The server's certificate is for {}, not for {}.",
                if presented.is_empty() { "no name".into() } else { names(presented) },
                expected.to_str()
            ),
            "Use the cache's public host name; set tls_host if you reach it under another one.".into(),
        ),
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName) => (
            format!("The server's certificate is not for {host}."),
            "Use the cache's public host name; set tls_host if you reach it under another one.".into(),
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::ExpiredContext { .. } | CertificateError::Expired,
        ) => ("The server's certificate has expired.".into(), "Check this machine's clock, then the server's certificate.".to_owned()),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYetContext { .. } | CertificateError::NotValidYet,
        ) => ("The server's certificate is not valid yet.".into(), "Check this machine's clock.".into()),
        rustls::Error::AlertReceived(
            rustls::AlertDescription::ProtocolVersion | rustls::AlertDescription::HandshakeFailure,
        )
        | rustls::Error::PeerIncompatible(_) => (
            format!("Client and server have no TLS version or cipher suite in common ({error})."),
            "Something on the way offers only old TLS: TLS 1.3, or TLS 1.2 with AES-GCM, is needed; CBC suites are not supported.".into(),
        ),
        rustls::Error::InvalidMessage(_) => (
            format!("The other side does not speak TLS ({error})."),
            "Check the port: 10000 on Azure Managed Redis, 6380 on Azure Cache for Redis; a server without TLS needs ssl=false.".into(),
        ),
        other => (
            format!("The TLS handshake failed: {other}."),
            format!("The certificate was checked against {store}."),
        ),
    };
    Error::new(ErrorCode::TlsFailed, message, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_without_a_certificate_is_refused() {
        let error = TlsConfig::new(Some(b"nothing"), TlsVersion::Tls12).err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidOption);
    }

    #[test]
    fn without_an_option_some_roots_are_always_found() {
        assert!(!platform_roots().0.is_empty());
    }
}
