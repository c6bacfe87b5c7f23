//! Client-side caching on a cluster: each node tells of its own keys, also when they move.

use super::{cluster, connect, patient};
use keyless::redis::cmd;
use keyless_conformance::versions::Versions;
use keyless_conformance::{SOON, eventually};
use keyless_emulator::{ClusterOptions, Failover, NodeRole};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_in_time_while_slots_move() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &patient(&emulator).with_cache_size(1 << 20)).await;
    let other = connect(&emulator, &patient(&emulator)).await;
    let (control, watch) = (emulator.cluster(), Versions::new());
    watch
        .run(&client, &other, async {
            let added = control.add_node().await.unwrap();
            for node in control.nodes().await.unwrap().iter().filter(|node| node.slot_count() > 0) {
                let slots = node.slots[0].clone();
                control.migrate_slots(slots.clone(), node.port, added).await.unwrap();
                control.migrate_slots(slots, added, node.port).await.unwrap();
            }
        })
        .await;
    watch.report("slots move", client.stats().cache);
    assert_eq!(watch.failed(), 0);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_in_time_when_replicas_take_over() {
    let emulator = cluster(Duration::from_hours(1), super::with_replicas()).await;
    let client = connect(&emulator, &patient(&emulator).with_cache_size(1 << 20)).await;
    let other = connect(&emulator, &patient(&emulator)).await;
    let (control, watch) = (emulator.cluster(), Versions::new());
    watch
        .run(&client, &other, async {
            for node in control.nodes().await.unwrap().iter().filter(|node| node.role == NodeRole::Replica) {
                control.failover(node.port, Failover::Graceful).await.unwrap();
                control.wait_for_role(node.port, NodeRole::Primary, SOON).await.unwrap();
            }
        })
        .await;
    watch.report("replicas take over", client.stats().cache);
    assert_eq!(watch.failed(), 0);
    client.close().await;
}

#[tokio::test]
async fn each_node_tells_of_its_own_keys() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &patient(&emulator).with_cache_size(1 << 20)).await;
    let other = connect(&emulator, &patient(&emulator)).await;
    let read = async |key: u32| client.execute::<u32>(cmd("GET").arg(key)).await.unwrap();
    for key in 0..100u32 {
        other.execute::<()>(cmd("SET").arg(key).arg(1)).await.unwrap();
        assert_eq!((read(key).await, read(key).await), (1, 1));
    }
    assert_eq!((client.stats().cache.hits, client.stats().cache.entries), (100, 100));
    for key in 0..100u32 {
        other.execute::<()>(cmd("SET").arg(key).arg(2)).await.unwrap();
    }
    eventually("a hundred invalidations", SOON, || client.stats().cache.entries == 0).await;
    for key in 0..100u32 {
        assert_eq!(read(key).await, 2);
    }
    other.execute::<()>(&cmd("FLUSHALL")).await.unwrap();
    eventually("invalidations from every node", SOON, || client.stats().cache.entries == 0).await;
    client.close().await;
}
