//! Many nodes as one: which node a request goes to, what happens to requests that a node sends elsewhere,
//! and how the map is kept true. Each node is a [`Node`] like any other, with its own queue, connection and
//! sign-in.

mod blocking;
mod discovery;
mod distribute;
mod gather;
mod members;
mod plan;
mod refresh;
mod route;
mod sendable;
mod shards;
mod table;
mod topology;

pub(crate) use discovery::Discovery;
pub(crate) use topology::{Address, SlotMap};

use super::batch::{Batch, CompletionSink};
use super::counters::Counters;
use super::node::{Node, Wish, closed};
use super::order::Order;
use super::outbox::{Block, Failure, Times};
use super::redirect::{Redirected, Reroute};
use super::settings::Settings;
use super::supervisor::supervise;
use crate::error::{Error, ErrorCode, Result};
use crate::event::EventHub;
use crate::runtime;
use bytes::Bytes;
use distribute::Distribute;
use parking_lot::{Mutex, RwLock};
use plan::Plan;
use route::{Route, route};
use sendable::{Sendable, is_asking};
use shards::Shards;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use table::Table;
use tokio::sync::Notify;

/// How long a request waits that no node can take just now.
const LATER: Duration = Duration::from_millis(20);

/// The nodes of a cluster.
pub(crate) struct Cluster {
    me: Weak<Self>,
    /// The connection to the endpoint itself, through which the cluster was found.
    seed: Weak<Node>,
    settings: Settings,
    events: EventHub,
    counters: Arc<Counters>,
    /// Which I/O thread drives the nodes.
    thread: usize,
    table: RwLock<Table>,
    /// The last map and when it was read. Held while the table changes: one change at a time.
    map: Mutex<(SlotMap, Instant)>,
    shards: Shards,
    suspected: Arc<Notify>,
    closing: AtomicBool,
}

impl Cluster {
    /// The cluster that the endpoint has told of.
    fn new(seed: &Arc<Node>, thread: usize) -> Arc<Self> {
        let suspected = Arc::new(Notify::new());
        let cluster = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            seed: Arc::downgrade(seed),
            settings: seed.settings.clone(),
            events: seed.events.clone(),
            counters: Arc::clone(&seed.counters),
            thread,
            table: RwLock::new(Table::new()),
            map: Mutex::new((SlotMap::default(), Instant::now())),
            shards: Shards::default(),
            suspected: Arc::clone(&suspected),
            closing: AtomicBool::new(false),
        });
        let every = seed.settings.cluster.as_ref().and_then(|cluster| cluster.refresh_every);
        if let Ok(runtime) = runtime::io(thread) {
            runtime.spawn(refresh::keep_true(Arc::downgrade(&cluster), suspected, every));
        }
        cluster
    }

    /// Hands commands over, each to its node; commands for one node stay in order. As [`Node::submit`], but
    /// where a batch goes to several nodes and one of them takes nothing, the sink is told of its commands.
    pub(crate) fn submit(
        &self,
        batch: &mut Batch,
        first_tag: u64,
        sink: &Arc<dyn CompletionSink>,
        times: Times,
    ) -> Result<()> {
        loop {
            let plan = Plan::of(batch, first_tag, sink, &self.table.read())?;
            let outcome = match plan {
                Plan::One(node) => node.submit_until(batch, first_tag, Arc::clone(sink), times),
                Plan::Nobody => self.submit_later(batch, first_tag, Arc::clone(sink), times),
                Plan::Several(pieces) => {
                    batch.clear();
                    for piece in pieces {
                        self.submit_piece(piece, sink, times);
                    }
                    Ok(())
                }
            };
            match outcome {
                // The node has just left the cluster: somebody else serves its slots by now.
                Err(error) if self.was_left(&error) => {}
                outcome => return outcome,
            }
        }
    }

    fn submit_piece(&self, mut piece: plan::Piece, sink: &Arc<dyn CompletionSink>, times: Times) {
        let count = piece.batch.len();
        let sink: Arc<dyn CompletionSink> =
            Arc::new(Distribute { sink: Arc::clone(sink), places: piece.places });
        let submitted = match &piece.node {
            Some(node) => node.submit_until(&mut piece.batch, 0, Arc::clone(&sink), times),
            None => self.submit_later(&mut piece.batch, 0, Arc::clone(&sink), times),
        };
        match submitted {
            Ok(()) => {}
            // Each request finds its own way again.
            Err(error) if self.was_left(&error) => {
                self.send_again(Sendable::of(&mut piece.batch, 0, sink, times));
            }
            Err(error) => {
                self.counters.tell(vec![Failure { sink, first_tag: 0, count, error, own: false }]);
            }
        }
    }

    /// Requests that nobody can take now wait a moment.
    fn submit_later(
        &self,
        batch: &mut Batch,
        first_tag: u64,
        sink: Arc<dyn CompletionSink>,
        times: Times,
    ) -> Result<()> {
        if self.is_closing() {
            return Err(closed());
        }
        self.send_later(Sendable::of(batch, first_tag, sink, times));
        Ok(())
    }

    /// Sends requests that were not executed once more, to whoever serves them now.
    fn send_again(&self, mut request: Sendable) {
        if request.batch.pinned {
            return self.counters.tell(request.failure(&gone()));
        }
        if request.times.deadline <= Instant::now() {
            return self.counters.tell(request.failure(&nobody()));
        }
        let plan = Plan::of(&request.batch, request.first_tag, &request.sink, &self.table.read());
        let target = match plan {
            Ok(Plan::One(node)) => Some(node),
            Ok(Plan::Nobody) => None,
            Ok(Plan::Several(pieces)) => {
                for piece in pieces {
                    self.submit_piece(piece, &request.sink, request.times);
                }
                return;
            }
            Err(error) => return self.counters.tell(request.failure(&error)),
        };
        let Some(node) = target else { return self.send_later(request) };
        let sink = Arc::clone(&request.sink);
        match node.submit_until(&mut request.batch, request.first_tag, sink, request.times) {
            Ok(()) => {}
            Err(error) if self.was_left(&error) => self.send_later(request),
            Err(error) => self.counters.tell(request.failure(&error)),
        }
    }

    fn send_later(&self, request: Sendable) {
        self.suspect();
        let (me, counters) = (self.me.clone(), Arc::clone(&self.counters));
        let Ok(runtime) = runtime::io(self.thread) else {
            return self.counters.tell(request.failure(&closed()));
        };
        runtime.spawn(async move {
            tokio::time::sleep(LATER).await;
            match me.upgrade() {
                Some(cluster) if !cluster.is_closing() => cluster.send_again(request),
                _ => counters.tell(request.failure(&closed())),
            }
        });
    }

    /// Sends to a node that another one has named.
    fn send_to(&self, node: &Node, mut request: Sendable) {
        let sink = Arc::clone(&request.sink);
        match node.submit_until(&mut request.batch, request.first_tag, sink, request.times) {
            Ok(()) => {}
            Err(error) if self.was_left(&error) => self.send_later(request),
            Err(error) => self.counters.tell(request.failure(&error)),
        }
    }

    fn redirect(&self, order: &Order, teller: &str, request: Sendable) {
        match order {
            Order::Moved { slot, to } => match Address::read(to, teller) {
                Some(address) => {
                    self.suspect();
                    let node = self.assign(*slot, &address);
                    self.send_to(&node, request);
                }
                None => self.send_later(request),
            },
            // A transaction would lose the permission after its first command: it waits until the slot has moved.
            Order::Ask { to } if !request.batch.atomic => match Address::read(to, teller) {
                Some(address) => {
                    let node = self.node_at(&address);
                    self.send_to(&node, request.asking());
                }
                None => self.send_later(request),
            },
            Order::Ask { .. } | Order::Later => self.send_later(request),
        }
    }

    fn make(&self, address: &Address) -> Arc<Node> {
        let settings = members::settings(&self.settings, address);
        let node = Arc::new(Node::new(settings, self.events.clone()).counting(Arc::clone(&self.counters)));
        let me: Weak<dyn Reroute> = self.me.clone();
        let _ = node.rerouter.set(me);
        match runtime::io(self.thread) {
            Ok(runtime) => drop(runtime.spawn(supervise(Arc::clone(&node)))),
            Err(error) => tracing::error!(%error, %address, "no thread for a node"),
        }
        tracing::info!(%address, "a node of the cluster");
        node
    }

    /// The node of a slot from now on.
    fn assign(&self, slot: u16, address: &Address) -> Arc<Node> {
        let _one = self.map.lock();
        let known = self.table.read().node(address).cloned();
        let node = known.unwrap_or_else(|| self.make(address));
        // Who did not serve the slot has told nobody of its changes.
        node.forget_replies();
        self.table.write().assign(slot, address, &node);
        self.end_if_closing(&node);
        node
    }

    /// A node that was made while all were told to end has not heard of it.
    fn end_if_closing(&self, node: &Node) {
        if self.is_closing() {
            node.wish(Wish::Stop);
        }
    }

    /// A node that may own no slot yet.
    fn node_at(&self, address: &Address) -> Arc<Node> {
        let _one = self.map.lock();
        let known = self.table.read().node(address).cloned();
        known.unwrap_or_else(|| {
            let node = self.make(address);
            self.table.write().insert(address, &node);
            self.end_if_closing(&node);
            node
        })
    }

    /// Takes a new map: nodes come and go, and what waited for those that have gone, or that are away, is
    /// sent to whoever serves it now. Says whether anything has changed.
    fn apply(&self, map: &SlotMap) -> bool {
        if self.is_closing() {
            return false;
        }
        let mut last = self.map.lock();
        let unsure_for = last.1.elapsed();
        if last.0 == *map && !self.table.read().has_lost_strangers(map) {
            last.1 = Instant::now();
            return false;
        }
        let reads_replicas = self.settings.cluster.as_ref().is_some_and(|cluster| cluster.reads_replicas);
        let (next, left) = self.table.read().rebuild(map, reads_replicas, |address| self.make(address));
        let stay: Vec<_> = next.nodes().map(|(_, node)| Arc::clone(node)).collect();
        let targets =
            next.primaries().iter().map(|(address, ..)| members::target(&self.settings, address)).collect();
        // Who did not serve a slot has told nobody of its changes.
        for node in &stay {
            node.forget_replies();
        }
        *self.table.write() = next;
        *last = (map.clone(), Instant::now());
        drop(last);
        if let Some(seed) = self.seed.upgrade() {
            seed.set_more_targets(targets);
        }
        let by = Instant::now() + self.settings.command_timeout;
        for node in &left {
            tracing::info!(endpoint = %node.settings.label(), "a node has left the cluster");
            node.wish(Wish::Finish(by));
        }
        for node in &left {
            self.send_waiting(node, false);
        }
        for node in stay.iter().filter(|node| !table::is_ready(node)) {
            self.send_waiting(node, true);
        }
        if self.is_closing() {
            self.finish_all(Wish::Stop);
        }
        self.shards.follow(self, unsure_for);
        true
    }

    /// Sends what waits for a node to whoever serves it now. What still belongs to it keeps its place; what is
    /// for this node alone fails unless the node `stays`.
    fn send_waiting(&self, node: &Arc<Node>, stays: bool) {
        let (mut goes, mut failures) = (Vec::new(), Vec::new());
        {
            let table = self.table.read();
            let mut outbox = node.outbox.lock();
            let mut stay = Vec::new();
            for block in outbox.take_all() {
                let mut kept = Block::default();
                for (index, run) in block.runs.iter().enumerate() {
                    let requests = Sendable::of_run(&block, index);
                    let keeps = if run.pinned {
                        stays
                    } else {
                        requests.iter().all(|request| request.belongs_to(node, &table))
                    };
                    if keeps {
                        kept.append(&block, run.first..block.run_end(index), run);
                    } else if run.pinned {
                        failures.extend(requests.into_iter().flat_map(|request| request.failure(&gone())));
                    } else {
                        goes.extend(requests);
                    }
                }
                stay.push(kept);
            }
            failures.extend(outbox.put_back(stay));
        }
        self.counters.tell(failures);
        for request in goes {
            self.send_again(request);
        }
    }

    /// The reply to a request, if the node it would go to has kept it.
    pub(crate) fn recall(&self, request: &[u8]) -> Option<Bytes> {
        let Ok(Route::Slot { slot, reads }) = route(request) else { return None };
        let nodes = self.table.read().answering(slot, reads);
        nodes.iter().find_map(|node| node.recall(request))
    }

    /// Whether an error says only that its node has left the cluster.
    fn was_left(&self, error: &Error) -> bool {
        error.code() == ErrorCode::Closed && !self.is_closing()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Whether every slot is served by a connected node.
    pub(crate) fn is_ready(&self) -> bool {
        self.table.read().is_whole()
    }

    /// Every node.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        self.table.read().nodes().map(|(_, node)| Arc::clone(node)).collect()
    }

    /// The primaries that serve slots: address, node, number of slots.
    pub(crate) fn primaries(&self) -> Vec<(Address, Arc<Node>, usize)> {
        let mut primaries = self.table.read().primaries();
        primaries.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        primaries
    }

    fn has(&self, node: &Arc<Node>) -> bool {
        self.table.read().nodes().any(|(_, other)| Arc::ptr_eq(other, node))
    }

    /// The slots that a node serves.
    pub(crate) fn slots_of(&self, node: &Arc<Node>) -> BTreeSet<u16> {
        self.table.read().slots_of(node)
    }

    /// The node that serves a slot.
    pub(crate) fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        self.table.read().owner(slot, false).cloned()
    }

    /// Waits until each node's first connection is there or has failed.
    pub(crate) async fn settled(&self) {
        for node in self.nodes() {
            node.settled().await;
        }
    }

    /// Ends all nodes as the endpoint's own connection is ended.
    pub(crate) fn close(&self, wish: Wish) {
        self.closing.store(true, Ordering::Release);
        self.suspected.notify_one();
        self.finish_all(wish);
    }

    fn finish_all(&self, wish: Wish) {
        self.nodes().iter().for_each(|node| node.wish(wish));
    }

    /// Waits until all nodes have closed.
    pub(crate) async fn closed(&self) {
        for node in self.nodes() {
            node.closed().await;
        }
    }
}

impl Reroute for Cluster {
    fn reroute(&self, teller: &str, requests: Vec<Redirected>) {
        for redirected in requests {
            if is_asking(&redirected.bytes) {
                continue;
            }
            let order = redirected.order.clone();
            let request = Sendable::from(redirected);
            if self.is_closing() {
                self.counters.tell(request.failure(&closed()));
            } else {
                self.redirect(&order, teller, request);
            }
        }
    }

    fn suspect(&self) {
        self.suspected.notify_one();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.close(Wish::Stop);
    }
}

/// The error of a request for one node that is no part of the cluster any more.
fn gone() -> Error {
    Error::new(
        ErrorCode::NotConnected,
        "The node that the command was for has left the cluster.",
        "Ask Client::nodes for the nodes there are, and send the command again.",
    )
}

/// The error of a request that no node took in time.
fn nobody() -> Error {
    Error::new(
        ErrorCode::Timeout,
        "No node of the cluster took the command in time: nobody serves its slot, or the slot is being moved.",
        "Look at the cluster's health in the Azure portal; the command was not executed and can be sent again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::node::times;
    use crate::connection::outbox::tests::Recorder;
    use crate::connection::scripted_peer::{node, settings, start};

    /// A cluster that nobody has told a map, found through an endpoint that nobody supervises.
    #[allow(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone is not general enough over the request's lifetimes"
    )]
    fn cluster() -> (Arc<Node>, Arc<Cluster>) {
        let seed = node(settings(start(|request| request.answer_as_usual())));
        let cluster = Cluster::new(&seed, 0);
        (seed, cluster)
    }

    fn ends(node: &Node) -> bool {
        *node.wish.borrow() == Wish::Stop
    }

    #[tokio::test]
    async fn a_node_that_is_made_while_all_others_end_ends_too() {
        let (_seed, cluster) = cluster();
        let address = |port| Address { host: "127.0.0.1".into(), port };
        assert!(!ends(&cluster.assign(7, &address(1))));
        cluster.close(Wish::Stop);
        assert!(ends(&cluster.assign(7, &address(2))), "told of by MOVED");
        assert!(ends(&cluster.node_at(&address(3))), "told of by ASK");
        cluster.closed().await;
    }

    #[tokio::test]
    async fn what_is_for_one_node_waits_for_it_and_fails_when_it_has_left() {
        let (seed, cluster) = cluster();
        let sink = Arc::new(Recorder::default());
        let mut batch = Batch { pinned: true, ..Batch::default() };
        batch.push_own(&["FLUSHALL"]);
        seed.submit_until(&mut batch, 4, sink.clone(), times(Duration::from_mins(1))).unwrap();
        cluster.send_waiting(&seed, true);
        assert_eq!((seed.outbox.lock().len(), sink.0.lock().len()), (1, 0));
        cluster.send_waiting(&seed, false);
        assert_eq!(seed.outbox.lock().len(), 0);
        let (tag, outcome) = sink.0.lock().remove(0);
        assert_eq!(tag, 4);
        assert!(
            outcome.is_err_and(|error| error.code() == ErrorCode::NotConnected && !error.maybe_executed())
        );
        cluster.close(Wish::Stop);
    }
}
