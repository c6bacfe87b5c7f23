//! A real Redis Cluster of the emulator's nodes: made, looked at and changed by Redis' own commands, which go to the
//! servers past the gateways.

mod form;
mod handle;
mod health;
mod members;
mod slots;
mod view;

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use crate::{core::Core, error::Error, options::GatewayCertificate};
pub use handle::Cluster;
pub use members::Failover;
pub use view::{ClusterNode, NodeRole};

/// The number of hash slots.
const SLOTS: u16 = 16384;

/// How long a change may take to be known to all nodes.
const LIMIT: Duration = Duration::from_secs(30);

/// Starts the server or servers; returns the port that clients are told.
pub(crate) async fn start(core: &std::sync::Arc<Core>) -> Result<u16, Error> {
    match core.shared.options.oss_cluster() {
        None => Ok(core.add_node().await?.port),
        Some(options) => {
            form::form(core, options).await?;
            core.open_gateway(GatewayCertificate::default()).await
        }
    }
}

/// Asks again and again until there is an answer; after `limit`, the last reason why there was none is the error.
/// Servers announce no change of a cluster, so there is nothing to wait for but their answers.
async fn until<T, F>(what: &str, limit: Duration, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let end = Instant::now() + limit;
    let mut reason = "no server answered".to_owned();
    loop {
        match timeout_at(end, attempt()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => reason = error.to_string(),
            Err(_) => return Err(Error::Cluster(format!("{what}: not within {limit:?}, since {reason}"))),
        }
        sleep(Duration::from_millis(20)).await;
    }
}
