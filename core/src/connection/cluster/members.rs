//! How the nodes of a cluster are dialled: from the endpoint's settings and the address a node announces.

use super::topology::Address;
use crate::connection::settings::{Settings, Target, TlsSettings};
use crate::connection::tls::server_name;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a node is dialled, and which name its certificate must carry.
///
/// On Azure the nodes announce addresses that its certificates do not carry and that may not be reachable:
/// there the endpoint's own name is dialled with the announced port. Elsewhere the announced address is
/// dialled, and where that is an IP address the certificate must still carry the endpoint's name.
pub(super) fn target(seed: &Settings, address: &Address) -> Target {
    let endpoint = &seed.targets[0];
    let by_name = seed.nodes_by_name;
    let tls = endpoint.tls.as_ref().map(|tls| {
        let own_name = !by_name && !seed.fixed_tls_name && address.host.parse::<IpAddr>().is_err();
        let announced = own_name.then(|| server_name(&address.host).ok()).flatten();
        TlsSettings { config: tls.config.clone(), name: announced.unwrap_or_else(|| tls.name.clone()) }
    });
    Target {
        label: Arc::from(address.to_string()),
        host: if by_name { endpoint.host.clone() } else { address.host.to_string() },
        port: address.port,
        hint: None,
        tls,
    }
}

/// The settings of a node's connection.
pub(super) fn settings(seed: &Settings, address: &Address) -> Settings {
    Settings {
        targets: vec![target(seed, address)],
        cluster: None,
        // A node that is down is the cluster's affair: the caller has connected already.
        first_dials: None,
        readonly: seed.cluster.as_ref().is_some_and(|cluster| cluster.reads_replicas),
        ..seed.clone()
    }
}
