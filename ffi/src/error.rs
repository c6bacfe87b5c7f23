//! What went wrong, in words: core's error behind a handle.

use crate::boundary::{free, handle, look, optional, view};
use crate::status::keyless_status;
use keyless::Error;
use once_cell::sync::OnceCell;
use std::ffi::c_char;

/// What went wrong, and what to do about it.
///
/// Comes through the last parameter of functions that fail, or is borrowed from a reply, completion or event. Does not
/// change: any number of threads may look at it. Holds no secret.
pub struct keyless_error {
    error: Error,
    /// The whole text, made when it is first asked for.
    text: OnceCell<String>,
}

impl From<Error> for keyless_error {
    fn from(error: Error) -> Self {
        Self { error, text: OnceCell::new() }
    }
}

/// The error's number. `KEYLESS_OK` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_code(error: *const keyless_error) -> keyless_status {
    look(keyless_status::KEYLESS_OK, || {
        optional(error).map_or(keyless_status::KEYLESS_OK, |error| error.error.code().into())
    })
}

/// The code's name, such as `auth_refused`: for logs, and to look it up in the documentation.
///
/// `length` (may be NULL) gets its bytes; not ended by a NUL. Belongs to the library; valid for ever. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_name(error: *const keyless_error, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(error).map(|error| error.error.code().name().as_bytes()), length))
}

/// What happened: one sentence in UTF-8, without the advice. Not ended by a NUL: use `length`.
///
/// Borrowed from the error. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_message(error: *const keyless_error, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(error).map(|error| error.error.message().as_bytes()), length))
}

/// What to do about it: one sentence in UTF-8; length 0 where nothing can be advised. Not ended by a NUL.
///
/// Borrowed from the error. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_advice(error: *const keyless_error, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(error).map(|error| error.error.advice().as_bytes()), length))
}

/// `host:port` of the server that the error belongs to; NULL and length 0 if it belongs to none. Not ended by a NUL.
///
/// Borrowed from the error.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_endpoint(error: *const keyless_error, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || {
        view(optional(error).and_then(|error| error.error.endpoint()).map(str::as_bytes), length)
    })
}

/// The first word of a Redis error reply, such as `WRONGTYPE`; NULL and length 0 for other errors. Not ended by a NUL.
///
/// Borrowed from the error.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_server_code(
    error: *const keyless_error,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || {
        view(optional(error).and_then(|error| error.error.server_code()).map(str::as_bytes), length)
    })
}

/// Endpoint, message and advice in one text that ends with a NUL: for `printf("%s")`.
///
/// Borrowed from the error. An empty text for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_text(error: *const keyless_error) -> *const c_char {
    look(c"".as_ptr(), || {
        optional(error).map_or(c"".as_ptr(), |error| {
            error.text.get_or_init(|| error.error.to_string().replace('\0', " ") + "\0").as_ptr().cast()
        })
    })
}

/// Whether the same call can succeed later without anybody changing anything. False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_retryable(error: *const keyless_error) -> bool {
    look(false, || optional(error).is_some_and(|error| error.error.is_retryable()))
}

/// Whether the command may have been executed although it failed; false means that it certainly was not. False for
/// NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_maybe_executed(error: *const keyless_error) -> bool {
    look(false, || optional(error).is_some_and(|error| error.error.maybe_executed()))
}

/// How long the other side asked to wait before the next attempt, in milliseconds; 0 if it did not.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_retry_after_ms(error: *const keyless_error) -> u64 {
    look(0, || {
        optional(error)
            .and_then(|error| error.error.retry_after())
            .map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    })
}

/// A copy of an error that was borrowed, to keep it. The caller frees it. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_clone(error: *const keyless_error) -> *mut keyless_error {
    look(std::ptr::null_mut(), || {
        optional(error).map_or(std::ptr::null_mut(), |error| handle(error.error.clone().into()))
    })
}

/// Frees an error that the caller owns. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_error_free(error: *mut keyless_error) {
    free(error);
}
