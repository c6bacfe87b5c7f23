//! What is written comes back whole, in order and to the one who asked: sizes around TLS records, large
//! values, long pipelines, transactions, and waits that are given up.

use keyless::redis::{Value, cmd};
use keyless::{Client, Pipeline};
use keyless_conformance::{client_secret, emulator, options};
use keyless_emulator::Emulator;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);
const RECORD: usize = 16 << 10;

async fn connected() -> (Emulator, Client) {
    let emulator = emulator(HOUR).await;
    let options = options(&emulator).with_command_timeout(Duration::from_mins(1));
    let client = Client::connect_as(&options, client_secret(&emulator)).await.unwrap();
    (emulator, client)
}

/// Bytes that tell their place.
fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// Sizes up to 64 KiB: small ones, strides, and every one near a multiple of a TLS record.
fn sizes() -> Vec<usize> {
    let near = (1..=4).flat_map(|records| records * RECORD - 64..=records * RECORD + 64);
    let mut sizes: Vec<_> = (0..200).chain((200..=4 * RECORD).step_by(997)).chain(near).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[tokio::test]
async fn values_of_every_size_come_back_whole() {
    let (_emulator, client) = connected().await;
    let (sizes, whole) = (sizes(), pattern(5 * RECORD));
    let begun = Instant::now();
    for &size in &sizes {
        let value = &whole[..size];
        let echoed: Vec<u8> = client.execute(cmd("ECHO").arg(value)).await.unwrap();
        assert!(echoed == value, "a value of {size} bytes came back different");
    }
    // All at once: frames then end anywhere in a record and in the read buffer.
    for chunk in sizes.chunks(100) {
        let mut pipeline = Pipeline::new();
        for &size in chunk {
            pipeline.add(cmd("ECHO").arg(&whole[..size]));
        }
        for (reply, &size) in client.execute_pipeline(pipeline).await.unwrap().into_iter().zip(chunk) {
            assert!(reply.unwrap() == Value::BulkString(whole[..size].to_vec()), "{size}");
        }
    }
    println!("{} sizes, twice, in {:?}", sizes.len(), begun.elapsed());
}

#[tokio::test]
async fn a_value_of_64_mib_makes_the_round_trip() {
    let (_emulator, client) = connected().await;
    let value = pattern(64 << 20);
    let begun = Instant::now();
    let () = client.execute(cmd("SET").arg("large").arg(&value)).await.unwrap();
    let read: Vec<u8> = client.execute(cmd("GET").arg("large")).await.unwrap();
    println!("64 MiB there and back in {:?}", begun.elapsed());
    assert!(read == value);
}

#[tokio::test]
async fn a_pipeline_of_10_000_commands_is_answered_in_order() {
    let (emulator, client) = connected().await;
    let mut pipeline = Pipeline::new();
    for _ in 0..10_000 {
        pipeline.add(cmd("INCR").arg("count"));
    }
    let begun = Instant::now();
    let counts: Vec<u64> = client.query_pipeline(pipeline).await.unwrap();
    println!("10,000 commands in {:?}", begun.elapsed());
    assert_eq!(counts, (1..=10_000).collect::<Vec<_>>());
    assert_eq!(emulator.stats().connections.opened, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_transactions_are_atomic() {
    let (_emulator, client) = connected().await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut transaction = Pipeline::transaction();
                transaction.add(cmd("INCR").arg("count")).add(cmd("GET").arg("count"));
                client.query_pipeline::<(u64, u64)>(transaction).await.unwrap()
            })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        let (counted, read) = task.await.unwrap();
        assert_eq!(counted, read, "another transaction came in between");
        seen.push(counted);
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_up_a_wait_shifts_nobodys_reply() {
    let (_emulator, client) = connected().await;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..10_000_u32 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let command = cmd("ECHO").arg(format!("reply {number}")).to_owned();
            if number % 2 == 0 {
                // Given up unsent, on its way, or answered: as chance has it.
                let patience = Duration::from_micros(fastrand::u64(0..3000));
                let _ = tokio::time::timeout(patience, client.execute::<String>(&command)).await;
                return 0;
            }
            let reply: String = client.execute(&command).await.unwrap();
            assert_eq!(reply, format!("reply {number}"));
            1
        }));
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut answered = 0;
    for task in tasks {
        answered += task.await.unwrap();
    }
    assert_eq!(answered, 5000);
    // Replies nobody waits for any more come before the reply to this.
    let () = client.execute(&cmd("PING")).await.unwrap();
    let stats = client.stats();
    println!("10,000 commands, half of them given up, in {:?}: {stats:?}", begun.elapsed());
    assert_eq!((stats.in_flight, stats.queued, stats.connections), (0, 0, 1));
}

#[test]
fn a_busy_connection_starves_no_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Both clients live on the one I/O thread of this process.
    let (_emulator, busy) = runtime.block_on(connected());
    let (_other, calm) = runtime.block_on(connected());
    let stop = AtomicBool::new(false);
    let mut waits = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let mut pipeline = Pipeline::new();
                    for _ in 0..500 {
                        pipeline.add(cmd("SET").arg("key").arg("value"));
                    }
                    own.block_on(busy.execute_pipeline(pipeline)).unwrap();
                }
            });
        }
        let mut waits = Vec::new();
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            let begun = Instant::now();
            let () = runtime.block_on(calm.execute(&cmd("PING"))).unwrap();
            waits.push(begun.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        waits
    });
    waits.sort_unstable();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    let (pings, beside) = (waits.len(), busy.stats().commands);
    println!("{pings} pings beside {beside} commands: median {median:?}, longest {longest:?}");
    assert!(beside > 10_000 && longest < Duration::from_secs(1), "{longest:?}");
}
