//! The managed identity endpoints of Azure Arc, Service Fabric, Cloud Shell and Azure Machine Learning, as their
//! public documentation and the Azure SDKs have them.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use axum::{
    Extension, Json, Router,
    extract::{Query, State},
    http::{StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use parking_lot::Mutex;
use serde_json::json;

use super::{answer, bad_request};
use crate::{
    http::Scissors,
    identity::{guid, secret},
    issue::TokenRequest,
    state::Shared,
    stats::WireRequest,
    token::{RESOURCE, RESOURCE_ID},
};

/// What the hosts know besides the identities.
pub(crate) struct Hosts {
    /// What Service Fabric, Azure Machine Learning and Azure Pipelines ask for.
    pub(crate) secret: String,
    /// The service connection of Azure Pipelines.
    pub(crate) connection_id: String,
    thumbprint: OnceLock<String>,
    arc_keys: PathBuf,
    arc: Mutex<Arcs>,
}

/// The challenges of Azure Arc.
#[derive(Default)]
struct Arcs {
    /// The content of key files that were made and not used yet.
    keys: Vec<String>,
    /// What the next challenge names instead of a file that was made.
    instead: Option<String>,
}

impl Hosts {
    pub(crate) fn new(temp_dir: &Path) -> Self {
        Self {
            secret: secret(),
            connection_id: guid(),
            thumbprint: OnceLock::new(),
            arc_keys: temp_dir.join("arc-tokens"),
            arc: Mutex::default(),
        }
    }

    pub(crate) fn thumbprint(&self) -> String {
        self.thumbprint.get().cloned().unwrap_or_default()
    }

    pub(crate) fn set_thumbprint(&self, thumbprint: String) {
        // Set once, at the start.
        let _ = self.thumbprint.set(thumbprint);
    }

    pub(crate) fn arc_keys(&self) -> PathBuf {
        self.arc_keys.clone()
    }

    pub(crate) fn set_arc_challenge(&self, realm: Option<String>) {
        self.arc.lock().instead = realm;
    }

    /// What a challenge names: a new key file.
    fn arc_challenge(&self) -> std::io::Result<String> {
        let mut arc = self.arc.lock();
        if let Some(instead) = arc.instead.take() {
            return Ok(instead);
        }
        let key = secret();
        fs::create_dir_all(&self.arc_keys)?;
        let path = self.arc_keys.join(format!("{}.key", guid()));
        fs::write(&path, &key)?;
        arc.keys.push(key);
        Ok(path.to_string_lossy().into_owned())
    }

    /// Whether this is the content of a key file; it counts once.
    fn is_arc_key(&self, offered: &str) -> bool {
        let mut arc = self.arc.lock();
        let found = arc.keys.iter().position(|key| key == offered);
        found.inspect(|&index| drop(arc.keys.remove(index))).is_some()
    }
}

/// Those that are asked over HTTP.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/arc/token", get(azure_arc))
        .route("/cloud-shell/token", post(cloud_shell))
        .route("/ml/token", get(machine_learning))
}

/// Service Fabric, which is asked over HTTPS with a certificate that nobody signed.
pub(crate) fn service_fabric(shared: Arc<Shared>) -> Router {
    Router::new().route("/fabric/token", get(fabric)).with_state(shared)
}

type Asked = (State<Arc<Shared>>, Extension<Scissors>, Extension<Arc<WireRequest>>);
type Parameters = Query<HashMap<String, String>>;

async fn azure_arc(
    (State(shared), Extension(scissors), Extension(wire)): Asked,
    Query(query): Parameters,
) -> Response {
    let request = TokenRequest { shared: &shared, grant: "arc", scissors: &scissors, wire: &wire };
    if wire.header("metadata") != Some("true") || wire.value("api-version") != Some("2020-06-01") {
        return bad_request(
            &request,
            StatusCode::BAD_REQUEST,
            "Required metadata header or api-version is missing",
        );
    }
    let Some(offered) = wire.header("authorization") else {
        return match shared.hosts.arc_challenge() {
            Ok(realm) => {
                let challenge = format!("Basic realm={realm}");
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
            }
            Err(error) => bad_request(&request, StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        };
    };
    if !offered.strip_prefix("Basic ").is_some_and(|key| shared.hosts.is_arc_key(key)) {
        return bad_request(&request, StatusCode::UNAUTHORIZED, "The key is missing or wrong");
    }
    answer(&request, &query).await
}

async fn fabric(
    (State(shared), Extension(scissors), Extension(wire)): Asked,
    Query(query): Parameters,
) -> Response {
    let request = TokenRequest { shared: &shared, grant: "service_fabric", scissors: &scissors, wire: &wire };
    if wire.header("secret") != Some(shared.hosts.secret.as_str()) {
        return bad_request(&request, StatusCode::UNAUTHORIZED, "The header Secret is missing or wrong");
    }
    if wire.value("api-version") != Some("2019-07-01-preview") {
        return bad_request(
            &request,
            StatusCode::BAD_REQUEST,
            "Required query variable 'api-version' is missing",
        );
    }
    answer(&request, &query).await
}

async fn machine_learning(
    (State(shared), Extension(scissors), Extension(wire)): Asked,
    Query(query): Parameters,
) -> Response {
    let request =
        TokenRequest { shared: &shared, grant: "machine_learning", scissors: &scissors, wire: &wire };
    if wire.header("secret") != Some(shared.hosts.secret.as_str()) {
        return bad_request(&request, StatusCode::UNAUTHORIZED, "The header secret is missing or wrong");
    }
    if wire.value("api-version") != Some("2017-09-01") {
        return bad_request(
            &request,
            StatusCode::BAD_REQUEST,
            "Required query variable 'api-version' is missing",
        );
    }
    answer(&request, &query).await
}

/// The token of whoever uses the shell.
async fn cloud_shell((State(shared), Extension(scissors), Extension(wire)): Asked) -> Response {
    let request = TokenRequest { shared: &shared, grant: "cloud_shell", scissors: &scissors, wire: &wire };
    if wire.header("metadata") != Some("true") {
        return bad_request(&request, StatusCode::BAD_REQUEST, "Required metadata header not specified");
    }
    let spoil = match request.meet_fault().await {
        Ok(spoil) => spoil,
        Err(answer) => return answer,
    };
    let resource = wire.value("resource").unwrap_or_default();
    if ![RESOURCE, RESOURCE_ID].contains(&resource) {
        return bad_request(&request, StatusCode::BAD_REQUEST, "The resource is missing or unknown");
    }
    match request.issue(&shared.directory.cli_subject(), resource, spoil.as_ref()) {
        Ok(token) => Json(json!({
            "access_token": token.access_token,
            "expires_in": token.expires_in().to_string(),
            "expires_on": token.expires_on.to_string(),
            "not_before": token.not_before.to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }))
        .into_response(),
        Err(answer) => *answer,
    }
}
