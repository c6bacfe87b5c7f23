//! Faults under load. Writers keep a journal of what became of each command (`journal`), a fault is injected
//! (`kinds`, one function each), and in the end the journal is compared with what the servers really hold, read
//! past the gateways. `report` is the table of all of them; `path` is a network path that can be led elsewhere.
//!
//! To add a fault: a function in a file of `kinds`, and its line in [`kinds::ALL`].

#![allow(clippy::missing_panics_doc, reason = "a helper of tests panics where a test would")]

pub mod journal;
pub mod kinds;
pub mod path;
pub mod report;
pub mod rig;
