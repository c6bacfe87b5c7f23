//! What a RESP3 push is about, read off its bytes without copying.

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

    proptest! {
        #[test]
        fn no_push_makes_it_panic(tail in "[$*_+0-9a\r\n-]{0,40}") {
            let frame = format!(">2\r\n$10\r\ninvalidate\r\n{tail}").into_bytes();
            prop_assert_eq!(kind(&frame), b"invalidate");
            let _ = invalidated(&frame);
            let _ = (kind(tail.as_bytes()), invalidated(tail.as_bytes()));
        }
    }
}
