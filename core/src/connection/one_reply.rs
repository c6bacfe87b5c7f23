//! The wait for replies to requests of keyless itself: handshake, AUTH, PING.

use super::batch::{Batch, CompletionSink, Replies};
use super::handshake::driven;
use super::link::Link;
use crate::error::{Error, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Sends a `PING` in line. What the server sent before it got it stands before the answer.
pub(crate) fn ping(link: &Link, limit: Duration) -> Arc<OneReply> {
    let mut batch = Batch::new();
    batch.push_own(&["PING"]);
    let pong = Arc::new(OneReply::default());
    link.submit_own(batch, pong.clone(), Instant::now() + limit);
    pong
}

/// Drives a link until it has brought everything that the server has sent by now; or for `limit`, or to its end.
pub(crate) async fn catch_up(link: &Link, limit: Duration) -> bool {
    let pong = ping(link, limit);
    matches!(tokio::time::timeout(limit, driven(link, &pong, 1)).await, Ok(Ok(replies)) if replies.iter().all(Result::is_ok))
}

/// A sink for requests of keyless itself that can be polled for their replies.
#[derive(Default)]
pub(crate) struct OneReply(Mutex<OneReplyState>);

#[derive(Default)]
struct OneReplyState {
    replies: Vec<Result<Bytes>>,
    waker: Option<Waker>,
}

impl OneReply {
    /// Whether a reply is there.
    pub(crate) fn is_answered(&self) -> bool {
        self.0.lock().replies.iter().any(Result::is_ok)
    }

    /// Ready when `count` replies are there.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, count: usize) -> Poll<Vec<Result<Bytes>>> {
        let mut state = self.0.lock();
        if state.replies.len() >= count {
            return Poll::Ready(std::mem::take(&mut state.replies));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl CompletionSink for OneReply {
    fn complete(&self, _first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        let mut state = self.0.lock();
        state.replies.extend((0..replies.len()).map(|index| Ok(replies.get(index))));
        state.waker.take()
    }

    fn fail(&self, _first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        let mut state = self.0.lock();
        state.replies.extend((0..count).map(|_| Err(error.clone())));
        state.waker.take()
    }
}
