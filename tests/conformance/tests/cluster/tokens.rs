//! Every node is signed in to again with every token.

use super::{cluster, connect};
use keyless::event::{Event, EventMask};
use keyless_conformance::load::{Load, flawless};
use keyless_conformance::{Events, SOON, options};
use keyless_emulator::ClusterOptions;
use std::collections::BTreeMap;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(6);
const TOKENS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_notices_that_tokens_come_and_go() {
    let emulator = cluster(LIFETIME, ClusterOptions::default()).await;
    let client = connect(&emulator, &options(&emulator)).await;
    let events = Events::of(&client);
    let load = Load::start(&client, 100);
    // The endpoint's own connection and three nodes.
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, 4 * TOKENS, SOON).await;
    load.progress(1_000).await;
    let commands = flawless(&load.stop().await);
    let mut endpoints: BTreeMap<String, usize> = BTreeMap::new();
    for event in events.all() {
        if let Event::ConnectionReauthenticated { endpoint, .. } = event {
            *endpoints.entry(endpoint.to_string()).or_default() += 1;
        }
    }
    let stats = emulator.stats();
    println!("{commands} commands, 0 failed; signed in again: {endpoints:?}; {:?}", stats.connections);
    assert_eq!(endpoints.len(), 4, "{endpoints:?}");
    assert!(endpoints.values().all(|times| *times >= TOKENS), "{endpoints:?}");
    assert_eq!(stats.connections.closed_at_expiry, 0);
    assert_eq!(client.stats().reconnects, 0);
    client.close().await;
}
