//! What a server says of its cluster: `CLUSTER NODES`, understood.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::SLOTS;
use crate::{
    error::Error,
    nodes::{Node, NodeState, admin::Admin},
    state::Shared,
};

/// What a node is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// It takes writes, if it has slots.
    Primary,
    /// It copies its primary.
    Replica,
}

/// A node of the cluster, as the first node that runs sees it. The port of its gateway names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    /// The id that the servers know it by; empty without a cluster.
    pub id: String,
    /// The port of its gateway, which clients are told.
    pub port: u16,
    /// What it is.
    pub role: NodeRole,
    /// Of a replica, the port of its primary.
    pub primary: Option<u16>,
    /// The slots it serves, as ranges.
    pub slots: Vec<RangeInclusive<u16>>,
    /// What was done to its server.
    pub state: NodeState,
}

impl ClusterNode {
    /// How many slots it serves.
    pub fn slot_count(&self) -> usize {
        self.slots.iter().map(ExactSizeIterator::len).sum()
    }
}

/// One line of `CLUSTER NODES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) port: u16,
    pub(super) role: NodeRole,
    /// Whether this is the server that was asked.
    pub(super) myself: bool,
    /// Whether it is a connected member that nobody suspects, and its address for clients is known.
    pub(super) sound: bool,
    pub(super) primary: Option<String>,
    pub(super) slots: Vec<RangeInclusive<u16>>,
}

/// Reads the answer of `CLUSTER NODES`; what is no such line is left out.
pub(super) fn parse(text: &str) -> Vec<Line> {
    text.lines().filter_map(line).collect()
}

/// `<id> <ip>:<port>@<bus>,<host> <flags> <primary> <ping> <pong> <epoch> <link> <slots>...`
fn line(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace();
    let (id, address, flags, primary) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let connected = words.nth(3)? == "connected";
    let (address, host) = address.split_once(',').unwrap_or((address, ""));
    let (_, port) = address.split_once('@')?.0.rsplit_once(':')?;
    let is = |flag: &str| flags.split(',').any(|one| one == flag);
    let doubted = ["fail", "fail?", "handshake", "noaddr"].into_iter().any(is);
    Some(Line {
        id: id.into(),
        port: port.parse().ok()?,
        role: if is("slave") { NodeRole::Replica } else { NodeRole::Primary },
        myself: is("myself"),
        sound: !host.is_empty() && (connected || is("myself")) && !doubted,
        primary: (primary != "-").then(|| primary.into()),
        slots: words.filter_map(range).collect(),
    })
}

/// `7` or `0-5460`; a slot on its way, `[93->-id]`, is still the node's own or not yet.
fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// What this server says.
pub(super) async fn of(admin: &mut Admin) -> Result<Vec<Line>, Error> {
    let text = admin.call(&["CLUSTER", "NODES"]).await?.text().unwrap_or_default();
    Ok(parse(&text))
}

/// The own line of this server.
pub(super) async fn own(shared: &Shared, node: &Node) -> Result<Line, Error> {
    let lines = of(&mut Admin::connect(shared, node).await?).await?;
    lines
        .into_iter()
        .find(|line| line.myself)
        .ok_or_else(|| Error::Cluster(format!("node {} does not know itself", node.port)))
}

/// All nodes, as the first one that runs and answers sees them.
pub(super) async fn nodes(shared: &Shared) -> Result<Vec<ClusterNode>, Error> {
    if shared.options.oss_cluster().is_none() {
        return Ok(shared.nodes.all().iter().map(|node| alone(node)).collect());
    }
    let mut outcome = Err(Error::Cluster("no node of the cluster runs".into()));
    for node in shared.nodes.running() {
        outcome = async { of(&mut Admin::connect(shared, &node).await?).await }.await;
        if outcome.is_ok() {
            break;
        }
    }
    let lines = outcome?;
    let nodes = shared.nodes.all();
    let nodes = nodes.iter().filter_map(|node| {
        let line = lines.iter().find(|line| line.port == node.port)?;
        let primary = |id: &String| lines.iter().find(|line| line.id == *id).map(|line| line.port);
        Some(ClusterNode {
            id: line.id.clone(),
            port: node.port,
            role: line.role,
            primary: line.primary.as_ref().and_then(primary),
            slots: line.slots.clone(),
            state: node.state(),
        })
    });
    Ok(nodes.collect())
}

/// A server without a cluster has everything.
fn alone(node: &Node) -> ClusterNode {
    ClusterNode {
        id: String::new(),
        port: node.port,
        role: NodeRole::Primary,
        primary: None,
        slots: vec![0..=SLOTS - 1],
        state: node.state(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_understood() {
        let lines = parse(
            "a 127.7.7.4:31004@31005,127.0.0.1 slave b 0 1795278014080 1 connected\n\
             b 127.7.7.3:31003@31002,127.0.0.1 myself,master - 0 0 3 connected 7 10923-16383 [93-<-c]\n\
             c 127.7.7.2:31002@31003 master,fail? - 0 0 2 disconnected\n\
             :0@0 noaddr\n",
        );
        let seen: Vec<_> = lines.iter().map(|line| (line.port, line.role, line.sound)).collect();
        assert_eq!(
            seen,
            [
                (31004, NodeRole::Replica, true),
                (31003, NodeRole::Primary, true),
                (31002, NodeRole::Primary, false)
            ]
        );
        assert_eq!((lines[0].primary.as_deref(), lines[0].myself), (Some("b"), false));
        assert_eq!((lines[1].slots.as_slice(), lines[1].myself), ([7..=7, 10923..=16383].as_slice(), true));
    }
}
