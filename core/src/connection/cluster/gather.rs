//! One command for several nodes: its parts' replies made into the one reply that the caller waits for.

use crate::connection::batch::{CompletionSink, Replies};
use crate::connection::frame::Scanner;
use crate::error::{Error, ErrorCode};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::task::Waker;

/// How replies are combined. An error of any part is the reply, but for `OneSucceeded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    /// Integers are added up.
    Sum,
    /// The smallest integer.
    Min,
    /// Lists of zeros and ones: one where all have one.
    And,
    /// All must succeed; the first reply stands for all.
    AllSucceeded,
    /// The first that is no error.
    OneSucceeded,
    /// Lists are joined.
    Join,
    /// Lists whose elements answer these arguments, part by part: put in the order of the arguments.
    ByArgument(Vec<Vec<usize>>),
}

/// Waits for all parts.
pub(crate) struct Gather {
    combine: Combine,
    sink: Arc<dyn CompletionSink>,
    tag: u64,
    state: Mutex<State>,
}

struct State {
    parts: Vec<Option<Result<Bytes, Error>>>,
    missing: usize,
}

impl Gather {
    pub(crate) fn new(combine: Combine, parts: usize, sink: Arc<dyn CompletionSink>, tag: u64) -> Self {
        Self { combine, sink, tag, state: Mutex::new(State { parts: vec![None; parts], missing: parts }) }
    }

    /// Takes one part's outcome; tells the caller's sink when it was the last.
    pub(crate) fn put(&self, part: usize, outcome: Result<Bytes, Error>) -> Option<Waker> {
        let parts: Vec<_> = {
            let mut state = self.state.lock();
            let slot = state.parts.get_mut(part).filter(|slot| slot.is_none())?;
            *slot = Some(outcome);
            state.missing -= 1;
            if state.missing > 0 {
                return None;
            }
            std::mem::take(&mut state.parts).into_iter().flatten().collect()
        };
        match self.combined(parts) {
            Ok(reply) => {
                let ends = [reply.len()];
                self.sink.complete(self.tag, Replies { block: &reply, start: 0, ends: &ends })
            }
            Err(error) => self.sink.fail(self.tag, 1, &error),
        }
    }

    fn combined(&self, parts: Vec<Result<Bytes, Error>>) -> Result<Bytes, Error> {
        if self.combine == Combine::OneSucceeded
            && let Some(Ok(good)) =
                parts.iter().find(|part| part.as_ref().is_ok_and(|reply| reply.first() != Some(&b'-')))
        {
            return Ok(good.clone());
        }
        // What was executed on one node is not undone because another one failed.
        let replies =
            parts.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.executed(true))?;
        if let Some(refusal) = replies.iter().find(|reply| reply.first() == Some(&b'-')) {
            return Ok(refusal.clone());
        }
        match &self.combine {
            Combine::AllSucceeded | Combine::OneSucceeded => Ok(replies[0].clone()),
            Combine::Sum => Ok(integer(integers(&replies)?.into_iter().sum())),
            Combine::Min => Ok(integer(integers(&replies)?.into_iter().min().unwrap_or(0))),
            Combine::And => both(&replies),
            Combine::Join => {
                let lists = replies.iter().map(elements).collect::<Result<Vec<_>, _>>()?;
                Ok(list(lists.iter().flatten()))
            }
            Combine::ByArgument(places) => in_order(&replies, places),
        }
    }
}

fn integer(number: i64) -> Bytes {
    format!(":{number}\r\n").into()
}

fn integers(replies: &[Bytes]) -> Result<Vec<i64>, Error> {
    replies
        .iter()
        .map(|reply| {
            let text = reply.strip_prefix(b":").and_then(|rest| std::str::from_utf8(rest).ok());
            text.and_then(|text| text.trim_end().parse().ok()).ok_or_else(unexpected)
        })
        .collect()
}

/// The element frames of a list.
fn elements(reply: &Bytes) -> Result<Vec<Bytes>, Error> {
    if !matches!(reply.first(), Some(b'*' | b'~')) {
        return Err(unexpected());
    }
    let mut at = memchr::memchr(b'\n', reply).ok_or_else(unexpected)? + 1;
    let mut found = Vec::new();
    while at < reply.len() {
        let frame = Scanner::new(usize::MAX / 4).scan(&reply[at..]).ok().flatten().ok_or_else(unexpected)?;
        found.push(reply.slice(at..at + frame.end));
        at += frame.end;
    }
    Ok(found)
}

fn list<'a>(elements: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut whole = format!("*{}\r\n", elements.clone().count()).into_bytes();
    elements.for_each(|element| whole.extend_from_slice(element));
    whole.into()
}

fn both(replies: &[Bytes]) -> Result<Bytes, Error> {
    let lists = replies.iter().map(elements).collect::<Result<Vec<_>, _>>()?;
    let columns = lists.iter().map(Vec::len).min().unwrap_or(0);
    let bits: Vec<Bytes> = (0..columns)
        .map(|column| integer(i64::from(lists.iter().all(|list| &list[column][..] != b":0\r\n"))))
        .collect();
    Ok(list(bits.iter()))
}

fn in_order(replies: &[Bytes], places: &[Vec<usize>]) -> Result<Bytes, Error> {
    let mut ordered = vec![None; places.iter().map(Vec::len).sum()];
    for (reply, places) in replies.iter().zip(places) {
        let elements = elements(reply)?;
        if elements.len() != places.len() {
            return Err(unexpected());
        }
        for (place, element) in places.iter().zip(elements) {
            *ordered.get_mut(*place).ok_or_else(unexpected)? = Some(element);
        }
    }
    let ordered: Vec<Bytes> = ordered.into_iter().flatten().collect();
    Ok(list(ordered.iter()))
}

fn unexpected() -> Error {
    Error::new(
        ErrorCode::UnexpectedReply,
        "The nodes' replies to a command for several of them do not fit together.",
        "Send the command to one node at a time, or with keys of one slot ({hash tags}).",
    )
    .executed(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::outbox::tests::Recorder;

    fn combined(combine: Combine, parts: &[&str]) -> Result<Vec<u8>, Error> {
        let sink = Arc::new(Recorder::default());
        let gather = Gather::new(combine, parts.len(), sink.clone(), 5);
        for (part, reply) in parts.iter().enumerate().rev() {
            assert_eq!(sink.0.lock().len(), 0, "only the last part tells");
            gather.put(part, Ok(Bytes::copy_from_slice(reply.as_bytes())));
        }
        let (tag, outcome) = sink.0.lock().remove(0);
        assert_eq!(tag, 5);
        outcome
    }

    #[test]
    fn replies_are_combined_as_the_command_asks() {
        let text = |combine, parts: &[&str]| String::from_utf8(combined(combine, parts).unwrap()).unwrap();
        assert_eq!(text(Combine::Sum, &[":2\r\n", ":3\r\n"]), ":5\r\n");
        assert_eq!(text(Combine::Min, &[":2\r\n", ":-3\r\n"]), ":-3\r\n");
        assert_eq!(text(Combine::AllSucceeded, &["+OK\r\n", "+OK\r\n"]), "+OK\r\n");
        assert_eq!(text(Combine::And, &["*2\r\n:1\r\n:1\r\n", "*2\r\n:0\r\n:1\r\n"]), "*2\r\n:0\r\n:1\r\n");
        assert_eq!(
            text(Combine::Join, &["*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n*0\r\n"]),
            "*2\r\n$1\r\na\r\n*0\r\n"
        );
        let by = Combine::ByArgument(vec![vec![0, 2], vec![1]]);
        assert_eq!(
            text(by, &["*2\r\n$1\r\na\r\n_\r\n", "*1\r\n$1\r\nb\r\n"]),
            "*3\r\n$1\r\na\r\n$1\r\nb\r\n_\r\n"
        );
    }

    #[test]
    fn an_error_of_one_part_is_the_reply_unless_one_success_is_enough() {
        let parts = ["-ERR no\r\n", "+OK\r\n"];
        assert_eq!(combined(Combine::AllSucceeded, &parts).unwrap(), b"-ERR no\r\n");
        assert_eq!(combined(Combine::OneSucceeded, &parts).unwrap(), b"+OK\r\n");
        assert!(combined(Combine::Sum, &["+OK\r\n", ":1\r\n"]).is_err());
        assert!(
            combined(Combine::ByArgument(vec![vec![0], vec![9]]), &["*1\r\n_\r\n", "*1\r\n_\r\n"]).is_err()
        );
    }

    #[test]
    fn a_lost_part_makes_the_whole_uncertain() {
        let sink = Arc::new(Recorder::default());
        let gather = Gather::new(Combine::Sum, 2, sink.clone(), 0);
        gather.put(0, Ok(Bytes::from_static(b":1\r\n")));
        gather.put(1, Err(Error::new(ErrorCode::NotConnected, "None.", "")));
        let outcome = sink.0.lock().remove(0).1;
        assert!(outcome.is_err_and(|error| error.maybe_executed()));
    }
}
