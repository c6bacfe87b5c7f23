//! The token engine alone, for those who keep hiredis or any other client: user, token and expiry, always fresh.

use crate::boundary::{
    OwnedData, bad_argument, free, handle, keyless_destructor, look, optional, put, reference, required, run,
    view,
};
use crate::credential::{Recipe, keyless_credential};
use crate::error::keyless_error;
use crate::event::{Handlers, handler, keyless_event_callback, unix_milliseconds};
use crate::fork;
use crate::options::keyless_options;
use crate::status::keyless_status;
use keyless::event::EventMask;
use keyless::token::{Token, TokenSource, TokenSourceOptions};
use keyless::{Error, ErrorCode, Identity, Result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// One identity's token, always fresh: one token request per refresh, any number of users. Any thread may use it, any
/// number at a time.
///
/// In a forked child it asks for tokens of its own.
pub struct keyless_token_source(pub(crate) Arc<Source>);

pub(crate) struct Source {
    options: Option<keyless_options>,
    credential: Option<Recipe>,
    handlers: Handlers,
    live: AtomicPtr<Live>,
}

struct Live {
    process: u32,
    source: TokenSource,
}

impl Source {
    fn new(options: Option<keyless_options>, credential: Option<Recipe>) -> Result<Self> {
        let live = make(options.as_ref(), credential.as_ref())?;
        Ok(Self { options, credential, handlers: Handlers::default(), live: AtomicPtr::new(handle(live)) })
    }

    /// The source in this process.
    pub(crate) fn get(&self) -> Result<&TokenSource> {
        let current = self.live.load(Ordering::Acquire);
        // SAFETY: always a live one: former ones are never freed while the handle exists.
        let live = unsafe { &*current };
        if live.process == fork::generation() {
            return Ok(&live.source);
        }
        let anew = handle(make(self.options.as_ref(), self.credential.as_ref())?);
        // SAFETY: nobody else has it yet.
        let live = unsafe { &*anew };
        let publish =
            || self.live.compare_exchange(current, anew, Ordering::AcqRel, Ordering::Acquire).is_ok();
        // The parent's stays in memory: to end it would touch what the parent uses.
        if self.handlers.attach(publish, |mask, handler| live.source.on_event(mask, handler)) {
            return Ok(&live.source);
        }
        // Another thread was first.
        free(anew);
        self.get()
    }
}

impl Drop for keyless_token_source {
    /// Here and not when the last client lets go of the source: whoever frees it frees what its callbacks use next.
    fn drop(&mut self) {
        let live = self.0.live.load(Ordering::Acquire);
        // SAFETY: as in `get`.
        let live = unsafe { &*live };
        // The parent's handlers are not heard of in a forked child.
        if live.process == fork::generation() {
            self.0.handlers.clear(|id| live.source.events().remove(id));
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let live = self.live.load(Ordering::Acquire);
        // SAFETY: as in `get`; nobody else has it any more.
        if unsafe { &*live }.process == fork::generation() {
            free(live);
        }
    }
}

fn make(options: Option<&keyless_options>, credential: Option<&Recipe>) -> Result<Live> {
    let figures = options.map_or_else(TokenSourceOptions::new, keyless_options::token_source_options);
    let identity = match (credential, options) {
        (Some(recipe), _) => Identity::Credential(recipe.make()?),
        (None, Some(options)) => Identity::from_options(&options.0)?,
        (None, None) => Identity::Credential(Recipe::default_chain()?.make()?),
    };
    match identity {
        Identity::Credential(credential) => {
            Ok(Live { process: fork::generation(), source: TokenSource::new(credential, figures)? })
        }
        _ => Err(Error::new(
            ErrorCode::InvalidOption,
            "The options hold an access key: there are no tokens then.",
            "Leave the password (REDIS_ACCESS_KEY) away, or give a credential.",
        )),
    }
}

/// A token in use. Does not change; holds a secret, which is wiped when the last copy is freed.
pub struct keyless_token(Token);

/// A source of tokens.
///
/// `options` (may be NULL: defaults) gives scope, user name and refresh figures; `credential` (may be NULL) who signs
/// in: without it what the options say, otherwise the default chain. Nothing is asked for yet. The caller frees
/// `*source`. Fails with `KEYLESS_INVALID_OPTION`. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_new(
    options: *const keyless_options,
    credential: *const keyless_credential,
    source: *mut *mut keyless_token_source,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(source, std::ptr::null_mut(), "source")?;
        let options = optional(options).cloned();
        let credential = optional(credential).map(|credential| credential.0.clone());
        *out = handle(keyless_token_source(Arc::new(Source::new(options, credential)?)));
        Ok(())
    })
}

/// A token that has not expired and is not about to; at once while there is one, otherwise after up to `timeout_ms`.
///
/// From the first call on the token is kept fresh in the background. The caller frees `*token`. Fails with why the last
/// attempt failed, or with `KEYLESS_TIMEOUT`. Not to be called in a callback of a credential.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_get(
    source: *const keyless_token_source,
    timeout_ms: u64,
    token: *mut *mut keyless_token,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let source = reference(source, "source")?;
        let out = required(token, std::ptr::null_mut(), "token")?;
        *out = handle(keyless_token(source.0.get()?.get_blocking(Duration::from_millis(timeout_ms))?));
        Ok(())
    })
}

/// Hears of a new token, which is borrowed until it returns. On the thread of `keyless_event_callback`, with its rules.
pub type keyless_token_callback = Option<extern "C" fn(token: *const keyless_token, user_data: *mut c_void)>;

struct OnToken {
    callback: extern "C" fn(*const keyless_token, *mut c_void),
    data: OwnedData,
}

/// Calls `callback` for each new token from now on, and starts to keep the token fresh: to sign a client of another
/// kind in again before its token expires.
///
/// `destructor` (may be NULL) frees `user_data` when the callback was removed and its last call has ended. `*id` (may be
/// NULL) gets what `keyless_token_source_remove_handler` takes. On failure `user_data` is the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_subscribe(
    source: *const keyless_token_source,
    callback: keyless_token_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    id: *mut u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let source = reference(source, "source")?;
        let callback = callback.ok_or_else(|| bad_argument("callback", "is NULL"))?;
        let live = source.0.get()?;
        live.subscribe()?;
        let weak = Arc::downgrade(&source.0);
        let on_token = OnToken { callback, data: OwnedData::new(user_data, destructor) };
        let handler = Arc::new(move |_: &keyless::event::Event| {
            let Some(source) = weak.upgrade() else { return };
            let token = source.get().and_then(|source| source.get_blocking(Duration::ZERO));
            // The next event comes if this token is over already.
            if let Ok(token) = token {
                (on_token.callback)(&raw const *Box::new(keyless_token(token)), on_token.data.pointer());
            }
        });
        let added = source
            .0
            .handlers
            .add(EventMask::TOKEN_REFRESHED, handler, |mask, handler| live.on_event(mask, handler));
        put(id, added);
        Ok(())
    })
}

/// Calls `callback` for the events of this source that are in `mask`; see `keyless_client_on_event`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_on_event(
    source: *const keyless_token_source,
    mask: u32,
    callback: keyless_event_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    id: *mut u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let source = reference(source, "source")?;
        let live = source.0.get()?;
        let mask = EventMask::from_bits(mask);
        let handler = handler(callback, user_data, destructor)?;
        let added = source.0.handlers.add(mask, handler, |mask, handler| live.on_event(mask, handler));
        put(id, added);
        Ok(())
    })
}

/// Removes a handler or subscription by its id; false if there is none. Afterwards it is not called any more: a call
/// that runs has ended, unless that call is the caller.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_remove_handler(source: *const keyless_token_source, id: u64) -> bool {
    look(false, || {
        let Some(source) = optional(source) else { return false };
        source.0.get().is_ok_and(|live| source.0.handlers.remove(id, |at| live.events().remove(at)))
    })
}

/// Says that a server refused the token of this generation (`WRONGPASS`): one fresh token is asked for. Says whether
/// that had an effect: any number of connections may report the same token.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_reject(source: *const keyless_token_source, generation: u64) -> bool {
    look(false, || {
        let Some(source) = optional(source) else { return false };
        source.0.get().is_ok_and(|live| live.reject(generation))
    })
}

/// Frees a source. When this returns none of its callbacks runs any more, unless that is the caller. Clients that were
/// made with it go on; the refreshing ends with the last of them. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_source_free(source: *mut keyless_token_source) {
    free(source);
}

/// The Redis user: the first argument of `AUTH`. UTF-8, not ended by a NUL. Borrowed from the token. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_user(token: *const keyless_token, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(token).map(|token| token.0.user.as_bytes()), length))
}

/// The access token itself: the second argument of `AUTH`. Not ended by a NUL. Borrowed from the token. A secret: keep
/// it out of logs. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_secret(token: *const keyless_token, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(token).map(|token| token.0.secret.expose().as_bytes()), length))
}

/// When it expires, in milliseconds since 1970-01-01 UTC: the server closes connections that stand on it then. 0 for
/// NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_expires_at_ms(token: *const keyless_token) -> i64 {
    look(0, || optional(token).map_or(0, |token| unix_milliseconds(token.0.expires_at)))
}

/// Counts the tokens of one source, from 1: two tokens of a source are the same if these are. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_generation(token: *const keyless_token) -> u64 {
    look(0, || optional(token).map_or(0, |token| token.0.generation))
}

/// Frees a token that the caller owns. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_token_free(token: *mut keyless_token) {
    free(token);
}
