//! Connections are cut under load while the server stays: what was acknowledged is there, what was said
//! not to have been executed is not.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{Client, ErrorCode};
use keyless_conformance::load::Load;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use keyless_emulator::Cut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CUTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_increment_is_accounted_for() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(Duration::from_secs(60));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    client.execute::<()>(cmd("SET").arg("constant").arg("value")).await.unwrap();
    let load = Load::start(&client, 100);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut reads = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    let value: String = client.execute(cmd("GET").arg("constant")).await?;
                    assert_eq!(value, "value");
                    reads += 1;
                }
                Ok::<_, keyless::Error>(reads)
            })
        })
        .collect();
    for cut in 0..CUTS {
        load.progress(1_000).await;
        emulator.faults().cut_connections(if cut % 2 == 0 { Cut::Reset } else { Cut::Close });
        events.wait(EventMask::CONNECTION_RESTORED, cut + 1, SOON).await;
    }
    load.progress(1_000).await;
    stop.store(true, Ordering::Relaxed);
    let mut reads = 0;
    for reader in readers {
        reads += reader.await.unwrap().expect("what only reads is sent again and never fails");
    }
    let journals = load.stop().await;
    let (mut missing, mut present, mut unknown, mut unknown_present) = (0, 0, 0, 0);
    for journal in &journals {
        let value: Option<u64> = client.execute(cmd("GET").arg(&journal.key)).await.unwrap();
        let value = value.unwrap_or_default();
        missing += journal.acknowledged.saturating_sub(value);
        present += value.saturating_sub(journal.acknowledged + journal.maybe_executed());
        unknown += journal.maybe_executed();
        unknown_present += value.saturating_sub(journal.acknowledged);
        assert_eq!(journal.wrong, 0, "{}: answers out of order", journal.key);
        for error in &journal.errors {
            assert_eq!(error.code(), ErrorCode::ConnectionLost, "{error:?}");
            assert!(error.maybe_executed(), "what was not written is queued: {error:?}");
        }
    }
    println!(
        "{CUTS} cuts, {} increments acknowledged, {missing} of them missing; {unknown} unknown, {unknown_present} of them executed; \
         {present} said not to be executed but present; {reads} reads",
        journals.iter().map(|journal| journal.acknowledged).sum::<u64>()
    );
    assert_eq!((missing, present), (0, 0));
    assert_eq!(events.count(EventMask::CONNECTION_LOST), CUTS);
    assert_eq!(client.stats().in_flight, 0);
}
