/**
 * @file
 * keyless for C++17: Azure Managed Redis and Azure Cache for Redis without access keys. Header only, over keyless.h.
 *
 *     keyless::Client client(keyless::Options::from_env());
 *     client.set("greeting", "hello", std::chrono::minutes(5));
 *     std::optional<std::string> greeting = client.get("greeting");
 *
 * Rules that hold everywhere
 *
 * Handles. Client, Options, Credential, TokenSource, Subscription, Pipeline, Reply and their like own one handle of C,
 * free it, and move only. One that was moved from fails with KEYLESS_INVALID_ARGUMENT, never with a crash. Classes whose
 * name ends with View, and Event, look at something that belongs to another one, and live as long as that.
 *
 * Failures. A function that can fail throws keyless::Error, or the class of its group; the documentation names which. The
 * same function with std::nothrow as its first argument gives a Result<T> instead: `Options::from_env(std::nothrow)`,
 * and `client.with(std::nothrow).get("key")` for commands. Programs that are compiled without exceptions use that form
 * alone. std::bad_alloc can leave both.
 *
 * Callbacks. They run on threads of keyless; what they throw goes to set_callback_error_handler(), and ends the process
 * if there is none. They must not be left with longjmp.
 *
 * Text goes in as std::string_view, any bytes, and need not end with a NUL. Times are std::chrono's.
 *
 * Threads, fork, signals: see the top of keyless.h.
 */

#ifndef KEYLESS_HPP
#define KEYLESS_HPP

#include "keyless/client.hpp"
#include "keyless/log.hpp"

namespace keyless {

/** The version of the library in use, such as `0.1.0`. */
inline std::string_view version() noexcept {
    return keyless_version();
}

/** Whether the library in use has the interface of these headers: look once, where it is loaded at run time. */
inline bool is_compatible() noexcept {
    return keyless_abi_version() == KEYLESS_ABI_VERSION;
}

} // namespace keyless

#endif
