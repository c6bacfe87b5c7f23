//! TLS of Redis connections: its configuration, and what a failed handshake means.

use crate::error::{Error, ErrorCode, Result};
use crate::options::TlsVersion;
use crate::trust;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use std::sync::Arc;

/// A configuration and, for error messages, the name of the root store it trusts.
#[derive(Clone)]
pub(crate) struct TlsConfig {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) store: Arc<str>,
}

impl TlsConfig {
    /// Trusts the platform's roots and those of `ca` (PEM); see [`trust::roots`].
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`] when `ca` holds no usable certificate.
    pub(crate) fn new(ca: Option<&[u8]>, min: TlsVersion) -> Result<Self> {
        let extra = ca.map_or_else(|| Ok(Vec::new()), trust::read_pem)?;
        let (roots, store) = trust::roots(&extra);
        let versions: &[&rustls::SupportedProtocolVersion] = match min {
            TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::Tls13 => &[&rustls::version::TLS13],
        };
        let config = trust::client_config(versions)?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { config: Arc::new(config), store })
    }
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
