//! Azure Managed Redis without access keys.
//!
//! keyless signs in with Microsoft Entra ID, fetches a fresh token before the old one expires, signs every
//! live connection in again without dropping a command, and tells the application through events.

#![forbid(unsafe_code)]

pub mod blocking;
mod client;
mod connection;
pub mod credential;
pub mod endpoint;
pub mod error;
pub mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod options;
mod per_process;
pub mod pubsub;
pub mod reply;
mod runtime;
mod secret;
pub mod stats;
pub mod token;
mod trust;

pub use client::{Client, Identity, NodeInfo, Pipeline, Scan, ScanOptions};
pub use connection::{Batch, CacheStats, CompletionSink, MAX_ARGUMENT_BYTES, Replies};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorCode, Result};
pub use options::Options;
pub use pubsub::{Delivery, Message, Subscriber, SubscriberOptions};
pub use redis;
pub use reply::{Reply, ReplyKind};
pub use secret::Secret;
pub use stats::Stats;
