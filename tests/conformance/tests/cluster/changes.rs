//! The cluster changes under load: nodes fail, come, go, and slots move. No acknowledged write is lost.

use super::{account, cluster, connect, patient, with_replicas};
use keyless::redis::cmd;
use keyless_conformance::load::{Journal, Load, flawless};
use keyless_conformance::{SOON, eventually};
use keyless_emulator::{ClusterNode, ClusterOptions, Emulator, Failover, NodeRole};
use std::time::{Duration, Instant};

async fn nodes(emulator: &Emulator) -> Vec<ClusterNode> {
    emulator.cluster().nodes().await.expect("nodes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced_by_its_replica() {
    let emulator = cluster(Duration::from_hours(1), with_replicas()).await;
    let client = connect(&emulator, &patient(&emulator)).await;
    let load = Load::start(&client, 60);
    load.progress(2_000).await;
    let before = nodes(&emulator).await;
    // The endpoint leads to the first node: its own connection must find another one too.
    let victim = before.iter().find(|node| node.role == NodeRole::Primary).unwrap().port;
    let begun = Instant::now();
    emulator.cluster().kill(victim).unwrap();
    let replica = before.iter().find(|node| node.primary == Some(victim)).unwrap().port;
    emulator.cluster().wait_for_role(replica, NodeRole::Primary, SOON).await.unwrap();
    eventually("every slot has a connected node", SOON, || client.is_ready()).await;
    let outage = begun.elapsed();
    load.progress(2_000).await;
    let journals = load.stop().await;
    let unsure: u64 = journals.iter().map(Journal::maybe_executed).sum();
    let refused: usize =
        journals.iter().flat_map(|journal| &journal.errors).filter(|error| !error.maybe_executed()).count();
    let (missing, present) = account(&client, &journals).await;
    println!(
        "failover after {outage:?}; {} acknowledged, {missing} missing; {unsure} maybe executed; {present} said not to be but present",
        journals.iter().map(|journal| journal.acknowledged).sum::<u64>()
    );
    // Replication of Redis is asynchronous: what the primary acknowledged in its last moment may not have
    // reached the replica. That is the server's loss, and nothing else may be.
    assert!(missing <= 60, "{missing} acknowledged and missing");
    assert_eq!((present, refused), (0, 0));
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_loses_nothing() {
    let emulator = cluster(Duration::from_hours(1), with_replicas()).await;
    let client = connect(&emulator, &patient(&emulator)).await;
    let load = Load::start(&client, 60);
    load.progress(1_000).await;
    for replica in nodes(&emulator).await.iter().filter(|node| node.role == NodeRole::Replica) {
        emulator.cluster().failover(replica.port, Failover::Graceful).await.unwrap();
        emulator.cluster().wait_for_role(replica.port, NodeRole::Primary, SOON).await.unwrap();
        load.progress(1_000).await;
    }
    let journals = load.stop().await;
    let commands = flawless(&journals);
    let slowest = journals.iter().map(|journal| journal.slowest).max();
    println!("3 failovers, {commands} commands, 0 failed; slowest {slowest:?}");
    assert_eq!(account(&client, &journals).await, (0, 0));
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_move_and_nodes_come_and_go_under_load() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &patient(&emulator)).await;
    let mut pairs = Vec::new();
    for index in 0..500 {
        pairs.push((format!("other:{index}"), index));
    }
    client.execute::<()>(cmd("MSET").arg(&pairs)).await.unwrap();
    let load = Load::start(&client, 60);
    load.progress(1_000).await;
    let control = emulator.cluster();
    let added = control.add_node().await.unwrap();
    let first = nodes(&emulator).await.into_iter().find(|node| node.slot_count() > 0).unwrap();
    let slots = *first.slots[0].start()..=*first.slots[0].start() + 1_500;
    let moved = control.migrate_slots(slots.clone(), first.port, added).await.unwrap();
    load.progress(1_000).await;
    let served = |port: u16| {
        client
            .nodes()
            .iter()
            .find(|node| node.endpoint.ends_with(&format!(":{port}")))
            .and_then(|node| node.slots)
    };
    eventually("the new node is known", SOON, || served(added) == Some(1_501)).await;
    let back = control.migrate_slots(slots, added, first.port).await.unwrap();
    control.remove_node(added).await.unwrap();
    eventually("the node has left", SOON, || served(added).is_none()).await;
    load.progress(1_000).await;
    let journals = load.stop().await;
    let commands = flawless(&journals);
    let slowest = journals.iter().map(|journal| journal.slowest).max();
    println!("{moved} keys moved, {back} moved back; {commands} commands, 0 failed; slowest {slowest:?}");
    assert_eq!(account(&client, &journals).await, (0, 0));
    let keys: Vec<&String> = pairs.iter().map(|(key, _)| key).collect();
    let values: Vec<usize> = client.execute(cmd("MGET").arg(&keys)).await.unwrap();
    assert_eq!(values, (0..500).collect::<Vec<_>>());
    client.close().await;
}
