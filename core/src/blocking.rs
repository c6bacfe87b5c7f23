//! Waiting in a call, for languages and threads without an async runtime: each thread that waits has a small runtime of
//! its own, on which it drives an idle connection itself. So a command costs no hop to another thread and back.

use crate::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::{Builder, Runtime};

type Guest = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
    /// Whether this thread is polling what it waits for.
    static POLLING: Cell<bool> = const { Cell::new(false) };
    /// Connections that this thread has begun to drive since they were last polled.
    static BEGUN: RefCell<Vec<Guest>> = const { RefCell::new(Vec::new()) };
    /// Whose address names the thread.
    static SELF: u8 = const { 0 };
}

/// What a thread that waits has.
struct Here {
    process: u32,
    guests: Vec<Guest>,
    wake: Arc<LocalWake>,
    /// None only while this is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Here {
    fn drop(&mut self) {
        let (guests, runtime) = (std::mem::take(&mut self.guests), self.runtime.take());
        if self.process == std::process::id() {
            // In this order: what is driven belongs to the runtime.
            drop(guests);
            drop(runtime);
        } else {
            // The parent's: to end it would touch what the parent uses.
            std::mem::forget((guests, runtime));
        }
    }
}

impl Here {
    fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(
                ErrorCode::Internal,
                format!("There is no way to wait on this thread: {error}."),
                "Check the limit on open files of this process.",
            )
        })?;
        let wake = Arc::new(LocalWake {
            thread: this_thread(),
            again: AtomicBool::new(false),
            runtime: Mutex::new(Waker::noop().clone()),
        });
        Ok(Self { process: std::process::id(), guests: Vec::new(), wake, runtime: Some(runtime) })
    }

    fn wait<T>(&mut self, work: impl Future<Output = T>) -> T {
        let Self { guests, wake, runtime, .. } = self;
        let Some(runtime) = runtime else { unreachable!("it goes when this is dropped") };
        let local = Waker::from(Arc::clone(wake));
        let mut work = pin!(work);
        runtime.block_on(poll_fn(|cx| {
            wake.runtime.lock().clone_from(cx.waker());
            let cx = &mut Context::from_waker(&local);
            let _polling = Polling::begin();
            loop {
                wake.again.store(false, Ordering::Release);
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    // What was begun and not polled yet nobody would poll: the host drives on.
                    drop(BEGUN.take());
                    return Poll::Ready(done);
                }
                BEGUN.with_borrow_mut(|begun| guests.append(begun));
                guests.retain_mut(|guest| guest.as_mut().poll(cx).is_pending());
                if !wake.again.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
            }
        }))
    }
}

/// Wakes the thread that waits; while it polls on that very thread, only says that it should poll once more.
struct LocalWake {
    thread: usize,
    again: AtomicBool,
    runtime: Mutex<Waker>,
}

impl Wake for LocalWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.again.store(true, Ordering::Release);
        if !(POLLING.get() && this_thread() == self.thread) {
            let runtime = self.runtime.lock().clone();
            runtime.wake();
        }
    }
}

/// Holds what was before.
struct Polling(bool);

impl Polling {
    fn begin() -> Self {
        Self(POLLING.replace(true))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLING.set(self.0);
    }
}

fn this_thread() -> usize {
    SELF.with(|own| std::ptr::from_ref(own).addr())
}

/// Waits for `work` on this thread, without an async runtime of the caller's.
///
/// Whatever the work hands over on an idle connection is written and read by this thread itself. The thread keeps two or
/// three descriptors for later waits. Inside an async runtime this panics: await there.
///
/// # Errors
/// [`ErrorCode::Internal`] when the process has no descriptor to spare.
pub fn wait<T>(work: impl Future<Output = T>) -> Result<T> {
    HERE.with(|here| {
        let Ok(mut here) = here.try_borrow_mut() else {
            // Somebody waits below on this thread's stack.
            return Ok(Here::new()?.wait(work));
        };
        if here.as_ref().is_none_or(|here| here.process != std::process::id()) {
            *here = Some(Here::new()?);
        }
        match &mut *here {
            Some(here) => Ok(here.wait(work)),
            None => unreachable!("it was just made"),
        }
    })
}

/// Has the thread that waits drive a connection along with what it waits for; gives the work back if this thread does
/// not wait in [`wait`].
pub(crate) fn adopt<F: Future<Output = ()> + 'static>(guest: F) -> std::result::Result<(), F> {
    if !POLLING.get() {
        return Err(guest);
    }
    BEGUN.with_borrow_mut(|begun| begun.push(Box::pin(guest)));
    Ok(())
}
