/**
 * @file
 * Replies as values of C++.
 *
 * | type | from |
 * |---|---|
 * | std::string, std::string_view | strings, status, verbatim strings, big numbers |
 * | integers | integers, and text that is a whole number and fits |
 * | float, double | doubles, integers, and text that is a number |
 * | bool | booleans, integers 0 and 1, status OK (true), nil (false) |
 * | void | anything but an error |
 * | std::optional<T> | nil (nothing), otherwise T |
 * | containers of T (std::vector, std::set ...) | arrays and sets |
 * | containers of pairs (std::map, std::unordered_map, std::vector<std::pair<...>>) | maps, arrays of keys and values in turn, arrays of pairs |
 * | std::pair, std::tuple | arrays of so many parts |
 * | Reply, ReplyView | anything but an error |
 *
 * An error, also one inside an array, is never a value: it is thrown, or is the Result's error. For a type of one's own
 * specialise Converter.
 */

#ifndef KEYLESS_CONVERT_HPP
#define KEYLESS_CONVERT_HPP

#include "number.hpp"
#include "reply.hpp"

#include <limits>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace keyless {

/**
 * How a reply becomes a T: a static function `Result<T> convert(ReplyView)`.
 *
 * Specialise it for types of one's own; fail with unexpected_reply().
 */
template <typename T, typename = void>
struct Converter;

/** The failure of a conversion: the error that the reply is, or that it cannot be read as `wanted`, "a date" say. */
inline Error unexpected_reply(ReplyView reply, std::string_view wanted) {
    return Error(keyless_reply_unexpected(reply.handle(), detail::text(wanted), wanted.size()));
}

namespace detail {

template <typename T, typename = void>
struct IsContainer : std::false_type {};
template <typename T>
struct IsContainer<T, std::void_t<typename T::value_type, typename T::iterator,
                                  decltype(std::declval<T &>().insert(std::declval<T &>().end(),
                                                                      std::declval<typename T::value_type>()))>>
    : std::true_type {};
template <typename Character, typename Traits, typename Allocator>
struct IsContainer<std::basic_string<Character, Traits, Allocator>> : std::false_type {};

template <typename T>
struct IsPair : std::false_type {};
template <typename First, typename Second>
struct IsPair<std::pair<First, Second>> : std::true_type {};

/** A pair whose parts can be given values. */
template <typename T>
struct Assignable {
    using Type = T;
};
template <typename First, typename Second>
struct Assignable<std::pair<First, Second>> {
    using Type = std::pair<std::remove_const_t<First>, std::remove_const_t<Second>>;
};

/** Whether a value looks into a reply, and so cannot outlive it. */
template <typename T>
struct IsBorrowed : std::false_type {};
template <>
struct IsBorrowed<std::string_view> : std::true_type {};
template <>
struct IsBorrowed<ReplyView> : std::true_type {};
template <typename T>
struct IsBorrowed<std::optional<T>> : IsBorrowed<T> {};
template <typename... T>
struct IsBorrowed<std::tuple<T...>> : std::disjunction<IsBorrowed<T>...> {};
template <typename First, typename Second>
struct IsBorrowed<std::pair<First, Second>>
    : std::disjunction<IsBorrowed<std::remove_const_t<First>>, IsBorrowed<Second>> {};
template <typename T, typename Allocator>
struct IsBorrowed<std::vector<T, Allocator>> : IsBorrowed<T> {};

/** Calls `use` with each part of a reply as a T, up to the first that is none. */
template <typename T, typename Use>
Result<void> each(ReplyView reply, Use &&use) {
    const ReplyType type = reply.type();
    if (type != KEYLESS_REPLY_ARRAY && type != KEYLESS_REPLY_SET && type != KEYLESS_REPLY_MAP &&
        type != KEYLESS_REPLY_PUSH) {
        return unexpected_reply(reply, "a list");
    }
    if constexpr (IsPair<T>::value) {
        const ReplyView::Pairs pairs = reply.pairs();
        if (!pairs.complete()) {
            return unexpected_reply(reply, "pairs");
        }
        for (const auto &[key, value] : pairs) {
            auto first = Converter<typename T::first_type>::convert(key);
            if (!first) {
                return first.error();
            }
            auto second = Converter<typename T::second_type>::convert(value);
            if (!second) {
                return second.error();
            }
            use(T(std::move(*first), std::move(*second)));
        }
    } else {
        for (const ReplyView part : reply) {
            auto value = Converter<T>::convert(part);
            if (!value) {
                return value.error();
            }
            use(std::move(*value));
        }
    }
    return {};
}

} // namespace detail

template <>
struct Converter<void> {
    static Result<void> convert(ReplyView reply) {
        return reply.is_error() ? Result<void>(unexpected_reply(reply, "a value")) : Result<void>();
    }
};

template <>
struct Converter<ReplyView> {
    static Result<ReplyView> convert(ReplyView reply) {
        return reply.is_error() ? Result<ReplyView>(unexpected_reply(reply, "a value")) : Result<ReplyView>(reply);
    }
};

template <>
struct Converter<Reply> {
    static Result<Reply> convert(ReplyView reply) {
        return reply.is_error() ? Result<Reply>(unexpected_reply(reply, "a value")) : Result<Reply>(reply.clone());
    }
};

template <>
struct Converter<std::string_view> {
    static Result<std::string_view> convert(ReplyView reply) {
        const std::optional<std::string_view> text = reply.string();
        return text ? Result<std::string_view>(*text) : unexpected_reply(reply, "text");
    }
};

template <>
struct Converter<std::string> {
    static Result<std::string> convert(ReplyView reply) {
        const std::optional<std::string_view> text = reply.string();
        return text ? Result<std::string>(std::string(*text)) : unexpected_reply(reply, "text");
    }
};

template <>
struct Converter<bool> {
    static Result<bool> convert(ReplyView reply) {
        if (const std::optional<bool> value = reply.boolean()) {
            return *value;
        }
        const std::optional<std::int64_t> number = reply.integer();
        if (number && (*number == 0 || *number == 1)) {
            return *number == 1;
        }
        if (reply.handle() != nullptr && reply.is_nil()) {
            return false;
        }
        if (reply.type() == KEYLESS_REPLY_STATUS && reply.string() == "OK") {
            return true;
        }
        return unexpected_reply(reply, "true or false");
    }
};

template <typename T>
struct Converter<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
    static Result<T> convert(ReplyView reply) {
        if (const std::optional<std::int64_t> number = reply.integer()) {
            const T value = static_cast<T>(*number);
            // Back again it must be the same, sign included.
            if (static_cast<std::int64_t>(value) == *number && (value < T{}) == (*number < 0)) {
                return value;
            }
        } else if (const std::optional<std::string_view> text = reply.string()) {
            if (const std::optional<T> value = detail::parse<T>(*text)) {
                return *value;
            }
        }
        return unexpected_reply(reply, "a whole number that fits");
    }
};

template <typename T>
struct Converter<T, std::enable_if_t<std::is_floating_point_v<T>>> {
    static Result<T> convert(ReplyView reply) {
        if (const std::optional<double> number = reply.floating()) {
            return static_cast<T>(*number);
        }
        if (const std::optional<std::int64_t> number = reply.integer()) {
            return static_cast<T>(*number);
        }
        if (const std::optional<std::string_view> text = reply.string()) {
            if (const std::optional<T> value = detail::parse<T>(*text)) {
                return *value;
            }
        }
        return unexpected_reply(reply, "a number");
    }
};

template <typename T>
struct Converter<std::optional<T>> {
    static Result<std::optional<T>> convert(ReplyView reply) {
        if (reply.handle() != nullptr && reply.is_nil()) {
            return std::optional<T>();
        }
        Result<T> value = Converter<T>::convert(reply);
        return value ? Result<std::optional<T>>(std::move(*value)) : value.error();
    }
};

template <typename T>
struct Converter<T, std::enable_if_t<detail::IsContainer<T>::value>> {
    static Result<T> convert(ReplyView reply) {
        using Value = typename detail::Assignable<typename T::value_type>::Type;
        T container;
        const Result<void> all = detail::each<Value>(
            reply, [&](Value &&value) { container.insert(container.end(), std::move(value)); });
        return all ? Result<T>(std::move(container)) : all.error();
    }
};

template <typename... T>
struct Converter<std::tuple<T...>> {
    static Result<std::tuple<T...>> convert(ReplyView reply) {
        return reply.size() == sizeof...(T) ? all(reply, std::index_sequence_for<T...>())
                                            : unexpected_reply(reply, "so many parts");
    }

private:
    template <std::size_t... Index>
    static Result<std::tuple<T...>> all(ReplyView reply, std::index_sequence<Index...>) {
        auto parts = std::make_tuple(Converter<T>::convert(reply[Index])...);
        std::optional<Error> failed;
        ((failed || std::get<Index>(parts) ? void() : void(failed = std::get<Index>(parts).error())), ...);
        return failed ? Result<std::tuple<T...>>(*failed)
                      : Result<std::tuple<T...>>(std::tuple<T...>(std::move(*std::get<Index>(parts))...));
    }
};

template <typename First, typename Second>
struct Converter<std::pair<First, Second>> {
    static Result<std::pair<First, Second>> convert(ReplyView reply) {
        auto parts = Converter<std::tuple<First, Second>>::convert(reply);
        if (!parts) {
            return parts.error();
        }
        return std::pair<First, Second>(std::get<0>(std::move(*parts)), std::get<1>(std::move(*parts)));
    }
};

template <typename T>
T ReplyView::as() const {
    return Converter<T>::convert(*this).value();
}

template <typename T>
Result<T> ReplyView::as(std::nothrow_t) const {
    return Converter<T>::convert(*this);
}

template <typename T>
T Reply::as() && {
    static_assert(!detail::IsBorrowed<T>::value, "a view would outlive its reply: keep the reply, or ask for std::string");
    return ReplyView::as<T>();
}

template <typename T>
Result<T> Reply::as(std::nothrow_t) && {
    static_assert(!detail::IsBorrowed<T>::value, "a view would outlive its reply: keep the reply, or ask for std::string");
    return ReplyView::as<T>(std::nothrow);
}

namespace detail {

/** What a container or output iterator takes. */
template <typename T, typename = void>
struct ValueOf {};
template <typename T>
struct ValueOf<T, std::enable_if_t<!std::is_void_v<typename std::iterator_traits<T>::value_type>>> {
    using Type = typename std::iterator_traits<T>::value_type;
};
template <typename T>
struct ValueOf<T, std::void_t<typename T::container_type>> {
    using Type = typename Assignable<typename T::container_type::value_type>::Type;
};
template <typename T>
struct ValueOf<T, std::enable_if_t<IsContainer<T>::value>> {
    using Type = typename Assignable<typename T::value_type>::Type;
};

/** Whether scores are wanted along with members. */
template <typename T, typename = void>
struct WantsPairs : std::false_type {};
template <typename T>
struct WantsPairs<T, std::void_t<typename ValueOf<T>::Type>> : IsPair<typename ValueOf<T>::Type> {};

/** Puts the parts of a reply into an output iterator. */
template <typename Output>
Result<void> write(ReplyView reply, Output out) {
    using Value = typename ValueOf<Output>::Type;
    return each<Value>(reply, [&](Value &&value) {
        *out = std::move(value);
        ++out;
    });
}

} // namespace detail

} // namespace keyless

#endif
