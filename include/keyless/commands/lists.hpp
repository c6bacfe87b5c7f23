/**
 * @file
 * Commands on lists.
 */

#ifndef KEYLESS_COMMANDS_LISTS_HPP
#define KEYLESS_COMMANDS_LISTS_HPP

#include "types.hpp"

namespace keyless {

/**
 * Commands on lists; see Commands.
 *
 * Those that wait have a connection of their own meanwhile and hold nobody up; a timeout of 0 waits for ever.
 */
template <typename Derived>
class ListCommands : detail::CommandGroup<Derived, ListCommands> {
    friend detail::CommandGroup<Derived, ListCommands>;

public:
    /** Adds an element at the left. Gives how many there are now (long long). */
    decltype(auto) lpush(std::string_view key, std::string_view value) {
        return this->template send<long long>("LPUSH", key, value);
    }

    /** Adds a range of elements at the left, one after the other. Gives how many there are now (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) lpush(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "LPUSH", key);
    }

    /** Adds elements at the left, one after the other. Gives how many there are now (long long). */
    decltype(auto) lpush(std::string_view key, std::initializer_list<std::string_view> values) {
        return lpush(key, values.begin(), values.end());
    }

    /** As lpush(), if the list exists. */
    decltype(auto) lpushx(std::string_view key, std::string_view value) {
        return this->template send<long long>("LPUSHX", key, value);
    }

    /** Adds an element at the right. Gives how many there are now (long long). */
    decltype(auto) rpush(std::string_view key, std::string_view value) {
        return this->template send<long long>("RPUSH", key, value);
    }

    /** Adds a range of elements at the right. Gives how many there are now (long long). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) rpush(std::string_view key, Input first, Input last) {
        return this->template send_range<long long>(first, last, "RPUSH", key);
    }

    /** Adds elements at the right. Gives how many there are now (long long). */
    decltype(auto) rpush(std::string_view key, std::initializer_list<std::string_view> values) {
        return rpush(key, values.begin(), values.end());
    }

    /** As rpush(), if the list exists. */
    decltype(auto) rpushx(std::string_view key, std::string_view value) {
        return this->template send<long long>("RPUSHX", key, value);
    }

    /** Takes the element at the left (OptionalString). */
    decltype(auto) lpop(std::string_view key) { return this->template send<OptionalString>("LPOP", key); }

    /** Takes up to `count` elements at the left (std::optional<T>); nothing if there is no list. */
    template <typename T = std::vector<std::string>>
    decltype(auto) lpop(std::string_view key, long long count) {
        return this->template send<std::optional<T>>("LPOP", key, count);
    }

    /** Takes the element at the right (OptionalString). */
    decltype(auto) rpop(std::string_view key) { return this->template send<OptionalString>("RPOP", key); }

    /** Takes up to `count` elements at the right (std::optional<T>); nothing if there is no list. */
    template <typename T = std::vector<std::string>>
    decltype(auto) rpop(std::string_view key, long long count) {
        return this->template send<std::optional<T>>("RPOP", key, count);
    }

    /** Waits for an element at the left of a list. Gives its key and it (OptionalStringPair). */
    decltype(auto) blpop(std::string_view key, std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        return this->template send<OptionalStringPair>("BLPOP", key, seconds(timeout));
    }

    /** Waits for an element at the left of one of a range of lists. Gives its key and it (OptionalStringPair). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) blpop(Input first, Input last, std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        Arguments arguments("BLPOP");
        return this->self().template run<OptionalStringPair>(arguments.range(first, last).add(seconds(timeout)));
    }

    /** Waits for an element at the right of a list. Gives its key and it (OptionalStringPair). */
    decltype(auto) brpop(std::string_view key, std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        return this->template send<OptionalStringPair>("BRPOP", key, seconds(timeout));
    }

    /** Waits for an element at the right of one of a range of lists. Gives its key and it (OptionalStringPair). */
    template <typename Input, typename = detail::IfIterator<Input>>
    decltype(auto) brpop(Input first, Input last, std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        Arguments arguments("BRPOP");
        return this->self().template run<OptionalStringPair>(arguments.range(first, last).add(seconds(timeout)));
    }

    /** Moves an element to another list. Gives it (OptionalString). */
    decltype(auto) lmove(std::string_view from, std::string_view to, ListEnd where_from, ListEnd where_to) {
        return this->template send<OptionalString>("LMOVE", from, to, word(where_from), word(where_to));
    }

    /** Waits for an element and moves it to another list. Gives it (OptionalString). */
    decltype(auto) blmove(std::string_view from, std::string_view to, ListEnd where_from, ListEnd where_to,
                          std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        return this->template send<OptionalString>("BLMOVE", from, to, word(where_from), word(where_to),
                                                   seconds(timeout));
    }

    /** Moves the element at the right to the left of another list. Gives it (OptionalString). */
    decltype(auto) rpoplpush(std::string_view from, std::string_view to) {
        return lmove(from, to, ListEnd::RIGHT, ListEnd::LEFT);
    }

    /** Gives an element (OptionalString); negative: from the right. */
    decltype(auto) lindex(std::string_view key, long long index) {
        return this->template send<OptionalString>("LINDEX", key, index);
    }

    /** Puts an element before or after another one. Gives how many there are now (long long); -1: no such one. */
    decltype(auto) linsert(std::string_view key, InsertPosition position, std::string_view pivot,
                           std::string_view value) {
        const char *where = position == InsertPosition::BEFORE ? "BEFORE" : "AFTER";
        return this->template send<long long>("LINSERT", key, where, pivot, value);
    }

    /** Gives how many elements there are (long long). */
    decltype(auto) llen(std::string_view key) { return this->template send<long long>("LLEN", key); }

    /** Gives elements from `start` to `stop`, both included (T); negative: from the right. */
    template <typename T = std::vector<std::string>>
    decltype(auto) lrange(std::string_view key, long long start, long long stop) {
        return this->template send<T>("LRANGE", key, start, stop);
    }

    /** Puts elements from `start` to `stop`, both included, into `out`. */
    template <typename Output>
    decltype(auto) lrange(std::string_view key, long long start, long long stop, Output out) {
        return this->self().transfer(lrange<Reply>(key, start, stop), out);
    }

    /** Removes `count` elements with a value; negative: from the right, 0: all. Gives how many (long long). */
    decltype(auto) lrem(std::string_view key, long long count, std::string_view value) {
        return this->template send<long long>("LREM", key, count, value);
    }

    /** Replaces an element. */
    decltype(auto) lset(std::string_view key, long long index, std::string_view value) {
        return this->template send<void>("LSET", key, index, value);
    }

    /** Removes all but the elements from `start` to `stop`, both included. */
    decltype(auto) ltrim(std::string_view key, long long start, long long stop) {
        return this->template send<void>("LTRIM", key, start, stop);
    }

private:
    static double seconds(std::chrono::milliseconds time) {
        return std::chrono::duration<double>(time).count();
    }
    static const char *word(ListEnd end) { return end == ListEnd::LEFT ? "LEFT" : "RIGHT"; }
};

} // namespace keyless

#endif
