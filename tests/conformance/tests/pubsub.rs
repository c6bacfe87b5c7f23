//! Subscriptions through token renewals, cuts and replaced connections: numbered messages, each received
//! once and in order, and every gap told.

use keyless::event::{Event, EventMask};
use keyless::pubsub::{Kind, Overflow};
use keyless::redis::cmd;
use keyless::{Client, Delivery, Error, ErrorCode, Pipeline, Subscriber, SubscriberOptions};
use keyless_conformance::churn::Churn;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use keyless_emulator::{Cut, Emulator};
use std::time::Duration;
use tokio::time::timeout;

async fn client(emulator: &Emulator) -> Client {
    Client::connect_as(&options(emulator), client_secret(emulator)).await.unwrap()
}

async fn next(subscriber: &mut Subscriber) -> Result<Delivery, Error> {
    timeout(SOON, subscriber.next()).await.expect("a delivery in time")
}

/// The number that the next message carries.
async fn number(subscriber: &mut Subscriber) -> u64 {
    match next(subscriber).await.unwrap() {
        Delivery::Message(message) => std::str::from_utf8(&message.payload).unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Publishes numbers from `first` on until `enough` says so; gives the first number that was not published.
async fn publish(client: &Client, channel: &str, first: u64, mut enough: impl FnMut(u64) -> bool) -> u64 {
    let mut number = first;
    while !enough(number) {
        let () = client.execute(cmd("PUBLISH").arg(channel).arg(number)).await.unwrap();
        number += 1;
    }
    number
}

/// Room for everything that a test publishes before it listens.
const ROOMY: SubscriberOptions = SubscriberOptions { capacity: 10_000_000, overflow: Overflow::Disconnect };

#[tokio::test]
async fn t_2_2_every_message_is_received_during_renewals() {
    let emulator = emulator(Duration::from_secs(2)).await;
    let (sender, listener) = (client(&emulator).await, client(&emulator).await);
    let events = Events::of(&listener);
    let mut subscriber = listener.subscriber(ROOMY);
    subscriber.subscribe(&["news"]).await.unwrap();
    let published =
        publish(&sender, "news", 0, |_| events.count(EventMask::CONNECTION_REAUTHENTICATED) >= 10).await;
    for expected in 0..published {
        assert_eq!(number(&mut subscriber).await, expected);
    }
    let stats = emulator.stats();
    assert_eq!((stats.connections.opened, stats.connections.closed_at_expiry), (2, 0));
    println!("{published} messages over 10 renewals, 0 lost, 0 twice, 0 connections cut");
}

#[tokio::test]
async fn a_cut_is_told_as_a_gap_and_everything_is_subscribed_again() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let (sender, listener) = (client(&emulator).await, client(&emulator).await);
    let events = Events::of(&listener);
    let mut subscriber = listener.subscriber(SubscriberOptions::default());
    subscriber.subscribe(&["a", "b"]).await.unwrap();
    subscriber.psubscribe(&["p.*"]).await.unwrap();
    subscriber.ssubscribe(&["s"]).await.unwrap();
    for round in 0..5_u64 {
        for (index, channel) in ["a", "b", "p.x"].into_iter().enumerate() {
            let expected = round * 4 + index as u64;
            let () = sender.execute(cmd("PUBLISH").arg(channel).arg(expected)).await.unwrap();
            assert_eq!(number(&mut subscriber).await, expected);
        }
        let () = sender.execute(cmd("SPUBLISH").arg("s").arg(round * 4 + 3)).await.unwrap();
        assert_eq!(number(&mut subscriber).await, round * 4 + 3);
        emulator.faults().cut_connections(Cut::Reset);
        assert!(matches!(next(&mut subscriber).await.unwrap(), Delivery::Gap(_)));
    }
    assert_eq!(listener.stats().reconnects, 5);
    events.wait(EventMask::SUBSCRIPTION_GAP, 5, SOON).await;
    for event in events.all() {
        if let Event::SubscriptionGap { endpoint, outage, subscriptions, .. } = event {
            assert_eq!((&*endpoint, subscriptions), (listener.endpoint(), 4));
            assert!(outage > Duration::ZERO && outage < SOON);
        }
    }
}

#[tokio::test]
async fn a_replaced_connection_loses_and_repeats_no_message() {
    let emulator = emulator(Duration::from_secs(4)).await;
    let sender =
        Client::connect(&options(&emulator).with_password(emulator.access_key().unwrap())).await.unwrap();
    let listener = client(&emulator).await;
    let events = Events::of(&listener);
    let mut subscriber = listener.subscriber(ROOMY);
    subscriber.subscribe(&["news"]).await.unwrap();
    let churn = Churn::start(&sender, &listener, 2);
    // Re-authentication is refused from now on: the connection must be replaced before its token ends, by one
    // that is refused no more once the replacement is due.
    emulator.faults().refuse_auth(None);
    let refused =
        publish(&sender, "news", 0, |_| events.count(EventMask::CONNECTION_REAUTHENTICATION_FAILED) >= 3)
            .await;
    emulator.faults().clear_auth();
    let published = publish(&sender, "news", refused, |number| {
        events.count(EventMask::CONNECTION_REAUTHENTICATED) >= 3 && number > refused + 1000
    })
    .await;
    let subscriptions = churn.stop().await;
    for expected in 0..published {
        assert_eq!(number(&mut subscriber).await, expected);
    }
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
    println!(
        "{published} messages, {subscriptions} subscriptions that came and went, {} connections",
        listener.stats().connections
    );
}

#[tokio::test]
async fn a_refused_channel_is_an_error_and_disturbs_nobody_else() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let oid = emulator.service_principal().oid;
    emulator.grant_with(&oid, "~* +@all resetchannels &allowed").unwrap();
    let listener = client(&emulator).await;
    let mut subscriber = listener.subscriber(SubscriberOptions::default());
    let error = subscriber.subscribe(&["forbidden"]).await.unwrap_err();
    println!("{error}");
    assert_eq!(error.code(), ErrorCode::NoPermission);
    subscriber.subscribe(&["allowed"]).await.unwrap();
    let () = listener.execute(cmd("PUBLISH").arg("allowed").arg(7)).await.unwrap();
    assert_eq!(number(&mut subscriber).await, 7);
    let echoes: Vec<u32> = {
        let mut echoes = Vec::new();
        for value in 0..100 {
            echoes.push(listener.execute(cmd("ECHO").arg(value)).await.unwrap());
        }
        echoes
    };
    assert_eq!(echoes, (0..100).collect::<Vec<_>>(), "replies stay in step");
}

#[tokio::test]
async fn the_last_listener_ends_the_subscription() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    let listeners = async || -> u64 {
        let (_, count): (String, u64) =
            client.execute(cmd("PUBSUB").arg("NUMSUB").arg("news")).await.unwrap();
        count
    };
    let first = client.subscriber(SubscriberOptions::default());
    let mut second = client.subscriber(SubscriberOptions::default());
    first.subscribe(&["news"]).await.unwrap();
    second.subscribe(&["news"]).await.unwrap();
    assert_eq!(listeners().await, 1, "one connection, one subscription");
    drop(first);
    let () = client.execute(cmd("PUBLISH").arg("news").arg(1)).await.unwrap();
    assert_eq!(number(&mut second).await, 1);
    second.unsubscribe(Kind::Channel, &["news"]);
    assert_eq!(listeners().await, 0);
    client.close().await;
    second.subscribe(&["news"]).await.unwrap_err();
}

#[tokio::test]
async fn a_slow_subscriber_is_told_what_it_lost() {
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    let mut subscriber =
        client.subscriber(SubscriberOptions { capacity: 10, overflow: Overflow::DropOldest });
    subscriber.subscribe(&["news"]).await.unwrap();
    publish(&client, "news", 0, |number| number == 100).await;
    let () = client.execute(&cmd("PING")).await.unwrap();
    assert_eq!(next(&mut subscriber).await.unwrap(), Delivery::Dropped(90));
    assert_eq!(number(&mut subscriber).await, 90);
    assert_eq!(subscriber.dropped(), 90);
    assert_eq!(client.stats().messages_dropped, 90);
}

#[tokio::test]
async fn a_transaction_may_publish_to_a_channel_that_its_own_client_listens_to() {
    // Redis 7.0 sends the message in the middle of the transaction's reply.
    let emulator = emulator(Duration::from_hours(1)).await;
    let client = client(&emulator).await;
    let events = Events::of(&client);
    let mut subscriber = client.subscriber(ROOMY);
    subscriber.subscribe(&["own"]).await.unwrap();
    for round in 1..=200_u64 {
        let mut transaction = Pipeline::transaction();
        transaction.add(cmd("INCR").arg("before"));
        transaction.add(cmd("PUBLISH").arg("own").arg(round));
        transaction.add(cmd("INCR").arg("after"));
        let echo = cmd("ECHO").arg("beside").to_owned();
        let beside = client.execute::<String>(&echo);
        let (replies, beside) = tokio::join!(client.query_pipeline::<(u64, u64, u64)>(transaction), beside);
        assert_eq!((replies.unwrap(), beside.unwrap().as_str()), ((round, 1, round), "beside"));
        assert_eq!(number(&mut subscriber).await, round);
    }
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
}
