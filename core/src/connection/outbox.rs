//! Requests on their way to a connection: appended by callers, taken whole by whoever drives the
//! connection. Outlives connections. Knows nothing of sockets and replies.

use super::batch::{Batch, CompletionSink};
use super::order::Order;
use crate::error::{Error, ErrorCode, Result};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;
use zeroize::Zeroize;

/// Batches are gathered into one block up to this size, so that one write carries many of them.
const BLOCK_BYTES: usize = 256 << 10;
/// A batch from this size on keeps its own memory instead of being copied into a block.
const OWN_BLOCK_BYTES: usize = 16 << 10;

/// When requests were handed over, and when their caller stops waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) submitted: Instant,
    pub(crate) deadline: Instant,
}

/// Consecutive requests of one submission.
pub(crate) struct Run {
    /// Who is told; `None` once it was told that the time is up.
    pub(crate) sink: Option<Arc<dyn CompletionSink>>,
    /// The tag of the run's first request.
    pub(crate) first_tag: u64,
    /// The index of the run's first request in its block.
    pub(crate) first: usize,
    /// When it was handed over; `None` for keyless' own requests, whose duration is nobody's.
    pub(crate) submitted: Option<Instant>,
    /// When the caller stops waiting.
    pub(crate) deadline: Instant,
    /// A transaction: all of it or nothing.
    pub(crate) atomic: bool,
    /// For this node and for no other one.
    pub(crate) pinned: bool,
    /// The request is answered by pushes or by one error reply, and then by the reply to the `PING` behind it.
    pub(crate) announced: bool,
    /// What the server has said of a transaction's request: it will not execute the whole.
    pub(crate) order: Option<Order>,
}

/// Encoded requests, back to back, with one mark per request.
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    /// One past the last byte of each request.
    pub(crate) ends: Vec<usize>,
    pub(crate) runs: Vec<Run>,
}

impl Run {
    pub(crate) fn times(&self) -> Times {
        Times { submitted: self.submitted.unwrap_or(self.deadline), deadline: self.deadline }
    }
}

impl Block {
    /// One past the last request of the run with this index.
    pub(crate) fn run_end(&self, run: usize) -> usize {
        self.runs.get(run + 1).map_or(self.ends.len(), |next| next.first)
    }

    /// The bytes of one request.
    pub(crate) fn request(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.runs.clear();
    }

    /// Overwrites the bytes: keyless' own requests hold tokens and keys.
    pub(crate) fn wipe(&mut self) {
        self.bytes.zeroize();
        self.clear();
    }

    /// Copies requests `range`, which lie in one run, behind those that are here.
    pub(crate) fn append(&mut self, from: &Block, range: std::ops::Range<usize>, run: &Run) {
        let start = if range.start == 0 { 0 } else { from.ends[range.start - 1] };
        let base = self.bytes.len();
        self.runs.push(Run {
            sink: run.sink.clone(),
            first_tag: run.first_tag + (range.start - run.first) as u64,
            first: self.ends.len(),
            submitted: run.submitted,
            deadline: run.deadline,
            atomic: run.atomic,
            pinned: run.pinned,
            announced: run.announced,
            order: None,
        });
        self.ends.extend(from.ends[range.clone()].iter().map(|end| base + end - start));
        self.bytes.extend_from_slice(&from.bytes[start..from.ends[range.end - 1]]);
    }

    /// Takes a batch in, by copying or, where there is much, by changing memory with it.
    pub(crate) fn take_in(
        &mut self,
        batch: &mut Batch,
        sink: Arc<dyn CompletionSink>,
        first_tag: u64,
        times: Times,
    ) {
        let first = self.ends.len();
        self.runs.push(Run {
            sink: Some(sink),
            first_tag,
            first,
            submitted: Some(times.submitted),
            deadline: times.deadline,
            atomic: batch.atomic,
            pinned: batch.pinned,
            announced: false,
            order: None,
        });
        if self.bytes.is_empty() && batch.bytes.len() >= OWN_BLOCK_BYTES {
            std::mem::swap(&mut self.bytes, &mut batch.bytes);
            std::mem::swap(&mut self.ends, &mut batch.ends);
        } else {
            let base = self.bytes.len();
            self.bytes.extend_from_slice(&batch.bytes);
            self.ends.extend(batch.ends.iter().map(|end| base + end));
        }
        batch.clear();
    }
}

/// Somebody who must be told that requests get no reply. Gathered under a lock, told outside of it.
pub(crate) struct Failure {
    pub(crate) sink: Arc<dyn CompletionSink>,
    pub(crate) first_tag: u64,
    pub(crate) count: usize,
    pub(crate) error: Error,
    /// Requests of keyless itself.
    pub(crate) own: bool,
}

impl Failure {
    /// Tells every sink and wakes whoever waits.
    pub(crate) fn tell(failures: Vec<Failure>) {
        for failure in failures {
            if let Some(waker) = failure.sink.fail(failure.first_tag, failure.count, &failure.error) {
                waker.wake();
            }
        }
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

/// The queue of one endpoint.
pub(crate) struct Outbox {
    blocks: VecDeque<Block>,
    requests: usize,
    bytes: usize,
    limits: Limits,
    /// Why nothing is taken in now; `None` while the queue is open.
    refusal: Option<Error>,
    /// Why nobody will ever take anything from here again.
    over: Option<Error>,
    /// Wakes the task that drives the active connection; there only while that task sleeps.
    sleeper: Option<Waker>,
    /// With so many requests a first part of them is worth a write of its own.
    enough: usize,
    /// Emptied blocks, kept for their memory.
    spare: Vec<Block>,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            blocks: VecDeque::new(),
            requests: 0,
            bytes: 0,
            limits,
            refusal: None,
            over: None,
            sleeper: None,
            enough: usize::MAX,
            spare: Vec::new(),
        }
    }

    /// Takes a batch in, all of it or nothing; the batch is empty afterwards.
    ///
    /// # Errors
    /// The refusal that is set, or [`ErrorCode::BacklogFull`].
    pub(crate) fn submit(
        &mut self,
        batch: &mut Batch,
        sink: Arc<dyn CompletionSink>,
        first_tag: u64,
        times: Times,
    ) -> Result<()> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let (requests, bytes) = (batch.ends.len(), batch.bytes.len());
        if requests == 0 {
            return Ok(());
        }
        // One batch always fits an empty queue, however large it is.
        if self.requests > 0
            && (self.requests + requests > self.limits.requests || self.bytes + bytes > self.limits.bytes)
        {
            return Err(self.full());
        }
        self.requests += requests;
        self.bytes += bytes;
        match self.blocks.back_mut() {
            Some(block) if block.bytes.len() + bytes <= BLOCK_BYTES => {
                block.take_in(batch, sink, first_tag, times);
            }
            _ => {
                let mut block = self.spare.pop().unwrap_or_default();
                block.take_in(batch, sink, first_tag, times);
                self.blocks.push_back(block);
            }
        }
        Ok(())
    }

    /// Sets how many requests are worth a write of their own.
    pub(crate) fn set_enough(&mut self, requests: usize) {
        self.enough = requests;
    }

    /// Whether just now so many have gathered.
    pub(crate) fn is_enough(&self) -> bool {
        self.requests == self.enough
    }

    /// The oldest block. `emptied` goes the other way: blocks whose memory can be used again.
    pub(crate) fn take(&mut self, emptied: &mut Vec<Block>) -> Option<Block> {
        while self.spare.len() < 4
            && let Some(mut block) = emptied.pop()
        {
            block.clear();
            // One huge value must not pin its memory for ever.
            if block.bytes.capacity() <= 4 * BLOCK_BYTES {
                self.spare.push(block);
            }
        }
        emptied.clear();
        let block = self.blocks.pop_front()?;
        self.requests -= block.ends.len();
        self.bytes -= block.bytes.len();
        Some(block)
    }

    /// Puts requests back to the front, in their order: they were never executed, or may be twice. Gives
    /// those who must be told that nobody takes anything from here any more.
    pub(crate) fn put_back(&mut self, blocks: Vec<Block>) -> Vec<Failure> {
        for block in blocks.into_iter().rev().filter(|block| !block.ends.is_empty()) {
            self.requests += block.ends.len();
            self.bytes += block.bytes.len();
            self.blocks.push_front(block);
        }
        self.over.clone().map_or_else(Vec::new, |error| self.remove(None, &error))
    }

    /// From now on nothing is taken in, and nothing comes back to wait here.
    pub(crate) fn finish(&mut self, error: &Error) {
        self.refusal = Some(error.clone());
        self.over = Some(error.clone());
    }

    /// From now on `submit` answers with this error; `None` opens the queue again.
    pub(crate) fn refuse(&mut self, refusal: Option<Error>) {
        self.refusal = refusal;
    }

    /// Removes everything whose time is up by `now` (`None`: everything), with the error each gets.
    pub(crate) fn remove(&mut self, now: Option<Instant>, error: &Error) -> Vec<Failure> {
        let is_due = |run: &Run| now.is_none_or(|now| run.deadline <= now);
        let mut failures = Vec::new();
        let mut kept = VecDeque::with_capacity(self.blocks.len());
        for block in self.blocks.drain(..) {
            if !block.runs.iter().any(is_due) {
                kept.push_back(block);
                continue;
            }
            let mut rest = Block::default();
            for (index, run) in block.runs.iter().enumerate() {
                let range = run.first..block.run_end(index);
                if !is_due(run) {
                    rest.append(&block, range, run);
                } else if let Some(sink) = &run.sink {
                    failures.push(Failure {
                        sink: Arc::clone(sink),
                        first_tag: run.first_tag,
                        count: range.len(),
                        error: error.clone(),
                        own: false,
                    });
                }
            }
            if !rest.ends.is_empty() {
                kept.push_back(rest);
            }
        }
        self.requests = kept.iter().map(|block| block.ends.len()).sum();
        self.bytes = kept.iter().map(|block| block.bytes.len()).sum();
        self.blocks = kept;
        failures
    }

    /// Takes everything that waits, to be sent to another node.
    pub(crate) fn take_all(&mut self) -> Vec<Block> {
        (self.requests, self.bytes) = (0, 0);
        self.blocks.drain(..).collect()
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.requests
    }

    /// Notes who must be woken when something arrives.
    pub(crate) fn sleep(&mut self, waker: &Waker) {
        match &mut self.sleeper {
            Some(sleeper) => sleeper.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether the driver sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        self.sleeper.is_some()
    }

    /// The driver to wake, if it sleeps. It is awake from then on.
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        self.sleeper.take()
    }

    fn full(&self) -> Error {
        Error::new(
            ErrorCode::BacklogFull,
            format!("{} commands with {} bytes are waiting already.", self.requests, self.bytes),
            "Send less, raise backlog_limit or backlog_limit_bytes, or find out why the cache does not keep up.",
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::connection::batch::Replies;
    use parking_lot::Mutex;
    use std::time::Duration;

    /// Remembers what it was told.
    #[derive(Default)]
    pub(crate) struct Recorder(pub(crate) Mutex<Vec<(u64, Result<Vec<u8>>)>>);

    impl CompletionSink for Recorder {
        fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
            self.0.lock().extend((first_tag..).zip(replies.iter().map(|reply| Ok(reply.to_vec()))));
            None
        }

        fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
            self.0.lock().extend((first_tag..).take(count).map(|tag| (tag, Err(error.clone()))));
            None
        }
    }

    fn batch(names: &[&str]) -> Batch {
        let mut batch = Batch::new();
        for name in names {
            batch.push(&[name]).unwrap();
        }
        batch
    }

    pub(crate) fn until(deadline: Instant) -> Times {
        Times { submitted: Instant::now(), deadline }
    }

    fn outbox() -> Outbox {
        Outbox::new(Limits { requests: 4, bytes: 1 << 20 })
    }

    #[test]
    fn batches_gather_in_one_block_and_leave_in_order() {
        let (mut outbox, sink) = (outbox(), Arc::new(Recorder::default()));
        let later = Instant::now() + Duration::from_secs(1);
        outbox.submit(&mut batch(&["a.1", "a.2"]), sink.clone(), 10, until(later)).unwrap();
        outbox.submit(&mut batch(&["b.1"]), sink, 20, until(later)).unwrap();
        let block = outbox.take(&mut Vec::new()).unwrap();
        assert_eq!((block.ends.len(), block.runs.len(), outbox.len()), (3, 2, 0));
        assert!(block.request(2).ends_with(b"b.1\r\n"));
        assert!(outbox.take(&mut Vec::new()).is_none());
    }

    #[test]
    fn a_full_queue_refuses_and_keeps_the_batch() {
        let (mut outbox, sink) = (outbox(), Arc::new(Recorder::default()));
        let later = Instant::now() + Duration::from_secs(1);
        outbox.submit(&mut batch(&["x"; 4]), sink.clone(), 0, until(later)).unwrap();
        let mut more = batch(&["y"]);
        assert_eq!(
            outbox.submit(&mut more, sink, 9, until(later)).unwrap_err().code(),
            ErrorCode::BacklogFull
        );
        assert_eq!(more.len(), 1);
    }

    #[test]
    fn what_is_due_is_removed_and_the_rest_keeps_its_tags() {
        let (mut outbox, sink) = (outbox(), Arc::new(Recorder::default()));
        let now = Instant::now();
        let (sooner, later) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        outbox.submit(&mut batch(&["a"]), sink.clone(), 1, until(later)).unwrap();
        outbox.submit(&mut batch(&["b", "c"]), sink.clone(), 2, until(sooner)).unwrap();
        outbox.submit(&mut batch(&["d"]), sink.clone(), 4, until(later)).unwrap();
        let error = Error::new(ErrorCode::Timeout, "Late.", "");
        Failure::tell(outbox.remove(Some(sooner), &error));
        assert_eq!(sink.0.lock().iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [2, 3]);
        let block = outbox.take(&mut Vec::new()).unwrap();
        assert_eq!(
            block.runs.iter().map(|run| (run.first_tag, run.first)).collect::<Vec<_>>(),
            [(1, 0), (4, 1)]
        );
        assert!(block.request(1).ends_with(b"d\r\n"));
    }

    #[test]
    fn what_is_put_back_leaves_first() {
        let (mut outbox, sink) = (outbox(), Arc::new(Recorder::default()));
        let later = Instant::now() + Duration::from_secs(1);
        outbox.submit(&mut batch(&["old"]), sink.clone(), 0, until(later)).unwrap();
        let old = outbox.take(&mut Vec::new()).unwrap();
        outbox.submit(&mut batch(&["new"]), sink, 1, until(later)).unwrap();
        assert!(outbox.put_back(vec![old]).is_empty());
        assert_eq!(outbox.len(), 2);
        assert!(outbox.take(&mut Vec::new()).unwrap().bytes.ends_with(b"old\r\n"));
        assert!(outbox.take(&mut Vec::new()).unwrap().bytes.ends_with(b"new\r\n"));
    }
}
