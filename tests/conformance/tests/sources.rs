//! One source of tokens and those who live on it: many clients, handlers that come and go, closing at any
//! moment, connections that are refused now and then.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::token::{TokenSource, TokenSourceOptions};
use keyless::{Client, ErrorCode, Options};
use keyless_conformance::{Events, check, client_secret, emulator, options};
use keyless_emulator::{Emulator, TokenFault};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// A source that asks for a new token every few hundred milliseconds although each lives for an hour.
fn restless(emulator: &Emulator) -> TokenSource {
    let options = TokenSourceOptions::new().refresh_ratio(0.000_06).refresh_jitter(0.0);
    TokenSource::new(client_secret(emulator), options).unwrap()
}

fn prompt(emulator: &Emulator) -> Options {
    options(emulator).with_reauth_stagger(Some(Duration::ZERO))
}

#[tokio::test]
async fn forced_refreshes_never_see_a_cached_token() {
    let emulator = emulator(HOUR).await;
    let source = restless(&emulator);
    let mut following = source.subscribe().unwrap();
    let mut lifetimes = Vec::new();
    for _ in 0..10 {
        let token = following.changed().await.unwrap();
        lifetimes.push(token.expires_at.duration_since(token.received_at).unwrap().as_secs());
    }
    let tokens = emulator.stats().tokens;
    let distinct: BTreeSet<_> = tokens.requests.iter().map(|request| request.uti.clone().unwrap()).collect();
    println!("{} distinct tokens in {} requests, {lifetimes:?} s", distinct.len(), tokens.served);
    assert!(distinct.len() >= 10 && distinct.len() as u64 == tokens.served);
    assert!(lifetimes.iter().all(|lifetime| (3595..=3601).contains(lifetime)), "{lifetimes:?}");
}

#[tokio::test]
async fn two_clients_on_one_source_cost_one_request_per_token() {
    let emulator = emulator(HOUR).await;
    let source = restless(&emulator);
    let one = Client::connect_as(&prompt(&emulator), source.clone()).await.unwrap();
    let two = Client::connect_as(&prompt(&emulator), source.clone()).await.unwrap();
    emulator.wait_until(|stats| stats.auth.accepted >= 12, PATIENCE).await.unwrap();
    drop(one);
    // The other one goes on.
    let accepted = emulator.stats().auth.accepted;
    emulator.wait_until(move |stats| stats.auth.accepted >= accepted + 3, PATIENCE).await.unwrap();
    let () = two.execute(&cmd("PING")).await.unwrap();
    let stats = emulator.stats();
    println!("{} tokens, {} sign-ins", stats.tokens.served, stats.auth.accepted);
    let mut seen = BTreeSet::new();
    for record in &stats.auth.records {
        assert!(seen.insert((record.connection, record.uti.clone())), "sent twice: {record:?}");
    }
    let first_two = stats.auth.records.iter().take(10).map(|record| &record.uti).collect::<BTreeSet<_>>();
    assert!(first_two.len() < 8, "each client has tokens of its own: {first_two:?}");
}

#[tokio::test]
async fn one_refused_connection_of_many_is_tried_again_and_disturbs_nobody() {
    let emulator = emulator(Duration::from_secs(6)).await;
    let options = options(&emulator).with_reauth_retry_min(Duration::from_millis(20));
    let source = TokenSource::new(client_secret(&emulator), options.token_source_options()).unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::connect_as(&options, source.clone()).await.unwrap());
    }
    let events: Vec<_> = clients.iter().map(Events::of).collect();
    emulator.reset();
    emulator.faults().refuse_auth(Some(1));
    for events in &events {
        events.wait(EventMask::CONNECTION_REAUTHENTICATED, 1, PATIENCE).await;
    }
    let count = |mask| events.iter().map(|events| events.count(mask)).sum::<usize>();
    assert_eq!(count(EventMask::CONNECTION_REAUTHENTICATION_FAILED), 1);
    assert_eq!(count(EventMask::CONNECTION_LOST), 0);
    let stats = emulator.stats();
    assert_eq!((stats.auth.refused, stats.connections.opened, stats.connections.open), (1, 0, 5));
    let failures: u64 = clients.iter().map(|client| client.stats().reauthentication_failures).sum();
    assert_eq!(failures, 1);
}

#[tokio::test]
async fn a_handler_may_remove_itself_and_others_while_it_runs() {
    let emulator = emulator(HOUR).await;
    let client = Arc::new(Client::connect_as(&prompt(&emulator), restless(&emulator)).await.unwrap());
    let (calls, own) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::new()));
    let (counted, id, weak) = (Arc::clone(&calls), Arc::clone(&own), Arc::downgrade(&client));
    let handler = client.on_event(
        EventMask::TOKEN_REFRESHED,
        Arc::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            if let (Some(client), Some(id)) = (weak.upgrade(), id.get()) {
                assert!(client.remove_handler(*id));
            }
        }),
    );
    own.set(handler).unwrap();
    let events = Events::of(&client);
    events.wait(EventMask::TOKEN_REFRESHED, 4, PATIENCE).await;
    let called = calls.load(Ordering::SeqCst);
    assert!((1..=2).contains(&called), "called {called} times");
    assert!(!client.remove_handler(handler), "it was removed before");
}

#[tokio::test]
async fn subscribing_twice_gives_each_token_once_to_both() {
    let emulator = emulator(HOUR).await;
    let source = restless(&emulator);
    let (mut one, mut two) = (source.subscribe().unwrap(), source.subscribe().unwrap());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        first.push(one.changed().await.unwrap().generation);
        second.push(two.changed().await.unwrap().generation);
    }
    assert_eq!((&first, &second), (&vec![1, 2, 3, 4], &vec![1, 2, 3, 4]));
    assert!(emulator.stats().tokens.served <= 5);
}

#[test]
fn subscribers_that_come_and_go_race_the_tokens_and_lose_none() {
    let emulator = Emulator::start_blocking(keyless_emulator::EmulatorOptions::default()).unwrap();
    let source = restless(&emulator);
    let got: u64 = thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|_| {
                let source = source.clone();
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    let (mut newest, mut count) = (0, 0);
                    while newest < 5 {
                        let mut subscription = source.subscribe().unwrap();
                        let token = runtime.block_on(subscription.changed()).unwrap();
                        assert!(token.generation >= newest, "an older token after a newer one");
                        newest = token.generation;
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    let served = emulator.stats().tokens.served;
    println!("{got} subscriptions, {served} tokens");
    assert!(got > 1000 && (5..=6).contains(&served), "subscribing asks for no token while there is one");
}

#[tokio::test]
async fn closing_during_retries_ends_everything() {
    let emulator = emulator(HOUR).await;
    emulator.faults().token(TokenFault::Status { status: 503 }, None);
    let source = TokenSource::new(
        client_secret(&emulator),
        TokenSourceOptions::new().retry_min(Duration::from_millis(20)),
    )
    .unwrap();
    let options = options(&emulator).with_connect_timeout(Duration::from_millis(200));
    let client = Client::connect_as(&options, source.clone()).await.unwrap();
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.execute::<()>(&cmd("PING")).await })
    };
    while client.stats().queued == 0 {
        tokio::task::yield_now().await;
    }
    client.close().await;
    let error = waiting.await.unwrap().unwrap_err();
    println!("{error}");
    assert!(matches!(error.code(), ErrorCode::Closed | ErrorCode::Timeout), "{error:?}");
    check(
        &client.execute::<()>(&cmd("PING")).await.unwrap_err(),
        ErrorCode::Closed,
        &["closed"],
        &["new client"],
    );
    // The source is its owner's, and goes on until it is closed too.
    let asked = emulator.stats().tokens.failed;
    emulator.wait_until(move |stats| stats.tokens.failed > asked, PATIENCE).await.unwrap();
    source.close();
    assert_eq!(source.get(PATIENCE).await.unwrap_err().code(), ErrorCode::Closed);
}

#[test]
fn connecting_and_closing_from_many_threads_leaves_nothing_behind() {
    let emulator = Emulator::start_blocking(keyless_emulator::EmulatorOptions::default()).unwrap();
    let source = restless(&emulator);
    let options = prompt(&emulator);
    thread::scope(|scope| {
        for number in 0..8 {
            let (source, options) = (source.clone(), options.clone());
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for round in 0.. {
                    if round >= 10 && source.state().generation >= 4 {
                        return;
                    }
                    let client = runtime.block_on(Client::connect_as(&options, source.clone())).unwrap();
                    let () = runtime.block_on(client.execute(&cmd("PING"))).unwrap();
                    match (number + round) % 3 {
                        0 => runtime.block_on(client.close()),
                        1 => {
                            let other = client.clone();
                            thread::scope(|scope| {
                                scope.spawn(|| {
                                    let own =
                                        tokio::runtime::Builder::new_current_thread().enable_all().build();
                                    own.unwrap().block_on(other.close());
                                });
                                runtime.block_on(client.close());
                            });
                        }
                        _ => drop(client),
                    }
                }
            });
        }
    });
    let stats = emulator.wait_until_blocking(|stats| stats.connections.open == 0, PATIENCE).unwrap();
    println!("{} connections, {} tokens", stats.connections.opened, stats.tokens.served);
    assert!(stats.connections.opened >= 80 && stats.tokens.served >= 4, "{stats:?}");
    assert_eq!((stats.auth.refused, stats.connections.closed_by_client), (0, stats.connections.opened));
}
