//! The option table: every option once, with its names, unit, default and documentation. Fields, getters
//! and setters come from it, and the connection string, URLs, the environment and every binding are
//! checked against it. How values are read lives in `value`, and `text`, contradictions in `validate`.

use super::define::{accessor, effect, options};
use super::info::{Effect, Kind, OptionInfo};
use super::text::{AnyText, ClientName, Commands, HostName, Pem, SecretText, Text, TunnelText};
use super::value::{
    AutoMilliseconds, Codec, Flag, Integer, Milliseconds, OldestTls, OptionalWord, Ratio, Seconds, Word,
};
use super::{Backlog, ClusterMode, Options, Protocol, ReadFrom, TlsVersion, Tunnel};
use crate::endpoint::{Cloud, Endpoint};
use crate::secret::Secret;
use std::time::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const SENTINEL: &str =
    "Sentinel is not offered on Azure: name the cache's own endpoint and leave this option away.";

options! {
    /// Whether connections are encrypted. Default true; a Microsoft Entra sign-in needs it.
    copy<bool> tls / with_tls: Flag = true, ["ssl", "tls"];
    /// The name that the server's certificate must carry. Default: the endpoint's host.
    string tls_host / with_tls_host: Text<HostName> = None, ["sslHost", "tlsHost"];
    /// The oldest version of TLS that is accepted. Default `tls12`. Azure: 1.2 and 1.3 only.
    copy<TlsVersion> tls_min_version / with_tls_min_version: OldestTls = TlsVersion::Tls12,
        ["sslProtocols", "tlsMinVersion"];
    /// Certificates in PEM of authorities that are trusted beside the platform's. Default none.
    bytes ca_certificates / with_ca_certificates: Pem = None, ["caCertificates"],
        effect Effect::NotInStrings("Give ca_file with the path of a PEM file, or set ca_certificates in code.");
    /// The path of a PEM file of authorities that are trusted beside the platform's. Default none. It is read when a connection is made.
    string ca_file / with_ca_file: Text<AnyText> = None, ["caFile"];
    /// The version of the Redis protocol. Default `resp3`; falls back when the server refuses `HELLO`.
    copy<Protocol> protocol / with_protocol: Word<Protocol> = Protocol::Resp3, ["protocol"];

    /// The time from name resolution to the answer of `AUTH`, in milliseconds. Default 5 s (Azure's advice).
    copy<Duration> connect_timeout / with_connect_timeout: Milliseconds<1> = ms(5_000), ["connectTimeout"];
    /// How many attempts a first connection has, if `abort_on_connect_fail` is set; otherwise attempts never end. Default 3.
    copy<u32> connect_retry / with_connect_retry: Integer<u32, 1, 1_000> = 3, ["connectRetry"];
    /// The time a command may take from the call to its reply, in milliseconds. Default 5 s. A connection string's `syncTimeout` and `asyncTimeout` are both this; the smaller one counts.
    copy<Duration> command_timeout / with_command_timeout: Milliseconds<1> = ms(5_000),
        ["syncTimeout", "asyncTimeout", "commandTimeout"];
    /// How long a connection may be idle before it is pinged, in seconds. Default 60 s; 0 switches it off. Azure closes a connection after 10 idle minutes.
    copy<Duration> keep_alive / with_keep_alive: Seconds = ms(60_000), ["keepAlive"];
    /// Whether TCP's own keep-alive is on. Default true.
    copy<bool> tcp_keep_alive / with_tcp_keep_alive: Flag = true, ["tcpKeepAlive"];
    /// The name that `CLIENT SETNAME` gives each connection. Default none.
    string client_name / with_client_name: Text<ClientName> = None, ["name", "clientName"];
    /// The user of an access key or an ACL password. Default none: Redis' `default`. Not for a Microsoft Entra sign-in, which has `user_name`.
    string user / with_user: Text<AnyText> = None, ["user"];
    /// The access key, or the password of `user`. Default none. Not together with a Microsoft Entra sign-in.
    secret password / with_password: SecretText = None, ["password"], env ["REDIS_ACCESS_KEY"];
    /// The number of the database. Default 0, the only one on a cluster and on Azure Managed Redis.
    copy<u32> database / with_database: Integer<u32, 0, 65_535> = 0, ["defaultDatabase", "database", "db"];
    /// What is put in front of every channel's name in publish and subscribe. Default none.
    string channel_prefix / with_channel_prefix: Text<AnyText> = None, ["channelPrefix"];
    /// How often the map of a cluster is read again, in seconds. Default 60 s; 0: only after a redirection or a cut.
    copy<Duration> topology_refresh_interval / with_topology_refresh_interval: Seconds = ms(60_000),
        ["configCheckSeconds", "topologyRefreshInterval"];
    /// Whether connections tell the library's name and version (`CLIENT SETINFO`). Default true.
    copy<bool> set_client_info / with_set_client_info: Flag = true, ["setlib", "setClientInfo"];
    /// Whether a failed first connection ends `connect` with an error, after `connect_retry` attempts. Default false: attempts go on in the background.
    copy<bool> abort_on_connect_fail / with_abort_on_connect_fail: Flag = false, ["abortConnect", "abortOnConnectFail"];

    /// What happens to commands while there is no connection: they wait (`queue`, the default) or fail at once (`fail_fast`).
    copy<Backlog> backlog / with_backlog: Word<Backlog> = Backlog::Queue, ["backlog"];
    /// How many requests may wait or be under way for one node. Default 100,000.
    copy<u64> backlog_limit / with_backlog_limit: Integer<u64, 1, 1_000_000_000> = 100_000, ["backlogLimit"];
    /// How many bytes of requests may wait or be under way for one node. Default 1 GiB.
    copy<u64> backlog_limit_bytes / with_backlog_limit_bytes: Integer<u64, 1_024, 1_099_511_627_776> = 1_073_741_824,
        ["backlogLimitBytes"];
    /// The shortest wait between two attempts to connect, in milliseconds; it grows up to `reconnect_backoff_max`, with jitter. Default 100 ms.
    copy<Duration> reconnect_backoff_min / with_reconnect_backoff_min: Milliseconds<1> = ms(100), ["reconnectBackoffMin"];
    /// The longest wait between two attempts to connect, in milliseconds. Default 10 s.
    copy<Duration> reconnect_backoff_max / with_reconnect_backoff_max: Milliseconds<1> = ms(10_000), ["reconnectBackoffMax"];
    /// How many connections of one node are there for commands that wait (`BLPOP`, `XREAD BLOCK` ...), one each at a time; they are made when needed and kept for a minute. Default 16; further calls wait for a free one.
    copy<u32> blocking_connections / with_blocking_connections: Integer<u32, 1, 10_000> = 16, ["blockingConnections"];
    /// Which nodes of a cluster answer commands that only read: `primary` (default) or `replica`.
    copy<ReadFrom> read_from / with_read_from: Word<ReadFrom> = ReadFrom::Primary, ["readFrom"];
    /// Whether the server is a cluster: `auto` (default: it is asked), `on` or `off`.
    copy<ClusterMode> cluster / with_cluster: Word<ClusterMode> = ClusterMode::Auto, ["cluster"];
    /// Commands that this client refuses to send. Default none. In a connection string also `$COMMAND=`.
    list disabled_commands / with_disabled_commands: Commands = Vec::new(), ["disabledCommands"];
    /// An HTTP proxy for connections to the cache, `http:host:port` (method CONNECT). Default none.
    tunnel tunnel / with_tunnel: TunnelText = None, ["tunnel"];
    /// How many threads do the I/O of connections. Default 1; more pay off only with many nodes and free cores.
    copy<u32> io_threads / with_io_threads: Integer<u32, 1, 64> = 1, ["ioThreads"];
    /// The longest reply that is accepted, in bytes. Default 513 MiB: Redis' longest value (512 MiB) and room for what is around it.
    copy<u64> max_reply_bytes / with_max_reply_bytes: Integer<u64, 1_024, 1_099_511_627_776> = 537_919_488,
        ["maxReplyBytes"];
    /// How many bytes of replies are kept on this side for reads to come (client-side caching, RESP3). Default 0: off. Needs `CLIENT TRACKING`; each node of a cluster has as much.
    copy<u64> cache_size / with_cache_size: Integer<u64, 0, 1_099_511_627_776> = 0, ["cacheSize"];
    /// How long a reply is kept at the most, in milliseconds, if nothing changes. Default 30 min.
    copy<Duration> cache_max_age / with_cache_max_age: Milliseconds<1> = ms(1_800_000), ["cacheMaxAge"];

    /// The scope of the tokens. Default: the cloud's, `https://redis.azure.com/.default`.
    string scope / with_scope: Text<AnyText> = None, ["scope"];
    /// The cloud that is signed in to. Default: the one that the endpoint's suffix tells, otherwise `public`.
    copy<Option<Cloud>> cloud / with_cloud: OptionalWord<Cloud> = None, ["cloud"];
    /// Where Microsoft Entra ID is, an `https://` URL. Default: the cloud's. It goes before `cloud`.
    string authority_host / with_authority_host: Text<super::authority::AuthorityHost> = None, ["authorityHost"],
        env ["AZURE_AUTHORITY_HOST"];
    /// The application, or the user-assigned managed identity, that signs in. Default none.
    string client_id / with_client_id: Text<AnyText> = None, ["clientId"], env ["AZURE_CLIENT_ID"];
    /// The tenant in which the application signs in. Default none.
    string tenant_id / with_tenant_id: Text<AnyText> = None, ["tenantId"], env ["AZURE_TENANT_ID"];
    /// What the default chain of credentials consists of: `prod`, `dev`, or one kind's name. Default: all kinds.
    string token_credentials / with_token_credentials: Text<AnyText> = None, ["tokenCredentials"],
        env ["AZURE_TOKEN_CREDENTIALS"];
    /// Whether an access key is used only if no token can be had when a client connects. Default false: where there is a key, it signs in.
    copy<bool> access_key_fallback / with_access_key_fallback: Flag = false, ["accessKeyFallback"];
    /// The application's secret. Default none.
    secret client_secret / with_client_secret: SecretText = None, ["clientSecret"], env ["AZURE_CLIENT_SECRET"],
        effect Effect::NotInStrings("Set the environment variable AZURE_CLIENT_SECRET, or give the secret in code.");
    /// The Redis user name of a Microsoft Entra sign-in. Default: the token's `oid` claim.
    string user_name / with_user_name: Text<AnyText> = None, ["userName"];
    /// The path of a PEM file of authorities that are trusted for the token endpoint beside the platform's. Default none.
    string token_ca_file / with_token_ca_file: Text<AnyText> = None, ["tokenCaFile"];
    /// The part of a token's lifetime after which it is replaced. Default 0.75.
    copy<f64> refresh_ratio / with_refresh_ratio: Ratio<5, 95> = 0.75, ["refreshRatio"];
    /// The part of a token's lifetime by which a refresh may come earlier, at random. Default 0.1; less than `refresh_ratio`.
    copy<f64> refresh_jitter / with_refresh_jitter: Ratio<0, 50> = 0.1, ["refreshJitter"];
    /// How long before a token's end it is replaced at the latest, in milliseconds, where its lifetime allows. Default 5 min; Azure asks for at least 3.
    copy<Duration> refresh_margin / with_refresh_margin: Milliseconds<0> = ms(300_000), ["refreshMargin"];
    /// The shortest wait between two attempts to get a token, in milliseconds. Default 1 s.
    copy<Duration> refresh_retry_min / with_refresh_retry_min: Milliseconds<1> = ms(1_000), ["refreshRetryMin"];
    /// The longest wait between two attempts to get a token, in milliseconds. Default 30 s.
    copy<Duration> refresh_retry_max / with_refresh_retry_max: Milliseconds<1> = ms(30_000), ["refreshRetryMax"];
    /// The time the first attempt to get a token may take, in milliseconds; later ones get more. Default 10 s.
    copy<Duration> token_request_timeout / with_token_request_timeout: Milliseconds<1> = ms(10_000),
        ["tokenRequestTimeout"];
    /// Over how long the `AUTH` of live connections is spread after a refresh, in milliseconds. Default `auto`: a small part of the old token's remaining life, at most 10 s.
    copy<Option<Duration>> reauth_stagger / with_reauth_stagger: AutoMilliseconds = None, ["reauthStagger"];
    /// The shortest wait before a refused `AUTH` of a live connection is tried again, in milliseconds; it doubles up to 30 s, and ends before the connection's own token does. Default 100 ms.
    copy<Duration> reauth_retry_min / with_reauth_retry_min: Milliseconds<1> = ms(100), ["reauthRetryMin"];

    also
    OptionInfo {
        name: "endpoint",
        connection_string: &["endpoint"],
        environment: &["REDIS_HOST", "REDIS_PORT"],
        kind: Kind::Endpoint,
        documentation: "The cache's `host` or `host:port`; more than one are tried in turn. In a connection string a part without `=`.",
        effect: Effect::Used,
        read: |values, text| {
            let endpoint = Endpoint::parse(text).map_err(|error| Some(error.to_string().into()))?;
            values.endpoints.push(endpoint);
            Ok(())
        },
        show: |_| None,
    };
    OptionInfo::without_effect("check_certificate_revocation", &["checkCertificateRevocation"], Kind::Flag,
        Effect::Warned("rustls does not fetch revocation lists"),
        "Accepted from .NET's connection strings; revocation lists are not fetched.");
    OptionInfo::without_effect("allow_admin", &["allowAdmin"], Kind::Flag,
        Effect::Warned("the server's access policy decides which commands are allowed"),
        "Accepted from .NET's connection strings; the server's access policy decides.");
    OptionInfo::without_effect("resolve_dns", &["resolveDns"], Kind::Flag,
        Effect::Warned("names are resolved anew at every connection"),
        "Accepted from .NET's connection strings; names are always resolved anew.");
    OptionInfo::without_effect("high_integrity", &["highIntegrity"], Kind::Flag,
        Effect::Warned("the framing of every reply is checked anyway"),
        "Accepted from .NET's connection strings; the framing of every reply is checked anyway.");
    OptionInfo::without_effect("config_channel", &["configChannel"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings; has no meaning here.");
    OptionInfo::without_effect("tie_breaker", &["tiebreaker"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings; has no meaning here.");
    OptionInfo::without_effect("version", &["version"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings; the server is asked instead.");
    OptionInfo::without_effect("response_timeout", &["responseTimeout"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings, where it is obsolete.");
    OptionInfo::without_effect("write_buffer", &["writeBuffer"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings, where it is obsolete.");
    OptionInfo::without_effect("high_priority_threads", &["highPriorityThreads"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings, where it is obsolete.");
    OptionInfo::without_effect("preserve_async_order", &["preserveAsyncOrder"], Kind::Text, Effect::Silent,
        "Accepted from .NET's connection strings, where it is obsolete.");
    OptionInfo::without_effect("service_name", &["serviceName"], Kind::Text, Effect::Refused(SENTINEL),
        "Refused: Sentinel is not offered on Azure.");
    OptionInfo::without_effect("sentinel_user", &["sentinelUser"], Kind::Text, Effect::Refused(SENTINEL),
        "Refused: Sentinel is not offered on Azure.");
    OptionInfo::without_effect("sentinel_password", &["sentinelPassword"], Kind::Secret, Effect::Refused(SENTINEL),
        "Refused: Sentinel is not offered on Azure.");
    OptionInfo::without_effect("proxy", &["proxy"], Kind::Text,
        Effect::Refused("Redis proxies such as twemproxy are not offered on Azure: leave it away, or use tunnel=http:host:port for an HTTP proxy."),
        "Refused: Redis proxies are not offered on Azure; an HTTP proxy is `tunnel`.");
}

/// Every option, in the order in which they are printed and documented.
pub fn table() -> &'static [OptionInfo] {
    TABLE
}
