//! The figures of a client against what the emulator counted on its own.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::stats::MetricValue;
use keyless::{Client, ErrorCode, Pipeline, Stats};
use keyless_conformance::{Events, SOON, client_secret, emulator, eventually, options};
use keyless_emulator::{Cut, Freeze, TokenFault};
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(4);

fn errors(stats: &Stats, code: ErrorCode) -> u64 {
    stats.errors.get(&code).copied().unwrap_or_default()
}

#[tokio::test]
async fn the_figures_are_those_of_the_emulator() {
    let emulator = emulator(LIFETIME).await;
    let options = options(&emulator).with_command_timeout(SOON).with_set_client_info(false);
    let begun = Instant::now();
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    // What keyless says on each connection first, the sign-in included.
    let handshake = emulator.stats().commands;

    // Commands and their errors: each reply counts once, whoever it came with.
    for _ in 0..100 {
        client.execute::<()>(cmd("SET").arg("key").arg("text")).await.unwrap();
    }
    for _ in 0..3 {
        client.execute::<i64>(cmd("INCR").arg("key")).await.unwrap_err();
    }
    client.execute::<()>(cmd("LPUSH").arg("key").arg(1)).await.unwrap_err();
    let unreadable = client.execute::<i64>(cmd("GET").arg("key")).await.unwrap_err();
    assert_eq!(unreadable.code(), ErrorCode::UnexpectedReply);
    client.execute::<()>(&cmd("MULTI")).await.unwrap_err();
    let mut pipeline = Pipeline::new();
    for _ in 0..50 {
        pipeline.add(cmd("GET").arg("key")).add(cmd("INCR").arg("key"));
    }
    client.execute_pipeline(pipeline).await.unwrap();
    let commands = 100 + 3 + 1 + 1 + 100;
    let stats = client.stats();
    assert_eq!(stats.commands, commands);
    assert_eq!(stats.latency.count, commands);
    assert_eq!(errors(&stats, ErrorCode::Server), 3 + 1 + 50);
    assert_eq!(errors(&stats, ErrorCode::UnexpectedReply), 1);
    assert_eq!(errors(&stats, ErrorCode::InvalidCommand), 1);
    assert_eq!(stats.errors.values().sum::<u64>(), 56, "{:?}", stats.errors);
    assert!(stats.latency.p50 <= stats.latency.p99 && stats.latency.p99 <= stats.latency.max);
    assert!(stats.latency.max <= begun.elapsed() && !stats.latency.p50.is_zero());

    // A token that is refreshed, after an attempt that failed, and sign-ins.
    emulator.faults().token(TokenFault::Status { status: 503 }, Some(1));
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, 2, SOON).await;
    let stats = client.stats();
    let seen = emulator.stats();
    // The next refresh may be under way already.
    assert!(seen.tokens.served - stats.token_refreshes <= 1, "{} and {stats:?}", seen.tokens.served);
    assert_eq!(stats.token_refresh_failures, seen.tokens.failed);
    assert!(seen.auth.accepted - (1 + stats.reauthentications) <= 1);
    assert!(stats.reauthentications >= 2 && stats.reauthentication_failures == seen.auth.refused);
    let (age, left) = (stats.token_age.unwrap(), stats.token_remaining.unwrap());
    assert!(age + left <= LIFETIME + Duration::from_secs(1) && age < LIFETIME && !left.is_zero(), "{age:?}");

    // A connection that is lost with a command under way, and the next one.
    emulator.faults().freeze(Freeze::ToClient, None);
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.execute::<i64>(cmd("INCR").arg("other")).await })
    };
    eventually("one in flight", SOON, || client.stats().in_flight == 1).await;
    let quiet = client.stats().endpoints[0].last_reply.expect("a connection");
    eventually("silence is seen", SOON, || {
        client.stats().endpoints[0].last_reply.is_some_and(|age| age > quiet + Duration::from_millis(100))
    })
    .await;
    emulator.faults().cut_connections(Cut::Reset);
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), ErrorCode::ConnectionLost);
    emulator.faults().thaw();
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    client.execute::<()>(cmd("SET").arg("key").arg("text")).await.unwrap();
    let stats = client.stats();
    let seen = emulator.stats();
    assert_eq!((stats.connections, stats.reconnects), (seen.connections.opened, 1), "{stats:?}");
    assert_eq!(errors(&stats, ErrorCode::ConnectionLost), 1);
    assert_eq!((stats.queued, stats.in_flight, stats.events_dropped), (0, 0, 0));
    assert_eq!(stats.latency.count, commands + 1, "the lost one has no duration");
    let endpoint = &stats.endpoints[0];
    assert!(endpoint.connected && *endpoint.endpoint == emulator.endpoint());
    assert!(endpoint.last_reply.unwrap() < SOON);

    // What passed the gateway is what was handed over and keyless' own (no connection was idle: no pings).
    let later_sign_ins = seen.auth.accepted + seen.auth.refused - seen.connections.opened;
    let own = handshake * seen.connections.opened + later_sign_ins;
    assert_eq!(seen.commands, stats.commands + own, "{stats:?}");
    client.close().await;
    client.execute::<()>(&cmd("PING")).await.unwrap_err();
    let stats = client.stats();
    assert_eq!(errors(&stats, ErrorCode::Closed), 1);
    assert!(!stats.endpoints[0].connected);

    let metrics = stats.metrics();
    let counted = metrics.iter().find(|sample| sample.metric.name == "keyless.client.commands").unwrap();
    assert_eq!(counted.value, MetricValue::Count(stats.commands));
    for sample in &metrics {
        println!("{} {:?} {} {:?}", sample.metric.name, sample.value, sample.metric.unit, sample.attributes);
    }
}
