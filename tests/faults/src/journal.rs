//! Writers that note what became of each of their commands, and the comparison of that journal with what the
//! servers hold.
//!
//! Each writer appends numbered records to a key of its own and increments a counter of its own. A record is
//! there once, twice or not at all, which a counter alone could not tell.

use crate::report::Row;
use keyless::redis::cmd;
use keyless::{Client, Error, ErrorCode, Pipeline};
use keyless_emulator::{Emulator, Reply};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Commands of one pipeline.
const PIPELINE: usize = 20;
/// How long writers may take to end: longer than any command's time limit.
const END: Duration = Duration::from_mins(2);

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Acknowledged,
    /// It failed and may have been executed.
    Unknown,
    /// It failed and was certainly not executed.
    Denied,
}

impl Outcome {
    fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Acknowledged,
            Err(error) if error.maybe_executed() => Self::Unknown,
            Err(_) => Self::Denied,
        }
    }
}

/// What one writer has done.
#[derive(Default)]
struct Book {
    name: String,
    /// By the number of the record.
    records: Vec<Outcome>,
    increments: [u64; 3],
}

/// What the writers share.
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    /// The last acknowledgement, and the longest time between two.
    pace: Mutex<(Instant, Duration)>,
    errors: Mutex<BTreeMap<ErrorCode, (u64, Error)>>,
}

impl Shared {
    fn note<T>(&self, result: &Result<T, Error>) -> Outcome {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                let now = Instant::now();
                let mut pace = self.pace.lock();
                pace.1 = pace.1.max(now.saturating_duration_since(pace.0));
                pace.0 = now;
            }
            Err(error) => {
                let mut errors = self.errors.lock();
                errors.entry(error.code()).or_insert_with(|| (0, error.clone())).0 += 1;
            }
        }
        Outcome::of(result)
    }
}

/// Writers under way.
pub struct Journal {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Book>>,
}

impl Journal {
    /// Starts writers, two thirds of them with one command outstanding and the others with a pipeline.
    pub fn start(client: &Client, writers: usize) -> Self {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            pace: Mutex::new((Instant::now(), Duration::ZERO)),
            errors: Mutex::default(),
        });
        let writer = |number: usize| {
            let book = Book { name: format!("{number}"), ..Book::default() };
            let (client, shared) = (client.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                if number % 3 == 2 {
                    piped(client, shared, book).await
                } else {
                    single(client, shared, book).await
                }
            })
        };
        Self { writers: (0..writers).map(writer).collect(), shared }
    }

    /// How many commands have been acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more commands have been acknowledged.
    pub async fn progress(&self, more: u64) {
        let goal = self.acknowledged() + more;
        keyless_conformance::eventually("acknowledged commands", END, || self.acknowledged() >= goal).await;
    }

    /// The errors so far: how many of each code, and one of them.
    pub fn errors(&self) -> BTreeMap<ErrorCode, (u64, Error)> {
        self.shared.errors.lock().clone()
    }

    /// Ends the writers and compares what they noted with what the servers hold.
    ///
    /// # Panics
    /// When a command does not end, or a server holds what nobody has written.
    pub async fn audit(self, emulator: &Emulator) -> Row {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut row = Row::default();
        for writer in self.writers {
            let book =
                tokio::time::timeout(END, writer).await.expect("every command ends").expect("a writer");
            let held = read(emulator, &book.log()).await;
            let count = read(emulator, &book.counter()).await;
            book.compare(&held, count.parse().unwrap_or_default(), &mut row);
        }
        row.stall = self.shared.pace.lock().1;
        row
    }
}

impl Book {
    fn log(&self) -> String {
        format!("log:{}", self.name)
    }

    fn counter(&self) -> String {
        format!("count:{}", self.name)
    }

    fn compare(&self, held: &str, count: u64, row: &mut Row) {
        let mut times = vec![0u64; self.records.len()];
        for record in held.split_terminator(';') {
            let number: usize = record.parse().unwrap_or_else(|_| panic!("{record:?} is no record"));
            times[number] += 1;
        }
        for (outcome, times) in self.records.iter().zip(times) {
            row.lost += u64::from(*outcome == Outcome::Acknowledged && times == 0);
            row.denied += u64::from(*outcome == Outcome::Denied && times > 0);
            row.twice += u64::from(times > 1);
            row.unknown += u64::from(*outcome == Outcome::Unknown);
        }
        let [acknowledged, unknown, denied] = self.increments;
        row.lost += acknowledged.saturating_sub(count);
        row.twice += count.saturating_sub(acknowledged + unknown);
        row.unknown += unknown;
        row.commands += self.records.len() as u64 + acknowledged + unknown + denied;
    }
}

/// A key's value, asked of the server itself: of a cluster, of the node that has it.
async fn read(emulator: &Emulator, key: &str) -> String {
    let cluster = emulator.cluster();
    let nodes = cluster.nodes().await.expect("the nodes");
    for node in nodes {
        match cluster.command(node.port, &["GET", key]).await {
            Ok(Reply::Bulk(value)) => return String::from_utf8(value).expect("records are text"),
            Ok(Reply::Nil) => return String::new(),
            Ok(Reply::Error(error)) if error.starts_with("MOVED") => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("no node holds {key}");
}

async fn single(client: Client, shared: Arc<Shared>, mut book: Book) -> Book {
    let (log, counter) = (book.log(), book.counter());
    while !shared.stop.load(Ordering::Relaxed) {
        let record = format!("{};", book.records.len());
        let appended = client.execute::<u64>(cmd("APPEND").arg(&log).arg(record)).await;
        book.records.push(shared.note(&appended));
        let incremented = client.execute::<u64>(cmd("INCR").arg(&counter)).await;
        book.increments[shared.note(&incremented) as usize] += 1;
        // Where every command fails at once the others need the processor too.
        if appended.is_err() {
            tokio::task::yield_now().await;
        }
    }
    book
}

async fn piped(client: Client, shared: Arc<Shared>, mut book: Book) -> Book {
    let (log, counter) = (book.log(), book.counter());
    while !shared.stop.load(Ordering::Relaxed) {
        let mut pipeline = Pipeline::new();
        for number in 0..PIPELINE {
            let record = format!("{};", book.records.len() + number);
            pipeline.add(cmd("APPEND").arg(&log).arg(record)).add(cmd("INCR").arg(&counter));
        }
        let results = match client.execute_pipeline(pipeline).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); PIPELINE * 2],
        };
        for pair in results.chunks(2) {
            book.records.push(shared.note(&pair[0]));
            book.increments[shared.note(&pair[1]) as usize] += 1;
        }
        tokio::task::yield_now().await;
    }
    book
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(records: &[Outcome], held: &str, increments: [u64; 3], count: u64) -> (u64, u64, u64) {
        let book = Book { name: "x".into(), records: records.to_vec(), increments };
        let mut row = Row::default();
        book.compare(held, count, &mut row);
        (row.lost, row.denied, row.twice)
    }

    #[test]
    fn what_does_not_fit_the_journal_is_found() {
        use Outcome::{Acknowledged, Denied, Unknown};
        let records = [Acknowledged, Unknown, Denied, Unknown];
        assert_eq!(compared(&records, "0;3;", [1, 2, 1], 2), (0, 0, 0));
        assert_eq!(compared(&records, "3;", [1, 2, 1], 3), (1, 0, 0));
        assert_eq!(compared(&records, "0;2;", [1, 2, 1], 1), (0, 1, 0));
        assert_eq!(compared(&records, "0;1;1;", [1, 2, 1], 4), (0, 0, 2));
        assert_eq!(compared(&records, "0;", [1, 2, 1], 0), (1, 0, 0));
    }
}
