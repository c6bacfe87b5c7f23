//! Subscriptions: core's subscriber behind a handle, with the three ways of waiting.

use crate::bell::Bell;
use crate::boundary::{
    OwnedData, array, bad_argument, bytes, free, handle, keyless_destructor, look, optional, reference,
    required, run, view,
};
use crate::client::keyless_client;
use crate::error::keyless_error;
use crate::event::whole_milliseconds;
use crate::status::keyless_status;
use crate::{callbacks, fork};
use keyless::blocking;
use keyless::pubsub::{Kind, Overflow};
use keyless::{Delivery, Error, ErrorCode, Message, Result, Subscriber, SubscriberOptions};
use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use std::ffi::{c_char, c_int, c_void};
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Receives messages of any number of channels, patterns and shard channels, over the client's own connection. Any
/// thread may use it.
///
/// Subscriptions outlive tokens and connections; after a cut they are made anew, and a message of type
/// `KEYLESS_MESSAGE_GAP` says that others may have been missed. It ends with its client, and in a forked child. Messages
/// are taken in one way: by `keyless_subscription_next`, also in an event loop, or by a callback.
pub struct keyless_subscription(Arc<Subscription>);

struct Subscription {
    process: u32,
    /// Taken away when the handle is freed.
    subscriber: Mutex<Option<Arc<Subscriber>>>,
    /// For event loops.
    bell: OnceCell<Arc<Bell>>,
    /// For callbacks.
    listener: OnceCell<Listener>,
    /// Held while the callback runs.
    running: Mutex<()>,
    /// Held by the one thread that waits: a subscriber remembers one waker.
    waiting: Mutex<()>,
}

struct Listener {
    callback: extern "C" fn(*const keyless_message, *const keyless_error, *mut c_void),
    data: OwnedData,
    waker: Waker,
}

/// What kind of name is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_channel_type {
    /// A channel (`SUBSCRIBE`).
    KEYLESS_CHANNEL = 0,
    /// A pattern of channel names (`PSUBSCRIBE`).
    KEYLESS_PATTERN = 1,
    /// A shard channel (`SSUBSCRIBE`, Redis 7).
    KEYLESS_SHARD_CHANNEL = 2,
}

/// What happens when a subscription's messages are taken too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_overflow {
    /// The oldest messages give way, and a message of type `KEYLESS_MESSAGE_DROPPED` says how many.
    KEYLESS_DROP_OLDEST = 0,
    /// The subscription ends with `KEYLESS_BACKLOG_FULL`.
    KEYLESS_DISCONNECT = 1,
}

/// What a subscription delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_message_type {
    /// A published message.
    KEYLESS_MESSAGE = 0,
    /// There was no connection for a time: messages published meanwhile were not received.
    KEYLESS_MESSAGE_GAP = 1,
    /// Messages were dropped here, because they were taken too slowly.
    KEYLESS_MESSAGE_DROPPED = 2,
}

/// What a subscription delivered. Does not change.
pub struct keyless_message(Delivery);

fn kind(number: c_int) -> Result<Kind> {
    match number {
        0 => Ok(Kind::Channel),
        1 => Ok(Kind::Pattern),
        2 => Ok(Kind::Shard),
        _ => Err(bad_argument("type", "is no keyless_channel_type")),
    }
}

fn names<'a>(count: usize, names: *const *const c_char, lengths: *const usize) -> Result<Vec<&'a [u8]>> {
    let names = array(names, count, "names")?;
    let lengths = if lengths.is_null() { None } else { Some(array(lengths, count, "lengths")?) };
    names
        .iter()
        .enumerate()
        .map(|(index, &name)| {
            let length = match lengths {
                Some(lengths) => lengths[index],
                None if name.is_null() => return Err(bad_argument("names", "holds NULL")),
                // SAFETY: the header demands that names without a length end with a NUL.
                None => unsafe { libc::strlen(name) },
            };
            bytes(name, length, "names")
        })
        .collect()
}

/// A subscription of a client, to nothing yet.
///
/// `capacity` messages may wait (0: 10,000); `overflow`, a `keyless_overflow`, says what happens when there are more. The
/// caller frees `*subscription`, before or after the client.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_new(
    client: *const keyless_client,
    capacity: usize,
    overflow: c_int,
    subscription: *mut *mut keyless_subscription,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let client = reference(client, "client")?;
        let out = required(subscription, std::ptr::null_mut(), "subscription")?;
        let mut options = SubscriberOptions::default();
        if capacity > 0 {
            options.capacity = capacity;
        }
        options.overflow = match overflow {
            0 => Overflow::DropOldest,
            1 => Overflow::Disconnect,
            _ => return Err(bad_argument("overflow", "is no keyless_overflow")),
        };
        let subscriber = client.0.get()?.client.subscriber(options);
        *out = handle(keyless_subscription(Arc::new(Subscription {
            process: fork::generation(),
            subscriber: Mutex::new(Some(Arc::new(subscriber))),
            bell: OnceCell::new(),
            listener: OnceCell::new(),
            running: Mutex::new(()),
            waiting: Mutex::new(()),
        })));
        Ok(())
    })
}

impl Subscription {
    fn subscriber(&self) -> Result<Arc<Subscriber>> {
        let gone = |what: &'static str, advice: &'static str| Error::new(ErrorCode::Closed, what, advice);
        if self.process != fork::generation() {
            return Err(gone(
                "The subscription was made before a fork, and belongs to the parent process.",
                "Make a new one in the child.",
            ));
        }
        self.subscriber.lock().clone().ok_or_else(|| gone("The subscription was freed.", "Make a new one."))
    }

    /// The next delivery, if there is one now. An event loop is told of the one after it.
    fn look(&self, subscriber: &Subscriber) -> Poll<Result<Delivery>> {
        let Some(bell) = self.bell.get() else {
            return subscriber.poll_next(&mut Context::from_waker(Waker::noop()));
        };
        bell.silence();
        let next = subscriber.poll_next(&mut Context::from_waker(&Waker::from(Arc::clone(bell))));
        if next.is_ready() {
            // There may be more: it is silent when somebody has looked in vain.
            bell.ring();
        }
        next
    }

    fn next(&self, timeout: Duration) -> Result<Option<Delivery>> {
        let subscriber = self.subscriber()?;
        if let Poll::Ready(next) = self.look(&subscriber) {
            return next.map(Some);
        }
        if timeout.is_zero() {
            return Ok(None);
        }
        let until = Instant::now().checked_add(timeout);
        let turn = until.map_or_else(|| Some(self.waiting.lock()), |at| self.waiting.try_lock_until(at));
        let Some(_turn) = turn else { return Ok(None) };
        let left = until.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
        let next = blocking::wait(tokio_timeout(left, poll_fn(|cx| subscriber.poll_next(cx))))?;
        if let Some(bell) = self.bell.get() {
            // It was told of this wait instead of the event loop.
            bell.ring();
        }
        next.transpose()
    }

    /// Calls the callback with what there is. Runs on the thread for callbacks.
    fn call(self: &Arc<Self>) {
        let Some(listener) = self.listener.get() else { return };
        let _running = self.running.lock();
        for _ in 0..AT_ONCE {
            let Ok(subscriber) = self.subscriber() else { return };
            let next = subscriber.poll_next(&mut Context::from_waker(&listener.waker));
            drop(subscriber);
            let data = listener.data.pointer();
            match next {
                Poll::Pending => return,
                Poll::Ready(Ok(delivery)) => {
                    let message = Box::new(keyless_message(delivery));
                    (listener.callback)(&raw const *message, std::ptr::null(), data);
                }
                Poll::Ready(Err(error)) => {
                    let error = Box::new(error.into());
                    (listener.callback)(std::ptr::null(), &raw const *error, data);
                    return;
                }
            }
        }
        listener.waker.wake_by_ref();
    }
}

/// So many messages one after the other, then others' callbacks have their turn.
const AT_ONCE: usize = 256;

async fn tokio_timeout<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(timeout, work).await.ok()
}

struct RunCallback(Weak<Subscription>);

impl Wake for RunCallback {
    fn wake(self: Arc<Self>) {
        callbacks::run(Box::new(move || {
            if let Some(subscription) = self.0.upgrade() {
                subscription.call();
            }
        }));
    }
}

/// Subscribes to `count` names of a type (a `keyless_channel_type`) and waits for the server's confirmation.
///
/// `lengths` gives the length of each name in bytes; with NULL every name ends with a NUL. Fails with
/// `KEYLESS_INVALID_COMMAND` for a name beyond 512 MiB, with the server's refusal (`KEYLESS_NO_PERMISSION` ...), with `KEYLESS_TIMEOUT` if no confirmation comes within the option
/// `command_timeout` (the subscription is made as soon as it can be), or with `KEYLESS_CLOSED`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_subscribe(
    subscription: *const keyless_subscription,
    channel_type: c_int,
    count: usize,
    names: *const *const c_char,
    lengths: *const usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let subscription = reference(subscription, "subscription")?;
        let kind = kind(channel_type)?;
        let names = some_names(count, names, lengths)?;
        let subscriber = subscription.0.subscriber()?;
        blocking::wait(async {
            match kind {
                Kind::Channel => subscriber.subscribe(&names).await,
                Kind::Pattern => subscriber.psubscribe(&names).await,
                Kind::Shard => subscriber.ssubscribe(&names).await,
            }
        })?
    })
}

/// Ends the subscription to `count` names of a type; see `keyless_subscription_subscribe`. Does not wait; messages that
/// wait already are still delivered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_unsubscribe(
    subscription: *const keyless_subscription,
    channel_type: c_int,
    count: usize,
    names: *const *const c_char,
    lengths: *const usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let subscription = reference(subscription, "subscription")?;
        let kind = kind(channel_type)?;
        let names = some_names(count, names, lengths)?;
        subscription.0.subscriber()?.unsubscribe(kind, &names);
        Ok(())
    })
}

/// The next message, after up to `timeout_ms`; 0 does not wait. `*message` is NULL if none came in time; the caller frees
/// it.
///
/// Fails with `KEYLESS_CLOSED` when the client was closed, and with `KEYLESS_BACKLOG_FULL` when the subscription was cut
/// off for being slow; what waited before comes first.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_next(
    subscription: *const keyless_subscription,
    timeout_ms: u64,
    message: *mut *mut keyless_message,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let subscription = reference(subscription, "subscription")?;
        let out = required(message, std::ptr::null_mut(), "message")?;
        if let Some(delivery) = subscription.0.next(Duration::from_millis(timeout_ms))? {
            *out = handle(keyless_message(delivery));
        }
        Ok(())
    })
}

/// The descriptor that is readable while messages may wait: for event loops. When it is, call
/// `keyless_subscription_next` with a time of 0 until there is no message.
///
/// Do not read from it and do not close it. -1 as with `keyless_client_fd`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_fd(subscription: *const keyless_subscription) -> c_int {
    look(-1, || {
        let Some(subscription) = optional(subscription) else { return -1 };
        let bell = subscription.0.bell.get_or_try_init(|| {
            // The first look arranges that it rings.
            Bell::new().map(Arc::new).inspect(|bell| bell.ring())
        });
        bell.map_or(-1, |bell| bell.descriptor())
    })
}

/// Hears of a message, or, once and last, why none come any more; the other one is NULL, and both are borrowed until it
/// returns. On the thread of `keyless_reply_callback`, with its rules.
pub type keyless_message_callback = Option<
    extern "C" fn(message: *const keyless_message, error: *const keyless_error, user_data: *mut c_void),
>;

/// Has `callback` called for each message from now on, those that wait already included. Once per subscription.
///
/// `destructor` (may be NULL) frees `user_data` when the subscription was freed and the last call has ended. On failure
/// `user_data` is the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_on_message(
    subscription: *const keyless_subscription,
    callback: keyless_message_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let subscription = reference(subscription, "subscription")?;
        let callback = callback.ok_or_else(|| bad_argument("callback", "is NULL"))?;
        subscription.0.subscriber()?;
        callbacks::start()?;
        let mut added = false;
        let listener = subscription.0.listener.get_or_init(|| {
            added = true;
            let waker = Arc::new(RunCallback(Arc::downgrade(&subscription.0))).into();
            Listener { callback, data: OwnedData::new(user_data, destructor), waker }
        });
        if !added {
            return Err(bad_argument("subscription", "has a callback already"));
        }
        listener.waker.wake_by_ref();
        Ok(())
    })
}

/// How many messages this subscription has lost by being slow. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_dropped(subscription: *const keyless_subscription) -> u64 {
    look(0, || {
        optional(subscription)
            .and_then(|subscription| subscription.0.subscriber().ok())
            .map_or(0, |subscriber| subscriber.dropped())
    })
}

/// Ends all of its subscriptions and frees it; when this returns its callback does not run any more, unless it is
/// called in a callback of keyless. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_subscription_free(subscription: *mut keyless_subscription) {
    look((), || {
        let Some(here) = optional(subscription) else { return };
        if here.0.process != fork::generation() {
            // The parent's: to end it, or only to lock it, would touch what the parent uses.
            std::mem::forget(Arc::clone(&here.0));
            return;
        }
        let subscriber = here.0.subscriber.lock().take();
        drop(subscriber);
        if callbacks::may_be_waited_for() {
            drop(here.0.running.lock());
        }
    });
    free(subscription);
}

fn some_names<'a>(count: usize, given: *const *const c_char, lengths: *const usize) -> Result<Vec<&'a [u8]>> {
    match names(count, given, lengths) {
        Ok(names) if names.is_empty() => Err(bad_argument("count", "is 0")),
        names => names,
    }
}

fn message<'a>(delivery: *const keyless_message) -> Option<&'a Message> {
    match optional(delivery) {
        Some(keyless_message(Delivery::Message(message))) => Some(message),
        _ => None,
    }
}

/// What it is. `KEYLESS_MESSAGE` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_get_type(delivery: *const keyless_message) -> keyless_message_type {
    look(keyless_message_type::KEYLESS_MESSAGE, || {
        optional(delivery).map_or(keyless_message_type::KEYLESS_MESSAGE, |delivery| match delivery.0 {
            Delivery::Gap(_) => keyless_message_type::KEYLESS_MESSAGE_GAP,
            Delivery::Dropped(_) => keyless_message_type::KEYLESS_MESSAGE_DROPPED,
            _ => keyless_message_type::KEYLESS_MESSAGE,
        })
    })
}

/// What a published message was subscribed by. `KEYLESS_CHANNEL` for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_channel_type(delivery: *const keyless_message) -> keyless_channel_type {
    look(keyless_channel_type::KEYLESS_CHANNEL, || match message(delivery).map(|message| message.kind) {
        Some(Kind::Pattern) => keyless_channel_type::KEYLESS_PATTERN,
        Some(Kind::Shard) => keyless_channel_type::KEYLESS_SHARD_CHANNEL,
        _ => keyless_channel_type::KEYLESS_CHANNEL,
    })
}

/// The channel that a message was published to. Not ended by a NUL; borrowed from the message. NULL and length 0 for
/// anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_channel(
    delivery: *const keyless_message,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || view(message(delivery).map(|message| &message.channel[..]), length))
}

/// The pattern that matched, of a pattern's subscription. Not ended by a NUL; borrowed from the message. NULL and length
/// 0 for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_pattern(
    delivery: *const keyless_message,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || view(message(delivery).and_then(|message| message.pattern.as_deref()), length))
}

/// What was published. Not ended by a NUL; borrowed from the message. NULL and length 0 for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_payload(
    delivery: *const keyless_message,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || view(message(delivery).map(|message| &message.payload[..]), length))
}

/// How long there was no connection, in milliseconds, of a gap; 0 for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_gap_ms(delivery: *const keyless_message) -> u64 {
    look(0, || match optional(delivery) {
        Some(keyless_message(Delivery::Gap(outage))) => whole_milliseconds(*outage),
        _ => 0,
    })
}

/// How many messages were dropped, of a message of type `KEYLESS_MESSAGE_DROPPED`; 0 for anything else.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_dropped(delivery: *const keyless_message) -> u64 {
    look(0, || match optional(delivery) {
        Some(keyless_message(Delivery::Dropped(count))) => *count,
        _ => 0,
    })
}

/// Frees a message that the caller owns. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_message_free(delivery: *mut keyless_message) {
    free(delivery);
}
