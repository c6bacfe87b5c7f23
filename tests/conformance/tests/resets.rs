//! Connections are cut under load while the server stays: what was acknowledged is there, what was said
//! not to have been executed is not.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{Batch, Client, ErrorCode};
use keyless_conformance::collector::Collector;
use keyless_conformance::load::Load;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use keyless_emulator::Cut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CUTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_increment_is_accounted_for() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(Duration::from_mins(1));
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

/// What became of the increments of one caller.
#[derive(Debug, Default)]
struct Increments {
    acknowledged: u64,
    unknown: u64,
    highest: u64,
    reads: u64,
    wrong: u64,
}

/// Reads and increments in turn, many outstanding, each batch ended once and in order.
async fn in_batches(client: Client, key: String, stop: Arc<AtomicBool>) -> Increments {
    let (mut seen, mut sent, mut batch) = (Increments::default(), VecDeque::new(), Batch::new());
    while !stop.load(Ordering::Relaxed) || !sent.is_empty() {
        while sent.len() < 20 && !stop.load(Ordering::Relaxed) {
            for _ in 0..25 {
                batch.push(&["INCR", &key]).unwrap();
                batch.push(&["GET", "constant"]).unwrap();
            }
            let collector = Collector::new(batch.len());
            client.submit(&mut batch, 0, collector.clone()).unwrap();
            sent.push_back(collector);
        }
        let Some(oldest) = sent.pop_front() else { break };
        let (outcomes, out_of_order) = oldest.outcomes().await;
        seen.wrong += out_of_order as u64;
        for (place, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(reply) if place % 2 == 1 => {
                    seen.reads += 1;
                    seen.wrong += u64::from(reply != b"$5\r\nvalue\r\n");
                }
                Ok(reply) => {
                    let value: u64 = String::from_utf8_lossy(&reply[1..]).trim().parse().unwrap();
                    seen.acknowledged += 1;
                    let most = seen.acknowledged + seen.unknown;
                    seen.wrong += u64::from(value <= seen.highest || value > most);
                    seen.highest = value;
                }
                Err(error) => {
                    assert_eq!(place % 2, 0, "what only reads is sent again: {error:?}");
                    assert!(error.maybe_executed(), "what was not written is queued: {error:?}");
                    seen.unknown += 1;
                }
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_a_batch_ends_once_and_in_order() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(Duration::from_mins(1));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    client.execute::<()>(cmd("SET").arg("constant").arg("value")).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let caller =
        |number| tokio::spawn(in_batches(client.clone(), format!("batch:{number}"), Arc::clone(&stop)));
    let callers: Vec<_> = (0..4).map(caller).collect();
    for cut in 0..CUTS {
        let commands = emulator.stats().commands;
        emulator.wait_until(move |stats| stats.commands > commands + 20_000, SOON).await.unwrap();
        emulator.faults().cut_connections(if cut % 2 == 0 { Cut::Reset } else { Cut::Close });
        events.wait(EventMask::CONNECTION_RESTORED, cut + 1, SOON).await;
    }
    stop.store(true, Ordering::Relaxed);
    for (number, caller) in callers.into_iter().enumerate() {
        let seen = tokio::time::timeout(SOON, caller).await.expect("every command ends").unwrap();
        let value: u64 = client.execute(cmd("GET").arg(format!("batch:{number}"))).await.unwrap();
        println!("{seen:?}, {value} in the end");
        assert_eq!(seen.wrong, 0);
        assert!(value >= seen.acknowledged, "acknowledged and missing");
        assert!(value <= seen.acknowledged + seen.unknown, "said not to be executed but present");
    }
    assert_eq!(events.count(EventMask::CONNECTION_LOST), CUTS);
}
