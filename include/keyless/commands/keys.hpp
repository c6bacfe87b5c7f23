/**
 * @file
 * Commands on keys of any type, and on the server.
 */

#ifndef KEYLESS_COMMANDS_KEYS_HPP
#define KEYLESS_COMMANDS_KEYS_HPP

#include "types.hpp"

namespace keyless {

/** Commands on keys of any type, and on the server; see Commands. */
template <typename Derived>
class KeyCommands : detail::CommandGroup<Derived, KeyCommands> {
    friend detail::CommandGroup<Derived, KeyCommands>;

public:
    /** Removes a key. Gives how many were removed (long long). */
    decltype(auto) del(std::string_view key) { return this->template send<long long>("DEL", key); }

    /** Removes a range of keys. Gives how many were removed (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) del(Input first, Input last) {
        return this->template send_range<long long>(first, last, "DEL");
    }

    /** Removes keys. Gives how many were removed (long long). */
    decltype(auto) del(std::initializer_list<std::string_view> keys) { return del(keys.begin(), keys.end()); }

    /** As del(), but the server frees the memory later. */
    decltype(auto) unlink(std::string_view key) { return this->template send<long long>("UNLINK", key); }

    /** As del(), but the server frees the memory later. */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) unlink(Input first, Input last) {
        return this->template send_range<long long>(first, last, "UNLINK");
    }

    /** As del(), but the server frees the memory later. */
    decltype(auto) unlink(std::initializer_list<std::string_view> keys) { return unlink(keys.begin(), keys.end()); }

    /** Gives how many of the keys exist (long long): 0 or 1. */
    decltype(auto) exists(std::string_view key) { return this->template send<long long>("EXISTS", key); }

    /** Gives how many of the keys exist (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) exists(Input first, Input last) {
        return this->template send_range<long long>(first, last, "EXISTS");
    }

    /** Gives how many of the keys exist (long long). */
    decltype(auto) exists(std::initializer_list<std::string_view> keys) { return exists(keys.begin(), keys.end()); }

    /** Marks a key as used. Gives how many exist (long long). */
    decltype(auto) touch(std::string_view key) { return this->template send<long long>("TOUCH", key); }

    /** Ends a key after a time, in whole seconds. Gives whether it exists (bool). */
    decltype(auto) expire(std::string_view key, std::chrono::seconds timeout) {
        return this->template send<bool>("EXPIRE", key, timeout.count());
    }

    /** Ends a key after a time. Gives whether it exists (bool). */
    decltype(auto) pexpire(std::string_view key, std::chrono::milliseconds timeout) {
        return this->template send<bool>("PEXPIRE", key, timeout.count());
    }

    /** Ends a key at a moment, in whole seconds. Gives whether it exists (bool). */
    decltype(auto) expireat(std::string_view key, std::chrono::system_clock::time_point when) {
        return this->template send<bool>(
            "EXPIREAT", key, std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count());
    }

    /** Ends a key at a moment. Gives whether it exists (bool). */
    decltype(auto) pexpireat(std::string_view key, std::chrono::system_clock::time_point when) {
        return this->template send<bool>(
            "PEXPIREAT", key, std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count());
    }

    /** Takes a key's end away. Gives whether it had one (bool). */
    decltype(auto) persist(std::string_view key) { return this->template send<bool>("PERSIST", key); }

    /** Gives after how many seconds a key ends (long long); -1: never, -2: there is none. */
    decltype(auto) ttl(std::string_view key) { return this->template send<long long>("TTL", key); }

    /** Gives after how many milliseconds a key ends (long long); -1: never, -2: there is none. */
    decltype(auto) pttl(std::string_view key) { return this->template send<long long>("PTTL", key); }

    /** Gives what a key holds, `string`, `hash` ..., `none` (std::string). */
    decltype(auto) type(std::string_view key) { return this->template send<std::string>("TYPE", key); }

    /** Renames a key, over one that exists. */
    decltype(auto) rename(std::string_view key, std::string_view to) {
        return this->template send<void>("RENAME", key, to);
    }

    /** Renames a key unless the new name exists. Gives whether it did (bool). */
    decltype(auto) renamenx(std::string_view key, std::string_view to) {
        return this->template send<bool>("RENAMENX", key, to);
    }

    /** Copies a key unless the other one exists. Gives whether it did (bool). */
    decltype(auto) copy(std::string_view key, std::string_view to) {
        return this->template send<bool>("COPY", key, to);
    }

    /** Gives any key (OptionalString). */
    decltype(auto) randomkey() { return this->template send<OptionalString>("RANDOMKEY"); }

    /** Gives all keys that match (T). Slow where there are many: see scan(). */
    template <typename T = std::vector<std::string>>
    decltype(auto) keys(std::string_view pattern) {
        return this->template send<T>("KEYS", pattern);
    }

    /** Puts all keys that match into `out`. */
    template <typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) keys(std::string_view pattern, Output out) {
        return this->self().transfer(keys<Reply>(pattern), out);
    }

    /** Gives some keys and where to go on (std::pair<Cursor, T>); `count` is how many are looked at. */
    template <typename T = std::vector<std::string>>
    decltype(auto) scan(Cursor cursor, std::string_view pattern = "*", long long count = 10) {
        return this->template send<std::pair<Cursor, T>>("SCAN", cursor, "MATCH", pattern, "COUNT", count);
    }

    /** Puts some keys into `out`. Gives where to go on (Cursor). */
    template <typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) scan(Cursor cursor, std::string_view pattern, long long count, Output out) {
        return this->self().transfer_page(scan<Reply>(cursor, pattern, count), out);
    }

    /** Gives `PONG` (std::string). */
    decltype(auto) ping() { return this->template send<std::string>("PING"); }

    /** Gives the message again (std::string). */
    decltype(auto) ping(std::string_view message) { return this->template send<std::string>("PING", message); }

    /** Gives the message again (std::string). */
    decltype(auto) echo(std::string_view message) { return this->template send<std::string>("ECHO", message); }

    /** Gives how many keys there are (long long). */
    decltype(auto) dbsize() { return this->template send<long long>("DBSIZE"); }

    /** Removes all keys of the database; with `async` the server frees the memory later. */
    decltype(auto) flushdb(bool async = false) {
        return this->template send<void>("FLUSHDB", async ? "ASYNC" : "SYNC");
    }

    /** Gives what the server tells about itself (std::string). */
    decltype(auto) info(std::string_view section = "default") {
        return this->template send<std::string>("INFO", section);
    }

    /** Publishes a message. Gives how many received it from this node (long long). */
    decltype(auto) publish(std::string_view channel, std::string_view message) {
        return this->template send<long long>("PUBLISH", channel, message);
    }

    /** Publishes a message to a shard channel (Redis 7). Gives how many received it (long long). */
    decltype(auto) spublish(std::string_view channel, std::string_view message) {
        return this->template send<long long>("SPUBLISH", channel, message);
    }
};

} // namespace keyless

#endif
