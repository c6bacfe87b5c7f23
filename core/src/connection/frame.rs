//! Where one reply ends and the next begins. Finds frame ends in a growing byte stream without making
//! values and without looking at any byte twice; knows nothing of requests or sockets.
//!
//! Source of the grammar: the RESP2 and RESP3 specifications. Streamed strings and aggregates (`$?`,
//! `*?`) stand in the RESP3 text but no server sends them; they are refused like any other garbage.

use crate::error::{Error, ErrorCode, Result};

/// The end of one whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// One past the frame's last byte, counted from the frame's first byte.
    pub(crate) end: usize,
    /// Whether it is a push (`>`), which answers no request.
    pub(crate) push: bool,
    /// Whether pushes stand inside it, see [`lift_pushes`].
    pub(crate) holds_pushes: bool,
}

/// Scans one frame after the other; keeps its place when a frame is not complete yet.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// Where the next element's header begins, from the frame's first byte; beyond the buffer while a
    /// long string is still arriving.
    at: usize,
    /// How far the search for the end of the current line has come.
    searched: usize,
    /// Elements still missing from the frame; 0 between frames.
    open: u64,
    /// The next two bytes to check are the line end behind a string's bytes, which end at `at`.
    tail: bool,
    push: bool,
    holds_pushes: bool,
    limit: usize,
}

/// No header that announces a length or a count is longer than this (`$` and 20 digits and CR LF).
const MAX_LENGTH_LINE: usize = 32;

impl Scanner {
    /// A scanner that refuses frames longer than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { at: 0, searched: 0, open: 0, tail: false, push: false, holds_pushes: false, limit }
    }

    /// How many bytes from the frame's first byte must be there before `scan` can get any further.
    pub(crate) fn needed(&self) -> usize {
        if self.open == 0 { 1 } else { self.at.max(1) }
    }

    /// Looks for the end of the frame that begins at `bytes[0]`.
    ///
    /// `None`: not complete; call again with the same start and more bytes. After a frame was found the
    /// next call starts a new one.
    ///
    /// # Errors
    /// [`ErrorCode::Protocol`] when the bytes are not RESP or the frame is longer than the limit; the
    /// stream cannot be used any further.
    #[inline]
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<Option<Frame>> {
        if self.open == 0 {
            *self = Self { open: 1, ..Self::new(self.limit) };
        }
        loop {
            if self.tail {
                if bytes.len() < self.at {
                    return Ok(None);
                }
                if bytes[self.at - 2..self.at] != *b"\r\n" {
                    return Err(garbage("a string is longer or shorter than announced"));
                }
                self.tail = false;
                self.open -= 1;
            }
            if self.open == 0 {
                return Ok(Some(Frame { end: self.at, push: self.push, holds_pushes: self.holds_pushes }));
            }
            let Some(&kind) = bytes.get(self.at) else { return Ok(None) };
            match kind {
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {
                    let Some(end) = self.line_end(bytes, self.limit)? else { return Ok(None) };
                    self.at = end;
                    self.open -= 1;
                }
                b'$' | b'!' | b'=' => {
                    let Some((length, end)) = self.length(bytes)? else { return Ok(None) };
                    self.at = end;
                    match length {
                        None => self.open -= 1,
                        Some(length) => {
                            self.at = end.saturating_add(length).saturating_add(2);
                            self.check_size()?;
                            self.tail = true;
                        }
                    }
                }
                b'*' | b'~' | b'>' | b'%' | b'|' => {
                    let Some((count, end)) = self.length(bytes)? else { return Ok(None) };
                    let inside = self.at > 0;
                    if kind == b'>' {
                        if inside && self.push {
                            return Err(garbage("a push stands inside a push"));
                        }
                        (self.push, self.holds_pushes) = (self.push || !inside, self.holds_pushes || inside);
                    }
                    self.at = end;
                    let pairs = matches!(kind, b'%' | b'|');
                    let count = (count.unwrap_or(0) as u64).saturating_mul(if pairs { 2 } else { 1 });
                    // Every element takes three bytes at the least, so this also bounds the sum.
                    if count > self.limit as u64 / 3 {
                        return Err(too_long(self.limit));
                    }
                    // An attribute stands before the element it describes and is none itself; nor is a push among
                    // the elements of a reply.
                    self.open += count;
                    if !(kind == b'|' || (kind == b'>' && inside)) {
                        self.open -= 1;
                    }
                    self.check_size()?;
                }
                // An alert, which is what a TLS server answers to anything that is not TLS.
                0x15 => return Err(garbage("it answers with TLS, and this connection has none")),
                _ => return Err(garbage(&format!("no reply starts with the byte 0x{kind:02x}"))),
            }
        }
    }

    /// One past the line end of the element at `at`.
    fn line_end(&mut self, bytes: &[u8], longest: usize) -> Result<Option<usize>> {
        let from = self.searched.max(self.at + 1);
        if let Some(found) = memchr::memchr(b'\n', &bytes[from.min(bytes.len())..]) {
            let end = from + found + 1;
            if end < self.at + 3 || bytes[end - 2] != b'\r' {
                return Err(garbage("a line does not end in CR LF"));
            }
            self.searched = end;
            return Ok(Some(end));
        }
        if bytes.len() - self.at > longest {
            return Err(too_long(longest));
        }
        self.searched = bytes.len();
        Ok(None)
    }

    /// The number in the header at `at` (`None` for -1, the RESP2 null) and one past its line end.
    #[allow(clippy::type_complexity, reason = "spelled out once, read once")]
    fn length(&mut self, bytes: &[u8]) -> Result<Option<(Option<usize>, usize)>> {
        // Most headers are a digit or two: read them in one pass.
        let mut value: usize = 0;
        let mut at = self.at + 1;
        while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            if at - self.at > 19 {
                return Err(garbage("a length has too many digits"));
            }
            value = value * 10 + usize::from(digit);
            at += 1;
        }
        if at > self.at + 1 && bytes.get(at..at + 2) == Some(b"\r\n") {
            return Ok(Some((Some(value), at + 2)));
        }
        let Some(end) = self.line_end(bytes, MAX_LENGTH_LINE)? else { return Ok(None) };
        if bytes[self.at + 1..end] == *b"-1\r\n" {
            return Ok(Some((None, end)));
        }
        Err(garbage("a length is not a number"))
    }

    fn check_size(&self) -> Result<()> {
        if self.at > self.limit { Err(too_long(self.limit)) } else { Ok(()) }
    }
}

/// Moves the pushes inside a whole frame in front of it, so that frames come one after the other again.
///
/// Redis 7.0 puts a message into the array of `EXEC`, uncounted, when the transaction publishes to a channel that its own
/// connection is subscribed to.
pub(crate) fn lift_pushes(frame: &mut [u8]) {
    let (mut lifted, mut rest) = (Vec::new(), Vec::with_capacity(frame.len()));
    let mut at = 0;
    while at < frame.len() {
        let kind = frame[at];
        let whole = match kind {
            // An aggregate's elements are looked at one by one.
            b'*' | b'~' | b'%' | b'|' => None,
            b'>' if at == 0 => None,
            _ => Scanner::new(usize::MAX / 4).scan(&frame[at..]).ok().flatten(),
        };
        let end = whole.map_or_else(
            || memchr::memchr(b'\n', &frame[at..]).map_or(frame.len(), |line| at + line + 1),
            |whole| at + whole.end,
        );
        let into = if kind == b'>' && at > 0 { &mut lifted } else { &mut rest };
        into.extend_from_slice(&frame[at..end]);
        at = end;
    }
    let (front, back) = frame.split_at_mut(lifted.len());
    front.copy_from_slice(&lifted);
    back.copy_from_slice(&rest);
}

fn garbage(what: &str) -> Error {
    Error::new(
        ErrorCode::Protocol,
        format!("The peer does not speak the Redis protocol: {what}."),
        "Check that host and port are those of a Redis endpoint and that TLS is switched on as the port expects.",
    )
}

fn too_long(limit: usize) -> Error {
    Error::new(
        ErrorCode::Protocol,
        format!("A reply is longer than {limit} bytes."),
        "Raise max_reply_bytes, or ask for less at once (SCAN, GETRANGE, LRANGE ...).",
    )
}

/// Replies of every type, for the property tests of this room and of `decode`.
#[cfg(test)]
pub(crate) mod tests_support {
    use proptest::prelude::*;

    /// Any RESP2 or RESP3 reply, aggregates nested.
    pub(crate) fn reply() -> impl Strategy<Value = Vec<u8>> {
        let text = "[ -~]{0,12}";
        let leaf = prop_oneof![
            text.prop_map(|text| format!("+{text}\r\n").into_bytes()),
            text.prop_map(|text| format!("-ERR {text}\r\n").into_bytes()),
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            Just(b"$-1\r\n".to_vec()),
            Just(b"*-1\r\n".to_vec()),
            Just(b"_\r\n".to_vec()),
            Just(b"#t\r\n".to_vec()),
            any::<f64>().prop_map(|number| format!(",{number}\r\n").into_bytes()),
            Just(b",inf\r\n".to_vec()),
            "[1-9][0-9]{0,40}".prop_map(|digits| format!("({digits}\r\n").into_bytes()),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| bulk(b'$', &bytes)),
            text.prop_map(|text| bulk(b'=', format!("txt:{text}").as_bytes())),
            text.prop_map(|text| bulk(b'!', format!("ERR {text}").as_bytes())),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|items| aggregate(b'*', &items, 1)),
                prop::collection::vec(inner.clone(), 0..5).prop_map(|items| aggregate(b'~', &items, 1)),
                prop::collection::vec((inner.clone(), inner.clone()), 0..3).prop_map(|pairs| {
                    let items: Vec<_> = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
                    aggregate(b'%', &items, 2)
                }),
                (inner.clone(), inner.clone(), inner).prop_map(|(key, value, data)| {
                    let mut bytes = aggregate(b'|', &[key, value], 2);
                    bytes.extend(data);
                    bytes
                }),
            ]
        })
    }

    fn bulk(kind: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend(format!("{}\r\n", bytes.len()).into_bytes());
        out.extend(bytes);
        out.extend(b"\r\n");
        out
    }

    pub(crate) fn aggregate(kind: u8, items: &[Vec<u8>], per_entry: usize) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend(format!("{}\r\n", items.len() / per_entry).into_bytes());
        out.extend(items.concat());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::tests_support::{aggregate, reply};
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    /// Every frame end of `stream` when it arrives in pieces of the given sizes.
    fn ends(stream: &[u8], pieces: &[usize]) -> Result<Vec<(usize, bool)>> {
        let mut scanner = Scanner::new(LIMIT);
        let (mut start, mut arrived, mut found) = (0, 0, Vec::new());
        let mut sizes = pieces.iter().copied().cycle();
        while arrived < stream.len() {
            arrived = (arrived + sizes.next().unwrap_or(stream.len()).max(1)).min(stream.len());
            while start < arrived {
                let Some(frame) = scanner.scan(&stream[start..arrived])? else { break };
                start += frame.end;
                found.push((start, frame.push));
            }
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn any_split_of_any_replies_finds_the_same_ends(
            replies in prop::collection::vec((reply(), any::<bool>()), 1..8),
            pieces in prop::collection::vec(1usize..40, 1..20),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (reply, push) in replies {
                let bytes = if push { aggregate(b'>', &[b"+invalidate\r\n".to_vec(), reply], 1) } else { reply };
                stream.extend(bytes);
                expected.push((stream.len(), push));
            }
            prop_assert_eq!(ends(&stream, &pieces).unwrap(), expected.clone());
            prop_assert_eq!(ends(&stream, &[stream.len()]).unwrap(), expected);
        }

        #[test]
        fn garbage_never_panics_and_never_loops(
            bytes in prop::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'-'), any::<u8>()], 0..200),
            pieces in prop::collection::vec(1usize..20, 1..5),
        ) {
            let _ = ends(&bytes, &pieces);
        }
    }

    #[test]
    fn messages_inside_a_reply_come_before_it() {
        // What Redis 7.0.15 answers to MULTI, INCR, PUBLISH, INCR, EXEC on a connection that is subscribed to t.
        let stream = b"+OK\r\n*3\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$1\r\nx\r\n:1\r\n:2\r\n:9\r\n";
        let mut scanner = Scanner::new(LIMIT);
        let first = scanner.scan(stream).unwrap().unwrap();
        assert!(!first.holds_pushes);
        let reply = scanner.scan(&stream[first.end..]).unwrap().unwrap();
        assert!(reply.holds_pushes && !reply.push);
        let mut frame = stream[first.end..first.end + reply.end].to_vec();
        lift_pushes(&mut frame);
        assert_eq!(
            frame.escape_ascii().to_string(),
            b">3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$1\r\nx\r\n*3\r\n:1\r\n:1\r\n:2\r\n"
                .escape_ascii()
                .to_string()
        );
        let message = scanner.scan(&frame).unwrap().unwrap();
        assert!(message.push && !message.holds_pushes);
        assert!(!scanner.scan(&frame[message.end..]).unwrap().unwrap().holds_pushes);
        assert_eq!(stream[first.end + reply.end..], *b":9\r\n");
    }

    #[test]
    fn a_512_mib_string_needs_one_look_at_its_header() {
        let mut scanner = Scanner::new((512 << 20) + 64);
        assert_eq!(scanner.scan(b"$536870912\r\nabc").unwrap(), None);
        assert_eq!(scanner.needed(), 12 + 536_870_912 + 2);
    }

    #[test]
    fn what_is_too_long_or_no_resp_is_refused_with_advice() {
        for bytes in [
            &b"$99999999999\r\n"[..],
            b"*999999999\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"$?\r\n",
            b":1\n",
            b"$3\r\nabcd\r\n",
            b"$-2\r\n",
        ] {
            let error = Scanner::new(LIMIT).scan(bytes).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Protocol, "{}", bytes.escape_ascii());
            assert!(!error.advice().is_empty());
        }
    }
}
