//! Several commands at once: sent as one piece, answered as a list; as a transaction if asked for.

use super::{Client, convert};
use crate::connection::blocking::Call;
use crate::connection::blocking::wait::For;
use crate::connection::command::would_wait;
use crate::connection::decode::decode;
use crate::connection::{Batch, CompletionSink, Replies};
use crate::error::{Error, ErrorCode, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use redis::{Cmd, FromRedisValue, Value};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

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
        match Call::of(command).filter(Call::acknowledges) {
            Some(wait) if !self.transaction && self.wait.is_none() => self.wait = Some(wait),
            Some(wait) => {
                self.refused.get_or_insert_with(|| would_wait(wait.name(), For::Acknowledgements));
            }
            None => {
                let added = match &self.wait {
                    Some(wait) => Err(would_wait(wait.name(), For::Acknowledgements)),
                    None => self.batch.push_cmd(command),
                };
                if let Err(error) = added {
                    self.refused.get_or_insert(error);
                }
            }
        }
        self
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
    pub async fn execute_pipeline(&self, pipeline: Pipeline) -> Result<Vec<Result<Value>>> {
        if let Some(error) = pipeline.refused {
            self.counted(&error, 1);
            return Err(error);
        }
        if let Some(wait) = pipeline.wait {
            let replies = Box::pin(self.block(wait.after(pipeline.batch))).await?;
            return Ok(replies.iter().map(|reply| decode(reply)).collect());
        }
        let count = pipeline.batch.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        if !pipeline.transaction {
            return Ok(self
                .collect(pipeline.batch)
                .await?
                .into_iter()
                .map(|reply| decode(&reply?))
                .collect());
        }
        let replies = self.collect(pipeline.batch.into_transaction()).await?;
        outcome(replies, count)
    }

    /// As [`Client::execute_pipeline`], with all replies converted at once: `let (a, b): (i64, String) = ...`.
    ///
    /// # Errors
    /// As [`Client::execute_pipeline`], and the first error among the replies.
    pub async fn query_pipeline<T: FromRedisValue>(&self, pipeline: Pipeline) -> Result<T> {
        let values: Result<Vec<Value>> = self.execute_pipeline(pipeline).await?.into_iter().collect();
        convert(Value::Array(values?))
    }

    async fn collect(&self, mut batch: Batch) -> Result<Vec<Result<Bytes>>> {
        let collector = Arc::new(Collector(Mutex::new(Collected::new(batch.len()))));
        self.submit(&mut batch, 0, collector.clone())?;
        Ok(poll_fn(|cx| {
            let mut collected = collector.0.lock();
            if collected.missing == 0 {
                return Poll::Ready(std::mem::take(&mut collected.replies).into_iter().flatten().collect());
            }
            collected.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await)
    }
}

/// What became of a transaction, from the replies to `MULTI`, to each command, and to `EXEC`.
fn outcome(replies: Vec<Result<Bytes>>, count: usize) -> Result<Vec<Result<Value>>> {
    let mut decoded: Vec<Result<Value>> = replies.into_iter().map(|reply| decode(&reply?)).collect();
    match decoded.pop() {
        Some(Ok(Value::Array(values))) if values.len() == count => Ok(values
            .into_iter()
            .map(|value| match value {
                Value::ServerError(error) => Err(Error::from_reply(&server_text(&error))),
                value => Ok(value),
            })
            .collect()),
        Some(Err(error)) if error.code() == ErrorCode::TransactionAborted => {
            let refused =
                decoded.iter().enumerate().find_map(|(index, reply)| Some((index, reply.as_ref().err()?)));
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
        Some(Err(error)) => Err(error),
        _ => Err(Error::new(
            ErrorCode::UnexpectedReply,
            "The server answered EXEC with something that is no list of replies.",
            "",
        )
        .executed(true)),
    }
}

fn server_text(error: &redis::ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
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
