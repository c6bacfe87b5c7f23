//! Finds out from an endpoint, at each sign-in, whether it is a cluster.

use super::shards::Shards;
use super::{Cluster, SlotMap};
use crate::connection::node::{Node, Wish};
use crate::connection::redirect::Reroute;
use crate::error::Result;
use crate::pubsub::{Kind, Queue};
use bytes::Bytes;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

/// Finds out from an endpoint whether it is a cluster.
pub(crate) struct Discovery {
    thread: usize,
    cluster: OnceLock<Arc<Cluster>>,
}

impl Discovery {
    pub(crate) fn new(thread: usize) -> Self {
        Self { thread, cluster: OnceLock::new() }
    }

    /// The cluster, once it has been found.
    #[inline]
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.get()
    }

    /// A connection to the endpoint is about to be used and has told its map. `gap`: how long there was none since the
    /// last one.
    pub(crate) fn found(&self, seed: &Arc<Node>, map: &SlotMap, gap: Option<Duration>) {
        if let Some(cluster) = self.cluster.get() {
            cluster.apply(map);
            return;
        }
        let cluster = Cluster::new(seed, self.thread);
        cluster.apply(map);
        let me: Weak<dyn Reroute> = Arc::downgrade(&cluster) as Weak<dyn Reroute>;
        let _ = seed.rerouter.set(me);
        let _ = self.cluster.set(Arc::clone(&cluster));
        // What the endpoint's own connection had in its queue before the cluster was known.
        cluster.send_waiting(seed, true);
        Shards::adopt(&cluster, seed.give_up_shards(), gap);
        // Whoever closed the client meanwhile did not see the cluster.
        let wish = *seed.wish.borrow();
        if wish != Wish::Live {
            cluster.close(wish);
        }
    }

    /// Subscribes to shard channels: at the endpoint or, as soon as it is known to be a cluster, at the nodes of their
    /// slots.
    ///
    /// # Errors
    /// As [`Node::subscribe`].
    pub(crate) async fn subscribe_shards(
        &self,
        seed: &Arc<Node>,
        names: Vec<Bytes>,
        queue: &Arc<Queue>,
    ) -> Result<()> {
        let (begun, limit) = (Instant::now(), seed.settings.command_timeout);
        let at_endpoint = match self.cluster() {
            None => Arc::clone(seed).subscribe(Kind::Shard, names.clone(), Arc::clone(queue)).await,
            Some(_) => Ok(()),
        };
        // Known by now, perhaps: then the endpoint has given its shard channels up.
        match self.cluster() {
            None => at_endpoint,
            Some(cluster) => {
                let left = limit.saturating_sub(begun.elapsed());
                Shards::subscribe(cluster, names, queue, left).await
            }
        }
    }

    /// Ends subscriptions to shard channels, wherever they are; does not wait.
    pub(crate) fn unsubscribe_shards(&self, seed: &Node, names: Option<&[Bytes]>, queue: &Arc<Queue>) {
        seed.unsubscribe(Kind::Shard, names, queue);
        if let Some(cluster) = self.cluster() {
            cluster.shards.unsubscribe(names, queue);
        }
    }
}
