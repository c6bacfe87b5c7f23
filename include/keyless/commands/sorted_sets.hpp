/**
 * @file
 * Commands on sorted sets.
 */

#ifndef KEYLESS_COMMANDS_SORTED_SETS_HPP
#define KEYLESS_COMMANDS_SORTED_SETS_HPP

#include "types.hpp"

namespace keyless {

/**
 * Commands on sorted sets; see Commands.
 *
 * Ranges come with scores if pairs are asked for: `zrange<std::vector<std::pair<std::string, double>>>(...)`, or with an
 * iterator that inserts into such a container.
 */
template <typename Derived>
class SortedSetCommands : detail::CommandGroup<Derived, SortedSetCommands> {
    friend detail::CommandGroup<Derived, SortedSetCommands>;

public:
    /** Adds a member. Gives how many are new, with `changed` how many are new or have another score (long long). */
    decltype(auto) zadd(std::string_view key, std::string_view member, double score,
                        UpdateType type = UpdateType::ALWAYS, bool changed = false) {
        Arguments arguments("ZADD", key);
        updating(arguments, type, changed);
        return this->self().template run<long long>(arguments.add(score, member));
    }

    /** Adds a range of pairs of member and score. Gives the same. */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) zadd(std::string_view key, Input first, Input last, UpdateType type = UpdateType::ALWAYS,
                        bool changed = false) {
        Arguments arguments("ZADD", key);
        updating(arguments, type, changed);
        for (; first != last; ++first) {
            auto &&[member, score] = *first;
            using Pair = decltype(*first);
            arguments.add(score);
            if constexpr (std::is_reference_v<Pair>) {
                arguments.add(member);
            } else {
                arguments.add(std::string(std::string_view(member)));
            }
        }
        return this->self().template run<long long>(arguments);
    }

    /** Adds members. Gives the same. */
    decltype(auto) zadd(std::string_view key, std::initializer_list<std::pair<std::string_view, double>> members,
                        UpdateType type = UpdateType::ALWAYS, bool changed = false) {
        return zadd(key, members.begin(), members.end(), type, changed);
    }

    /** Adds to a member's score. Gives the new one (double). */
    decltype(auto) zincrby(std::string_view key, double increment, std::string_view member) {
        return this->template send<double>("ZINCRBY", key, increment, member);
    }

    /** Gives how many members there are (long long). */
    decltype(auto) zcard(std::string_view key) { return this->template send<long long>("ZCARD", key); }

    /** Gives how many members have scores in an interval (long long). */
    template <typename Interval>
    decltype(auto) zcount(std::string_view key, const Interval &interval) {
        return this->template send<long long>("ZCOUNT", key, interval.lower(), interval.upper());
    }

    /** Gives a member's score (OptionalDouble). */
    decltype(auto) zscore(std::string_view key, std::string_view member) {
        return this->template send<OptionalDouble>("ZSCORE", key, member);
    }

    /** Gives a member's place from the lowest score, from 0 (OptionalLongLong). */
    decltype(auto) zrank(std::string_view key, std::string_view member) {
        return this->template send<OptionalLongLong>("ZRANK", key, member);
    }

    /** Gives a member's place from the highest score, from 0 (OptionalLongLong). */
    decltype(auto) zrevrank(std::string_view key, std::string_view member) {
        return this->template send<OptionalLongLong>("ZREVRANK", key, member);
    }

    /** Gives members by place, both ends included (T). */
    template <typename T = std::vector<std::string>>
    decltype(auto) zrange(std::string_view key, long long start, long long stop) {
        return by_place<T>("ZRANGE", key, start, stop, detail::WantsPairs<T>::value);
    }

    /** Puts members by place, both ends included, into `out`. */
    template <typename Output>
    decltype(auto) zrange(std::string_view key, long long start, long long stop, Output out) {
        constexpr bool scores = detail::WantsPairs<Output>::value;
        return this->self().transfer(by_place<Reply>("ZRANGE", key, start, stop, scores), out);
    }

    /** As zrange(), from the highest score. */
    template <typename T = std::vector<std::string>>
    decltype(auto) zrevrange(std::string_view key, long long start, long long stop) {
        return by_place<T>("ZREVRANGE", key, start, stop, detail::WantsPairs<T>::value);
    }

    /** As zrange(), from the highest score. */
    template <typename Output>
    decltype(auto) zrevrange(std::string_view key, long long start, long long stop, Output out) {
        constexpr bool scores = detail::WantsPairs<Output>::value;
        return this->self().transfer(by_place<Reply>("ZREVRANGE", key, start, stop, scores), out);
    }

    /** Gives members with scores in an interval (T). */
    template <typename T = std::vector<std::string>, typename Interval>
    decltype(auto) zrangebyscore(std::string_view key, const Interval &interval, const LimitOptions &limit = {}) {
        return by_score<T>("ZRANGEBYSCORE", key, interval.lower(), interval.upper(), limit,
                           detail::WantsPairs<T>::value);
    }

    /** Puts members with scores in an interval into `out`. */
    template <typename Interval, typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) zrangebyscore(std::string_view key, const Interval &interval, Output out) {
        return zrangebyscore(key, interval, LimitOptions(), out);
    }

    /** Puts members with scores in an interval into `out`. */
    template <typename Interval, typename Output>
    decltype(auto) zrangebyscore(std::string_view key, const Interval &interval, const LimitOptions &limit,
                                 Output out) {
        constexpr bool scores = detail::WantsPairs<Output>::value;
        return this->self().transfer(
            by_score<Reply>("ZRANGEBYSCORE", key, interval.lower(), interval.upper(), limit, scores), out);
    }

    /** As zrangebyscore(), from the highest score. */
    template <typename T = std::vector<std::string>, typename Interval>
    decltype(auto) zrevrangebyscore(std::string_view key, const Interval &interval, const LimitOptions &limit = {}) {
        return by_score<T>("ZREVRANGEBYSCORE", key, interval.upper(), interval.lower(), limit,
                           detail::WantsPairs<T>::value);
    }

    /** As zrangebyscore(), from the highest score. */
    template <typename Interval, typename Output>
    decltype(auto) zrevrangebyscore(std::string_view key, const Interval &interval, const LimitOptions &limit,
                                    Output out) {
        constexpr bool scores = detail::WantsPairs<Output>::value;
        return this->self().transfer(
            by_score<Reply>("ZREVRANGEBYSCORE", key, interval.upper(), interval.lower(), limit, scores), out);
    }

    /** Gives members of an interval of members, where all have the same score (T). */
    template <typename T = std::vector<std::string>, typename Interval>
    decltype(auto) zrangebylex(std::string_view key, const Interval &interval, const LimitOptions &limit = {}) {
        return by_score<T>("ZRANGEBYLEX", key, interval.lower(), interval.upper(), limit, false);
    }

    /** Removes a member. Gives how many were removed (long long). */
    decltype(auto) zrem(std::string_view key, std::string_view member) {
        return this->template send<long long>("ZREM", key, member);
    }

    /** Removes a range of members. Gives how many were removed (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) zrem(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "ZREM", key);
    }

    /** Removes members. Gives how many were removed (long long). */
    decltype(auto) zrem(std::string_view key, std::initializer_list<std::string_view> members) {
        return zrem(key, members.begin(), members.end());
    }

    /** Removes members by place, both ends included. Gives how many were removed (long long). */
    decltype(auto) zremrangebyrank(std::string_view key, long long start, long long stop) {
        return this->template send<long long>("ZREMRANGEBYRANK", key, start, stop);
    }

    /** Removes members with scores in an interval. Gives how many were removed (long long). */
    template <typename Interval>
    decltype(auto) zremrangebyscore(std::string_view key, const Interval &interval) {
        return this->template send<long long>("ZREMRANGEBYSCORE", key, interval.lower(), interval.upper());
    }

    /** Takes up to `count` members with the lowest scores (T, of pairs of member and score). */
    template <typename T = std::vector<std::pair<std::string, double>>>
    decltype(auto) zpopmin(std::string_view key, long long count = 1) {
        return this->template send<T>("ZPOPMIN", key, count);
    }

    /** Takes up to `count` members with the highest scores (T, of pairs of member and score). */
    template <typename T = std::vector<std::pair<std::string, double>>>
    decltype(auto) zpopmax(std::string_view key, long long count = 1) {
        return this->template send<T>("ZPOPMAX", key, count);
    }

    /** Gives some members with scores and where to go on (std::pair<Cursor, T>). */
    template <typename T = std::vector<std::pair<std::string, double>>>
    decltype(auto) zscan(std::string_view key, Cursor cursor, std::string_view pattern = "*", long long count = 10) {
        return this->template send<std::pair<Cursor, T>>("ZSCAN", key, cursor, "MATCH", pattern, "COUNT", count);
    }

    /** Puts some members with scores into `out`. Gives where to go on (Cursor). */
    template <typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) zscan(std::string_view key, Cursor cursor, std::string_view pattern, long long count, Output out) {
        return this->self().transfer_page(zscan<Reply>(key, cursor, pattern, count), out);
    }

private:
    static void updating(Arguments &arguments, UpdateType type, bool changed) {
        arguments.add_if(type == UpdateType::EXIST, "XX");
        arguments.add_if(type == UpdateType::NOT_EXIST, "NX");
        arguments.add_if(changed, "CH");
    }

    template <typename T>
    decltype(auto) by_place(const char *command, std::string_view key, long long start, long long stop, bool scores) {
        Arguments arguments(command, key, start, stop);
        return this->self().template run<T>(arguments.add_if(scores, "WITHSCORES"));
    }

    template <typename T>
    decltype(auto) by_score(const char *command, std::string_view key, std::string_view from, std::string_view to,
                            const LimitOptions &limit, bool scores) {
        Arguments arguments(command, key, from, to);
        arguments.add_if(scores, "WITHSCORES");
        return this->self().template run<T>(
            arguments.add_if(limit.offset != 0 || limit.count >= 0, "LIMIT", limit.offset, limit.count));
    }
};

} // namespace keyless

#endif
