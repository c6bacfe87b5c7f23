//! The stand-ins `az`, `azd` and `pwsh`: what they answer, the scripts that are put on `PATH`, and the program
//! behind them.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Path as UrlPath, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::Request;
use serde_json::json;
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use tokio::net::TcpStream;

use crate::{
    http::{Scissors, request},
    issue::TokenRequest,
    state::Shared,
    stats::WireRequest,
    token::{IssuedToken, RESOURCE, RESOURCE_ID},
};

/// A tool that developers sign in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// The Azure CLI.
    Az,
    /// The Azure Developer CLI.
    Azd,
    /// PowerShell with the module `Az.Accounts`.
    Pwsh,
}

/// What a tool was asked for.
#[derive(Default)]
struct Asked {
    resource: String,
    tenant: Option<String>,
    /// Whether PowerShell's script writes JSON, as that of the Azure SDK for JavaScript does.
    json: bool,
}

impl Tool {
    const ALL: [Self; 3] = [Self::Az, Self::Azd, Self::Pwsh];

    fn name(self) -> &'static str {
        match self {
            Self::Az => "az",
            Self::Azd => "azd",
            Self::Pwsh => "pwsh",
        }
    }

    /// What the arguments ask for; `None` if this is not how the tool is asked for a token.
    fn read(self, arguments: &[&str]) -> Option<Asked> {
        let value = |names: &[&str]| {
            let pair = arguments.windows(2).find(|pair| names.contains(&pair[0]))?;
            Some(pair[1].to_owned())
        };
        let scope = || value(&["--scope"]).map(|scope| scope.trim_end_matches("/.default").to_owned());
        match self {
            Self::Az => arguments.starts_with(&["account", "get-access-token"]).then(|| Asked {
                resource: scope()
                    .or_else(|| value(&["--resource"]))
                    .unwrap_or_else(|| "https://management.core.windows.net/".to_owned()),
                tenant: value(&["--tenant", "-t"]),
                json: true,
            }),
            Self::Azd => {
                let right = arguments.starts_with(&["auth", "token"])
                    && value(&["-o", "--output"]).as_deref() == Some("json")
                    && arguments.contains(&"--no-prompt");
                right.then(|| Asked {
                    resource: scope().unwrap_or_default(),
                    tenant: value(&["--tenant-id"]),
                    json: true,
                })
            }
            Self::Pwsh => {
                let script = match value(&["-EncodedCommand"]) {
                    Some(encoded) => {
                        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
                        let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                        String::from_utf16(&units.collect::<Vec<_>>()).ok()?
                    }
                    None => value(&["-Command"])?,
                };
                let right = arguments.contains(&"-NonInteractive") && script.contains("Get-AzAccessToken");
                right.then(|| Asked {
                    resource: quoted(&script, "ResourceUrl").unwrap_or_default(),
                    tenant: quoted(&script, "$tenantId").filter(|tenant| !tenant.is_empty()),
                    json: script.contains("ConvertTo-Json"),
                })
            }
        }
    }

    fn logged_out(self) -> &'static str {
        match self {
            Self::Az => "ERROR: Please run 'az login' to setup account.\n",
            Self::Azd => {
                "{\"type\":\"consoleMessage\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"data\":{\"message\":\"\\nERROR: \
                 not logged in, run `azd auth login` to login\\n\"}}\n"
            }
            Self::Pwsh => "Get-AzAccessToken: Run Connect-AzAccount to login.\n",
        }
    }

    fn error(self, text: &str) -> String {
        match self {
            Self::Az => format!("ERROR: {text}\n"),
            Self::Azd => format!(
                "{}\n",
                json!({"type": "consoleMessage", "data": {"message": format!("\nERROR: {text}\n")}})
            ),
            Self::Pwsh => format!("Get-AzAccessToken: {text}\n"),
        }
    }

    fn output(self, asked: &Asked, token: &IssuedToken, shared: &Shared) -> String {
        let at = i64::try_from(token.expires_on)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let utc = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let utc = || at.format(utc).unwrap_or_default();
        let output = match self {
            Self::Az => {
                let local = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].000000");
                let offset = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
                json!({
                    "accessToken": token.access_token,
                    "expiresOn": at.to_offset(offset).format(local).unwrap_or_default(),
                    "expires_on": token.expires_on,
                    "subscription": shared.directory.cli_user.subscription,
                    "tenant": shared.directory.tenant(),
                    "tokenType": "Bearer",
                })
            }
            Self::Azd => json!({"token": token.access_token, "expiresOn": utc()}),
            Self::Pwsh if asked.json => json!({"ExpiresOn": utc(), "Token": token.access_token}),
            Self::Pwsh => return format!("\nazsdk%{}%{}\n\n", token.access_token, token.expires_on),
        };
        format!("{output:#}\n")
    }
}

/// What a script sets `name` to, in whichever quotes.
fn quoted(script: &str, name: &str) -> Option<String> {
    let rest = &script[script.find(name)? + name.len()..];
    let rest = &rest[rest.find('=')?..];
    rest.split(['"', '\'']).nth(1).map(str::to_owned)
}

/// The route the stand-ins ask: their arguments as form fields named `argument`, their output in return.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/tools/{tool}", post(answer)).with_state(shared)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    UrlPath(tool): UrlPath<Tool>,
    Extension(scissors): Extension<Scissors>,
    Extension(wire): Extension<Arc<WireRequest>>,
) -> Response {
    let arguments: Vec<&str> = wire.form.iter().map(|(_, value)| value.as_str()).collect();
    // How the Azure SDK for JavaScript finds out whether PowerShell is there.
    if tool == Tool::Pwsh && arguments == ["/?"] {
        return "PowerShell\n".into_response();
    }
    let request = TokenRequest { shared: &shared, grant: tool.name(), scissors: &scissors, wire: &wire };
    let fail = |text: String| {
        request.refused(text.trim());
        (StatusCode::BAD_REQUEST, text).into_response()
    };
    let Some(asked) = tool.read(&arguments) else {
        return fail(tool.error("only what asks for a token is understood here"));
    };
    if shared.faults.az_logged_out() {
        return fail(tool.logged_out().to_owned());
    }
    if let Some(tenant) = &asked.tenant
        && !shared.directory.tenant_exists(tenant)
    {
        return fail(tool.error(&format!("AADSTS90002: Tenant '{tenant}' not found.")));
    }
    if ![RESOURCE, RESOURCE_ID].contains(&asked.resource.as_str()) {
        let text = format!("AADSTS500011: The resource principal named {} was not found.", asked.resource);
        return fail(tool.error(&text));
    }
    let spoil = match request.meet_fault().await {
        Ok(spoil) => spoil,
        Err(answer) => return answer,
    };
    match request.issue(&shared.directory.cli_subject(), &asked.resource, spoil.as_ref()) {
        Ok(token) => tool.output(&asked, &token, &shared).into_response(),
        Err(answer) => *answer,
    }
}

/// Writes the stand-ins into this directory.
pub(crate) fn install(directory: &Path, program: Option<&Path>, control_url: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for tool in Tool::ALL {
        let name = tool.name();
        let script = match program {
            Some(program) => format!(
                "#!/bin/sh\n# The emulator's stand-in for {name}.\n\
                 exec '{}' stand-in --control '{control_url}' --tool {name} -- \"$@\"\n",
                program.display()
            ),
            None => include_str!("tool.sh").replace("@CONTROL@", control_url).replace("@TOOL@", name),
        };
        let path = directory.join(name);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Does the work of a stand-in as a program: asks the emulator and returns whether it succeeded, and the text.
pub async fn stand_in(control_url: &str, tool: Tool, arguments: &[String]) -> io::Result<(bool, String)> {
    let address = control_url.trim_start_matches("http://");
    let fields: Vec<_> = arguments.iter().map(|argument| ("argument", argument)).collect();
    let body = serde_urlencoded::to_string(fields).map_err(io::Error::other)?;
    let post = Request::post(format!("/tools/{}", tool.name()))
        .header("host", address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .map_err(io::Error::other)?;
    let response = request(TcpStream::connect(address).await?, post).await?;
    Ok((response.status().is_success(), String::from_utf8_lossy(response.body()).into_owned()))
}
