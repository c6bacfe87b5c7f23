//! Clusters: real nodes behind gateways, as Azure Managed Redis' policy OSS shows them.

mod caching;
mod changes;
mod commands;
mod policies;
mod pubsub;
mod tokens;

use keyless::redis::cmd;
use keyless::{Client, Options};
use keyless_conformance::load::Journal;
use keyless_conformance::{client_secret, options};
use keyless_emulator::{ClusterOptions, Emulator, EmulatorOptions};
use std::time::Duration;

/// An emulator with a cluster whose tokens live so long.
async fn cluster(token_lifetime: Duration, cluster: ClusterOptions) -> Emulator {
    let options = EmulatorOptions { token_lifetime, cluster: Some(cluster), ..EmulatorOptions::default() };
    Emulator::start(options).await.expect("an emulator")
}

/// Three primaries, each with a replica, which notice a failure within a second.
fn with_replicas() -> ClusterOptions {
    ClusterOptions { replicas: 1, node_timeout: Duration::from_secs(1), ..ClusterOptions::default() }
}

/// Options of a client that waits for a failover to end.
fn patient(emulator: &Emulator) -> Options {
    options(emulator).with_command_timeout(Duration::from_secs(30))
}

async fn connect(emulator: &Emulator, options: &Options) -> Client {
    let client = Client::connect_as(options, client_secret(emulator)).await.expect("a client");
    assert!(client.is_ready(), "{:?}", client.nodes());
    client
}

/// Compares what every worker was told with what the cluster has: acknowledged and missing, said not to be
/// executed and present.
async fn account(client: &Client, journals: &[Journal]) -> (u64, u64) {
    let (mut missing, mut present) = (0, 0);
    for journal in journals {
        let value: Option<u64> = client.execute(cmd("GET").arg(&journal.key)).await.expect("a value");
        let value = value.unwrap_or_default();
        missing += journal.acknowledged.saturating_sub(value);
        present += value.saturating_sub(journal.acknowledged + journal.maybe_executed());
        assert_eq!(journal.wrong, 0, "{}: answers out of order", journal.key);
    }
    (missing, present)
}
