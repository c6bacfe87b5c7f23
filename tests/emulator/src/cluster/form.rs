//! The cluster of the start.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{LIMIT, SLOTS, health, members, view};
use crate::{
    core::Core,
    error::Error,
    nodes::{Node, admin::Admin},
    options::ClusterOptions,
};

/// Starts all nodes and makes a healthy cluster of them.
pub(super) async fn form(core: &Arc<Core>, options: &ClusterOptions) -> Result<(), Error> {
    let primaries = usize::from(options.primaries.max(1));
    let count = primaries * (1 + usize::from(options.replicas));
    let nodes = start(core, count).await?;
    let shared = &*core.shared;
    for (number, node) in nodes[..primaries].iter().enumerate() {
        let slot = |number: usize| usize::from(SLOTS) * number / primaries;
        let (first, last) = (slot(number).to_string(), (slot(number + 1) - 1).to_string());
        let epoch = (number + 1).to_string();
        let commands =
            [vec!["CLUSTER", "SET-CONFIG-EPOCH", &epoch], vec!["CLUSTER", "ADDSLOTSRANGE", &first, &last]];
        Admin::connect(shared, node).await?.flight(&commands).await?;
    }
    for (number, node) in nodes.iter().enumerate() {
        members::meet(shared, node, &nodes[number + 1..]).await?;
    }
    health::wait_for_members(shared).await?;
    for (number, replica) in nodes[primaries..].iter().enumerate() {
        let primary = view::own(shared, &nodes[number % primaries]).await?;
        members::replicate(shared, replica, &primary.id).await?;
    }
    health::wait(shared, LIMIT).await
}

/// In parallel: each takes a moment to load. The order of the list is that of the nodes.
async fn start(core: &Arc<Core>, count: usize) -> Result<Vec<Arc<Node>>, Error> {
    let mut starting = JoinSet::new();
    for _ in 0..count {
        let core = core.clone();
        starting.spawn(async move { core.add_node().await });
    }
    while let Some(started) = starting.join_next().await {
        started.unwrap_or(Err(Error::Stopped))?;
    }
    Ok(core.shared.nodes.all())
}
