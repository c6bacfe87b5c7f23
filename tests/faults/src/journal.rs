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

/// Each at its place, with its letter.
const OUTCOMES: [(Outcome, char); 3] =
    [(Outcome::Acknowledged, 'a'), (Outcome::Unknown, 'u'), (Outcome::Denied, 'd')];

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
#[derive(Debug, Default, PartialEq)]
struct Book {
    name: String,
    /// By the number of the record.
    records: Vec<Outcome>,
    increments: [u64; 3],
}

/// What the writers share.
struct Shared {
    pause: Duration,
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

    /// Lets others have their turn.
    async fn pause(&self) {
        if self.pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.pause).await;
        }
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
        Self::paced(client, writers, Duration::ZERO)
    }

    /// As [`Journal::start`] for longer runs: each writer pauses between two commands, or pipelines.
    pub fn paced(client: &Client, writers: usize, pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            pause,
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
        self.end().await.compare(emulator).await
    }

    /// Ends the writers and gives what they noted.
    ///
    /// # Panics
    /// When a command does not end.
    pub async fn end(self) -> Books {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut books = Vec::new();
        for writer in self.writers {
            let book = tokio::time::timeout(END, writer).await;
            books.push(book.expect("every command ends").expect("a writer"));
        }
        Books { books, stall: self.shared.pace.lock().1 }
    }
}

/// What all writers have noted. As text it can be compared by another process than the one that wrote.
pub struct Books {
    books: Vec<Book>,
    stall: Duration,
}

impl Books {
    /// Compares it with what the servers hold.
    ///
    /// # Panics
    /// When a server holds what nobody has written.
    pub async fn compare(self, emulator: &Emulator) -> Row {
        let mut row = Row { stall: self.stall, ..Row::default() };
        for book in self.books {
            let held = read(emulator, &book.log()).await;
            let count = read(emulator, &book.counter()).await;
            book.compare(&held, count.parse().unwrap_or_default(), &mut row);
        }
        row
    }

    /// The longest stall in milliseconds, and a line for each writer.
    pub fn text(&self) -> String {
        let line = |book: &Book| {
            let records: String = book.records.iter().map(|outcome| OUTCOMES[*outcome as usize].1).collect();
            let [acknowledged, unknown, denied] = book.increments;
            format!("{} {acknowledged} {unknown} {denied} {records}\n", book.name)
        };
        let stall = format!("{}\n", self.stall.as_millis());
        std::iter::once(stall).chain(self.books.iter().map(line)).collect()
    }

    /// Reads what [`Books::text`] gave.
    ///
    /// # Panics
    /// When it is anything else.
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let number = |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("{word:?} in {text}"));
        let stall = Duration::from_millis(number(lines.next().unwrap_or_default()));
        let outcome = |letter| OUTCOMES.iter().find(|(_, other)| *other == letter).expect("an outcome").0;
        let books = lines.map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [name, acknowledged, unknown, denied, records] = words[..] else { panic!("{line:?}") };
            Book {
                name: name.into(),
                records: records.chars().map(outcome).collect(),
                increments: [acknowledged, unknown, denied].map(number),
            }
        });
        Self { books: books.collect(), stall }
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
        if appended.is_err() || !shared.pause.is_zero() {
            shared.pause().await;
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
        shared.pause().await;
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

    #[test]
    fn books_are_read_as_they_were_written() {
        use Outcome::{Acknowledged, Denied, Unknown};
        let full = Book {
            name: "1".into(),
            records: vec![Acknowledged, Denied, Unknown, Unknown],
            increments: [1, 2, 3],
        };
        let empty = Book { name: "2".into(), ..Book::default() };
        let books = Books { books: vec![full, empty], stall: Duration::from_millis(7) };
        let read = Books::read(&books.text());
        assert_eq!((read.books, read.stall), (books.books, books.stall));
    }
}
