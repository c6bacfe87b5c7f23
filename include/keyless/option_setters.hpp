// Generated from core's option table by ffi/tests/generated.rs; do not change it here.

/**
 * @file
 * The typed setters of keyless::Options.
 *
 * Each has a form that throws keyless::Error (code KEYLESS_INVALID_OPTION, and nothing changes then) and gives the
 * options again, and a form with std::nothrow that gives a Result<void>.
 */

#ifndef KEYLESS_OPTION_SETTERS_HPP
#define KEYLESS_OPTION_SETTERS_HPP

#include "error.hpp"

#include <chrono>
#include <cstdint>
#include <new>
#include <optional>
#include <string_view>

namespace keyless {

/** The typed setters, for Options to inherit. One thread at a time may use them. */
template <typename Derived>
class OptionSetters {
public:
    Derived &tls(const char *) = delete;

    /**
     * Whether connections are encrypted. Default true; a Microsoft Entra sign-in needs it.
     */
    Derived &tls(bool value) {
        tls(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> tls(std::nothrow_t, bool value) {
        keyless_error *error = nullptr;
        keyless_options_set_tls(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The name that the server's certificate must carry. Default: the endpoint's host.
     */
    Derived &tls_host(std::string_view value) {
        tls_host(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> tls_host(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_tls_host(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The oldest version of TLS that is accepted. Default tls12. Azure: 1.2 and 1.3 only.
     */
    Derived &tls_min_version(std::string_view value) {
        tls_min_version(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> tls_min_version(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_tls_min_version(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * Certificates in PEM of authorities that are trusted beside the platform's. Default none.
     */
    Derived &ca_certificates(std::string_view value) {
        ca_certificates(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> ca_certificates(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_ca_certificates(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The path of a PEM file of authorities that are trusted beside the platform's. Default none. It is read when
     * a connection is made.
     */
    Derived &ca_file(std::string_view value) {
        ca_file(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> ca_file(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_ca_file(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The version of the Redis protocol. Default resp3; falls back when the server refuses HELLO.
     */
    Derived &protocol(std::string_view value) {
        protocol(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> protocol(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_protocol(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The time from name resolution to the answer of AUTH. Default 5 s (Azure's advice).
     */
    Derived &connect_timeout(std::chrono::milliseconds value) {
        connect_timeout(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> connect_timeout(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_connect_timeout_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * How many attempts a first connection has, if abort_on_connect_fail is set; otherwise attempts never end.
     * Default 3.
     */
    Derived &connect_retry(std::uint64_t value) {
        connect_retry(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> connect_retry(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_connect_retry(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The time a command may take from the call to its reply. Default 5 s. A connection string's syncTimeout and
     * asyncTimeout are both this; the smaller one counts.
     */
    Derived &command_timeout(std::chrono::milliseconds value) {
        command_timeout(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> command_timeout(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_command_timeout_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * How long a connection may be idle before it is pinged. Default 60 s; 0 switches it off. Azure closes a
     * connection after 10 idle minutes.
     */
    Derived &keep_alive(std::chrono::milliseconds value) {
        keep_alive(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> keep_alive(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_keep_alive_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    Derived &tcp_keep_alive(const char *) = delete;

    /**
     * Whether TCP's own keep-alive is on. Default true.
     */
    Derived &tcp_keep_alive(bool value) {
        tcp_keep_alive(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> tcp_keep_alive(std::nothrow_t, bool value) {
        keyless_error *error = nullptr;
        keyless_options_set_tcp_keep_alive(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The name that CLIENT SETNAME gives each connection. Default none.
     */
    Derived &client_name(std::string_view value) {
        client_name(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> client_name(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_client_name(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The user of an access key or an ACL password. Default none: Redis' default. Not for a Microsoft Entra
     * sign-in, which has user_name.
     */
    Derived &user(std::string_view value) {
        user(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> user(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_user(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The access key, or the password of user. Default none. Not together with a Microsoft Entra sign-in.
     */
    Derived &password(std::string_view value) {
        password(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> password(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_password(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The number of the database. Default 0, the only one on a cluster and on Azure Managed Redis.
     */
    Derived &database(std::uint64_t value) {
        database(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> database(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_database(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * What is put in front of every channel's name in publish and subscribe. Default none.
     */
    Derived &channel_prefix(std::string_view value) {
        channel_prefix(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> channel_prefix(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_channel_prefix(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * How often the map of a cluster is read again. Default 60 s; 0: only after a redirection or a cut.
     */
    Derived &topology_refresh_interval(std::chrono::milliseconds value) {
        topology_refresh_interval(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> topology_refresh_interval(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_topology_refresh_interval_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    Derived &set_client_info(const char *) = delete;

    /**
     * Whether connections tell the library's name and version (CLIENT SETINFO). Default true.
     */
    Derived &set_client_info(bool value) {
        set_client_info(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> set_client_info(std::nothrow_t, bool value) {
        keyless_error *error = nullptr;
        keyless_options_set_set_client_info(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    Derived &abort_on_connect_fail(const char *) = delete;

    /**
     * Whether a failed first connection ends connect with an error, after connect_retry attempts. Default false:
     * attempts go on in the background.
     */
    Derived &abort_on_connect_fail(bool value) {
        abort_on_connect_fail(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> abort_on_connect_fail(std::nothrow_t, bool value) {
        keyless_error *error = nullptr;
        keyless_options_set_abort_on_connect_fail(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * What happens to commands while there is no connection: they wait (queue, the default) or fail at once
     * (fail_fast).
     */
    Derived &backlog(std::string_view value) {
        backlog(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> backlog(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_backlog(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * How many requests may wait or be under way for one node. Default 100,000.
     */
    Derived &backlog_limit(std::uint64_t value) {
        backlog_limit(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> backlog_limit(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_backlog_limit(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * How many bytes of requests may wait or be under way for one node. Default 1 GiB.
     */
    Derived &backlog_limit_bytes(std::uint64_t value) {
        backlog_limit_bytes(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> backlog_limit_bytes(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_backlog_limit_bytes(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The shortest wait between two attempts to connect; it grows up to reconnect_backoff_max, with jitter.
     * Default 100 ms.
     */
    Derived &reconnect_backoff_min(std::chrono::milliseconds value) {
        reconnect_backoff_min(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> reconnect_backoff_min(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_reconnect_backoff_min_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * The longest wait between two attempts to connect. Default 10 s.
     */
    Derived &reconnect_backoff_max(std::chrono::milliseconds value) {
        reconnect_backoff_max(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> reconnect_backoff_max(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_reconnect_backoff_max_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * How many connections of one node are there for commands that wait (BLPOP, XREAD BLOCK ...), one each at a
     * time; they are made when needed and kept for a minute. Default 16; further calls wait for a free one.
     */
    Derived &blocking_connections(std::uint64_t value) {
        blocking_connections(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> blocking_connections(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_blocking_connections(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * Which nodes of a cluster answer commands that only read: primary (default) or replica.
     */
    Derived &read_from(std::string_view value) {
        read_from(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> read_from(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_read_from(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * Whether the server is a cluster: auto (default: it is asked), on or off.
     */
    Derived &cluster(std::string_view value) {
        cluster(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> cluster(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_cluster(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * Commands that this client refuses to send. Default none. In a connection string also $COMMAND=.
     */
    Derived &disabled_commands(std::string_view value) {
        disabled_commands(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> disabled_commands(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_disabled_commands(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * An HTTP proxy for connections to the cache, http:host:port (method CONNECT). Default none.
     */
    Derived &tunnel(std::string_view value) {
        tunnel(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> tunnel(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_tunnel(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * How many threads do the I/O of connections. Default 1; more pay off only with many nodes and free cores.
     */
    Derived &io_threads(std::uint64_t value) {
        io_threads(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> io_threads(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_io_threads(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The longest reply that is accepted, in bytes. Default 513 MiB: Redis' longest value (512 MiB) and room for
     * what is around it.
     */
    Derived &max_reply_bytes(std::uint64_t value) {
        max_reply_bytes(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> max_reply_bytes(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_max_reply_bytes(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * How many bytes of replies are kept on this side for reads to come (client-side caching, RESP3). Default 0:
     * off. Needs CLIENT TRACKING; each node of a cluster has as much.
     */
    Derived &cache_size(std::uint64_t value) {
        cache_size(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> cache_size(std::nothrow_t, std::uint64_t value) {
        keyless_error *error = nullptr;
        keyless_options_set_cache_size(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * How long a reply is kept at the most, if nothing changes. Default 30 min.
     */
    Derived &cache_max_age(std::chrono::milliseconds value) {
        cache_max_age(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> cache_max_age(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_cache_max_age_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * The scope of the tokens. Default: the cloud's, https://redis.azure.com/.default.
     */
    Derived &scope(std::string_view value) {
        scope(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> scope(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_scope(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The cloud that is signed in to. Default: the one that the endpoint's suffix tells, otherwise public.
     */
    Derived &cloud(std::string_view value) {
        cloud(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> cloud(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_cloud(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * Where Microsoft Entra ID is, an https:// URL. Default: the cloud's. It goes before cloud.
     */
    Derived &authority_host(std::string_view value) {
        authority_host(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> authority_host(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_authority_host(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The application, or the user-assigned managed identity, that signs in. Default none.
     */
    Derived &client_id(std::string_view value) {
        client_id(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> client_id(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_client_id(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The tenant in which the application signs in. Default none.
     */
    Derived &tenant_id(std::string_view value) {
        tenant_id(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> tenant_id(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_tenant_id(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * What the default chain of credentials consists of: prod, dev, or one kind's name. Default: all kinds.
     */
    Derived &token_credentials(std::string_view value) {
        token_credentials(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> token_credentials(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_token_credentials(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    Derived &access_key_fallback(const char *) = delete;

    /**
     * Whether an access key is used only if no token can be had when a client connects. Default false: where
     * there is a key, it signs in.
     */
    Derived &access_key_fallback(bool value) {
        access_key_fallback(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> access_key_fallback(std::nothrow_t, bool value) {
        keyless_error *error = nullptr;
        keyless_options_set_access_key_fallback(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The application's secret. Default none.
     */
    Derived &client_secret(std::string_view value) {
        client_secret(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> client_secret(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_client_secret(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The Redis user name of a Microsoft Entra sign-in. Default: the token's oid claim.
     */
    Derived &user_name(std::string_view value) {
        user_name(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> user_name(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_user_name(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The path of a PEM file of authorities that are trusted for the token endpoint beside the platform's.
     * Default none.
     */
    Derived &token_ca_file(std::string_view value) {
        token_ca_file(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> token_ca_file(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set_token_ca_file(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /**
     * The part of a token's lifetime after which it is replaced. Default 0.75.
     */
    Derived &refresh_ratio(double value) {
        refresh_ratio(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> refresh_ratio(std::nothrow_t, double value) {
        keyless_error *error = nullptr;
        keyless_options_set_refresh_ratio(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * The part of a token's lifetime by which a refresh may come earlier, at random. Default 0.1; less than
     * refresh_ratio.
     */
    Derived &refresh_jitter(double value) {
        refresh_jitter(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> refresh_jitter(std::nothrow_t, double value) {
        keyless_error *error = nullptr;
        keyless_options_set_refresh_jitter(static_cast<Derived *>(this)->handle(), value, &error);
        return detail::outcome(error);
    }

    /**
     * How long before a token's end it is replaced at the latest, where its lifetime allows. Default 5 min; Azure
     * asks for at least 3.
     */
    Derived &refresh_margin(std::chrono::milliseconds value) {
        refresh_margin(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> refresh_margin(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_refresh_margin_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * The shortest wait between two attempts to get a token. Default 1 s.
     */
    Derived &refresh_retry_min(std::chrono::milliseconds value) {
        refresh_retry_min(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> refresh_retry_min(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_refresh_retry_min_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * The longest wait between two attempts to get a token. Default 30 s.
     */
    Derived &refresh_retry_max(std::chrono::milliseconds value) {
        refresh_retry_max(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> refresh_retry_max(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_refresh_retry_max_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * The time the first attempt to get a token may take; later ones get more. Default 10 s.
     */
    Derived &token_request_timeout(std::chrono::milliseconds value) {
        token_request_timeout(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> token_request_timeout(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_token_request_timeout_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * Over how long the AUTH of live connections is spread after a refresh. Default auto: a small part of the old
     * token's remaining life, at most 10 s. std::nullopt stands for `auto`.
     */
    Derived &reauth_stagger(std::optional<std::chrono::milliseconds> value) {
        reauth_stagger(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> reauth_stagger(std::nothrow_t, std::optional<std::chrono::milliseconds> value) {
        keyless_error *error = nullptr;
        keyless_options_set_reauth_stagger_ms(static_cast<Derived *>(this)->handle(), value ? detail::milliseconds(*value) : UINT64_MAX, &error);
        return detail::outcome(error);
    }

    /**
     * The shortest wait before a refused AUTH of a live connection is tried again; it doubles up to 30 s, and
     * ends before the connection's own token does. Default 100 ms.
     */
    Derived &reauth_retry_min(std::chrono::milliseconds value) {
        reauth_retry_min(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> reauth_retry_min(std::nothrow_t, std::chrono::milliseconds value) {
        keyless_error *error = nullptr;
        keyless_options_set_reauth_retry_min_ms(static_cast<Derived *>(this)->handle(), detail::milliseconds(value), &error);
        return detail::outcome(error);
    }

    /**
     * The cache's host or host:port; more than one are tried in turn. In a connection string a part without =.
     */
    Derived &add_endpoint(std::string_view value) {
        add_endpoint(std::nothrow, value).value();
        return static_cast<Derived &>(*this);
    }

    /** The same, without exceptions. */
    Result<void> add_endpoint(std::nothrow_t, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_add_endpoint(static_cast<Derived *>(this)->handle(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }
};

} // namespace keyless

#endif
