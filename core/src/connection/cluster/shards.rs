//! Shard channels: each lives on the node of its slot, and its listeners follow it when the slot moves.

use super::Cluster;
use crate::connection::command;
use crate::connection::node::{Node, closed};
use crate::connection::subscriptions::Listener;
use crate::error::{ErrorCode, Result};
use crate::pubsub::{Kind, Queue};
use crate::runtime;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long before a subscription that a node has sent elsewhere is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// Who listens to which shard channel, and where.
#[derive(Default)]
pub(crate) struct Shards(Mutex<HashMap<Bytes, Listening>>);

#[derive(Default)]
struct Listening {
    /// `None`: nowhere yet.
    node: Option<Arc<Node>>,
    queues: Vec<Arc<Queue>>,
}

/// A channel whose listeners go to another node, or away from one that has left.
struct Move {
    name: Bytes,
    from: Option<Arc<Node>>,
    to: Option<Arc<Node>>,
    queues: Vec<Arc<Queue>>,
}

impl Shards {
    /// Subscribes to shard channels, each at its node, and waits until all are confirmed.
    ///
    /// # Errors
    /// As [`Node::subscribe`].
    pub(crate) async fn subscribe(
        cluster: &Arc<Cluster>,
        names: Vec<Bytes>,
        queue: &Arc<Queue>,
        limit: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        for name in &names {
            cluster.shards.note(name, queue);
        }
        let mut all = JoinSet::new();
        for name in names {
            let (cluster, queue) = (Arc::clone(cluster), Arc::clone(queue));
            all.spawn(async move { cluster.shards.confirmed(&cluster, &name, &queue, deadline).await });
        }
        let mut outcome = Ok(());
        while let Some(one) = all.join_next().await {
            outcome = outcome.and(one.unwrap_or_else(|_| Err(closed())));
        }
        outcome
    }

    /// Takes over who listened before the cluster was known. After a gap they are told of it.
    pub(super) fn adopt(cluster: &Arc<Cluster>, listeners: Vec<Listener>, gap: Option<Duration>) {
        let deadline = Instant::now() + cluster.settings.command_timeout;
        for (name, queues) in listeners {
            for queue in queues {
                cluster.shards.note(&name, &queue);
                if let Some(waker) = gap.and_then(|gap| queue.gap(gap)) {
                    waker.wake();
                }
                let (found, name) = (Arc::clone(cluster), name.clone());
                let work = async move { found.shards.confirmed(&found, &name, &queue, deadline).await };
                Self::in_background(cluster, work);
            }
        }
    }

    /// Subscribes to one channel at its node and waits until that is confirmed.
    async fn confirmed(
        &self,
        cluster: &Cluster,
        name: &Bytes,
        queue: &Arc<Queue>,
        deadline: Instant,
    ) -> Result<()> {
        loop {
            let unsure_for = cluster.map.lock().1.elapsed();
            let (node, moved) = {
                let mut all = self.0.lock();
                let listening = all.get_mut(name);
                let Some(listening) = listening.filter(|one| contains(&one.queues, queue)) else {
                    // Given up meanwhile.
                    return Ok(());
                };
                let moved = listening.place(name, cluster);
                (listening.node.clone(), moved)
            };
            // Who was nowhere yet finds the way as this one does.
            if let Some(moved) = moved.filter(|moved| moved.from.is_some()) {
                Self::carry_out(moved, cluster, unsure_for);
            }
            let Some(node) = node else {
                cluster.suspected.notify_one();
                if Instant::now() >= deadline {
                    return Err(super::nobody());
                }
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            match node.subscribe(Kind::Shard, vec![name.clone()], Arc::clone(queue)).await {
                Err(error)
                    if (error.server_code() == Some("MOVED") || cluster.was_left(&error))
                        && Instant::now() < deadline =>
                {
                    cluster.suspected.notify_one();
                    tokio::time::sleep(AGAIN).await;
                }
                // It stays wanted.
                Err(error) if error.code() == ErrorCode::Timeout => return Err(error),
                Err(error) => {
                    self.unsubscribe(Some(std::slice::from_ref(name)), queue);
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    fn note(&self, name: &Bytes, queue: &Arc<Queue>) {
        let mut all = self.0.lock();
        let listening = all.entry(name.clone()).or_default();
        if !contains(&listening.queues, queue) {
            listening.queues.push(Arc::clone(queue));
        }
    }

    /// Ends subscriptions of a listener, all of them when `names` is `None`; does not wait.
    pub(crate) fn unsubscribe(&self, names: Option<&[Bytes]>, queue: &Arc<Queue>) {
        let mut ended = Vec::new();
        self.0.lock().retain(|name, listening| {
            if names.is_none_or(|names| names.contains(name)) {
                listening.queues.retain(|other| !Arc::ptr_eq(other, queue));
                ended.extend(listening.node.clone().map(|node| (name.clone(), node)));
            }
            !listening.queues.is_empty()
        });
        for (name, node) in ended {
            node.unsubscribe(Kind::Shard, Some(&[name]), queue);
        }
    }

    /// Moves the listeners of channels whose slots have new owners. What was published since the last map may
    /// have been missed: they are told so.
    pub(super) fn follow(&self, cluster: &Cluster, unsure_for: Duration) {
        let moves: Vec<_> =
            self.0.lock().iter_mut().filter_map(|(name, one)| one.place(name, cluster)).collect();
        for moved in moves {
            Self::carry_out(moved, cluster, unsure_for);
        }
    }

    fn carry_out(moved: Move, cluster: &Cluster, unsure_for: Duration) {
        let Move { name, from, to, queues } = moved;
        for queue in queues {
            if let Some(from) = &from {
                from.unsubscribe(Kind::Shard, Some(std::slice::from_ref(&name)), &queue);
            }
            let Some(to) = &to else { continue };
            if from.is_some()
                && let Some(waker) = queue.gap(unsure_for)
            {
                waker.wake();
            }
            Self::in_background(cluster, Arc::clone(to).subscribe(Kind::Shard, vec![name.clone()], queue));
        }
    }

    fn in_background(cluster: &Cluster, work: impl Future<Output = Result<()>> + Send + 'static) {
        let suspected = Arc::clone(&cluster.suspected);
        let spawned = runtime::io(cluster.thread).map(|runtime| {
            runtime.spawn(async move {
                if let Err(error) = work.await {
                    tracing::warn!(%error, "a shard channel could not follow its slot yet");
                    suspected.notify_one();
                }
            })
        });
        drop(spawned);
    }
}

impl Listening {
    /// Notes the node of the channel's slot; says what is to be done if it is another one.
    fn place(&mut self, name: &Bytes, cluster: &Cluster) -> Option<Move> {
        let owner = cluster.owner(command::slot(name));
        let stays = match (&owner, &self.node) {
            (Some(owner), Some(node)) => Arc::ptr_eq(owner, node),
            (Some(_), None) => false,
            // Nobody serves it now. A node that has left would end its listeners for good.
            (None, Some(node)) => cluster.has(node),
            (None, None) => true,
        };
        (!stays).then(|| Move {
            name: name.clone(),
            from: std::mem::replace(&mut self.node, owner.clone()),
            to: owner,
            queues: self.queues.clone(),
        })
    }
}

fn contains(queues: &[Arc<Queue>], queue: &Arc<Queue>) -> bool {
    queues.iter().any(|other| Arc::ptr_eq(other, queue))
}
