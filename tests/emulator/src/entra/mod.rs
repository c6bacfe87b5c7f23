//! Entra ID: the v2.0 token endpoint and what clients discover about it.

pub(crate) mod assertion;
mod client_secret;
mod discovery;
pub(crate) mod error;
mod pipelines;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Form, Json, Router,
    extract::{Path, State, rejection::FormRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::{
    http::Scissors,
    identity::{ServicePrincipal, Subject},
    issue::TokenRequest,
    state::Shared,
    stats::WireRequest,
    token::{RESOURCE, RESOURCE_ID},
};
use error::EntraError;

type Parameters = HashMap<String, String>;

/// All routes of the authority.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/common/discovery/instance", get(discovery::instance))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::openid_configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/federation/.well-known/openid-configuration", get(discovery::federation_configuration))
        .route("/federation/keys", get(discovery::federation_keys))
        .route("/pipelines/oidctoken", post(pipelines::oidc_token))
        .with_state(shared)
}

async fn token(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    Extension(scissors): Extension<Scissors>,
    Extension(wire): Extension<Arc<WireRequest>>,
    headers: HeaderMap,
    form: Result<Form<Parameters>, FormRejection>,
) -> Response {
    let form = form.map(|Form(form)| form).unwrap_or_default();
    let grant = if form.contains_key("client_assertion") {
        "client_assertion"
    } else if form.contains_key("client_secret") {
        "client_secret"
    } else {
        "unknown"
    };
    let request = TokenRequest { shared: &shared, grant, scissors: &scissors, wire: &wire };
    let spoil = match request.meet_fault().await {
        Ok(spoil) => spoil,
        Err(answer) => return answer,
    };
    let (principal, audience) = match authenticate(&shared, &tenant, &form) {
        Ok(proven) => proven,
        Err(error) => {
            request.refused(format!("AADSTS{}", error.code));
            let correlation_id = headers.get("client-request-id").and_then(|id| id.to_str().ok());
            return error.with_correlation_id(correlation_id).into_response();
        }
    };
    match request.issue(&Subject::from(&principal), audience, spoil.as_ref()) {
        Ok(token) => Json(json!({
            "token_type": "Bearer",
            "expires_in": token.expires_in(),
            "ext_expires_in": token.expires_in(),
            "access_token": token.access_token,
        }))
        .into_response(),
        Err(answer) => *answer,
    }
}

/// Who asks, proven, and for which audience.
fn authenticate(
    shared: &Shared,
    tenant: &str,
    form: &Parameters,
) -> Result<(ServicePrincipal, &'static str), EntraError> {
    if !shared.directory.tenant_exists(tenant) {
        return Err(EntraError::unknown_tenant(tenant));
    }
    match parameter(form, "grant_type")? {
        "client_credentials" => {}
        other => return Err(EntraError::unsupported_grant(other)),
    }
    let client_id = parameter(form, "client_id")?;
    let audience = audience(parameter(form, "scope")?)?;
    let principal = shared
        .directory
        .service_principal(tenant, client_id)
        .ok_or_else(|| EntraError::unknown_client(client_id, tenant))?;
    if form.contains_key("client_assertion") {
        assertion::check(shared, &principal, tenant, form)?;
    } else {
        client_secret::check(&principal, form)?;
    }
    Ok((principal, audience))
}

fn parameter<'a>(form: &'a Parameters, name: &str) -> Result<&'a str, EntraError> {
    form.get(name).map(String::as_str).ok_or_else(|| EntraError::missing_parameter(name))
}

/// The audience of tokens for this scope: the resource as it was named.
fn audience(scope: &str) -> Result<&'static str, EntraError> {
    [RESOURCE, RESOURCE_ID]
        .into_iter()
        .find(|resource| scope.strip_suffix("/.default") == Some(resource))
        .ok_or_else(|| EntraError::invalid_scope(scope))
}
