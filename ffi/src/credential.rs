//! Who signs in: every kind of credential that core has, and one that the application brings.

use crate::boundary::{
    OwnedData, bad_argument, bytes, exclusive, free, handle, keyless_destructor, look, optional, required,
    run, text, view,
};
use crate::error::keyless_error;
use crate::status::keyless_status;
use keyless::credential::{AccessToken, Credential, KindInfo, Made, TokenRequest};
use keyless::{Error, ErrorCode, Result, Secret};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

/// An identity to sign in with: a kind, and its options.
///
/// One thread at a time may change it; clients and token sources copy what they need, so it can be freed once they
/// exist. Holds secrets, and shows none.
pub struct keyless_credential(pub(crate) Recipe);

/// How a credential is made: kept, since a forked child makes its own.
#[derive(Clone)]
pub(crate) enum Recipe {
    Kind { kind: &'static KindInfo, options: Vec<(&'static str, Secret)>, callback: Option<Arc<Callback>> },
    Custom { name: String, callback: Arc<Callback> },
}

impl Recipe {
    /// What works here.
    pub(crate) fn default_chain() -> Result<Self> {
        Ok(Self::Kind { kind: keyless::credential::kind("default")?, options: Vec::new(), callback: None })
    }

    /// Whether it is no credential of Microsoft Entra ID but stands for the cache's key.
    pub(crate) fn is_access_key(&self) -> bool {
        matches!(self, Self::Kind { kind, .. } if kind.made == Made::OfThePassword)
    }

    /// That key, if it is not left to the options of the client.
    pub(crate) fn access_key(&self) -> Option<&Secret> {
        match self {
            Self::Kind { options, .. } if self.is_access_key() => options.first().map(|(_, key)| key),
            _ => None,
        }
    }

    pub(crate) fn make(&self) -> Result<Credential> {
        match self {
            Self::Kind { kind, options, callback } => {
                let options: Vec<(&str, &str)> =
                    options.iter().map(|(name, value)| (*name, value.expose())).collect();
                let Some(callback) = callback.clone() else {
                    return Credential::of_kind(kind.name, &options);
                };
                Credential::client_assertion_from(&options, move || {
                    let callback = Arc::clone(&callback);
                    let request = TokenRequest { scope: "".into(), force: false };
                    async move { callback.ask(request).await.map(|assertion| assertion.secret) }
                })
            }
            Self::Custom { name, callback } => {
                let callback = Arc::clone(callback);
                Ok(Credential::custom(name.clone(), move |request| Arc::clone(&callback).ask(request)))
            }
        }
    }
}

/// A credential of a kind, named as in README.md, such as `managed_identity`, `client_secret`, `default`.
///
/// Its options are set with `keyless_credential_set`. `access_key` stands for the cache's key: its option `password`, or
/// the `password` of the client's options, or nobody. `custom` and `client_assertion` need a callback, and have
/// functions of their own. The caller frees `*credential`. Fails with
/// `KEYLESS_INVALID_OPTION` for an unknown kind; the error names the nearest known one. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_credential_new(
    kind: *const c_char,
    kind_length: usize,
    credential: *mut *mut keyless_credential,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(credential, std::ptr::null_mut(), "credential")?;
        let kind = keyless::credential::kind(text(kind, kind_length, "kind")?)?;
        if let Made::OfAFunction(_) = kind.made {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                format!("The credential {} needs a callback.", kind.name),
                format!("Call keyless_credential_{}.", kind.name),
            ));
        }
        *out = handle(keyless_credential(Recipe::Kind { kind, options: Vec::new(), callback: None }));
        Ok(())
    })
}

/// Sets an option of a credential by its name, such as `tenant_id`, `client_id`, `client_secret`.
///
/// The last value counts. Fails with `KEYLESS_INVALID_OPTION` if the kind has no such option. Whether the options
/// suffice is known when a client or a token source is made.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_credential_set(
    credential: *mut keyless_credential,
    name: *const c_char,
    name_length: usize,
    value: *const c_char,
    value_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let credential = exclusive(credential, "credential")?;
        let name = text(name, name_length, "name")?;
        let value = text(value, value_length, "value")?;
        match &mut credential.0 {
            Recipe::Kind { kind, options, .. } => {
                let option = kind.option(name)?;
                options.retain(|(known, _)| *known != option.name);
                options.push((option.name, value.into()));
                Ok(())
            }
            Recipe::Custom { .. } => Err(Error::new(
                ErrorCode::InvalidOption,
                "A credential that the application brings has no options.",
                "Put what it needs behind its user_data.",
            )),
        }
    })
}

/// Frees a credential. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_credential_free(credential: *mut keyless_credential) {
    free(credential);
}

/// A token that is wanted of the application. It is answered once, with `keyless_token_request_complete` or
/// `keyless_token_request_fail`, from any thread, now or later; both free it.
pub struct keyless_token_request {
    request: TokenRequest,
    answer: oneshot::Sender<Result<AccessToken, Error>>,
}

/// Is asked for a token: answers `request`, at once or later from any thread.
///
/// Runs on a thread of its own, which it may block; a call begins only when the one before was answered. A request
/// that stays unanswered runs into the option `token_request_timeout`, and is asked again. It must not throw, and must
/// not leave with `longjmp`.
pub type keyless_credential_callback =
    Option<extern "C" fn(request: *mut keyless_token_request, user_data: *mut c_void)>;

pub(crate) struct Callback {
    function: extern "C" fn(*mut keyless_token_request, *mut c_void),
    data: OwnedData,
}

impl Callback {
    async fn ask(self: Arc<Self>, request: TokenRequest) -> Result<AccessToken, Error> {
        let (answer, answered) = oneshot::channel();
        let request = handle(keyless_token_request { request, answer }) as usize;
        tokio::task::spawn_blocking(move || (self.function)(request as *mut _, self.data.pointer()))
            .await
            .map_err(|_| unanswered())?;
        answered.await.unwrap_or_else(|_| Err(unanswered()))
    }
}

fn unanswered() -> Error {
    Error::new(
        ErrorCode::CredentialUnavailable,
        "The application's credential did not answer.",
        "Call keyless_token_request_complete or keyless_token_request_fail for every request.",
    )
    .retryable(true)
}

/// A credential that the application brings: a callback that yields tokens.
///
/// `name` is how logs and errors call it. `destructor` (may be NULL) frees `user_data` when neither the credential nor
/// anything made with it needs it any more. The caller frees `*credential`. On failure `user_data` is the caller's.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_credential_custom(
    name: *const c_char,
    name_length: usize,
    callback: keyless_credential_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    credential: *mut *mut keyless_credential,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(credential, std::ptr::null_mut(), "credential")?;
        let name = text(name, name_length, "name")?.to_owned();
        let callback = callback.ok_or_else(|| bad_argument("callback", "is NULL"))?;
        let callback = Callback { function: callback, data: OwnedData::new(user_data, destructor) };
        *out = handle(keyless_credential(Recipe::Custom { name, callback: Arc::new(callback) }));
        Ok(())
    })
}

/// An application (service principal) that proves itself with assertions that a callback makes: signed JWTs, or tokens of
/// another identity that the application trusts.
///
/// Its options (`tenant_id`, `client_id` ...) are set with `keyless_credential_set`. The callback answers with the
/// assertion in place of a token; its scope is empty, and the time that it expires does not matter. Otherwise as
/// `keyless_credential_custom`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_credential_client_assertion(
    callback: keyless_credential_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    credential: *mut *mut keyless_credential,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(credential, std::ptr::null_mut(), "credential")?;
        let function = callback.ok_or_else(|| bad_argument("callback", "is NULL"))?;
        let kind = keyless::credential::kind("client_assertion")?;
        let callback = Callback { function, data: OwnedData::new(user_data, destructor) };
        *out = handle(keyless_credential(Recipe::Kind {
            kind,
            options: Vec::new(),
            callback: Some(Arc::new(callback)),
        }));
        Ok(())
    })
}

/// The scope that the token must have, in UTF-8, not ended by a NUL. Borrowed from the request. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_request_scope(
    request: *const keyless_token_request,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || view(optional(request).map(|request| request.request.scope.as_bytes()), length))
}

/// Whether a token that a cache of the application's still holds must be passed over. False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_request_forced(request: *const keyless_token_request) -> bool {
    look(false, || optional(request).is_some_and(|request| request.request.force))
}

/// Answers a request with a token that expires at `expires_at_ms` (milliseconds since 1970-01-01 UTC), and frees the
/// request.
///
/// The token is copied. Fails with `KEYLESS_INVALID_ARGUMENT`, and the request fails then too. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_request_complete(
    request: *mut keyless_token_request,
    token: *const c_char,
    token_length: usize,
    expires_at_ms: i64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let request = answered(request)?;
        let token = text(token, token_length, "token").and_then(|secret| {
            let expires_at = u64::try_from(expires_at_ms)
                .ok()
                .and_then(|after| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(after)))
                .ok_or_else(|| bad_argument("expires_at_ms", "is no time since 1970"))?;
            Ok(AccessToken { secret: secret.into(), expires_at })
        });
        let outcome = token.as_ref().map(|_| ()).map_err(Error::clone);
        // Nobody waits any more if it came too late.
        let _ = request.answer.send(token);
        outcome
    })
}

/// Answers a request with a failure, and frees the request. `message` (UTF-8) reaches logs, events and errors: it must
/// not hold a secret. `retryable`: whether asking again may help; it is asked again in either case.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_request_fail(
    request: *mut keyless_token_request,
    message: *const c_char,
    message_length: usize,
    retryable: bool,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let request = answered(request)?;
        let message = String::from_utf8_lossy(bytes(message, message_length, "message")?);
        let failure = Error::new(
            ErrorCode::CredentialUnavailable,
            format!("The application's credential failed: {message}."),
            "Look into the application's own credential.",
        );
        let _ = request.answer.send(Err(failure.retryable(retryable)));
        Ok(())
    })
}

fn answered(request: *mut keyless_token_request) -> Result<Box<keyless_token_request>> {
    if request.is_null() {
        return Err(bad_argument("request", "is NULL"));
    }
    // SAFETY: made by `Callback::ask`, and the header demands that it is answered once.
    Ok(unsafe { Box::from_raw(request) })
}
