//! Messages on a cluster: channels through any node, shard channels on the node of their slot, wherever that is.

use super::{cluster, connect, patient, with_replicas};
use keyless::event::EventMask;
use keyless::options::Protocol;
use keyless::redis::cmd;
use keyless::{Client, Delivery, Error, ErrorCode, Subscriber, SubscriberOptions};
use keyless_conformance::{Events, SOON, client_secret, options};
use keyless_emulator::{Admission, ClusterOptions, Cut, Emulator, NodeRole, Stats};
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

/// Moves a channel's slot to another node.
async fn move_slot(emulator: &Emulator, client: &Client, channel: &str) {
    let slot: u16 = client.execute(cmd("CLUSTER").arg("KEYSLOT").arg(channel)).await.unwrap();
    let nodes = emulator.cluster().nodes().await.unwrap();
    let from = nodes.iter().find(|node| node.slots.iter().any(|range| range.contains(&slot))).unwrap().port;
    let to = nodes.iter().find(|node| node.port != from && node.role == NodeRole::Primary).unwrap().port;
    emulator.cluster().migrate_slots(slot..=slot, from, to).await.unwrap();
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
    move_slot(&emulator, &client, &names[0]).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shard_channels_of_many_slots_outlive_their_connections() {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    let client = connect(&emulator, &options(&emulator)).await;
    let events = Events::of(&client);
    let mut shards = Vec::new();
    for index in 0..12 {
        let name = format!("shard:{index}");
        let subscriber = client.subscriber(SubscriberOptions::default());
        subscriber.ssubscribe(&[&name]).await.unwrap();
        shards.push((name, subscriber));
    }
    emulator.faults().cut_connections(Cut::Reset);
    events.wait(EventMask::CONNECTION_RESTORED, 4, SOON).await;
    for (name, subscriber) in &mut shards {
        arrives(&client, "SPUBLISH", name, subscriber).await;
    }
    client.close().await;
}

/// Three channels are subscribed to while the endpoint turns everybody away; on a cluster of three most of them are not at
/// the node that it leads to. `patient`: they wait until the endpoint is there, otherwise they have given up waiting.
async fn begun_before_the_cluster_was_known(patient: bool, protocol: Protocol) {
    let emulator = cluster(Duration::from_hours(1), ClusterOptions::default()).await;
    emulator.faults().admission(Admission::AcceptThenClose);
    let limit = if patient { SOON } else { Duration::from_millis(200) };
    let options = options(&emulator).with_command_timeout(limit).with_protocol(protocol);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.expect("a client");
    let events = Events::of(&client);
    let names = ["shard:0", "shard:1", "shard:2"];
    let mut shards: Vec<Subscriber> =
        names.iter().map(|_| client.subscriber(SubscriberOptions::default())).collect();
    let subscribe = async || {
        let [one, two, three] = [0, 1, 2].map(|index| shards[index].ssubscribe(&names[index..=index]));
        tokio::join!(one, two, three)
    };
    let open = async || {
        // The subscriptions wait for a connection by now, and have seen some fail.
        let failed = emulator.stats().connections.turned_away + 3;
        let more = move |stats: &Stats| stats.connections.turned_away >= failed;
        emulator.wait_until(more, SOON).await.expect("attempts");
        assert!(!client.is_ready());
        emulator.faults().admission(Admission::Open);
    };
    if patient {
        let ((one, two, three), ()) = tokio::join!(subscribe(), open());
        assert_eq!(
            [one, two, three].map(|outcome| outcome.map_err(|error| error.to_string())),
            [Ok(()), Ok(()), Ok(())]
        );
    } else {
        let (one, two, three) = subscribe().await;
        let code = |outcome: Result<(), Error>| outcome.expect_err("nobody to confirm it").code();
        assert_eq!([one, two, three].map(code), [ErrorCode::Timeout; 3]);
        open().await;
    }
    let other = connect(&emulator, &keyless_conformance::options(&emulator)).await;
    for (name, subscriber) in names.iter().zip(&mut shards) {
        if patient {
            // Confirmed: the very first one arrives.
            let receivers: u64 = other.execute(cmd("SPUBLISH").arg(name).arg(name)).await.unwrap();
            assert_eq!((receivers, message(subscriber).await), (1, (*name).to_owned()));
        } else {
            arrives(&other, "SPUBLISH", name, subscriber).await;
        }
    }
    assert_eq!(events.count(EventMask::SUBSCRIPTION_GAP), 0, "there was no subscription to miss anything");
    for (name, subscriber) in names.iter().zip(&mut shards) {
        move_slot(&emulator, &other, name).await;
        arrives(&other, "SPUBLISH", name, subscriber).await;
    }
    // Given up, wherever they are by now.
    drop(shards);
    for name in names {
        let nobody = async || other.execute::<u64>(cmd("SPUBLISH").arg(name).arg("x")).await.unwrap() == 0;
        let given_up = async { while !nobody().await {} };
        tokio::time::timeout(SOON, given_up).await.expect("nobody listens any more");
    }
    client.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shard_channels_wait_for_a_cluster_that_is_not_known_yet() {
    begun_before_the_cluster_was_known(true, Protocol::Resp3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shard_channels_that_nobody_confirmed_in_time_stay_wanted() {
    begun_before_the_cluster_was_known(false, Protocol::Resp3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shard_channels_wait_for_a_cluster_in_resp2_too() {
    begun_before_the_cluster_was_known(true, Protocol::Resp2).await;
}
