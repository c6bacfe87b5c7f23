//! T.2.2, T.2.3, T.3.2, T.3.4, T.4.1: tokens are renewed under load, every connection follows, a cut heals.

use super::{HOUR, PATIENCE, restless, tokens_by_connection};
use keyless::event::{Event, EventMask};
use keyless::redis::{Value, cmd};
use keyless::{Client, Options, Pipeline};
use keyless_conformance::{Events, client_secret, emulator, options};
use keyless_emulator::{Cut, Emulator, TokenFault};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Options under which a new token is told at once.
fn prompt(emulator: &Emulator) -> Options {
    options(emulator).with_reauth_stagger(Some(Duration::ZERO)).with_command_timeout(PATIENCE)
}

/// Runs `work` on five threads until the connection was signed in again ten times; how often it ran.
fn under_load(
    emulator: &Emulator,
    client: &Client,
    work: impl Fn(&Client, &tokio::runtime::Runtime, usize, u64) + Sync,
) -> u64 {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..5 {
            let (stop, done, work) = (&stop, &done, &work);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    work(client, &runtime, thread, round);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // A sign-in is counted before the client reads the answer: the next one proves that it has.
        let waited = emulator.wait_until_blocking(|stats| stats.auth.accepted > 11, PATIENCE);
        stop.store(true, Ordering::Relaxed);
        waited.unwrap();
    });
    done.into_inner()
}

/// One connection, ten renewals or more, each token sent once, nothing refused, nothing cut.
fn nothing_happened_but_renewals(emulator: &Emulator, client: &Client, rounds: u64) {
    let stats = emulator.stats();
    let tokens = tokens_by_connection(&stats);
    println!("{rounds} rounds, {} sign-ins, {:?}", stats.auth.accepted, client.stats());
    assert!(rounds > 50, "{rounds}");
    assert_eq!((stats.connections.opened, stats.auth.refused), (1, 0));
    for tokens in tokens.values() {
        assert!(tokens.len() > 10);
        assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len(), "a token was sent twice");
    }
    assert!(client.stats().reauthentications >= 10 && client.stats().reauthentication_failures == 0);
}

#[test]
fn t_2_2_renewal_does_not_disturb_commands() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let emulator = runtime.block_on(emulator(HOUR));
    let client = runtime.block_on(Client::connect_as(&prompt(&emulator), restless(&emulator))).unwrap();
    let rounds = under_load(&emulator, &client, |client, runtime, thread, round| {
        let key = format!("key {thread}");
        runtime.block_on(async {
            let () = client.execute(cmd("SET").arg(&key).arg(round)).await.unwrap();
            let read: u64 = client.execute(cmd("GET").arg(&key)).await.unwrap();
            let deleted: u64 = client.execute(cmd("DEL").arg(&key)).await.unwrap();
            assert_eq!((read, deleted), (round, 1));
        });
    });
    nothing_happened_but_renewals(&emulator, &client, rounds);
}

#[test]
fn t_2_2_renewal_does_not_disturb_transactions() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let emulator = runtime.block_on(emulator(HOUR));
    let client = runtime.block_on(Client::connect_as(&prompt(&emulator), restless(&emulator))).unwrap();
    let rounds = under_load(&emulator, &client, |client, runtime, thread, round| {
        let key = format!("key {thread}");
        let mut transaction = Pipeline::transaction();
        transaction.add(cmd("SET").arg(&key).arg(round)).add(cmd("GET").arg(&key)).add(cmd("DEL").arg(&key));
        let (set, read, deleted): (Value, u64, u64) =
            runtime.block_on(client.query_pipeline(transaction)).unwrap();
        assert_eq!((set, read, deleted), (Value::Okay, round, 1));
    });
    nothing_happened_but_renewals(&emulator, &client, rounds);
}

#[tokio::test]
async fn t_2_2_a_failing_renewal_reaches_the_user_and_no_command() {
    let emulator = emulator(Duration::from_secs(8)).await;
    let options = prompt(&emulator).with_refresh_ratio(0.3);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    emulator.faults().token(TokenFault::Status { status: 503 }, Some(3));
    events.wait(EventMask::TOKEN_REFRESH_FAILED, 3, PATIENCE).await;
    let () = client.execute(&cmd("PING")).await.unwrap();
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, 1, PATIENCE).await;
    let attempts: Vec<_> = events
        .all()
        .into_iter()
        .filter_map(|event| match event {
            Event::TokenRefreshFailed { attempt, next_attempt, expires_at, error, .. } => {
                println!("attempt {attempt}, next in {next_attempt:?}: {error}");
                assert!(expires_at.is_some() && error.message().contains("503"), "{error}");
                Some(attempt)
            }
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 0);
    assert_eq!(emulator.stats().connections.opened, 1);
}

/// The seconds between token requests over so many renewals.
async fn gaps(ratio: f64, lifetime: Duration, renewals: u64) -> Vec<f64> {
    let emulator = emulator(lifetime).await;
    let options = prompt(&emulator).with_refresh_ratio(ratio).with_refresh_jitter(0.0);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let stats = emulator.wait_until(move |stats| stats.tokens.served > renewals, PATIENCE).await.unwrap();
    let times: Vec<_> = stats.tokens.requests.iter().map(|request| request.time).collect();
    emulator.wait_until(move |stats| stats.auth.accepted > renewals, PATIENCE).await.unwrap();
    assert!(client.is_ready(), "{:?}", client.last_error());
    let stats = emulator.stats();
    assert_eq!((stats.connections.opened, stats.auth.expired_tokens_offered), (1, 0), "{stats:?}");
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    println!("ratio {ratio}: {gaps:.2?} s between requests for tokens of {lifetime:?}");
    gaps
}

#[tokio::test]
async fn t_2_3_renewal_comes_at_the_configured_ratio() {
    for gap in gaps(0.5, Duration::from_secs(8), 2).await {
        // The expiry is in whole seconds, rounded up, and the machine may be busy.
        assert!((3.9..6.5).contains(&gap), "{gap}");
    }
}

#[tokio::test]
async fn t_4_1_edge_ratios_stay_inside_the_life_of_the_token() {
    // Under the highest ratio there is still time to sign the connection in again: it is never replaced.
    for (ratio, renewals, most) in [(0.05, 4, 2.0), (0.95, 1, 8.5)] {
        for gap in gaps(ratio, Duration::from_secs(8), renewals).await {
            assert!(gap > 0.05 && gap < most, "ratio {ratio}: {gap}");
        }
    }
}

#[tokio::test]
async fn t_3_2_every_connection_signs_in_with_every_token_once() {
    let emulator = emulator(Duration::from_secs(8)).await;
    let options = options(&emulator);
    let source =
        keyless::token::TokenSource::new(client_secret(&emulator), options.token_source_options()).unwrap();
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(Client::connect_as(&options, source.clone()).await.unwrap());
    }
    let first = source.state().generation;
    emulator.wait_until(move |stats| stats.auth.accepted >= 8 * 3, PATIENCE).await.unwrap();
    let stats = emulator.stats();
    let tokens = tokens_by_connection(&stats);
    println!("first generation {first}, {} tokens, {tokens:#?}", stats.tokens.served);
    assert_eq!((tokens.len(), stats.connections.opened, stats.auth.refused), (8, 8, 0));
    let served: Vec<_> = stats.tokens.requests.iter().filter_map(|request| request.uti.clone()).collect();
    for tokens in tokens.values() {
        // The last token may still be on its way to some; none is left out, repeated or out of order.
        let from = served.iter().position(|uti| *uti == tokens[0]).unwrap();
        assert_eq!(tokens[..], served[from..from + tokens.len()]);
        assert!(tokens.len() >= 2);
    }
}

#[tokio::test]
async fn t_3_4_a_network_failure_heals_within_two_seconds_with_the_token_at_hand() {
    let emulator = emulator(HOUR).await;
    let client = Client::connect_as(&prompt(&emulator), client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    for (round, cut) in [Cut::Close, Cut::Reset, Cut::Close].into_iter().enumerate() {
        emulator.faults().cut_connections(cut);
        let begun = Instant::now();
        events.wait(EventMask::CONNECTION_LOST, round + 1, PATIENCE).await;
        let () = client.execute(cmd("SET").arg("key").arg(round)).await.unwrap();
        println!("{cut:?}: works again after {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    let stats = emulator.stats();
    assert_eq!((stats.tokens.requests.len(), stats.auth.accepted), (1, 4));
    assert_eq!(client.stats().reconnects, 3);
}
