/**
 * @file
 * The arguments of a command: text, numbers, and ranges of them.
 */

#ifndef KEYLESS_ARGUMENTS_HPP
#define KEYLESS_ARGUMENTS_HPP

#include "number.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <forward_list>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace keyless {

/**
 * The arguments of one command, the first one its name.
 *
 * Taken are text (whatever converts to std::string_view), integers, floating point numbers, pairs and tuples of these,
 * and containers of all of them, which are unfolded: `Arguments("HSET", "key", map)`. Text is borrowed: it must live
 * until the command was handed over, which is while the call runs. Text that is a temporary std::string is kept.
 * Durations and bool are refused when compiling: Redis has no such arguments, so say which unit or word is meant.
 * One thread at a time may use it.
 */
class Arguments {
public:
    /** The arguments in order. */
    template <typename... T>
    explicit Arguments(T &&...arguments) {
        add(std::forward<T>(arguments)...);
    }

    Arguments(const Arguments &) = delete;
    Arguments &operator=(const Arguments &) = delete;

    /** Adds arguments. */
    template <typename... T>
    Arguments &add(T &&...arguments) {
        (one(std::forward<T>(arguments)), ...);
        return *this;
    }

    /** Adds arguments if `condition` is true. */
    template <typename... T>
    Arguments &add_if(bool condition, T &&...arguments) {
        return condition ? add(std::forward<T>(arguments)...) : *this;
    }

    /** Adds all that a range has. */
    template <typename Input>
    Arguments &range(Input first, Input last) {
        static_assert(!std::is_same_v<std::decay_t<decltype(*first)>, char>,
                      "two iterators are wanted, not two texts: write {\"a\", \"b\"}");
        for (; first != last; ++first) {
            one(*first);
        }
        return *this;
    }

    /** How many there are. */
    std::size_t size() const noexcept { return many_.empty() ? count_ : many_.size(); }

    /** The pointers, for C. */
    const char *const *data() const noexcept { return many_.empty() ? few_.data() : many_.data(); }

    /** The lengths, for C. */
    const std::size_t *lengths() const noexcept {
        return many_.empty() ? few_lengths_.data() : many_lengths_.data();
    }

private:
    static constexpr std::size_t few = 8;

    template <typename T, typename = void>
    struct IsRange : std::false_type {};
    template <typename T>
    struct IsRange<T, std::void_t<decltype(std::begin(std::declval<T &>())), decltype(std::end(std::declval<T &>()))>>
        : std::true_type {};

    template <typename T, typename = void>
    struct IsTuple : std::false_type {};
    template <typename T>
    struct IsTuple<T, std::void_t<decltype(std::tuple_size<T>::value)>> : std::true_type {};

    template <typename T>
    void one(T &&argument) {
        using Type = std::decay_t<T>;
        static_assert(!std::is_same_v<Type, bool>, "Redis has no truth values: give 0 and 1, or the word that is meant");
        static_assert(!std::is_same_v<Type, std::nullptr_t>, "nullptr is no argument: an empty text is \"\"");
        if constexpr (std::is_same_v<Type, std::string> && !std::is_lvalue_reference_v<T>) {
            text(kept_.emplace_front(std::forward<T>(argument)));
        } else if constexpr (std::is_convertible_v<const Type &, std::string_view>) {
            text(std::string_view(argument));
        } else if constexpr (std::is_same_v<Type, char>) {
            text(kept_.emplace_front(1, argument));
        } else if constexpr (std::is_arithmetic_v<Type>) {
            text(kept_.emplace_front(detail::print(argument)));
        } else if constexpr (IsRange<const Type>::value) {
            for (auto &&part : argument) {
                if constexpr (std::is_lvalue_reference_v<T> ||
                              !std::is_same_v<std::decay_t<decltype(part)>, std::string>) {
                    one(std::forward<decltype(part)>(part));
                } else {
                    one(std::string(part));
                }
            }
        } else if constexpr (IsTuple<Type>::value) {
            std::apply([this](auto &&...part) { (this->one(std::forward<decltype(part)>(part)), ...); },
                       std::forward<T>(argument));
        } else {
            static_assert(IsRange<const Type>::value, "an argument is text, a number, or a container of these");
        }
    }

    void text(std::string_view text) {
        const char *data = text.data() != nullptr ? text.data() : "";
        if (many_.empty() && count_ < few) {
            few_[count_] = data;
            few_lengths_[count_] = text.size();
            ++count_;
            return;
        }
        if (many_.empty()) {
            many_.assign(few_.begin(), few_.end());
            many_lengths_.assign(few_lengths_.begin(), few_lengths_.end());
        }
        many_.push_back(data);
        many_lengths_.push_back(text.size());
    }

    std::size_t count_ = 0;
    std::array<const char *, few> few_{};
    std::array<std::size_t, few> few_lengths_{};
    /** Instead of the arrays when there are more. */
    std::vector<const char *> many_;
    std::vector<std::size_t> many_lengths_;
    /** Numbers as text, and temporaries. */
    std::forward_list<std::string> kept_;
};

} // namespace keyless

#endif
