//! The managed identity endpoints: IMDS of a virtual machine and that of App Service; the rarer ones are in `hosts`.

pub(crate) mod hosts;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{
    Extension, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    entra::error::EntraError,
    http::Scissors,
    identity::ManagedIdentity,
    issue::TokenRequest,
    state::Shared,
    stats::{WireRequest, now},
    token::{IssuedToken, RESOURCE, RESOURCE_ID, whole_seconds},
};

/// Tokens the endpoints still hold, for each object id and audience.
#[derive(Default)]
pub(crate) struct HeldTokens(Mutex<BTreeMap<(String, String), IssuedToken>>);

impl HeldTokens {
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }
}

/// Both endpoints.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/metadata/identity/oauth2/token", get(imds))
        // As the Azure SDK for JavaScript writes it.
        .route("/metadata/identity/oauth2/token/", get(imds))
        .route("/msi/token", get(app_service))
        .merge(hosts::router())
        .with_state(shared)
}

type Parameters = Query<HashMap<String, String>>;

async fn imds(
    State(shared): State<Arc<Shared>>,
    Extension(scissors): Extension<Scissors>,
    Extension(wire): Extension<Arc<WireRequest>>,
    headers: HeaderMap,
    Query(query): Parameters,
) -> Response {
    let request = TokenRequest { shared: &shared, grant: "imds", scissors: &scissors, wire: &wire };
    // Nothing else tells whether this is IMDS at all.
    if !headers.contains_key("metadata") && !query.contains_key("resource") {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_request"}))).into_response();
    }
    if headers.get("metadata").is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"true")) {
        return bad_request(&request, StatusCode::BAD_REQUEST, "Required metadata header not specified");
    }
    // Dates compare as text; anything from the first version that has identities on is served.
    if query.get("api-version").is_none_or(|version| version.as_str() < "2018-02-01") {
        return bad_request(
            &request,
            StatusCode::BAD_REQUEST,
            "Required query variable 'api-version' is missing",
        );
    }
    answer(&request, &query).await
}

async fn app_service(
    State(shared): State<Arc<Shared>>,
    Extension(scissors): Extension<Scissors>,
    Extension(wire): Extension<Arc<WireRequest>>,
    headers: HeaderMap,
    Query(query): Parameters,
) -> Response {
    let request = TokenRequest { shared: &shared, grant: "app_service", scissors: &scissors, wire: &wire };
    if headers.get("x-identity-header").is_none_or(|value| value != shared.app_service_secret.as_str()) {
        return bad_request(&request, StatusCode::UNAUTHORIZED, "X-IDENTITY-HEADER is missing or wrong");
    }
    if query.get("api-version").is_none_or(|version| version != "2019-08-01") {
        return bad_request(
            &request,
            StatusCode::BAD_REQUEST,
            "Required query variable 'api-version' is missing",
        );
    }
    answer(&request, &query).await
}

fn bad_request(request: &TokenRequest<'_>, status: StatusCode, description: &str) -> Response {
    request.refused(description);
    (status, Json(json!({"error": "invalid_request", "error_description": description}))).into_response()
}

async fn answer(request: &TokenRequest<'_>, query: &HashMap<String, String>) -> Response {
    let spoil = match request.meet_fault().await {
        Ok(spoil) => spoil,
        Err(answer) => return answer,
    };
    let Some(resource) = query.get("resource").filter(|resource| !resource.is_empty()) else {
        return bad_request(
            request,
            StatusCode::BAD_REQUEST,
            "Required query variable 'resource' is missing",
        );
    };
    let audience = resource.strip_suffix('/').unwrap_or(resource);
    if ![RESOURCE, RESOURCE_ID].contains(&audience) {
        let error = EntraError::unknown_resource(resource, request.shared.directory.tenant());
        request.refused(format!("AADSTS{}", error.code));
        return error.into_response();
    }
    let Some(identity) = identity(request.shared, query) else {
        return bad_request(request, StatusCode::BAD_REQUEST, "Identity not found");
    };
    let held = request.shared.options.managed_identity_cache.filter(|_| spoil.is_none()).and_then(|margin| {
        let held = request.shared.held_tokens.0.lock();
        let token = held.get(&(identity.oid.clone(), audience.into()))?.clone();
        (token.expires_on > whole_seconds(now() + margin.as_secs_f64())).then_some(token)
    });
    let token = if let Some(token) = held {
        request.served(&token);
        token
    } else {
        let subject = request.shared.directory.managed_subject(&identity);
        match request.issue(&subject, audience, spoil.as_ref()) {
            Ok(token) => token,
            Err(answer) => return *answer,
        }
    };
    if spoil.is_none() {
        let key = (identity.oid.clone(), audience.to_owned());
        request.shared.held_tokens.0.lock().insert(key, token.clone());
    }
    Json(body(&token, &identity, resource)).into_response()
}

/// The identity that was asked for, under any of the names the endpoints know it by.
fn identity(shared: &Shared, query: &HashMap<String, String>) -> Option<ManagedIdentity> {
    let named = |names: &[&str]| names.iter().find_map(|name| query.get(*name)).cloned();
    let client_id = named(&["client_id", "clientid"]);
    let object_id = named(&["object_id", "principal_id"]);
    let resource_id = named(&["msi_res_id", "mi_res_id"]);
    let unnamed = client_id.is_none() && object_id.is_none() && resource_id.is_none();
    shared.directory.managed_identities().into_iter().find(|known| {
        if unnamed {
            return known.system_assigned;
        }
        client_id.as_ref().is_none_or(|id| *id == known.client_id)
            && object_id.as_ref().is_none_or(|id| *id == known.oid)
            && resource_id.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&known.resource_id))
    })
}

fn body(token: &IssuedToken, identity: &ManagedIdentity, resource: &str) -> Value {
    json!({
        "access_token": token.access_token,
        "client_id": identity.client_id,
        "object_id": identity.oid,
        "msi_res_id": identity.resource_id,
        "expires_in": token.expires_in().to_string(),
        "expires_on": token.expires_on.to_string(),
        "ext_expires_in": token.expires_in().to_string(),
        "not_before": token.not_before.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    })
}
