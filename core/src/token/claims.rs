//! What a token says of itself. Decoded, never verified: the cache verifies, keyless only needs the user name
//! and the expiry. No error here ever holds a part of the token.

use crate::error::{Error, ErrorCode, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// The audience of Redis in the public cloud: the resource's URL and its application id.
const REDIS: [&str; 2] = ["https://redis.azure.com", "acca5fbb-b7e4-4009-81f1-37e38fd66d78"];

/// The claims of a Microsoft Entra ID access token that matter here.
///
/// Source: "Access token claims reference" of the Microsoft identity platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Claims {
    /// Object id of the identity: the Redis user name.
    pub oid: Option<String>,
    /// Tenant id.
    pub tid: Option<String>,
    /// Whom the token is for: the Redis scope's resource.
    pub aud: Option<String>,
    /// Application (client) id in v1.0 tokens; `azp` in v2.0 tokens.
    #[serde(alias = "azp")]
    pub appid: Option<String>,
    /// The token's own id.
    pub uti: Option<String>,
    /// When it expires, in seconds since 1970.
    pub exp: Option<u64>,
    /// When it was issued, in seconds since 1970.
    pub iat: Option<u64>,
}

impl Claims {
    /// Reads the payload of a JWT.
    ///
    /// Fails with [`ErrorCode::InvalidToken`] when the text is not a JWT (three parts, base64url, JSON object).
    pub fn decode(token: &str) -> Result<Self> {
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid("The credential returned a text that is not a JSON Web Token."));
        };
        // Some issuers of test tokens leave the padding on.
        let payload = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .map_err(|_| invalid("The payload of the token is not base64url."))?;
        let not_claims = || invalid("The payload of the token is not a set of claims.");
        // Serde would read an array as the fields in their order.
        if !payload.trim_ascii_start().starts_with(b"{") {
            return Err(not_claims());
        }
        // Why serde refused it may quote a claim's value: not repeated.
        serde_json::from_slice(&payload).map_err(|_| not_claims())
    }

    /// When the token expires, if it says so.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.exp.and_then(|exp| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(exp)))
    }

    /// The object id, which is the Redis user name.
    pub fn object_id(&self) -> Result<&str> {
        self.oid.as_deref().filter(|oid| !oid.is_empty()).ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidToken,
                "The token has no \"oid\" claim, so the Redis user name is unknown.",
                "Use a credential that issues Microsoft Entra ID access tokens, or configure the user name.",
            )
        })
    }

    /// The audience, when it is none of Redis in any form it is written in.
    pub(crate) fn foreign_audience(&self) -> Option<&str> {
        self.aud.as_deref().filter(|audience| !REDIS.contains(&audience.trim_end_matches('/')))
    }

    /// A sentence of warning when the token is for another audience than `scope` asks for.
    ///
    /// Only a warning: the audience may be written as the resource's URL or its application id, and the cache
    /// decides.
    pub fn audience_warning(&self, scope: &str) -> Option<String> {
        let plain = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        let audience = plain(self.aud.as_deref()?);
        let resource = plain(scope.strip_suffix("/.default").unwrap_or(scope));
        let both_redis = REDIS.contains(&audience.as_str()) && REDIS.contains(&resource.as_str());
        (audience != resource && !both_redis).then(|| {
            format!("the token is for \"{audience}\", not for \"{resource}\"; the cache will refuse it")
        })
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(
        ErrorCode::InvalidToken,
        message,
        "Return the access token itself, as Microsoft Entra ID issued it for the Redis scope.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn t_2_5_claims_are_read() {
        let claims = Claims::decode(&jwt(
            r#"{"oid":"o-1","tid":"t-1","aud":"https://redis.azure.com","appid":"a-1","uti":"u-1","exp":1700003600,"iat":1700000000,"groups":[1]}"#,
        ))
        .unwrap();
        assert_eq!(claims.object_id().unwrap(), "o-1");
        assert_eq!(claims.appid.as_deref(), Some("a-1"));
        assert_eq!(claims.uti.as_deref(), Some("u-1"));
        assert_eq!(claims.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_003_600)));
        assert_eq!(claims.audience_warning("https://redis.azure.com/.default"), None);
        assert_eq!(claims.audience_warning("acca5fbb-b7e4-4009-81f1-37e38fd66d78/.default"), None);
    }

    #[test]
    fn another_audience_is_a_warning() {
        let claims = Claims { aud: Some("https://graph.microsoft.com".into()), ..Claims::default() };
        let warning = claims.audience_warning("https://redis.azure.com/.default").unwrap();
        assert!(warning.contains("graph.microsoft.com"), "{warning}");
        assert_eq!(Claims::default().audience_warning("https://redis.azure.com/.default"), None);
        assert_eq!(claims.foreign_audience(), Some("https://graph.microsoft.com"));
        let redis = Claims { aud: Some("https://redis.azure.com/".into()), ..Claims::default() };
        assert_eq!((redis.foreign_audience(), Claims::default().foreign_audience()), (None, None));
    }

    #[test]
    fn a_token_without_oid_is_an_error_with_advice() {
        let error = Claims::decode(&jwt(r#"{"exp":1}"#)).unwrap().object_id().unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidToken);
        assert!(error.to_string().contains("oid"));
    }

    #[test]
    fn t_1_2_what_is_not_a_token_is_refused_without_being_repeated() {
        for text in [
            "hunter2",
            "hunter2.hunter2",
            "a.hunter2!.c",
            "a.b.c.d",
            &jwt("hunter2"),
            &jwt(r#"["hunter2"]"#),
            &jwt(r#"{"exp":"hunter2"}"#),
        ] {
            let error = Claims::decode(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidToken);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = Claims::decode(&text);
        }

        #[test]
        fn any_expiry_is_read_or_left_out(exp: u64) {
            let _ = Claims { exp: Some(exp), ..Claims::default() }.expires_at();
        }
    }
}
