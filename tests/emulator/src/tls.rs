//! TLS as the emulated services speak it: which versions and suites each of them offers.

use std::sync::Arc;

use rustls::{
    CipherSuite, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

use crate::{ca::ServerCertificate, error::Error};

/// TLS of Azure Managed Redis: 1.3 with AES-GCM. Its TLS 1.2 has CBC suites only, which rustls does not know.
pub(crate) fn managed_redis(certificate: ServerCertificate) -> Result<Arc<ServerConfig>, Error> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| {
        matches!(suite.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256 | CipherSuite::TLS13_AES_256_GCM_SHA384)
    });
    config(provider, &[&TLS13], certificate)
}

/// TLS of Entra ID: 1.2 and 1.3.
pub(crate) fn entra(certificate: ServerCertificate) -> Result<Arc<ServerConfig>, Error> {
    config(aws_lc_rs::default_provider(), &[&TLS13, &TLS12], certificate)
}

fn config(
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
    certificate: ServerCertificate,
) -> Result<Arc<ServerConfig>, Error> {
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(certificate.chain, certificate.key)?;
    Ok(Arc::new(config))
}
