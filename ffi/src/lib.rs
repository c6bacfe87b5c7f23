//! libkeyless: the C interface of keyless, one file per handle. Everything that decides something is in core; here are
//! pointers, lengths and callbacks, and nothing else.
//!
//! Rules that every entry point follows, told to users at the top of `include/keyless.h`: handles are opaque and made
//! and freed in pairs; every pointer is checked; a panic becomes an error; no callback runs with a lock held; a handle
//! that came through `fork` is made anew in the child.

#![allow(non_camel_case_types, reason = "the names of the C interface")]
#![allow(clippy::not_unsafe_ptr_arg_deref, reason = "whoever calls is C, where every call is unsafe")]

pub mod bell;
pub mod boundary;
pub mod callbacks;
pub mod client;
pub mod completions;
pub mod credential;
pub mod error;
pub mod event;
pub mod fork;
pub mod log;
pub mod nodes;
pub mod options;
pub mod pipeline;
pub mod reply;
pub mod scan;
pub mod stats;
pub mod status;
pub mod subscription;
pub mod token_source;
pub mod version;
