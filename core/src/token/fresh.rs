//! From what a credential returned to a token that can be used: whose it is and until when.

use super::{Claims, TokenSourceOptions, UserName};
use crate::credential::AccessToken;
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

/// A usable token that is not yet in use.
pub(super) struct Fresh {
    pub(super) secret: Secret,
    pub(super) user: Arc<str>,
    pub(super) expires_at: SystemTime,
}

impl Fresh {
    /// Reads user name and expiry. Fails with [`ErrorCode::InvalidToken`] when the token cannot be used.
    ///
    /// The expiry is the earlier one of what the credential says (local clock) and what the token says (the
    /// issuer's clock): with clocks that differ the token is replaced too early rather than too late.
    pub(super) fn read(access: AccessToken, options: &TokenSourceOptions, now: SystemTime) -> Result<Self> {
        let claims = Claims::decode(access.secret.expose());
        let user: Arc<str> = match &options.user_name {
            UserName::Fixed(user) => Arc::clone(user),
            UserName::ObjectId => claims.as_ref().map_err(Clone::clone)?.object_id()?.into(),
            UserName::FromClaims(name) => {
                let claims = claims.as_ref().map_err(Clone::clone)?;
                let made = catch_unwind(AssertUnwindSafe(|| name(claims)));
                made.unwrap_or_else(|_| Err(no_name("panicked")))?.into()
            }
        };
        if user.is_empty() {
            return Err(no_name("returned an empty text"));
        }
        let claims = claims.unwrap_or_default();
        let expires_at = claims.expires_at().map_or(access.expires_at, |exp| exp.min(access.expires_at));
        if expires_at <= now {
            return Err(Error::new(
                ErrorCode::InvalidToken,
                "The token that the credential returned has already expired.",
                "Check this machine's clock, and that the credential does not return a stored token.",
            )
            .retryable(true));
        }
        if let Some(warning) = claims.audience_warning(&options.scope) {
            tracing::warn!("{warning}");
        }
        Ok(Self { secret: access.secret, user, expires_at })
    }
}

fn no_name(what: &str) -> Error {
    Error::new(
        ErrorCode::InvalidToken,
        format!("The configured function for the Redis user name {what}."),
        "Return the object id, or an error that says why there is none.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::time::Duration;

    fn read(exp: u64, credential_says: u64, options: &TokenSourceOptions) -> Result<Fresh> {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"oid":"o-1","exp":{exp}}}"#));
        let access =
            AccessToken { secret: format!("e30.{payload}.c2ln").into(), expires_at: at(credential_says) };
        Fresh::read(access, options, at(1000))
    }

    #[test]
    fn the_earlier_expiry_counts() {
        let options = TokenSourceOptions::new();
        for (exp, says) in [(2000, 3000), (3000, 2000)] {
            let fresh = read(exp, says, &options).ok().unwrap();
            assert_eq!(fresh.expires_at, SystemTime::UNIX_EPOCH + Duration::from_secs(2000));
        }
        assert_eq!(read(1000, 3000, &options).err().unwrap().code(), ErrorCode::InvalidToken);
    }

    #[test]
    fn a_function_for_the_user_name_may_fail_in_every_way() {
        let panics = UserName::FromClaims(Arc::new(|_| panic!("on purpose")));
        let empty = UserName::FromClaims(Arc::new(|_| Ok(String::new())));
        for user_name in [panics, empty] {
            let options = TokenSourceOptions::new().user_name(user_name);
            assert_eq!(read(2000, 2000, &options).err().unwrap().code(), ErrorCode::InvalidToken);
        }
    }
}
