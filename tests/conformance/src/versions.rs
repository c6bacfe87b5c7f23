//! Versions that only grow, and readers that must never see one go back: not behind what anybody of their client
//! has read, nor behind what it was told to have written.

use keyless::redis::cmd;
use keyless::{CacheStats, Client};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::SOON;

/// Versions under way.
pub struct Versions {
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

impl Versions {
    /// Nobody reads or writes yet.
    pub fn new() -> Arc<Self> {
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

    /// How many commands have failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Lets readers and writers run through `during`, six tasks that read and two that write through `client`, two
    /// that write through `other`, and waits in the end until `client` sees the truth.
    ///
    /// # Panics
    /// When a command does not end, or `client` does not see the truth.
    pub async fn run(self: &Arc<Self>, client: &Client, other: &Client, during: impl Future<Output = ()>) {
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
            let truth = get(other, key).await;
            let until = Instant::now() + SOON;
            while get(client, key).await != truth {
                assert!(Instant::now() < until, "{} stays stale", name(key));
                tokio::task::yield_now().await;
            }
        }
    }

    /// Prints the figures and asserts that no read went back and that most of them were answered here.
    ///
    /// # Panics
    /// When one did, or they were not.
    pub fn report(&self, what: &str, stats: CacheStats) {
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

async fn get(client: &Client, key: usize) -> Option<u64> {
    client.execute(cmd("GET").arg(name(key))).await.expect("a version")
}
