//! Completions: what became of commands that nobody waits for in a call. They go to the client's queue, which an event
//! loop drains, or to a callback each.

use crate::bell::Bell;
use crate::boundary::{UserData, free, handle, look};
use crate::callbacks;
use crate::error::keyless_error;
use crate::reply::keyless_reply;
use keyless::{CompletionSink, Error, Replies, Reply, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

/// What became of one command or pipeline. Either `reply` or `error` is NULL.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct keyless_completion {
    /// What was given when it was submitted.
    pub user_data: *mut c_void,
    /// The reply; of a pipeline, an array with one part per command. Borrowed.
    pub reply: *const keyless_reply,
    /// Why there is none: also an error reply of the server. Borrowed.
    pub error: *const keyless_error,
}

/// Hears what became of a command or pipeline: either `reply` or `error` is NULL, and both are borrowed until it
/// returns.
///
/// Runs once for each submission, on the thread `keyless-calls`, one call at a time, in the order in which replies came.
/// It may call keyless, also to submit, to wait for a reply and to free the client; while it blocks, other callbacks
/// wait. It must not throw, and must not leave with `longjmp`.
pub type keyless_reply_callback =
    Option<extern "C" fn(reply: *const keyless_reply, error: *const keyless_error, user_data: *mut c_void)>;

/// A callback with what it is called with.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) callback: extern "C" fn(*const keyless_reply, *const keyless_error, *mut c_void),
    pub(crate) user_data: UserData,
}

impl Call {
    fn run(self, outcome: Result<Reply>) {
        let (callback, UserData(data)) = (self.callback, self.user_data);
        match outcome {
            Ok(reply) => callback(&raw const *Box::new(keyless_reply(reply)), std::ptr::null(), data),
            Err(error) => callback(std::ptr::null(), &raw const *Box::new(error.into()), data),
        }
    }
}

/// One that is over: what it was submitted with, and its outcome.
type Done = (u64, Result<Reply>);

/// Where outcomes gather until somebody takes them. Tags are pointers: to user data in a queue, to a boxed [`Call`] for
/// callbacks.
#[derive(Default)]
struct Gathered(Mutex<VecDeque<Done>>);

impl Gathered {
    /// Adds outcomes; says whether there were none before, so that somebody must be told.
    fn add(&self, outcomes: impl Iterator<Item = Done>) -> bool {
        let mut done = self.0.lock();
        let first = done.is_empty();
        done.extend(outcomes);
        first && !done.is_empty()
    }

    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> bool {
        self.add(
            (0..replies.len()).map(|index| (first_tag + index as u64, replies.reply(index).into_result())),
        )
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> bool {
        self.add((first_tag..).take(count).map(|tag| (tag, Err(error.clone()))))
    }
}

/// A client's completion queue.
pub(crate) struct Queue {
    gathered: Gathered,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Queue {
    pub(crate) fn new(bell: Bell) -> Arc<Self> {
        let bell = Arc::new(bell);
        Arc::new(Self { gathered: Gathered::default(), waker: Arc::clone(&bell).into(), bell })
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.bell.descriptor()
    }

    /// Adds one outcome from a thread that holds no lock.
    pub(crate) fn put(&self, user_data: UserData, outcome: Result<Reply>) {
        if self.gathered.add(std::iter::once((user_data.0 as u64, outcome))) {
            self.bell.ring();
        }
    }

    /// Moves up to `most` outcomes into the caller's array.
    pub(crate) fn drain(&self, most: usize, into: &mut keyless_completions) {
        into.replies.clear();
        into.errors.clear();
        into.list.clear();
        let mut done = self.gathered.0.lock();
        for _ in 0..most.min(done.len()) {
            let Some((tag, outcome)) = done.pop_front() else { break };
            // Pointers come when nothing moves any more.
            into.list.push(keyless_completion {
                user_data: tag as *mut c_void,
                reply: std::ptr::null(),
                error: std::ptr::null(),
            });
            match outcome {
                Ok(reply) => into.replies.push(Some(keyless_reply(reply))),
                Err(error) => {
                    into.replies.push(None);
                    into.errors.push(error.into());
                }
            }
        }
        if done.is_empty() {
            self.bell.silence();
        }
        drop(done);
        let mut errors = into.errors.iter();
        for (completion, reply) in into.list.iter_mut().zip(&into.replies) {
            match reply {
                Some(reply) => completion.reply = reply,
                None => completion.error = errors.next().map_or(std::ptr::null(), |error| error),
            }
        }
    }
}

impl CompletionSink for Queue {
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        self.gathered.complete(first_tag, replies).then(|| self.waker.clone())
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        self.gathered.fail(first_tag, count, error).then(|| self.waker.clone())
    }
}

/// Ends a submission that nobody will hear of.
struct Ended<'a>(&'a Calls);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Where a client's submissions with a callback end.
pub(crate) struct Calls {
    gathered: Gathered,
    waker: Waker,
    /// Submissions whose callback has not returned yet.
    outstanding: Mutex<usize>,
    none_left: Condvar,
}

struct RunCalls(Weak<Calls>);

impl Wake for RunCalls {
    fn wake(self: Arc<Self>) {
        if let Some(calls) = self.0.upgrade() {
            callbacks::run(Box::new(move || calls.run()));
        }
    }
}

impl Calls {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            gathered: Gathered::default(),
            waker: Arc::new(RunCalls(this.clone())).into(),
            outstanding: Mutex::new(0),
            none_left: Condvar::new(),
        })
    }

    /// Hands a submission over with the tag that its callback has.
    pub(crate) fn submit(&self, call: Call, submit: impl FnOnce(u64) -> Result<()>) -> Result<()> {
        callbacks::start()?;
        *self.outstanding.lock() += 1;
        let ended = Ended(self);
        let tag = handle(call);
        // Should it panic, nobody knows whether the tag is in use: it stays in memory.
        let submitted = submit(tag as u64);
        if submitted.is_ok() {
            std::mem::forget(ended);
        } else {
            free(tag);
        }
        submitted
    }

    /// Ends a submission from a thread that holds no lock.
    pub(crate) fn put(&self, tag: u64, outcome: Result<Reply>) {
        if self.gathered.add(std::iter::once((tag, outcome))) {
            self.waker.wake_by_ref();
        }
    }

    fn run(&self) {
        let done = std::mem::take(&mut *self.gathered.0.lock());
        for (tag, outcome) in done {
            // SAFETY: made by `submit`, and every submission ends once.
            let call = unsafe { Box::from_raw(tag as *mut Call) };
            look((), || call.run(outcome));
            self.ended();
        }
    }

    fn ended(&self) {
        let mut outstanding = self.outstanding.lock();
        *outstanding -= 1;
        if *outstanding == 0 {
            self.none_left.notify_all();
        }
    }

    /// Waits until every callback has returned.
    pub(crate) fn wait(&self) {
        let mut outstanding = self.outstanding.lock();
        while *outstanding > 0 {
            self.none_left.wait(&mut outstanding);
        }
    }
}

impl CompletionSink for Calls {
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        self.gathered.complete(first_tag, replies).then(|| self.waker.clone())
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        self.gathered.fail(first_tag, count, error).then(|| self.waker.clone())
    }
}

/// Room for completions that were drained; used again and again. One thread at a time may use it.
#[derive(Default)]
pub struct keyless_completions {
    replies: Vec<Option<keyless_reply>>,
    errors: Vec<keyless_error>,
    list: Vec<keyless_completion>,
}

impl keyless_completions {
    pub(crate) fn list(&self) -> &[keyless_completion] {
        &self.list
    }
}

/// Room for completions. The caller frees it. NULL only if there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_completions_new() -> *mut keyless_completions {
    look(std::ptr::null_mut(), || handle(keyless_completions::default()))
}

/// Frees the room, and with it the replies and errors that were borrowed from it. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_completions_free(completions: *mut keyless_completions) {
    free(completions);
}
