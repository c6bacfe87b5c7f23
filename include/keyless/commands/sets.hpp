/**
 * @file
 * Commands on sets.
 */

#ifndef KEYLESS_COMMANDS_SETS_HPP
#define KEYLESS_COMMANDS_SETS_HPP

#include "types.hpp"

namespace keyless {

/** Commands on sets; see Commands. */
template <typename Derived>
class SetCommands : detail::CommandGroup<Derived, SetCommands> {
    friend detail::CommandGroup<Derived, SetCommands>;

public:
    /** Adds a member. Gives how many are new (long long). */
    decltype(auto) sadd(std::string_view key, std::string_view member) {
        return this->template send<long long>("SADD", key, member);
    }

    /** Adds a range of members. Gives how many are new (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) sadd(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "SADD", key);
    }

    /** Adds members. Gives how many are new (long long). */
    decltype(auto) sadd(std::string_view key, std::initializer_list<std::string_view> members) {
        return sadd(key, members.begin(), members.end());
    }

    /** Removes a member. Gives how many were removed (long long). */
    decltype(auto) srem(std::string_view key, std::string_view member) {
        return this->template send<long long>("SREM", key, member);
    }

    /** Removes a range of members. Gives how many were removed (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) srem(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "SREM", key);
    }

    /** Removes members. Gives how many were removed (long long). */
    decltype(auto) srem(std::string_view key, std::initializer_list<std::string_view> members) {
        return srem(key, members.begin(), members.end());
    }

    /** Gives how many members there are (long long). */
    decltype(auto) scard(std::string_view key) { return this->template send<long long>("SCARD", key); }

    /** Gives whether something is a member (bool). */
    decltype(auto) sismember(std::string_view key, std::string_view member) {
        return this->template send<bool>("SISMEMBER", key, member);
    }

    /** Gives all members (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) smembers(std::string_view key) {
        return this->template send<T>("SMEMBERS", key);
    }

    /** Puts all members into `out`. */
    template <typename Output>
    decltype(auto) smembers(std::string_view key, Output out) {
        return this->self().transfer(smembers<Reply>(key), out);
    }

    /** Moves a member to another set. Gives whether it was one (bool). */
    decltype(auto) smove(std::string_view from, std::string_view to, std::string_view member) {
        return this->template send<bool>("SMOVE", from, to, member);
    }

    /** Takes any member (OptionalString). */
    decltype(auto) spop(std::string_view key) { return this->template send<OptionalString>("SPOP", key); }

    /** Gives any member (OptionalString). */
    decltype(auto) srandmember(std::string_view key) {
        return this->template send<OptionalString>("SRANDMEMBER", key);
    }

    /** Gives the members of the first of a range of sets that are in no other one (T). */
    template <typename T = std::vector<std::string>, typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) sdiff(Input first, Input last) {
        return this->template send_range<T>(first, last, "SDIFF");
    }

    /** Gives the members of the first set that are in no other one (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) sdiff(std::initializer_list<std::string_view> keys) {
        return sdiff<T>(keys.begin(), keys.end());
    }

    /** Puts the members of the first set that are in no other one into `out`. */
    template <typename Input, typename Output, typename = detail::IfIterator<Input>>
    decltype(auto) sdiff(Input first, Input last, Output out) {
        return this->self().transfer(sdiff<Reply>(first, last), out);
    }

    /** Gives the members of all of a range of sets (T). */
    template <typename T = std::vector<std::string>, typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) sinter(Input first, Input last) {
        return this->template send_range<T>(first, last, "SINTER");
    }

    /** Gives what is a member of all sets (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) sinter(std::initializer_list<std::string_view> keys) {
        return sinter<T>(keys.begin(), keys.end());
    }

    /** Puts what is a member of all sets into `out`. */
    template <typename Input, typename Output, typename = detail::IfIterator<Input>>
    decltype(auto) sinter(Input first, Input last, Output out) {
        return this->self().transfer(sinter<Reply>(first, last), out);
    }

    /** Gives what is a member of any of a range of sets (T). */
    template <typename T = std::vector<std::string>, typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) sunion(Input first, Input last) {
        return this->template send_range<T>(first, last, "SUNION");
    }

    /** Gives what is a member of any set (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) sunion(std::initializer_list<std::string_view> keys) {
        return sunion<T>(keys.begin(), keys.end());
    }

    /** Puts what is a member of any set into `out`. */
    template <typename Input, typename Output, typename = detail::IfIterator<Input>>
    decltype(auto) sunion(Input first, Input last, Output out) {
        return this->self().transfer(sunion<Reply>(first, last), out);
    }

    /** Gives some members and where to go on (std::pair<Cursor, T>). */
    template <typename T = std::vector<std::string>>
    decltype(auto) sscan(std::string_view key, Cursor cursor, std::string_view pattern = "*", long long count = 10) {
        return this->template send<std::pair<Cursor, T>>("SSCAN", key, cursor, "MATCH", pattern, "COUNT", count);
    }

    /** Puts some members into `out`. Gives where to go on (Cursor). */
    template <typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) sscan(std::string_view key, Cursor cursor, std::string_view pattern, long long count, Output out) {
        return this->self().transfer_page(sscan<Reply>(key, cursor, pattern, count), out);
    }
};

} // namespace keyless

#endif
