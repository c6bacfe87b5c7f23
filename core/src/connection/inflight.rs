//! Requests that a connection has taken, in the order in which their replies will come. Knows for each
//! whether it was written and whether it was answered, and what becomes of it when the connection ends.

use super::batch::{CompletionSink, Replies};
use super::command;
use super::order::Order;
use super::outbox::{Block, Failure};
use super::redirect::Redirected;
use crate::error::{Error, ErrorCode};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

struct Flight {
    block: Block,
    /// How many of the block's bytes were handed to the socket.
    sent: usize,
    /// The next request to be answered.
    next: usize,
    /// The run that request belongs to.
    run: usize,
    /// keyless' own requests (AUTH, PING) belong to this connection and never move to another one.
    own: bool,
}

impl Flight {
    /// How many of these replies, which begin with the next request's, can be handed out, and what is to be
    /// done with the request of the first one if it is not to be handed out.
    ///
    /// A transaction is sent elsewhere as a whole, once `EXEC` has said that it was not executed.
    fn find_redirection(
        &mut self,
        block: &Bytes,
        mut start: usize,
        ends: &[usize],
        run_end: usize,
    ) -> (usize, Option<Order>) {
        let run = &mut self.block.runs[self.run];
        if run.pinned {
            return (ends.len(), None);
        }
        for (index, &end) in ends.iter().enumerate() {
            let frame = &block[start..end];
            start = end;
            if frame[0] != b'-' {
                continue;
            }
            let mut order = Order::read(frame);
            if run.atomic {
                if self.next + index + 1 < run_end {
                    run.order = run.order.take().or(order);
                    continue;
                }
                // Only this error says that none of it was executed.
                let discarded = frame.starts_with(b"-EXECABORT");
                order = order.or_else(|| run.order.clone().filter(|_| discarded));
            }
            if order.is_some() {
                return if index == 0 { (1, order) } else { (index, None) };
            }
        }
        (ends.len(), None)
    }

    /// The next request, or the transaction it ends, to be sent elsewhere; `None` if nobody waits for it.
    fn redirect(&self, order: Order, run_end: usize) -> Option<Redirected> {
        let run = &self.block.runs[self.run];
        let range = if run.atomic { run.first..run_end } else { self.next..self.next + 1 };
        let start = if range.start == 0 { 0 } else { self.block.ends[range.start - 1] };
        let ends = &self.block.ends[range.clone()];
        Some(Redirected {
            bytes: self.block.bytes[start..ends[ends.len() - 1]].to_vec(),
            ends: ends.iter().map(|end| end - start).collect(),
            sink: run.sink.clone()?,
            first_tag: run.first_tag + (range.start - run.first) as u64,
            times: run.times(),
            atomic: run.atomic,
            order,
        })
    }
}

/// The requests under way on one connection.
#[derive(Default)]
pub(crate) struct Inflight {
    flights: VecDeque<Flight>,
    requests: usize,
    /// Index of the first flight that is not wholly sent.
    sending: usize,
    /// What callers' requests were answered since this was last emptied: when they were handed over, and how many.
    pub(crate) answered: Vec<(Instant, u64)>,
}

/// Whose request a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A caller's, who waits for it.
    Callers,
    /// keyless' own, or nobody waits for it any more.
    Nobodys,
    /// A subscription's: an error is not its last reply.
    Announced,
}

impl Inflight {
    /// Appends a block of requests that are about to be written.
    pub(crate) fn push(&mut self, block: Block, own: bool) {
        self.requests += block.ends.len();
        self.flights.push_back(Flight { block, sent: 0, next: 0, run: 0, own });
    }

    /// How many requests wait for their reply.
    pub(crate) fn len(&self) -> usize {
        self.requests
    }

    /// The bytes to be written next; empty when all was written.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.flights.get(self.sending).map_or(&[], |flight| &flight.block.bytes[flight.sent..])
    }

    /// Notes that so many bytes of `unsent` were written.
    pub(crate) fn sent(&mut self, bytes: usize) {
        let flight = &mut self.flights[self.sending];
        flight.sent += bytes;
        if flight.sent == flight.block.bytes.len() {
            self.sending += 1;
        }
    }

    /// Whose request the reply with this number answers, counted from the next one.
    pub(crate) fn whose(&self, mut number: usize) -> Whose {
        for flight in &self.flights {
            let left = flight.block.ends.len() - flight.next;
            if number >= left {
                number -= left;
                continue;
            }
            let request = flight.next + number;
            let run = flight.block.runs.partition_point(|run| run.first <= request) - 1;
            return match &flight.block.runs[run] {
                run if run.announced => Whose::Announced,
                run if run.sink.is_none() || flight.own => Whose::Nobodys,
                _ => Whose::Callers,
            };
        }
        Whose::Nobodys
    }

    /// Hands whole reply frames to those who wait for them: `block[..ends[0]]` is the first one.
    ///
    /// Where `redirected` is given, requests that belong to another node end up there and their sinks hear
    /// nothing. `false` when there are more replies than written requests: the stream is out of step.
    #[must_use]
    pub(crate) fn deliver(
        &mut self,
        block: &Bytes,
        mut start: usize,
        mut ends: &[usize],
        wakers: &mut Vec<Waker>,
        emptied: &mut Vec<Block>,
        mut redirected: Option<&mut Vec<Redirected>>,
    ) -> bool {
        while !ends.is_empty() {
            let Some(flight) = self.flights.front_mut() else { return false };
            let run_end = flight.block.run_end(flight.run);
            let mut count = ends.len().min(run_end - flight.next);
            if flight.block.ends[flight.next + count - 1] > flight.sent {
                return false;
            }
            let mut order = None;
            if redirected.is_some() && !flight.own {
                (count, order) = flight.find_redirection(block, start, &ends[..count], run_end);
            }
            let (now, later) = ends.split_at(count);
            let run = &mut flight.block.runs[flight.run];
            if run.announced && block[start] == b'-' {
                // The refusal of a subscription: the reply to the PING behind it is still to come.
                run.announced = false;
                if let Some(sink) = &run.sink {
                    wake_later(wakers, sink.complete(run.first_tag, Replies { block, start, ends: now }));
                }
                start = now[0];
                ends = later;
                continue;
            }
            if let (Some(order), Some(redirected)) = (order, &mut redirected) {
                redirected.extend(flight.redirect(order, run_end));
            } else if let Some(sink) = &run.sink {
                let tag = run.first_tag + (flight.next - run.first) as u64;
                if let Some(submitted) = run.submitted {
                    self.answered.push((submitted, count as u64));
                }
                wake_later(wakers, sink.complete(tag, Replies { block, start, ends: now }));
            }
            start = now[count - 1];
            ends = later;
            flight.next += count;
            self.requests -= count;
            if flight.next == run_end {
                flight.run += 1;
                if flight.next == flight.block.ends.len()
                    && let Some(mut flight) = self.flights.pop_front()
                {
                    self.sending -= 1;
                    if flight.own {
                        flight.block.wipe();
                    }
                    emptied.push(flight.block);
                }
            }
        }
        true
    }

    /// Tells those whose time is up. Their place in the order of replies stays.
    pub(crate) fn expire(&mut self, now: Instant, error: &Error) -> Vec<Failure> {
        let mut failures = Vec::new();
        for flight in &mut self.flights {
            for index in flight.run..flight.block.runs.len() {
                let end = flight.block.run_end(index);
                let run = &mut flight.block.runs[index];
                if run.deadline > now {
                    continue;
                }
                if let Some(sink) = run.sink.take() {
                    failures.push(failure(
                        sink,
                        run.first_tag,
                        run.first,
                        flight.next.max(run.first)..end,
                        error,
                        flight.own,
                    ));
                }
            }
        }
        failures
    }

    /// The connection is gone. Gives the requests that can safely go to the next one, in order, and tells
    /// all others `lost` with `maybe_executed` set.
    ///
    /// Safe is what never left this process whole, and what only reads.
    pub(crate) fn abandon(self, lost: &Error) -> (Vec<Block>, Vec<Failure>) {
        let (mut again, mut failures) = (Vec::new(), Vec::new());
        let lost = lost.clone().executed(true);
        // A reply that breaks the stream would do so on the next connection too: its request is the oldest.
        let broke_the_stream = lost.code() == ErrorCode::Protocol;
        for (nth, mut flight) in self.flights.into_iter().enumerate() {
            let block = &flight.block;
            let mut kept = Block::default();
            for index in flight.run..block.runs.len() {
                let (run, end) = (&block.runs[index], block.run_end(index));
                let Some(sink) = &run.sink else { continue };
                let first = flight.next.max(run.first);
                let fail =
                    |range| failure(Arc::clone(sink), run.first_tag, run.first, range, &lost, flight.own);
                if flight.own {
                    failures.push(fail(first..end));
                } else if run.atomic {
                    if block.ends[end - 1] > flight.sent {
                        kept.append(block, run.first..end, run);
                    } else {
                        failures.push(fail(first..end));
                    }
                } else {
                    for (start, end, safe) in stretches(first..end, |request| {
                        let culprit = broke_the_stream && nth == 0 && request == flight.next;
                        !culprit
                            && (block.ends[request] > flight.sent
                                || command::only_reads(block.request(request)))
                    }) {
                        if safe {
                            kept.append(block, start..end, run);
                        } else {
                            failures.push(fail(start..end));
                        }
                    }
                }
            }
            again.push(kept);
            if flight.own {
                flight.block.wipe();
            }
        }
        (again, failures)
    }
}

fn failure(
    sink: Arc<dyn CompletionSink>,
    first_tag: u64,
    first: usize,
    range: std::ops::Range<usize>,
    error: &Error,
    own: bool,
) -> Failure {
    Failure {
        sink,
        first_tag: first_tag + (range.start - first) as u64,
        count: range.len(),
        error: error.clone().executed(true),
        own,
    }
}

/// Cuts a range into stretches on which `test` answers alike.
fn stretches(range: std::ops::Range<usize>, test: impl Fn(usize) -> bool) -> Vec<(usize, usize, bool)> {
    let mut found: Vec<(usize, usize, bool)> = Vec::new();
    for index in range {
        let answer = test(index);
        match found.last_mut() {
            Some((_, end, last)) if *last == answer => *end = index + 1,
            _ => found.push((index, index + 1, answer)),
        }
    }
    found
}

/// Notes a waker for the end of the batch; equal neighbours are one.
pub(crate) fn wake_later(wakers: &mut Vec<Waker>, waker: Option<Waker>) {
    if let Some(waker) = waker
        && !wakers.last().is_some_and(|last| last.will_wake(&waker))
    {
        wakers.push(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::Whose::{Announced, Callers, Nobodys};
    use super::*;
    use crate::connection::batch::Batch;
    use crate::connection::outbox::tests::{Recorder, until};
    use crate::error::ErrorCode;
    use proptest::prelude::*;
    use std::time::Duration;

    fn block(commands: &[(&[&str], u64)], sink: &Arc<Recorder>) -> Block {
        let mut block = Block::default();
        for (names, tag) in commands {
            let mut batch = Batch::new();
            for name in *names {
                batch.push(&[name]).unwrap();
            }
            let now = Instant::now();
            block.take_in(&mut batch, sink.clone(), *tag, until(now + Duration::from_secs(5)));
        }
        block
    }

    fn lost() -> Error {
        Error::new(ErrorCode::ConnectionLost, "Gone.", "")
    }

    fn replies(texts: &[&str]) -> (Bytes, Vec<usize>) {
        let mut ends = Vec::new();
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            ends.push(bytes.len());
        }
        (bytes.into(), ends)
    }

    #[test]
    fn replies_reach_their_runs_across_blocks() {
        let sink = Arc::new(Recorder::default());
        let mut inflight = Inflight::default();
        inflight.push(block(&[(&["a", "b"], 1), (&["c"], 7)], &sink), false);
        inflight.push(block(&[(&["d"], 9)], &sink), false);
        while !inflight.unsent().is_empty() {
            let bytes = inflight.unsent().len();
            inflight.sent(bytes);
        }
        let (bytes, ends) = replies(&["+1\r\n", "+2\r\n", "+3\r\n", "+4\r\n"]);
        let (mut wakers, mut emptied) = (Vec::new(), Vec::new());
        assert!(inflight.deliver(&bytes, 0, &ends[..1], &mut wakers, &mut emptied, None));
        assert!(inflight.deliver(&bytes, ends[0], &ends[1..], &mut wakers, &mut emptied, None));
        let told: Vec<_> = sink.0.lock().drain(..).map(|(tag, reply)| (tag, reply.unwrap())).collect();
        let expected = [
            (1, b"+1\r\n".to_vec()),
            (2, b"+2\r\n".to_vec()),
            (7, b"+3\r\n".to_vec()),
            (9, b"+4\r\n".to_vec()),
        ];
        assert_eq!(told, expected);
        assert_eq!((inflight.len(), emptied.len()), (0, 2));
        assert!(
            !inflight.deliver(&bytes, 0, &ends[..1], &mut wakers, &mut emptied, None),
            "a reply nobody asked for"
        );
    }

    #[test]
    fn a_reply_to_what_was_not_written_is_out_of_step() {
        let sink = Arc::new(Recorder::default());
        let mut inflight = Inflight::default();
        inflight.push(block(&[(&["a"], 1)], &sink), false);
        inflight.sent(3);
        let (bytes, ends) = replies(&["+1\r\n"]);
        assert!(!inflight.deliver(&bytes, 0, &ends, &mut Vec::new(), &mut Vec::new(), None));
    }

    #[test]
    fn who_waited_too_long_is_told_once_and_the_reply_is_dropped() {
        let sink = Arc::new(Recorder::default());
        let mut inflight = Inflight::default();
        inflight.push(block(&[(&["a"], 1), (&["b"], 2)], &sink), false);
        inflight.sent(inflight.unsent().len());
        let later = Instant::now() + Duration::from_secs(6);
        Failure::tell(inflight.expire(later, &Error::new(ErrorCode::Timeout, "Late.", "")));
        assert!(inflight.expire(later, &lost()).is_empty());
        let (bytes, ends) = replies(&["+1\r\n", "+2\r\n"]);
        assert!(inflight.deliver(&bytes, 0, &ends, &mut Vec::new(), &mut Vec::new(), None));
        assert_eq!(inflight.len(), 0);
        let told = sink.0.lock();
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|(_, outcome)| outcome.as_ref().is_err_and(Error::maybe_executed)));
    }

    #[test]
    fn a_transaction_moves_whole_or_fails_whole() {
        for (sent_all, moved) in [(true, 0), (false, 4)] {
            let sink = Arc::new(Recorder::default());
            let mut batch = Batch::new();
            batch.push(&["INCR", "k"]).unwrap();
            batch.push(&["GET", "k"]).unwrap();
            let mut block = Block::default();
            let now = Instant::now();
            block.take_in(&mut batch.into_transaction(), sink.clone(), 0, until(now));
            let mut inflight = Inflight::default();
            let all = block.bytes.len();
            inflight.push(block, false);
            inflight.sent(if sent_all { all } else { all - 1 });
            let (bytes, ends) = replies(&["+OK\r\n"]);
            assert!(inflight.deliver(&bytes, 0, &ends, &mut Vec::new(), &mut Vec::new(), None));
            let (again, failures) = inflight.abandon(&lost());
            assert_eq!(again.iter().map(|block| block.ends.len()).sum::<usize>(), moved);
            assert_eq!(
                failures.iter().map(|failure| failure.count).sum::<usize>(),
                if sent_all { 3 } else { 0 }
            );
        }
    }

    fn redirected(commands: &[&str], atomic: bool, texts: &[&str]) -> (Vec<Redirected>, usize) {
        redirected_of(Batch::new(), commands, atomic, texts)
    }

    fn redirected_of(
        mut batch: Batch,
        commands: &[&str],
        atomic: bool,
        texts: &[&str],
    ) -> (Vec<Redirected>, usize) {
        let sink = Arc::new(Recorder::default());
        for name in commands {
            batch.push(&[*name, "k"]).unwrap();
        }
        if atomic {
            batch = batch.into_transaction();
        }
        let mut block = Block::default();
        block.take_in(&mut batch, sink.clone(), 10, until(Instant::now()));
        let mut inflight = Inflight::default();
        inflight.push(block, false);
        inflight.sent(inflight.unsent().len());
        let (bytes, ends) = replies(texts);
        let mut found = Vec::new();
        assert!(inflight.deliver(&bytes, 0, &ends, &mut Vec::new(), &mut Vec::new(), Some(&mut found)));
        assert_eq!(inflight.len(), 0);
        let told = sink.0.lock().len();
        (found, told)
    }

    #[test]
    fn a_request_that_belongs_elsewhere_is_taken_out_and_its_neighbours_are_answered() {
        let (found, told) =
            redirected(&["GET", "INCR", "GET"], false, &["$1\r\na\r\n", "-MOVED 7 h:1\r\n", "-ERR no\r\n"]);
        assert_eq!((found.len(), told), (1, 2));
        assert_eq!((found[0].first_tag, &found[0].bytes[..]), (11, &b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"[..]));
        assert_eq!(found[0].ends, [found[0].bytes.len()]);
    }

    #[test]
    fn what_is_for_one_node_alone_never_goes_to_another() {
        let pinned = Batch { pinned: true, ..Batch::new() };
        let (found, told) = redirected_of(pinned, &["INCR"], false, &["-LOADING Not yet.\r\n"]);
        assert_eq!((found.len(), told), (0, 1));
    }

    #[test]
    fn only_a_discarded_transaction_is_sent_again() {
        let (found, told) =
            redirected(&["INCR"], true, &["-LOADING No.\r\n", "+OK\r\n", "-ERR EXEC without MULTI\r\n"]);
        assert_eq!((found.len(), told), (0, 3));
    }

    #[test]
    fn a_transaction_is_redirected_whole_once_it_was_discarded() {
        let moved = "-MOVED 7 h:1\r\n";
        let (found, told) =
            redirected(&["INCR", "GET"], true, &["+OK\r\n", moved, moved, "-EXECABORT No.\r\n"]);
        assert_eq!((found.len(), told), (1, 3));
        assert_eq!((found[0].first_tag, found[0].ends.len(), found[0].atomic), (10, 4, true));
        // Only a slot that moved between the last command and EXEC is told by EXEC itself.
        let (found, _) = redirected(&["INCR"], true, &["+OK\r\n", "+QUEUED\r\n", moved]);
        assert_eq!(found.len(), 1);
        let (found, told) = redirected(&["INCR"], true, &["+OK\r\n", "-ERR wrong\r\n", "-EXECABORT No.\r\n"]);
        assert_eq!((found.len(), told), (0, 3));
    }

    #[test]
    fn it_knows_whose_a_reply_is_and_since_when_its_caller_waits() {
        let (sink, later) = (Arc::new(Recorder::default()), Instant::now() + Duration::from_secs(9));
        let mut inflight = Inflight::default();
        inflight.push(block(&[(&["a", "b"], 1), (&["c"], 7)], &sink), false);
        inflight.push(block(&[(&["PING"], 0)], &sink), true);
        let mut announced = block(&[(&["PING"], 0)], &sink);
        announced.runs[0].announced = true;
        inflight.push(announced, true);
        let whose = |inflight: &Inflight| (0..6).map(|number| inflight.whose(number)).collect::<Vec<_>>();
        assert_eq!(whose(&inflight), [Callers, Callers, Callers, Nobodys, Announced, Nobodys]);
        while !inflight.unsent().is_empty() {
            inflight.sent(inflight.unsent().len());
        }
        let (bytes, ends) = replies(&["+1\r\n"]);
        assert!(inflight.deliver(&bytes, 0, &ends, &mut Vec::new(), &mut Vec::new(), None));
        assert_eq!(whose(&inflight)[..3], [Callers, Callers, Nobodys]);
        assert_eq!(inflight.answered.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1]);
        let told = inflight.expire(later, &lost());
        assert_eq!(told.iter().filter(|failure| !failure.own).map(|failure| failure.count).sum::<usize>(), 2);
        assert_eq!(whose(&inflight)[..2], [Nobodys, Nobodys], "nobody waits any more");
    }

    #[test]
    fn a_read_whose_reply_breaks_the_stream_is_not_repeated() {
        let sink = Arc::new(Recorder::default());
        let mut inflight = Inflight::default();
        inflight.push(block(&[(&["GET", "GET"], 1)], &sink), false);
        inflight.sent(inflight.unsent().len());
        let (again, failures) = inflight.abandon(&Error::new(ErrorCode::Protocol, "Too long.", ""));
        assert_eq!(
            failures.iter().map(|failure| (failure.first_tag, failure.count)).collect::<Vec<_>>(),
            [(1, 1)]
        );
        assert_eq!(again[0].runs[0].first_tag, 2);
    }

    proptest! {
        /// However far writing and answering had come: each request is answered, moved or failed, once.
        #[test]
        fn every_request_ends_exactly_once(
            names in prop::collection::vec(prop::collection::vec(prop_oneof![Just("GET"), Just("INCR")], 1..4), 1..6),
            sent in 0usize..400,
            answered in 0usize..12,
        ) {
            let sink = Arc::new(Recorder::default());
            let mut inflight = Inflight::default();
            let (mut tag, mut writes) = (0u64, Vec::new());
            for run in &names {
                inflight.push(block(&[(run, tag)], &sink), false);
                writes.extend(run.iter().map(|name| *name == "INCR"));
                tag += run.len() as u64;
            }
            let (mut left, mut whole) = (sent, 0);
            while left > 0 && !inflight.unsent().is_empty() {
                let bytes = left.min(inflight.unsent().len());
                inflight.sent(bytes);
                left -= bytes;
            }
            let mut end = 0;
            for run in &names {
                for name in run {
                    end += format!("*1\r\n${}\r\n{name}\r\n", name.len()).len();
                    whole += usize::from(end <= sent);
                }
            }
            let answered = answered.min(whole);
            let texts = vec!["+R\r\n"; answered];
            let (bytes, ends) = replies(&texts);
            prop_assert!(inflight.deliver(&bytes, 0, &ends, &mut Vec::new(), &mut Vec::new(), None));
            let (again, failures) = inflight.abandon(&lost());
            for failure in &failures {
                for tag in failure.first_tag..failure.first_tag + failure.count as u64 {
                    let index = usize::try_from(tag).unwrap();
                    prop_assert!(writes[index] && index < whole, "only a written write may fail");
                }
            }
            Failure::tell(failures);
            let mut seen: Vec<u64> = sink.0.lock().iter().map(|(tag, _)| *tag).collect();
            let mut moved: Vec<u64> = Vec::new();
            for block in &again {
                for (index, run) in block.runs.iter().enumerate() {
                    moved.extend((run.first_tag..).take(block.run_end(index) - run.first));
                }
            }
            prop_assert!(moved.is_sorted());
            seen.extend(moved);
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..tag).collect::<Vec<_>>());
        }
    }
}
