//! Several commands at once: sent as one piece, answered as a list; as a transaction if asked for.

use super::{Client, convert};
use crate::connection::blocking::Call;
use crate::connection::blocking::wait::For;
use crate::connection::command::would_wait;
use crate::connection::decode::decode;
use crate::connection::{Batch, CompletionSink, Replies};
use crate::error::{Error, ErrorCode, Result};
use crate::reply::{Reply, ReplyKind};
use crate::runtime;
use bytes::Bytes;
use parking_lot::Mutex;
use redis::{Cmd, FromRedisValue, Value};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// Commands to be sent together.
///
/// As a pipeline each command succeeds or fails for itself. As a transaction (`MULTI` ... `EXEC`) the server
/// runs all of them with no other command in between, or none.
///
/// The last command of a pipeline may be `WAIT` or `WAITAOF`: then all of it goes over one connection of its own, as
/// commands that wait do (see [`Client::execute`]), since they count who has the writes of their own connection. A long
/// wait is cut into slices; the count is that of the whole wait.
///
/// ```
/// let mut pipeline = keyless::Pipeline::transaction();
/// pipeline.add(redis::cmd("INCR").arg("visits")).add(redis::cmd("EXPIRE").arg("visits").arg(60));
/// assert_eq!(pipeline.len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Pipeline {
    batch: Batch,
    transaction: bool,
    /// `WAIT` or `WAITAOF`, which ends the pipeline.
    wait: Option<Call>,
    /// Why a command could not be added; reported by `execute`.
    refused: Option<Error>,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty transaction.
    pub fn transaction() -> Self {
        Self { transaction: true, ..Self::default() }
    }

    /// Adds a command. One that cannot be sent makes the execution fail before anything is sent.
    pub fn add(&mut self, command: &Cmd) -> &mut Self {
        let added = self.put(Call::of(command), |batch| batch.push_cmd(command));
        if let Err(error) = added {
            self.refused.get_or_insert(error);
        }
        self
    }

    /// Adds a command given as its name and arguments.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidCommand`] when it cannot be sent; the pipeline is as it was then.
    pub fn add_args<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<()> {
        self.put(Call::of_args(args), |batch| batch.push(args))
    }

    fn put(&mut self, call: Option<Call>, push: impl FnOnce(&mut Batch) -> Result<()>) -> Result<()> {
        match (call.filter(Call::acknowledges), &self.wait) {
            (Some(wait), None) if !self.transaction => self.wait = Some(wait),
            (Some(wait), _) => return Err(would_wait(wait.name(), For::Acknowledgements)),
            (None, Some(wait)) => return Err(would_wait(wait.name(), For::Acknowledgements)),
            (None, None) => push(&mut self.batch)?,
        }
        Ok(())
    }

    /// Forgets all commands and keeps the memory.
    pub fn clear(&mut self) {
        self.batch.clear();
        (self.wait, self.refused) = (None, None);
    }

    /// Whether it is a transaction.
    pub fn is_transaction(&self) -> bool {
        self.transaction
    }

    /// How many commands it holds.
    pub fn len(&self) -> usize {
        self.batch.len() + usize::from(self.wait.is_some())
    }

    /// Whether it holds no command.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Client {
    /// Sends a pipeline and waits for all replies: one result per command, in order.
    ///
    /// # Errors
    /// As [`Client::execute`] when nothing was sent, or, for a transaction, when it was not executed:
    /// [`ErrorCode::TransactionAborted`] says which command the server refused.
    pub async fn execute_pipeline(&self, mut pipeline: Pipeline) -> Result<Vec<Result<Value>>> {
        let begun = self.begin(&mut pipeline, None)?;
        Ok(self.finish(begun).await?.into_iter().map(|frame| decode(&frame?)).collect())
    }

    /// As [`Client::execute_pipeline`], with the replies as they came, in one array: a command that failed has a part of
    /// kind [`ReplyKind::Error`]. `timeout` takes the place of the option `command_timeout`. The pipeline is empty
    /// afterwards, ready to be filled again; when nothing was sent it is as it was.
    ///
    /// # Errors
    /// As [`Client::execute_pipeline`].
    pub async fn execute_pipeline_raw(
        &self,
        pipeline: &mut Pipeline,
        timeout: Option<Duration>,
    ) -> Result<Reply> {
        let begun = self.begin(pipeline, timeout)?;
        let waits = matches!(begun, Begun::Waiting(_));
        let outcome = self.finish(begun).await;
        // A connection of its own may not be had: then nothing was sent.
        if waits && outcome.as_ref().map_or_else(Error::maybe_executed, |_| true) {
            pipeline.clear();
        }
        outcome.map(Reply::gathered)
    }

    /// As [`Client::execute_pipeline_raw`], with the outcome handed to `done` on a thread of keyless, which it must not
    /// block. Never blocks itself.
    ///
    /// # Errors
    /// As [`Client::submit`]: nothing was taken and `done` hears nothing.
    pub fn submit_pipeline(
        &self,
        pipeline: &mut Pipeline,
        timeout: Option<Duration>,
        done: impl FnOnce(Result<Reply>) + Send + 'static,
    ) -> Result<()> {
        let thread = runtime::io(0)?;
        let begun = self.begin(pipeline, timeout)?;
        pipeline.clear();
        let client = self.clone();
        thread.spawn(async move { done(client.finish(begun).await.map(Reply::gathered)) });
        Ok(())
    }

    /// Hands everything over, or leaves the pipeline as it was. One that waits is still to be sent, and left to the caller.
    fn begin(&self, pipeline: &mut Pipeline, timeout: Option<Duration>) -> Result<Begun> {
        if let Some(error) = &pipeline.refused {
            self.counted(error, 1);
            return Err(error.clone());
        }
        if let Some(wait) = &pipeline.wait {
            let call = wait.clone().after(pipeline.batch.clone());
            call.check(&self.0.disabled)?;
            return Ok(Begun::Waiting(call));
        }
        let count = pipeline.batch.len();
        if count == 0 {
            return Ok(Begun::Empty);
        }
        if !pipeline.transaction {
            return self.collect(&mut pipeline.batch, timeout).map(Begun::Collecting);
        }
        let collector = self.collect(&mut pipeline.batch.clone().into_transaction(), timeout)?;
        pipeline.batch.clear();
        Ok(Begun::Transaction(collector, count))
    }

    /// The frame that answers each command, or why there is none.
    async fn finish(&self, begun: Begun) -> Result<Vec<Result<Bytes>>> {
        match begun {
            Begun::Empty => Ok(Vec::new()),
            Begun::Waiting(call) => Ok(Box::pin(self.block(call)).await?.into_iter().map(Ok).collect()),
            Begun::Collecting(collector) => Ok(collector.all().await),
            Begun::Transaction(collector, count) => outcome(collector.all().await, count),
        }
    }

    /// As [`Client::execute_pipeline`], with all replies converted at once: `let (a, b): (i64, String) = ...`.
    ///
    /// # Errors
    /// As [`Client::execute_pipeline`], and the first error among the replies.
    pub async fn query_pipeline<T: FromRedisValue>(&self, pipeline: Pipeline) -> Result<T> {
        let values: Result<Vec<Value>> = self.execute_pipeline(pipeline).await?.into_iter().collect();
        convert(Value::Array(values?))
    }

    fn collect(&self, batch: &mut Batch, timeout: Option<Duration>) -> Result<Arc<Collector>> {
        let collector = Arc::new(Collector(Mutex::new(Collected::new(batch.len()))));
        self.submit_within(batch, 0, collector.clone(), timeout.unwrap_or_else(|| self.command_timeout()))?;
        Ok(collector)
    }
}

/// A pipeline that was handed over.
enum Begun {
    Empty,
    Waiting(Call),
    Collecting(Arc<Collector>),
    /// And how many commands stand between `MULTI` and `EXEC`.
    Transaction(Arc<Collector>, usize),
}

/// What became of a transaction, from the replies to `MULTI`, to each command, and to `EXEC`.
fn outcome(mut replies: Vec<Result<Bytes>>, count: usize) -> Result<Vec<Result<Bytes>>> {
    let Some(last) = replies.pop() else { return Err(no_list()) };
    let executed = Reply::scanned(last?);
    match executed.error() {
        Some(error) if error.code() == ErrorCode::TransactionAborted => {
            let refused = replies.into_iter().enumerate().find_map(|(index, reply)| match reply {
                Ok(frame) => Some((index, Reply::scanned(frame).error()?)),
                Err(error) => Some((index, error)),
            });
            Err(match refused {
                Some((index, cause)) => Error::new(
                    ErrorCode::TransactionAborted,
                    format!(
                        "The transaction was not executed: its command {index} of {count} was refused: {}.",
                        cause.message()
                    ),
                    // Redis has no word for most mistakes in a command but `ERR`.
                    if cause.advice().is_empty() { error.advice() } else { cause.advice() }.to_owned(),
                ),
                None => error,
            })
        }
        Some(error) => Err(error),
        None if executed.kind() == ReplyKind::Array && executed.len() == count => {
            Ok(executed.parts().iter().filter_map(Reply::frame).map(Ok).collect())
        }
        None => Err(no_list()),
    }
}

fn no_list() -> Error {
    Error::new(
        ErrorCode::UnexpectedReply,
        "The server answered EXEC with something that is no list of replies.",
        "",
    )
    .executed(true)
}

struct Collector(Mutex<Collected>);

struct Collected {
    replies: Vec<Option<Result<Bytes>>>,
    missing: usize,
    waker: Option<Waker>,
}

impl Collected {
    fn new(count: usize) -> Self {
        Self { replies: vec![None; count], missing: count, waker: None }
    }

    /// A transaction that is sent anew answers its first commands again: the later answer counts.
    fn put(&mut self, tag: u64, reply: Result<Bytes>) {
        if let Some(slot) = usize::try_from(tag).ok().and_then(|index| self.replies.get_mut(index)) {
            self.missing -= usize::from(slot.is_none());
            *slot = Some(reply);
        }
    }

    fn wake(&mut self) -> Option<Waker> {
        if self.missing == 0 { self.waker.take() } else { None }
    }
}

impl Collector {
    async fn all(&self) -> Vec<Result<Bytes>> {
        poll_fn(|cx| {
            let mut collected = self.0.lock();
            if collected.missing == 0 {
                return Poll::Ready(std::mem::take(&mut collected.replies).into_iter().flatten().collect());
            }
            collected.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl CompletionSink for Collector {
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        let mut collected = self.0.lock();
        for index in 0..replies.len() {
            collected.put(first_tag + index as u64, Ok(replies.get(index)));
        }
        collected.wake()
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        let mut collected = self.0.lock();
        (first_tag..).take(count).for_each(|tag| collected.put(tag, Err(error.clone())));
        collected.wake()
    }
}
