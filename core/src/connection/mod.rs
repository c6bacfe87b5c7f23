//! How we talk: the only place that opens sockets.

pub(crate) mod batch;
pub(crate) mod command;
pub(crate) mod decode;
pub(crate) mod frame;
pub(crate) mod inflight;
pub(crate) mod link;
pub(crate) mod outbox;
pub(crate) mod tls;
pub(crate) mod transport;
