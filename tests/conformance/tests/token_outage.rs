//! The token endpoint is down for three lifetimes and comes back.

use keyless::Client;
use keyless::ErrorCode;
use keyless::event::{Event, EventMask};
use keyless::redis::cmd;
use keyless_conformance::load::{Load, flawless};
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use keyless_emulator::{Emulator, TokenFault};
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(3);
const QUEUED: usize = 300;

fn patient(emulator: &Emulator) -> keyless::Options {
    options(emulator)
        .with_command_timeout(Duration::from_mins(1))
        .with_token_request_timeout(Duration::from_millis(300))
        .with_refresh_retry_max(Duration::from_millis(500))
}

/// The numbers and times of the failed attempts.
fn attempts(events: &Events) -> Vec<(u32, std::time::SystemTime)> {
    let numbered = |event: Event| match event {
        Event::TokenRefreshFailed { attempt, time, .. } => Some((attempt, time)),
        _ => None,
    };
    events.all().into_iter().filter_map(numbered).collect()
}

/// Three lifetimes without tokens; then everything that waited is done, within `limit` of the return.
async fn survives(fault: TokenFault, limit: Duration) {
    let emulator = emulator(LIFETIME).await;
    let client = Client::connect_as(&patient(&emulator), client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let load = Load::start(&client, 20);
    load.progress(100).await;

    let down = Instant::now();
    emulator.faults().token(fault.clone(), None);
    events.wait(EventMask::CONNECTION_LOST, 1, SOON).await;
    let mut queued = Vec::new();
    for number in 0..QUEUED {
        let client = client.clone();
        queued.push(tokio::spawn(async move {
            client.execute::<()>(cmd("SET").arg(format!("queued:{number}")).arg(number)).await
        }));
    }
    tokio::time::sleep((LIFETIME * 3).saturating_sub(down.elapsed())).await;
    assert!(!client.is_ready());
    let failed = attempts(&events);
    emulator.faults().clear_token();
    let first = load.progress(1).await;
    for command in queued {
        command.await.unwrap().expect("nothing that was queued is lost");
    }
    load.progress(100).await;
    let commands = flawless(&load.stop().await);

    let numbers: Vec<u32> = failed.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<u32>>(), "attempts are counted");
    assert!(numbers.len() >= 3, "attempts go on: {numbers:?}");
    let gap = failed.windows(2).map(|pair| pair[1].1.duration_since(pair[0].1).unwrap_or_default()).max();
    let stats = emulator.stats();
    println!(
        "{fault:?}: {} failed attempts at most {:.1} s apart, first command {:.0} ms after the return, {commands} commands",
        numbers.len(),
        gap.unwrap_or_default().as_secs_f64(),
        first.as_secs_f64() * 1e3,
    );
    assert!(first < limit, "healed only after {first:?}");
    assert_eq!(stats.auth.expired_tokens_offered, 0);
    assert_eq!(stats.connections.closed_at_expiry, 0);
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 1);
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    assert_eq!(events.count(EventMask::CONNECTION_RESTORED), 1);
}

#[tokio::test]
async fn it_answers_503() {
    survives(TokenFault::Status { status: 503 }, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn it_refuses_connections() {
    survives(TokenFault::Refuse, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn it_never_answers() {
    survives(TokenFault::Hang, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn it_throttles_and_its_retry_after_is_kept() {
    // One second is what it asks for, and the schedule adds a tenth at most.
    survives(TokenFault::TooManyRequests { retry_after: 1 }, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_command_that_cannot_wait_is_told_why() {
    let emulator = emulator(LIFETIME).await;
    let options = patient(&emulator)
        .with_command_timeout(Duration::from_millis(400))
        .with_connect_timeout(Duration::from_millis(500));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    emulator.faults().token(TokenFault::Status { status: 503 }, None);
    events.wait(EventMask::CONNECTION_LOST, 1, SOON).await;
    let mut told = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LIFETIME {
        let sent = Instant::now();
        let error = client.execute::<()>(cmd("SET").arg("key").arg(1)).await.unwrap_err();
        told.push((sent.elapsed(), error));
    }
    let slowest = told.iter().map(|(took, _)| *took).max().unwrap_or_default();
    let (_, last) = told.last().unwrap();
    println!("{} commands told within {slowest:?}: {last}", told.len());
    for (_, error) in &told {
        assert!(!error.maybe_executed(), "{error:?}");
        assert_eq!(error.code(), ErrorCode::Timeout, "{error:?}");
        assert!(error.message().contains("no connection: "), "{error:?}");
    }
    assert!(last.message().contains("503"), "the cause is named: {last}");
    assert!(slowest < Duration::from_millis(400) + SOON / 10, "in time");
    emulator.faults().clear_token();
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    client.execute::<()>(cmd("SET").arg("key").arg(2)).await.unwrap();
    assert_eq!(emulator.stats().auth.expired_tokens_offered, 0);
}
