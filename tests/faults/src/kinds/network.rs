//! The way to the server: it breaks, or swallows everything.

use crate::journal::Journal;
use crate::report::Row;
use crate::rig::{Rig, Scale};
use keyless::event::EventMask;
use keyless_conformance::SOON;
use keyless_emulator::{Cut, Freeze};
use std::time::Duration;

/// Connections are reset while pipelines are half written and half answered.
pub(super) async fn connection_reset_in_pipelines(scale: Scale) -> Row {
    let rig = Rig::plain().await;
    let journal = Journal::start(&rig.client, 30);
    let times = scale.times(20, 2_000);
    for time in 0..times {
        // Not always at the same place.
        journal.progress(200 + 37 * (time % 10)).await;
        rig.emulator.faults().cut_connections(if time % 4 == 3 { Cut::Close } else { Cut::Reset });
    }
    journal.progress(500).await;
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}

/// Nothing gets through in either direction and nobody is told, for longer than the client waits.
pub(super) async fn connection_half_open(scale: Scale) -> Row {
    let short = Duration::from_millis(500);
    let rig =
        Rig::new(|_| {}, |options| options.with_command_timeout(short).with_connect_timeout(short)).await;
    let journal = Journal::start(&rig.client, 9);
    let times = scale.times(2, 100);
    for time in 1..=times {
        journal.progress(500).await;
        rig.emulator.faults().freeze(Freeze::Both, None);
        let noticed = usize::try_from(time).expect("a small number");
        rig.events.wait(EventMask::CONNECTION_LOST, noticed, SOON).await;
        // What waits for a connection runs out of time as well.
        tokio::time::sleep(short).await;
        rig.emulator.faults().thaw();
        rig.events.wait(EventMask::CONNECTION_RESTORED, noticed, SOON).await;
    }
    journal.progress(500).await;
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}

/// One connection after the other, each cut as soon as it is there: nothing is left behind.
pub(super) async fn reconnect_cycles(scale: Scale) -> Row {
    let quick = Duration::from_millis(5);
    let fast = |options: keyless::Options| {
        options.with_reconnect_backoff_min(quick).with_reconnect_backoff_max(quick).with_command_timeout(SOON)
    };
    let rig = Rig::new(|_| {}, fast).await;
    let journal = Journal::start(&rig.client, 3);
    let times = scale.times(200, 10_000);
    let (mut first, mut last) = (0, 0);
    for time in 1..=times {
        rig.emulator.faults().cut_connections(Cut::Reset);
        let cycles = usize::try_from(time).expect("a small number");
        rig.events.wait(EventMask::CONNECTION_RESTORED, cycles, SOON).await;
        last = descriptors();
        if time == times / 10 {
            first = last;
        }
    }
    journal.progress(100).await;
    assert!(last <= first + 8, "descriptors pile up: {first}, then {last}");
    let stats = rig.client.stats();
    assert_eq!((stats.reconnects, stats.connections), (times, times + 1));
    let row = Row { injected: times, ..journal.audit(&rig.emulator).await };
    row.remark(format!("{first} descriptors after a tenth, {last} in the end"))
}

/// How many files and sockets this process has open.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
