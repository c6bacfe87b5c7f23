/**
 * @file
 * Figures of a client.
 */

#ifndef KEYLESS_STATS_HPP
#define KEYLESS_STATS_HPP

#include "error.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace keyless {

/** Counts since a client was made, and how things stood when they were taken. Does not change. Moves only. */
class Stats {
public:
    /** How an endpoint stood: a single server, or a node of a cluster. */
    struct Endpoint {
        /** `host:port`. Lives as long as the figures. */
        std::string_view name;
        /** Whether it had a signed-in connection. */
        bool connected;
        /** Commands that waited to be written to it. */
        std::size_t queued;
        /** Commands that waited for its reply. */
        std::size_t in_flight;
        /** How long ago it last sent anything; nothing without a connection. */
        std::optional<std::chrono::milliseconds> last_reply;
    };

    /** Takes over figures of C's. */
    explicit Stats(keyless_stats *stats) noexcept : handle_(stats) {}

    /** Commands handed over so far; each command of a pipeline counts. */
    std::uint64_t commands() const noexcept { return keyless_stats_commands(handle()); }
    /** Commands that ended in an error. */
    std::uint64_t errors() const noexcept { return keyless_stats_errors(handle(), 0); }
    /** Commands that ended in an error with this code. */
    std::uint64_t errors(Code code) const noexcept { return keyless_stats_errors(handle(), static_cast<int>(code)); }
    /** Commands that wait to be written. */
    std::size_t queued() const noexcept { return keyless_stats_queued(handle()); }
    /** Commands that were written and wait for their reply. */
    std::size_t in_flight() const noexcept { return keyless_stats_in_flight(handle()); }
    /** Connections made, the first one included. */
    std::uint64_t connections() const noexcept { return keyless_stats_connections(handle()); }
    /** Connections made after one was lost. */
    std::uint64_t reconnects() const noexcept { return keyless_stats_reconnects(handle()); }
    /** Live connections signed in again. */
    std::uint64_t reauthentications() const noexcept { return keyless_stats_reauthentications(handle()); }
    /** Attempts to sign a live connection in again that failed. */
    std::uint64_t reauthentication_failures() const noexcept {
        return keyless_stats_reauthentication_failures(handle());
    }
    /** Tokens acquired, the first one included; 0 with an access key. */
    std::uint64_t token_refreshes() const noexcept { return keyless_stats_token_refreshes(handle()); }
    /** Attempts to acquire a token that failed. */
    std::uint64_t token_refresh_failures() const noexcept { return keyless_stats_token_refresh_failures(handle()); }
    /** How long ago the token in use was received; nothing when there is none. */
    std::optional<std::chrono::milliseconds> token_age() const noexcept {
        return time(keyless_stats_token_age_ms(handle()));
    }
    /** How long the token in use is still valid, 0 when it has expired; nothing when there is none. */
    std::optional<std::chrono::milliseconds> token_remaining() const noexcept {
        return time(keyless_stats_token_remaining_ms(handle()));
    }
    /** Reads that client-side caching answered. */
    std::uint64_t cache_hits() const noexcept { return keyless_stats_cache_hits(handle()); }
    /** Reads that client-side caching could have answered, and had not. */
    std::uint64_t cache_misses() const noexcept { return keyless_stats_cache_misses(handle()); }
    /** Replies that client-side caching holds. */
    std::size_t cache_entries() const noexcept { return keyless_stats_cache_entries(handle()); }
    /** Bytes that client-side caching holds. */
    std::size_t cache_bytes() const noexcept { return keyless_stats_cache_bytes(handle()); }
    /** Messages that subscriptions lost by being slow. */
    std::uint64_t messages_dropped() const noexcept { return keyless_stats_messages_dropped(handle()); }
    /** Events that no handler heard of because the queue was full. */
    std::uint64_t events_dropped() const noexcept { return keyless_stats_events_dropped(handle()); }
    /** How many commands the latency is about. */
    std::uint64_t latency_count() const noexcept { return keyless_stats_latency_count(handle()); }
    /** The time within which half of the commands were answered. */
    std::chrono::microseconds latency_p50() const noexcept { return micro(keyless_stats_latency_p50_us(handle())); }
    /** The time within which 90 % of the commands were answered. */
    std::chrono::microseconds latency_p90() const noexcept { return micro(keyless_stats_latency_p90_us(handle())); }
    /** The time within which 99 % of the commands were answered. */
    std::chrono::microseconds latency_p99() const noexcept { return micro(keyless_stats_latency_p99_us(handle())); }
    /** The time within which 99.9 % of the commands were answered. */
    std::chrono::microseconds latency_p99_9() const noexcept { return micro(keyless_stats_latency_p99_9_us(handle())); }
    /** The longest time that a command took to be answered. */
    std::chrono::microseconds latency_max() const noexcept { return micro(keyless_stats_latency_max_us(handle())); }

    /** The endpoints: one, or a cluster's nodes. */
    std::vector<Endpoint> endpoints() const {
        std::vector<Endpoint> all;
        for (std::size_t index = 0; index < keyless_stats_endpoint_count(handle()); ++index) {
            std::size_t length = 0;
            const char *name = keyless_stats_endpoint_name(handle(), index, &length);
            all.push_back({std::string_view(name, length), keyless_stats_endpoint_connected(handle(), index),
                           keyless_stats_endpoint_queued(handle(), index), keyless_stats_endpoint_in_flight(handle(), index),
                           time(keyless_stats_endpoint_last_reply_ms(handle(), index))});
        }
        return all;
    }

    /** The handle of C, borrowed. */
    const keyless_stats *handle() const noexcept { return handle_.get(); }

private:
    static std::optional<std::chrono::milliseconds> time(std::int64_t milliseconds) noexcept {
        return milliseconds >= 0 ? std::optional(std::chrono::milliseconds(milliseconds)) : std::nullopt;
    }
    static std::chrono::microseconds micro(std::uint64_t microseconds) noexcept {
        return std::chrono::microseconds(static_cast<std::int64_t>(microseconds));
    }

    detail::Owned<keyless_stats, keyless_stats_free> handle_;
};

} // namespace keyless

#endif
