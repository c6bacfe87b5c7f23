/**
 * @file
 * Types that named commands take and give, under the names that they have in redis-plus-plus.
 */

#ifndef KEYLESS_COMMANDS_TYPES_HPP
#define KEYLESS_COMMANDS_TYPES_HPP

#include "../arguments.hpp"
#include "../convert.hpp"

#include <chrono>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace keyless {

/** A value that may not exist. */
using OptionalString = std::optional<std::string>;
/** A number that may not exist. */
using OptionalLongLong = std::optional<long long>;
/** A score or floating point number that may not exist. */
using OptionalDouble = std::optional<double>;
/** A key and a value that may not exist. */
using OptionalStringPair = std::optional<std::pair<std::string, std::string>>;

/** Where an iteration goes on; 0 begins one and ends it. */
using Cursor = unsigned long long;

/** The fields of a stream's entry, in order. */
using Attrs = std::vector<std::pair<std::string, std::string>>;
/** A stream's entry: its id, and its fields unless it was deleted meanwhile. */
using Item = std::pair<std::string, std::optional<Attrs>>;
/** Entries of one stream. */
using ItemStream = std::vector<Item>;
/** Entries of several streams, by key; nothing if there are none. */
using OptionalStreams = std::optional<std::unordered_map<std::string, ItemStream>>;

/** Whether something is written that exists, or that does not. */
enum class UpdateType {
    /** Only if it exists (XX). */
    EXIST,
    /** Only if it does not (NX). */
    NOT_EXIST,
    /** In any case. */
    ALWAYS
};

/** Where LINSERT puts an element. */
enum class InsertPosition { BEFORE, AFTER };

/** An end of a list. */
enum class ListEnd { LEFT, RIGHT };

/** Which ends of an interval belong to it. */
enum class BoundType {
    /** Both. */
    CLOSED,
    /** None. */
    OPEN,
    /** Only the upper one. */
    LEFT_OPEN,
    /** Only the lower one. */
    RIGHT_OPEN
};

namespace detail {

inline std::string bound(double value, bool open) {
    return (open ? "(" : "") + print(value);
}
inline std::string bound(const std::string &value, bool open) {
    return (open ? "(" : "[") + value;
}

template <typename T>
struct Unbounded;
template <>
struct Unbounded<double> {
    static constexpr const char *lower = "-inf";
    static constexpr const char *upper = "+inf";
};
template <>
struct Unbounded<std::string> {
    static constexpr const char *lower = "-";
    static constexpr const char *upper = "+";
};

} // namespace detail

/** Scores (double) or members (std::string) from one to another. */
template <typename T>
class BoundedInterval {
public:
    /** From `min` to `max`. */
    BoundedInterval(T min, T max, BoundType type)
        : lower_(detail::bound(min, type == BoundType::OPEN || type == BoundType::LEFT_OPEN)),
          upper_(detail::bound(max, type == BoundType::OPEN || type == BoundType::RIGHT_OPEN)) {}
    /** As Redis takes it. */
    const std::string &lower() const noexcept { return lower_; }
    /** As Redis takes it. */
    const std::string &upper() const noexcept { return upper_; }

private:
    std::string lower_;
    std::string upper_;
};

/** Scores or members from one on: its type is OPEN without it, RIGHT_OPEN with it. */
template <typename T>
class LeftBoundedInterval {
public:
    /** From `min` on. */
    LeftBoundedInterval(T min, BoundType type)
        : lower_(detail::bound(min, type == BoundType::OPEN || type == BoundType::LEFT_OPEN)) {}
    /** As Redis takes it. */
    const std::string &lower() const noexcept { return lower_; }
    /** As Redis takes it. */
    std::string upper() const { return detail::Unbounded<T>::upper; }

private:
    std::string lower_;
};

/** Scores or members up to one: its type is OPEN without it, LEFT_OPEN with it. */
template <typename T>
class RightBoundedInterval {
public:
    /** Up to `max`. */
    RightBoundedInterval(T max, BoundType type)
        : upper_(detail::bound(max, type == BoundType::OPEN || type == BoundType::RIGHT_OPEN)) {}
    /** As Redis takes it. */
    std::string lower() const { return detail::Unbounded<T>::lower; }
    /** As Redis takes it. */
    const std::string &upper() const noexcept { return upper_; }

private:
    std::string upper_;
};

/** All scores or members. */
template <typename T>
class UnboundedInterval {
public:
    /** As Redis takes it. */
    std::string lower() const { return detail::Unbounded<T>::lower; }
    /** As Redis takes it. */
    std::string upper() const { return detail::Unbounded<T>::upper; }
};

/** Which part of a result is wanted; by default all of it. */
struct LimitOptions {
    /** How many are passed over. */
    long long offset = 0;
    /** How many are given; -1: all. */
    long long count = -1;
};

namespace detail {

/** Only for iterators: text is not one. */
template <typename T>
using IfIterator =
    std::enable_if_t<!std::is_convertible_v<T, std::string_view>, typename std::iterator_traits<T>::iterator_category>;

/** What all groups of commands share: the way to whoever sends them. */
template <typename Derived, template <typename> class Group>
class CommandGroup {
protected:
    Derived &self() { return static_cast<Derived &>(static_cast<Group<Derived> &>(*this)); }

    /** Sends a command of these arguments for a reply of type T. */
    template <typename T, typename... Argument>
    decltype(auto) send(Argument &&...argument) {
        return self().template run<T>(Arguments(std::forward<Argument>(argument)...));
    }

    /** The same with a range behind the arguments. */
    template <typename T, typename Input, typename... Argument>
    decltype(auto) send_range(Input first, Input last, Argument &&...argument) {
        Arguments arguments(std::forward<Argument>(argument)...);
        return self().template run<T>(arguments.range(first, last));
    }
};

} // namespace detail

} // namespace keyless

#endif
