//! What a connection needs to know, resolved from the options once: no texts to parse, no files to read.

use super::cache::CacheLimits;
use super::outbox::Limits;
use super::tls::TlsConfig;
use crate::secret::Secret;
use crate::token::TokenSource;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;

/// How a connection proves who it is.
#[derive(Clone, Debug)]
pub(crate) enum SignIn {
    /// Not at all: a server without a password.
    Nobody,
    /// With an access key, or the password of an ACL user.
    Key { user: Option<Arc<str>>, key: Secret },
    /// With a token of Microsoft Entra ID, again and again.
    Token(TokenSource),
}

/// TLS of one endpoint: whom to trust and which name the certificate must carry.
#[derive(Clone)]
pub(crate) struct TlsSettings {
    pub(crate) config: TlsConfig,
    pub(crate) name: ServerName<'static>,
}

/// Where to dial.
#[derive(Clone)]
pub(crate) struct Target {
    /// `host:port`, as events and errors show it.
    pub(crate) label: Arc<str>,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What may be wrong with the name, for the error when it cannot be resolved.
    pub(crate) hint: Option<String>,
    pub(crate) tls: Option<TlsSettings>,
}

/// Everything about the connections of one client.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the option table")]
pub(crate) struct Settings {
    /// Tried in turn, one per dial. Never empty.
    pub(crate) targets: Vec<Target>,
    /// Try `HELLO 3` first.
    pub(crate) resp3: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) command_timeout: Duration,
    /// Ping a connection that was idle for so long.
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) tcp_keep_alive: bool,
    pub(crate) client_name: Option<String>,
    pub(crate) set_client_info: bool,
    pub(crate) database: u32,
    /// Answer with an error at once while there is no connection.
    pub(crate) fail_fast: bool,
    /// With `abort_on_connect_fail`: how many dials the first connection gets.
    pub(crate) first_dials: Option<u32>,
    pub(crate) backoff_min: Duration,
    pub(crate) backoff_max: Duration,
    /// Over how long the AUTHs after a refresh are spread; `None`: a tenth of what is left, 10 s at most.
    pub(crate) reauth_stagger: Option<Duration>,
    pub(crate) reauth_retry_min: Duration,
    pub(crate) max_reply_bytes: usize,
    pub(crate) limits: Limits,
    /// How many connections commands that wait may have.
    pub(crate) blocking_connections: usize,
    /// Client-side caching; `None`: off.
    pub(crate) cache: Option<CacheLimits>,
    /// An HTTP proxy (`host`, `port`) that is asked to CONNECT.
    pub(crate) tunnel: Option<(String, u16)>,
    pub(crate) sign_in: SignIn,
    /// Ask whether the endpoint is a cluster; `None` where it is not to be asked.
    pub(crate) cluster: Option<ClusterSettings>,
    /// Nodes are dialled by the endpoint's name with the port that they announce.
    pub(crate) nodes_by_name: bool,
    /// The name in the certificates was given by the caller and holds for every node.
    pub(crate) fixed_tls_name: bool,
    /// Say `READONLY`, so that a replica answers.
    pub(crate) readonly: bool,
}

/// How a cluster is used, if the endpoint is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClusterSettings {
    /// Anything else fails the connection.
    pub(crate) required: bool,
    /// Commands that only read go to replicas.
    pub(crate) reads_replicas: bool,
    /// How often the map is read again; `None`: only when something has changed.
    pub(crate) refresh_every: Option<Duration>,
}

impl Settings {
    /// The name of the cache where no single connection is meant.
    pub(crate) fn label(&self) -> &Arc<str> {
        &self.targets[0].label
    }

    /// How often deadlines are looked at while requests are under way.
    pub(crate) fn tick(&self) -> Duration {
        (self.command_timeout / 32).clamp(Duration::from_millis(5), Duration::from_millis(100))
    }
}
