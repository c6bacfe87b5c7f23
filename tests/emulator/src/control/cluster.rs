//! The routes for clusters.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Running;
use crate::{
    cluster::{Cluster, ClusterNode, Failover},
    core::Core,
    error::Error,
    nodes::Action,
};

pub(super) fn router() -> Router<Arc<Core>> {
    Router::new()
        .route("/nodes", get(nodes).post(add))
        .route("/nodes/{port}", post(act).delete(remove))
        .route("/nodes/{port}/failover", post(failover))
        .route("/healthy", get(healthy))
        .route("/slots", post(slots))
}

fn cluster(core: Arc<Core>) -> Cluster {
    Cluster { core }
}

async fn nodes(State(core): Running) -> Result<Json<Vec<ClusterNode>>, Error> {
    cluster(core).nodes().await.map(Json)
}

#[derive(Deserialize)]
struct Added {
    /// The port of the primary that the new node copies; without, it is a primary without slots.
    primary: Option<u16>,
}

async fn add(State(core): Running, Json(added): Json<Added>) -> Result<Json<Value>, Error> {
    let port = match added.primary {
        Some(primary) => cluster(core).add_replica(primary).await?,
        None => cluster(core).add_node().await?,
    };
    Ok(Json(json!({"port": port})))
}

async fn remove(State(core): Running, Path(port): Path<u16>) -> Result<(), Error> {
    cluster(core).remove_node(port).await
}

#[derive(Deserialize)]
struct Act {
    action: Action,
}

async fn act(State(core): Running, Path(port): Path<u16>, Json(act): Json<Act>) -> Result<(), Error> {
    core.shared.nodes.at(port)?.act(&core.shared, act.action).await
}

#[derive(Deserialize)]
struct TakeOver {
    #[serde(default)]
    mode: Failover,
}

async fn failover(
    State(core): Running,
    Path(port): Path<u16>,
    Json(take_over): Json<TakeOver>,
) -> Result<(), Error> {
    cluster(core).failover(port, take_over.mode).await
}

#[derive(Deserialize)]
struct Patience {
    timeout_ms: Option<u64>,
}

async fn healthy(State(core): Running, Query(patience): Query<Patience>) -> Result<(), Error> {
    let timeout = Duration::from_millis(patience.timeout_ms.unwrap_or(10_000));
    cluster(core).wait_until_healthy(timeout).await
}

#[derive(Deserialize)]
struct Move {
    first: u16,
    last: u16,
    from: u16,
    to: u16,
    #[serde(default)]
    pause_ms: u64,
}

async fn slots(State(core): Running, Json(move_): Json<Move>) -> Result<Json<Value>, Error> {
    let Move { first, last, from, to, pause_ms } = move_;
    let pause = Duration::from_millis(pause_ms);
    let keys = cluster(core).migrate_slots_slowly(first..=last, from, to, pause).await?;
    Ok(Json(json!({"keys": keys})))
}
