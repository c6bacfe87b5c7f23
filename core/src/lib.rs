//! Azure Managed Redis without access keys.

#![forbid(unsafe_code)]

pub mod connection;
pub mod credential;
pub mod error;
pub mod event;
mod runtime;
pub mod secret;
pub mod token;

pub use error::{Error, ErrorCode, Result};
pub use secret::Secret;
