//! Access tokens: the claims Entra ID puts in, the keys that sign them, and the gateway's check of them.

use std::{sync::LazyLock, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use parking_lot::RwLock;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    error::Error,
    identity::{Subject, SubjectKind, guid},
    stats::{Refusal, now},
};

/// The resource of Azure's Redis services.
pub(crate) const RESOURCE: &str = "https://redis.azure.com";
/// The application id of the same resource.
pub(crate) const RESOURCE_ID: &str = "acca5fbb-b7e4-4009-81f1-37e38fd66d78";

/// An RSA key with everything needed to sign and to check with it.
pub(crate) struct SigningKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    jwk: Jwk,
    id: String,
}

impl SigningKey {
    fn generate() -> Result<Self, Error> {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let encoding = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        Ok(Self { decoding: DecodingKey::from_jwk(&jwk)?, encoding, jwk, id })
    }

    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Error> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.clone());
        header.x5t = Some(self.id.clone());
        Ok(jsonwebtoken::encode(&header, claims, &self.encoding)?)
    }

    /// The claims of a token that this key signed; times and audience are the caller's to check.
    pub(crate) fn verify<T: serde::de::DeserializeOwned>(&self, token: &str) -> Option<T> {
        verify_signature(token, Algorithm::RS256, &self.decoding)
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        &self.jwk
    }
}

/// The claims of a token signed with this RSA key by RS256 or PS256.
pub(crate) fn verify_signature<T: serde::de::DeserializeOwned>(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
) -> Option<T> {
    if !matches!(algorithm, Algorithm::RS256 | Algorithm::PS256) {
        return None;
    }
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, key, &validation).ok().map(|data| data.claims)
}

// RSA keys are slow to make; tests start many emulators in one process.
static KEY: LazyLock<Result<SigningKey, Error>> = LazyLock::new(SigningKey::generate);
static FOREIGN_KEY: LazyLock<Result<SigningKey, Error>> = LazyLock::new(SigningKey::generate);
static FEDERATION_KEY: LazyLock<Result<SigningKey, Error>> = LazyLock::new(SigningKey::generate);

fn shared(key: &'static LazyLock<Result<SigningKey, Error>>) -> Result<&'static SigningKey, Error> {
    key.as_ref().map_err(|error| std::io::Error::other(error.to_string()).into())
}

/// The key of the emulator's issuer of federated (workload identity) tokens.
pub(crate) fn federation_key() -> Result<&'static SigningKey, Error> {
    shared(&FEDERATION_KEY)
}

/// What differs from a proper token, for tests of refusals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenOverrides {
    /// Claims that replace or join the usual ones; `null` takes a claim away.
    pub claims: Map<String, Value>,
    /// Sign with a key that nobody trusts.
    pub foreign_key: bool,
}

/// A token as the endpoints hand it out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuedToken {
    /// The JWT.
    pub access_token: String,
    /// The object id it was issued to.
    pub oid: String,
    /// Its unique id.
    pub uti: String,
    /// Expiry, in seconds since 1970.
    pub expires_on: u64,
    /// The `nbf` claim, in seconds since 1970.
    pub not_before: u64,
    /// Its lifetime in whole seconds when it was issued.
    pub lifetime_seconds: u64,
}

impl IssuedToken {
    /// Seconds until expiry, from now.
    pub fn expires_in(&self) -> u64 {
        whole_seconds(f64::from(u32::try_from(self.expires_on).unwrap_or(u32::MAX)) - now())
            .min(self.lifetime_seconds)
    }
}

/// What the gateway needs to know about a token.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) oid: Option<String>,
    pub(crate) uti: Option<String>,
    pub(crate) exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    aud: Value,
}

/// Issues and checks tokens.
pub(crate) struct TokenFactory {
    key: &'static SigningKey,
    lifetime: RwLock<Duration>,
    backdate: Duration,
}

impl TokenFactory {
    pub(crate) fn new(lifetime: Duration, backdate: Duration) -> Result<Self, Error> {
        Ok(Self { key: shared(&KEY)?, lifetime: RwLock::new(lifetime), backdate })
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        self.key.jwk()
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        *self.lifetime.write() = lifetime;
    }

    pub(crate) fn lifetime(&self) -> Duration {
        *self.lifetime.read()
    }

    /// Issues a token for this audience.
    pub(crate) fn issue(
        &self,
        subject: &Subject,
        audience: &str,
        lifetime: Duration,
        overrides: &TokenOverrides,
    ) -> Result<IssuedToken, Error> {
        let now = now();
        let not_before = whole_seconds(now.floor() - self.backdate.as_secs_f64());
        let expires_on = whole_seconds((now + lifetime.as_secs_f64()).ceil());
        let uti = uuid::Uuid::new_v4().simple().to_string();
        let mut claims = claims(subject, audience, not_before, expires_on, &uti);
        if let Some(claims) = claims.as_object_mut() {
            claims.extend(overrides.claims.clone());
            claims.retain(|_, value| !value.is_null());
        }
        let key = if overrides.foreign_key { shared(&FOREIGN_KEY)? } else { self.key };
        Ok(IssuedToken {
            access_token: key.sign(&claims)?,
            oid: subject.oid.clone(),
            uti,
            expires_on,
            not_before,
            lifetime_seconds: lifetime.as_secs(),
        })
    }

    /// Checks signature, audience and times, as the service does before it looks at the user.
    pub(crate) fn check(&self, token: &str) -> Result<Claims, (Refusal, Option<Claims>)> {
        let claims: Claims = self.key.verify(token).ok_or((Refusal::BadSignature, None))?;
        let now = whole_seconds(now());
        let refusal = if ![RESOURCE, RESOURCE_ID].iter().any(|resource| claims.aud == **resource) {
            Some(Refusal::WrongAudience)
        } else if claims.exp <= now {
            Some(Refusal::Expired)
        } else if claims.nbf > now {
            Some(Refusal::NotYetValid)
        } else {
            None
        };
        refusal.map_or_else(|| Ok(claims.clone()), |refusal| Err((refusal, Some(claims.clone()))))
    }
}

fn claims(subject: &Subject, audience: &str, not_before: u64, expires_on: u64, uti: &str) -> Value {
    let issuer = format!("https://sts.windows.net/{}/", subject.tenant);
    let mut claims = json!({
        "aud": audience, "iss": issuer, "iat": not_before, "nbf": not_before, "exp": expires_on,
        "aio": guid(), "appid": subject.client_id, "appidacr": "1", "idp": issuer, "idtyp": "app",
        "oid": subject.oid, "rh": "1.AAAA.", "sub": subject.oid, "tid": subject.tenant, "uti": uti, "ver": "1.0",
    });
    match &subject.kind {
        SubjectKind::ServicePrincipal => {}
        SubjectKind::ManagedIdentity { resource_id } => {
            claims["appidacr"] = "2".into();
            claims["xms_mirid"] = resource_id.clone().into();
        }
        SubjectKind::User { name } => {
            claims["appidacr"] = "0".into();
            claims["idtyp"] = "user".into();
            claims["upn"] = name.clone().into();
            claims["unique_name"] = name.clone().into();
            claims["scp"] = "user_impersonation".into();
        }
    }
    claims
}

/// Whole seconds since 1970 of a time on or after it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and far from 2^53")]
pub(crate) fn whole_seconds(seconds: f64) -> u64 {
    seconds.max(0.0) as u64
}
