//! What an emulator is asked to be: its options and profiles, with their defaults.

use std::{net::IpAddr, path::PathBuf, time::Duration};

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

/// What Azure calls the clustering policy of a clustered cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterPolicy {
    /// Clients speak the protocol of Redis Cluster and connect to every node.
    #[default]
    Oss,
    /// One endpoint, which looks like a single server and knows no `CLUSTER SLOTS`. Behind it is one server:
    /// nothing that a client could tell depends on the number of shards.
    Enterprise,
}

/// A clustered cache; `ClusterOptions::default()` has three primaries and no replicas.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The clustering policy. Default: [`ClusterPolicy::Oss`].
    pub policy: ClusterPolicy,
    /// How many primaries share the slots at the start. Default: 3, the least that can elect a new one.
    pub primaries: u8,
    /// How many replicas each of them has. Default: none.
    pub replicas: u8,
    /// After how long a silent node counts as failed; a replica takes over a second later. Default: 2 s.
    pub node_timeout: Duration,
    /// Whether every node refuses commands while any slot has no node, as Redis does by default. Default: yes.
    pub require_full_coverage: bool,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            policy: ClusterPolicy::default(),
            primaries: 3,
            replicas: 0,
            node_timeout: Duration::from_secs(2),
            require_full_coverage: true,
        }
    }
}

/// Options of an emulator; `EmulatorOptions::default()` is what most tests want.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// How long tokens live from their issue. Default: one hour. Whole seconds are rounded up.
    pub token_lifetime: Duration,
    /// Which service the gateway resembles. Default: [`Profile::Amr`].
    pub profile: Profile,
    /// A clustered cache. Its certificates hold no IP address and its gateways know none of the commands that Azure
    /// Managed Redis blocks. Default: none, a single server with all its commands.
    pub cluster: Option<ClusterOptions>,
    /// When set, managed identity endpoints hand out the same token until this long before its expiry,
    /// as the real ones do. Default: a new token for each request.
    pub managed_identity_cache: Option<Duration>,
    /// How far `iat` and `nbf` lie in the past when a token is issued. Entra ID sets five minutes on some
    /// tokens; clients must not derive the lifetime from `exp - iat`. Default: zero.
    pub backdate: Duration,
    /// The names in the server certificate of the gateway and of Entra ID. Of a clustered cache, the gateways'
    /// certificate leaves IP addresses out. Default: `localhost`, `127.0.0.1` and `cache.emulator.test`.
    pub host_names: Vec<String>,
    /// The `keyless-emulator` program, which then does the work of the stand-in `az`. Default: none, and the
    /// stand-in uses `curl` or `python3`.
    pub az_program: Option<PathBuf>,
    /// Further lines of every server's `redis.conf`, such as `appendonly yes` for what is to survive a restart.
    /// Default: none.
    pub redis_config: String,
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
            cluster: None,
            managed_identity_cache: None,
            backdate: Duration::ZERO,
            host_names: ["localhost", "127.0.0.1", "cache.emulator.test"].map(String::from).to_vec(),
            az_program: None,
            redis_config: String::new(),
            redis_server: None,
            worker_threads: 2,
        }
    }
}

impl EmulatorOptions {
    /// The cluster that clients see, if they see one.
    pub(crate) fn oss_cluster(&self) -> Option<&ClusterOptions> {
        self.cluster.as_ref().filter(|cluster| cluster.policy == ClusterPolicy::Oss)
    }

    /// The names in the certificate of the gateways.
    pub(crate) fn gateway_names(&self) -> Vec<String> {
        let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
        let clustered = self.cluster.is_some();
        self.host_names.iter().filter(|name| !(clustered && is_address(name))).cloned().collect()
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
