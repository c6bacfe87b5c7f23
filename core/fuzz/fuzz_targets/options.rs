//! Connection strings and URLs.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| keyless::fuzzing::options(text));
