//! Messages on a cluster: channels through any node, shard channels on the node of their slot, wherever that is.

use super::{cluster, connect, patient, with_replicas};
use keyless::redis::cmd;
use keyless::{Client, Delivery, Subscriber, SubscriberOptions};
use keyless_conformance::{SOON, options};
use keyless_emulator::{ClusterOptions, NodeRole};
use std::time::Duration;

async fn message(subscriber: &mut Subscriber) -> String {
    loop {
        let next = tokio::time::timeout(SOON, subscriber.next()).await.expect("a message in time");
        match next.expect("a live subscriber") {
            Delivery::Message(message) => return String::from_utf8(message.payload.to_vec()).unwrap(),
            other => println!("{other:?}"),
        }
    }
}

/// Publishes until the subscriber has got it: a subscription that moves may miss some.
async fn arrives(client: &Client, command: &str, channel: &str, subscriber: &mut Subscriber) {
    for attempt in 0.. {
        client.execute::<u64>(cmd(command).arg(channel).arg(format!("again {attempt}"))).await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(200), subscriber.next()).await;
        match next {
            Ok(Ok(Delivery::Message(_))) => return,
            Ok(Ok(other)) => println!("{other:?}"),
            Ok(Err(error)) => panic!("the subscriber has ended: {error}"),
            Err(_) => assert!(attempt < 150, "no message arrives"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shard_channels_follow_their_slots() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &options(&emulator)).await;
    let mut shard = client.subscriber(SubscriberOptions::default());
    let names: Vec<String> = (0..12).map(|index| format!("shard:{index}")).collect();
    shard.ssubscribe(&names).await.unwrap();
    for name in &names {
        let receivers: u64 = client.execute(cmd("SPUBLISH").arg(name).arg(name)).await.unwrap();
        assert_eq!(receivers, 1, "{name}");
        assert_eq!(message(&mut shard).await, *name);
    }
    // Slot 0..=1500 leaves the first node; one of the channels lives there if its slot does. Take one that does.
    let control = emulator.cluster();
    let slot = |name: &str| {
        let client = client.clone();
        let name = name.to_owned();
        async move { client.execute::<u16>(cmd("CLUSTER").arg("KEYSLOT").arg(name)).await.unwrap() }
    };
    let slot = slot(&names[0]).await;
    let nodes = control.nodes().await.unwrap();
    let from = nodes.iter().find(|node| node.slots.iter().any(|range| range.contains(&slot))).unwrap().port;
    let to = nodes.iter().find(|node| node.port != from).unwrap().port;
    control.migrate_slots(slot..=slot, from, to).await.unwrap();
    arrives(&client, "SPUBLISH", &names[0], &mut shard).await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_outlive_the_node_they_were_made_at() {
    let emulator = cluster(Duration::from_hours(1), with_replicas()).await;
    let client = connect(&emulator, &patient(&emulator)).await;
    let mut subscriber = client.subscriber(SubscriberOptions::default());
    subscriber.subscribe(&["news"]).await.unwrap();
    subscriber.ssubscribe(&["shard"]).await.unwrap();
    arrives(&client, "PUBLISH", "news", &mut subscriber).await;
    arrives(&client, "SPUBLISH", "shard", &mut subscriber).await;
    // The endpoint's own connection leads to the first node.
    let nodes = emulator.cluster().nodes().await.unwrap();
    let victim = nodes.iter().find(|node| node.role == NodeRole::Primary).unwrap().port;
    emulator.cluster().kill(victim).unwrap();
    arrives(&client, "PUBLISH", "news", &mut subscriber).await;
    arrives(&client, "SPUBLISH", "shard", &mut subscriber).await;
    client.close().await;
}
