//! Subscriptions over RESP2, where a subscribed connection cannot sign in again: numbered messages through the ends of
//! tokens, each received once and in order.

use keyless::event::EventMask;
use keyless::options::Protocol;
use keyless::pubsub::{Kind, Overflow};
use keyless::redis::cmd;
use keyless::{Client, Delivery, ErrorCode, Pipeline, Subscriber, SubscriberOptions};
use keyless_conformance::churn::Churn;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use keyless_emulator::{Cut, Emulator};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Room for everything that a test publishes before it listens.
const ROOMY: SubscriberOptions = SubscriberOptions { capacity: 10_000_000, overflow: Overflow::Disconnect };

async fn client(emulator: &Emulator) -> Client {
    let options = options(emulator).with_protocol(Protocol::Resp2);
    Client::connect_as(&options, client_secret(emulator)).await.unwrap()
}

/// A client whose connection does not count, since it has no token.
async fn sender(emulator: &Emulator) -> Client {
    Client::connect(&options(emulator).with_password(emulator.access_key().unwrap())).await.unwrap()
}

async fn next(subscriber: &mut Subscriber) -> Delivery {
    timeout(SOON, subscriber.next()).await.expect("a delivery in time").unwrap()
}

async fn number(subscriber: &mut Subscriber) -> u64 {
    match next(subscriber).await {
        Delivery::Message(message) => std::str::from_utf8(&message.payload).unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order_through_four_tokens() {
    const LIFE: Duration = Duration::from_secs(4);
    const BURST: u64 = 25;
    let emulator = emulator(LIFE).await;
    let (sender, listener) = (sender(&emulator).await, client(&emulator).await);
    let events = Events::of(&listener);
    let channels = ["channel", "shard", "pattern.x"];
    let mut subscribers = Vec::new();
    for channel in channels {
        let subscriber = listener.subscriber(ROOMY);
        match channel {
            "channel" => subscriber.subscribe(&[channel]).await.unwrap(),
            "shard" => subscriber.ssubscribe(&[channel]).await.unwrap(),
            _ => subscriber.psubscribe(&["pattern.*"]).await.unwrap(),
        }
        subscribers.push(subscriber);
    }
    let begun = Instant::now();
    let mut published = 0;
    while begun.elapsed() < LIFE * 4 + LIFE / 2 {
        // 2,500 a second to each of the three.
        tokio::time::sleep((begun + Duration::from_micros(400 * published)) - Instant::now()).await;
        let mut pipeline = Pipeline::new();
        for number in published..published + BURST {
            pipeline.add(cmd("PUBLISH").arg("channel").arg(number));
            pipeline.add(cmd("SPUBLISH").arg("shard").arg(number));
            pipeline.add(cmd("PUBLISH").arg("pattern.x").arg(number));
        }
        sender.execute_pipeline(pipeline).await.unwrap();
        published += BURST;
    }
    let rate = published * 1000 / u64::try_from(begun.elapsed().as_millis()).unwrap();
    for subscriber in &mut subscribers {
        for expected in 0..published {
            assert_eq!(number(subscriber).await, expected);
        }
    }
    // The old ones were closed.
    let stats = emulator.wait_until(|stats| stats.connections.open == 3, SOON).await.unwrap();
    println!(
        "{published} messages on each of {channels:?} at {rate}/s each, tokens of {LIFE:?}: 0 lost, 0 twice; \
         {} connections opened, {} closed at expiry",
        stats.connections.opened, stats.connections.closed_at_expiry
    );
    assert_eq!(stats.connections.closed_at_expiry, 0);
    assert!(stats.connections.opened >= 3 + 4, "a new one for each token");
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
    assert!(rate >= 2000, "{rate}/s");
}

#[tokio::test]
async fn a_killed_connection_is_restored_and_the_gap_is_told() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let (sender, listener) = (sender(&emulator).await, client(&emulator).await);
    let events = Events::of(&listener);
    let mut subscriber = listener.subscriber(SubscriberOptions::default());
    subscriber.subscribe(&["a"]).await.unwrap();
    subscriber.psubscribe(&["p.*"]).await.unwrap();
    subscriber.ssubscribe(&["s"]).await.unwrap();
    for round in 0..5_u64 {
        for (command, channel) in [("PUBLISH", "a"), ("PUBLISH", "p.x"), ("SPUBLISH", "s")] {
            let receivers: u64 = sender.execute(cmd(command).arg(channel).arg(round)).await.unwrap();
            assert_eq!((receivers, number(&mut subscriber).await), (1, round));
        }
        if round % 2 == 0 {
            let killed: u64 = sender.execute(cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"])).await.unwrap();
            assert_eq!(killed, 1);
        } else {
            emulator.faults().cut_connections(Cut::Reset);
        }
        assert!(matches!(next(&mut subscriber).await, Delivery::Gap(_)));
    }
    // The commands' connection was cut twice and not killed.
    events.wait(EventMask::CONNECTION_RESTORED, 2, SOON).await;
    assert_eq!(listener.stats().reconnects, 2);
    events.wait(EventMask::SUBSCRIPTION_GAP, 5, SOON).await;
    assert_eq!(events.count(EventMask::SUBSCRIPTION_GAP), 5);
}

#[tokio::test]
async fn the_connection_lives_from_the_first_subscription_to_the_last() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let listener = client(&emulator).await;
    let open = async |count| {
        emulator.wait_until(move |stats| stats.connections.open == count, SOON).await.unwrap();
    };
    open(1).await;
    for round in 0..3 {
        let mut first = listener.subscriber(SubscriberOptions::default());
        let mut second = listener.subscriber(SubscriberOptions::default());
        first.subscribe(&["a", "b"]).await.unwrap();
        second.subscribe(&["b"]).await.unwrap();
        open(2).await;
        first.unsubscribe(Kind::Channel, &["b"]);
        let () = listener.execute(cmd("PUBLISH").arg("b").arg(round)).await.unwrap();
        assert_eq!(number(&mut second).await, round);
        let () = listener.execute(cmd("PUBLISH").arg("a").arg(round)).await.unwrap();
        assert_eq!(number(&mut first).await, round, "b was no more for this one");
        drop(first);
        open(2).await;
        second.unsubscribe(Kind::Channel, &["b"]);
        open(1).await;
    }
    let mut subscriber = listener.subscriber(SubscriberOptions::default());
    subscriber.subscribe(&["a"]).await.unwrap();
    listener.close().await;
    assert_eq!(timeout(SOON, subscriber.next()).await.unwrap().unwrap_err().code(), ErrorCode::Closed);
    open(0).await;
}

/// Subscribed at any moment, also while the connection is being replaced: what is published after the confirmation is
/// received once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_holds_from_its_confirmation_on_whenever_it_is_made() {
    let emulator = emulator(Duration::from_secs(2)).await;
    let (sender, listener) = (sender(&emulator).await, client(&emulator).await);
    let keeper = listener.subscriber(ROOMY);
    keeper.subscribe(&["always"]).await.unwrap();
    let churn = Churn::start(&sender, &listener, 4);
    emulator.wait_until(|stats| stats.connections.opened >= 3 + 8, SOON).await.unwrap();
    let rounds = churn.stop().await;
    assert_eq!(emulator.stats().connections.closed_at_expiry, 0);
    println!("{rounds} subscriptions came and went while the connection was replaced 8 times");
}

#[tokio::test]
async fn a_refused_channel_is_an_error_and_disturbs_nobody_else() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let oid = emulator.service_principal().oid;
    emulator.grant_with(&oid, "~* +@all resetchannels &allowed").unwrap();
    let listener = client(&emulator).await;
    let mut subscriber = listener.subscriber(SubscriberOptions::default());
    let error = subscriber.subscribe(&["forbidden"]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoPermission);
    subscriber.subscribe(&["allowed"]).await.unwrap();
    let () = listener.execute(cmd("PUBLISH").arg("allowed").arg(7)).await.unwrap();
    assert_eq!(number(&mut subscriber).await, 7);
}
