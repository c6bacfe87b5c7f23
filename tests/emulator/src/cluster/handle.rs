//! What tests do to a cluster.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use super::{ClusterNode, Failover, NodeRole, health, members, slots, view};
use crate::{
    core::Core,
    error::Error,
    nodes::{
        Action,
        admin::{Admin, Reply},
    },
};

/// The nodes of an emulator's cluster. A node is named by the port of its gateway, which it keeps for as long as it
/// is there. Everything asynchronous works on any runtime.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) core: Arc<Core>,
}

impl Cluster {
    /// All nodes, primaries of the start first.
    pub async fn nodes(&self) -> Result<Vec<ClusterNode>, Error> {
        let core = self.core.clone();
        self.core.run(async move { view::nodes(&core.shared).await }).await
    }

    /// Like [`Cluster::nodes`], from code that is not asynchronous.
    pub fn nodes_blocking(&self) -> Result<Vec<ClusterNode>, Error> {
        let core = self.core.clone();
        self.core.run_blocking(async move { view::nodes(&core.shared).await })
    }

    /// Sends a command to a node's server, past the gateway and as an administrator. An error reply is a reply.
    pub async fn command(&self, port: u16, command: &[&str]) -> Result<Reply, Error> {
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        let core = self.core.clone();
        self.core
            .run(async move {
                let node = core.shared.nodes.at(port)?;
                Admin::connect(&core.shared, &node).await?.ask(&command).await
            })
            .await
    }

    /// Kills a node's server and waits for its end.
    pub fn kill(&self, port: u16) -> Result<(), Error> {
        self.act(port, Action::Kill)
    }

    /// Starts a node's server again, empty and with its place in the cluster, and waits until it is ready.
    pub fn restart(&self, port: u16) -> Result<(), Error> {
        self.act(port, Action::Restart)
    }

    /// Stops a node's server (`SIGSTOP`): it keeps its connections and answers nothing.
    pub fn pause(&self, port: u16) -> Result<(), Error> {
        self.act(port, Action::Stop)
    }

    /// Lets a stopped server go on.
    pub fn resume(&self, port: u16) -> Result<(), Error> {
        self.act(port, Action::Continue)
    }

    fn act(&self, port: u16, action: Action) -> Result<(), Error> {
        let core = self.core.clone();
        self.core.run_blocking(async move { core.shared.nodes.at(port)?.act(&core.shared, action).await })
    }

    /// Makes this replica the primary; completes when it is.
    pub async fn failover(&self, replica: u16, how: Failover) -> Result<(), Error> {
        let core = self.core.clone();
        self.core.run(async move { members::failover(&core.shared, replica, how).await }).await
    }

    /// Completes when all nodes that run agree, serve every slot, and copy their primaries.
    pub async fn wait_until_healthy(&self, timeout: Duration) -> Result<(), Error> {
        let core = self.core.clone();
        self.core.run(async move { health::wait(&core.shared, timeout).await }).await
    }

    /// Completes when a node sees itself in this role.
    pub async fn wait_for_role(&self, port: u16, role: NodeRole, timeout: Duration) -> Result<(), Error> {
        let core = self.core.clone();
        self.core.run(async move { members::wait_for_role(&core.shared, port, role, timeout).await }).await
    }

    /// Moves slots with their keys from one primary to another while clients use them; returns how many keys went.
    /// Clients meet `ASK` meanwhile and `MOVED` after. Completes when all nodes that run know it.
    pub async fn migrate_slots(&self, slots: RangeInclusive<u16>, from: u16, to: u16) -> Result<u64, Error> {
        self.migrate_slots_slowly(slots, from, to, Duration::ZERO).await
    }

    /// Like [`Cluster::migrate_slots`], but slots, 64 of them at a time, wait for `pause` between the departure of
    /// their keys and the change of their owner: for so long, every command for them meets `ASK`.
    pub async fn migrate_slots_slowly(
        &self,
        slots: RangeInclusive<u16>,
        from: u16,
        to: u16,
        pause: Duration,
    ) -> Result<u64, Error> {
        let core = self.core.clone();
        self.core.run(async move { slots::migrate(&core.shared, slots, from, to, pause).await }).await
    }

    /// Adds a node, a primary without slots; returns its port when all know it.
    pub async fn add_node(&self) -> Result<u16, Error> {
        let core = self.core.clone();
        self.core.run(async move { members::add(&core).await }).await
    }

    /// Adds a replica of this primary; returns its port when it has copied everything.
    pub async fn add_replica(&self, primary: u16) -> Result<u16, Error> {
        let core = self.core.clone();
        self.core.run(async move { members::add_replica(&core, primary).await }).await
    }

    /// Removes a node: its slots and replicas go to the other primaries, then its server and its gateway end and the
    /// others forget it. All of them have to run.
    pub async fn remove_node(&self, port: u16) -> Result<(), Error> {
        let core = self.core.clone();
        self.core.run(async move { members::remove(&core, port).await }).await
    }
}
