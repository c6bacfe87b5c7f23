//! Generated from core's option table by `ffi/tests/generated.rs`: one typed setter per option.

use super::{auto_or, keyless_options, seconds, set};
use crate::boundary::text;
use crate::error::keyless_error;
use crate::status::keyless_status;
use std::ffi::c_char;

/// Whether connections are encrypted. Default true; a Microsoft Entra sign-in needs it.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_tls(
    options: *mut keyless_options,
    tls: bool,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "tls", || Ok(tls.to_string()), error)
}

/// The name that the server's certificate must carry. Default: the endpoint's host.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_tls_host(
    options: *mut keyless_options,
    tls_host: *const c_char,
    tls_host_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "tls_host", || Ok(text(tls_host, tls_host_length, "tls_host")?.to_owned()), error)
}

/// The oldest version of TLS that is accepted. Default `tls12`. Azure: 1.2 and 1.3 only.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_tls_min_version(
    options: *mut keyless_options,
    tls_min_version: *const c_char,
    tls_min_version_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "tls_min_version",
        || Ok(text(tls_min_version, tls_min_version_length, "tls_min_version")?.to_owned()),
        error,
    )
}

/// Certificates in PEM of authorities that are trusted beside the platform's. Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_ca_certificates(
    options: *mut keyless_options,
    ca_certificates: *const c_char,
    ca_certificates_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "ca_certificates",
        || Ok(text(ca_certificates, ca_certificates_length, "ca_certificates")?.to_owned()),
        error,
    )
}

/// The path of a PEM file of authorities that are trusted beside the platform's. Default none. It is read
/// when a connection is made.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_ca_file(
    options: *mut keyless_options,
    ca_file: *const c_char,
    ca_file_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "ca_file", || Ok(text(ca_file, ca_file_length, "ca_file")?.to_owned()), error)
}

/// The version of the Redis protocol. Default `resp3`; falls back when the server refuses `HELLO`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_protocol(
    options: *mut keyless_options,
    protocol: *const c_char,
    protocol_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "protocol", || Ok(text(protocol, protocol_length, "protocol")?.to_owned()), error)
}

/// The time from name resolution to the answer of `AUTH`, in milliseconds. Default 5 s (Azure's advice).
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_connect_timeout_ms(
    options: *mut keyless_options,
    connect_timeout_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "connect_timeout", || Ok(connect_timeout_ms.to_string()), error)
}

/// How many attempts a first connection has, if `abort_on_connect_fail` is set; otherwise attempts never end.
/// Default 3.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_connect_retry(
    options: *mut keyless_options,
    connect_retry: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "connect_retry", || Ok(connect_retry.to_string()), error)
}

/// The time a command may take from the call to its reply, in milliseconds. Default 5 s. A connection
/// string's `syncTimeout` and `asyncTimeout` are both this; the smaller one counts.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_command_timeout_ms(
    options: *mut keyless_options,
    command_timeout_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "command_timeout", || Ok(command_timeout_ms.to_string()), error)
}

/// How long a connection may be idle before it is pinged, in seconds. Default 60 s; 0 switches it off. Azure
/// closes a connection after 10 idle minutes. Here in milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_keep_alive_ms(
    options: *mut keyless_options,
    keep_alive_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "keep_alive", || Ok(seconds(keep_alive_ms)), error)
}

/// Whether TCP's own keep-alive is on. Default true.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_tcp_keep_alive(
    options: *mut keyless_options,
    tcp_keep_alive: bool,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "tcp_keep_alive", || Ok(tcp_keep_alive.to_string()), error)
}

/// The name that `CLIENT SETNAME` gives each connection. Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_client_name(
    options: *mut keyless_options,
    client_name: *const c_char,
    client_name_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "client_name",
        || Ok(text(client_name, client_name_length, "client_name")?.to_owned()),
        error,
    )
}

/// The user of an access key or an ACL password. Default none: Redis' `default`. Not for a Microsoft Entra
/// sign-in, which has `user_name`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_user(
    options: *mut keyless_options,
    user: *const c_char,
    user_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "user", || Ok(text(user, user_length, "user")?.to_owned()), error)
}

/// The access key, or the password of `user`. Default none. Not together with a Microsoft Entra sign-in.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_password(
    options: *mut keyless_options,
    password: *const c_char,
    password_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "password", || Ok(text(password, password_length, "password")?.to_owned()), error)
}

/// The number of the database. Default 0, the only one on a cluster and on Azure Managed Redis.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_database(
    options: *mut keyless_options,
    database: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "database", || Ok(database.to_string()), error)
}

/// What is put in front of every channel's name in publish and subscribe. Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_channel_prefix(
    options: *mut keyless_options,
    channel_prefix: *const c_char,
    channel_prefix_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "channel_prefix",
        || Ok(text(channel_prefix, channel_prefix_length, "channel_prefix")?.to_owned()),
        error,
    )
}

/// How often the map of a cluster is read again, in seconds. Default 60 s; 0: only after a redirection or a
/// cut. Here in milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_topology_refresh_interval_ms(
    options: *mut keyless_options,
    topology_refresh_interval_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "topology_refresh_interval", || Ok(seconds(topology_refresh_interval_ms)), error)
}

/// Whether connections tell the library's name and version (`CLIENT SETINFO`). Default true.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_set_client_info(
    options: *mut keyless_options,
    set_client_info: bool,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "set_client_info", || Ok(set_client_info.to_string()), error)
}

/// Whether a failed first connection ends `connect` with an error, after `connect_retry` attempts. Default
/// false: attempts go on in the background.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_abort_on_connect_fail(
    options: *mut keyless_options,
    abort_on_connect_fail: bool,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "abort_on_connect_fail", || Ok(abort_on_connect_fail.to_string()), error)
}

/// What happens to commands while there is no connection: they wait (`queue`, the default) or fail at once
/// (`fail_fast`).
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_backlog(
    options: *mut keyless_options,
    backlog: *const c_char,
    backlog_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "backlog", || Ok(text(backlog, backlog_length, "backlog")?.to_owned()), error)
}

/// How many requests may wait or be under way for one node. Default 100,000.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_backlog_limit(
    options: *mut keyless_options,
    backlog_limit: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "backlog_limit", || Ok(backlog_limit.to_string()), error)
}

/// How many bytes of requests may wait or be under way for one node. Default 1 GiB.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_backlog_limit_bytes(
    options: *mut keyless_options,
    backlog_limit_bytes: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "backlog_limit_bytes", || Ok(backlog_limit_bytes.to_string()), error)
}

/// The shortest wait between two attempts to connect, in milliseconds; it grows up to
/// `reconnect_backoff_max`, with jitter. Default 100 ms.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_reconnect_backoff_min_ms(
    options: *mut keyless_options,
    reconnect_backoff_min_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "reconnect_backoff_min", || Ok(reconnect_backoff_min_ms.to_string()), error)
}

/// The longest wait between two attempts to connect, in milliseconds. Default 10 s.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_reconnect_backoff_max_ms(
    options: *mut keyless_options,
    reconnect_backoff_max_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "reconnect_backoff_max", || Ok(reconnect_backoff_max_ms.to_string()), error)
}

/// How many connections of one node are there for commands that wait (`BLPOP`, `XREAD BLOCK` ...), one each
/// at a time; they are made when needed and kept for a minute. Default 16; further calls wait for a free one.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_blocking_connections(
    options: *mut keyless_options,
    blocking_connections: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "blocking_connections", || Ok(blocking_connections.to_string()), error)
}

/// Which nodes of a cluster answer commands that only read: `primary` (default) or `replica`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_read_from(
    options: *mut keyless_options,
    read_from: *const c_char,
    read_from_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "read_from", || Ok(text(read_from, read_from_length, "read_from")?.to_owned()), error)
}

/// Whether the server is a cluster: `auto` (default: it is asked), `on` or `off`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_cluster(
    options: *mut keyless_options,
    cluster: *const c_char,
    cluster_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "cluster", || Ok(text(cluster, cluster_length, "cluster")?.to_owned()), error)
}

/// Commands that this client refuses to send. Default none. In a connection string also `$COMMAND=`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_disabled_commands(
    options: *mut keyless_options,
    disabled_commands: *const c_char,
    disabled_commands_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "disabled_commands",
        || Ok(text(disabled_commands, disabled_commands_length, "disabled_commands")?.to_owned()),
        error,
    )
}

/// An HTTP proxy for connections to the cache, `http:host:port` (method CONNECT). Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_tunnel(
    options: *mut keyless_options,
    tunnel: *const c_char,
    tunnel_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "tunnel", || Ok(text(tunnel, tunnel_length, "tunnel")?.to_owned()), error)
}

/// How many threads do the I/O of connections. Default 1; more pay off only with many nodes and free cores.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_io_threads(
    options: *mut keyless_options,
    io_threads: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "io_threads", || Ok(io_threads.to_string()), error)
}

/// The longest reply that is accepted, in bytes. Default 513 MiB: Redis' longest value (512 MiB) and room for
/// what is around it.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_max_reply_bytes(
    options: *mut keyless_options,
    max_reply_bytes: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "max_reply_bytes", || Ok(max_reply_bytes.to_string()), error)
}

/// How many bytes of replies are kept on this side for reads to come (client-side caching, RESP3). Default 0:
/// off. Needs `CLIENT TRACKING`; each node of a cluster has as much.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_cache_size(
    options: *mut keyless_options,
    cache_size: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "cache_size", || Ok(cache_size.to_string()), error)
}

/// How long a reply is kept at the most, in milliseconds, if nothing changes. Default 30 min.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_cache_max_age_ms(
    options: *mut keyless_options,
    cache_max_age_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "cache_max_age", || Ok(cache_max_age_ms.to_string()), error)
}

/// The scope of the tokens. Default: the cloud's, `https://redis.azure.com/.default`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_scope(
    options: *mut keyless_options,
    scope: *const c_char,
    scope_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "scope", || Ok(text(scope, scope_length, "scope")?.to_owned()), error)
}

/// The cloud that is signed in to. Default: the one that the endpoint's suffix tells, otherwise `public`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_cloud(
    options: *mut keyless_options,
    cloud: *const c_char,
    cloud_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "cloud", || Ok(text(cloud, cloud_length, "cloud")?.to_owned()), error)
}

/// Where Microsoft Entra ID is, an `https://` URL. Default: the cloud's. It goes before `cloud`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_authority_host(
    options: *mut keyless_options,
    authority_host: *const c_char,
    authority_host_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "authority_host",
        || Ok(text(authority_host, authority_host_length, "authority_host")?.to_owned()),
        error,
    )
}

/// The application, or the user-assigned managed identity, that signs in. Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_client_id(
    options: *mut keyless_options,
    client_id: *const c_char,
    client_id_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "client_id", || Ok(text(client_id, client_id_length, "client_id")?.to_owned()), error)
}

/// The tenant in which the application signs in. Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_tenant_id(
    options: *mut keyless_options,
    tenant_id: *const c_char,
    tenant_id_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "tenant_id", || Ok(text(tenant_id, tenant_id_length, "tenant_id")?.to_owned()), error)
}

/// What the default chain of credentials consists of: `prod`, `dev`, or one kind's name. Default: all kinds.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_token_credentials(
    options: *mut keyless_options,
    token_credentials: *const c_char,
    token_credentials_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "token_credentials",
        || Ok(text(token_credentials, token_credentials_length, "token_credentials")?.to_owned()),
        error,
    )
}

/// Whether an access key is used only if no token can be had when a client connects. Default false: where
/// there is a key, it signs in.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_access_key_fallback(
    options: *mut keyless_options,
    access_key_fallback: bool,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "access_key_fallback", || Ok(access_key_fallback.to_string()), error)
}

/// The application's secret. Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_client_secret(
    options: *mut keyless_options,
    client_secret: *const c_char,
    client_secret_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "client_secret",
        || Ok(text(client_secret, client_secret_length, "client_secret")?.to_owned()),
        error,
    )
}

/// The Redis user name of a Microsoft Entra sign-in. Default: the token's `oid` claim.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_user_name(
    options: *mut keyless_options,
    user_name: *const c_char,
    user_name_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "user_name", || Ok(text(user_name, user_name_length, "user_name")?.to_owned()), error)
}

/// The path of a PEM file of authorities that are trusted for the token endpoint beside the platform's.
/// Default none.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_token_ca_file(
    options: *mut keyless_options,
    token_ca_file: *const c_char,
    token_ca_file_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(
        options,
        "token_ca_file",
        || Ok(text(token_ca_file, token_ca_file_length, "token_ca_file")?.to_owned()),
        error,
    )
}

/// The part of a token's lifetime after which it is replaced. Default 0.75.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_refresh_ratio(
    options: *mut keyless_options,
    refresh_ratio: f64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "refresh_ratio", || Ok(refresh_ratio.to_string()), error)
}

/// The part of a token's lifetime by which a refresh may come earlier, at random. Default 0.1; less than
/// `refresh_ratio`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_refresh_jitter(
    options: *mut keyless_options,
    refresh_jitter: f64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "refresh_jitter", || Ok(refresh_jitter.to_string()), error)
}

/// How long before a token's end it is replaced at the latest, in milliseconds, where its lifetime allows.
/// Default 5 min; Azure asks for at least 3.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_refresh_margin_ms(
    options: *mut keyless_options,
    refresh_margin_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "refresh_margin", || Ok(refresh_margin_ms.to_string()), error)
}

/// The shortest wait between two attempts to get a token, in milliseconds. Default 1 s.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_refresh_retry_min_ms(
    options: *mut keyless_options,
    refresh_retry_min_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "refresh_retry_min", || Ok(refresh_retry_min_ms.to_string()), error)
}

/// The longest wait between two attempts to get a token, in milliseconds. Default 30 s.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_refresh_retry_max_ms(
    options: *mut keyless_options,
    refresh_retry_max_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "refresh_retry_max", || Ok(refresh_retry_max_ms.to_string()), error)
}

/// The time the first attempt to get a token may take, in milliseconds; later ones get more. Default 10 s.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_token_request_timeout_ms(
    options: *mut keyless_options,
    token_request_timeout_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "token_request_timeout", || Ok(token_request_timeout_ms.to_string()), error)
}

/// Over how long the `AUTH` of live connections is spread after a refresh, in milliseconds. Default `auto`: a
/// small part of the old token's remaining life, at most 10 s. `UINT64_MAX` stands for `auto`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_reauth_stagger_ms(
    options: *mut keyless_options,
    reauth_stagger_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "reauth_stagger", || Ok(auto_or(reauth_stagger_ms)), error)
}

/// The shortest wait before a refused `AUTH` of a live connection is tried again, in milliseconds; it doubles
/// up to 30 s, and ends before the connection's own token does. Default 100 ms.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_set_reauth_retry_min_ms(
    options: *mut keyless_options,
    reauth_retry_min_ms: u64,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "reauth_retry_min", || Ok(reauth_retry_min_ms.to_string()), error)
}

/// The cache's `host` or `host:port`; more than one are tried in turn. In a connection string a part without
/// `=`.
#[unsafe(no_mangle)]
pub extern "C" fn keyless_options_add_endpoint(
    options: *mut keyless_options,
    endpoint: *const c_char,
    endpoint_length: usize,
    error: *mut *mut keyless_error,
) -> keyless_status {
    set(options, "endpoint", || Ok(text(endpoint, endpoint_length, "endpoint")?.to_owned()), error)
}
