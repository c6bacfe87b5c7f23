//! Whom we trust: the certificate authorities for Redis connections and for token requests alike.

use crate::error::{Error, ErrorCode, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion, WantsVerifier};
use std::sync::Arc;

/// Certificates from PEM text that an option holds.
///
/// # Errors
/// [`ErrorCode::InvalidOption`] when there is none in it, or one that cannot be used.
pub(crate) fn read_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |why: &dyn std::fmt::Display| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("The certificate authority given by option is not usable: {why}."),
            "Give one or more certificates in PEM: -----BEGIN CERTIFICATE----- ...",
        )
    };
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| unusable(&error))?;
    if found.is_empty() {
        return Err(unusable(&"it holds no certificate"));
    }
    let mut probe = RootCertStore::empty();
    for certificate in &found {
        probe.add(certificate.clone()).map_err(|error| unusable(&error))?;
    }
    Ok(found)
}

/// The platform's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` in their place where they are set) or, where the
/// platform has none, Mozilla's; and `extra` beside them. Also says, for error messages, what that is.
pub(crate) fn roots(extra: &[CertificateDer<'static>]) -> (RootCertStore, Arc<str>) {
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::debug!(%error, "a part of the platform's root store could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(platform.certs);
    let store = if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        "Mozilla's bundled roots (the platform has none)".to_owned()
    } else {
        ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().map(|value| format!("{name}={value}")))
            .unwrap_or_else(|| "the platform's root store".into())
    };
    if extra.is_empty() {
        return (roots, store.into());
    }
    roots.add_parsable_certificates(extra.iter().cloned());
    (roots, format!("the authority given by option, with {store},").into())
}

/// The beginning of every TLS configuration: the one crypto provider of the process.
pub(crate) fn client_config(
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(|error| {
            Error::new(ErrorCode::Internal, format!("TLS could not be set up: {error}."), "Report this.")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_certificate_is_refused() {
        assert_eq!(read_pem(b"nothing").unwrap_err().code(), ErrorCode::InvalidOption);
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(read_pem(broken).unwrap_err().code(), ErrorCode::InvalidOption);
    }

    #[test]
    fn without_an_option_some_roots_are_always_found() {
        assert!(!roots(&[]).0.is_empty());
    }
}
