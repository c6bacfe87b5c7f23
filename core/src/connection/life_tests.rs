//! The moments between one state of a connection and the next, held open by a peer that answers only when
//! it is told to: what happens in them is not lost.

use super::batch::Batch;
use super::link::Link;
use super::monitor::{End, Monitor};
use super::node::{Node, State, Wish, closed};
use super::outbox::tests::Recorder;
use super::redirect::Rerouter;
use super::scripted_peer::{dial, node, settings, start};
use super::settings::SignIn;
use super::supervisor::supervise;
use crate::credential::{AccessToken, Credential};
use crate::error::{Error, ErrorCode, Result};
use crate::pubsub::{Kind, Queue, SubscriberOptions};
use crate::secret::Secret;
use crate::token::{TokenSource, TokenSourceOptions, UserName};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// Long enough for anything that must happen, on the slowest machine.
const SOON: Duration = Duration::from_secs(20);

fn queue() -> Arc<Queue> {
    Queue::new(SubscriberOptions::default(), Arc::default())
}

/// A subscription that was begun: the server, if there is one, has been told.
async fn begin(node: &Arc<Node>, name: &'static str) -> Pin<Box<impl Future<Output = Result<()>>>> {
    let mut subscription = Box::pin(Arc::clone(node).subscribe(Kind::Channel, vec![name.into()], queue()));
    poll_fn(|cx| {
        assert!(subscription.as_mut().poll(cx).is_pending(), "nobody can have confirmed {name}");
        Poll::Ready(())
    })
    .await;
    subscription
}

/// What a peer was told to subscribe to: on which connection, and which name.
type Subscribed = UnboundedReceiver<(usize, String)>;

/// A peer that confirms `first` on connection `held` only once the gate is opened.
fn gated(held: usize, refuse_auth: bool) -> (std::net::SocketAddr, Subscribed, Sender<()>) {
    let (tell, told) = unbounded_channel();
    let (open, gate) = channel();
    let gate = Mutex::new(gate);
    let peer = start(move |request| {
        if request.is("SUBSCRIBE") {
            let _ = tell.send((request.connection, request.args[1].clone()));
            if request.connection == held && request.args[1] == "first" {
                let _ = gate.lock().recv();
            }
        }
        if refuse_auth && request.is("AUTH") {
            request.answer(b"-WRONGPASS invalid username-password pair\r\n");
        } else {
            request.answer_as_usual();
        }
    });
    (peer, told, open)
}

/// Waits until the peer was told this.
async fn hears(told: &mut Subscribed, connection: usize, name: &str) {
    let heard = async {
        while let Some(what) = told.recv().await {
            if what == (connection, name.to_owned()) {
                return;
            }
        }
    };
    timeout(SOON, heard).await.unwrap_or_else(|_| panic!("{name} was not subscribed on {connection}"));
}

#[tokio::test]
async fn a_subscription_made_while_the_connection_is_being_made_is_told_to_it() {
    let (peer, mut told, open) = gated(1, false);
    let node = node(settings(peer));
    let first = begin(&node, "first").await;
    tokio::spawn(supervise(Arc::clone(&node)));
    // The fresh connection restores what it knew of when it asked; `second` comes after that.
    hears(&mut told, 1, "first").await;
    let second = begin(&node, "second").await;
    open.send(()).unwrap();
    timeout(SOON, first).await.unwrap().expect("confirmed");
    timeout(SOON, second).await.unwrap().expect("confirmed");
    node.wish(Wish::Stop);
}

#[tokio::test]
async fn a_subscription_made_while_the_connection_is_being_replaced_is_told_to_its_successor() {
    let (peer, mut told, open) = gated(2, true);
    // The first token ends soon and no other is accepted on the live connection: that one must be replaced.
    let issued = AtomicU32::new(0);
    let credential = Credential::custom("test", move |_| {
        let number = issued.fetch_add(1, Ordering::Relaxed);
        let lifetime = if number == 0 { Duration::from_secs(4) } else { Duration::from_hours(1) };
        let secret = Secret::new(format!("token-{number}"));
        let token = AccessToken { secret, expires_at: SystemTime::now() + lifetime };
        std::future::ready(Ok::<_, Infallible>(token))
    });
    let options = TokenSourceOptions::new()
        .user_name(UserName::Fixed("user".into()))
        .refresh_ratio(0.1)
        .retry_min(Duration::from_millis(10))
        .retry_max(Duration::from_millis(50));
    let mut settings = settings(peer);
    settings.sign_in = SignIn::Token(TokenSource::new(credential, options).unwrap());
    let node = node(settings);
    let first = begin(&node, "first").await;
    tokio::spawn(supervise(Arc::clone(&node)));
    timeout(SOON, first).await.unwrap().expect("confirmed");
    hears(&mut told, 2, "first").await;
    let second = begin(&node, "second").await;
    // The old connection still takes it; its word does not count for the successor.
    timeout(SOON, second).await.unwrap().expect("confirmed");
    open.send(()).unwrap();
    hears(&mut told, 2, "second").await;
    node.wish(Wish::Stop);
}

#[tokio::test]
async fn an_end_wished_before_the_connection_s_task_first_runs_is_not_missed() {
    for wish in [Wish::Stop, Wish::Finish(Instant::now())] {
        let peer = start(|_| {});
        let node = node(settings(peer));
        let (outbox, subscriptions) = (Arc::clone(&node.outbox), Arc::clone(&node.subscriptions));
        let link = Arc::new(
            Link::new(
                dial(peer),
                outbox,
                subscriptions,
                Rerouter::default(),
                "test",
                Arc::clone(&node.counters),
                1 << 20,
            )
            .unwrap(),
        );
        link.open();
        let mut monitor = Monitor::new(Arc::clone(&node), link, "peer:1".into(), None);
        node.wish(wish);
        let end = timeout(SOON, monitor.run()).await.unwrap_or_else(|_| panic!("{wish:?} was missed"));
        assert!(matches!(end, End::Finished), "{wish:?}");
    }
}

#[tokio::test]
async fn an_end_wished_before_the_first_dial_or_during_it_is_not_missed() {
    for early in [true, false] {
        let (asked, mut dialled) = unbounded_channel();
        let peer = start(move |_| {
            let _ = asked.send(());
        });
        let node = node(settings(peer));
        if early {
            node.wish(Wish::Stop);
        }
        tokio::spawn(supervise(Arc::clone(&node)));
        if !early {
            // The peer leaves the handshake unanswered.
            timeout(SOON, dialled.recv()).await.unwrap();
            node.wish(Wish::Stop);
        }
        timeout(SOON / 4, node.closed()).await.unwrap_or_else(|_| panic!("missed, early: {early}"));
    }
}

#[tokio::test]
async fn what_an_old_connection_gives_back_after_the_end_is_told_so() {
    let peer = start(|request| {
        if !request.is("GET") {
            request.answer_as_usual();
        }
    });
    let node = node(settings(peer));
    let (outbox, subscriptions) = (Arc::clone(&node.outbox), Arc::clone(&node.subscriptions));
    // A connection whose drain timed out lives on beside its successor, with a request that only reads.
    let old = Link::new(
        dial(peer),
        outbox,
        subscriptions,
        Rerouter::default(),
        "test",
        Arc::clone(&node.counters),
        1 << 20,
    )
    .unwrap();
    old.open();
    let sink = Arc::new(Recorder::default());
    let mut batch = Batch::new();
    batch.push(&["GET", "key"]).unwrap();
    node.submit(&mut batch, 7, sink.clone(), SOON).unwrap();
    let ended = poll_fn(|cx| Poll::Ready(old.poll(cx).is_ready())).await;
    assert!(!ended);
    assert_eq!((old.progress().inflight, node.outbox.lock().len()), (1, 0));
    old.drain();

    tokio::spawn(supervise(Arc::clone(&node)));
    assert!(matches!(timeout(SOON, node.settled()).await.unwrap(), State::Ready));
    node.wish(Wish::Stop);
    timeout(SOON, node.closed()).await.unwrap();
    assert!(sink.0.lock().is_empty(), "the old connection has not ended yet");
    old.end(&Error::new(ErrorCode::ConnectionLost, "Gone.", ""));
    let told = std::mem::take(&mut *sink.0.lock());
    assert!(
        matches!(&told[..], [(7, Err(error))] if error.code() == closed().code()),
        "whoever waits is told that the client is closed: {told:?}"
    );
    assert_eq!(node.outbox.lock().len(), 0);
}

#[tokio::test]
async fn a_long_reply_that_keeps_coming_is_no_silence() {
    const PIECES: usize = 24;
    const PIECE: usize = 1 << 10;
    let peer = start(|request| {
        if request.is("GET") {
            request.answer(format!("${}\r\n", PIECES * PIECE).as_bytes());
            for _ in 0..PIECES {
                std::thread::sleep(Duration::from_millis(100));
                request.answer(&[b'x'; PIECE]);
            }
            request.answer(b"\r\n");
        } else {
            request.answer_as_usual();
        }
    });
    let mut settings = settings(peer);
    // The connection would be given up after twice this time without a byte.
    settings.command_timeout = Duration::from_millis(500);
    let node = node(settings);
    tokio::spawn(supervise(Arc::clone(&node)));
    let sink = Arc::new(Recorder::default());
    let mut batch = Batch::new();
    batch.push(&["GET", "long"]).unwrap();
    let begun = Instant::now();
    node.submit(&mut batch, 0, sink.clone(), SOON).unwrap();
    while sink.0.lock().is_empty() {
        assert!(begun.elapsed() < SOON, "neither a reply nor an error");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = begun.elapsed();
    let told = std::mem::take(&mut *sink.0.lock());
    assert!(matches!(&told[..], [(0, Ok(reply))] if reply.len() > PIECES * PIECE), "it arrives whole");
    assert!(took > Duration::from_secs(2), "slower than the watchdog's patience: {took:?}");
    assert_eq!(node.counters.connections.load(Ordering::Relaxed), 1, "nobody cut it");
    node.wish(Wish::Stop);
}

#[tokio::test]
async fn a_connection_is_replaced_before_its_announced_end() {
    let (tell, mut told) = unbounded_channel();
    let peer = start(move |request| {
        let _ = tell.send((request.connection, request.args[0].clone()));
        request.answer_as_usual();
        if request.connection == 1 && request.is("INCR") {
            request.answer(b">4\r\n+MOVING\r\n:1\r\n:0\r\n_\r\n");
        }
    });
    let node = node(settings(peer));
    let lost = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&lost);
    node.events.add(
        crate::event::EventMask::CONNECTION_LOST,
        Arc::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        }),
    );
    tokio::spawn(supervise(Arc::clone(&node)));
    let sink = Arc::new(Recorder::default());
    let ask = || {
        let mut batch = Batch::new();
        batch.push(&["INCR", "k"]).unwrap();
        node.submit(&mut batch, 0, sink.clone(), SOON).unwrap();
    };
    ask();
    // Each command goes to whichever connection is in use; from some moment on it is the second one.
    let second = async {
        loop {
            match told.recv().await {
                Some((2, name)) if name == "INCR" => break,
                Some((1, name)) if name == "INCR" => {}
                Some((2, name)) if name == "PING" => ask(),
                Some(_) => {}
                None => panic!("the peer has ended"),
            }
        }
    };
    timeout(SOON, second).await.expect("a second connection takes commands");
    timeout(SOON, async {
        while sink.0.lock().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("both are answered");
    assert!(sink.0.lock().iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!(lost.load(Ordering::Relaxed), 0);
    node.wish(Wish::Stop);
}
