//! A reply as it came over the wire, looked at without copying it: the form in which the C ABI and the bindings
//! get replies, so that values are made once, in the language that wants them. Rust callers get `redis::Value`.

use crate::connection::frame::Scanner;
use crate::error::{Error, ErrorCode, Result};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// What a reply is: the types of RESP3, under which RESP2's go too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplyKind {
    /// Nothing there.
    Nil,
    /// A simple string, such as `OK`.
    Status,
    /// A string of any bytes.
    String,
    /// A string with its format: `txt` or `mkd`.
    Verbatim,
    /// A whole number of 64 bits.
    Integer,
    /// A floating point number.
    Double,
    /// True or false.
    Boolean,
    /// A whole number of any length, as decimal text.
    BigNumber,
    /// Replies in order.
    Array,
    /// Pairs of a key and a value.
    Map,
    /// Replies without order, each once.
    Set,
    /// A message that answers no command.
    Push,
    /// An error: the server's, or in a pipeline also what kept the command from being answered.
    Error,
}

/// One reply, or a part of one. Cheap to make: parts are looked for when they are first asked for.
///
/// Attributes (`|`), which no command sends unasked, are passed over. Every method may be called from any thread.
#[derive(Debug)]
pub struct Reply {
    content: Content,
    parts: OnceLock<Box<[Reply]>>,
    /// How many replies it is a part of.
    depth: u8,
}

/// How deep replies are looked into, as in the redis crate.
const MAX_DEPTH: u8 = 100;

/// Shares the memory of what was received; its parts are looked for anew.
impl Clone for Reply {
    fn clone(&self) -> Self {
        Self { content: self.content.clone(), parts: OnceLock::new(), depth: self.depth }
    }
}

#[derive(Clone, Debug)]
enum Content {
    /// A whole frame without attributes in front, and where the first line ends.
    Frame { bytes: Bytes, line: usize },
    /// No reply came.
    Failed(Error),
    /// Replies that came one by one, or did not come.
    Gathered(Arc<[Result<Bytes>]>),
}

impl Reply {
    /// The reply that one whole frame is, as [`Replies::get`](crate::Replies::get) gives it.
    ///
    /// # Errors
    /// [`ErrorCode::Protocol`] when the bytes are no whole frame.
    pub fn parse(frame: Bytes) -> Result<Self> {
        let whole = Scanner::new(usize::MAX / 4).scan(&frame)?;
        if whole.is_none_or(|found| found.end != frame.len()) {
            return Err(Error::new(ErrorCode::Protocol, "The bytes are not one whole reply.", ""));
        }
        Ok(Self::scanned(frame))
    }

    /// The reply of a frame whose bounds a scanner has found.
    pub(crate) fn scanned(mut frame: Bytes) -> Self {
        while frame.first() == Some(&b'|') {
            let after = attributes_end(&frame);
            frame = frame.slice(after..);
        }
        let line = memchr::memchr(b'\r', &frame).unwrap_or(frame.len());
        Self { content: Content::Frame { bytes: frame, line }, parts: OnceLock::new(), depth: 0 }
    }

    /// An array of whole frames that came one by one, with what kept the others from coming.
    pub(crate) fn gathered(outcomes: Vec<Result<Bytes>>) -> Self {
        Self { content: Content::Gathered(outcomes.into()), parts: OnceLock::new(), depth: 0 }
    }

    /// The reply itself, or the error that it is.
    ///
    /// # Errors
    /// The server's error, or why no reply came.
    pub fn into_result(self) -> Result<Self> {
        match self.error() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// What the reply is.
    pub fn kind(&self) -> ReplyKind {
        let Content::Frame { bytes, .. } = &self.content else {
            return match self.content {
                Content::Failed(_) => ReplyKind::Error,
                _ => ReplyKind::Array,
            };
        };
        match bytes.first() {
            Some(b'$') if self.line() != b"-1" => ReplyKind::String,
            Some(b'*') if self.line() != b"-1" => ReplyKind::Array,
            Some(b'+') => ReplyKind::Status,
            Some(b':') => ReplyKind::Integer,
            Some(b',') => ReplyKind::Double,
            Some(b'#') => ReplyKind::Boolean,
            Some(b'(') => ReplyKind::BigNumber,
            Some(b'=') => ReplyKind::Verbatim,
            Some(b'%') => ReplyKind::Map,
            Some(b'~') => ReplyKind::Set,
            Some(b'>') => ReplyKind::Push,
            Some(b'-' | b'!') => ReplyKind::Error,
            _ => ReplyKind::Nil,
        }
    }

    /// The bytes of a string, status, verbatim string (without its format) or big number; `None` for anything else.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self.kind() {
            ReplyKind::String => Some(self.body()),
            ReplyKind::Verbatim => Some(self.body().get(4..).unwrap_or_default()),
            ReplyKind::Status | ReplyKind::BigNumber => Some(self.line()),
            _ => None,
        }
    }

    /// The same, sharing the read buffer's memory.
    pub fn shared_bytes(&self) -> Option<Bytes> {
        let Content::Frame { bytes, .. } = &self.content else { return None };
        self.bytes().map(|part| bytes.slice_ref(part))
    }

    /// The three letters that say what format a verbatim string has.
    pub fn verbatim_format(&self) -> Option<&[u8]> {
        (self.kind() == ReplyKind::Verbatim).then(|| self.body().get(..3).unwrap_or_default())
    }

    /// The number of an integer; `None` for anything else.
    pub fn integer(&self) -> Option<i64> {
        (self.kind() == ReplyKind::Integer).then(|| read(self.line())).flatten()
    }

    /// The number of a double (also infinite, or not a number); `None` for anything else.
    pub fn double(&self) -> Option<f64> {
        (self.kind() == ReplyKind::Double).then(|| read(self.line())).flatten()
    }

    /// The value of a boolean; `None` for anything else.
    pub fn boolean(&self) -> Option<bool> {
        (self.kind() == ReplyKind::Boolean).then(|| self.line() == b"t")
    }

    /// The error that the reply is; `None` for anything else.
    pub fn error(&self) -> Option<Error> {
        match &self.content {
            Content::Failed(error) => Some(error.clone()),
            Content::Frame { bytes, .. } => {
                let text = match bytes.first() {
                    Some(b'-') => self.line(),
                    Some(b'!') => self.body(),
                    _ => return None,
                };
                Some(Error::from_reply(&String::from_utf8_lossy(text)))
            }
            Content::Gathered(_) => None,
        }
    }

    /// The parts of an array, set or push, and the keys and values of a map in turn; none for anything else, and none of what
    /// is nested more than 100 deep, which no command answers.
    pub fn parts(&self) -> &[Self] {
        self.parts.get_or_init(|| self.split())
    }

    /// The keys and values of a map; none for anything else.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&Self, &Self)> {
        let parts = if self.kind() == ReplyKind::Map { self.parts() } else { &[] };
        parts.chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
    }

    /// How many parts there are without looking for them: of a map, its pairs.
    pub fn len(&self) -> usize {
        match self.kind() {
            ReplyKind::Array | ReplyKind::Set | ReplyKind::Push | ReplyKind::Map => match &self.content {
                Content::Gathered(outcomes) => outcomes.len(),
                _ => read(self.line()).unwrap_or(0),
            },
            _ => 0,
        }
    }

    /// Whether there are no parts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A short text of what it is and holds, for messages to people: never more than a line.
    pub fn describe(&self) -> Cow<'static, str> {
        match self.kind() {
            ReplyKind::Nil => "nil".into(),
            ReplyKind::Status => "a status".into(),
            ReplyKind::String => "a string".into(),
            ReplyKind::Verbatim => "a verbatim string".into(),
            ReplyKind::Integer => "an integer".into(),
            ReplyKind::Double => "a double".into(),
            ReplyKind::Boolean => "a boolean".into(),
            ReplyKind::BigNumber => "a big number".into(),
            ReplyKind::Error => "an error".into(),
            ReplyKind::Array => format!("an array of {}", self.len()).into(),
            ReplyKind::Set => format!("a set of {}", self.len()).into(),
            ReplyKind::Push => format!("a push of {}", self.len()).into(),
            ReplyKind::Map => format!("a map of {}", self.len()).into(),
        }
    }

    /// The whole frame, if the reply is one.
    pub(crate) fn frame(&self) -> Option<Bytes> {
        match &self.content {
            Content::Frame { bytes, .. } => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The first line without the type's byte.
    fn line(&self) -> &[u8] {
        match &self.content {
            Content::Frame { bytes, line } => bytes.get(1..*line).unwrap_or_default(),
            _ => &[],
        }
    }

    /// What stands between the first line and the last line end.
    fn body(&self) -> &[u8] {
        match &self.content {
            Content::Frame { bytes, line } => {
                bytes.get(line + 2..bytes.len().saturating_sub(2)).unwrap_or_default()
            }
            _ => &[],
        }
    }

    fn split(&self) -> Box<[Self]> {
        if self.depth == MAX_DEPTH {
            return Box::default();
        }
        let depth = self.depth + 1;
        let (bytes, line) = match &self.content {
            Content::Frame { bytes, line } => (bytes, line),
            Content::Gathered(outcomes) => {
                let part = |outcome: &Result<Bytes>| match outcome {
                    Ok(frame) => Self { depth, ..Self::scanned(frame.clone()) },
                    Err(error) => Self::from(error.clone()),
                };
                return outcomes.iter().map(part).collect();
            }
            Content::Failed(_) => return Box::default(),
        };
        let per_entry = if self.kind() == ReplyKind::Map { 2 } else { 1 };
        let count = self.len() * per_entry;
        let (mut parts, mut at) = (Vec::with_capacity(count), line + 2);
        for _ in 0..count {
            let Ok(Some(frame)) = Scanner::new(usize::MAX / 4).scan(bytes.get(at..).unwrap_or_default())
            else {
                break;
            };
            parts.push(Self { depth, ..Self::scanned(bytes.slice(at..at + frame.end)) });
            at += frame.end;
        }
        parts.into_boxed_slice()
    }
}

/// What kept a command from being answered, in the place of its reply.
impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        Self { content: Content::Failed(error), parts: OnceLock::new(), depth: 0 }
    }
}

fn read<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// One past the attributes at the start of a whole frame.
fn attributes_end(frame: &[u8]) -> usize {
    let line = memchr::memchr(b'\r', frame).unwrap_or(frame.len());
    let pairs: usize = frame.get(1..line).and_then(read).unwrap_or(0);
    let mut at = (line + 2).min(frame.len());
    for _ in 0..pairs * 2 {
        match Scanner::new(usize::MAX / 4).scan(&frame[at..]) {
            Ok(Some(found)) => at += found.end,
            _ => return frame.len(),
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::decode::decode;
    use proptest::prelude::*;
    use redis::Value;

    fn reply(text: &'static str) -> Reply {
        Reply::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn every_type_shows_its_own_value_and_no_other() {
        let all = [
            ("_\r\n", ReplyKind::Nil),
            ("$-1\r\n", ReplyKind::Nil),
            ("*-1\r\n", ReplyKind::Nil),
            ("+OK\r\n", ReplyKind::Status),
            ("$2\r\nab\r\n", ReplyKind::String),
            ("=6\r\ntxt:ab\r\n", ReplyKind::Verbatim),
            (":-7\r\n", ReplyKind::Integer),
            (",1.5\r\n", ReplyKind::Double),
            ("#t\r\n", ReplyKind::Boolean),
            ("(123456789012345678901\r\n", ReplyKind::BigNumber),
            ("*1\r\n:1\r\n", ReplyKind::Array),
            ("%1\r\n+a\r\n:1\r\n", ReplyKind::Map),
            ("~1\r\n:1\r\n", ReplyKind::Set),
            (">1\r\n+x\r\n", ReplyKind::Push),
            ("-ERR no\r\n", ReplyKind::Error),
            ("!6\r\nERR no\r\n", ReplyKind::Error),
            ("|1\r\n+a\r\n*1\r\n+b\r\n:5\r\n", ReplyKind::Integer),
        ];
        for (text, kind) in all {
            let reply = reply(text);
            assert_eq!(reply.kind(), kind, "{text}");
            let strings = [ReplyKind::Status, ReplyKind::String, ReplyKind::Verbatim, ReplyKind::BigNumber];
            assert_eq!(reply.bytes().is_some(), strings.contains(&kind), "{text}");
            assert_eq!(reply.shared_bytes().as_deref(), reply.bytes());
            assert_eq!(reply.integer().is_some(), kind == ReplyKind::Integer);
            assert_eq!(reply.double().is_some(), kind == ReplyKind::Double);
            assert_eq!(reply.boolean().is_some(), kind == ReplyKind::Boolean);
            assert_eq!(reply.error().is_some(), kind == ReplyKind::Error);
            assert_eq!(reply.pairs().len() > 0, kind == ReplyKind::Map);
            let many = [ReplyKind::Array, ReplyKind::Map, ReplyKind::Set, ReplyKind::Push];
            assert_eq!(reply.len(), usize::from(many.contains(&kind)), "{text}");
        }
        assert_eq!(reply("=6\r\ntxt:ab\r\n").verbatim_format(), Some(&b"txt"[..]));
        assert_eq!(reply("=6\r\ntxt:ab\r\n").bytes(), Some(&b"ab"[..]));
        assert_eq!(reply("|1\r\n+a\r\n*1\r\n+b\r\n:5\r\n").integer(), Some(5));
        assert_eq!(reply("!6\r\nERR no\r\n").error().unwrap().message(), "ERR no");
    }

    #[test]
    fn numbers_at_their_ends_can_be_read() {
        assert_eq!(reply(":9223372036854775807\r\n").integer(), Some(i64::MAX));
        assert_eq!(reply(":-9223372036854775808\r\n").integer(), Some(i64::MIN));
        assert_eq!(reply(",inf\r\n").double(), Some(f64::INFINITY));
        assert_eq!(reply(",-inf\r\n").double(), Some(f64::NEG_INFINITY));
        assert!(reply(",nan\r\n").double().unwrap().is_nan());
    }

    #[test]
    fn parts_are_whole_replies() {
        let nested =
            reply("*3\r\n*2\r\n:1\r\n$0\r\n\r\n|1\r\n+k\r\n+v\r\n$1\r\nx\r\n%1\r\n+a\r\n~1\r\n_\r\n");
        assert_eq!(nested.parts().len(), 3);
        assert_eq!(nested.parts()[0].parts()[1].bytes(), Some(&b""[..]));
        assert_eq!(nested.parts()[1].bytes(), Some(&b"x"[..]));
        let (key, value) = nested.parts()[2].pairs().next().unwrap();
        assert_eq!((key.bytes(), value.parts()[0].kind()), (Some(&b"a"[..]), ReplyKind::Nil));
    }

    #[test]
    fn a_gathered_array_holds_what_came_and_what_did_not() {
        let failed = Error::new(ErrorCode::ConnectionLost, "Gone.", "").executed(true);
        let frame = Bytes::from_static;
        let all = Reply::gathered(vec![Ok(frame(b":1\r\n")), Err(failed), Ok(frame(b"-ERR no\r\n"))]);
        assert_eq!((all.kind(), all.len()), (ReplyKind::Array, 3));
        assert_eq!(all.parts()[0].integer(), Some(1));
        assert!(all.parts()[1].error().unwrap().maybe_executed());
        assert_eq!(all.parts()[2].error().unwrap().code(), ErrorCode::Server);
    }

    #[test]
    fn what_is_nested_without_end_has_an_end() {
        let frame = "*1\r\n".repeat(60_000) + ":1\r\n";
        let whole = Reply::parse(frame.into()).unwrap();
        let (mut deepest, mut depth) = (&whole, 0);
        while let Some(part) = deepest.parts().first() {
            (deepest, depth) = (part, depth + 1);
        }
        assert_eq!(depth, usize::from(MAX_DEPTH));
        drop(whole.clone());
    }

    #[test]
    fn half_a_frame_and_two_frames_are_refused() {
        for text in ["", "$2\r\na", ":1\r\n:2\r\n", "?"] {
            assert!(Reply::parse(Bytes::from_static(text.as_bytes())).is_err(), "{text}");
        }
    }

    fn same(reply: &Reply, value: &Value) -> bool {
        let list = |items: &[Value]| {
            items.len() == reply.parts().len()
                && items.iter().zip(reply.parts()).all(|(value, part)| same(part, value))
        };
        match value {
            Value::Nil => reply.kind() == ReplyKind::Nil,
            Value::Int(number) => reply.integer() == Some(*number),
            Value::BulkString(bytes) => reply.bytes() == Some(bytes),
            Value::Okay => reply.bytes() == Some(b"OK"),
            Value::SimpleString(text) => reply.bytes() == Some(text.as_bytes()),
            Value::Boolean(value) => reply.boolean() == Some(*value),
            Value::Array(items) | Value::Set(items) => list(items),
            Value::Map(pairs) => {
                pairs.len() == reply.pairs().len()
                    && pairs.iter().zip(reply.pairs()).all(|((a, b), (x, y))| same(x, a) && same(y, b))
            }
            _ => false,
        }
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            prop::collection::vec(any::<u8>(), 0..20)
                .prop_map(|bytes| { [format!("${}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat() }),
            Just(b"_\r\n".to_vec()),
            Just(b"#t\r\n".to_vec()),
            "[a-z ]{0,8}".prop_map(|text| format!("+{text}\r\n").into_bytes()),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let many = |kind: char| {
                prop::collection::vec(inner.clone(), 0..6).prop_map(move |items| {
                    [format!("{kind}{}\r\n", items.len()).into_bytes(), items.concat()].concat()
                })
            };
            let map = prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(|pairs| {
                let all: Vec<u8> = pairs.iter().flat_map(|(key, value)| [&key[..], value].concat()).collect();
                [format!("%{}\r\n", pairs.len()).into_bytes(), all].concat()
            });
            prop_oneof![many('*'), many('~'), map]
        })
    }

    proptest! {
        #[test]
        fn a_reply_shows_what_its_value_holds(frame in frames()) {
            let value = decode(&frame).unwrap();
            let reply = Reply::parse(frame.into()).unwrap();
            prop_assert!(same(&reply, &value));
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(reply) = Reply::parse(bytes.into()) {
                let _ = (reply.parts().len(), reply.bytes().map(<[u8]>::len), reply.error(), reply.len());
            }
        }
    }
}
