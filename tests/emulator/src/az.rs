//! The stand-in `az`: what it answers, the script that is put on `PATH`, and the program behind it.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use axum::{
    Extension, Form, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use hyper::Request;
use serde_json::json;
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use tokio::net::TcpStream;

use crate::{
    http::{Scissors, request},
    issue::TokenRequest,
    state::Shared,
    token::{RESOURCE, RESOURCE_ID},
};

/// The route the stand-in asks: its arguments as form fields named `argument`, its output in return.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/az", post(answer)).with_state(shared)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(scissors): Extension<Scissors>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let arguments: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
    let request = TokenRequest { shared: &shared, grant: "az", scissors: &scissors };
    let fail = |error: &str| {
        request.refused(error);
        (StatusCode::BAD_REQUEST, format!("ERROR: {error}\n")).into_response()
    };
    if !arguments.starts_with(&["account", "get-access-token"]) {
        return fail("only 'az account get-access-token' is understood here");
    }
    if shared.faults.az_logged_out() {
        return fail("Please run 'az login' to setup account.");
    }
    let value =
        |names: &[&str]| arguments.windows(2).find(|pair| names.contains(&pair[0])).map(|pair| pair[1]);
    if let Some(tenant) = value(&["--tenant", "-t"])
        && !shared.directory.tenant_exists(tenant)
    {
        return fail(&format!("AADSTS90002: Tenant '{tenant}' not found."));
    }
    let scope = value(&["--scope"]).map(|scope| scope.trim_end_matches("/.default"));
    let resource = scope.or_else(|| value(&["--resource"])).unwrap_or("https://management.core.windows.net/");
    if ![RESOURCE, RESOURCE_ID].contains(&resource) {
        return fail(&format!("AADSTS500011: The resource principal named {resource} was not found."));
    }
    let spoil = match request.meet_fault().await {
        Ok(spoil) => spoil,
        Err(answer) => return answer,
    };
    let token = match request.issue(&shared.directory.cli_subject(), resource, spoil.as_ref()) {
        Ok(token) => token,
        Err(answer) => return *answer,
    };
    let offset = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
    let local = i64::try_from(token.expires_on)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(offset)
        .format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second].000000"))
        .unwrap_or_default();
    let output = json!({
        "accessToken": token.access_token,
        "expiresOn": local,
        "expires_on": token.expires_on,
        "subscription": value(&["--subscription", "-s"]).unwrap_or(&shared.directory.cli_user.subscription),
        "tenant": shared.directory.tenant(),
        "tokenType": "Bearer",
    });
    format!("{output:#}\n").into_response()
}

/// Writes the stand-in `az` into this directory.
pub(crate) fn install(directory: &Path, program: Option<&Path>, control_url: &str) -> io::Result<()> {
    let script = match program {
        Some(program) => format!(
            "#!/bin/sh\n# The emulator's stand-in for the Azure CLI.\n\
             exec '{}' az-stand-in --control '{control_url}' -- \"$@\"\n",
            program.display()
        ),
        None => include_str!("az.sh").replace("@CONTROL@", control_url),
    };
    fs::create_dir_all(directory)?;
    let path = directory.join("az");
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}

/// Does the work of the stand-in as a program: asks the emulator and returns whether it succeeded, and the text.
pub async fn stand_in(control_url: &str, arguments: &[String]) -> io::Result<(bool, String)> {
    let address = control_url.trim_start_matches("http://");
    let fields: Vec<_> = arguments.iter().map(|argument| ("argument", argument)).collect();
    let body = serde_urlencoded::to_string(fields).map_err(io::Error::other)?;
    let post = Request::post("/az")
        .header("host", address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .map_err(io::Error::other)?;
    let response = request(TcpStream::connect(address).await?, post).await?;
    Ok((response.status().is_success(), String::from_utf8_lossy(response.body()).into_owned()))
}
