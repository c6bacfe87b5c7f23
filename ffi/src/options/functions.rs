//! What an application decides about its tokens by callbacks: the user that they stand for, and when they are replaced.

use super::keyless_options;
use crate::boundary::{
    OwnedData, bad_argument, exclusive, keyless_destructor, look, optional, run, text, view,
};
use crate::error::keyless_error;
use crate::event::unix_milliseconds;
use crate::status::keyless_status;
use keyless::token::{Claims, TokenSourceOptions, UserName};
use keyless::{Error, ErrorCode, Result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The callbacks of some options; copies share them.
#[derive(Clone, Default)]
pub(crate) struct Functions {
    user_name: Option<Arc<ChooseUser>>,
    should_refresh: Option<(Duration, Arc<ShouldRefresh>)>,
}

impl Functions {
    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        self.user_name.is_some() || self.should_refresh.is_some()
    }

    /// The same figures, decided by the callbacks where there are any.
    pub(crate) fn apply(&self, mut options: TokenSourceOptions) -> TokenSourceOptions {
        if let Some(choose) = self.user_name.clone() {
            options = options.user_name(UserName::FromClaims(Arc::new(move |claims| choose.ask(claims))));
        }
        if let Some((every, decide)) = self.should_refresh.clone() {
            options = options.should_refresh(every, move |received, expires| decide.ask(received, expires));
        }
        options
    }
}

/// What a new token says of itself. Borrowed: valid until the callback returns.
pub struct keyless_claims {
    claims: Claims,
    chosen: Option<String>,
}

fn claim(
    claims: *const keyless_claims,
    length: *mut usize,
    of: impl FnOnce(&Claims) -> Option<&String>,
) -> *const c_char {
    look(std::ptr::null(), || {
        view(optional(claims).and_then(|claims| of(&claims.claims)).map(String::as_bytes), length)
    })
}

/// The object id of the identity (`oid`), in UTF-8, not ended by a NUL; NULL and length 0 if the token has none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_claims_object_id(
    claims: *const keyless_claims,
    length: *mut usize,
) -> *const c_char {
    claim(claims, length, |claims| claims.oid.as_ref())
}

/// The tenant (`tid`), in UTF-8, not ended by a NUL; NULL and length 0 if the token has none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_claims_tenant_id(
    claims: *const keyless_claims,
    length: *mut usize,
) -> *const c_char {
    claim(claims, length, |claims| claims.tid.as_ref())
}

/// The application (`appid`, `azp`), in UTF-8, not ended by a NUL; NULL and length 0 if the token has none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_claims_application_id(
    claims: *const keyless_claims,
    length: *mut usize,
) -> *const c_char {
    claim(claims, length, |claims| claims.appid.as_ref())
}

/// Whom the token is for (`aud`), in UTF-8, not ended by a NUL; NULL and length 0 if the token does not say.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_claims_audience(
    claims: *const keyless_claims,
    length: *mut usize,
) -> *const c_char {
    claim(claims, length, |claims| claims.aud.as_ref())
}

/// Chooses the Redis user that the token signs in. It is copied. Only in the callback that was given the claims.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_claims_choose_user(
    claims: *mut keyless_claims,
    user: *const c_char,
    user_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        exclusive(claims, "claims")?.chosen = Some(text(user, user_length, "user")?.to_owned());
        Ok(())
    })
}

/// Chooses the Redis user of a new token with `keyless_claims_choose_user`; without a choice the token cannot be used, and
/// another one is asked for. Once per token, on the thread `keyless-token`, which it must not block. It must not throw, and
/// must not leave with `longjmp`.
pub type keyless_user_name_callback =
    Option<extern "C" fn(claims: *mut keyless_claims, user_data: *mut c_void)>;

struct ChooseUser {
    callback: extern "C" fn(*mut keyless_claims, *mut c_void),
    data: OwnedData,
}

impl ChooseUser {
    fn ask(&self, claims: &Claims) -> Result<String> {
        let mut asked = keyless_claims { claims: claims.clone(), chosen: None };
        (self.callback)(&raw mut asked, self.data.pointer());
        asked.chosen.ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidToken,
                "The application chose no Redis user for the token.",
                "Call keyless_claims_choose_user in the callback for the user name.",
            )
        })
    }
}

/// Lets `callback` choose the Redis user of each token, in place of its object id and of the option `user_name`.
///
/// `destructor` (may be NULL) frees `user_data` when neither these options nor anything made with them needs it any more.
/// On failure `user_data` is the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_user_name_callback(
    options: *mut keyless_options,
    callback: keyless_user_name_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let options = exclusive(options, "options")?;
        let callback = callback.ok_or_else(|| bad_argument("callback", "is NULL"))?;
        let choose = ChooseUser { callback, data: OwnedData::new(user_data, destructor) };
        options.1.user_name = Some(Arc::new(choose));
        Ok(())
    })
}

/// Says whether a token that was received and expires at these times (milliseconds since 1970-01-01 UTC) is replaced now.
/// On the thread `keyless-token`, which it must not block. It must not throw, and must not leave with `longjmp`.
pub type keyless_should_refresh_callback =
    Option<extern "C" fn(received_at_ms: i64, expires_at_ms: i64, user_data: *mut c_void) -> bool>;

struct ShouldRefresh {
    callback: extern "C" fn(i64, i64, *mut c_void) -> bool,
    data: OwnedData,
}

impl ShouldRefresh {
    fn ask(&self, received: SystemTime, expires: SystemTime) -> bool {
        (self.callback)(unix_milliseconds(received), unix_milliseconds(expires), self.data.pointer())
    }
}

/// Lets `callback`, asked every `every_ms` milliseconds, decide when a token is replaced, in place of the options
/// `refresh_ratio` and `refresh_jitter`. Should it never say yes, the token is replaced `refresh_margin` before its end.
///
/// `destructor` and `user_data` as in `keyless_options_set_user_name_callback`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_should_refresh_callback(
    options: *mut keyless_options,
    every_ms: u64,
    callback: keyless_should_refresh_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let options = exclusive(options, "options")?;
        let callback = callback.ok_or_else(|| bad_argument("callback", "is NULL"))?;
        if every_ms == 0 {
            return Err(bad_argument("every_ms", "is 0"));
        }
        let decide = ShouldRefresh { callback, data: OwnedData::new(user_data, destructor) };
        options.1.should_refresh = Some((Duration::from_millis(every_ms), Arc::new(decide)));
        Ok(())
    })
}
