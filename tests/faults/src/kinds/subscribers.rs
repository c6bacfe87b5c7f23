//! Subscribers: numbered messages, each received once, or its loss told.

use crate::report::Row;
use crate::rig::{Rig, Scale, soon};
use keyless::event::EventMask;
use keyless::options::Protocol;
use keyless::pubsub::Overflow;
use keyless::redis::cmd;
use keyless::{Client, Delivery, Pipeline, Subscriber, SubscriberOptions};
use keyless_conformance::{SOON, client_secret, options};
use keyless_emulator::Freeze;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Room for everything.
const ROOMY: SubscriberOptions = SubscriberOptions { capacity: 10_000_000, overflow: Overflow::Disconnect };

const PER_SECOND: u64 = 5_000;
const AT_ONCE: u64 = 50;

/// What a subscriber received.
#[derive(Default)]
struct Received {
    next: u64,
    messages: u64,
    twice: u64,
    /// Messages that are missing without a gap having been told.
    lost: u64,
    /// Messages missing behind a told gap.
    in_gaps: u64,
    gaps: u64,
    stall: Duration,
}

impl Received {
    /// Takes messages until the number before `end` was received.
    async fn until(&mut self, subscriber: &mut Subscriber, end: &AtomicU64) {
        let (mut told, mut last) = (false, Instant::now());
        while self.next < end.load(Ordering::Acquire) {
            match soon("a delivery", subscriber.next()).await.expect("a delivery") {
                Delivery::Message(message) => {
                    let text = std::str::from_utf8(&message.payload).expect("text");
                    let number: u64 =
                        text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
                    let missing = number.saturating_sub(self.next);
                    *(if told { &mut self.in_gaps } else { &mut self.lost }) += missing;
                    self.twice += u64::from(number < self.next);
                    self.next = self.next.max(number + 1);
                    self.messages += 1;
                    self.stall = self.stall.max(last.elapsed());
                    (told, last) = (false, Instant::now());
                }
                Delivery::Gap(_) => {
                    self.gaps += 1;
                    told = true;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Over RESP3 the one connection is signed in again with each token.
pub(super) async fn token_lives_with_subscribers(scale: Scale) -> Row {
    let (row, rig) = token_lives(scale, Protocol::Resp3).await;
    let seen = rig.emulator.stats();
    assert_eq!((seen.connections.opened, seen.connections.closed_at_expiry), (2, 0));
    row.remark("messages; no connection was replaced")
}

/// Over RESP2 messages have a connection of their own, which cannot be signed in again and is replaced in time.
pub(super) async fn token_lives_with_resp2_subscribers(scale: Scale) -> Row {
    let (row, rig) = token_lives(scale, Protocol::Resp2).await;
    let seen = rig.emulator.stats();
    assert_eq!(seen.connections.closed_at_expiry, 0);
    assert!(seen.connections.opened > row.injected, "a connection for each token: {seen:?}");
    row.remark(format!("messages; over {} connections", seen.connections.opened - 2))
}

/// Tokens that live for 2 s, as many as a day-long token is replaced by in ten days (soak: in more than a year), with
/// 5,000 messages per second: each is received once.
async fn token_lives(scale: Scale, protocol: Protocol) -> (Row, Rig) {
    let rig = Rig::new(
        |emulator| emulator.token_lifetime = Duration::from_secs(2),
        |options| options.with_command_timeout(SOON).with_protocol(protocol),
    )
    .await;
    let mut subscriber = rig.client.subscriber(ROOMY);
    subscriber.subscribe(&["news"]).await.expect("a subscription");
    let options = options(&rig.emulator).with_command_timeout(SOON);
    let sender = Client::connect_as(&options, client_secret(&rig.emulator)).await.expect("a client");
    let lives = scale.times(10, 500);
    let (end, stop) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicBool::new(false)));
    let sending = tokio::spawn(publish(sender, Arc::clone(&stop), Arc::clone(&end)));
    let mut received = Received::default();
    let wanted = usize::try_from(lives).expect("a small number");
    let replaced = async {
        let long = SOON + Duration::from_secs(3) * u32::try_from(lives).expect("a small number");
        rig.events.wait(EventMask::CONNECTION_REAUTHENTICATED, wanted, long).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(received.until(&mut subscriber, &end), replaced);
    let published = sending.await.expect("the publisher");
    assert_eq!((received.messages, received.gaps), (published, 0), "each message once");
    let row = Row {
        injected: lives,
        commands: published,
        lost: received.lost,
        twice: received.twice,
        stall: received.stall,
        ..Row::default()
    };
    (row, rig)
}

/// Publishes numbers at an even pace; says how many at the end.
async fn publish(client: Client, stop: Arc<AtomicBool>, end: Arc<AtomicU64>) -> u64 {
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 * AT_ONCE / PER_SECOND));
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let mut pipeline = Pipeline::new();
        for number in next..next + AT_ONCE {
            pipeline.add(cmd("PUBLISH").arg("news").arg(number));
        }
        for reached in client.execute_pipeline(pipeline).await.expect("published") {
            // While a connection is being replaced, two of them are subscribed.
            assert!(matches!(reached, Ok(keyless::redis::Value::Int(1 | 2))), "{reached:?}");
        }
        next += AT_ONCE;
    }
    // Told before the last one is published, whose arrival ends the wait.
    end.store(next + 1, Ordering::Release);
    let () = client.execute(cmd("PUBLISH").arg("news").arg(next)).await.expect("published");
    next + 1
}

/// A subscriber that takes nothing for a while, until the server has enough of it and ends the connection.
pub(super) async fn output_buffer_exceeded(scale: Scale) -> Row {
    let filling = "x".repeat(64 << 10);
    let rig = Rig::plain().await;
    let set = rig.direct(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0"]).await;
    assert_eq!(set, "OK");
    let mut subscriber = rig.client.subscriber(ROOMY);
    subscriber.subscribe(&["news"]).await.expect("a subscription");
    let times = scale.times(2, 50);
    let (mut received, mut number) = (Received::default(), 0u64);
    for time in 1..=times {
        let closed = rig.emulator.stats().connections.closed_by_server;
        rig.emulator.faults().freeze(Freeze::ToClient, None);
        while rig.emulator.stats().connections.closed_by_server == closed {
            // Nobody listens any more once the server has ended the connection.
            let payload = format!("{number} {filling}");
            rig.direct(&["PUBLISH", "news", &payload]).await;
            number += 1;
            assert!(number < 10_000 * time, "the server never had enough");
            if rig.direct(&["PUBSUB", "NUMSUB", "news"]).await.contains("Integer(0)") {
                rig.emulator.faults().thaw();
                tokio::task::yield_now().await;
            }
        }
        rig.emulator.faults().thaw();
        let restored = usize::try_from(time).expect("a small number");
        rig.events.wait(EventMask::CONNECTION_RESTORED, restored, SOON).await;
        let payload = format!("{number} {filling}");
        assert_eq!(rig.direct(&["PUBLISH", "news", &payload]).await, "1", "subscribed again");
        number += 1;
        received.until(&mut subscriber, &AtomicU64::new(number)).await;
    }
    assert_eq!(received.gaps, times, "each end of the connection was told");
    assert!(received.in_gaps > 0, "something was missed");
    assert_eq!(received.messages + received.in_gaps, number);
    Row {
        injected: times,
        commands: number,
        lost: received.lost,
        twice: received.twice,
        stall: received.stall,
        ..Row::default()
    }
    .remark(format!("messages; {} missed, all in told gaps", received.in_gaps))
}
