//! The sink of those commands of a batch that went to one node: brings each reply back to its own place.

use super::gather::Gather;
use crate::connection::batch::{CompletionSink, Replies};
use crate::error::Error;
use std::sync::Arc;
use std::task::Waker;

/// Where the reply to one command of a piece belongs.
pub(crate) enum Place {
    /// It is the reply to the command with this tag.
    Tag(u64),
    /// It is one part of the reply to a command for several nodes.
    Part(Arc<Gather>, usize),
    /// Nobody waits for it.
    Nowhere,
}

/// The sink of one piece; its tags are the indices of `places`.
pub(crate) struct Distribute {
    pub(crate) sink: Arc<dyn CompletionSink>,
    pub(crate) places: Vec<Place>,
}

impl Distribute {
    /// The places of so many commands from `first` on.
    fn places(&self, first: u64, count: usize) -> &[Place] {
        let first = usize::try_from(first).unwrap_or(usize::MAX).min(self.places.len());
        &self.places[first..self.places.len().min(first.saturating_add(count))]
    }
}

/// How many places from the first on have consecutive tags, and the first of these.
fn stretch(places: &[Place]) -> (usize, Option<u64>) {
    let Some(Place::Tag(first)) = places.first() else { return (1, None) };
    let next =
        |(index, place): (usize, &Place)| matches!(place, Place::Tag(tag) if *tag == first + index as u64);
    (places.iter().enumerate().take_while(|&place| next(place)).count(), Some(*first))
}

impl CompletionSink for Distribute {
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        let places = self.places(first_tag, replies.len());
        let (mut at, mut waker) = (0, None);
        while at < places.len() {
            let (count, tag) = stretch(&places[at..]);
            let start = if at == 0 { replies.start } else { replies.ends[at - 1] };
            let some = Replies { block: replies.block, start, ends: &replies.ends[at..at + count] };
            let woken = match (tag, &places[at]) {
                (Some(tag), _) => self.sink.complete(tag, some),
                (None, Place::Part(gather, part)) => gather.put(*part, Ok(some.get(0))),
                (None, _) => None,
            };
            waker = woken.or(waker);
            at += count;
        }
        waker
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        let places = self.places(first_tag, count);
        let (mut at, mut waker) = (0, None);
        while at < places.len() {
            let (count, tag) = stretch(&places[at..]);
            let woken = match (tag, &places[at]) {
                (Some(tag), _) => self.sink.fail(tag, count, error),
                (None, Place::Part(gather, part)) => gather.put(*part, Err(error.clone())),
                (None, _) => None,
            };
            waker = woken.or(waker);
            at += count;
        }
        waker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::cluster::gather::Combine;
    use crate::connection::outbox::tests::Recorder;
    use crate::error::ErrorCode;
    use bytes::Bytes;

    #[test]
    fn each_reply_goes_to_its_own_place() {
        let sink = Arc::new(Recorder::default());
        let gather = Arc::new(Gather::new(Combine::Sum, 1, sink.clone(), 20));
        let places =
            vec![Place::Nowhere, Place::Tag(3), Place::Tag(4), Place::Part(gather, 0), Place::Tag(9)];
        let distribute = Distribute { sink: sink.clone(), places };
        let block = Bytes::from_static(b":0\r\n:1\r\n:2\r\n:3\r\n");
        distribute.complete(0, Replies { block: &block, start: 0, ends: &[4, 8, 12, 16] });
        distribute.fail(4, 1, &Error::new(ErrorCode::Timeout, "Late.", ""));
        let told: Vec<_> = sink.0.lock().drain(..).collect();
        let tags: Vec<_> = told.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, [3, 4, 20, 9]);
        assert_eq!(told[1].1.as_ref().unwrap(), b":2\r\n");
        assert_eq!(told[2].1.as_ref().unwrap(), b":3\r\n");
        assert!(told[3].1.is_err());
    }
}
