//! From what a credential returned to a token that can be used: whose it is and until when.

use super::{Claims, TokenSourceOptions, UserName};
use crate::credential::AccessToken;
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A new token with a smaller part than this of what was promised has met a clock that is ahead.
const NEXT_TO_NOTHING: f64 = 0.05;

/// A usable token that is not yet in use.
pub(super) struct Fresh {
    pub(super) secret: Secret,
    pub(super) user: Arc<str>,
    pub(super) expires_at: SystemTime,
}

impl Fresh {
    /// Reads user name and expiry. Fails with [`ErrorCode::InvalidToken`] when the token cannot be used.
    ///
    /// When it expires is what [`expiry`] makes of the credential's word and the token's own.
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
        let expires_at = expiry(&claims, access.expires_at, now);
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

/// When a token expires by this machine's clock.
///
/// The earlier one of what the credential says (mostly so many seconds from now) and what the token says (by the
/// issuer's clock): with clocks that differ the token is replaced too early rather than too late. A token lives for
/// the time between its issue and its expiry at the most, whatever a clock that is behind makes of it. A token that
/// has come with next to no life left, while the credential promises no more than what the issuer gives its tokens,
/// has met a clock that is ahead: then the credential's word counts, since no better token is to be had.
fn expiry(claims: &Claims, promised: SystemTime, now: SystemTime) -> SystemTime {
    let Some(exp) = claims.expires_at() else { return promised };
    let earlier = exp.min(promised);
    let Some(whole) = claims.exp.zip(claims.iat).and_then(|(exp, iat)| exp.checked_sub(iat)) else {
        return earlier;
    };
    let (whole, left) =
        (Duration::from_secs(whole), |until: SystemTime| until.duration_since(now).unwrap_or_default());
    if left(exp) < left(promised).mul_f64(NEXT_TO_NOTHING) && left(promised) <= whole {
        tracing::warn!(
            "a new token has expired by this machine's clock, which seems to be ahead; it is used for {} s all the same",
            left(promised).as_secs()
        );
        return promised;
    }
    now.checked_add(whole).map_or(earlier, |latest| earlier.min(latest))
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
    fn a_clock_that_is_wrong_neither_hides_a_good_token_nor_lengthens_its_life() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let hour = 3600;
        let issued = |iat| Claims { exp: Some(iat + hour), iat: Some(iat), ..Claims::default() };
        // Right, ahead by a part of the life, by more than it, and by nearly all of it.
        for (ahead, life) in [(0, hour), (600, hour - 600), (7200, hour), (hour - 1, hour)] {
            let now = 100_000;
            assert_eq!(
                expiry(&issued(now - ahead), at(now + hour), at(now)),
                at(now + life),
                "{ahead} s ahead"
            );
        }
        // Behind, and told the issuer's time by the credential too.
        assert_eq!(expiry(&issued(100_000), at(100_000 + hour), at(50_000)), at(50_000 + hour));
        // A token that was kept for too long is refused: what is promised is more than any token gets.
        let stored = issued(10_000);
        assert_eq!(expiry(&stored, at(100_000 + hour * 24), at(100_000)), at(10_000 + hour));
        let no_issue = Claims { iat: None, ..issued(10_000) };
        assert_eq!(expiry(&no_issue, at(100_000 + hour), at(100_000)), at(10_000 + hour));
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
