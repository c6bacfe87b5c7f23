//! A certificate with its RSA key, from the bytes of a PEM or PKCS#12 file: pure. Who signs in with it is in
//! `client_certificate`, what is signed in `assertion`.

use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use p12_keystore::{Certificate as Parsed, Pkcs12Archive};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use zeroize::Zeroizing;

const ENCRYPTED: (&str, &str) =
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----");

/// A key and the certificate that belongs to it, followed by those of its issuers as far as they were there.
pub(super) struct Certificate {
    pub(super) key: KeyPair,
    chain: Vec<Vec<u8>>,
}

impl Certificate {
    /// Reads PEM if there is any, otherwise PKCS#12.
    ///
    /// Fails with [`ErrorCode::InvalidOption`]; no error holds a part of the key or of the password.
    pub(super) fn read(bytes: &[u8], password: Option<&Secret>) -> Result<Self> {
        let is_pem = bytes.windows(11).any(|window| window == b"-----BEGIN ");
        let (key, certificates) =
            if is_pem { read_pem(bytes, password)? } else { read_pkcs12(bytes, password)? };
        Self::matched(key, &certificates)
    }

    /// The certificate itself, DER.
    pub(super) fn leaf(&self) -> &[u8] {
        &self.chain[0]
    }

    /// The certificate and those of its issuers, DER, in the order of a TLS chain.
    pub(super) fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(Vec::as_slice)
    }

    /// Puts the certificate of this key first, then its issuers one after the other.
    fn matched(key: KeyPair, certificates: &[Vec<u8>]) -> Result<Self> {
        let mut parsed = Vec::new();
        for der in certificates {
            parsed
                .push(Parsed::from_der(der).map_err(|_| unusable("one of its certificates cannot be read"))?);
        }
        // The key stands in its certificate just as it is written here, and in no other one.
        let public = key.public_key().as_ref();
        let own = certificates.iter().position(|der| der.windows(public.len()).any(|part| part == public));
        let mut next = own.ok_or_else(|| {
            unusable(if certificates.is_empty() {
                "it holds no certificate"
            } else {
                "none of its certificates belongs to its key"
            })
        })?;
        let mut chain = vec![certificates[next].clone()];
        while chain.len() < certificates.len() && parsed[next].subject() != parsed[next].issuer() {
            let issuer = parsed.iter().position(|one| one.subject() == parsed[next].issuer());
            let Some(issuer) = issuer.filter(|&issuer| !chain.contains(&certificates[issuer])) else { break };
            chain.push(certificates[issuer].clone());
            next = issuer;
        }
        Ok(Self { key, chain })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

type KeyAndCertificates = (KeyPair, Vec<Vec<u8>>);

fn read_pem(pem: &[u8], password: Option<&Secret>) -> Result<KeyAndCertificates> {
    let text = String::from_utf8_lossy(pem);
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            "The client certificate cannot be used: its key is encrypted in the way of old OpenSSL versions.",
            "Convert the key: openssl pkcs8 -topk8 -in OLD -out NEW.",
        ));
    }
    let certificates = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| unusable("a part of it is not PEM"))?;
    if let Some(encrypted) = section(&text, ENCRYPTED) {
        return Ok((decrypt(encrypted, password)?, certificates));
    }
    let key = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(PrivateKeyDer::Pkcs8(der)) => from_pkcs8(der.secret_pkcs8_der())?,
        Ok(PrivateKeyDer::Pkcs1(der)) => KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| not_rsa())?,
        Ok(_) => return Err(not_rsa()),
        Err(_) => return Err(unusable("it holds no private key")),
    };
    Ok((key, certificates))
}

/// The first part of the text from `begin` to `end`, both included.
fn section<'a>(text: &'a str, (begin, end): (&str, &str)) -> Option<&'a str> {
    let from = &text[text.find(begin)?..];
    Some(&from[..from.find(end)? + end.len()])
}

fn decrypt(pem: &str, password: Option<&Secret>) -> Result<KeyPair> {
    let Some(password) = password else {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            "The private key of the client certificate is encrypted, and no password is given.",
            "Give the password (AZURE_CLIENT_CERTIFICATE_PASSWORD).",
        ));
    };
    let (_, der) = pkcs8::SecretDocument::from_pem(pem).map_err(|_| unusable("its key is not PEM"))?;
    let info = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes())
        .map_err(|_| unusable("its key is encrypted in a way that is not known here"))?;
    let plain = info.decrypt(password.expose()).map_err(|_| wrong_password())?;
    from_pkcs8(plain.as_bytes())
}

fn read_pkcs12(bytes: &[u8], password: Option<&Secret>) -> Result<KeyAndCertificates> {
    let archive =
        Pkcs12Archive::from_pkcs12(bytes, password.map_or("", Secret::expose)).map_err(|error| {
            use p12_keystore::error::Error as P12;
            match error {
                P12::MacError(_) | P12::UnpadError | P12::Pkcs5Error(_) => wrong_password(),
                P12::DerError(_) | P12::InvalidVersion => unusable("it is neither PEM nor PKCS#12"),
                P12::UnsupportedEncryptionScheme | P12::UnsupportedMacAlgorithm => {
                    unusable("it is encrypted in a way that is not known here")
                }
                _ => unusable("it cannot be read as PKCS#12"),
            }
        })?;
    let [key] = &archive.keys[..] else {
        let found = archive.keys.len();
        return Err(unusable(if found == 0 {
            "it holds no private key"
        } else {
            "it holds more than one private key"
        }));
    };
    let key = from_pkcs8(&Zeroizing::new(key.key.as_der().to_vec()))?;
    Ok((key, archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect()))
}

fn from_pkcs8(der: &[u8]) -> Result<KeyPair> {
    KeyPair::from_pkcs8(der).map_err(|_| not_rsa())
}

fn unusable(why: &str) -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        format!("The client certificate cannot be used: {why}."),
        "Give a PEM or PKCS#12 (PFX) file with the certificate and its private key.",
    )
}

fn not_rsa() -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        "The client certificate cannot be used: its key is not an RSA key of 2048 to 8192 bits.",
        "Microsoft Entra ID takes RSA keys only: make a certificate with one.",
    )
}

fn wrong_password() -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        "The client certificate cannot be decrypted with the given password.",
        "Correct the password (AZURE_CLIENT_CERTIFICATE_PASSWORD); leave it away if there is none.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/src/credential/testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn every_form_of_a_file_gives_the_same_certificate() {
        let password = Secret::new("hunter2");
        let plain = Certificate::read(&file("plain.pem"), None).unwrap();
        // The chain stands in the file in another order.
        assert_eq!(plain.chain().count(), 2);
        for (name, password) in [
            ("pkcs1.pem", None),
            ("encrypted.pem", Some(&password)),
            ("modern.pfx", Some(&password)),
            ("legacy.pfx", Some(&password)),
            ("no-password.pfx", None),
        ] {
            let read =
                Certificate::read(&file(name), password).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read.leaf(), plain.leaf(), "{name}");
            assert_eq!(read.key.public_key().as_ref(), plain.key.public_key().as_ref(), "{name}");
            assert!(read.chain().eq(plain.chain()), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_without_secrets() {
        let wrong = Secret::new("swordfish");
        let certificate_only = String::from_utf8(file("plain.pem")).unwrap();
        let certificate_only =
            section(&certificate_only, ("-----BEGIN CERTIFICATE", "-----END CERTIFICATE-----")).unwrap();
        let key_only = String::from_utf8(file("plain.pem")).unwrap();
        let key_only = section(&key_only, ("-----BEGIN PRIVATE", "-----END PRIVATE KEY-----")).unwrap();
        for (bytes, password, says) in [
            (file("encrypted.pem"), None, "no password"),
            (file("encrypted.pem"), Some(&wrong), "password"),
            (file("modern.pfx"), Some(&wrong), "password"),
            (file("legacy.pfx"), None, "password"),
            (file("ec.pem"), None, "RSA"),
            (certificate_only.into(), None, "no private key"),
            (key_only.into(), None, "no certificate"),
            (b"nonsense".to_vec(), None, "neither PEM nor PKCS#12"),
            (Vec::new(), None, "neither PEM nor PKCS#12"),
            (b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".to_vec(), None, "old OpenSSL"),
        ] {
            let error = Certificate::read(&bytes, password).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidOption);
            assert!(error.message().contains(says), "{says}: {error}");
            assert!(!format!("{error:?}").contains("swordfish"));
            assert!(!error.advice().is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), pem: bool) {
            let mut text = if pem { b"-----BEGIN PRIVATE KEY-----\n".to_vec() } else { vec![0x30, 0x82] };
            text.extend(bytes);
            let _ = Certificate::read(&text, None);
        }
    }
}
