//! Finds out from an endpoint, at each sign-in, whether it is a cluster.

use super::{Cluster, SlotMap};
use crate::connection::node::{Node, Wish};
use crate::connection::redirect::Reroute;
use std::sync::{Arc, OnceLock, Weak};

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

    /// A connection to the endpoint is about to be used and has told its map.
    pub(crate) fn found(&self, seed: &Arc<Node>, map: &SlotMap) {
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
        // Whoever closed the client meanwhile did not see the cluster.
        let wish = *seed.wish.borrow();
        if wish != Wish::Live {
            cluster.close(wish);
        }
    }
}
