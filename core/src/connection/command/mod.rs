//! What keyless must know of a command: whether it may go over a shared connection, whether it only reads,
//! where its keys are, and which nodes of a cluster it is for. Knows nothing of connections.
//!
//! All of it but the refusals comes from `core/commands.json`.

mod args;
mod check;
mod keys;
#[cfg(all(test, unix))]
mod server_tests;
mod slot;
mod spec;
mod table;

pub(crate) use args::{Args, name};
pub(crate) use check::{check, would_wait};
pub(crate) use keys::keys;
pub(crate) use slot::{SLOTS, Slot, key_slot, slot};
pub(crate) use spec::{Command, Request, Response, only_reads};
