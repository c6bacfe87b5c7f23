/**
 * @file
 * What becomes of exceptions that a callback throws: they must not reach keyless, which called it.
 */

#ifndef KEYLESS_CALLBACK_HPP
#define KEYLESS_CALLBACK_HPP

#include "error.hpp"

#include <functional>
#include <memory>
#include <mutex>

namespace keyless {

/** Hears of an exception that left a callback. Runs on the callback's thread; must not throw itself. */
using CallbackErrorHandler = std::function<void(std::exception_ptr)>;

namespace detail {

struct CallbackErrors {
    std::mutex mutex;
    std::shared_ptr<const CallbackErrorHandler> handler;

    static CallbackErrors &instance() {
        // Never destroyed: callbacks may run until the process ends.
        static CallbackErrors *const errors = new CallbackErrors;
        return *errors;
    }
};

/** Without a handler the process ends, and its terminate handler sees the exception. */
inline void callback_failed(std::exception_ptr exception) noexcept {
    CallbackErrors &errors = CallbackErrors::instance();
    std::shared_ptr<const CallbackErrorHandler> handler;
    {
        const std::lock_guard<std::mutex> lock(errors.mutex);
        handler = errors.handler;
    }
    if (!handler) {
        std::rethrow_exception(exception);
    }
    (*handler)(exception);
}

/** Calls what the user gave; nothing leaves. */
template <typename Work>
void shielded(Work &&work) noexcept {
    guarded(std::forward<Work>(work), callback_failed);
}

/** Frees what was given along with a callback. */
template <typename T>
void destroy(void *data) {
    delete static_cast<T *>(data);
}

} // namespace detail

/**
 * Sets who hears of exceptions that leave a callback (of a command, event, message, token or log line), for the whole
 * process, in place of an earlier one. Any thread.
 *
 * Without a handler, which is the default, and after an empty one was set, such an exception calls std::terminate: as in
 * a std::thread. A credential's callback is different: its exception is the answer that there is no token.
 */
inline void set_callback_error_handler(CallbackErrorHandler handler) {
    std::shared_ptr<const CallbackErrorHandler> shared;
    if (handler) {
        shared = std::make_shared<const CallbackErrorHandler>(std::move(handler));
    }
    detail::CallbackErrors &errors = detail::CallbackErrors::instance();
    const std::lock_guard<std::mutex> lock(errors.mutex);
    errors.handler.swap(shared);
}

} // namespace keyless

#endif
