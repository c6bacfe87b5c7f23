//! Slots that move from one primary to another while clients use them, by the protocol that Redis has for it.

use std::{ops::RangeInclusive, time::Duration};

use tokio::time::sleep;

use super::{LIMIT, health, view};
use crate::{
    error::Error,
    nodes::{
        Node,
        admin::{Admin, Reply},
    },
    state::Shared,
};

/// How many slots are on their way at the same time.
const SLOTS_AT_ONCE: usize = 64;

/// How many keys go with one `MIGRATE`, which holds both servers up.
const KEYS_AT_ONCE: &str = "100";

/// Moves slots with their keys; returns how many keys went, and completes when all that run know it. After the keys
/// have gone, slots wait for `pause` until they are handed over.
pub(super) async fn migrate(
    shared: &Shared,
    slots: RangeInclusive<u16>,
    from: u16,
    to: u16,
    pause: Duration,
) -> Result<u64, Error> {
    let (from, to) = (shared.nodes.at(from)?, shared.nodes.at(to)?);
    let mut way = Way::open(shared, &from, &to).await?;
    let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
    let mut keys = 0;
    for slots in slots.chunks(SLOTS_AT_ONCE) {
        // In this order: who is sent on by `ASK` must be let in.
        way.to.set(slots, &["IMPORTING", &way.from.id]).await?;
        way.from.set(slots, &["MIGRATING", &way.to.id]).await?;
        for slot in slots {
            keys += way.move_keys(shared, slot).await?;
        }
        sleep(pause).await;
        // And in this one: a slot that nobody calls its own would be lost.
        let owner = ["NODE", &way.to.id.clone()];
        way.to.set(slots, &owner).await?;
        way.from.set(slots, &owner).await?;
        for other in &mut way.others {
            other.set(slots, &owner).await?;
        }
    }
    health::wait(shared, LIMIT).await?;
    Ok(keys)
}

/// A primary that is told of the move.
struct End {
    id: String,
    admin: Admin,
}

impl End {
    async fn set(&mut self, slots: &[String], what: &[&str]) -> Result<(), Error> {
        let commands = slots.iter().map(|slot| [&["CLUSTER", "SETSLOT", slot.as_str()], what].concat());
        self.admin.flight(&commands.collect::<Vec<_>>()).await?;
        Ok(())
    }
}

struct Way {
    from: End,
    to: End,
    others: Vec<End>,
    /// Where servers reach the one that the keys go to.
    target: [String; 2],
}

impl Way {
    async fn open(shared: &Shared, from: &Node, to: &Node) -> Result<Self, Error> {
        let end = async |node: &Node| {
            let id = view::own(shared, node).await?.id;
            Ok::<_, Error>(End { id, admin: Admin::connect(shared, node).await? })
        };
        let mut others = Vec::new();
        for node in shared.nodes.running() {
            let is_end = [from.port, to.port].contains(&node.port);
            if !is_end && view::own(shared, &node).await?.role == super::NodeRole::Primary {
                others.push(end(&node).await?);
            }
        }
        let internal = to.internal.ok_or_else(|| Error::Cluster("there is no cluster".into()))?;
        let target = [internal.to_string(), to.port.to_string()];
        Ok(Self { from: end(from).await?, to: end(to).await?, others, target })
    }

    async fn move_keys(&mut self, shared: &Shared, slot: &str) -> Result<u64, Error> {
        let [host, port] = &self.target;
        let (user, password) = (&shared.cache.administrator, &shared.cache.internal_password);
        let mut moved = 0;
        loop {
            let found = self.from.admin.call(&["CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE]).await?;
            let Reply::Array(keys) = found else { return Ok(moved) };
            let keys: Vec<_> = keys
                .into_iter()
                .filter_map(|key| if let Reply::Bulk(key) = key { Some(key) } else { None })
                .collect();
            if keys.is_empty() {
                return Ok(moved);
            }
            moved += keys.len() as u64;
            let options =
                ["MIGRATE", host, port, "", "0", "5000", "REPLACE", "AUTH2", user, password, "KEYS"];
            let command = options.iter().map(|option| option.as_bytes().to_vec()).chain(keys);
            self.from.admin.call(&command.collect::<Vec<_>>()).await?;
        }
    }
}
