//! The connections of a node for commands that wait: dialled when needed, kept for a while, so many and no more.

use super::call::{Answers, Call};
use super::lane::{Lane, Lease};
use super::run::run;
use crate::connection::establish::{Purpose, establish};
use crate::connection::node::{Node, State, Wish, closed, not_connected, unsent};
use crate::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_mins(1);

/// The pool of one node.
pub(crate) struct Pool {
    most: usize,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Arc<Seat>>>,
}

/// An idle connection, until somebody takes it.
struct Seat {
    lane: Mutex<Option<Lane>>,
    taken: Notify,
}

/// Ends the wait when the caller's future is dropped.
struct Cancel(Arc<Lease>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, permits: Arc::new(Semaphore::new(most)), idle: Mutex::default() }
    }

    /// The right to one connection.
    pub(super) async fn permit(&self, patience: Duration) -> Result<OwnedSemaphorePermit> {
        match timeout(patience, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| closed()),
            Err(_) => Err(Error::new(
                ErrorCode::Timeout,
                format!(
                    "Not sent within {} ms: all {} connections for commands that wait are in use.",
                    patience.as_millis(),
                    self.most
                ),
                "Raise the option blocking_connections, or let fewer commands wait at the same time.",
            )),
        }
    }

    /// A connection that is idle, or a fresh one. Waits as other commands do while the node has no connection.
    pub(super) async fn connect(&self, node: &Arc<Node>, patience: Duration) -> Result<Lane> {
        let until = Instant::now() + patience;
        let mut failed: Option<Error> = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if let Ok(found) = timeout(left, ready(node)).await {
                found?;
            } else {
                let cause = match node.state() {
                    State::Lost(cause) => Some(cause),
                    _ => failed,
                };
                return Err(unsent(patience, cause.as_ref()).at(Arc::clone(node.settings.label())));
            }
            if let Some(lane) = self.take() {
                return Ok(lane);
            }
            let target = node.reached_target();
            match establish(node, &target, Purpose::Waiting).await {
                Ok(fresh) => return Ok(Lane::new(fresh)),
                Err(error) => {
                    let error = error.at(Arc::clone(&target.label));
                    tracing::info!(%error, "no connection for a command that waits");
                    if !error.is_retryable() || node.settings.fail_fast || Instant::now() >= until {
                        return Err(error.executed(false));
                    }
                    failed = Some(error);
                    let pause = node.settings.backoff_min.mul_f64(1.0 + fastrand::f64());
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// The connection that was used last.
    fn take(&self) -> Option<Lane> {
        loop {
            let seat = self.idle.lock().pop()?;
            seat.taken.notify_one();
            let lane = seat.lane.lock().take();
            match lane {
                Some(lane) if lane.is_ours() => return Some(lane),
                // Gone meanwhile, or the parent process'.
                _ => {}
            }
        }
    }

    /// Keeps a connection on which nothing is under way.
    pub(super) fn give_back(&self, node: &Arc<Node>, lane: Lane) {
        let seat = Arc::new(Seat { lane: Mutex::new(Some(lane)), taken: Notify::new() });
        self.idle.lock().push(Arc::clone(&seat));
        tokio::spawn(keep(Arc::clone(node), seat));
    }
}

/// Looks after an idle connection until somebody takes it, or nobody did for long, or it ends.
async fn keep(node: Arc<Node>, seat: Arc<Seat>) {
    let found = seat.lane.lock().as_ref().map(|lane| (Arc::clone(&lane.link), lane.usable()));
    let Some((link, usable)) = found else { return };
    let limit = usable.unwrap_or(IDLE).min(IDLE);
    tokio::select! {
        biased;
        () = seat.taken.notified() => return,
        _ = poll_fn(|cx| link.poll(cx)) => {}
        () = tokio::time::sleep(limit) => {}
        () = over(&node) => {}
    }
    node.blocking.idle.lock().retain(|other| !Arc::ptr_eq(other, &seat));
    let lane = seat.lane.lock().take();
    drop(lane);
}

/// Waits until the node has a connection.
async fn ready(node: &Node) -> Result<()> {
    let mut state = node.state.subscribe();
    loop {
        match &*state.borrow_and_update() {
            State::Ready => return Ok(()),
            State::Closed(error) => return Err(error.clone()),
            State::Lost(error) if node.settings.fail_fast => return Err(not_connected(error)),
            State::Lost(_) | State::Connecting => {}
        }
        if state.changed().await.is_err() {
            return Err(closed());
        }
    }
}

/// Waits until the node is to close.
pub(in crate::connection) async fn over(node: &Node) {
    let _ = node.wish.subscribe().wait_for(|wish| *wish != Wish::Live).await;
}

impl Node {
    /// Lets a command wait on a connection of its own. Dropping the future closes that connection at once.
    ///
    /// # Errors
    /// Whatever kept the command from being answered; `maybe_executed` says whether it may have been executed.
    pub(crate) async fn block(self: Arc<Self>, call: Call) -> Result<Answers> {
        use std::sync::atomic::Ordering;
        if let State::Closed(error) = self.state() {
            return Err(error);
        }
        self.counters.submitted.fetch_add(call.before.len() as u64 + 1, Ordering::Relaxed);
        let lease = Arc::new(Lease::default());
        let cancel = Cancel(Arc::clone(&lease));
        let task = crate::runtime::io(0)?.spawn(async move {
            tokio::select! {
                biased;
                () = over(&self) => Err(closed().executed(lease.is_waiting())),
                answers = run(&self, call, &lease) => answers,
            }
        });
        let stop = AbortOnDrop(task.abort_handle());
        let outcome = task.await.unwrap_or_else(|_| Err(closed()));
        drop((cancel, stop));
        outcome
    }
}

/// Also ends the search for a connection, which nobody waits for any more.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
