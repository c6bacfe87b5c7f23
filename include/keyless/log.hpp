/**
 * @file
 * Log lines for a function of the program's.
 */

#ifndef KEYLESS_LOG_HPP
#define KEYLESS_LOG_HPP

#include "callback.hpp"

#include <string_view>

namespace keyless {

/** How important a log line is, KEYLESS_LOG_ERROR and so on: see keyless.h. */
using LogLevel = keyless_log_level;

namespace detail {

template <typename Listener>
void on_log(keyless_log_level level, const char *target, const char *line, void *data) {
    shielded([&] {
        (*static_cast<Listener *>(data))(level, std::string_view(target), std::string_view(line));
    });
}

} // namespace detail

/**
 * Sends log lines up to `level` to `listener(LogLevel, std::string_view target, std::string_view text)`, in place of an
 * earlier one: there is one for the whole process. The lines never hold a secret; the views are valid until it returns.
 *
 * It runs on whatever thread logs: it must be quick, and must not call keyless. Any thread, but not from the listener.
 */
template <typename Listener>
Result<void> set_log(std::nothrow_t, LogLevel level, Listener &&listener) {
    using Type = std::decay_t<Listener>;
    auto owned = std::make_unique<Type>(std::forward<Listener>(listener));
    keyless_error *error = nullptr;
    keyless_log_set(static_cast<int>(level), &detail::on_log<Type>, owned.get(), &detail::destroy<Type>, &error);
    if (error == nullptr) {
        owned.release();
    }
    return detail::outcome(error);
}

/** The same; throws InputError for an unknown level. */
template <typename Listener>
void set_log(LogLevel level, Listener &&listener) {
    set_log(std::nothrow, level, std::forward<Listener>(listener)).value();
}

/** Ends the log lines. */
inline void clear_log() noexcept {
    keyless_log_set(KEYLESS_LOG_OFF, nullptr, nullptr, nullptr, nullptr);
}

} // namespace keyless

#endif
