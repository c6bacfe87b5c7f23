//! The client: made, asked about itself, closed. How commands are sent is in `commands`; what it is made anew of in a
//! forked child in `live`.

mod commands;
mod live;

pub(crate) use live::Live;

use crate::boundary::{
    free, handle, keyless_destructor, look, optional, put, reference, required, run, view,
};
use crate::credential::keyless_credential;
use crate::error::keyless_error;
use crate::event::{handler, keyless_event_callback};
use crate::options::keyless_options;
use crate::status::keyless_status;
use crate::token_source::keyless_token_source;
use keyless::blocking;
use keyless::event::EventMask;
use live::{Handle, SignIn};
use std::ffi::{c_char, c_int, c_void};

/// A client of one cache: one connection, or one per node of a cluster, shared by all who use it. Any thread may use
/// it, any number at a time.
///
/// In a forked child it connects anew, without touching the parent's connection, when it is first used there.
pub struct keyless_client(pub(crate) Handle);

/// Connects to the cache that the options name.
///
/// `credential` says who signs in; with NULL the options do: the access key if they hold one, the application's secret
/// if they hold one, otherwise the default chain. Returns when the first attempt has ended. Should it have failed,
/// attempts go on in the background and the call succeeds (see `keyless_client_last_error`), unless the option
/// `abort_on_connect_fail` is set. The caller frees `*client`. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_connect(
    options: *const keyless_options,
    credential: *const keyless_credential,
    client: *mut *mut keyless_client,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let options = reference(options, "options")?;
        let out = required(client, std::ptr::null_mut(), "client")?;
        let sign_in = optional(credential)
            .map_or(SignIn::Options, |credential| SignIn::Credential(credential.0.clone()));
        *out = handle(keyless_client(Handle::connect(options.clone(), sign_in)?));
        Ok(())
    })
}

/// The same with a token source that other clients share: one token request per refresh for all of them.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_connect_with_source(
    options: *const keyless_options,
    source: *const keyless_token_source,
    client: *mut *mut keyless_client,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let options = reference(options, "options")?;
        let source = reference(source, "source")?;
        let out = required(client, std::ptr::null_mut(), "client")?;
        *out = handle(keyless_client(Handle::connect(options.clone(), SignIn::Source(source.0.clone()))?));
        Ok(())
    })
}

/// Takes no more commands, waits for those that were handed over, at the most for the option `command_timeout`, and
/// closes the connection.
///
/// What is not answered then fails with `KEYLESS_CLOSED`, as does every later command. Completions that were not
/// drained yet stay. Closing twice does no harm. Not to be called in a callback of this client's commands while others
/// of them have yet to run: `keyless_client_free` may.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_close(
    client: *const keyless_client,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let client = reference(client, "client")?;
        let Some(live) = client.0.own() else { return Ok(()) };
        blocking::wait(live.client.close())
    })
}

/// Frees a client, and closes its connection at once unless it is closed. NULL is fine.
///
/// What is not answered fails with `KEYLESS_CLOSED`, and its callbacks still run: when this returns, no callback of the
/// client runs any more. In a callback of keyless it does not wait for that, and the rest run afterwards. Completions
/// that were not drained are dropped, and the descriptor of `keyless_client_fd` is closed: take it out of the event loop
/// first. Subscriptions of the client end; they are freed on their own.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_free(client: *mut keyless_client) {
    free(client);
}

/// Whether there is a signed-in connection now, or one to every node of a cluster. False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_is_ready(client: *const keyless_client) -> bool {
    look(false, || {
        optional(client).and_then(|client| client.0.own()).is_some_and(|live| live.client.is_ready())
    })
}

/// Why there is no connection now; NULL while there is one or the first one is being made. The caller frees it.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_last_error(client: *const keyless_client) -> *mut keyless_error {
    look(std::ptr::null_mut(), || {
        optional(client)
            .and_then(|client| client.0.own()?.client.last_error())
            .map_or(std::ptr::null_mut(), |error| handle(error.into()))
    })
}

/// `host:port` of the cache, in UTF-8, not ended by a NUL. Borrowed from the client. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_endpoint(
    client: *const keyless_client,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || view(optional(client).map(|client| client.0.endpoint().as_bytes()), length))
}

/// Calls `callback` for the events in `mask` (bits of `keyless_event_type`, or `KEYLESS_ALL_EVENTS`): those of this
/// client's connections and of its token source.
///
/// `destructor` (may be NULL) frees `user_data` when the handler is gone and its last call has ended. `*id` (may be NULL)
/// gets what `keyless_client_remove_handler` takes. Fails with `KEYLESS_INVALID_ARGUMENT`; `user_data` is the caller's
/// then.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_on_event(
    client: *const keyless_client,
    mask: u32,
    callback: keyless_event_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    id: *mut u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let client = reference(client, "client")?;
        let live = client.0.get()?;
        let handler = handler(callback, user_data, destructor)?;
        let added = client
            .0
            .handlers
            .add(EventMask::from_bits(mask), handler, |mask, handler| live.client.on_event(mask, handler));
        put(id, added);
        Ok(())
    })
}

/// Removes a handler by its id; false if there is none. Afterwards it is not called any more: a call that runs has
/// ended, unless that call is the caller.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_remove_handler(client: *const keyless_client, id: u64) -> bool {
    look(false, || {
        let Some(client) = optional(client) else { return false };
        client.0.get().is_ok_and(|live| client.0.handlers.remove(id, |at| live.client.remove_handler(at)))
    })
}

/// The descriptor that is readable while completions wait in the client's queue: for epoll, libuv, libevent.
///
/// Watch it for reading, and call `keyless_client_drain` when it is; do not read from it and do not close it. It is the
/// same for the client's whole life, but another one in a forked child. -1 on systems that have no such thing (use
/// callbacks there), for NULL, and when the process has no descriptor to spare.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_fd(client: *const keyless_client) -> c_int {
    look(-1, || {
        optional(client)
            .and_then(|client| client.0.get().ok()?.queue().ok().map(|queue| queue.descriptor()))
            .unwrap_or(-1)
    })
}
