//! Events, and the callbacks that hear of them.

use crate::boundary::{OwnedData, bad_argument, keyless_destructor, look, optional, view};
use crate::error::keyless_error;
use crate::fork;
use keyless::event::{Event, EventHandler, EventMask, HandlerId};
use keyless::{Error, Result};
use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Something that happened to a token or a connection. Borrowed: valid until the callback returns.
pub struct keyless_event {
    event: Event,
    error: OnceCell<keyless_error>,
}

/// What happened; each is one bit, so that they can be put together as a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_event_type {
    /// A new token was acquired and is in use from now on.
    KEYLESS_EVENT_TOKEN_REFRESHED = 1,
    /// An attempt to acquire a token failed. The old one stays in use; attempts go on.
    KEYLESS_EVENT_TOKEN_REFRESH_FAILED = 2,
    /// A live connection was signed in again with a new token.
    KEYLESS_EVENT_CONNECTION_REAUTHENTICATED = 4,
    /// A live connection could not be signed in again. It is tried again until its own token expires.
    KEYLESS_EVENT_CONNECTION_REAUTHENTICATION_FAILED = 8,
    /// A connection was lost, or the first one could not be made. Redialling goes on by itself.
    KEYLESS_EVENT_CONNECTION_LOST = 16,
    /// A lost connection was restored and is signed in.
    KEYLESS_EVENT_CONNECTION_RESTORED = 32,
    /// Subscriptions were without a connection and have one again: messages may have been missed.
    KEYLESS_EVENT_SUBSCRIPTION_GAP = 64,
}

/// The mask of every event, also of those that later versions add.
pub const KEYLESS_ALL_EVENTS: u32 = u32::MAX;

/// Hears of an event. Runs on the thread `keyless-events`, one call at a time and in order; a call that blocks delays
/// other handlers of the process and nothing else. It may call keyless, also to remove itself or to free the client.
/// It must not throw, and must not leave with `longjmp`.
pub type keyless_event_callback = Option<extern "C" fn(event: *const keyless_event, user_data: *mut c_void)>;

fn milliseconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

pub(crate) fn unix_milliseconds(time: SystemTime) -> i64 {
    milliseconds(time)
}

pub(crate) fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn figure<T: Copy>(event: *const keyless_event, otherwise: T, of: impl FnOnce(&Event) -> Option<T>) -> T {
    look(otherwise, || optional(event).and_then(|event| of(&event.event)).unwrap_or(otherwise))
}

/// What happened: one of `keyless_event_type`, or a bit that a later version has added; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_get_type(event: *const keyless_event) -> u32 {
    figure(event, 0, |event| Some(event.kind().bits()))
}

/// The event's name, such as `token_refreshed`: for logs. Not ended by a NUL. Valid for ever. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_name(event: *const keyless_event, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || view(optional(event).map(|event| event.event.name().as_bytes()), length))
}

/// When it happened, in milliseconds since 1970-01-01 UTC. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_time_ms(event: *const keyless_event) -> i64 {
    figure(event, 0, |event| Some(milliseconds(event.time())))
}

/// `host:port` of the connection, in UTF-8, not ended by a NUL; NULL and length 0 for events of the token.
///
/// Borrowed from the event.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_endpoint(event: *const keyless_event, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || {
        let endpoint = optional(event).and_then(|event| match &event.event {
            Event::ConnectionReauthenticated { endpoint, .. }
            | Event::ConnectionReauthenticationFailed { endpoint, .. }
            | Event::ConnectionLost { endpoint, .. }
            | Event::ConnectionRestored { endpoint, .. }
            | Event::SubscriptionGap { endpoint, .. } => Some(endpoint.as_bytes()),
            _ => None,
        });
        view(endpoint, length)
    })
}

/// The Redis user of a refreshed token, in UTF-8, not ended by a NUL; NULL and length 0 for other events.
///
/// Borrowed from the event.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_user(event: *const keyless_event, length: *mut usize) -> *const c_char {
    look(std::ptr::null(), || {
        let user = optional(event).and_then(|event| match &event.event {
            Event::TokenRefreshed { user, .. } => Some(user.as_bytes()),
            _ => None,
        });
        view(user, length)
    })
}

/// When the token in use expires, in milliseconds since 1970-01-01 UTC; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_expires_at_ms(event: *const keyless_event) -> i64 {
    figure(event, 0, |event| match event {
        Event::TokenRefreshed { expires_at, .. } | Event::ConnectionReauthenticated { expires_at, .. } => {
            Some(milliseconds(*expires_at))
        }
        Event::TokenRefreshFailed { expires_at, .. } => expires_at.map(milliseconds),
        _ => None,
    })
}

/// When the next refresh is due after `KEYLESS_EVENT_TOKEN_REFRESHED`, in milliseconds since 1970-01-01 UTC; 0 for other
/// events.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_next_refresh_ms(event: *const keyless_event) -> i64 {
    figure(event, 0, |event| match event {
        Event::TokenRefreshed { next_refresh, .. } => Some(milliseconds(*next_refresh)),
        _ => None,
    })
}

/// Which token of its source it was, counted from 1; 0 for other events.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_generation(event: *const keyless_event) -> u64 {
    figure(event, 0, |event| match event {
        Event::TokenRefreshed { generation, .. } | Event::ConnectionReauthenticated { generation, .. } => {
            Some(*generation)
        }
        _ => None,
    })
}

/// How many attempts have failed in a row, or how many dials a restored connection took; 0 for other events.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_attempt(event: *const keyless_event) -> u32 {
    figure(event, 0, |event| match event {
        Event::TokenRefreshFailed { attempt, .. }
        | Event::ConnectionReauthenticationFailed { attempt, .. } => Some(*attempt),
        Event::ConnectionRestored { attempts, .. } => Some(*attempts),
        _ => None,
    })
}

/// How long until the next attempt after one that failed, in milliseconds; 0 for other events.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_next_attempt_ms(event: *const keyless_event) -> u64 {
    figure(event, 0, |event| match event {
        Event::TokenRefreshFailed { next_attempt, .. }
        | Event::ConnectionReauthenticationFailed { next_attempt, .. } => {
            Some(whole_milliseconds(*next_attempt))
        }
        _ => None,
    })
}

/// How long there was no connection, in milliseconds, of a restored connection or a gap; 0 for other events.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_outage_ms(event: *const keyless_event) -> u64 {
    figure(event, 0, |event| match event {
        Event::ConnectionRestored { outage, .. } | Event::SubscriptionGap { outage, .. } => {
            Some(whole_milliseconds(*outage))
        }
        _ => None,
    })
}

/// How many channels, patterns and shard channels had a gap; 0 for other events.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_subscriptions(event: *const keyless_event) -> usize {
    figure(event, 0, |event| match event {
        Event::SubscriptionGap { subscriptions, .. } => Some(*subscriptions),
        _ => None,
    })
}

/// Why it happened, of events that tell of a failure; NULL for others. Borrowed from the event.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_event_error(event: *const keyless_event) -> *const keyless_error {
    look(std::ptr::null(), || {
        let Some(event) = optional(event) else { return std::ptr::null() };
        let why: Option<&Error> = match &event.event {
            Event::TokenRefreshFailed { error, .. }
            | Event::ConnectionReauthenticationFailed { error, .. }
            | Event::ConnectionLost { error, .. } => Some(error),
            _ => None,
        };
        why.map_or(std::ptr::null(), |why| std::ptr::from_ref(event.error.get_or_init(|| why.clone().into())))
    })
}

/// The handler that a callback is. Its user data is freed when the handler is gone and its last call has ended.
pub(crate) fn handler(
    callback: keyless_event_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
) -> Result<EventHandler> {
    let Some(callback) = callback else { return Err(bad_argument("callback", "is NULL")) };
    let data = OwnedData::new(user_data, destructor);
    Ok(Arc::new(move |event: &Event| {
        let event = keyless_event { event: event.clone(), error: OnceCell::new() };
        callback(&raw const event, data.pointer());
    }))
}

/// The handlers of one C handle, which stay when what they listen to is made anew in a forked child.
#[derive(Default)]
pub(crate) struct Handlers(Mutex<Listed>);

#[derive(Default)]
struct Listed {
    last: u64,
    all: Vec<Listening>,
}

struct Listening {
    id: u64,
    mask: EventMask,
    handler: EventHandler,
    /// Its name with the hub of now.
    at: HandlerId,
}

impl Handlers {
    /// Adds a handler with the help of `add`; returns its id, never 0.
    pub(crate) fn add(
        &self,
        mask: EventMask,
        handler: EventHandler,
        add: impl FnOnce(EventMask, EventHandler) -> HandlerId,
    ) -> u64 {
        fork::without(|| {
            let mut listed = self.0.lock();
            listed.last += 1;
            let id = listed.last;
            let at = add(mask, Arc::clone(&handler));
            listed.all.push(Listening { id, mask, handler, at });
            id
        })
    }

    /// Adds all of them to what was made anew, if `publish` succeeds in showing it to others: whoever sees it finds the
    /// handlers there.
    pub(crate) fn attach(
        &self,
        publish: impl FnOnce() -> bool,
        add: impl Fn(EventMask, EventHandler) -> HandlerId,
    ) -> bool {
        fork::without(|| {
            let mut listed = self.0.lock();
            if !publish() {
                return false;
            }
            for listening in &mut listed.all {
                listening.at = add(listening.mask, Arc::clone(&listening.handler));
            }
            true
        })
    }

    /// Removes a handler; waits for a call of it that runs, unless that is the caller. Says whether there was one.
    pub(crate) fn remove(&self, id: u64, remove: impl Fn(HandlerId) -> bool) -> bool {
        self.take(|listening| listening.id == id, remove)
    }

    /// Removes all of them likewise.
    pub(crate) fn clear(&self, remove: impl Fn(HandlerId) -> bool) {
        self.take(|_| true, remove);
    }

    fn take(&self, which: impl Fn(&Listening) -> bool, remove: impl Fn(HandlerId) -> bool) -> bool {
        let taken: Vec<Listening> = fork::without(|| {
            let mut listed = self.0.lock();
            let (taken, kept) = std::mem::take(&mut listed.all).into_iter().partition(which);
            listed.all = kept;
            taken
        });
        for listening in &taken {
            remove(listening.at);
        }
        !taken.is_empty()
    }
}
