//! Commands that a caller encoded.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keyless::fuzzing::encoded_commands(bytes));
