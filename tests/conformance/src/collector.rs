//! The batch interface from the receiving end: every reply of one submission, and that they came in order.

use keyless::{CompletionSink, Error, Replies};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// What became of each command: the bytes of its reply, or why there is none.
pub type Outcome = Result<Vec<u8>, Error>;

/// Takes the replies of one submission whose first tag is 0.
#[derive(Default)]
pub struct Collector(Mutex<State>);

#[derive(Default)]
struct State {
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
    out_of_order: usize,
    last: Option<u64>,
    waker: Option<Waker>,
}

impl State {
    fn put(&mut self, tag: u64, outcome: Outcome) {
        let slot = &mut self.outcomes[usize::try_from(tag).expect("a small tag")];
        assert!(slot.is_none(), "command {tag} ended twice");
        *slot = Some(outcome);
        self.missing -= 1;
    }

    fn waker(&mut self) -> Option<Waker> {
        if self.missing == 0 { self.waker.take() } else { None }
    }
}

impl Collector {
    /// For a batch of `count` commands.
    pub fn new(count: usize) -> Arc<Self> {
        let outcomes = (0..count).map(|_| None).collect();
        Arc::new(Self(Mutex::new(State { outcomes, missing: count, ..State::default() })))
    }

    /// How many commands have not ended yet.
    pub fn missing(&self) -> usize {
        self.0.lock().missing
    }

    /// Waits until every command has ended; says how each did, and how many replies came out of order.
    pub async fn outcomes(&self) -> (Vec<Outcome>, usize) {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if state.missing == 0 {
                let outcomes = std::mem::take(&mut state.outcomes).into_iter().flatten().collect();
                return Poll::Ready((outcomes, state.out_of_order));
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl CompletionSink for Collector {
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        let mut state = self.0.lock();
        for (tag, reply) in (first_tag..).zip(replies.iter()) {
            state.out_of_order += usize::from(state.last.is_some_and(|last| tag <= last));
            state.last = Some(tag);
            state.put(tag, Ok(reply.to_vec()));
        }
        state.waker()
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        let mut state = self.0.lock();
        (first_tag..).take(count).for_each(|tag| state.put(tag, Err(error.clone())));
        state.waker()
    }
}
