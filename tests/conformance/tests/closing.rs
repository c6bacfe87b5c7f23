//! The end of a client: in order when asked for, at once when nobody holds it any more.

use keyless::redis::cmd;
use keyless::{Batch, Client, ErrorCode, SubscriberOptions};
use keyless_conformance::collector::Collector;
use keyless_conformance::{SOON, client_secret, emulator, eventually, options};
use keyless_emulator::Freeze;
use std::time::Duration;

const COMMANDS: usize = 500;

#[tokio::test]
async fn close_finishes_what_is_under_way() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(SOON);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    // Nothing is answered before `close` has begun.
    emulator.faults().freeze(Freeze::ToClient, None);
    let mut batch = Batch::new();
    for _ in 0..COMMANDS {
        batch.push(&["INCR", "key"]).unwrap();
    }
    let collector = Collector::new(COMMANDS);
    client.submit(&mut batch, 0, collector.clone()).unwrap();
    let single = client.clone();
    let single = tokio::spawn(async move { single.execute::<i64>(cmd("INCR").arg("other")).await });
    eventually("all handed over", SOON, || client.stats().commands == COMMANDS as u64 + 1).await;
    let closing = client.clone();
    let closing = tokio::spawn(async move { closing.close().await });
    eventually("the end begins", SOON, || {
        let mut late = Batch::new();
        late.push(&["INCR", "late"]).unwrap();
        client.submit(&mut late, 0, Collector::new(1)).is_err()
    })
    .await;
    assert_eq!(collector.missing(), COMMANDS);
    emulator.faults().thaw();
    let (outcomes, out_of_order) = collector.outcomes().await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.unwrap(), format!(":{}\r\n", number + 1).into_bytes());
    }
    assert_eq!(single.await.unwrap().unwrap(), 1);
    closing.await.unwrap();
    println!("{} commands finished, {out_of_order} out of order", COMMANDS + 1);
    assert_eq!(out_of_order, 0);
    let error = client.execute::<()>(cmd("SET").arg("key").arg(1)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Closed);
    assert!(!error.maybe_executed());
    client.close().await;
    let stats = emulator.wait_until(|stats| stats.connections.open == 0, SOON).await.unwrap();
    assert_eq!(stats.connections.closed_by_client, 1);
}

#[tokio::test]
async fn close_gives_up_in_time() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let options = options(&emulator).with_command_timeout(Duration::from_millis(500));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    emulator.faults().freeze(Freeze::ToClient, None);
    let mut batch = Batch::new();
    batch.push(&["INCR", "key"]).unwrap();
    let collector = Collector::new(1);
    client.submit_within(&mut batch, 0, collector.clone(), SOON * 10).unwrap();
    tokio::time::timeout(SOON, client.close()).await.expect("close ends");
    let error = collector.outcomes().await.0.remove(0).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Closed, "{error:?}");
    assert!(error.maybe_executed(), "{error:?}");
}

#[tokio::test]
async fn the_last_handle_takes_the_connection_along() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    let clone = client.clone();
    drop(client);
    clone.execute::<()>(cmd("SET").arg("key").arg(1)).await.unwrap();
    assert_eq!(emulator.stats().connections.open, 1);
    drop(clone);
    let stats = emulator.wait_until(|stats| stats.connections.open == 0, SOON).await.unwrap();
    assert_eq!(stats.connections.closed_by_client, 1);
}

#[tokio::test]
async fn subscribers_that_listen_to_nothing_hear_of_the_end_too() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = Client::connect_as(&options(&emulator), client_secret(&emulator)).await.unwrap();
    let mut before = client.subscriber(SubscriberOptions::default());
    let waiting = tokio::spawn(async move { before.next().await });
    client.close().await;
    let mut after = client.subscriber(SubscriberOptions::default());
    for heard in [waiting.await.unwrap(), after.next().await] {
        assert_eq!(heard.unwrap_err().code(), ErrorCode::Closed);
    }
}
