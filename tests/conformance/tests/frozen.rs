//! The path or the server stands still without closing anything.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{Client, ErrorCode};
use keyless_conformance::collector::Collector;
use keyless_conformance::load::Load;
use keyless_conformance::{Events, SOON, client_secret, emulator, eventually, options};
use keyless_emulator::{Emulator, Freeze};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(600);
const WRITTEN: usize = 200;

/// Stands still, is noticed, moves again, and everything is as before.
async fn is_noticed(stop: impl FnOnce(&Emulator), go_on: impl FnOnce(&Emulator)) {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(TIMEOUT).with_connect_timeout(TIMEOUT);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    client.execute::<()>(cmd("SET").arg("key").arg(1)).await.unwrap();

    stop(&emulator);
    let mut batch = keyless::Batch::new();
    for _ in 0..WRITTEN {
        batch.push(&["INCR", "key"]).unwrap();
    }
    let collector = Collector::new(WRITTEN);
    let begun = Instant::now();
    client.submit(&mut batch, 0, collector.clone()).unwrap();
    let (outcomes, _) = collector.outcomes().await;
    let took = begun.elapsed();
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Timeout, "{error:?}");
        assert!(error.maybe_executed(), "{error:?}");
    }
    assert!(took >= TIMEOUT, "not before its time: {took:?}");
    assert!(took < TIMEOUT + SOON / 10, "in time: {took:?}");
    events.wait(EventMask::CONNECTION_LOST, 1, SOON).await;
    let noticed = begun.elapsed();
    // Meanwhile commands wait, and are told in time that they were never sent.
    let error = client.execute::<()>(cmd("INCR").arg("key")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Timeout, "{error:?}");
    assert!(!error.maybe_executed(), "{error:?}");

    go_on(&emulator);
    let back = Instant::now();
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    let restored = back.elapsed();
    let load = Load::start(&client, 20);
    load.progress(500).await;
    let journals = load.stop().await;
    println!(
        "told after {took:?} of {TIMEOUT:?}, given up after {noticed:?}, restored {restored:?} after the end; {} commands since",
        journals.iter().map(|journal| journal.acknowledged).sum::<u64>()
    );
    assert!(journals.iter().all(|journal| journal.wrong == 0));
    eventually("nothing in flight", SOON, || client.stats().in_flight == 0).await;
    assert_eq!(client.stats().queued, 0);
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 1, "{:?}", events.all());
}

#[tokio::test]
async fn answers_no_longer_come() {
    is_noticed(
        |emulator| emulator.faults().freeze(Freeze::ToClient, None),
        |emulator| emulator.faults().thaw(),
    )
    .await;
}

#[tokio::test]
async fn nothing_moves_either_way() {
    is_noticed(|emulator| emulator.faults().freeze(Freeze::Both, None), |emulator| emulator.faults().thaw())
        .await;
}

#[tokio::test]
async fn the_server_is_stopped() {
    is_noticed(|emulator| emulator.pause_redis().unwrap(), |emulator| emulator.resume_redis().unwrap()).await;
}

#[tokio::test]
async fn a_short_pause_costs_late_commands_and_not_the_connection() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(Duration::from_secs(2));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    emulator.faults().freeze(Freeze::ToClient, None);
    let short = Collector::new(1);
    let mut batch = keyless::Batch::new();
    batch.push(&["INCR", "key"]).unwrap();
    client.submit_within(&mut batch, 0, short.clone(), Duration::from_millis(100)).unwrap();
    let error = short.outcomes().await.0.remove(0).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Timeout, "{error:?}");
    emulator.faults().thaw();
    // The late reply takes its own place: the next command gets its own.
    let value: i64 = client.execute(cmd("INCR").arg("key")).await.unwrap();
    assert_eq!(value, 2);
    eventually("nothing in flight", SOON, || client.stats().in_flight == 0).await;
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
    assert_eq!(emulator.stats().connections.opened, 1);
}
