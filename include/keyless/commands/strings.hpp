/**
 * @file
 * Commands on strings, bitmaps and HyperLogLogs.
 */

#ifndef KEYLESS_COMMANDS_STRINGS_HPP
#define KEYLESS_COMMANDS_STRINGS_HPP

#include "types.hpp"

namespace keyless {

/** Commands on strings; see Commands. */
template <typename Derived>
class StringCommands : detail::CommandGroup<Derived, StringCommands> {
    friend detail::CommandGroup<Derived, StringCommands>;

public:
    /** Gives the value of a key (OptionalString). */
    decltype(auto) get(std::string_view key) { return this->template send<OptionalString>("GET", key); }

    /** Gives the value of a key (OptionalString) and removes it. */
    decltype(auto) getdel(std::string_view key) { return this->template send<OptionalString>("GETDEL", key); }

    /** Gives the value of a key (OptionalString), which ends after `ttl` from now on. */
    decltype(auto) getex(std::string_view key, std::chrono::milliseconds ttl) {
        return this->template send<OptionalString>("GETEX", key, "PX", ttl.count());
    }

    /** Sets a value and gives the one before (OptionalString). */
    decltype(auto) getset(std::string_view key, std::string_view value) {
        return this->template send<OptionalString>("SET", key, value, "GET");
    }

    /**
     * Sets a value, which ends after `ttl` (0: never). Gives whether it was set (bool), which only `type` can prevent.
     */
    decltype(auto) set(std::string_view key, std::string_view value,
                       std::chrono::milliseconds ttl = std::chrono::milliseconds(0),
                       UpdateType type = UpdateType::ALWAYS) {
        Arguments arguments("SET", key, value);
        arguments.add_if(ttl.count() > 0, "PX", ttl.count());
        return this->self().template run<bool>(updating(arguments, type));
    }

    /** Sets a value; with `keepttl` an end that was set before stays. Gives whether it was set (bool). */
    template <typename Bool, typename = std::enable_if_t<std::is_same_v<Bool, bool>>>
    decltype(auto) set(std::string_view key, std::string_view value, Bool keepttl,
                       UpdateType type = UpdateType::ALWAYS) {
        Arguments arguments("SET", key, value);
        arguments.add_if(keepttl, "KEEPTTL");
        return this->self().template run<bool>(updating(arguments, type));
    }

    /** Sets a value that ends after whole seconds. */
    decltype(auto) setex(std::string_view key, std::chrono::seconds ttl, std::string_view value) {
        return this->template send<void>("SETEX", key, ttl.count(), value);
    }

    /** Sets a value that ends after a time. */
    decltype(auto) psetex(std::string_view key, std::chrono::milliseconds ttl, std::string_view value) {
        return this->template send<void>("PSETEX", key, ttl.count(), value);
    }

    /** Sets a value unless there is one. Gives whether it was set (bool). */
    decltype(auto) setnx(std::string_view key, std::string_view value) {
        return this->template send<bool>("SETNX", key, value);
    }

    /** Gives the values of a range of keys (T, of OptionalString). */
    template <typename T = std::vector<OptionalString>, typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) mget(Input first, Input last) {
        return this->template send_range<T>(first, last, "MGET");
    }

    /** Gives the values of keys (T, of OptionalString). */
    template <typename T = std::vector<OptionalString>>
    decltype(auto) mget(std::initializer_list<std::string_view> keys) {
        return mget<T>(keys.begin(), keys.end());
    }

    /** Puts the values of a range of keys, OptionalString each, into `out`. */
    template <typename Input, typename Output, typename = detail::IfIterator<Input>>
    decltype(auto) mget(Input first, Input last, Output out) {
        return this->self().transfer(mget<Reply>(first, last), out);
    }

    /** Puts the values of keys, OptionalString each, into `out`. */
    template <typename Output>
    decltype(auto) mget(std::initializer_list<std::string_view> keys, Output out) {
        return mget(keys.begin(), keys.end(), out);
    }

    /** Sets the values of a range of pairs. */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) mset(Input first, Input last) {
        return this->template send_range<void>(first, last, "MSET");
    }

    /** Sets values. */
    decltype(auto) mset(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
        return mset(pairs.begin(), pairs.end());
    }

    /** Sets the values of a range of pairs if none of the keys exists. Gives whether they were set (bool). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) msetnx(Input first, Input last) {
        return this->template send_range<bool>(first, last, "MSETNX");
    }

    /** Sets values if none of the keys exists. Gives whether they were set (bool). */
    decltype(auto) msetnx(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
        return msetnx(pairs.begin(), pairs.end());
    }

    /** Appends to a value. Gives its new length in bytes (long long). */
    decltype(auto) append(std::string_view key, std::string_view value) {
        return this->template send<long long>("APPEND", key, value);
    }

    /** Gives the length of a value in bytes (long long); 0 if there is none. */
    decltype(auto) strlen(std::string_view key) { return this->template send<long long>("STRLEN", key); }

    /** Gives a part of a value (std::string), from `start` to `end`, both included; negative: from the end. */
    decltype(auto) getrange(std::string_view key, long long start, long long end) {
        return this->template send<std::string>("GETRANGE", key, start, end);
    }

    /** Writes over a part of a value. Gives its new length (long long). */
    decltype(auto) setrange(std::string_view key, long long offset, std::string_view value) {
        return this->template send<long long>("SETRANGE", key, offset, value);
    }

    /** Adds 1. Gives the new number (long long). */
    decltype(auto) incr(std::string_view key) { return this->template send<long long>("INCR", key); }

    /** Adds. Gives the new number (long long). */
    decltype(auto) incrby(std::string_view key, long long increment) {
        return this->template send<long long>("INCRBY", key, increment);
    }

    /** Adds. Gives the new number (double). */
    decltype(auto) incrbyfloat(std::string_view key, double increment) {
        return this->template send<double>("INCRBYFLOAT", key, increment);
    }

    /** Takes 1 away. Gives the new number (long long). */
    decltype(auto) decr(std::string_view key) { return this->template send<long long>("DECR", key); }

    /** Takes away. Gives the new number (long long). */
    decltype(auto) decrby(std::string_view key, long long decrement) {
        return this->template send<long long>("DECRBY", key, decrement);
    }

    /** Sets a bit, 0 or 1. Gives the one before (long long). */
    decltype(auto) setbit(std::string_view key, long long offset, long long value) {
        return this->template send<long long>("SETBIT", key, offset, value);
    }

    /** Gives a bit (long long). */
    decltype(auto) getbit(std::string_view key, long long offset) {
        return this->template send<long long>("GETBIT", key, offset);
    }

    /** Gives how many bits are set (long long). */
    decltype(auto) bitcount(std::string_view key) { return this->template send<long long>("BITCOUNT", key); }

    /** Adds an element to a HyperLogLog. Gives whether its estimate changed (bool). */
    decltype(auto) pfadd(std::string_view key, std::string_view element) {
        return this->template send<bool>("PFADD", key, element);
    }

    /** Gives about how many elements a HyperLogLog has seen (long long). */
    decltype(auto) pfcount(std::string_view key) { return this->template send<long long>("PFCOUNT", key); }

private:
    static Arguments &updating(Arguments &arguments, UpdateType type) {
        arguments.add_if(type == UpdateType::EXIST, "XX");
        return arguments.add_if(type == UpdateType::NOT_EXIST, "NX");
    }
};

} // namespace keyless

#endif
