//! The emulator's search for sign-ins: what is not rewritten passes unchanged, however it is split.
#![no_main]

use keyless_emulator::Scanner;

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8])| {
    let (stream, pieces) = input;
    let mut whole = (Vec::new(), 0);
    let mut scanner = Scanner::default();
    scanner.feed(stream, &mut whole.0, |_, _| {
        whole.1 += 1;
        false
    });
    assert!(stream.starts_with(&whole.0), "what passes is what came");

    let (mut split, mut rest) = ((Vec::new(), 0), stream);
    let mut scanner = Scanner::default();
    let mut sizes = pieces.iter().map(|size| usize::from(*size).max(1)).chain(std::iter::repeat(1));
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        scanner.feed(piece, &mut split.0, |_, _| {
            split.1 += 1;
            false
        });
        rest = later;
    }
    assert_eq!(split, whole, "the split of a stream changes nothing");
});
