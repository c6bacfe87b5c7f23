//! Doors to private rooms for the fuzz targets of `core/fuzz`: functions that take bytes and panic when a
//! promise is broken. Compiled by cargo-fuzz alone (`cfg(fuzzing)`).

use crate::connection::decode::decode;
use crate::connection::frame::{Scanner, lift_pushes};
use crate::{Batch, ErrorCode, Options, Reply};
use bytes::Bytes;

/// Replies longer than this are refused here, so that the refusal is reached as well.
const LIMIT: usize = 1 << 16;

/// The ends of all frames when the stream arrives in pieces of these sizes; `None` when it is refused.
fn ends(stream: &[u8], mut pieces: impl Iterator<Item = usize>) -> Option<Vec<usize>> {
    let mut scanner = Scanner::new(LIMIT);
    let (mut start, mut arrived, mut found) = (0, 0, Vec::new());
    while arrived < stream.len() {
        arrived = (arrived + pieces.next().unwrap_or(stream.len()).max(1)).min(stream.len());
        while start < arrived {
            match scanner.scan(&stream[start..arrived]) {
                Ok(Some(frame)) => {
                    assert!(
                        frame.end > 0 && start + frame.end <= arrived,
                        "a frame ends in what has arrived"
                    );
                    start += frame.end;
                    found.push(start);
                }
                Ok(None) => {
                    assert!(scanner.needed() > 0, "a scanner that waits knows for how much");
                    break;
                }
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::Protocol);
                    return None;
                }
            }
        }
    }
    Some(found)
}

/// Replies in any split give the same frames as in one piece, and no frame makes the decoder panic.
pub fn replies(stream: &[u8], pieces: &[u8]) {
    let whole = ends(stream, std::iter::once(stream.len()));
    let split = ends(stream, pieces.iter().map(|size| usize::from(*size)).chain(std::iter::repeat(1)));
    assert_eq!(whole, split, "the split of a stream changes nothing");
    let mut start = 0;
    for end in whole.unwrap_or_default() {
        let frame = &stream[start..end];
        let _ = decode(frame);
        let reply = Reply::parse(Bytes::copy_from_slice(frame)).expect("a whole frame is a reply");
        look(&reply, 0);
        let mut lifted = frame.to_vec();
        lift_pushes(&mut lifted);
        let ends = ends(&lifted, std::iter::once(lifted.len())).expect("frames are still frames");
        assert_eq!(ends.last(), Some(&lifted.len()), "nothing is lost with the pushes");
        start = end;
    }
}

/// Asks a reply everything, as deep as replies are in practice.
fn look(reply: &Reply, depth: usize) {
    let _ = (reply.bytes(), reply.integer(), reply.double(), reply.boolean(), reply.error(), reply.len());
    if depth < 16 {
        reply.parts().iter().for_each(|part| look(part, depth + 1));
    }
}

/// What is read from a connection string or URL can be printed and read again, unless it holds secrets.
pub fn options(text: &str) {
    let Ok(options) = Options::parse(text) else { return };
    let printed = options.to_string();
    if options.password().is_some() {
        assert!(printed.contains("***"), "a password is printed as ***");
        return;
    }
    let again = Options::parse(&printed).unwrap_or_else(|error| panic!("{printed:?} from {text:?}: {error}"));
    assert!(again == options, "{printed:?} from {text:?} gives other options");
}

/// Encoded commands are taken whole or not at all, and what was taken is what was given.
pub fn encoded_commands(bytes: &[u8]) {
    let mut batch = Batch::new();
    match batch.push_encoded(bytes) {
        Ok(count) => {
            assert_eq!((count, batch.bytes.as_slice()), (batch.len(), bytes));
            assert!(batch.ends.is_sorted() && batch.ends.last().is_none_or(|end| *end == bytes.len()));
        }
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::InvalidCommand);
            assert!(batch.is_empty() && batch.bytes.is_empty());
        }
    }
}
