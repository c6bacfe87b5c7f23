//! From a whole frame to `redis::Value`. The common types are read here, because this runs once per
//! reply; the rare ones go through the redis crate's own parser, so that its optional types fit.

use crate::error::{Error, ErrorCode, Result};
use redis::{PushKind, Value, VerbatimFormat};

/// How deep aggregates may be nested, as in the redis crate.
const MAX_DEPTH: u32 = 100;

/// The value of one whole frame. A top-level error reply is the error; nested ones stay values.
pub(crate) fn decode(frame: &[u8]) -> Result<Value> {
    match frame.first() {
        Some(b'-') => Err(Error::from_reply(&text(line(&frame[1..])?.0))),
        Some(b'!') => Err(Error::from_reply(&text(bulk(&frame[1..])?.0))),
        _ => {
            let (value, rest) = value(frame, 0)?;
            if rest.is_empty() { Ok(value) } else { Err(malformed()) }
        }
    }
}

fn value(bytes: &[u8], depth: u32) -> Result<(Value, &[u8])> {
    let (&kind, rest) = bytes.split_first().ok_or_else(malformed)?;
    if depth > MAX_DEPTH {
        return Err(malformed());
    }
    match kind {
        b'$' => {
            if rest.starts_with(b"-1\r\n") {
                return Ok((Value::Nil, &rest[4..]));
            }
            let (bytes, rest) = bulk(rest)?;
            Ok((Value::BulkString(bytes.to_vec()), rest))
        }
        b'+' => {
            let (line, rest) = line(rest)?;
            Ok((if line == b"OK" { Value::Okay } else { Value::SimpleString(text(line)) }, rest))
        }
        b':' => {
            let (line, rest) = line(rest)?;
            let number = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
            Ok((Value::Int(number.ok_or_else(malformed)?), rest))
        }
        b'_' => Ok((Value::Nil, line(rest)?.1)),
        b'#' => {
            let (line, rest) = line(rest)?;
            Ok((Value::Boolean(line == b"t"), rest))
        }
        b',' => {
            let (line, rest) = line(rest)?;
            let number = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
            Ok((Value::Double(number.ok_or_else(malformed)?), rest))
        }
        b'=' => {
            let (bytes, rest) = bulk(rest)?;
            let body = text(bytes.get(4..).ok_or_else(malformed)?);
            let format = match &bytes[..3] {
                b"txt" => VerbatimFormat::Text,
                b"mkd" => VerbatimFormat::Markdown,
                other => VerbatimFormat::Unknown(text(other)),
            };
            Ok((Value::VerbatimString { format, text: body }, rest))
        }
        b'*' if rest.starts_with(b"-1\r\n") => Ok((Value::Nil, &rest[4..])),
        b'*' => many(rest, depth).map(|(items, rest)| (Value::Array(items), rest)),
        b'~' => many(rest, depth).map(|(items, rest)| (Value::Set(items), rest)),
        b'>' => {
            let (mut items, rest) = many(rest, depth)?;
            if items.is_empty() {
                return Err(malformed());
            }
            let kind = match items.remove(0) {
                Value::SimpleString(kind) => push_kind(&kind),
                Value::BulkString(kind) => push_kind(&text(&kind)),
                _ => return Err(malformed()),
            };
            Ok((Value::Push { kind, data: items }, rest))
        }
        b'%' => pairs(rest, depth).map(|(items, rest)| (Value::Map(items), rest)),
        b'|' => {
            let (attributes, rest) = pairs(rest, depth)?;
            let (data, rest) = value(rest, depth + 1)?;
            Ok((Value::Attribute { data: Box::new(data), attributes }, rest))
        }
        b'(' | b'-' | b'!' => {
            let used = 1 + if kind == b'!' {
                rest.len() - bulk(rest)?.1.len()
            } else {
                rest.len() - line(rest)?.1.len()
            };
            let value = redis::parse_redis_value(&bytes[..used]).map_err(|_| malformed())?;
            Ok((value, &bytes[used..]))
        }
        _ => Err(malformed()),
    }
}

fn many(bytes: &[u8], depth: u32) -> Result<(Vec<Value>, &[u8])> {
    let (count, mut rest) = number(bytes)?;
    // The frame is whole, so its length bounds the count; a lying count fails on the first missing item.
    let mut items = Vec::with_capacity(count.min(rest.len() / 3 + 1));
    for _ in 0..count {
        let (item, after) = value(rest, depth + 1)?;
        items.push(item);
        rest = after;
    }
    Ok((items, rest))
}

/// What maps and attributes hold.
type Pairs = Vec<(Value, Value)>;

fn pairs(bytes: &[u8], depth: u32) -> Result<(Pairs, &[u8])> {
    let (count, mut rest) = number(bytes)?;
    let mut items = Vec::with_capacity(count.min(rest.len() / 6 + 1));
    for _ in 0..count {
        let (key, after) = value(rest, depth + 1)?;
        let (item, after) = value(after, depth + 1)?;
        items.push((key, item));
        rest = after;
    }
    Ok((items, rest))
}

fn line(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\r', bytes).ok_or_else(malformed)?;
    Ok((&bytes[..end], bytes.get(end + 2..).ok_or_else(malformed)?))
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let (line, rest) = line(bytes)?;
    let mut value = 0usize;
    for byte in line {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(malformed());
        }
        value =
            value.checked_mul(10).and_then(|value| value.checked_add(digit.into())).ok_or_else(malformed)?;
    }
    Ok((value, rest))
}

fn bulk(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    let end = length.checked_add(2).ok_or_else(malformed)?;
    Ok((rest.get(..length).ok_or_else(malformed)?, rest.get(end..).ok_or_else(malformed)?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn push_kind(kind: &str) -> PushKind {
    match kind {
        "invalidate" => PushKind::Invalidate,
        "message" => PushKind::Message,
        "pmessage" => PushKind::PMessage,
        "smessage" => PushKind::SMessage,
        "subscribe" => PushKind::Subscribe,
        "psubscribe" => PushKind::PSubscribe,
        "ssubscribe" => PushKind::SSubscribe,
        "unsubscribe" => PushKind::Unsubscribe,
        "punsubscribe" => PushKind::PUnsubscribe,
        "sunsubscribe" => PushKind::SUnsubscribe,
        other => PushKind::Other(other.to_owned()),
    }
}

fn malformed() -> Error {
    Error::new(
        ErrorCode::Protocol,
        "A reply is framed as RESP but its content is not.",
        "This points at a proxy or server that alters replies; the connection itself stays in step.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::frame::tests_support::reply;
    use proptest::prelude::*;

    proptest! {
        /// The redis crate's own parser is the reference. NaN is unequal to itself, so texts are compared.
        #[test]
        fn agrees_with_the_redis_crate(frame in reply()) {
            let reference = redis::parse_redis_value(&frame).unwrap();
            match decode(&frame) {
                Ok(value) => prop_assert_eq!(format!("{value:?}"), format!("{reference:?}")),
                Err(error) => {
                    prop_assert!(matches!(reference, Value::ServerError(_)), "{error} for {reference:?}");
                }
            }
        }

        #[test]
        fn no_bytes_panic(frame in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&frame);
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let frame = [b"*1\r\n".repeat(5000), b":1\r\n".to_vec()].concat();
        assert_eq!(decode(&frame).unwrap_err().code(), ErrorCode::Protocol);
    }
}
