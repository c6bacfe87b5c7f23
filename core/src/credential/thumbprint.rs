//! Trust in one certificate, known by its thumbprint: Service Fabric tells that of its token service in an environment
//! variable, and nobody signs it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use std::fmt::Write;

/// Verifies the certificate by its SHA-1 thumbprint, and that the other side has its key, as in any TLS.
#[derive(Debug)]
pub(super) struct Thumbprint {
    hexadecimal: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Thumbprint {
    /// From hexadecimal digits; anything between them is left out.
    pub(super) fn new(text: &str) -> Self {
        let digits = text.chars().filter(char::is_ascii_hexdigit);
        Self {
            hexadecimal: digits.map(|digit| digit.to_ascii_lowercase()).collect(),
            algorithms: crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
        }
    }

    fn is_of(&self, der: &[u8]) -> bool {
        let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, der);
        let own = thumbprint.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        own == self.hexadecimal
    }
}

impl ServerCertVerifier for Thumbprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_of(end_entity) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_one_certificate_however_it_is_written() {
        // SHA-1 of "abc", from FIPS 180.
        for text in [
            "A9993E364706816ABA3E25717850C26C9CD0D89D",
            "a9:99:3e:36:47:06:81:6a:ba:3e:25:71:78:50:c2:6c:9c:d0:d8:9d",
        ] {
            assert!(Thumbprint::new(text).is_of(b"abc"));
            assert!(!Thumbprint::new(text).is_of(b"abd"));
        }
        assert!(!Thumbprint::new("").is_of(b""));
    }
}
