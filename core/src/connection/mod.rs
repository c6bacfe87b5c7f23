//! How we talk: the only place that opens sockets.

mod batch;
pub(crate) mod cache;
pub(crate) mod cluster;
mod command;
pub(crate) mod decode;
mod dial;
pub(crate) mod frame;
mod guest;
mod guests;
mod handshake;
mod inflight;
mod link;
mod monitor;
pub(crate) mod node;
mod one_reply;
pub(crate) mod outbox;
mod overlap;
mod push;
mod reauth;
mod redirect;
pub(crate) mod settings;
mod socket;
mod subscriptions;
pub(crate) mod supervisor;
#[cfg(all(test, unix))]
mod test_server;
pub(crate) mod tls;
mod transport;

pub use batch::{Batch, CompletionSink, MAX_ARGUMENT_BYTES, Replies};
pub use cache::CacheStats;
