/**
 * @file
 * Commands on hashes.
 */

#ifndef KEYLESS_COMMANDS_HASHES_HPP
#define KEYLESS_COMMANDS_HASHES_HPP

#include "types.hpp"

namespace keyless {

/** Commands on hashes; see Commands. */
template <typename Derived>
class HashCommands : detail::CommandGroup<Derived, HashCommands> {
    friend detail::CommandGroup<Derived, HashCommands>;

public:
    /** Gives the value of a field (OptionalString). */
    decltype(auto) hget(std::string_view key, std::string_view field) {
        return this->template send<OptionalString>("HGET", key, field);
    }

    /** Sets a field. Gives how many are new (long long). */
    decltype(auto) hset(std::string_view key, std::string_view field, std::string_view value) {
        return this->template send<long long>("HSET", key, field, value);
    }

    /** Sets a range of pairs of field and value. Gives how many are new (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) hset(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "HSET", key);
    }

    /** Sets fields. Gives how many are new (long long). */
    decltype(auto) hset(std::string_view key,
                        std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
        return hset(key, pairs.begin(), pairs.end());
    }

    /** Sets a field unless it exists. Gives whether it was set (bool). */
    decltype(auto) hsetnx(std::string_view key, std::string_view field, std::string_view value) {
        return this->template send<bool>("HSETNX", key, field, value);
    }

    /** Gives the values of a range of fields (T, of OptionalString). */
    template <typename T = std::vector<OptionalString>, typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) hmget(std::string_view key, Input first, Input last) {
        return this->template send_range<T>(first, last, "HMGET", key);
    }

    /** Gives the values of fields (T, of OptionalString). */
    template <typename T = std::vector<OptionalString>>
    decltype(auto) hmget(std::string_view key, std::initializer_list<std::string_view> fields) {
        return hmget<T>(key, fields.begin(), fields.end());
    }

    /** Puts the values of a range of fields, OptionalString each, into `out`. */
    template <typename Input, typename Output, typename = detail::IfIterator<Input>>
    decltype(auto) hmget(std::string_view key, Input first, Input last, Output out) {
        return this->self().transfer(hmget<Reply>(key, first, last), out);
    }

    /** Gives all fields and values (T, of pairs). */
    template <typename T = std::unordered_map<std::string, std::string>>
    decltype(auto) hgetall(std::string_view key) {
        return this->template send<T>("HGETALL", key);
    }

    /** Puts all fields and values, as pairs, into `out`. */
    template <typename Output>
    decltype(auto) hgetall(std::string_view key, Output out) {
        return this->self().transfer(hgetall<Reply>(key), out);
    }

    /** Removes a field. Gives how many were removed (long long). */
    decltype(auto) hdel(std::string_view key, std::string_view field) {
        return this->template send<long long>("HDEL", key, field);
    }

    /** Removes a range of fields. Gives how many were removed (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) hdel(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "HDEL", key);
    }

    /** Removes fields. Gives how many were removed (long long). */
    decltype(auto) hdel(std::string_view key, std::initializer_list<std::string_view> fields) {
        return hdel(key, fields.begin(), fields.end());
    }

    /** Gives whether a field exists (bool). */
    decltype(auto) hexists(std::string_view key, std::string_view field) {
        return this->template send<bool>("HEXISTS", key, field);
    }

    /** Gives how many fields there are (long long). */
    decltype(auto) hlen(std::string_view key) { return this->template send<long long>("HLEN", key); }

    /** Gives the length of a field's value in bytes (long long). */
    decltype(auto) hstrlen(std::string_view key, std::string_view field) {
        return this->template send<long long>("HSTRLEN", key, field);
    }

    /** Gives all fields (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) hkeys(std::string_view key) {
        return this->template send<T>("HKEYS", key);
    }

    /** Puts all fields into `out`. */
    template <typename Output>
    decltype(auto) hkeys(std::string_view key, Output out) {
        return this->self().transfer(hkeys<Reply>(key), out);
    }

    /** Gives all values (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) hvals(std::string_view key) {
        return this->template send<T>("HVALS", key);
    }

    /** Puts all values into `out`. */
    template <typename Output>
    decltype(auto) hvals(std::string_view key, Output out) {
        return this->self().transfer(hvals<Reply>(key), out);
    }

    /** Adds to a field. Gives the new number (long long). */
    decltype(auto) hincrby(std::string_view key, std::string_view field, long long increment) {
        return this->template send<long long>("HINCRBY", key, field, increment);
    }

    /** Adds to a field. Gives the new number (double). */
    decltype(auto) hincrbyfloat(std::string_view key, std::string_view field, double increment) {
        return this->template send<double>("HINCRBYFLOAT", key, field, increment);
    }

    /** Gives some fields with values and where to go on (std::pair<Cursor, T>). */
    template <typename T = std::vector<std::pair<std::string, std::string>>>
    decltype(auto) hscan(std::string_view key, Cursor cursor, std::string_view pattern = "*", long long count = 10) {
        return this->template send<std::pair<Cursor, T>>("HSCAN", key, cursor, "MATCH", pattern, "COUNT", count);
    }

    /** Puts some fields with values into `out`. Gives where to go on (Cursor). */
    template <typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) hscan(std::string_view key, Cursor cursor, std::string_view pattern, long long count, Output out) {
        return this->self().transfer_page(hscan<Reply>(key, cursor, pattern, count), out);
    }
};

} // namespace keyless

#endif
