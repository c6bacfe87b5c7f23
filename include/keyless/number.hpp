/**
 * @file
 * Numbers as text and back, whatever the program's locale is.
 */

#ifndef KEYLESS_NUMBER_HPP
#define KEYLESS_NUMBER_HPP

#include <charconv>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace keyless {
namespace detail {

/** A number as Redis reads it: the shortest text that gives the same number again. */
template <typename Number>
std::string print(Number number) {
#if !defined(__cpp_lib_to_chars)
    if constexpr (std::is_floating_point_v<Number>) {
        std::ostringstream stream;
        stream.imbue(std::locale::classic());
        stream.precision(std::numeric_limits<Number>::max_digits10);
        stream << number;
        return stream.str();
    } else
#endif
    {
        char buffer[64];
        const std::to_chars_result end = std::to_chars(buffer, buffer + sizeof buffer, number);
        return std::string(buffer, end.ptr);
    }
}

/** The number that a text is as a whole. */
template <typename Number>
std::optional<Number> parse(std::string_view text) {
#if !defined(__cpp_lib_to_chars)
    if constexpr (std::is_floating_point_v<Number>) {
        if (text == "inf" || text == "+inf" || text == "-inf") {
            const Number infinity = std::numeric_limits<Number>::infinity();
            return text.front() == '-' ? -infinity : infinity;
        }
        std::istringstream stream{std::string(text)};
        stream.imbue(std::locale::classic());
        Number number{};
        stream >> std::noskipws >> number;
        return stream && stream.peek() == std::char_traits<char>::eof() ? std::optional(number) : std::nullopt;
    } else
#endif
    {
        Number number{};
        const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool whole = end.ec == std::errc() && end.ptr == text.data() + text.size();
        return whole ? std::optional(number) : std::nullopt;
    }
}

} // namespace detail
} // namespace keyless

#endif
