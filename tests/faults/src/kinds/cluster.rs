//! A cluster changes under load.

use crate::journal::Journal;
use crate::report::Row;
use crate::rig::{DURABLE, Rig, Scale};
use keyless_conformance::SOON;
use keyless_emulator::{Cluster, ClusterNode, ClusterOptions, EmulatorOptions, Failover, NodeRole};
use std::time::Duration;

const WRITERS: usize = 12;

async fn rig(replicas: u8, config: &str) -> Rig {
    let cluster = ClusterOptions { replicas, ..ClusterOptions::default() };
    let change = |emulator: &mut EmulatorOptions| {
        emulator.cluster = Some(cluster);
        emulator.redis_config = config.into();
    };
    Rig::new(change, |options| options.with_command_timeout(Duration::from_secs(5))).await
}

async fn primaries(cluster: &Cluster) -> Vec<ClusterNode> {
    let mut nodes = cluster.nodes().await.expect("the nodes");
    nodes.retain(|node| node.role == NodeRole::Primary);
    nodes
}

/// A replica takes over from its primary, which loses no write.
pub(super) async fn cluster_failover(scale: Scale) -> Row {
    let rig = rig(1, "").await;
    let cluster = rig.emulator.cluster();
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(3, 100);
    for time in 0..times {
        journal.progress(500).await;
        let nodes = cluster.nodes().await.expect("the nodes");
        let mut replicas = nodes.iter().filter(|node| node.role == NodeRole::Replica);
        let replica = replicas.nth(usize::try_from(time % 3).expect("a small number")).expect("a replica");
        cluster.failover(replica.port, Failover::Graceful).await.expect("a failover");
        journal.progress(500).await;
    }
    cluster.wait_until_healthy(SOON).await.expect("a healthy cluster");
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}

/// Slots move from node to node with their keys.
pub(super) async fn cluster_slots_moved(scale: Scale) -> Row {
    let rig = rig(0, "").await;
    let cluster = rig.emulator.cluster();
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(3, 60);
    let mut keys = 0;
    for _ in 0..times {
        journal.progress(500).await;
        let primaries = primaries(&cluster).await;
        // Where the most slots are, to the next one.
        let from =
            primaries.iter().max_by_key(|node| node.slots.iter().map(ExactSizeIterator::len).sum::<usize>());
        let from = from.expect("a primary");
        let to = primaries.iter().find(|node| node.port != from.port).expect("another one");
        let range = from.slots.iter().max_by_key(|range| range.len()).expect("slots").clone();
        let (first, last) = (*range.start(), *range.end());
        let half = first..=first + (last - first) / 2;
        keys += cluster.migrate_slots(half, from.port, to.port).await.expect("a migration");
        journal.progress(500).await;
    }
    Row { injected: times, ..journal.audit(&rig.emulator).await }.remark(format!("{keys} keys moved"))
}

/// A node joins and gets slots while clients are connected.
pub(super) async fn cluster_node_added(scale: Scale) -> Row {
    let rig = rig(0, "").await;
    let cluster = rig.emulator.cluster();
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(1, 5);
    for _ in 0..times {
        journal.progress(500).await;
        let added = cluster.add_node().await.expect("a node");
        let from =
            primaries(&cluster).await.into_iter().find(|node| !node.slots.is_empty()).expect("a primary");
        let range = from.slots[0].clone();
        cluster.migrate_slots(range, from.port, added).await.expect("a migration");
        journal.progress(500).await;
    }
    let nodes = rig.client.nodes();
    let row = Row { injected: times, ..journal.audit(&rig.emulator).await };
    row.remark(format!("{} nodes known in the end", nodes.len()))
}

/// Every node is killed and comes back with all that it had acknowledged.
pub(super) async fn cluster_nodes_restarted(scale: Scale) -> Row {
    let rig = rig(0, DURABLE).await;
    let cluster = rig.emulator.cluster();
    let journal = Journal::start(&rig.client, WRITERS);
    let times = scale.times(1, 20);
    for _ in 0..times {
        journal.progress(500).await;
        rig.block(|emulator| emulator.restart_redis().expect("a restart"));
        cluster.wait_until_healthy(SOON).await.expect("a healthy cluster");
        journal.progress(500).await;
    }
    Row { injected: times, ..journal.audit(&rig.emulator).await }
}
