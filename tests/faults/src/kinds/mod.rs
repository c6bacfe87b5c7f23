//! The faults: each a function that injects one kind under load and gives its row of the table.

mod certificate;
mod clock;
mod cluster;
mod names;
mod network;
mod server;
mod sign_in;
mod subscribers;

pub use clock::child as clock_child;
pub use names::child as names_child;

use crate::report::Row;
use crate::rig::Scale;
use std::future::Future;
use std::pin::Pin;

/// A fault: panics when something is not as it should be.
pub type Fault = fn(Scale) -> Pin<Box<dyn Future<Output = Row> + Send>>;

macro_rules! faults {
    ($($room:ident :: $name:ident),* $(,)?) => {
        /// Every fault and its name.
        pub const ALL: &[(&str, Fault)] = &[$((stringify!($name), |scale| Box::pin($room::$name(scale)))),*];
    };
}

faults![
    server::server_restarted,
    server::server_frozen,
    server::server_loading,
    server::maxclients_reached,
    subscribers::output_buffer_exceeded,
    network::connection_reset_in_pipelines,
    network::connection_half_open,
    network::reconnect_cycles,
    names::address_changed,
    certificate::certificate_replaced,
    certificate::authority_replaced,
    sign_in::token_endpoint_down,
    clock::clock_jumps,
    subscribers::token_lives_with_subscribers,
    subscribers::token_lives_with_resp2_subscribers,
    cluster::cluster_failover,
    cluster::cluster_slots_moved,
    cluster::cluster_node_added,
    cluster::cluster_nodes_restarted,
];
