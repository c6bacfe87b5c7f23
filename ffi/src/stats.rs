//! A client's figures at one moment.

use crate::boundary::{free, handle, look, optional, reference, required, run, view};
use crate::client::keyless_client;
use crate::error::keyless_error;
use crate::status::keyless_status;
use keyless::{ErrorCode, Stats};
use std::ffi::{c_char, c_int};

/// Figures of a client: counts since it was made, and how things stood when they were taken. Does not change.
pub struct keyless_stats(Stats);

fn figure<T: Copy>(stats: *const keyless_stats, otherwise: T, of: impl FnOnce(&Stats) -> T) -> T {
    look(otherwise, || optional(stats).map_or(otherwise, |stats| of(&stats.0)))
}

/// Takes the figures of now; it costs a few microseconds. The caller frees `*stats`. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_stats(
    client: *const keyless_client,
    stats: *mut *mut keyless_stats,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let client = reference(client, "client")?;
        let out = required(stats, std::ptr::null_mut(), "stats")?;
        *out = handle(keyless_stats(client.0.get()?.client.stats()));
        Ok(())
    })
}

/// Commands handed over so far; each command of a pipeline or transaction counts.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_commands(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.commands)
}

/// Commands that ended in an error with this code (a `keyless_status`); 0 counts every error.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_errors(stats: *const keyless_stats, code: c_int) -> u64 {
    figure(stats, 0, |stats| {
        let wanted = |of: &ErrorCode| code == 0 || code == c_int::from(*of as u16);
        stats.errors.iter().filter(|(of, _)| wanted(of)).map(|(_, count)| count).sum()
    })
}

/// Commands that wait to be written.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_queued(stats: *const keyless_stats) -> usize {
    figure(stats, 0, |stats| stats.queued)
}

/// Commands that were written and wait for their reply.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_in_flight(stats: *const keyless_stats) -> usize {
    figure(stats, 0, |stats| stats.in_flight)
}

/// Connections made, the first one included.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_connections(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.connections)
}

/// Connections made after one was lost.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_reconnects(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.reconnects)
}

/// Live connections signed in again.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_reauthentications(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.reauthentications)
}

/// Attempts to sign a live connection in again that failed.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_reauthentication_failures(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.reauthentication_failures)
}

/// Tokens acquired, the first one included; 0 with an access key.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_token_refreshes(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.token_refreshes)
}

/// Attempts to acquire a token that failed.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_token_refresh_failures(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.token_refresh_failures)
}

fn or_none(time: Option<std::time::Duration>) -> i64 {
    time.map_or(-1, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// How long ago the token in use was received, in milliseconds; -1 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_token_age_ms(stats: *const keyless_stats) -> i64 {
    figure(stats, -1, |stats| or_none(stats.token_age))
}

/// How long the token in use is still valid, in milliseconds, 0 when it has expired; -1 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_token_remaining_ms(stats: *const keyless_stats) -> i64 {
    figure(stats, -1, |stats| or_none(stats.token_remaining))
}

/// Reads that client-side caching answered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_cache_hits(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.cache.hits)
}

/// Reads that client-side caching could have answered, and had not.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_cache_misses(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.cache.misses)
}

/// Replies that client-side caching holds.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_cache_entries(stats: *const keyless_stats) -> usize {
    figure(stats, 0, |stats| stats.cache.entries)
}

/// Bytes that client-side caching holds.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_cache_bytes(stats: *const keyless_stats) -> usize {
    figure(stats, 0, |stats| stats.cache.bytes)
}

/// Messages that subscriptions lost by being slow.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_messages_dropped(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.messages_dropped)
}

/// Events that no handler heard of because the queue was full.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_events_dropped(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.events_dropped)
}

/// How many commands the latency is about.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_latency_count(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| stats.latency.count)
}

fn microseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The time, in microseconds, within which half of the commands were answered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_latency_p50_us(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| microseconds(stats.latency.p50))
}

/// The time, in microseconds, within which 90 % of the commands were answered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_latency_p90_us(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| microseconds(stats.latency.p90))
}

/// The time, in microseconds, within which 99 % of the commands were answered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_latency_p99_us(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| microseconds(stats.latency.p99))
}

/// The time, in microseconds, within which 99.9 % of the commands were answered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_latency_p99_9_us(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| microseconds(stats.latency.p99_9))
}

/// The longest time, in microseconds, that a command took to be answered.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_latency_max_us(stats: *const keyless_stats) -> u64 {
    figure(stats, 0, |stats| microseconds(stats.latency.max))
}

/// How many endpoints there are: one, or a cluster's nodes. The functions below take an index from 0.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_endpoint_count(stats: *const keyless_stats) -> usize {
    figure(stats, 0, |stats| stats.endpoints.len())
}

/// `host:port` of an endpoint, in UTF-8, not ended by a NUL; NULL if there is none. Borrowed from the figures.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_endpoint_name(
    stats: *const keyless_stats,
    index: usize,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || {
        let endpoint = optional(stats).and_then(|stats| stats.0.endpoints.get(index));
        view(endpoint.map(|endpoint| endpoint.endpoint.as_bytes()), length)
    })
}

/// Whether an endpoint had a signed-in connection.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_endpoint_connected(stats: *const keyless_stats, index: usize) -> bool {
    figure(stats, false, |stats| stats.endpoints.get(index).is_some_and(|endpoint| endpoint.connected))
}

/// Commands that waited to be written to an endpoint.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_endpoint_queued(stats: *const keyless_stats, index: usize) -> usize {
    figure(stats, 0, |stats| stats.endpoints.get(index).map_or(0, |endpoint| endpoint.queued))
}

/// Commands that waited for an endpoint's reply.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_endpoint_in_flight(stats: *const keyless_stats, index: usize) -> usize {
    figure(stats, 0, |stats| stats.endpoints.get(index).map_or(0, |endpoint| endpoint.in_flight))
}

/// How long ago an endpoint last sent anything, in milliseconds; -1 without a connection.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_endpoint_last_reply_ms(stats: *const keyless_stats, index: usize) -> i64 {
    figure(stats, -1, |stats| or_none(stats.endpoints.get(index).and_then(|endpoint| endpoint.last_reply)))
}

/// Frees figures. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_stats_free(stats: *mut keyless_stats) {
    free(stats);
}
