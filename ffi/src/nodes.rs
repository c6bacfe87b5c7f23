//! The nodes that serve keys at one moment.

use crate::boundary::{free, handle, look, optional, reference, required, run, view};
use crate::client::keyless_client;
use crate::error::keyless_error;
use crate::status::keyless_status;
use keyless::NodeInfo;
use std::ffi::c_char;

/// The nodes that served keys when it was made: one for a single server, one per primary for a cluster. Does not change.
pub struct keyless_nodes(Vec<NodeInfo>);

fn node<T: Copy>(
    nodes: *const keyless_nodes,
    index: usize,
    otherwise: T,
    of: impl FnOnce(&NodeInfo) -> T,
) -> T {
    look(otherwise, || optional(nodes).and_then(|nodes| nodes.0.get(index)).map_or(otherwise, of))
}

/// The nodes of now, as the client knows them: nothing is sent. The caller frees `*nodes`. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_client_nodes(
    client: *const keyless_client,
    nodes: *mut *mut keyless_nodes,
    error: *mut *mut keyless_error,
) -> keyless_status {
    run(error, || {
        let client = reference(client, "client")?;
        let out = required(nodes, std::ptr::null_mut(), "nodes")?;
        *out = handle(keyless_nodes(client.0.get()?.client.nodes()));
        Ok(())
    })
}

/// How many there are. The functions below take an index from 0. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_nodes_count(nodes: *const keyless_nodes) -> usize {
    look(0, || optional(nodes).map_or(0, |nodes| nodes.0.len()))
}

/// `host:port` of a node, as it announces it, for `keyless_client_execute_on`. In UTF-8, not ended by a NUL; NULL if there
/// is none. Borrowed from the nodes.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_nodes_endpoint(
    nodes: *const keyless_nodes,
    index: usize,
    length: *mut usize,
) -> *const c_char {
    look(std::ptr::null(), || {
        let node = optional(nodes).and_then(|nodes| nodes.0.get(index));
        view(node.map(|node| node.endpoint.as_bytes()), length)
    })
}

/// How many of a cluster's 16,384 slots a node serves; -1 where the server is no cluster, and if there is no such node.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_nodes_slots(nodes: *const keyless_nodes, index: usize) -> i64 {
    node(nodes, index, -1, |node| node.slots.and_then(|slots| i64::try_from(slots).ok()).unwrap_or(-1))
}

/// Whether a node had a signed-in connection. False if there is no such node.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_nodes_ready(nodes: *const keyless_nodes, index: usize) -> bool {
    node(nodes, index, false, |node| node.ready)
}

/// Frees nodes. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_nodes_free(nodes: *mut keyless_nodes) {
    free(nodes);
}
