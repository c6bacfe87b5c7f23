//! `redis-server` dies and comes back, under load.

use keyless::event::EventMask;
use keyless::options::Backlog;
use keyless::redis::cmd;
use keyless::{Client, ErrorCode};
use keyless_conformance::load::Load;
use keyless_conformance::{Events, SOON, client_secret, emulator, options};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);
const DOWN: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_commands_survive_and_written_ones_are_told_of() {
    let emulator = emulator(HOUR).await;
    let options = options(&emulator).with_command_timeout(Duration::from_mins(1));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    let load = Load::start(&client, 100);
    load.progress(2_000).await;
    emulator.kill_redis().unwrap();
    events.wait(EventMask::CONNECTION_LOST, 1, SOON).await;
    let mut waiting = Vec::new();
    for number in 0..DOWN {
        let client = client.clone();
        waiting.push(tokio::spawn(async move {
            client.execute::<()>(cmd("SET").arg(format!("waited:{number}")).arg(number)).await
        }));
    }
    let _ = emulator.wait_until(|stats| stats.connections.turned_away >= 3, SOON).await.expect("redials");
    let back = Instant::now();
    emulator.restart_redis().unwrap();
    for command in waiting {
        command.await.unwrap().expect("a command that was never written is not lost");
    }
    let healed = back.elapsed();
    load.progress(500).await;
    let journals = load.stop().await;
    for number in [0, DOWN / 2, DOWN - 1] {
        let value: usize = client.execute(cmd("GET").arg(format!("waited:{number}"))).await.unwrap();
        assert_eq!(value, number);
    }
    let errors: Vec<_> = journals.iter().flat_map(|journal| &journal.errors).collect();
    println!(
        "{} commands acknowledged, {} told that they may have been executed, {DOWN} queued and done {} ms after the restart began",
        journals.iter().map(|journal| journal.acknowledged).sum::<u64>(),
        errors.len(),
        healed.as_millis()
    );
    for error in errors {
        assert_eq!(error.code(), ErrorCode::ConnectionLost, "{error:?}");
        assert!(error.maybe_executed(), "{error:?}");
    }
    // One command was outstanding per worker: no worker can have lost more than that one.
    assert!(journals.iter().all(|journal| journal.errors.len() <= 1));
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 1);
    assert_eq!(events.count(EventMask::CONNECTION_RESTORED), 1);
    assert_eq!(client.stats().reconnects, 1);
}

#[tokio::test]
async fn fail_fast_answers_at_once_while_there_is_no_server() {
    let emulator = emulator(HOUR).await;
    let options = options(&emulator).with_backlog(Backlog::FailFast).with_command_timeout(SOON);
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    let events = Events::of(&client);
    client.execute::<()>(cmd("SET").arg("key").arg(1)).await.unwrap();
    emulator.kill_redis().unwrap();
    events.wait(EventMask::CONNECTION_LOST, 1, SOON).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..1_000 {
        let begun = Instant::now();
        let error = client.execute::<()>(cmd("INCR").arg("key")).await.unwrap_err();
        slowest = slowest.max(begun.elapsed());
        assert_eq!(error.code(), ErrorCode::NotConnected, "{error:?}");
        assert!(!error.maybe_executed());
    }
    println!("1000 refusals, the slowest after {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "at once");
    emulator.restart_redis().unwrap();
    events.wait(EventMask::CONNECTION_RESTORED, 1, SOON).await;
    client.execute::<()>(cmd("SET").arg("key").arg(2)).await.unwrap();
    assert_eq!(events.count(EventMask::CONNECTION_LOST), 1);
    assert_eq!(events.count(EventMask::CONNECTION_RESTORED), 1);
}
