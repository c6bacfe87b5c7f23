//! The arguments of an encoded request, one after the other, without allocation.

use std::ops::Range;

/// One argument of an encoded request; the name is the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arg {
    /// Its position; 0 is the name.
    pub(crate) index: usize,
    /// Where it stands with its `$<length>` and line ends.
    pub(crate) bulk: Range<usize>,
    /// Where its own bytes stand.
    pub(crate) payload: Range<usize>,
}

/// Walks over the arguments of a request (`*<count>\r\n$<length>\r\n<bytes>\r\n...`). Ends early where the
/// bytes are no such request.
#[derive(Clone, Debug)]
pub(crate) struct Args<'a> {
    bytes: &'a [u8],
    at: usize,
    index: usize,
    count: usize,
}

impl<'a> Args<'a> {
    pub(crate) fn new(request: &'a [u8]) -> Self {
        let (count, at) = number(request, 0, b'*').unwrap_or_default();
        Self { bytes: request, at, index: 0, count }
    }

    /// How many there are, the name included.
    pub(super) fn total(&self) -> usize {
        self.count
    }

    /// The position of the next one.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The argument at a position that has not been passed yet.
    pub(super) fn skip_to(&mut self, index: usize) -> Option<Arg> {
        while self.index < index {
            self.next()?;
        }
        self.next()
    }

    pub(super) fn bytes(&self, arg: &Arg) -> &'a [u8] {
        &self.bytes[arg.payload.clone()]
    }
}

impl Iterator for Args<'_> {
    type Item = Arg;

    #[inline]
    fn next(&mut self) -> Option<Arg> {
        if self.index >= self.count {
            return None;
        }
        let (length, start) = number(self.bytes, self.at, b'$')?;
        let end = start.checked_add(length)?;
        if end.checked_add(2)? > self.bytes.len() {
            return None;
        }
        let arg = Arg { index: self.index, bulk: self.at..end + 2, payload: start..end };
        self.index += 1;
        self.at = end + 2;
        Some(arg)
    }
}

/// The number of a line that begins with `kind` at `at`, and where the next line begins.
#[inline]
fn number(bytes: &[u8], mut at: usize, kind: u8) -> Option<(usize, usize)> {
    if *bytes.get(at)? != kind {
        return None;
    }
    let mut number = 0usize;
    loop {
        at += 1;
        match *bytes.get(at)? {
            digit @ b'0'..=b'9' => number = number.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?,
            b'\r' => return Some((number, at + 2)),
            _ => return None,
        }
    }
}

/// A decimal argument.
pub(super) fn decimal(payload: &[u8]) -> Option<usize> {
    if payload.is_empty() {
        return None;
    }
    payload.iter().try_fold(0usize, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The name of an encoded command.
pub(crate) fn name(request: &[u8]) -> Option<&[u8]> {
    let mut args = Args::new(request);
    let name = args.next()?;
    Some(args.bytes(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Batch;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_argument_is_found_where_it_is(
            args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6),
        ) {
            let mut batch = Batch::new();
            batch.push_own(&args);
            let walk = Args::new(&batch.bytes);
            let found: Vec<_> = walk.clone().map(|arg| walk.bytes(&arg).to_vec()).collect();
            prop_assert_eq!(&found, &args);
            let bulks: Vec<u8> = walk.clone().flat_map(|arg| batch.bytes[arg.bulk].to_vec()).collect();
            prop_assert_eq!(format!("*{}\r\n", args.len()).into_bytes(), &batch.bytes[..batch.bytes.len() - bulks.len()]);
            prop_assert_eq!(name(&batch.bytes), Some(&args[0][..]));
        }

        #[test]
        fn garbage_ends_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0usize..4) {
            let mut request = format!("*{count}\r\n$").into_bytes();
            request.extend(bytes);
            prop_assert!(Args::new(&request).count() <= count);
        }
    }
}
