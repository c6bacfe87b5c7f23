//! What clients discover about the authority: metadata and keys.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::assertion::issuer;
use crate::{state::Shared, token::federation_key};

pub(super) async fn openid_configuration(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
) -> Json<Value> {
    let base = format!("{}/{tenant}", shared.authority());
    Json(json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }))
}

pub(super) async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"keys": [shared.tokens.jwk()]}))
}

pub(super) async fn instance(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let authority = shared.authority();
    let host = authority.trim_start_matches("https://");
    Json(json!({
        "tenant_discovery_endpoint":
            format!("{authority}/{}/v2.0/.well-known/openid-configuration", shared.directory.tenant()),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
}

pub(super) async fn federation_configuration(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let issuer = issuer(&shared);
    Json(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}))
}

pub(super) async fn federation_keys() -> Json<Value> {
    let keys: Vec<_> = federation_key().ok().map(|key| key.jwk().clone()).into_iter().collect();
    Json(json!({"keys": keys}))
}
