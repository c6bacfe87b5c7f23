//! All keys, page by page: core's walk behind a handle.

use crate::boundary::{bytes, exclusive, free, handle, optional, reference, required, run, text};
use crate::client::keyless_client;
use crate::error::keyless_error;
use crate::fork;
use crate::reply::keyless_reply;
use crate::status::keyless_status;
use keyless::{Error, ErrorCode, Scan, ScanOptions, blocking};
use std::ffi::c_char;

/// A walk over all keys, on a cluster over those of all nodes. One thread at a time may use it. It belongs to the process
/// that made it: a forked child makes its own.
///
/// Every key that exists from the walk's begin to its end comes at least once, also where slots move from one node to
/// another meanwhile; a key may come twice.
pub struct keyless_scan {
    process: u32,
    scan: Scan,
}

/// A walk that has not begun. It asks for nothing yet.
///
/// Only keys that match `pattern` (bytes, as for `MATCH`; length 0: all) and are of the type `key_type`, such as `string`
/// or `hash` (length 0: any). `count` is about how many keys the server looks at for a page (`COUNT`); with 0 it decides.
/// Both pointers may be NULL where their length is 0. The caller frees `*scan`, before or after the client. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_scan_new(
    client: *const keyless_client,
    pattern: *const c_char,
    pattern_length: usize,
    key_type: *const c_char,
    key_type_length: usize,
    count: u32,
    scan: *mut *mut keyless_scan,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(scan, std::ptr::null_mut(), "scan")?;
        let client = reference(client, "client")?;
        let mut options = ScanOptions::default();
        let pattern = bytes(pattern, pattern_length, "pattern")?;
        options.pattern = (!pattern.is_empty()).then(|| pattern.to_vec());
        if key_type_length > 0 {
            options.key_type = Some(text(key_type, key_type_length, "key_type")?.to_owned());
        }
        options.count = (count > 0).then_some(count);
        let scan = client.0.get()?.client.scan(options);
        *out = handle(keyless_scan { process: fork::generation(), scan });
        Ok(())
    })
}

/// Waits for the next page: `*reply` gets an array of keys, which may be empty before the walk is over, and which the
/// caller frees; NULL with `KEYLESS_OK` when all keys have come.
///
/// Fails as `keyless_client_execute`, within the option `command_timeout`. The next call asks for the same page again.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_scan_next(
    scan: *mut keyless_scan,
    reply: *mut *mut keyless_reply,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let out = required(reply, std::ptr::null_mut(), "reply")?;
        let walk = exclusive(scan, "scan")?;
        if walk.process != fork::generation() {
            return Err(Error::new(
                ErrorCode::Closed,
                "The scan was made before a fork, and belongs to the parent process.",
                "Make another one in the child.",
            ));
        }
        if let Some(page) = blocking::wait(walk.scan.next_reply())?? {
            *out = handle(keyless_reply(page));
        }
        Ok(())
    })
}

/// Frees a walk, over or not. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_scan_free(scan: *mut keyless_scan) {
    // In a forked child it stays in memory: to end it would touch what the parent uses.
    if optional(scan).is_some_and(|walk| walk.process == fork::generation()) {
        free(scan);
    }
}
