//! A token source and its callbacks end together, whoever else uses the source.

use keyless_native::{Build, command, emulator, run};
use std::time::Duration;

#[test]
fn a_freed_source_calls_nobody_and_its_clients_go_on() {
    let emulator = emulator(Duration::from_secs(3));
    let program = Build::default().compile("c/source_free.c");
    assert_eq!(run(command(&program, &emulator)), "1\n");
    let stats = emulator.stats();
    assert_eq!((stats.connections.opened, stats.connections.closed_at_expiry), (1, 0));
}
