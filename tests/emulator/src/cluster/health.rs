//! Whether a cluster is healthy: all that run agree, serve every slot, and copy their primaries.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use super::{
    LIMIT, NodeRole, SLOTS, until,
    view::{self, Line},
};
use crate::{
    error::Error,
    nodes::{
        Node,
        admin::{Admin, Reply},
    },
    state::Shared,
};

/// Completes when the cluster is healthy. Nodes that do not run are left out, as long as no slot is theirs.
pub(super) async fn wait(shared: &Shared, limit: Duration) -> Result<(), Error> {
    until("a healthy cluster", limit, || check(shared)).await
}

/// Completes when all that run know all that run, whatever else they say.
pub(super) async fn wait_for_members(shared: &Shared) -> Result<(), Error> {
    let attempt = async || {
        let nodes = shared.nodes.running();
        let ports = ports(&nodes.iter().map(|node| &**node).collect::<Vec<_>>());
        for node in &nodes {
            let lines = view::of(&mut Admin::connect(shared, node).await?).await?;
            members(node, &lines, &ports)?;
        }
        Ok(())
    };
    until("a cluster whose nodes know each other", LIMIT, attempt).await
}

/// What one server says of the nodes that run, by port.
type Opinion = BTreeMap<u16, Place>;

/// A node's place in the cluster.
#[derive(PartialEq, Eq)]
struct Place {
    id: String,
    role: NodeRole,
    primary: Option<String>,
    slots: Vec<RangeInclusive<u16>>,
}

async fn check(shared: &Shared) -> Result<(), Error> {
    let nodes = shared.nodes.running();
    let ports = ports(&nodes.iter().map(|node| &**node).collect::<Vec<_>>());
    let mut opinions: Vec<(u16, Opinion)> = Vec::new();
    for node in &nodes {
        let mut admin = Admin::connect(shared, node).await?;
        let lines = view::of(&mut admin).await?;
        members(node, &lines, &ports)?;
        let info = admin.call(&["CLUSTER", "INFO"]).await?.text().unwrap_or_default();
        if !info.contains("cluster_state:ok") {
            return unhealthy(format!("node {} says that the cluster is down", node.port));
        }
        let replicates = lines.iter().any(|line| line.myself && line.role == NodeRole::Replica);
        let info = admin.call(&["INFO", "replication"]).await?.text().unwrap_or_default();
        if replicates && !info.contains("master_link_status:up") {
            return unhealthy(format!("node {} has no connection to its primary", node.port));
        }
        let opinion = opinion(lines, &ports);
        let told = told(&admin.call(&["CLUSTER", "SLOTS"]).await?);
        if let Some(missing) = in_use(&opinion).find(|port| !told.contains(port)) {
            return unhealthy(format!("node {} does not tell clients of node {missing} yet", node.port));
        }
        opinions.push((node.port, opinion));
    }
    let Some((first, opinion)) = opinions.first() else { return unhealthy("no node runs".into()) };
    if let Some((other, _)) = opinions.iter().find(|(_, other)| other != opinion) {
        return unhealthy(format!("nodes {first} and {other} see it differently"));
    }
    let served: usize = opinion.values().flat_map(|place| &place.slots).map(ExactSizeIterator::len).sum();
    if served != usize::from(SLOTS) {
        return unhealthy(format!("{served} slots are served by nodes that run"));
    }
    Ok(())
}

fn ports(nodes: &[&Node]) -> BTreeSet<u16> {
    nodes.iter().map(|node| node.port).collect()
}

fn members(node: &Node, lines: &[Line], ports: &BTreeSet<u16>) -> Result<(), Error> {
    for port in ports {
        let known = lines.iter().any(|line| line.port == *port && line.sound);
        if !known {
            return unhealthy(format!("node {} does not know node {port} or doubts it", node.port));
        }
    }
    Ok(())
}

fn opinion(lines: Vec<Line>, ports: &BTreeSet<u16>) -> Opinion {
    let running = lines.into_iter().filter(|line| ports.contains(&line.port));
    let place = |line: Line| Place { id: line.id, role: line.role, primary: line.primary, slots: line.slots };
    running.map(|line| (line.port, place(line))).collect()
}

/// The nodes that clients are to be told of: with slots, and their replicas.
fn in_use(opinion: &Opinion) -> impl Iterator<Item = u16> {
    let serving = |id: &str| opinion.values().any(|place| place.id == id && !place.slots.is_empty());
    let used = move |place: &Place| serving(place.primary.as_ref().unwrap_or(&place.id));
    opinion.iter().filter(move |(_, place)| used(place)).map(|(port, _)| *port)
}

/// The nodes that clients are told of. A replica is among them once it has copied something.
fn told(slots: &Reply) -> BTreeSet<u16> {
    let nodes = items(slots).iter().flat_map(|range| items(range).iter().skip(2));
    nodes.filter_map(|node| items(node).get(1)?.text()?.parse().ok()).collect()
}

fn items(reply: &Reply) -> &[Reply] {
    if let Reply::Array(items) = reply { items } else { &[] }
}

fn unhealthy<T>(reason: String) -> Result<T, Error> {
    Err(Error::Cluster(reason))
}
