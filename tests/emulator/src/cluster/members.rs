//! Who belongs to a cluster, and as what.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    LIMIT, NodeRole, health, slots, until,
    view::{self, ClusterNode},
};
use crate::{
    core::Core,
    error::Error,
    flow::Cut,
    nodes::{Action, Node, admin::Admin},
    state::Shared,
};

/// How a replica takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failover {
    /// In agreement with its primary: no write is lost.
    #[default]
    Graceful,
    /// Without asking its primary, but elected by the others.
    Force,
    /// Without asking anybody.
    Takeover,
}

/// Makes a node known to others; the rest is gossip.
pub(super) async fn meet(shared: &Shared, node: &Node, others: &[Arc<Node>]) -> Result<(), Error> {
    let commands = others.iter().filter_map(|other| {
        let (port, bus) = (other.port.to_string(), other.bus_port().to_string());
        Some(vec!["CLUSTER".into(), "MEET".into(), other.internal?.to_string(), port, bus])
    });
    Admin::connect(shared, node).await?.flight(&commands.collect::<Vec<_>>()).await?;
    Ok(())
}

/// Makes a node a replica of the primary with this id.
pub(super) async fn replicate(shared: &Shared, node: &Node, primary: &str) -> Result<(), Error> {
    Admin::connect(shared, node).await?.call(&["CLUSTER", "REPLICATE", primary]).await?;
    Ok(())
}

/// A new node, which is a primary without slots.
pub(super) async fn add(core: &Core) -> Result<u16, Error> {
    let shared = &*core.shared;
    let others = shared.nodes.running();
    let node = core.add_node().await?;
    meet(shared, &node, &others).await?;
    health::wait(shared, LIMIT).await?;
    Ok(node.port)
}

/// A new node, which copies the one with this port.
pub(super) async fn add_replica(core: &Core, primary: u16) -> Result<u16, Error> {
    let shared = &*core.shared;
    let primary = view::own(shared, &*shared.nodes.at(primary)?).await?;
    let port = add(core).await?;
    replicate(shared, &*shared.nodes.at(port)?, &primary.id).await?;
    health::wait(shared, LIMIT).await?;
    Ok(port)
}

/// Gives a node's slots and replicas to the others, then ends it.
pub(super) async fn remove(core: &Core, port: u16) -> Result<(), Error> {
    let shared = &*core.shared;
    let node = shared.nodes.at(port)?;
    let (leaving, others): (Vec<_>, Vec<_>) =
        view::nodes(shared).await?.into_iter().partition(|one| one.port == port);
    let heirs: Vec<_> =
        others.iter().filter(|other| other.role == NodeRole::Primary && other.slot_count() > 0).collect();
    let [leaving] = leaving.as_slice() else { return Err(Error::UnknownPort(port)) };
    if heirs.is_empty() {
        return Err(Error::Cluster(format!("node {port} is the last one with slots")));
    }
    for range in &leaving.slots {
        let (first, length) = (usize::from(*range.start()), range.len());
        for (number, heir) in heirs.iter().enumerate() {
            let start = first + length * number / heirs.len();
            let end = first + length * (number + 1) / heirs.len();
            let slot = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
            if start < end {
                slots::migrate(shared, slot(start)..=slot(end - 1), port, heir.port, Duration::ZERO).await?;
            }
        }
    }
    for orphan in others.iter().filter(|other| other.primary == Some(port)) {
        replicate(shared, &*shared.nodes.at(orphan.port)?, &heirs[0].id).await?;
    }
    health::wait(shared, LIMIT).await?;
    forget(shared, &node, leaving).await?;
    health::wait(shared, LIMIT).await
}

async fn forget(shared: &Shared, node: &Node, leaving: &ClusterNode) -> Result<(), Error> {
    // First, or it would make itself known again.
    node.act(shared, Action::Kill).await?;
    for other in shared.nodes.all().iter().filter(|other| other.port != node.port) {
        // One that is down now would bring it back later.
        Admin::connect(shared, other).await?.call(&["CLUSTER", "FORGET", &leaving.id]).await?;
    }
    if let Some(listening) = node.listening.get() {
        listening.abort();
    }
    if let Some(gateway) = shared.faults.flows.at(node.port, &shared.runtime) {
        gateway.cut_connections(Cut::Close);
    }
    shared.faults.flows.close(node.port);
    shared.nodes.remove(node.port);
    Ok(())
}

/// Makes a replica the primary, and waits until all that run know.
pub(super) async fn failover(shared: &Shared, port: u16, how: Failover) -> Result<(), Error> {
    let node = shared.nodes.at(port)?;
    let mut command = vec!["CLUSTER", "FAILOVER"];
    match how {
        Failover::Graceful => {}
        Failover::Force => command.push("FORCE"),
        Failover::Takeover => command.push("TAKEOVER"),
    }
    Admin::connect(shared, &node).await?.call(&command).await?;
    wait_for_role(shared, port, NodeRole::Primary, LIMIT).await
}

/// Completes when a node sees itself in this role.
pub(super) async fn wait_for_role(
    shared: &Shared,
    port: u16,
    role: NodeRole,
    limit: Duration,
) -> Result<(), Error> {
    let node = shared.nodes.at(port)?;
    let attempt = async || {
        let own = view::own(shared, &node).await?;
        if own.role == role { Ok(()) } else { Err(Error::Cluster(format!("it is a {:?}", own.role))) }
    };
    until(&format!("node {port} as a {role:?}"), limit, attempt).await
}
