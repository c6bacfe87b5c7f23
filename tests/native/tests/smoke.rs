//! The shortest program in C: connect, set, get, close.

use keyless_native::{Build, command, emulator, run};
use std::time::Duration;

#[test]
fn a_c_program_sets_and_gets() {
    let emulator = emulator(Duration::from_hours(1));
    let program = Build::default().compile("c/smoke.c");
    assert_eq!(run(command(&program, &emulator)), "value\n");
}
