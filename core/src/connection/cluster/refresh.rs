//! Keeps the map true: reads it again from time to time, at once when something has changed, and in short
//! intervals while a node is away.

use super::table::is_ready;
use super::{Cluster, SlotMap};
use crate::connection::batch::Batch;
use crate::connection::decode::decode;
use crate::connection::node::{Node, times};
use crate::connection::one_reply::OneReply;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// The map is read at most so often.
const AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// While it changes, a slot has no node, or a node no connection, it is read this often.
const WHILE_AWAY: Duration = Duration::from_millis(250);
/// How long one node may take to tell it.
const ANSWER: Duration = Duration::from_secs(1);
/// As good as never.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// Runs until the cluster is closed or gone.
pub(super) async fn keep_true(cluster: Weak<Cluster>, suspected: Arc<Notify>, every: Option<Duration>) {
    let mut changing = false;
    loop {
        let wait = match cluster.upgrade() {
            Some(cluster) if cluster.is_closing() => return,
            Some(cluster) if cluster.is_ready() && !changing => every.unwrap_or(NEVER),
            Some(_) => WHILE_AWAY,
            None => return,
        };
        // Either way the map is read.
        let _ = tokio::time::timeout(wait, suspected.notified()).await;
        let Some(cluster) = cluster.upgrade().filter(|cluster| !cluster.is_closing()) else { return };
        // Where slots move, more of them follow: the map is read again until it stays the same.
        changing = match ask(&cluster).await {
            Some(map) => cluster.apply(&map),
            None => false,
        };
        drop(cluster);
        tokio::time::sleep(AT_MOST_EVERY).await;
    }
}

/// The map as some connected node tells it: the first that knows of every slot, otherwise the last.
async fn ask(cluster: &Cluster) -> Option<SlotMap> {
    let mut nodes: Vec<Arc<Node>> = cluster.nodes().into_iter().chain(cluster.seed.upgrade()).collect();
    nodes.retain(|node| is_ready(node));
    fastrand::shuffle(&mut nodes);
    let mut best = None;
    for node in nodes.iter().take(3) {
        if let Some(map) = ask_one(node).await {
            let complete = map.is_complete();
            best = Some(map);
            if complete {
                break;
            }
        }
    }
    best
}

async fn ask_one(node: &Node) -> Option<SlotMap> {
    let answer = Arc::new(OneReply::default());
    let mut batch = Batch::new();
    batch.push_own(&["CLUSTER", "SLOTS"]);
    batch.pinned = true;
    node.submit_until(&mut batch, 0, answer.clone(), times(ANSWER)).ok()?;
    let reply = tokio::time::timeout(ANSWER, poll_fn(|cx| answer.poll(cx, 1))).await.ok()?;
    let frame = reply.into_iter().next()?.ok()?;
    SlotMap::read(&decode(&frame).ok()?, node.host())
}
