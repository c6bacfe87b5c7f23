//! What the emulator counts and remembers, and waiting for it to change.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Everything that was counted since the start or the last reset.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Connections to the gateways.
    pub connections: ConnectionStats,
    /// Sign-ins seen by the gateways.
    pub auth: AuthStats,
    /// Token requests to Entra ID, the managed identity endpoints and the stand-in `az`.
    pub tokens: TokenStats,
    /// Commands that passed the gateways, sign-ins included.
    pub commands: u64,
    /// The same, for each port of a gateway.
    pub commands_by_port: BTreeMap<u16, u64>,
    /// How often `redis-server` was started.
    pub redis_starts: u64,
}

/// Connections to the gateways, by how they ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConnectionStats {
    /// Accepted, TLS finished and connected to the server behind.
    pub opened: u64,
    /// Of these, still open. A reset of the counters leaves it alone.
    pub open: u64,
    /// The same, for each port of a gateway.
    pub open_by_port: BTreeMap<u16, u64>,
    /// Closed by the client.
    pub closed_by_client: u64,
    /// Closed because the token they signed in with expired.
    pub closed_at_expiry: u64,
    /// Closed or reset by a fault.
    pub closed_by_fault: u64,
    /// Closed because the server behind closed.
    pub closed_by_server: u64,
    /// Turned away before they were open: by a fault, a failed TLS handshake or a dead server.
    pub turned_away: u64,
}

/// Sign-ins, counted when they are passed on to the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AuthStats {
    /// Accepted.
    pub accepted: u64,
    /// Accepted, for each object id (`default` for an access key).
    pub accepted_by_oid: BTreeMap<String, u64>,
    /// Accepted, for each port of a gateway.
    pub accepted_by_port: BTreeMap<u16, u64>,
    /// Refused.
    pub refused: u64,
    /// Refused, for each reason.
    pub refused_by_reason: BTreeMap<Refusal, u64>,
    /// Refused because the token had expired.
    pub expired_tokens_offered: u64,
    /// Each of them, in order.
    pub records: Vec<AuthRecord>,
}

/// Why a sign-in was refused. The client is told `WRONGPASS`, whatever the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// Not a JWT, or not signed by this emulator.
    BadSignature,
    /// A token for another resource.
    WrongAudience,
    /// The user name is not the object id in the token.
    WrongUser,
    /// The object id has no access to the cache.
    NotGranted,
    /// A wrong access key, or access keys are disabled.
    BadKey,
    /// A fault was asked for.
    Fault,
}

/// One sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthRecord {
    /// The connection it came on; connections count from 1 and are never reused.
    pub connection: u64,
    /// The port of the gateway it came to; in a cluster, it names the node.
    pub port: u16,
    /// When, in seconds since 1970.
    pub time: f64,
    /// The object id in the token, `default` for an access key; absent when there was no readable token.
    pub oid: Option<String>,
    /// The unique id of the token.
    pub uti: Option<String>,
    /// Expiry of the token, in seconds since 1970.
    pub expires_on: Option<u64>,
    /// Whether it was accepted.
    pub accepted: bool,
    /// Why not.
    pub reason: Option<Refusal>,
}

/// Token requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TokenStats {
    /// Answered with a token (even with a spoiled one).
    pub served: u64,
    /// Answered with an error, or not answered.
    pub failed: u64,
    /// Both, for each grant: `client_secret`, `client_assertion`, `imds`, `app_service`, `arc`, `service_fabric`,
    /// `cloud_shell`, `machine_learning`, `az`, `azd`, `pwsh`, `pipelines` (for the token that is exchanged),
    /// `unknown`.
    pub by_grant: BTreeMap<String, GrantStats>,
    /// Each of them, in the order of their answers.
    pub requests: Vec<TokenRecord>,
}

/// Token requests of one grant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GrantStats {
    /// Answered with a token.
    pub served: u64,
    /// Not answered with a token.
    pub failed: u64,
}

/// One token request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TokenRecord {
    /// When, in seconds since 1970.
    pub time: f64,
    /// Which grant.
    pub grant: String,
    /// The object id the token was issued to.
    pub oid: Option<String>,
    /// The unique id of the token issued.
    pub uti: Option<String>,
    /// The error or fault it ended in.
    pub error: Option<String>,
    /// How it was asked.
    pub request: WireRequest,
}

/// An HTTP request as it was read from the wire. For stand-ins of tools, the arguments are fields of the form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireRequest {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The form in the body, decoded.
    pub form: Vec<(String, String)>,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl WireRequest {
    /// The first value with this name in the query or the form.
    pub fn value(&self, name: &str) -> Option<&str> {
        let all = self.query.iter().chain(&self.form);
        all.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Client,
    Expiry,
    Fault,
    Server,
}

/// Where everything is counted; the command counters stay out of the lock, for speed.
#[derive(Default)]
pub(crate) struct Journal {
    stats: Mutex<Stats>,
    commands: Mutex<BTreeMap<u16, Arc<AtomicU64>>>,
    next_connection: AtomicU64,
    changed: Notify,
}

impl Journal {
    pub(crate) fn snapshot(&self) -> Stats {
        let mut stats = self.stats.lock().clone();
        let commands = self.commands.lock();
        stats.commands_by_port =
            commands.iter().map(|(port, count)| (*port, count.load(Ordering::Relaxed))).collect();
        stats.commands = stats.commands_by_port.values().sum();
        stats
    }

    pub(crate) fn reset(&self) {
        let mut stats = self.stats.lock();
        let ConnectionStats { open, open_by_port, .. } = std::mem::take(&mut stats.connections);
        *stats = Stats { redis_starts: stats.redis_starts, ..Stats::default() };
        stats.connections = ConnectionStats { open, open_by_port, ..ConnectionStats::default() };
        self.commands.lock().values().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// Completes with the counters once they satisfy `condition`.
    pub(crate) async fn wait_until(&self, mut condition: impl FnMut(&Stats) -> bool) -> Stats {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let stats = self.snapshot();
            if condition(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    fn update(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.stats.lock());
        self.changed.notify_waiters();
    }

    /// Where the commands of this gateway are counted.
    pub(crate) fn command_counter(&self, port: u16) -> Arc<AtomicU64> {
        self.commands.lock().entry(port).or_default().clone()
    }

    pub(crate) fn commands(&self, counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    pub(crate) fn connection_opened(&self, port: u16) -> u64 {
        self.update(|stats| {
            stats.connections.opened += 1;
            stats.connections.open += 1;
            *stats.connections.open_by_port.entry(port).or_default() += 1;
        });
        self.next_connection.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn connection_ended(&self, port: u16, ending: Ending) {
        self.update(|stats| {
            let connections = &mut stats.connections;
            connections.open -= 1;
            *connections.open_by_port.entry(port).or_insert(1) -= 1;
            match ending {
                Ending::Client => connections.closed_by_client += 1,
                Ending::Expiry => connections.closed_at_expiry += 1,
                Ending::Fault => connections.closed_by_fault += 1,
                Ending::Server => connections.closed_by_server += 1,
            }
        });
    }

    pub(crate) fn turned_away(&self) {
        self.update(|stats| stats.connections.turned_away += 1);
    }

    pub(crate) fn redis_started(&self) {
        self.update(|stats| stats.redis_starts += 1);
    }

    pub(crate) fn auth(&self, record: AuthRecord) {
        self.update(|stats| {
            let auth = &mut stats.auth;
            if record.accepted {
                auth.accepted += 1;
                *auth.accepted_by_port.entry(record.port).or_default() += 1;
                *auth.accepted_by_oid.entry(record.oid.clone().unwrap_or_default()).or_default() += 1;
            } else {
                auth.refused += 1;
            }
            if let Some(reason) = record.reason {
                *auth.refused_by_reason.entry(reason).or_default() += 1;
                auth.expired_tokens_offered += u64::from(reason == Refusal::Expired);
            }
            auth.records.push(record);
        });
    }

    pub(crate) fn token_request(&self, record: TokenRecord) {
        self.update(|stats| {
            let tokens = &mut stats.tokens;
            let grant = tokens.by_grant.entry(record.grant.clone()).or_default();
            if record.uti.is_some() {
                tokens.served += 1;
                grant.served += 1;
            } else {
                tokens.failed += 1;
                grant.failed += 1;
            }
            tokens.requests.push(record);
        });
    }
}

/// The wall clock, in seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
