//! A connection is replaced by a fresh one under a caller who does not wait for one command before sending
//! the next: the order in which commands are executed stays the order in which they were sent.

use keyless::event::EventMask;
use keyless::{Batch, Client};
use keyless_conformance::collector::Collector;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const BATCH: usize = 100;
const OUTSTANDING: usize = 100;

/// Increments one key, many at a time; says how many, and how many answers were not the next number.
async fn increment(client: Client, stop: Arc<AtomicBool>) -> (u64, u64) {
    let (mut sent, mut batch) = (VecDeque::new(), Batch::new());
    let (mut next, mut wrong) = (1u64, 0u64);
    while !stop.load(Ordering::Relaxed) || !sent.is_empty() {
        while sent.len() < OUTSTANDING && !stop.load(Ordering::Relaxed) {
            for _ in 0..BATCH {
                batch.push(&["INCR", "key"]).unwrap();
            }
            let collector = Collector::new(BATCH);
            client.submit(&mut batch, 0, collector.clone()).unwrap();
            sent.push_back(collector);
        }
        let Some(oldest) = sent.pop_front() else { break };
        for outcome in oldest.outcomes().await.0 {
            let reply = outcome.expect("no command fails");
            wrong += u64::from(reply != format!(":{next}\r\n").into_bytes());
            next += 1;
        }
    }
    (next - 1, wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_flight_go_before_those_of_the_successor() {
    let emulator = emulator(Duration::from_secs(6)).await;
    // The old connection tries again slowly, so that the fresh one is there first.
    let options =
        options(&emulator).with_command_timeout(SOON).with_reauth_retry_min(Duration::from_millis(500));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let stop = Arc::new(AtomicBool::new(false));
    let caller = tokio::spawn(increment(client.clone(), Arc::clone(&stop)));
    let mut successions = 0;
    let mut rounds = 0;
    while successions < 2 && rounds < 10 {
        rounds += 1;
        let opened = client.stats().connections;
        let renewed = events.count(EventMask::CONNECTION_REAUTHENTICATED);
        emulator.faults().refuse_auth(None);
        emulator
            .wait_until(move |stats| stats.connections.opened > opened && stats.connections.open >= 2, SOON)
            .await
            .expect("a second connection beside the first");
        emulator.faults().clear_auth();
        // Either the old connection is signed in after all, or the fresh one takes its place.
        keyless_conformance::eventually("signed in", SOON, || {
            client.stats().connections > opened
                || events.count(EventMask::CONNECTION_REAUTHENTICATED) > renewed
        })
        .await;
        successions += client.stats().connections - opened;
    }
    stop.store(true, Ordering::Relaxed);
    let (commands, wrong) = tokio::time::timeout(SOON, caller).await.expect("every command ends").unwrap();
    println!(
        "{commands} increments over {successions} successions in {rounds} rounds, {wrong} answers out of order"
    );
    assert_eq!(wrong, 0);
    assert!(successions >= 1);
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0, "{:?}", events.all());
    assert_eq!(emulator.stats().connections.closed_at_expiry, 0);
}
