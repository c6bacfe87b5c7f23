//! What a RESP3 push is about, read off its bytes without copying.

use std::time::Duration;

/// The kind of a push: its first string (`message`, `invalidate` ...); empty if there is none.
pub(crate) fn kind(frame: &[u8]) -> &[u8] {
    line(frame).and_then(|(_, rest)| string(rest)).map_or(&[], |(kind, _)| kind)
}

/// What an `invalidate` push says has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invalidated<'a> {
    /// All there is: the database was emptied.
    Everything,
    /// These keys.
    Keys(Vec<&'a [u8]>),
}

/// Reads an `invalidate` push; `None` if it is not what it should be.
pub(crate) fn invalidated(frame: &[u8]) -> Option<Invalidated<'_>> {
    let (_, rest) = line(frame)?;
    let (_, rest) = string(rest)?;
    if rest.first() == Some(&b'_') {
        return Some(Invalidated::Everything);
    }
    let (header, mut rest) = line(rest)?;
    let count = number(header.strip_prefix(b"*")?)?;
    let mut keys = Vec::with_capacity(count.min(1_024));
    for _ in 0..count {
        let (key, after) = string(rest)?;
        keys.push(key);
        rest = after;
    }
    Some(Invalidated::Keys(keys))
}

/// Reads a `MOVING` push (Redis Software 8): `MOVING <number> <seconds> <where>`. Says how long the endpoint still
/// leads to this server; `None` if it is not what it should be.
pub(crate) fn moving(frame: &[u8]) -> Option<Duration> {
    let (_, rest) = line(frame)?;
    let (_, rest) = string(rest)?;
    let (_, rest) = line(rest)?;
    let (seconds, _) = line(rest)?;
    Some(Duration::from_secs(number(seconds.strip_prefix(b":")?)? as u64))
}

/// The first line without its end, and what comes behind it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((bytes.get(..end.checked_sub(1)?)?, &bytes[end + 1..]))
}

/// A string at the beginning, and what comes behind it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = line(bytes)?;
    match header.split_first()? {
        (b'+', text) => Some((text, rest)),
        (b'$', length) => {
            let length = number(length)?;
            Some((rest.get(..length)?, rest.get(length.checked_add(2)?..)?))
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pushes_tell_their_kind_and_invalidated_keys() {
        let keys = b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$4\r\nb\r\nc\r\n";
        assert_eq!(kind(keys), b"invalidate");
        assert_eq!(invalidated(keys), Some(Invalidated::Keys(vec![b"a", b"b\r\nc"])));
        assert_eq!(invalidated(b">2\r\n$10\r\ninvalidate\r\n_\r\n"), Some(Invalidated::Everything));
        assert_eq!(kind(b">3\r\n+message\r\n$1\r\na\r\n$1\r\nb\r\n"), b"message");
        assert_eq!(kind(b">0\r\n"), b"");
    }

    #[test]
    fn a_move_tells_how_long_there_is() {
        assert_eq!(moving(b">4\r\n+MOVING\r\n:7\r\n:15\r\n_\r\n"), Some(Duration::from_secs(15)));
        assert_eq!(moving(b">4\r\n$6\r\nMOVING\r\n:7\r\n:0\r\n$3\r\na:1\r\n"), Some(Duration::ZERO));
        for other in
            [&b">1\r\n+MOVING\r\n"[..], b">3\r\n+MOVING\r\n:7\r\n+x\r\n", b">3\r\n+MOVING\r\n:7\r\n:-1\r\n"]
        {
            assert_eq!(moving(other), None);
        }
    }

    proptest! {
        #[test]
        fn no_push_makes_it_panic(tail in "[$*_+0-9a\r\n-]{0,40}") {
            let frame = format!(">2\r\n$10\r\ninvalidate\r\n{tail}").into_bytes();
            prop_assert_eq!(kind(&frame), b"invalidate");
            let _ = (invalidated(&frame), moving(&frame));
            let _ = (kind(tail.as_bytes()), invalidated(tail.as_bytes()));
        }
    }
}
