//! A thousand commands outstanding, without a pause, over ten lifetimes of a token: nobody notices.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{Batch, Client};
use keyless_conformance::collector::Collector;
use keyless_conformance::{Events, SOON, emulator, options, token_source};
use keyless_emulator::Stats;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(4);
const LIFETIMES: u32 = 10;
const TASKS: usize = 500;
const BATCHES: usize = 10;
const BATCH: usize = 50;

/// What all workers count together.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    commands: AtomicU64,
    failed: AtomicU64,
    reordered: AtomicU64,
}

impl Tally {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn check<T: PartialEq + std::fmt::Debug>(&self, got: &keyless::Result<T>, wanted: &T) {
        self.commands.fetch_add(1, Ordering::Relaxed);
        match got {
            Ok(got) if got == wanted => {}
            Ok(got) => {
                println!("{got:?} instead of {wanted:?}");
                self.reordered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                println!("failed: {error}");
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// One command outstanding: four kinds in turn, each answer known in advance.
async fn one_by_one(client: Client, tally: Arc<Tally>, worker: usize) {
    let (value, counter) = (format!("value:{worker}"), format!("counter:{worker}"));
    let mut round = 0u64;
    while tally.goes_on() {
        round += 1;
        tally.check(&client.execute(cmd("SET").arg(&value).arg(round)).await, &"OK".to_owned());
        tally.check(&client.execute(cmd("INCR").arg(&counter)).await, &round);
        tally.check(&client.execute(cmd("GET").arg(&value)).await, &round);
        let unique = format!("{worker}/{round}");
        tally.check(&client.execute(cmd("ECHO").arg(&unique)).await, &unique);
    }
}

/// A batch outstanding at all times, through the interface that bindings use.
async fn batch_by_batch(client: Client, tally: Arc<Tally>, worker: usize) {
    let counter = format!("batch:{worker}");
    let (mut batch, mut increments, mut round) = (Batch::new(), 0u64, 0u64);
    while tally.goes_on() {
        round += 1;
        let mut wanted = Vec::new();
        for place in 0..BATCH {
            if place % 2 == 0 {
                increments += 1;
                batch.push(&["INCR", &counter]).unwrap();
                wanted.push(format!(":{increments}\r\n"));
            } else {
                let unique = format!("{worker}/{round}/{place}");
                batch.push(&["ECHO", &unique]).unwrap();
                wanted.push(format!("${}\r\n{unique}\r\n", unique.len()));
            }
        }
        let collector = Collector::new(BATCH);
        client.submit(&mut batch, 0, collector.clone()).unwrap();
        let (outcomes, out_of_order) = collector.outcomes().await;
        tally.reordered.fetch_add(out_of_order as u64, Ordering::Relaxed);
        for (got, wanted) in outcomes.iter().zip(wanted) {
            tally.check(got, &wanted.into_bytes());
        }
    }
}

/// How often each token was accepted on each connection.
fn sign_ins(stats: &Stats) -> BTreeMap<(u64, String), u32> {
    let mut found = BTreeMap::new();
    for record in stats.auth.records.iter().filter(|record| record.accepted) {
        *found.entry((record.connection, record.uti.clone().unwrap_or_default())).or_default() += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_outstanding_commands_never_notice_a_refresh() {
    let emulator = emulator(LIFETIME).await;
    let options = options(&emulator).with_command_timeout(SOON);
    let source = token_source(&emulator, &options);
    let token_events = Events::of_source(&source);
    let client = Client::connect_as(&options, source).await.unwrap();
    let events = Events::of(&client);
    let tally = Arc::new(Tally::default());
    let mut workers = Vec::new();
    for worker in 0..TASKS {
        workers.push(tokio::spawn(one_by_one(client.clone(), Arc::clone(&tally), worker)));
    }
    for worker in 0..BATCHES {
        workers.push(tokio::spawn(batch_by_batch(client.clone(), Arc::clone(&tally), worker)));
    }
    let begun = Instant::now();
    tokio::time::sleep(LIFETIME * LIFETIMES).await;
    tally.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let took = begun.elapsed();
    // A refresh may be under way right now: wait until every token has been signed in with.
    let stats = emulator
        .wait_until(|stats| sign_ins(stats).len() as u64 == stats.tokens.served, SOON)
        .await
        .expect("a sign-in for each token");
    let served = usize::try_from(stats.tokens.served).unwrap();
    token_events.wait(EventMask::TOKEN_REFRESHED, served, SOON).await;
    events.wait(EventMask::CONNECTION_REAUTHENTICATED, served - 1, SOON).await;

    let commands = tally.commands.load(Ordering::Relaxed);
    println!(
        "{commands} commands in {:.1} s ({:.0}/s), {served} tokens, {} AUTHs accepted, {} refused, {} connections",
        took.as_secs_f64(),
        f64::from(u32::try_from(commands).unwrap()) / took.as_secs_f64(),
        stats.auth.accepted,
        stats.auth.refused,
        stats.connections.opened,
    );
    assert_eq!(tally.failed.load(Ordering::Relaxed), 0, "failed commands");
    assert_eq!(tally.reordered.load(Ordering::Relaxed), 0, "answers out of order");
    assert!(served > LIFETIMES as usize, "a refresh per lifetime");
    assert_eq!(stats.tokens.failed, 0);
    assert_eq!(token_events.count(EventMask::TOKEN_REFRESHED), served, "one token request per refresh");
    assert_eq!((stats.connections.opened, stats.connections.open), (1, 1));
    assert_eq!(stats.connections.closed_at_expiry, 0);
    assert_eq!((stats.auth.refused, stats.auth.expired_tokens_offered), (0, 0));
    let sign_ins = sign_ins(&stats);
    assert!(sign_ins.values().all(|&times| times == 1), "one AUTH per token: {sign_ins:?}");
    for token in &stats.tokens.requests {
        assert!(
            sign_ins.contains_key(&(1, token.uti.clone().unwrap())),
            "every token reached the connection"
        );
    }
    let failures = EventMask::TOKEN_REFRESH_FAILED
        | EventMask::CONNECTION_REAUTHENTICATION_FAILED
        | EventMask::CONNECTION_LOST;
    assert_eq!(events.count(failures), 0, "{:?}", events.all());
}
