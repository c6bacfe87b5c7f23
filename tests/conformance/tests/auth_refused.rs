//! The cache refuses `AUTH` on a live connection, for a while.

use keyless::Client;
use keyless::event::{Event, EventMask};
use keyless_conformance::load::{Load, flawless};
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use std::time::Duration;

const REFUSED: EventMask = EventMask::CONNECTION_REAUTHENTICATION_FAILED;
const RENEWED: EventMask = EventMask::CONNECTION_REAUTHENTICATED;

/// The tokens that connections were signed in again with.
fn renewed(events: &Events) -> Vec<u64> {
    let generation = |event: Event| match event {
        Event::ConnectionReauthenticated { generation, .. } => Some(generation),
        _ => None,
    };
    events.all().into_iter().filter_map(generation).collect()
}

#[tokio::test]
async fn two_refusals_and_then_it_works_without_a_reconnect() {
    let emulator = emulator(Duration::from_secs(6)).await;
    let options = options(&emulator).with_command_timeout(SOON);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let load = Load::start(&client, 50);
    emulator.faults().refuse_auth(Some(2));
    events.wait(RENEWED, 1, SOON).await;
    load.progress(500).await;
    let commands = flawless(&load.stop().await);
    let attempts: Vec<u32> = events
        .all()
        .iter()
        .filter_map(|event| match event {
            Event::ConnectionReauthenticationFailed { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    let (stats, renewed) = (emulator.stats(), renewed(&events));
    println!(
        "{commands} commands, refused attempts {attempts:?}, tokens {renewed:?} accepted, {} connections",
        stats.connections.opened
    );
    assert_eq!(attempts, [1, 2]);
    let mut once = renewed.clone();
    once.dedup();
    assert_eq!(renewed, once, "each token signs in once");
    assert_eq!((stats.connections.opened, stats.connections.open), (1, 1));
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
}

#[tokio::test]
async fn a_connection_that_cannot_be_signed_in_again_gets_a_successor_in_time() {
    let emulator = emulator(Duration::from_secs(8)).await;
    let options = options(&emulator).with_command_timeout(SOON);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let load = Load::start(&client, 50);
    emulator.faults().refuse_auth(None);
    events.wait(REFUSED, 2, SOON).await;
    // The successor is tried while the old connection still works.
    emulator
        .wait_until(|stats| stats.connections.opened >= 2 && stats.connections.open >= 2, SOON)
        .await
        .expect("a second connection beside the first");
    emulator.faults().clear_auth();
    events.wait(EventMask::TOKEN_REFRESHED, 3, SOON).await;
    load.progress(500).await;
    let commands = flawless(&load.stop().await);
    let stats = emulator.stats();
    println!(
        "{commands} commands, {} refusals told, {} connections opened, {} closed by the client",
        events.count(REFUSED),
        stats.connections.opened,
        stats.connections.closed_by_client
    );
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0, "{:?}", events.all());
    assert_eq!((stats.connections.closed_at_expiry, stats.auth.expired_tokens_offered), (0, 0));
}

#[tokio::test]
async fn refusals_past_the_tokens_end_make_commands_wait_and_fail_none() {
    let emulator = emulator(Duration::from_secs(3)).await;
    let options = options(&emulator).with_command_timeout(Duration::from_mins(1));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let load = Load::start(&client, 50);
    emulator.faults().refuse_auth(None);
    events.wait(EventMask::CONNECTION_LOST, 1, SOON).await;
    emulator.faults().clear_auth();
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    load.progress(500).await;
    let journals = load.stop().await;
    let slowest = journals.iter().map(|journal| journal.slowest).max().unwrap_or_default();
    let commands = flawless(&journals);
    let stats = emulator.stats();
    println!("{commands} commands, {} refusals told, the longest wait {slowest:?}", events.count(REFUSED));
    assert_eq!((stats.connections.closed_at_expiry, stats.auth.expired_tokens_offered), (0, 0));
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 1);
}
