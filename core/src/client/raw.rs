//! Commands as plain arguments and replies as they came: what the C ABI and the bindings stand on, together with
//! [`Client::submit`].

use super::{Client, Sent, with_encoder};
use crate::connection::blocking::Call;
use crate::connection::blocking::wait::For;
use crate::connection::command::would_wait;
use crate::connection::{Batch, CompletionSink, Replies};
use crate::error::Result;
use crate::reply::Reply;
use crate::runtime;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

impl Client {
    /// As [`Client::execute`], with the command as its name and arguments, and the reply as it came. `timeout` takes
    /// the place of the option `command_timeout`, but not for a command that waits on the server.
    ///
    /// # Errors
    /// As [`Client::execute`]; an error reply of the server is an error here too.
    pub async fn execute_args<A: AsRef<[u8]>>(&self, args: &[A], timeout: Option<Duration>) -> Result<Reply> {
        let frame = if let Some(call) = self.call_of(args)? {
            Box::pin(self.block(call)).await?.pop().unwrap_or_default()
        } else {
            match self.send(|batch| batch.push(args), timeout.unwrap_or_else(|| self.command_timeout()))? {
                Sent::Waits(waiter) => waiter.await?,
                Sent::Known(reply) => reply,
            }
        };
        Reply::scanned(frame).into_result()
    }

    /// As [`Client::execute_on`], with the command as its name and arguments, and the reply as it came. `timeout` takes
    /// the place of the option `command_timeout`.
    ///
    /// # Errors
    /// As [`Client::execute_on`]; an error reply of the server is an error here too.
    pub async fn execute_args_on<A: AsRef<[u8]>>(
        &self,
        endpoint: &str,
        args: &[A],
        timeout: Option<Duration>,
    ) -> Result<Reply> {
        let mut batch = Batch::new();
        batch.push(args)?;
        let node = self.node_at(endpoint)?;
        let frame = self.ask_node(&node, batch, timeout.unwrap_or_else(|| self.command_timeout())).await?;
        Reply::scanned(frame).into_result()
    }

    /// Hands one command over as its name and arguments, any command: also one that waits on the server, and one whose
    /// reply client-side caching has. The reply goes to `sink`, tagged `tag`. `timeout` as in
    /// [`Client::execute_args`]. Never blocks.
    ///
    /// # Errors
    /// As [`Client::submit`]: nothing was taken and the sink hears nothing.
    pub fn submit_args<A: AsRef<[u8]>>(
        &self,
        args: &[A],
        timeout: Option<Duration>,
        tag: u64,
        sink: Arc<dyn CompletionSink>,
    ) -> Result<()> {
        if let Some(call) = self.call_of(args)? {
            let client = self.clone();
            runtime::io(0)?.spawn(async move {
                let answer = client.block(call).await.map(|mut answers| answers.pop().unwrap_or_default());
                tell(&*sink, tag, answer);
            });
            return Ok(());
        }
        with_encoder(|batch| {
            batch.push(args).inspect_err(|error| self.counted(error, 1))?;
            if let Some(reply) = self.recall(&batch.bytes) {
                tell(&*sink, tag, Ok(reply));
                return Ok(());
            }
            self.submit_within(batch, tag, sink, timeout.unwrap_or_else(|| self.command_timeout()))
        })
    }

    /// The call that this command is, if it waits and may stand alone.
    fn call_of<A: AsRef<[u8]>>(&self, args: &[A]) -> Result<Option<Call>> {
        let Some(call) = Call::of_args(args) else { return Ok(None) };
        if call.acknowledges() {
            return Err(would_wait(call.name(), For::Acknowledgements));
        }
        call.check(&self.0.disabled)?;
        Ok(Some(call))
    }
}

/// Tells a sink one outcome and wakes whoever waits for it.
fn tell(sink: &dyn CompletionSink, tag: u64, outcome: Result<Bytes>) {
    let waker = match outcome {
        Ok(frame) => {
            let ends = [frame.len()];
            sink.complete(tag, Replies { block: &frame, start: 0, ends: &ends })
        }
        Err(error) => sink.fail(tag, 1, &error),
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}
