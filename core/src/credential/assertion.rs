//! The assertion that a client certificate signs: a JWT in the form that Microsoft Entra ID documents. Pure but
//! for the random numbers in it.
//!
//! Source: "Microsoft identity platform application authentication certificate credentials", Microsoft Learn.

use super::certificate::Certificate;
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// How long an assertion is good for; the documented advice is 5 to 10 minutes.
const LIFETIME: Duration = Duration::from_mins(10);

/// Says, signed by the certificate, that `client_id` asks `audience` now. `send_x5c` puts the certificates
/// themselves in, for applications that trust a subject name and issuer instead of one certificate.
pub(super) fn sign(
    certificate: &Certificate,
    client_id: &str,
    audience: &str,
    send_x5c: bool,
    now: SystemTime,
) -> Result<Secret> {
    let mut header = json!({
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.leaf())),
    });
    if send_x5c {
        header["x5c"] = certificate.chain().map(|der| STANDARD.encode(der)).collect();
    }
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let claims = json!({
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": azure_core::Uuid::new_v4().to_string(),
        "iat": now.as_secs(),
        "nbf": now.as_secs(),
        "exp": (now + LIFETIME).as_secs(),
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; certificate.key.public_modulus_len()];
    certificate.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).map_err(
        |_| Error::new(ErrorCode::Internal, "The client assertion could not be signed.", "Report this."),
    )?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{KeyPair, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    #[test]
    fn an_assertion_has_the_documented_form_and_a_signature_that_holds() {
        let pem = include_bytes!("testdata/plain.pem");
        let certificate = Certificate::read(pem, None).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for send_x5c in [false, true] {
            let jwt = sign(&certificate, "client-1", "https://login.test/t/oauth2/v2.0/token", send_x5c, now)
                .unwrap();
            let parts: Vec<_> = jwt.expose().split('.').collect();
            let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
            let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap();
            let (header, claims) = (json(parts[0]), json(parts[1]));
            assert_eq!((&header["alg"], &header["typ"]), (&json!("PS256"), &json!("JWT")));
            let thumbprint = digest(&SHA256, certificate.leaf());
            assert_eq!(decode(header["x5t#S256"].as_str().unwrap()), thumbprint.as_ref());
            let sent = header["x5c"].as_array().map_or(0, Vec::len);
            assert_eq!(sent, if send_x5c { 2 } else { 0 });
            assert_eq!(claims["aud"], "https://login.test/t/oauth2/v2.0/token");
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client-1"), &json!("client-1")));
            assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(1_700_000_000), &json!(1_700_000_600)));
            assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.key.public_key().as_ref())
                .verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &decode(parts[2]))
                .unwrap();
        }
    }
}
