//! The traffic: one worker that writes and reads the key `sample` at an interval, and as many others without a
//! pause as are asked for; until time is up or a signal comes.

use crate::args::Args;
use crate::console::Console;
use crate::summary::Counts;
use hdrhistogram::Histogram;
use keyless::redis::cmd;
use keyless::{Client, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Told once: it is time to end.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns when it is time to end.
    pub(crate) async fn wait(&self) {
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }

    fn told(&self) -> bool {
        *self.0.borrow()
    }
}

/// Ends on Ctrl-C, on SIGTERM, and after `seconds`. A second signal ends the process at once.
pub(crate) fn stop_signals(seconds: Option<u64>) -> std::io::Result<Stop> {
    let (tell, stop) = watch::channel(false);
    let mut signals = signals()?;
    tokio::spawn(async move {
        let time_is_up = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = time_is_up => {}
            _ = signals.recv() => {}
        }
        tell.send_replace(true);
        signals.recv().await;
        std::process::exit(130);
    });
    Ok(Stop(stop))
}

/// A message per Ctrl-C or SIGTERM.
fn signals() -> std::io::Result<tokio::sync::mpsc::UnboundedReceiver<()>> {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let tell = tell.clone();
        tokio::spawn(async move { while terminate.recv().await.is_some() && tell.send(()).is_ok() {} });
    }
    tokio::spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && tell.send(()).is_ok() {} });
    Ok(told)
}

/// Runs until it is time to end; what the commands took, in microseconds.
pub(crate) async fn traffic(
    client: &Client,
    args: &Args,
    stop: &Stop,
    console: &Arc<Console>,
    counts: &Arc<Counts>,
) -> Histogram<u64> {
    let mut workers = JoinSet::new();
    for number in 0..args.load {
        let worker = Worker::new(client, console, counts, format!("sample:{number}"));
        workers.spawn(worker.without_pause(stop.clone()));
    }
    let sample = Worker::new(client, console, counts, "sample".to_owned());
    workers.spawn(sample.every(Duration::from_millis(args.interval_ms), stop.clone()));
    let mut all = latencies();
    while let Some(worker) = workers.join_next().await {
        let one = worker.expect("a worker does not panic");
        all.add(one).expect("histograms of the same bounds add up");
    }
    all
}

/// From a microsecond to a minute, to three digits.
fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are valid")
}

struct Worker {
    client: Client,
    console: Arc<Console>,
    counts: Arc<Counts>,
    key: String,
    round: u64,
    latency: Histogram<u64>,
}

impl Worker {
    fn new(client: &Client, console: &Arc<Console>, counts: &Arc<Counts>, key: String) -> Self {
        Self {
            client: client.clone(),
            console: Arc::clone(console),
            counts: Arc::clone(counts),
            key,
            round: 0,
            latency: latencies(),
        }
    }

    /// A round at every tick; a mark for each, which also tells of other workers' failures since the last one.
    async fn every(mut self, interval: Duration, stop: Stop) -> Histogram<u64> {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failures = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.wait() => return self.latency,
            }
            self.round().await;
            let before = std::mem::replace(&mut failures, self.counts.failures.load(Relaxed));
            self.console.mark(if failures == before { '+' } else { '!' });
        }
    }

    /// One round after the other.
    async fn without_pause(mut self, stop: Stop) -> Histogram<u64> {
        while !stop.told() {
            if !self.round().await {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        self.latency
    }

    /// A write and a read; whether both succeeded.
    async fn round(&mut self) -> bool {
        self.round += 1;
        let value = format!("round {}", self.round);
        let (write, read) =
            (cmd("SET").arg(&self.key).arg(value).to_owned(), cmd("GET").arg(&self.key).to_owned());
        let written = self.timed(async |client| client.execute::<()>(&write).await).await;
        let read = self.timed(async |client| client.execute::<String>(&read).await.map(drop)).await;
        written && read
    }

    async fn timed(&mut self, command: impl AsyncFnOnce(&Client) -> Result<()>) -> bool {
        let begin = Instant::now();
        let outcome = command(&self.client).await;
        self.latency.saturating_record(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
        self.counts.commands.fetch_add(1, Relaxed);
        if let Err(error) = &outcome {
            self.counts.failures.fetch_add(1, Relaxed);
            self.console.failure(error);
        }
        outcome.is_ok()
    }
}
