//! Azure DevOps, as far as a run of Azure Pipelines asks it for a token of its service connection.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::assertion;
use crate::{
    http::Scissors, identity::SERVICE_CONNECTION, issue::TokenRequest, state::Shared, stats::WireRequest,
};

pub(super) async fn oidc_token(
    State(shared): State<Arc<Shared>>,
    Extension(scissors): Extension<Scissors>,
    Extension(wire): Extension<Arc<WireRequest>>,
    headers: HeaderMap,
) -> Response {
    let request = TokenRequest { shared: &shared, grant: "pipelines", scissors: &scissors, wire: &wire };
    let refuse = |status: StatusCode, text: &str| {
        request.refused(text);
        (status, [("x-vss-e2eid", "e2e-1")], text.to_owned()).into_response()
    };
    if let Err(answer) = request.meet_fault().await {
        return answer;
    }
    if wire.header("authorization") != Some(format!("Bearer {}", shared.hosts.secret).as_str()) {
        return refuse(StatusCode::UNAUTHORIZED, "the access token of the run is missing or wrong");
    }
    if wire.value("api-version") != Some("7.1") || !headers.contains_key("x-tfs-fedauthredirect") {
        return refuse(StatusCode::BAD_REQUEST, "api-version or X-TFS-FedAuthRedirect is missing");
    }
    if wire.value("serviceConnectionId") != Some(shared.hosts.connection_id.as_str()) {
        return refuse(StatusCode::NOT_FOUND, "there is no such service connection");
    }
    match assertion::federated_token(&shared, SERVICE_CONNECTION, Duration::from_mins(5)) {
        Ok(token) => Json(json!({"oidcToken": token})).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
