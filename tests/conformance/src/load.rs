//! A load whose every answer is checked: workers that count, each on a key of its own.

use keyless::redis::cmd;
use keyless::{Client, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Workers under way.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    workers: Vec<JoinHandle<Journal>>,
}

/// What one worker saw.
#[derive(Debug, Default)]
pub struct Journal {
    /// Its key.
    pub key: String,
    /// Increments that were acknowledged.
    pub acknowledged: u64,
    /// The highest value that an answer showed.
    pub highest: u64,
    /// Answers that do not fit their request.
    pub wrong: u64,
    /// How commands failed.
    pub errors: Vec<Error>,
    /// The longest time a command took.
    pub slowest: Duration,
}

impl Journal {
    /// Commands that failed and may have been executed.
    pub fn maybe_executed(&self) -> u64 {
        self.errors.iter().filter(|error| error.maybe_executed()).count() as u64
    }
}

impl Load {
    /// Starts workers that increment without a pause, each with one command outstanding.
    ///
    /// Every answer must be higher than the last one, and by no more than what may have been executed.
    pub fn start(client: &Client, workers: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let workers = (0..workers)
            .map(|worker| {
                let journal = Journal { key: format!("load:{worker}"), ..Journal::default() };
                tokio::spawn(count(client.clone(), Arc::clone(&stop), Arc::clone(&done), journal))
            })
            .collect();
        Self { stop, done, workers }
    }

    /// How many commands have succeeded so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Waits until `more` commands have succeeded from now on; says how long that took.
    pub async fn progress(&self, more: u64) -> Duration {
        let (begun, from) = (Instant::now(), self.done());
        super::eventually("progress of the load", super::SOON, || self.done() >= from + more).await;
        begun.elapsed()
    }

    /// Ends the load and says what each worker saw.
    pub async fn stop(self) -> Vec<Journal> {
        self.stop.store(true, Ordering::Relaxed);
        let mut journals = Vec::new();
        for worker in self.workers {
            let ended = tokio::time::timeout(Duration::from_secs(90), worker).await;
            journals.push(ended.expect("every command ends").expect("a worker"));
        }
        journals
    }
}

async fn count(client: Client, stop: Arc<AtomicBool>, done: Arc<AtomicU64>, mut journal: Journal) -> Journal {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match client.execute::<u64>(cmd("INCR").arg(&journal.key)).await {
            Ok(value) => {
                journal.acknowledged += 1;
                let most = journal.acknowledged + journal.maybe_executed();
                journal.wrong += u64::from(value <= journal.highest || value > most);
                journal.highest = value;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                journal.errors.push(error);
                // Where every command fails at once the others need the processor too.
                tokio::task::yield_now().await;
            }
        }
        journal.slowest = journal.slowest.max(begun.elapsed());
    }
    journal
}

/// Asserts that nothing failed and every answer was right; says how many commands that were.
pub fn flawless(journals: &[Journal]) -> u64 {
    for journal in journals {
        assert!(journal.errors.is_empty(), "{}: {:?}", journal.key, journal.errors);
        assert_eq!(journal.wrong, 0, "{}: answers out of order", journal.key);
    }
    journals.iter().map(|journal| journal.acknowledged).sum()
}
