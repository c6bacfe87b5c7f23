//! How we talk: the only place that opens sockets.

mod batch;
pub(crate) mod blocking;
pub(crate) mod cache;
pub(crate) mod cluster;
pub(crate) mod command;
mod counters;
pub(crate) mod decode;
mod dial;
mod establish;
pub(crate) mod frame;
mod guest;
mod guests;
mod handshake;
mod inflight;
#[cfg(test)]
mod life_tests;
mod link;
mod listener;
mod monitor;
pub(crate) mod node;
mod one_reply;
mod order;
pub(crate) mod outbox;
mod overlap;
mod push;
mod reauth;
mod redirect;
#[cfg(test)]
mod scripted_peer;
pub(crate) mod settings;
mod socket;
mod subscriptions;
pub(crate) mod supervisor;
#[cfg(all(test, unix))]
mod test_server;
pub(crate) mod tls;
mod transport;

pub(crate) use batch::check_lengths;
pub use batch::{Batch, CompletionSink, MAX_ARGUMENT_BYTES, Replies};
pub use cache::CacheStats;
