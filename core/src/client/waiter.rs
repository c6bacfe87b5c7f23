//! The wait of one command: where its reply is put, and the future that yields it.

use crate::connection::{CompletionSink, Replies};
use crate::error::{Error, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

enum Slot {
    /// No reply yet, and who is woken by it.
    Waiting(Option<Waker>),
    Done(Result<Bytes>),
    /// The reply was taken, or nobody wants it any more.
    Over,
}

struct Shared(Mutex<Slot>);

impl Shared {
    fn put(&self, outcome: Result<Bytes>) -> Option<Waker> {
        match std::mem::replace(&mut *self.0.lock(), Slot::Done(outcome)) {
            Slot::Waiting(waker) => waker,
            Slot::Done(_) | Slot::Over => None,
        }
    }
}

impl CompletionSink for Shared {
    fn complete(&self, _first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        self.put(Ok(replies.get(0)))
    }

    fn fail(&self, _first_tag: u64, _count: usize, error: &Error) -> Option<Waker> {
        self.put(Err(error.clone()))
    }
}

/// A future of one reply as a whole frame. Its value is made where it is awaited, not on the I/O thread.
pub(super) struct Waiter(Arc<Shared>);

impl Waiter {
    /// A wait and the sink that ends it.
    pub(super) fn new() -> (Self, Arc<dyn CompletionSink>) {
        let shared = Arc::new(Shared(Mutex::new(Slot::Waiting(None))));
        (Self(Arc::clone(&shared)), shared)
    }
}

impl Future for Waiter {
    type Output = Result<Bytes>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.0.lock();
        match &mut *slot {
            Slot::Waiting(Some(waker)) => waker.clone_from(cx.waker()),
            Slot::Waiting(none) => *none = Some(cx.waker().clone()),
            Slot::Done(_) => {
                if let Slot::Done(outcome) = std::mem::replace(&mut *slot, Slot::Over) {
                    drop(slot);
                    return Poll::Ready(outcome);
                }
            }
            Slot::Over => return Poll::Ready(Err(super::gone())),
        }
        Poll::Pending
    }
}
