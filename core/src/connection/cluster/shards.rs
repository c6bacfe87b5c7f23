//! Shard channels: each lives on the node of its slot, and its listeners follow it when the slot moves.

use super::Cluster;
use crate::connection::command;
use crate::connection::node::Node;
use crate::error::Result;
use crate::pubsub::{Kind, Queue};
use crate::runtime;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long before a subscription that a node has sent elsewhere is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// Who listens to which shard channel, and where.
#[derive(Default)]
pub(crate) struct Shards(Mutex<HashMap<Bytes, Listening>>);

struct Listening {
    node: Arc<Node>,
    queues: Vec<Arc<Queue>>,
}

impl Shards {
    /// Subscribes to shard channels, each at its node, and waits until all are confirmed.
    ///
    /// # Errors
    /// As [`Node::subscribe`].
    pub(crate) async fn subscribe(
        &self,
        cluster: &Cluster,
        names: Vec<Bytes>,
        queue: &Arc<Queue>,
        limit: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        for name in names {
            loop {
                let Some(node) = cluster.owner(command::slot(&name)) else {
                    cluster.suspected.notify_one();
                    if Instant::now() >= deadline {
                        return Err(super::nobody());
                    }
                    tokio::time::sleep(AGAIN).await;
                    continue;
                };
                self.note(&name, &node, queue);
                let outcome =
                    Arc::clone(&node).subscribe(Kind::Shard, vec![name.clone()], Arc::clone(queue)).await;
                match outcome {
                    Err(error)
                        if (error.server_code() == Some("MOVED") || cluster.was_left(&error))
                            && Instant::now() < deadline =>
                    {
                        cluster.suspected.notify_one();
                        tokio::time::sleep(AGAIN).await;
                    }
                    Err(error) => {
                        self.unsubscribe(Some(&[name]), queue);
                        return Err(error);
                    }
                    Ok(()) => break,
                }
            }
        }
        Ok(())
    }

    fn note(&self, name: &Bytes, node: &Arc<Node>, queue: &Arc<Queue>) {
        let mut listening = self.0.lock();
        let entry = listening
            .entry(name.clone())
            .or_insert_with(|| Listening { node: Arc::clone(node), queues: Vec::new() });
        entry.node = Arc::clone(node);
        if !entry.queues.iter().any(|other| Arc::ptr_eq(other, queue)) {
            entry.queues.push(Arc::clone(queue));
        }
    }

    /// Ends subscriptions of a listener, all of them when `names` is `None`; does not wait.
    pub(crate) fn unsubscribe(&self, names: Option<&[Bytes]>, queue: &Arc<Queue>) {
        let mut ended = Vec::new();
        self.0.lock().retain(|name, listening| {
            if names.is_none_or(|names| names.contains(name)) {
                listening.queues.retain(|other| !Arc::ptr_eq(other, queue));
                ended.push((name.clone(), Arc::clone(&listening.node)));
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
        let (mut moves, mut stranded) = (Vec::new(), Vec::new());
        let nodes = cluster.nodes();
        for (name, listening) in &mut *self.0.lock() {
            match cluster.owner(command::slot(name)) {
                Some(owner) if Arc::ptr_eq(&owner, &listening.node) => {}
                Some(owner) => {
                    let old = std::mem::replace(&mut listening.node, Arc::clone(&owner));
                    moves.push((name.clone(), old, owner, listening.queues.clone()));
                }
                // Nobody serves it now. A node that has left would end its listeners for good.
                None if !nodes.iter().any(|node| Arc::ptr_eq(node, &listening.node)) => {
                    stranded.push((name.clone(), Arc::clone(&listening.node), listening.queues.clone()));
                }
                None => {}
            }
        }
        for (name, left, queues) in stranded {
            for queue in queues {
                left.unsubscribe(Kind::Shard, Some(std::slice::from_ref(&name)), &queue);
            }
        }
        for (name, old, new, queues) in moves {
            for queue in queues {
                old.unsubscribe(Kind::Shard, Some(std::slice::from_ref(&name)), &queue);
                if let Some(waker) = queue.gap(unsure_for) {
                    waker.wake();
                }
                let work = Arc::clone(&new).subscribe(Kind::Shard, vec![name.clone()], queue);
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
    }
}
