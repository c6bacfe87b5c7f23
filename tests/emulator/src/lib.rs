//! The emulator: what only Azure has, for tests.
//!
//! Entra ID and the managed identity endpoints, with tokens that live as long as a test wants, and a gateway
//! that checks those tokens in front of a real `redis-server`, or of each node of a real Redis Cluster, and closes a
//! connection when its token expires.
//! Everything listens on free loopback ports; [`Emulator`] is the handle, [`Faults`] breaks things, [`Stats`]
//! tells what happened. The program `keyless-emulator` offers the same to other languages.

#![forbid(unsafe_code)]

mod ca;
mod cache;
mod cluster;
mod control;
mod core;
mod emulator;
mod entra;
mod error;
mod faults;
mod flow;
mod gateway;
mod http;
mod identity;
mod issue;
mod listener;
mod managed_identity;
mod nodes;
mod options;
mod state;
mod stats;
mod tls;
mod token;
mod tools;

pub use crate::{
    ca::ClientCertificate,
    cluster::{Cluster, ClusterNode, Failover, NodeRole},
    emulator::Emulator,
    error::Error,
    faults::{Faults, TokenFault},
    flow::{Admission, Cut, Freeze, GatewayFaults},
    gateway::scanner::{Command, Scanner},
    http::request as http_request,
    identity::{CliUser, ManagedIdentity, ServicePrincipal},
    nodes::{NodeState, admin::Reply},
    options::{ClusterOptions, ClusterPolicy, EmulatorOptions, GatewayCertificate, Profile},
    stats::{
        AuthRecord, AuthStats, ConnectionStats, GrantStats, Refusal, Stats, TokenRecord, TokenStats,
        WireRequest,
    },
    token::{IssuedToken, TokenOverrides},
    tools::{Tool, stand_in as tool_stand_in},
};
