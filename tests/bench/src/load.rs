//! The workload that every client gets: 80 % GET, 20 % SET on 10,000 keys, a number of commands always
//! outstanding, for a given time.

use cpu_time::ProcessTime;
use keyless::{Batch, Client, CompletionSink, Error, Replies};
use parking_lot::Mutex;
use redis::Cmd;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

const KEYS: usize = 10_000;

/// This part of the time runs first and is not counted: where the system puts two threads that have just
/// begun to talk to each other would otherwise decide.
const LEAD_IN: u32 = 2;

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Commands per second.
    pub(crate) rate: f64,
    /// Seconds of processor time of this process per million commands.
    pub(crate) cpu: f64,
    /// The part of a core that the server used.
    pub(crate) server: f64,
}

/// The size of values and how many commands are outstanding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Bytes per value.
    pub(crate) size: usize,
    /// Commands outstanding.
    pub(crate) outstanding: usize,
}

/// A client that answers one command at a time, cloned once per task.
pub(crate) trait Asker: Clone + Send + 'static {
    /// Sends a command and waits for its reply.
    fn ask(&mut self, command: Cmd) -> impl Future<Output = ()> + Send;
}

fn command(random: &mut fastrand::Rng, value: &[u8]) -> Cmd {
    let key = format!("key:{}", random.usize(..KEYS));
    if random.u8(..10) < 2 {
        redis::cmd("SET").arg(key).arg(value).to_owned()
    } else {
        redis::cmd("GET").arg(key).to_owned()
    }
}

/// Fills every key.
pub(crate) async fn fill(client: &Client, size: usize) {
    let value = vec![b'v'; size];
    for first in (0..KEYS).step_by(500) {
        let mut pipeline = keyless::Pipeline::new();
        for key in first..first + 500 {
            pipeline.add(redis::cmd("SET").arg(format!("key:{key}")).arg(&value[..]));
        }
        client.execute_pipeline(pipeline).await.expect("fill");
    }
}

/// Many tasks, each with one command outstanding.
pub(crate) async fn ask(client: impl Asker, shape: Shape, time: Duration) -> Figure {
    let done = Arc::new(AtomicU64::new(0));
    let counting = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..shape.outstanding)
        .map(|seed| {
            let (mut client, done) = (client.clone(), Arc::clone(&done));
            let (counting, stop) = (Arc::clone(&counting), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed as u64);
                let value = vec![b'v'; shape.size];
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    client.ask(command(&mut random, &value)).await;
                    count += u64::from(counting.load(Ordering::Relaxed));
                }
                done.fetch_add(count, Ordering::Relaxed);
            })
        })
        .collect();
    tokio::time::sleep(time / LEAD_IN).await;
    counting.store(true, Ordering::Relaxed);
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("a task");
    }
    figure(done.load(Ordering::Relaxed), begun, cpu)
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn figure(done: u64, begun: Instant, cpu: ProcessTime) -> Figure {
    Figure {
        rate: done as f64 / begun.elapsed().as_secs_f64(),
        cpu: cpu.elapsed().as_secs_f64() / (done as f64 / 1e6),
        server: 0.0,
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Counts replies; wakes the thread that submits.
struct Window {
    answered: AtomicU64,
    bytes: AtomicU64,
    waker: Waker,
    failure: Mutex<Option<Error>>,
}

impl CompletionSink for Window {
    fn complete(&self, _first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        self.bytes.fetch_add(replies.bytes().len() as u64, Ordering::Relaxed);
        self.answered.fetch_add(replies.len() as u64, Ordering::Release);
        Some(self.waker.clone())
    }

    fn fail(&self, _first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        *self.failure.lock() = Some(error.clone());
        self.answered.fetch_add(count as u64, Ordering::Release);
        Some(self.waker.clone())
    }
}

/// The batch interface: one thread keeps a window of commands outstanding, submitting as replies arrive.
pub(crate) fn submit(client: &Client, shape: Shape, time: Duration) -> Figure {
    let window = Arc::new(Window {
        answered: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        waker: Arc::new(Unpark(std::thread::current())).into(),
        failure: Mutex::new(None),
    });
    let mut random = fastrand::Rng::with_seed(1);
    let value = vec![b'v'; shape.size];
    let (mut begun, mut cpu) = (Instant::now(), ProcessTime::now());
    let (mut batch, mut sent, mut before) = (Batch::new(), 0, None);
    loop {
        if before.is_none() && begun.elapsed() >= time / LEAD_IN {
            (begun, cpu, before) = (Instant::now(), ProcessTime::now(), Some(sent));
        }
        let answered = window.answered.load(Ordering::Acquire);
        let free = shape.outstanding as u64 - (sent - answered);
        if before.is_some() && begun.elapsed() >= time {
            if sent == answered {
                break;
            }
        } else if free > 0 {
            for _ in 0..free {
                let mut digits = [0u8; 16];
                let key = key(&mut digits, random.usize(..KEYS));
                let pushed = if random.u8(..10) < 2 {
                    batch.push(&[b"SET", key, &value])
                } else {
                    batch.push(&[&b"GET"[..], key])
                };
                pushed.expect("a good command");
            }
            client.submit(&mut batch, sent, window.clone()).expect("submit");
            sent += free;
            continue;
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
    if let Some(error) = window.failure.lock().take() {
        panic!("a command failed: {error}");
    }
    assert!(window.bytes.load(Ordering::Relaxed) > 0);
    figure(sent - before.unwrap_or(0), begun, cpu)
}

fn key(digits: &mut [u8; 16], number: usize) -> &[u8] {
    use std::io::Write;
    let mut rest = &mut digits[..];
    write!(rest, "key:{number}").expect("room");
    let left = rest.len();
    let used = digits.len() - left;
    &digits[..used]
}
