//! The control endpoint: what the handle offers in Rust, over HTTP for every other language.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{
    cache::FULL_ACCESS,
    core::Core,
    error::Error,
    faults::TokenFault,
    flow::{Admission, Cut, Freeze},
    identity::{ManagedIdentity, ServicePrincipal},
    nodes::Action,
    options::GatewayCertificate,
    stats::Stats,
    token::{IssuedToken, TokenOverrides},
};

mod cluster;

type Running = State<Arc<Core>>;

/// All routes of the control endpoint.
pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/stats", get(async |State(core): Running| Json(core.shared.journal.snapshot())))
        .route("/wait", get(wait))
        .route("/reset", post(reset))
        .route("/faults", post(faults))
        .route("/token-lifetime", post(token_lifetime))
        .route("/tokens", post(issue))
        .route("/federated-tokens", post(federated))
        .route("/grants", post(grant))
        .route("/grants/{oid}", delete(revoke))
        .route("/access-key", post(access_key))
        .route("/service-principals", post(service_principal))
        .route("/managed-identities", post(managed_identity))
        .route("/redis", post(redis))
        .route("/gateways", post(gateway))
        .merge(cluster::router())
        .with_state(core)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownIdentity(_) | Self::UnknownPort(_) => StatusCode::NOT_FOUND,
            Self::Timeout { .. } => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

#[derive(Deserialize)]
struct Wait {
    /// A JSON pointer into the counters.
    pointer: String,
    at_least: Option<f64>,
    at_most: Option<f64>,
    timeout_ms: Option<u64>,
}

async fn wait(State(core): Running, Query(wait): Query<Wait>) -> Result<Json<Stats>, Error> {
    let condition = |stats: &Stats| {
        let stats = serde_json::to_value(stats).unwrap_or_default();
        let value = stats.pointer(&wait.pointer).and_then(Value::as_f64).unwrap_or(0.0);
        wait.at_least.is_none_or(|least| value >= least) && wait.at_most.is_none_or(|most| value <= most)
    };
    core.wait_until(condition, Duration::from_millis(wait.timeout_ms.unwrap_or(10_000))).await.map(Json)
}

async fn reset(State(core): Running) {
    core.faults().clear();
    core.shared.held_tokens.forget();
    core.shared.journal.reset();
}

/// Each field switches one fault; a field that is absent leaves its fault alone, `null` clears it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultRequest {
    #[serde(default)]
    token: Switch<TokenFaultRequest>,
    #[serde(default)]
    auth: Switch<AuthFaultRequest>,
    #[serde(default)]
    data: Switch<DataFaultRequest>,
    #[serde(default)]
    admission: Switch<Admission>,
    connections: Option<Cut>,
    az_logged_out: Option<bool>,
    /// `data`, `admission` and `connections` are meant for the gateway on this port alone.
    port: Option<u16>,
}

#[derive(Default)]
enum Switch<T> {
    #[default]
    Leave,
    Clear,
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(value)?.map_or(Self::Clear, Self::Set))
    }
}

#[derive(Deserialize)]
struct TokenFaultRequest {
    #[serde(flatten)]
    fault: TokenFault,
    grant: Option<String>,
    count: Option<u32>,
}

#[derive(Deserialize)]
struct AuthFaultRequest {
    count: Option<u32>,
}

#[derive(Deserialize)]
struct DataFaultRequest {
    freeze: Freeze,
    duration_ms: Option<u64>,
}

async fn faults(State(core): Running, Json(request): Json<FaultRequest>) -> Result<(), Error> {
    let faults = core.faults();
    let one = request.port.map(|port| faults.at(port)).transpose()?;
    match request.token {
        Switch::Set(token) => faults.token_for(token.grant.as_deref(), token.fault, token.count),
        Switch::Clear => faults.clear_token(),
        Switch::Leave => {}
    }
    match request.auth {
        Switch::Set(auth) => faults.refuse_auth(auth.count),
        Switch::Clear => faults.clear_auth(),
        Switch::Leave => {}
    }
    let freeze = |freeze, duration| match &one {
        Some(gateway) => gateway.freeze(freeze, duration),
        None => faults.freeze(freeze, duration),
    };
    match request.data {
        Switch::Set(data) => freeze(data.freeze, data.duration_ms.map(Duration::from_millis)),
        Switch::Clear => freeze(Freeze::None, None),
        Switch::Leave => {}
    }
    let admission = match request.admission {
        Switch::Set(admission) => Some(admission),
        Switch::Clear => Some(Admission::Open),
        Switch::Leave => None,
    };
    match (admission, &one) {
        (Some(admission), Some(gateway)) => gateway.admission(admission),
        (Some(admission), None) => faults.admission(admission),
        (None, _) => {}
    }
    match (request.connections, &one) {
        (Some(cut), Some(gateway)) => gateway.cut_connections(cut),
        (Some(cut), None) => faults.cut_connections(cut),
        (None, _) => {}
    }
    if let Some(logged_out) = request.az_logged_out {
        faults.az_logged_out(logged_out);
    }
    Ok(())
}

#[derive(Deserialize)]
struct Lifetime {
    seconds: f64,
}

async fn token_lifetime(State(core): Running, Json(lifetime): Json<Lifetime>) {
    core.shared.tokens.set_lifetime(Duration::from_secs_f64(lifetime.seconds.max(0.0)));
    core.shared.held_tokens.forget();
}

#[derive(Deserialize)]
struct IssueRequest {
    oid: String,
    lifetime_seconds: Option<f64>,
    #[serde(flatten)]
    overrides: TokenOverrides,
}

async fn issue(State(core): Running, Json(request): Json<IssueRequest>) -> Result<Json<IssuedToken>, Error> {
    let lifetime = request.lifetime_seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0)));
    let lifetime = lifetime.unwrap_or_else(|| core.shared.tokens.lifetime());
    core.issue_token(&request.oid, lifetime, &request.overrides).map(Json)
}

#[derive(Deserialize)]
struct FederatedRequest {
    subject: String,
    lifetime_seconds: Option<f64>,
}

async fn federated(
    State(core): Running,
    Json(request): Json<FederatedRequest>,
) -> Result<Json<Value>, Error> {
    let lifetime = Duration::from_secs_f64(request.lifetime_seconds.unwrap_or(3600.0).max(0.0));
    Ok(Json(json!({"token": core.federated_token(&request.subject, lifetime)?})))
}

#[derive(Deserialize)]
struct Grant {
    oid: String,
    rules: Option<String>,
}

async fn grant(State(core): Running, Json(grant): Json<Grant>) -> Result<(), Error> {
    core.grant(&grant.oid, grant.rules.as_deref().unwrap_or(FULL_ACCESS))
}

async fn revoke(State(core): Running, Path(oid): Path<String>) {
    core.shared.cache.revoke(&oid);
}

#[derive(Deserialize)]
struct AccessKey {
    key: Option<String>,
}

async fn access_key(State(core): Running, Json(access): Json<AccessKey>) {
    core.shared.cache.set_access_key(access.key);
}

async fn service_principal(
    State(core): Running,
    Json(principal): Json<ServicePrincipal>,
) -> Result<(), Error> {
    core.put_service_principal(principal)
}

async fn managed_identity(State(core): Running, Json(identity): Json<ManagedIdentity>) -> Result<(), Error> {
    core.put_managed_identity(identity)
}

#[derive(Deserialize)]
struct RedisRequest {
    action: Action,
}

async fn redis(State(core): Running, Json(request): Json<RedisRequest>) -> Result<(), Error> {
    core.redis(request.action).await
}

#[derive(Deserialize)]
struct GatewayRequest {
    #[serde(default)]
    certificate: GatewayCertificate,
}

async fn gateway(State(core): Running, Json(request): Json<GatewayRequest>) -> Result<Json<Value>, Error> {
    let port = core.open_gateway(request.certificate).await?;
    Ok(Json(json!({"host": "localhost", "port": port, "endpoint": format!("localhost:{port}")})))
}
