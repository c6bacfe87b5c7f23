//! What is done to the bytes and connections of a gateway: the switches of one, and of all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::{broadcast, watch},
};

/// Which way of a gateway stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// Neither: bytes flow.
    #[default]
    None,
    /// From the server to the client.
    ToClient,
    /// Both.
    Both,
}

/// What happens to new connections to a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// They are served.
    #[default]
    Open,
    /// They are accepted and closed at once.
    AcceptThenClose,
    /// Nobody listens on the port.
    Closed,
}

/// How open connections are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// With a TCP FIN and no TLS closure.
    Close,
    /// With a TCP RST.
    Reset,
}

/// The switches of one gateway.
pub(crate) struct Flow {
    pub(crate) freeze: watch::Sender<Freeze>,
    pub(crate) admission: watch::Sender<Admission>,
    pub(crate) cut: broadcast::Sender<Cut>,
}

impl Flow {
    fn new(freeze: Freeze, admission: Admission) -> Self {
        Self {
            freeze: watch::Sender::new(freeze),
            admission: watch::Sender::new(admission),
            cut: broadcast::Sender::new(16),
        }
    }
}

/// The switches of all gateways, by port.
#[derive(Default)]
pub(crate) struct Flows {
    gateways: Mutex<Gateways>,
}

/// What was last said of all of them holds for those that open later, too.
#[derive(Default)]
struct Gateways {
    freeze: Freeze,
    admission: Admission,
    flows: BTreeMap<u16, Arc<Flow>>,
}

impl Flows {
    /// The switches of a new gateway.
    pub(crate) fn open(&self, port: u16) -> Arc<Flow> {
        let mut gateways = self.gateways.lock();
        let flow = Arc::new(Flow::new(gateways.freeze, gateways.admission));
        gateways.flows.insert(port, flow.clone());
        flow
    }

    /// The gateway is gone.
    pub(crate) fn close(&self, port: u16) {
        self.gateways.lock().flows.remove(&port);
    }

    /// The switches of one gateway, to be used.
    pub(crate) fn at(&self, port: u16, runtime: &Handle) -> Option<GatewayFaults> {
        let flow = self.gateways.lock().flows.get(&port)?.clone();
        Some(GatewayFaults { flow, runtime: runtime.clone() })
    }

    pub(crate) fn all(&self, runtime: &Handle) -> Vec<GatewayFaults> {
        let flows: Vec<_> = self.gateways.lock().flows.values().cloned().collect();
        flows.into_iter().map(|flow| GatewayFaults { flow, runtime: runtime.clone() }).collect()
    }

    pub(crate) fn freeze_later_ones(&self, freeze: Freeze) {
        self.gateways.lock().freeze = freeze;
    }

    pub(crate) fn admit_later_ones(&self, admission: Admission) {
        self.gateways.lock().admission = admission;
    }
}

/// The switches of one gateway, for tests: they act at once and hold until cleared.
#[derive(Clone)]
pub struct GatewayFaults {
    flow: Arc<Flow>,
    runtime: Handle,
}

impl GatewayFaults {
    /// Ends all open connections.
    pub fn cut_connections(&self, cut: Cut) {
        // Nobody listens when there is no connection to end.
        let _ = self.flow.cut.send(cut);
    }

    /// Stops the bytes, for a time or (`None`) until [`GatewayFaults::thaw`].
    pub fn freeze(&self, freeze: Freeze, duration: Option<Duration>) {
        self.flow.freeze.send_replace(freeze);
        if let Some(duration) = duration {
            let flow = self.flow.clone();
            let mut changed = flow.freeze.subscribe();
            self.runtime.spawn(async move {
                // A later switch takes over.
                if tokio::time::timeout(duration, changed.changed()).await.is_err() {
                    flow.freeze.send_replace(Freeze::None);
                }
            });
        }
    }

    /// Lets the bytes flow again.
    pub fn thaw(&self) {
        self.flow.freeze.send_replace(Freeze::None);
    }

    /// What happens to new connections.
    pub fn admission(&self, admission: Admission) {
        self.flow.admission.send_replace(admission);
    }
}
