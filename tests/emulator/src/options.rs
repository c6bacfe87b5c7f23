//! What an emulator is asked to be: its options and profiles, with their defaults.

use std::{path::PathBuf, time::Duration};

/// Which Azure service the gateway resembles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Azure Managed Redis: TLS 1.3 with the AES-GCM suites only.
    #[default]
    Amr,
    /// No TLS at all: for comparisons with `ssl=false`. Sign-in rules stay the same.
    Plain,
}

/// Options of an emulator; `EmulatorOptions::default()` is what most tests want.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// How long tokens live from their issue. Default: one hour. Whole seconds are rounded up.
    pub token_lifetime: Duration,
    /// Which service the gateway resembles. Default: [`Profile::Amr`].
    pub profile: Profile,
    /// When set, managed identity endpoints hand out the same token until this long before its expiry,
    /// as the real ones do. Default: a new token for each request.
    pub managed_identity_cache: Option<Duration>,
    /// How far `iat` and `nbf` lie in the past when a token is issued. Entra ID sets five minutes on some
    /// tokens; clients must not derive the lifetime from `exp - iat`. Default: zero.
    pub backdate: Duration,
    /// The names in the server certificate of the gateway and of Entra ID.
    /// Default: `localhost`, `127.0.0.1` and `cache.emulator.test`.
    pub host_names: Vec<String>,
    /// The `keyless-emulator` program, which then does the work of the stand-in `az`. Default: none, and the
    /// stand-in uses `curl` or `python3`.
    pub az_program: Option<PathBuf>,
    /// The `redis-server` to run. Default: the first one on `PATH`.
    pub redis_server: Option<PathBuf>,
    /// Threads of the emulator's own runtime. Default: 2.
    pub worker_threads: usize,
}

impl Default for EmulatorOptions {
    fn default() -> Self {
        Self {
            token_lifetime: Duration::from_hours(1),
            profile: Profile::default(),
            managed_identity_cache: None,
            backdate: Duration::ZERO,
            host_names: ["localhost", "127.0.0.1", "cache.emulator.test"].map(String::from).to_vec(),
            az_program: None,
            redis_server: None,
            worker_threads: 2,
        }
    }
}

/// Which certificate a gateway shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayCertificate {
    /// The one with [`EmulatorOptions::host_names`].
    #[default]
    Right,
    /// A certificate of the same CA for `wrong.emulator.test` alone.
    WrongHost,
}
