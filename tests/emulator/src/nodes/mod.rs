//! The servers behind the gateways, one or many. What makes a cluster of them lives in `cluster`.

pub(crate) mod admin;
pub(crate) mod server;
pub(crate) mod users;

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;

use crate::{error::Error, state::Shared};
use server::Server;

/// What can be done to a server while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// `SIGKILL`.
    Kill,
    /// Killed if it runs, and started again at the same place, empty.
    Restart,
    /// `SIGSTOP`.
    Stop,
    /// `SIGCONT`.
    Continue,
}

/// What was last done to a node's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It runs.
    Running,
    /// It was stopped: it keeps its connections and answers nothing.
    Paused,
    /// It was killed.
    Down,
}

/// One server and its place.
pub(crate) struct Node {
    /// The port of its gateway; it names the node.
    pub(crate) port: u16,
    /// Its files.
    pub(crate) directory: PathBuf,
    /// In a cluster, the loopback address where servers reach one another, past the gateways. It is one of the
    /// node's own, so that its ports are free.
    pub(crate) internal: Option<Ipv4Addr>,
    server: tokio::sync::Mutex<Server>,
    state: Mutex<NodeState>,
    /// The task that listens for its clients.
    pub(crate) listening: OnceLock<AbortHandle>,
}

impl Node {
    /// The socket through which the gateways reach the server.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("redis.sock")
    }

    /// The port of the cluster's bus, on the internal address.
    pub(crate) fn bus_port(&self) -> u16 {
        // Any other port than the one for commands, which is the gateway's.
        self.port ^ 1
    }

    pub(crate) fn state(&self) -> NodeState {
        *self.state.lock()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state() == NodeState::Running
    }

    fn set_state(&self, state: NodeState) {
        *self.state.lock() = state;
    }

    pub(crate) async fn act(&self, shared: &Shared, action: Action) -> Result<(), Error> {
        let mut server = self.server.lock().await;
        match action {
            Action::Kill => {
                self.set_state(NodeState::Down);
                server.kill().await;
            }
            Action::Restart => {
                self.set_state(NodeState::Down);
                server.kill().await;
                self.launch(shared, &mut server).await?;
            }
            Action::Stop if self.is_running() => {
                self.set_state(NodeState::Paused);
                server.signal(Signal::STOP)?;
            }
            Action::Continue if self.state() == NodeState::Paused => {
                server.signal(Signal::CONT)?;
                self.set_state(NodeState::Running);
                // Whoever was granted access meanwhile.
                users::set_all(shared, self)?;
            }
            Action::Stop | Action::Continue => {}
        }
        Ok(())
    }

    async fn launch(&self, shared: &Shared, server: &mut Server) -> Result<(), Error> {
        if shared.nodes.closed.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        *server = Server::launch(shared, self).await?;
        self.set_state(NodeState::Running);
        Ok(())
    }
}

/// All nodes.
pub(crate) struct Nodes {
    list: RwLock<Vec<Arc<Node>>>,
    made: AtomicU8,
    closed: AtomicBool,
    /// The middle of the internal addresses, drawn anew by each emulator.
    network: (u8, u8),
}

impl Nodes {
    pub(crate) fn new() -> Self {
        let random = uuid::Uuid::new_v4().into_bytes();
        Self {
            list: RwLock::default(),
            made: AtomicU8::new(0),
            closed: AtomicBool::new(false),
            network: (1 + random[0] % 254, random[1]),
        }
    }

    /// A node whose gateway has this port; its server does not run yet.
    pub(crate) fn add(&self, shared: &Shared, port: u16) -> Result<Arc<Node>, Error> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        if number == u8::MAX {
            return Err(Error::Cluster("no more than 254 nodes can be added".into()));
        }
        let directory = shared.temp_dir.join(format!("node-{number}"));
        std::fs::create_dir(&directory)?;
        let internal = Ipv4Addr::new(127, self.network.0, self.network.1, number);
        let node = Arc::new(Node {
            port,
            directory,
            internal: shared.options.oss_cluster().is_some().then_some(internal),
            server: tokio::sync::Mutex::default(),
            state: Mutex::new(NodeState::Down),
            listening: OnceLock::new(),
        });
        self.list.write().push(node.clone());
        Ok(node)
    }

    pub(crate) fn remove(&self, port: u16) {
        self.list.write().retain(|node| node.port != port);
    }

    pub(crate) fn all(&self) -> Vec<Arc<Node>> {
        self.list.read().clone()
    }

    pub(crate) fn running(&self) -> Vec<Arc<Node>> {
        self.list.read().iter().filter(|node| node.is_running()).cloned().collect()
    }

    pub(crate) fn at(&self, port: u16) -> Result<Arc<Node>, Error> {
        self.list.read().iter().find(|node| node.port == port).cloned().ok_or(Error::UnknownPort(port))
    }

    /// Where a connection goes that asks for none in particular: the first node that runs, or else the first.
    pub(crate) fn any(&self) -> Option<Arc<Node>> {
        let list = self.list.read();
        list.iter().find(|node| node.is_running()).or_else(|| list.first()).cloned()
    }

    /// Does the same to every node.
    pub(crate) async fn act(&self, shared: &Shared, action: Action) -> Result<(), Error> {
        for node in self.all() {
            node.act(shared, action).await?;
        }
        Ok(())
    }

    /// Ends all servers; none starts any more.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for node in self.all() {
            node.server.lock().await.kill().await;
        }
    }
}
