//! Log lines for a callback. Cheap while nobody listens.

use crate::boundary::{OwnedData, bad_argument, keyless_destructor, run};
use crate::error::keyless_error;
use crate::fork;
use crate::status::keyless_status;
use once_cell::sync::OnceCell;
use parking_lot::RwLock;
use std::ffi::{c_char, c_int, c_void};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum keyless_log_level {
    /// Nothing is logged.
    KEYLESS_LOG_OFF = 0,
    /// Something failed that keyless cannot mend.
    KEYLESS_LOG_ERROR = 1,
    /// Something failed that keyless goes on to mend: a lost connection, a refused token request.
    KEYLESS_LOG_WARN = 2,
    /// One line per change of state: connected, token refreshed, signed in again.
    KEYLESS_LOG_INFO = 3,
    /// What helps to find a fault.
    KEYLESS_LOG_DEBUG = 4,
    /// Everything.
    KEYLESS_LOG_TRACE = 5,
}

/// Gets one log line: its level, the part of keyless that it comes from, and its text, both in UTF-8 and ended by a
/// NUL, valid until the call returns. Never holds a secret.
///
/// Runs on whatever thread logs, also on the I/O thread: it must be quick, and must not call keyless.
pub type keyless_log_callback = Option<
    extern "C" fn(
        level: keyless_log_level,
        target: *const c_char,
        text: *const c_char,
        user_data: *mut c_void,
    ),
>;

struct Listener {
    callback: extern "C" fn(keyless_log_level, *const c_char, *const c_char, *mut c_void),
    data: OwnedData,
}

static LEVEL: AtomicI32 = AtomicI32::new(0);
static LISTENER: RwLock<Option<Arc<Listener>>> = RwLock::new(None);
static INSTALLED: OnceCell<()> = OnceCell::new();

/// Sends log lines up to `level` (a `keyless_log_level`) to `callback`, in place of an earlier one. NULL or
/// `KEYLESS_LOG_OFF` ends it. Without a callback nothing is logged.
///
/// One callback for the whole process. `destructor` (may be NULL) frees `user_data` when the callback is replaced and
/// its last call has ended. Fails with `KEYLESS_INVALID_ARGUMENT` for an unknown level; `user_data` is the caller's
/// then. Any thread, but not from the callback.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_log_set(
    level: c_int,
    callback: keyless_log_callback,
    user_data: *mut c_void,
    destructor: keyless_destructor,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        if !(0..=5).contains(&level) {
            return Err(bad_argument("level", "is no keyless_log_level"));
        }
        let listener = callback
            .map(|callback| Arc::new(Listener { callback, data: OwnedData::new(user_data, destructor) }));
        INSTALLED.get_or_init(|| {
            // Somebody else's subscriber, in a program that links core as well, stays.
            let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ToCallback));
        });
        LEVEL.store(if listener.is_some() { level } else { 0 }, Ordering::SeqCst);
        let former = fork::without(|| std::mem::replace(&mut *LISTENER.write(), listener));
        tracing::callsite::rebuild_interest_cache();
        drop(former);
        Ok(())
    })
}

struct ToCallback;

fn enabled(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("keyless")
        && number(*metadata.level()) as i32 <= LEVEL.load(Ordering::Relaxed)
}

fn number(level: Level) -> keyless_log_level {
    match level {
        Level::ERROR => keyless_log_level::KEYLESS_LOG_ERROR,
        Level::WARN => keyless_log_level::KEYLESS_LOG_WARN,
        Level::INFO => keyless_log_level::KEYLESS_LOG_INFO,
        Level::DEBUG => keyless_log_level::KEYLESS_LOG_DEBUG,
        Level::TRACE => keyless_log_level::KEYLESS_LOG_TRACE,
    }
}

impl<S: Subscriber> Layer<S> for ToCallback {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match LEVEL.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(listener) = fork::without(|| LISTENER.read().clone()) else { return };
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let text = (line.message + &line.fields).replace('\0', " ") + "\0";
        let target = metadata.target().to_owned() + "\0";
        let data = listener.data.pointer();
        (listener.callback)(number(*metadata.level()), target.as_ptr().cast(), text.as_ptr().cast(), data);
    }
}

/// The message, and ` name=value` for each field.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = if field.name() == "message" {
            self.message.write_str(value)
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}
