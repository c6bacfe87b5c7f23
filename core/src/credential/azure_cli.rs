//! The identity that is signed in to the Azure CLI: for development machines.

use super::answer::one_line;
use super::options::{Environment, check_tenant};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use azure_core::credentials::TokenCredential;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use parking_lot::Mutex;
use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

pub(super) const NAME: &str = "Azure CLI";

#[derive(Debug)]
pub(super) struct AzureCli {
    tenant_id: Option<String>,
    environment: Environment,
    running: Arc<AtomicBool>,
}

impl Credential {
    /// The identity that `az login` signed in. Needs `az` 2.54 or newer on `PATH`.
    pub fn azure_cli() -> Result<Self> {
        Self::azure_cli_with(&CredentialOptions::default())
    }

    /// [`azure_cli`](Self::azure_cli) with options, of which [`CredentialOptions::tenant_id`] matters.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] when the tenant id cannot be one.
    pub fn azure_cli_with(options: &CredentialOptions) -> Result<Self> {
        Ok(Self::from_provider(Arc::new(AzureCli::new(options)?)))
    }
}

impl AzureCli {
    pub(super) fn new(options: &CredentialOptions) -> Result<Self> {
        options.tenant_id.as_deref().map_or(Ok(()), check_tenant)?;
        Ok(Self {
            tenant_id: options.tenant_id.clone(),
            environment: options.environment.clone(),
            running: Arc::default(),
        })
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let shell = Arc::new(Shell {
            path: self.environment.get("PATH"),
            running: Arc::clone(&self.running),
            failure: Mutex::default(),
        });
        let credential = AzureCliCredential::new(Some(AzureCliCredentialOptions {
            tenant_id: self.tenant_id.clone(),
            executor: Some(Arc::clone(&shell) as Arc<dyn Executor>),
            ..AzureCliCredentialOptions::default()
        }))
        .map_err(|error| Error::new(ErrorCode::InvalidOption, error.to_string(), ""))?;
        match credential.get_token(&[scope], None).await {
            Ok(token) => Ok(token.into()),
            Err(_) => Err(explain(shell.failure.lock().take())),
        }
    }
}

impl TokenProvider for AzureCli {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(&request.scope))
    }
}

/// How a run of `az` failed.
#[derive(Debug)]
enum Failure {
    Exit { code: Option<i32>, stderr: String },
    Io(io::Error),
}

/// Runs one `az` at a time on a thread of its own. An attempt that is cut leaves the process to itself; until
/// it ends no other is started, so that a hanging `az` does not pile up.
#[derive(Debug)]
struct Shell {
    path: Option<String>,
    running: Arc<AtomicBool>,
    failure: Mutex<Option<Failure>>,
}

#[async_trait::async_trait]
impl Executor for Shell {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let outcome = self.output(program, args).await;
        *self.failure.lock() = match &outcome {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                Some(Failure::Exit { code: output.status.code(), stderr })
            }
            Err(error) => Some(Failure::Io(io::Error::new(error.kind(), error.to_string()))),
        };
        outcome
    }
}

impl Shell {
    async fn output(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        if self.running.swap(true, Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "an earlier run has not ended"));
        }
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        let (send, receive) = oneshot::channel();
        let running = Arc::clone(&self.running);
        let started = std::thread::Builder::new().name("keyless-az".into()).spawn(move || {
            let output = command.output();
            running.store(false, Ordering::SeqCst);
            let _ = send.send(output);
        });
        if let Err(error) = started {
            self.running.store(false, Ordering::SeqCst);
            return Err(error);
        }
        receive.await.map_err(io::Error::other)?
    }
}

fn explain(failure: Option<Failure>) -> Error {
    const INSTALL: &str = "Install the Azure CLI and run \"az login\", or use another credential.";
    let unavailable =
        |message: String, advice: &'static str| Error::new(ErrorCode::CredentialUnavailable, message, advice);
    match failure {
        Some(Failure::Exit { code: Some(127), .. }) => {
            unavailable("The Azure CLI (az) is not on PATH.".into(), INSTALL)
        }
        Some(Failure::Exit { stderr, .. }) if stderr.contains("' is not recognized") => {
            unavailable("The Azure CLI (az) is not on PATH.".into(), INSTALL)
        }
        Some(Failure::Exit { stderr, .. }) if stderr.contains("az login") || stderr.contains("AADSTS") => {
            unavailable(format!("The Azure CLI is not signed in: {}", sentence(&stderr)), "Run \"az login\".")
        }
        Some(Failure::Exit { stderr, .. }) => unavailable(
            format!("The Azure CLI gave no token: {}", sentence(&stderr)),
            "Run \"az account get-access-token\" by hand to see what is wrong.",
        )
        .retryable(true),
        Some(Failure::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Error::new(
            ErrorCode::TokenEndpointUnavailable,
            "The Azure CLI hangs: an earlier run has not ended.",
            "Run \"az account get-access-token\" by hand to see what it waits for.",
        ),
        Some(Failure::Io(error)) => {
            unavailable(format!("The Azure CLI could not be started: {error}."), INSTALL).retryable(true)
        }
        // It succeeded, and its output, which holds a token, could not be read.
        None => unavailable(
            "The output of the Azure CLI could not be read.".into(),
            "Update the Azure CLI to 2.54.0 or newer.",
        ),
    }
}

fn sentence(stderr: &str) -> String {
    let text = one_line(stderr);
    let text = text.trim_start_matches("ERROR: ").trim_end_matches('.');
    format!("{}.", if text.is_empty() { "it said nothing" } else { text })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A directory with an `az` that is this shell script.
    struct FakeAz(PathBuf);

    impl FakeAz {
        fn new(name: &str, script: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("keyless-az-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            let az = directory.join("az");
            std::fs::write(&az, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
            Self(directory)
        }

        async fn ask(&self) -> Result<AccessToken> {
            self.credential().ask("https://redis.azure.com/.default").await
        }

        fn credential(&self) -> AzureCli {
            let path = format!("{}:/usr/bin:/bin", self.0.display());
            AzureCli::new(&CredentialOptions::new().in_environment(&[("PATH", &path)])).unwrap()
        }
    }

    impl Drop for FakeAz {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_token_comes_from_az() {
        let az = FakeAz::new(
            "ok",
            r#"echo '{"accessToken":"t-1","expires_on":1893456000,"tokenType":"Bearer"}'; test "$6" = https://redis.azure.com/.default"#,
        );
        let token = az.ask().await.unwrap();
        assert_eq!(token.secret.expose(), "t-1");
    }

    #[tokio::test]
    async fn every_failure_says_what_to_do() {
        for (name, script, said, advice) in [
            (
                "login",
                "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1",
                "Please run",
                "az login",
            ),
            (
                "expired",
                "echo 'AADSTS700082: The refresh token has expired' >&2; exit 1",
                "AADSTS700082",
                "az login",
            ),
            ("other", "echo 'disk full' >&2; exit 3", "disk full", "get-access-token"),
            ("missing", "exit 127", "not on PATH", "Install"),
            ("old", "echo '{\"accessToken\":\"hunter2\",\"tokenType\":\"Bearer\"}'", "output", "2.54.0"),
        ] {
            let error = FakeAz::new(name, script).ask().await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(said) && error.advice().contains(advice), "{name}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_hanging_az_is_not_started_twice() {
        let az = FakeAz::new("hang", "sleep 1; exit 1");
        let credential = az.credential();
        let scope = "https://redis.azure.com/.default";
        let cut = tokio::time::timeout(std::time::Duration::from_millis(100), credential.ask(scope)).await;
        assert!(cut.is_err());
        let error = credential.ask(scope).await.unwrap_err();
        assert!(error.message().contains("hangs"), "{error}");
    }
}
