//! Tools that developers sign in with, run as programs: how one is run, and what it means when that fails.

use super::answer::one_line;
use super::options::{CredentialOptions, Environment, check_tenant};
use crate::error::{Error, ErrorCode, Result};
use azure_identity::Executor;
use parking_lot::Mutex;
use serde::Deserialize;
use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// What is said about one tool.
#[derive(Debug)]
pub(super) struct Tool {
    /// `The Azure CLI`.
    pub(super) name: &'static str,
    /// `az`.
    pub(super) program: &'static str,
    /// What its errors hold when nobody is signed in.
    pub(super) signed_out: &'static [&'static str],
    /// `Run "az login".`
    pub(super) sign_in: &'static str,
    /// How it comes here.
    pub(super) install: &'static str,
    /// The command that shows what is wrong.
    pub(super) by_hand: &'static str,
    /// What helps when its output cannot be read.
    pub(super) update: &'static str,
}

/// How a run of a tool failed.
#[derive(Debug)]
enum Failure {
    Exit { code: Option<i32>, text: String },
    Io(io::Error),
}

/// Runs one tool at a time on a thread of its own. An attempt that is cut leaves the process to itself; until it ends
/// no other is started, so that a hanging tool does not pile up.
#[derive(Debug)]
pub(super) struct Shell {
    tool: &'static Tool,
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
            Ok(output) => Some(Failure::Exit { code: output.status.code(), text: said(output) }),
            Err(error) => Some(Failure::Io(io::Error::new(error.kind(), error.to_string()))),
        };
        outcome
    }
}

/// How one credential runs its tool.
#[derive(Debug)]
pub(super) struct Runner {
    tool: &'static Tool,
    pub(super) tenant_id: Option<String>,
    environment: Environment,
    running: Arc<AtomicBool>,
}

impl Runner {
    /// Fails with [`ErrorCode::InvalidOption`] when the tenant id cannot be one.
    pub(super) fn new(tool: &'static Tool, options: &CredentialOptions) -> Result<Self> {
        options.tenant_id.as_deref().map_or(Ok(()), check_tenant)?;
        let (tenant_id, environment) = (options.tenant_id.clone(), options.environment.clone());
        Ok(Self { tool, tenant_id, environment, running: Arc::default() })
    }

    /// For one attempt.
    pub(super) fn shell(&self) -> Arc<Shell> {
        let (path, running) = (self.environment.get("PATH"), Arc::clone(&self.running));
        Arc::new(Shell { tool: self.tool, path, running, failure: Mutex::default() })
    }
}

impl Shell {
    async fn output(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        if self.running.swap(true, Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "an earlier run has not ended"));
        }
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).env("NO_COLOR", "true");
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        let (send, receive) = oneshot::channel();
        let running = Arc::clone(&self.running);
        let name = format!("keyless-{}", self.tool.program);
        let started = std::thread::Builder::new().name(name).spawn(move || {
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

    /// What the last run failed with.
    pub(super) fn explain(&self) -> Error {
        let tool = self.tool;
        let (name, program) = (tool.name, tool.program);
        let unavailable = |message: String, advice: &'static str| {
            Error::new(ErrorCode::CredentialUnavailable, message, advice)
        };
        match self.failure.lock().take() {
            Some(Failure::Exit { code: Some(127), .. }) => {
                unavailable(format!("{name} ({program}) is not on PATH."), tool.install)
            }
            Some(Failure::Exit { text, .. }) if text.contains("' is not recognized") => {
                unavailable(format!("{name} ({program}) is not on PATH."), tool.install)
            }
            Some(Failure::Exit { text, .. })
                if text.contains("AADSTS") || tool.signed_out.iter().any(|sign| text.contains(sign)) =>
            {
                unavailable(format!("{name} is not signed in: {}", sentence(&text)), tool.sign_in)
            }
            Some(Failure::Exit { text, .. }) => {
                unavailable(format!("{name} gave no token: {}", sentence(&text)), tool.by_hand)
                    .retryable(true)
            }
            Some(Failure::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("{name} hangs: an earlier run has not ended."),
                tool.by_hand,
            ),
            Some(Failure::Io(error)) => {
                unavailable(format!("{name} could not be started: {error}."), tool.install).retryable(true)
            }
            // It succeeded, and its output, which holds a token, could not be read.
            None => unavailable(format!("The output of {name} could not be read."), tool.update),
        }
    }
}

/// What a tool said: its standard error, or the messages in lines of JSON that the Azure Developer CLI writes to
/// either output. Nothing else of its standard output, which may hold a token.
fn said(output: &Output) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Line {
        New { error: String },
        Old { data: Data },
    }
    #[derive(Deserialize)]
    struct Data {
        message: String,
    }
    let [stderr, stdout] =
        [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let message = stderr.lines().chain(stdout.lines()).find_map(|line| {
        let message = match serde_json::from_str(line).ok()? {
            Line::New { error } => error,
            Line::Old { data } => data.message,
        };
        Some(message).filter(|message| !message.trim().is_empty())
    });
    message.unwrap_or(stderr)
}

fn sentence(text: &str) -> String {
    let text = one_line(text);
    let text = text.trim_start_matches("ERROR: ").trim_end_matches('.');
    format!("{}.", if text.is_empty() { "it said nothing" } else { text })
}

/// Stand-ins of tools, for tests.
#[cfg(all(test, unix))]
pub(super) mod fake {
    use super::super::CredentialOptions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A directory with a program that is this shell script.
    pub(in super::super) struct Fake(PathBuf);

    impl Fake {
        pub(in super::super) fn new(program: &str, name: &str, script: &str) -> Self {
            let name = format!("keyless-{program}-{}-{name}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&directory).unwrap();
            let path = directory.join(program);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            Self(directory)
        }

        /// Options in an environment that has this program on `PATH`.
        pub(in super::super) fn options(&self) -> CredentialOptions {
            let path = format!("{}:/usr/bin:/bin", self.0.display());
            CredentialOptions::new().in_environment(&[("PATH", &path)])
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
