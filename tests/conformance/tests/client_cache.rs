//! Client-side caching: reads that are answered without asking, and never with what has become stale by what
//! this client has seen, written or been told.

use keyless::event::EventMask;
use keyless::redis::cmd;
use keyless::{CacheStats, Client, Options, Pipeline};
use keyless_conformance::{Events, SOON, client_secret, emulator, eventually, options};
use keyless_emulator::{Cut, Emulator};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);

fn caching(emulator: &Emulator) -> Options {
    options(emulator).with_cache_size(1 << 20).with_command_timeout(SOON)
}

async fn connect(emulator: &Emulator, options: &Options) -> Client {
    Client::connect_as(options, client_secret(emulator)).await.unwrap()
}

/// An emulator, a client that caches, and one that does not.
async fn connected() -> (Emulator, Client, Client) {
    let emulator = emulator(HOUR).await;
    let caching = connect(&emulator, &caching(&emulator)).await;
    let plain = connect(&emulator, &options(&emulator)).await;
    (emulator, caching, plain)
}

async fn get(client: &Client, key: &str) -> Option<String> {
    client.execute(cmd("GET").arg(key)).await.unwrap()
}

async fn set(client: &Client, key: &str, value: &str) {
    client.execute::<()>(cmd("SET").arg(key).arg(value)).await.unwrap();
}

fn cache(client: &Client) -> CacheStats {
    client.stats().cache
}

#[tokio::test]
async fn a_read_is_answered_here_until_another_client_changes_the_key() {
    let (_emulator, client, other) = connected().await;
    set(&other, "key", "1").await;
    assert_eq!(get(&client, "key").await.unwrap(), "1");
    let sent = client.stats().commands;
    for _ in 0..100 {
        assert_eq!(get(&client, "key").await.unwrap(), "1");
    }
    assert_eq!(client.stats().commands, sent, "hits reach no connection");
    let stats = cache(&client);
    assert_eq!((stats.hits, stats.misses, stats.entries), (100, 1, 1));

    set(&other, "key", "2").await;
    eventually("the invalidation", SOON, || cache(&client).invalidations == 1).await;
    assert_eq!(get(&client, "key").await.unwrap(), "2");

    // A key that does not exist is an answer, too; so are replies of other types.
    assert_eq!(get(&client, "none").await, None);
    assert_eq!(get(&client, "none").await, None);
    other.execute::<()>(cmd("HSET").arg("hash").arg("a").arg(1).arg("b").arg(2)).await.unwrap();
    for _ in 0..2 {
        let hash: std::collections::BTreeMap<String, u32> =
            client.execute(cmd("HGETALL").arg("hash")).await.unwrap();
        assert_eq!(hash, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    }
    assert_eq!(cache(&client).hits, 102);

    other.execute::<()>(&cmd("FLUSHALL")).await.unwrap();
    eventually("the invalidation of everything", SOON, || cache(&client).entries == 0).await;
    assert_eq!(get(&client, "key").await, None);
}

#[tokio::test]
async fn what_this_client_wrote_is_what_it_reads() {
    let (_emulator, client, _other) = connected().await;
    for round in 0..300 {
        let value = round.to_string();
        match round % 5 {
            0 => set(&client, "key", &value).await,
            1 => client
                .execute(cmd("EVAL").arg("redis.call('SET', KEYS[1], ARGV[1])").arg(1).arg("key").arg(&value))
                .await
                .unwrap(),
            2 => client.execute(cmd("MSET").arg("other").arg(1).arg("key").arg(&value)).await.unwrap(),
            3 => {
                let mut transaction = Pipeline::transaction();
                transaction.add(cmd("SET").arg("key").arg(&value));
                client.execute_pipeline(transaction).await.unwrap();
            }
            _ => {
                set(&client, "source", &value).await;
                client.execute(cmd("RENAME").arg("source").arg("key")).await.unwrap()
            }
        }
        for _ in 0..3 {
            assert_eq!(get(&client, "key").await.unwrap(), value, "round {round}");
        }
    }
    let stats = cache(&client);
    println!("{stats:?}");
    assert!(stats.hits > 0);
}

#[tokio::test]
async fn nothing_survives_its_connection() {
    let (emulator, client, other) = connected().await;
    let events = Events::of(&client);
    for round in 1..=5 {
        set(&other, "key", &format!("before {round}")).await;
        eventually("its value", SOON, || cache(&client).entries == 0).await;
        get(&client, "key").await;
        assert!(cache(&client).entries > 0);
        emulator.faults().cut_connections(if round % 2 == 0 { Cut::Close } else { Cut::Reset });
        events.wait(EventMask::CONNECTION_LOST, round, SOON).await;
        assert_eq!(cache(&client).entries, 0, "emptied with the connection");
        set(&other, "key", &format!("after {round}")).await;
        assert_eq!(get(&client, "key").await.unwrap(), format!("after {round}"));
        events.wait(EventMask::CONNECTION_RESTORED, round, SOON).await;
        // The new connection's server tells of changes as well.
        get(&client, "key").await;
        let known = cache(&client).invalidations;
        set(&other, "key", "changed").await;
        eventually("the invalidation", SOON, || cache(&client).invalidations > known).await;
        assert_eq!(get(&client, "key").await.unwrap(), "changed");
    }
}

#[tokio::test]
async fn where_the_server_does_not_tell_of_changes_nothing_is_kept() {
    let emulator = emulator(HOUR).await;
    let oid = emulator.service_principal().oid;
    let resp2 =
        connect(&emulator, &caching(&emulator).with_protocol(keyless::options::Protocol::Resp2)).await;
    emulator.grant_with(&oid, "~* &* +@all -client|tracking").unwrap();
    let forbidden = connect(&emulator, &caching(&emulator)).await;
    let off = connect(&emulator, &options(&emulator)).await;
    for client in [resp2, forbidden, off] {
        for value in ["1", "2"] {
            set(&client, "key", value).await;
            assert_eq!(get(&client, "key").await.unwrap(), value);
            assert_eq!(get(&client, "key").await.unwrap(), value);
        }
        assert_eq!(cache(&client), CacheStats::default());
    }
}

#[tokio::test]
async fn commands_that_would_switch_tracking_are_refused_and_disabled_ones_are_not_answered() {
    let emulator = emulator(HOUR).await;
    let client = connect(&emulator, &caching(&emulator).with_disabled_commands(["HGET"])).await;
    for word in ["TRACKING", "CACHING"] {
        let refused = client.execute::<()>(cmd("CLIENT").arg(word).arg("OFF")).await.unwrap_err();
        assert!(refused.advice().contains("cache_size"), "{refused}");
    }
    assert!(client.execute::<()>(cmd("HGET").arg("h").arg("f")).await.is_err());
}

/// Versions that only grow, and what readers make of them.
struct Watch {
    stop: AtomicBool,
    /// The highest version that anybody has read of each key, or was told to have written.
    floor: [AtomicU64; KEYS],
    reads: AtomicU64,
    writes: AtomicU64,
    back: AtomicU64,
    failed: AtomicU64,
}

const KEYS: usize = 8;

fn name(key: usize) -> String {
    format!("version:{key}")
}

impl Watch {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            stop: AtomicBool::new(false),
            floor: [const { AtomicU64::new(0) }; KEYS],
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            back: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    fn note(&self, key: usize, floor: u64, version: u64) {
        if version < floor {
            println!("{} went back from {floor} to {version}", name(key));
            self.back.fetch_add(1, Ordering::Relaxed);
        }
        self.floor[key].fetch_max(version, Ordering::SeqCst);
    }

    /// Whatever anybody of this client knew before a read is asked for, the read knows.
    async fn read(self: Arc<Self>, client: Client, worker: usize) {
        let mut random = fastrand::Rng::with_seed(worker as u64);
        while !self.stop.load(Ordering::Relaxed) {
            let key = random.usize(..KEYS);
            let floor = self.floor[key].load(Ordering::SeqCst);
            match client.execute::<Option<u64>>(cmd("GET").arg(name(key))).await {
                Ok(version) => {
                    self.note(key, floor, version.unwrap_or(0));
                    self.reads.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Writes, and tells what was acknowledged only if `ours`: what others wrote is news some time later.
    async fn write(self: Arc<Self>, client: Client, worker: usize, ours: bool, pause: Duration) {
        let mut random = fastrand::Rng::with_seed(worker as u64);
        while !self.stop.load(Ordering::Relaxed) {
            let key = random.usize(..KEYS);
            let command = match random.u8(..3) {
                0 => cmd("EVAL").arg("return redis.call('INCR', KEYS[1])").arg(1).arg(name(key)).clone(),
                1 => cmd("INCRBY").arg(name(key)).arg(1).clone(),
                _ => cmd("INCR").arg(name(key)).clone(),
            };
            match client.execute::<u64>(&command).await {
                Ok(version) if ours => {
                    let floor = self.floor[key].load(Ordering::SeqCst);
                    self.floor[key].store(floor.max(version), Ordering::SeqCst);
                    // At once, from the same task: the server's own news of it may not have come yet.
                    if let Ok(read) = client.execute::<u64>(cmd("GET").arg(name(key))).await {
                        self.note(key, version, read);
                    }
                }
                Ok(_) => {}
                Err(error) => self.fail(&error),
            }
            self.writes.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
    }

    fn fail(&self, error: &keyless::Error) {
        println!("{error}");
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets readers and writers run, and says in the end that everybody sees the truth.
    async fn run(self: &Arc<Self>, client: &Client, other: &Client, during: impl Future<Output = ()>) {
        let mut workers = Vec::new();
        for worker in 0..6 {
            workers.push(tokio::spawn(Arc::clone(self).read(client.clone(), worker)));
        }
        let (fast, slow) = (Duration::from_millis(1), Duration::from_millis(3));
        for worker in 6..8 {
            workers.push(tokio::spawn(Arc::clone(self).write(client.clone(), worker, true, slow)));
            workers.push(tokio::spawn(Arc::clone(self).write(other.clone(), worker + 10, false, fast)));
        }
        during.await;
        self.stop.store(true, Ordering::Relaxed);
        for worker in workers {
            tokio::time::timeout(SOON, worker).await.expect("every command ends").expect("a worker");
        }
        for key in 0..KEYS {
            let truth = get(other, &name(key)).await;
            let until = Instant::now() + SOON;
            while get(client, &name(key)).await != truth {
                assert!(Instant::now() < until, "{} stays stale", name(key));
                tokio::task::yield_now().await;
            }
        }
    }

    fn report(&self, what: &str, stats: CacheStats) {
        println!(
            "{what}: {} reads, {} writes, {} went back, {} failed; {stats:?}",
            self.reads.load(Ordering::Relaxed),
            self.writes.load(Ordering::Relaxed),
            self.back.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        );
        assert_eq!(self.back.load(Ordering::Relaxed), 0, "reads that went back in time");
        assert!(stats.hits > 100 && stats.invalidations > 100, "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_in_time() {
    let (_emulator, client, other) = connected().await;
    let watch = Watch::new();
    watch.run(&client, &other, tokio::time::sleep(Duration::from_secs(4))).await;
    watch.report("undisturbed", cache(&client));
    assert_eq!(watch.failed.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_in_time_while_connections_are_cut() {
    let (emulator, client, other) = connected().await;
    let watch = Watch::new();
    watch
        .run(&client, &other, async {
            for round in 1..=20 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                emulator.faults().cut_connections(if round % 2 == 0 { Cut::Close } else { Cut::Reset });
            }
        })
        .await;
    watch.report("cut", cache(&client));
    assert!(client.stats().reconnects >= 10, "{:?}", client.stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_is_stale_while_tokens_are_replaced() {
    const LIFETIME: Duration = Duration::from_secs(3);
    let emulator = emulator(LIFETIME).await;
    let client = connect(&emulator, &caching(&emulator)).await;
    let other = connect(&emulator, &options(&emulator)).await;
    let (events, watch) = (Events::of(&client), Watch::new());
    watch
        .run(&client, &other, async {
            let begun = Instant::now();
            events.wait(EventMask::CONNECTION_REAUTHENTICATED, 3, SOON).await;
            tokio::time::sleep((LIFETIME * 3).saturating_sub(begun.elapsed())).await;
        })
        .await;
    let stats = client.stats();
    watch.report("3 lifetimes", stats.cache);
    println!("{stats:?}");
    assert_eq!(watch.failed.load(Ordering::Relaxed), 0);
    assert_eq!((stats.connections, stats.reauthentication_failures), (1, 0));
    assert!(stats.reauthentications >= 3);
    assert_eq!(emulator.stats().connections.closed_at_expiry, 0);
}
