//! Sign-in of a service principal with an assertion: signed with a registered certificate, or a federated
//! token of the emulator's own issuer (workload identity).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use jsonwebtoken::{DecodingKey, Header};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

use super::{Parameters, error::EntraError, parameter};
use crate::{
    error::Error,
    identity::ServicePrincipal,
    state::Shared,
    stats::now,
    token::{federation_key, verify_signature, whole_seconds},
};

/// How far the clock of a client may be ahead, in seconds: Entra ID allows five minutes.
const CLOCK_SKEW: f64 = 300.0;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The audience of federated tokens, as Azure recommends it.
const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

// Clients disagree on padding.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: String,
    // Fractions of seconds are allowed, and some clients send them.
    exp: f64,
    #[serde(default)]
    nbf: f64,
}

pub(super) fn check(
    shared: &Shared,
    principal: &ServicePrincipal,
    tenant: &str,
    form: &Parameters,
) -> Result<(), EntraError> {
    if parameter(form, "client_assertion_type")? != ASSERTION_TYPE {
        return Err(EntraError::malformed_assertion("client_assertion_type is not supported"));
    }
    let assertion = parameter(form, "client_assertion")?;
    let unverified = jsonwebtoken::dangerous::insecure_decode::<AssertionClaims>(assertion)
        .map_err(|error| EntraError::malformed_assertion(&error.to_string()))?;
    let claims = if unverified.claims.iss == principal.client_id {
        certificate(shared, principal, tenant, assertion, &unverified.header)?
    } else {
        federated(shared, principal, assertion, &unverified.claims)?
    };
    let now = now();
    if claims.exp <= now || claims.nbf > now + CLOCK_SKEW {
        return Err(EntraError::assertion_out_of_time());
    }
    Ok(())
}

/// An assertion the application signed itself.
fn certificate(
    shared: &Shared,
    principal: &ServicePrincipal,
    tenant: &str,
    assertion: &str,
    header: &Header,
) -> Result<AssertionClaims, EntraError> {
    let (der, claims): (_, AssertionClaims) = principal
        .certificates_der(header.x5c.is_some())
        .filter(|(_, der)| names(header, der))
        .find_map(|(pem, der)| {
            let key = DecodingKey::from_rsa_pem(pem.as_bytes()).ok()?;
            Some((der, verify_signature(assertion, header.alg, &key)?))
        })
        .ok_or_else(EntraError::unknown_certificate)?;
    if !is_valid_now(&der) {
        return Err(EntraError::expired_certificate());
    }
    let authority = shared.authority();
    let audiences = [
        format!("{authority}/{tenant}/oauth2/v2.0/token"),
        format!("{authority}/{tenant}/v2.0"),
        format!("{authority}/{tenant}"),
    ];
    if !audiences.contains(&claims.aud) {
        return Err(EntraError::wrong_assertion_audience(&claims.aud, &audiences[0]));
    }
    if claims.sub != principal.client_id {
        return Err(EntraError::malformed_assertion("sub is not the client id"));
    }
    Ok(claims)
}

/// Whether the header names this certificate by at least one of `x5t#S256`, `x5t` and `x5c`, and no other one.
fn names(header: &Header, der: &[u8]) -> bool {
    let thumbprint = |offered: &Option<String>, algorithm| {
        let bytes = offered
            .as_ref()
            .map(|text| URL_SAFE.decode(text).or_else(|_| BASE64_STANDARD.decode(text)).unwrap_or_default());
        bytes.map(|bytes| bytes == digest(algorithm, der).as_ref())
    };
    let chain = header.x5c_der().ok().flatten().map(|chain| chain.first().is_some_and(|first| first == der));
    let said =
        [thumbprint(&header.x5t_s256, &SHA256), thumbprint(&header.x5t, &SHA1_FOR_LEGACY_USE_ONLY), chain];
    said.contains(&Some(true)) && !said.contains(&Some(false))
}

fn is_valid_now(der: &[u8]) -> bool {
    x509_parser::parse_x509_certificate(der).is_ok_and(|(_, certificate)| certificate.validity().is_valid())
}

/// A token of another issuer that the application trusts.
fn federated(
    shared: &Shared,
    principal: &ServicePrincipal,
    assertion: &str,
    unverified: &AssertionClaims,
) -> Result<AssertionClaims, EntraError> {
    if unverified.iss != issuer(shared) {
        return Err(EntraError::unknown_federated_issuer(&unverified.iss));
    }
    let claims: AssertionClaims = federation_key()
        .ok()
        .and_then(|key| key.verify(assertion))
        .ok_or_else(EntraError::bad_assertion_signature)?;
    if claims.aud != EXCHANGE_AUDIENCE || !principal.federated_subjects.contains(&claims.sub) {
        return Err(EntraError::unknown_federated_subject(&claims.sub, &claims.aud));
    }
    Ok(claims)
}

/// A token of that issuer for this subject.
pub(crate) fn federated_token(shared: &Shared, subject: &str, lifetime: Duration) -> Result<String, Error> {
    let now = now();
    federation_key()?.sign(&json!({
        "iss": issuer(shared), "sub": subject, "aud": EXCHANGE_AUDIENCE,
        "iat": whole_seconds(now), "nbf": whole_seconds(now),
        "exp": whole_seconds((now + lifetime.as_secs_f64()).ceil()),
    }))
}

/// The emulator's own issuer of federated tokens.
pub(crate) fn issuer(shared: &Shared) -> String {
    format!("{}/federation", shared.authority())
}
