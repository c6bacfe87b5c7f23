//! What a server sends, in whatever pieces it arrives.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8])| keyless::fuzzing::replies(input.0, input.1));
