/**
 * @file
 * Commands on streams.
 */

#ifndef KEYLESS_COMMANDS_STREAMS_HPP
#define KEYLESS_COMMANDS_STREAMS_HPP

#include "types.hpp"

namespace keyless {

/** Commands on streams; see Commands. */
template <typename Derived>
class StreamCommands : detail::CommandGroup<Derived, StreamCommands> {
    friend detail::CommandGroup<Derived, StreamCommands>;

public:
    /** Adds an entry of a range of pairs; `*` as its id lets the server choose one. Gives its id (std::string). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) xadd(std::string_view key, std::string_view id, Input first, Input last) {
        return this->template send_range<std::string>(first, last, "XADD", key, id);
    }

    /** Adds an entry. Gives its id (std::string). */
    decltype(auto) xadd(std::string_view key, std::string_view id,
                        std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
        return xadd(key, id, fields.begin(), fields.end());
    }

    /** Adds an entry and lets `count` stay, or, with `approx`, a few more, which is faster. Gives its id (std::string). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) xadd(std::string_view key, std::string_view id, Input first, Input last, long long count,
                        bool approx = true) {
        return this->template send_range<std::string>(first, last, "XADD", key, "MAXLEN", approx ? "~" : "=", count,
                                                      id);
    }

    /** Lets `count` entries stay. Gives how many were removed (long long). */
    decltype(auto) xtrim(std::string_view key, long long count, bool approx = true) {
        return this->template send<long long>("XTRIM", key, "MAXLEN", approx ? "~" : "=", count);
    }

    /** Gives how many entries there are (long long). */
    decltype(auto) xlen(std::string_view key) { return this->template send<long long>("XLEN", key); }

    /** Removes an entry. Gives how many were removed (long long). */
    decltype(auto) xdel(std::string_view key, std::string_view id) {
        return this->template send<long long>("XDEL", key, id);
    }

    /** Gives entries from one id to another, `-` and `+` stand for the first and the last (ItemStream). */
    decltype(auto) xrange(std::string_view key, std::string_view start, std::string_view end) {
        return this->template send<ItemStream>("XRANGE", key, start, end);
    }

    /** Gives up to `count` entries from one id to another (ItemStream). */
    decltype(auto) xrange(std::string_view key, std::string_view start, std::string_view end, long long count) {
        return this->template send<ItemStream>("XRANGE", key, start, end, "COUNT", count);
    }

    /** Gives entries backwards from one id to another (ItemStream). */
    decltype(auto) xrevrange(std::string_view key, std::string_view end, std::string_view start) {
        return this->template send<ItemStream>("XREVRANGE", key, end, start);
    }

    /** Gives up to `count` entries backwards from one id to another (ItemStream). */
    decltype(auto) xrevrange(std::string_view key, std::string_view end, std::string_view start, long long count) {
        return this->template send<ItemStream>("XREVRANGE", key, end, start, "COUNT", count);
    }

    /** Gives up to `count` entries behind an id (OptionalStreams). */
    decltype(auto) xread(std::string_view key, std::string_view id, long long count) {
        return this->template send<OptionalStreams>("XREAD", "COUNT", count, "STREAMS", key, id);
    }

    /** Waits for entries behind an id; a timeout of 0 waits for ever. Gives up to `count` (OptionalStreams). */
    decltype(auto) xread(std::string_view key, std::string_view id, std::chrono::milliseconds timeout,
                         long long count) {
        return this->template send<OptionalStreams>("XREAD", "COUNT", count, "BLOCK", timeout.count(), "STREAMS", key,
                                                    id);
    }

    /** Makes a group that reads from an id on, `$` for what is added from now on; with `mkstream` the stream too. */
    decltype(auto) xgroup_create(std::string_view key, std::string_view group, std::string_view id,
                                 bool mkstream = false) {
        Arguments arguments("XGROUP", "CREATE", key, group, id);
        return this->self().template run<void>(arguments.add_if(mkstream, "MKSTREAM"));
    }

    /** Removes a group. Gives how many were removed (long long). */
    decltype(auto) xgroup_destroy(std::string_view key, std::string_view group) {
        return this->template send<long long>("XGROUP", "DESTROY", key, group);
    }

    /** Gives up to `count` entries to a member of a group; id `>`: ones that nobody got (OptionalStreams). */
    decltype(auto) xreadgroup(std::string_view group, std::string_view consumer, std::string_view key,
                              std::string_view id, long long count, bool noack = false) {
        Arguments arguments("XREADGROUP", "GROUP", group, consumer, "COUNT", count);
        arguments.add_if(noack, "NOACK");
        return this->self().template run<OptionalStreams>(arguments.add("STREAMS", key, id));
    }

    /** Waits for entries for a member of a group; a timeout of 0 waits for ever. Gives the same. */
    decltype(auto) xreadgroup(std::string_view group, std::string_view consumer, std::string_view key,
                              std::string_view id, std::chrono::milliseconds timeout, long long count,
                              bool noack = false) {
        Arguments arguments("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "BLOCK", timeout.count());
        arguments.add_if(noack, "NOACK");
        return this->self().template run<OptionalStreams>(arguments.add("STREAMS", key, id));
    }

    /** Says that a group is done with an entry. Gives how many it had (long long). */
    decltype(auto) xack(std::string_view key, std::string_view group, std::string_view id) {
        return this->template send<long long>("XACK", key, group, id);
    }

    /** Says that a group is done with a range of entries. Gives how many it had (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) xack(std::string_view key, std::string_view group, Input first, Input last) {
        return this->template send_range<long long>(first, last, "XACK", key, group);
    }
};

} // namespace keyless

#endif
