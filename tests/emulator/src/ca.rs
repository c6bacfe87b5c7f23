//! The emulator's own certificate authority and the certificates it issues.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::Error;

/// A certificate authority that exists for the life of one emulator.
pub(crate) struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its private key, ready for a TLS server.
pub(crate) struct ServerCertificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A certificate a service principal signs in with, and its key: both PEM, RSA 2048.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, self-signed as `az ad app credential reset --create-cert` makes it.
    pub certificate_pem: String,
    /// Its private key (PKCS#8).
    pub key_pem: String,
}

impl CertificateAuthority {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "keyless emulator CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate that a client signs in with, for this common name; returned with this authority's.
    pub(crate) fn issue_client(&self, common_name: &str) -> Result<(ClientCertificate, String), Error> {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let leaf = client_params(common_name)?.signed_by(&key, &self.issuer)?.pem();
        let certificate_pem = format!("{leaf}{}", self.pem());
        Ok((ClientCertificate { certificate_pem, key_pem: key.serialize_pem() }, leaf))
    }

    /// Issues a server certificate for these names; IP addresses become IP entries.
    pub(crate) fn issue(&self, names: &[String]) -> Result<ServerCertificate, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("none", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }
}

fn client_params(common_name: &str) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

/// Makes a self-signed RSA certificate, `expired` long ago if asked to.
pub(crate) fn client_certificate(common_name: &str, expired: bool) -> Result<ClientCertificate, Error> {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let mut params = client_params(common_name)?;
    if expired {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    }
    let certificate = params.self_signed(&key)?;
    Ok(ClientCertificate { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// A self-signed server certificate for `localhost`, and its SHA-1 thumbprint in hexadecimal digits.
pub(crate) fn self_signed() -> Result<(ServerCertificate, String), Error> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
    let thumbprint = thumbprint.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    });
    let chain = vec![certificate.der().clone()];
    Ok((ServerCertificate { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }, thumbprint))
}
