//! What keyless must know of a command: whether it may go over a shared connection, whether it only reads,
//! where its keys are, and which nodes of a cluster it is for. Knows nothing of connections.
//!
//! All of it but the refusals comes from `core/commands.json`.

#![allow(dead_code, reason = "the rules for clusters are read by the router that comes with them")]

mod args;
mod check;
mod keys;
#[cfg(all(test, unix))]
mod server_tests;
mod slot;
mod spec;
mod table;

#[allow(unused_imports, reason = "for routing on clusters")]
pub(crate) use args::Arg;
pub(crate) use args::Args;
pub(crate) use args::name;
pub(crate) use check::check;
#[allow(unused_imports, reason = "for routing on clusters")]
pub(crate) use keys::Keys;
pub(crate) use keys::keys;
#[allow(unused_imports, reason = "for routing on clusters")]
pub(crate) use slot::{SLOTS, Slot, key_slot, slot};
pub(crate) use spec::{Command, only_reads};
#[allow(unused_imports, reason = "for routing on clusters")]
pub(crate) use spec::{Request, Response};
