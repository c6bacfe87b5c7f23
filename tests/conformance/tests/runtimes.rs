//! A client serves several runtimes. None of them holds up another, or the sign-in, by blocking or ending.

use keyless::Client;
use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// What one blocked runtime may cost another one's command at the most.
const PROMPT: Duration = Duration::from_millis(500);

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// One command on the current thread's runtime; how long it took.
async fn increment(client: &Client, key: &str) -> Duration {
    let begun = Instant::now();
    client.execute::<u64>(cmd("INCR").arg(key)).await.unwrap();
    begun.elapsed()
}

#[test]
fn a_blocked_runtime_holds_nobody_up() {
    let main = single();
    let emulator = main.block_on(emulator(Duration::from_secs(3)));
    let client = main.block_on(Client::connect_as(&options(&emulator), client_secret(&emulator))).unwrap();
    let events = Events::of(&client);
    let stop = Arc::new(AtomicBool::new(false));
    let blocker = {
        let (client, stop) = (client.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            let mut rounds = 0;
            single().block_on(async {
                while !stop.load(Ordering::Relaxed) {
                    // A few commands in turn, so that this runtime drives the connection; then it blocks.
                    for _ in 0..20 {
                        increment(&client, "blocker").await;
                    }
                    thread::sleep(Duration::from_secs(1));
                    rounds += 1;
                }
            });
            rounds
        })
    };
    let (mut slowest, mut commands) = (Duration::ZERO, 0);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        slowest = slowest.max(main.block_on(increment(&client, "prompt")));
        commands += 1;
        // Long enough for the other runtime to take the drive.
        thread::sleep(Duration::from_millis(23));
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = blocker.join().unwrap();
    let renewed = events.count(EventMask::CONNECTION_REAUTHENTICATED);
    println!("{commands} commands beside {rounds} blocked seconds, the slowest {slowest:?}; {renewed} AUTHs");
    assert!(slowest < PROMPT, "{slowest:?}");
    assert!(renewed >= 2);
    let stats = emulator.stats();
    assert_eq!((stats.connections.opened, stats.connections.closed_at_expiry), (1, 0));
    assert_eq!(stats.auth.expired_tokens_offered, 0);
}

#[test]
fn a_runtime_blocked_for_longer_than_a_token_lives_stays_signed_in() {
    let main = single();
    let emulator = main.block_on(emulator(Duration::from_secs(3)));
    let client = main.block_on(Client::connect_as(&options(&emulator), client_secret(&emulator))).unwrap();
    let events = Events::of(&client);
    main.block_on(async {
        for _ in 0..50 {
            increment(&client, "key").await;
        }
        thread::sleep(Duration::from_secs(8));
        increment(&client, "key").await;
    });
    let stats = emulator.stats();
    println!("{} AUTHs during 8 s without the caller's runtime", stats.auth.accepted);
    assert!(events.count(EventMask::CONNECTION_REAUTHENTICATED) >= 2);
    assert_eq!((stats.connections.opened, stats.connections.closed_at_expiry), (1, 0));
}

#[test]
fn a_runtime_that_ends_while_it_drives_leaves_the_client_working() {
    let main = single();
    let emulator = main.block_on(emulator(Duration::from_hours(1)));
    let client = main.block_on(Client::connect_as(&options(&emulator), client_secret(&emulator))).unwrap();
    let mut slowest = Duration::ZERO;
    for round in 0..40 {
        let other = single();
        other.block_on(async {
            for _ in 0..10 {
                increment(&client, "other").await;
            }
            if round % 2 == 0 {
                // The request is written, or about to be, and its waiter goes with the runtime.
                let client = client.clone();
                tokio::spawn(async move { increment(&client, "left").await });
                tokio::task::yield_now().await;
            }
        });
        drop(other);
        slowest = slowest.max(main.block_on(increment(&client, "main")));
        // Nobody may be a guest again for a while after one was relieved.
        thread::sleep(Duration::from_millis(if round % 4 == 0 { 210 } else { 1 }));
    }
    println!("40 runtimes ended, the slowest command after it {slowest:?}");
    assert!(slowest < PROMPT, "{slowest:?}");
    let total: u64 = main.block_on(client.execute(cmd("GET").arg("other"))).unwrap();
    assert_eq!(total, 400);
    assert_eq!(emulator.stats().connections.opened, 1);
}

#[test]
fn a_runtime_without_io_and_no_runtime_at_all_will_do() {
    let main = single();
    let emulator = main.block_on(emulator(Duration::from_hours(1)));
    let bare = Builder::new_current_thread().build().unwrap();
    let client = bare.block_on(Client::connect_as(&options(&emulator), client_secret(&emulator))).unwrap();
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        slowest = slowest.max(bare.block_on(increment(&client, "key")));
        slowest = slowest.max(block_on(increment(&client, "key")));
        slowest = slowest.max(main.block_on(increment(&client, "key")));
    }
    let total: u64 = block_on(client.execute(cmd("GET").arg("key"))).unwrap();
    println!("150 commands, the slowest {slowest:?}");
    assert_eq!(total, 150);
    assert!(slowest < PROMPT, "{slowest:?}");
    block_on(client.close());
}

/// The smallest executor there is.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    let begun = Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        assert!(begun.elapsed() < SOON, "never woken");
        thread::park_timeout(SOON);
    }
}
