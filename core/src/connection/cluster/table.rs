//! Who serves which slot now: nodes, each known once by its address, and the owner of every slot.

use super::topology::{Address, SlotMap};
use crate::connection::command::SLOTS;
use crate::connection::node::{Node, State};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The mark of a slot that nobody serves.
const NOBODY: u16 = u16::MAX;

/// One primary with its replicas.
struct Shard {
    primary: Arc<Node>,
    address: Address,
    replicas: Vec<Arc<Node>>,
    /// Whose turn it is among the replicas.
    turn: AtomicUsize,
}

/// The nodes of a cluster and what they serve.
pub(super) struct Table {
    nodes: HashMap<Address, Arc<Node>>,
    shards: Vec<Shard>,
    slots: Vec<u16>,
    turn: AtomicUsize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            nodes: HashMap::new(),
            shards: Vec::new(),
            slots: vec![NOBODY; usize::from(SLOTS)],
            turn: AtomicUsize::new(0),
        }
    }

    /// Builds the next table from a map: nodes that stay are kept, new ones are made by `make`. Gives those
    /// that have left too.
    pub(super) fn rebuild(
        &self,
        map: &SlotMap,
        reads_replicas: bool,
        mut make: impl FnMut(&Address) -> Arc<Node>,
    ) -> (Self, Vec<Arc<Node>>) {
        let mut next = Self::new();
        let mut indices: HashMap<Address, u16> = HashMap::new();
        for range in &map.0 {
            let index = *indices.entry(range.primary.clone()).or_insert_with(|| {
                let mut known = |address: &Address| {
                    let node = || self.nodes.get(address).map_or_else(|| make(address), Arc::clone);
                    Arc::clone(next.nodes.entry(address.clone()).or_insert_with(node))
                };
                let primary = known(&range.primary);
                let replicas =
                    if reads_replicas { range.replicas.iter().map(known).collect() } else { Vec::new() };
                let address = range.primary.clone();
                next.shards.push(Shard { primary, address, replicas, turn: AtomicUsize::new(0) });
                u16::try_from(next.shards.len() - 1).unwrap_or(NOBODY)
            });
            next.slots[usize::from(range.first)..=usize::from(range.last)].fill(index);
        }
        let left = self
            .nodes
            .iter()
            .filter(|(address, _)| !next.nodes.contains_key(address))
            .map(|(_, node)| Arc::clone(node))
            .collect();
        (next, left)
    }

    /// Notes that a slot has a new owner, as a node has just told.
    pub(super) fn assign(&mut self, slot: u16, address: &Address, node: &Arc<Node>) {
        self.insert(address, node);
        let index = self.shards.iter().position(|shard| shard.address == *address).unwrap_or_else(|| {
            self.shards.push(Shard {
                primary: Arc::clone(node),
                address: address.clone(),
                replicas: Vec::new(),
                turn: AtomicUsize::new(0),
            });
            self.shards.len() - 1
        });
        if let Some(owner) = self.slots.get_mut(usize::from(slot)) {
            *owner = u16::try_from(index).unwrap_or(NOBODY);
        }
    }

    /// Whether there is a node that the map does not know (one that a slot was on its way to) and that is gone.
    pub(super) fn has_lost_strangers(&self, map: &SlotMap) -> bool {
        let known = |address: &Address| {
            map.0.iter().any(|range| range.primary == *address || range.replicas.contains(address))
        };
        // One that is being connected to is on its way.
        let lost = |node: &Node| matches!(node.state(), State::Lost(_) | State::Closed(_));
        self.nodes.iter().any(|(address, node)| lost(node) && !known(address))
    }

    /// Adds a node that serves nothing yet.
    pub(super) fn insert(&mut self, address: &Address, node: &Arc<Node>) {
        self.nodes.entry(address.clone()).or_insert_with(|| Arc::clone(node));
    }

    /// A node by the address it announces.
    pub(super) fn node(&self, address: &Address) -> Option<&Arc<Node>> {
        self.nodes.get(address)
    }

    /// The node that answers for a slot; `None` if nobody does.
    pub(super) fn owner(&self, slot: u16, reads: bool) -> Option<&Arc<Node>> {
        let shard = self.shards.get(usize::from(*self.slots.get(usize::from(slot))?))?;
        if reads && !shard.replicas.is_empty() {
            let turn = shard.turn.fetch_add(1, Ordering::Relaxed);
            let replicas = (0..shard.replicas.len()).map(|step| (turn + step) % shard.replicas.len());
            if let Some(ready) = replicas.map(|index| &shard.replicas[index]).find(|node| is_ready(node)) {
                return Some(ready);
            }
        }
        Some(&shard.primary)
    }

    /// The nodes that may answer for a slot.
    pub(super) fn answering(&self, slot: u16, reads: bool) -> Vec<Arc<Node>> {
        let Some(shard) =
            self.slots.get(usize::from(slot)).and_then(|index| self.shards.get(usize::from(*index)))
        else {
            return Vec::new();
        };
        let replicas = shard.replicas.iter().filter(|_| reads);
        replicas.chain([&shard.primary]).cloned().collect()
    }

    /// Some primary, a connected one if there is one, each in turn.
    pub(super) fn any(&self) -> Option<&Arc<Node>> {
        let count = self.shards.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = |step: usize| &self.shards[(turn + step) % count].primary;
        (0..count).map(at).find(|node| is_ready(node)).or_else(|| (count > 0).then(|| at(0)))
    }

    /// The primaries that serve any slot, with their addresses and the number of their slots.
    pub(super) fn primaries(&self) -> Vec<(Address, Arc<Node>, usize)> {
        let mut counts = vec![0usize; self.shards.len()];
        for owner in &self.slots {
            if let Some(count) = counts.get_mut(usize::from(*owner)) {
                *count += 1;
            }
        }
        self.shards
            .iter()
            .zip(counts)
            .filter(|(_, slots)| *slots > 0)
            .map(|(shard, slots)| (shard.address.clone(), Arc::clone(&shard.primary), slots))
            .collect()
    }

    /// The slots that a node serves.
    pub(super) fn slots_of(&self, node: &Arc<Node>) -> BTreeSet<u16> {
        let serves = |owner: u16| {
            self.shards.get(usize::from(owner)).is_some_and(|shard| Arc::ptr_eq(&shard.primary, node))
        };
        (0..SLOTS).filter(|slot| serves(self.slots[usize::from(*slot)])).collect()
    }

    /// Every node.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Address, &Arc<Node>)> {
        self.nodes.iter()
    }

    /// Whether every slot has an owner and every node is connected.
    pub(super) fn is_whole(&self) -> bool {
        self.slots.iter().all(|owner| *owner != NOBODY) && self.nodes.values().all(|node| is_ready(node))
    }
}

pub(super) fn is_ready(node: &Node) -> bool {
    matches!(node.state(), State::Ready)
}
