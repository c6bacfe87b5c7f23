//! Commands and pipelines: in a call that waits, with a callback, or through the completion queue.

use super::{Live, keyless_client};
use crate::boundary::{Arguments, UserData, exclusive, handle, put, reference, required, run, text};
use crate::completions::{Call, keyless_completion, keyless_completions, keyless_reply_callback};
use crate::error::keyless_error;
use crate::pipeline::keyless_pipeline;
use crate::reply::keyless_reply;
use crate::status::keyless_status;
use keyless::blocking;
use keyless::{CompletionSink, Reply, Result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

/// 0 stands for the option `command_timeout`.
fn limit(timeout_ms: u64) -> Option<Duration> {
    (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms))
}

/// Sends a command and waits for its reply.
///
/// `argc` arguments, the first one the command's name, such as `SET`, `key`, `value`; `argvlen` gives the length of each
/// in bytes, and with NULL every argument ends with a NUL. They are copied. `timeout_ms` 0 stands for the option
/// `command_timeout`. `*reply` (may be NULL if it does not matter) gets the reply, which the caller frees.
///
/// An error reply of the server is an error here: `KEYLESS_SERVER`, `KEYLESS_NO_PERMISSION`. Other failures:
/// `KEYLESS_INVALID_COMMAND` before anything is sent; `KEYLESS_TIMEOUT`, `KEYLESS_CONNECTION_LOST`,
/// `KEYLESS_NOT_CONNECTED`, `KEYLESS_BACKLOG_FULL`, `KEYLESS_CLOSED`, or what keeps the connection from being made;
/// `keyless_error_maybe_executed` says whether the server may have executed it.
///
/// Commands that wait on the server (`BLPOP`, `XREAD BLOCK` ...) have a connection of their own meanwhile, and their own
/// time limit. Any thread, also in callbacks of commands, but then other callbacks wait.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_execute(
    client: *const keyless_client,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
    timeout_ms: u64,
    reply: *mut *mut keyless_reply,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        put(reply, std::ptr::null_mut());
        let live = reference(client, "client")?.0.get()?;
        let args = Arguments::new(argc, argv, argvlen)?;
        give(reply, blocking::wait(live.client.execute_args(args.as_slice(), limit(timeout_ms)))??);
        Ok(())
    })
}

/// Sends a command to one node of a cluster, wherever its keys are, and waits for its reply: for what is asked of a single
/// node, such as `INFO` or `SLOWLOG GET`.
///
/// `endpoint` is the node's `host:port`, as `keyless_nodes_endpoint` gives it. Everything else as in
/// `keyless_client_execute`; fails with `KEYLESS_INVALID_ENDPOINT` if there is no such node now, and with
/// `KEYLESS_INVALID_COMMAND` for a command that waits on the server.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_execute_on(
    client: *const keyless_client,
    endpoint: *const c_char,
    endpoint_length: usize,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
    timeout_ms: u64,
    reply: *mut *mut keyless_reply,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        put(reply, std::ptr::null_mut());
        let live = reference(client, "client")?.0.get()?;
        let endpoint = text(endpoint, endpoint_length, "endpoint")?;
        let args = Arguments::new(argc, argv, argvlen)?;
        let work = live.client.execute_args_on(endpoint, args.as_slice(), limit(timeout_ms));
        give(reply, blocking::wait(work)??);
        Ok(())
    })
}

/// Sends a pipeline or transaction and waits for all replies: `*reply` is an array with one part per command, in order.
///
/// A command that failed has a part of type `KEYLESS_REPLY_ERROR`. The pipeline is empty afterwards; if nothing was sent
/// it is as it was. Fails as `keyless_client_execute` if nothing was sent, and with `KEYLESS_TRANSACTION_ABORTED` if the
/// server refused one of a transaction's commands.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_execute_pipeline(
    client: *const keyless_client,
    pipeline: *mut keyless_pipeline,
    timeout_ms: u64,
    reply: *mut *mut keyless_reply,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        put(reply, std::ptr::null_mut());
        let live = reference(client, "client")?.0.get()?;
        let pipeline = exclusive(pipeline, "pipeline")?;
        let work = live.client.execute_pipeline_raw(&mut pipeline.0, limit(timeout_ms));
        give(reply, blocking::wait(work)??);
        Ok(())
    })
}

fn give(out: *mut *mut keyless_reply, reply: Reply) {
    if !out.is_null() {
        put(out, handle(keyless_reply(reply)));
    }
}

/// Sends a command and does not wait: `callback` hears of its reply, or, with NULL, a completion with `user_data` is put
/// into the client's queue (see `keyless_client_drain`).
///
/// Arguments and failures as in `keyless_client_execute`; what can be known only later reaches the callback or the
/// completion. When this fails, nothing was sent and nothing else is heard. Never blocks, but in a forked child, where
/// the first use connects. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_submit(
    client: *const keyless_client,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
    timeout_ms: u64,
    callback: keyless_reply_callback,
    user_data: *mut c_void,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let live = reference(client, "client")?.0.get()?;
        let args = Arguments::new(argc, argv, argvlen)?;
        let submit = |tag: u64, sink: Arc<dyn CompletionSink>| {
            live.client.submit_args(args.as_slice(), limit(timeout_ms), tag, sink)
        };
        match callback {
            None => submit(user_data as u64, live.queue()?.clone()),
            Some(callback) => {
                let call = Call { callback, user_data: UserData(user_data) };
                live.calls.submit(call, |tag| submit(tag, live.calls.clone()))
            }
        }
    })
}

/// Sends a pipeline or transaction and does not wait: one callback, or one completion, tells of all replies, in an array
/// as in `keyless_client_execute_pipeline`.
///
/// The pipeline is empty afterwards; when this fails it is as it was. Otherwise as `keyless_client_submit`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_submit_pipeline(
    client: *const keyless_client,
    pipeline: *mut keyless_pipeline,
    timeout_ms: u64,
    callback: keyless_reply_callback,
    user_data: *mut c_void,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let live = reference(client, "client")?.0.get()?;
        let pipeline = exclusive(pipeline, "pipeline")?;
        let data = UserData(user_data);
        match callback {
            None => {
                let queue = live.queue()?.clone();
                submit_pipeline(live, pipeline, timeout_ms, move |outcome| queue.put(data, outcome))
            }
            Some(callback) => live.calls.submit(Call { callback, user_data: data }, |tag| {
                let calls = live.calls.clone();
                submit_pipeline(live, pipeline, timeout_ms, move |outcome| calls.put(tag, outcome))
            }),
        }
    })
}

fn submit_pipeline(
    live: &Live,
    pipeline: &mut keyless_pipeline,
    timeout_ms: u64,
    done: impl FnOnce(Result<Reply>) + Send + 'static,
) -> Result<()> {
    live.client.submit_pipeline(&mut pipeline.0, limit(timeout_ms), done)
}

/// Takes up to `most` completions out of the client's queue: `*list` gets an array of `*count` of them.
///
/// Never blocks: `*count` is 0 if there are none. The array, its replies and errors are borrowed from `completions`: they
/// are valid until the next drain into it. While more completions wait the client's descriptor stays readable. Any
/// thread, each with a `completions` of its own.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_drain(
    client: *const keyless_client,
    completions: *mut keyless_completions,
    most: usize,
    list: *mut *const keyless_completion,
    count: *mut usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let client = reference(client, "client")?;
        let completions = exclusive(completions, "completions")?;
        let list = required(list, std::ptr::null(), "list")?;
        let count = required(count, 0, "count")?;
        client.0.get()?.queue()?.drain(most, completions);
        (*list, *count) = (completions.list().as_ptr(), completions.list().len());
        Ok(())
    })
}
