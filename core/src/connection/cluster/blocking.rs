//! Commands that wait, on the node of their keys, and on another one when their slot moves meanwhile.

use super::route::{common_slot, requests};
use super::{Address, Cluster, LATER};
use crate::connection::blocking::{Answers, Call};
use crate::connection::node::closed;
use crate::connection::order::Order;
use crate::connection::redirect::Reroute;
use crate::error::{Error, ErrorCode, Result};
use crate::runtime;
use std::time::Instant;

impl Cluster {
    /// Lets a command wait on a connection of its own to the node of its keys.
    ///
    /// # Errors
    /// As those of a single node, and where the keys are in several slots.
    pub(crate) async fn block(&self, call: Call) -> Result<Answers> {
        let begun = Instant::now();
        // Since when nobody has let it wait.
        let mut stuck: Option<Instant> = None;
        let slot = common_slot(requests(&call.requests()))?;
        loop {
            let node = {
                let table = self.table.read();
                slot.map_or_else(|| table.any(), |slot| table.owner(slot, false)).cloned()
            };
            if let Some(node) = node {
                let asked = Instant::now();
                let answers = match node.clone().block(call.later(begun.elapsed())).await {
                    Ok(answers) => answers,
                    Err(error) if self.was_left(&error) => {
                        if error.maybe_executed() && !call.only_reads() {
                            return Err(node_left());
                        }
                        Vec::new()
                    }
                    Err(error) => return Err(error),
                };
                if asked.elapsed() > self.settings.command_timeout {
                    stuck = None;
                }
                // A server that sends a waiting command elsewhere has not executed it; but what was sent before
                // a WAIT may have been.
                let order = answers.last().filter(|_| answers.len() == 1).and_then(|last| Order::read(last));
                match order {
                    None if !answers.is_empty() => return Ok(answers),
                    Some(Order::Moved { slot, to }) => {
                        if let Some(address) = Address::read(&to, node.host()) {
                            self.assign(slot, &address);
                        }
                    }
                    None | Some(Order::Ask { .. } | Order::Later) => {}
                }
            }
            if self.is_closing() {
                return Err(closed());
            }
            if stuck.get_or_insert_with(Instant::now).elapsed() > self.settings.command_timeout {
                return Err(super::nobody());
            }
            self.suspect();
            let _ = runtime::io(self.thread)?.spawn(tokio::time::sleep(LATER)).await;
        }
    }
}

fn node_left() -> Error {
    Error::new(
        ErrorCode::ConnectionLost,
        "The node on which the command was waiting has left the cluster.",
        "Ask again; BLMOVE and XREADGROUP keep an element that was handed out.",
    )
    .executed(true)
}
