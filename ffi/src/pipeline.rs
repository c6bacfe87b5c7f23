//! Several commands that are sent together, also as a transaction: core's pipeline behind a handle.

use crate::boundary::{Arguments, exclusive, free, handle, look, optional, run};
use crate::error::keyless_error;
use crate::status::keyless_status;
use keyless::Pipeline;
use std::ffi::c_char;

/// Commands to be sent together. One thread at a time may use it; it can be filled and sent again and again.
pub struct keyless_pipeline(pub(crate) Pipeline);

/// An empty pipeline: each of its commands succeeds or fails for itself. The caller frees it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_pipeline_new() -> *mut keyless_pipeline {
    look(std::ptr::null_mut(), || handle(keyless_pipeline(Pipeline::new())))
}

/// An empty transaction (`MULTI` ... `EXEC`): the server runs all of its commands with no other one in between, or
/// none. The caller frees it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_pipeline_new_transaction() -> *mut keyless_pipeline {
    look(std::ptr::null_mut(), || handle(keyless_pipeline(Pipeline::transaction())))
}

/// Adds a command: `argc` arguments, the first one its name. They are copied.
///
/// `argvlen` gives the length of each argument in bytes; with NULL every argument ends with a NUL. Fails with
/// `KEYLESS_INVALID_COMMAND` if the command cannot be sent; the pipeline is as it was then.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_pipeline_append(
    pipeline: *mut keyless_pipeline,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let pipeline = exclusive(pipeline, "pipeline")?;
        pipeline.0.add_args(Arguments::new(argc, argv, argvlen)?.as_slice())
    })
}

/// How many commands it holds; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_pipeline_count(pipeline: *const keyless_pipeline) -> usize {
    look(0, || optional(pipeline).map_or(0, |pipeline| pipeline.0.len()))
}

/// Forgets all commands and keeps the memory.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_pipeline_clear(pipeline: *mut keyless_pipeline) {
    look((), || {
        if let Ok(pipeline) = exclusive(pipeline, "pipeline") {
            pipeline.0.clear();
        }
    });
}

/// Frees a pipeline. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_pipeline_free(pipeline: *mut keyless_pipeline) {
    free(pipeline);
}
