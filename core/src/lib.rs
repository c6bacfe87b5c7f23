//! Azure Managed Redis without access keys.

#![forbid(unsafe_code)]

pub mod credential;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod options;
pub mod secret;
pub mod token;

pub use endpoint::Endpoint;
pub use error::{Error, ErrorCode, Result};
pub use options::Options;
pub use secret::Secret;
