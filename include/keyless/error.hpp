/**
 * @file
 * What went wrong: keyless::Error with a class per group that programs catch, and keyless::Result for those who do not
 * throw.
 */

#ifndef KEYLESS_ERROR_HPP
#define KEYLESS_ERROR_HPP

#include "../keyless.h"

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
/** 1 if the program is compiled with exceptions. Without, what would throw ends the process. */
#define KEYLESS_EXCEPTIONS 1
#else
#define KEYLESS_EXCEPTIONS 0
#endif

namespace keyless {

namespace detail {

/** The pointer that C wants for text: never NULL. */
inline const char *text(std::string_view text) noexcept {
    return text.data() != nullptr ? text.data() : "";
}

/** What a function of C gave as a pointer and a length. */
template <typename Handle>
std::string_view view(const char *(*function)(const Handle *, std::size_t *), const Handle *handle) noexcept {
    std::size_t length = 0;
    const char *data = function(handle, &length);
    return data != nullptr ? std::string_view(data, length) : std::string_view();
}

/** A time limit for C; what is negative counts as 0. */
inline std::uint64_t milliseconds(std::chrono::milliseconds time) noexcept {
    return time.count() > 0 ? static_cast<std::uint64_t>(time.count()) : 0;
}

/** A duration of C's. */
inline std::chrono::milliseconds duration(std::uint64_t milliseconds) noexcept {
    constexpr auto most = static_cast<std::uint64_t>((std::chrono::milliseconds::max)().count());
    return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds < most ? milliseconds : most));
}

/** A moment of C's. */
inline std::chrono::system_clock::time_point moment(std::int64_t milliseconds) noexcept {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::milliseconds(milliseconds)));
}

} // namespace detail

/** The numbers of errors, KEYLESS_OK and up: see keyless.h. They never change. */
using Code = keyless_status;

/**
 * Base of all errors, and the only class that is needed: its code says which one it is.
 *
 * Copies share what they hold. Views live as long as one of the copies. Does not change: any number of threads may look
 * at it. Holds no secret.
 */
class Error : public std::runtime_error {
public:
    /** Takes over an error of C's. */
    explicit Error(keyless_error *error)
        : std::runtime_error(keyless_error_text(error)), error_(error, keyless_error_free) {}

    /** A copy of an error that belongs to C. */
    static Error borrowed(const keyless_error *error) { return Error(keyless_error_clone(error)); }

    /** The error's number. */
    Code code() const noexcept { return keyless_error_code(handle()); }

    /** The code's name, such as `auth_refused`. */
    std::string_view name() const noexcept { return detail::view(keyless_error_name, handle()); }

    /** What happened: one sentence, without the advice. what() has endpoint, message and advice. */
    std::string_view message() const noexcept { return detail::view(keyless_error_message, handle()); }

    /** What to do about it; empty where nothing can be advised. */
    std::string_view advice() const noexcept { return detail::view(keyless_error_advice, handle()); }

    /** `host:port` of the server that it belongs to; empty if it belongs to none. */
    std::string_view endpoint() const noexcept { return detail::view(keyless_error_endpoint, handle()); }

    /** The first word of a Redis error reply, such as `WRONGTYPE`; empty for other errors. */
    std::string_view server_code() const noexcept { return detail::view(keyless_error_server_code, handle()); }

    /** Whether the same call can succeed later without anybody changing anything. */
    bool retryable() const noexcept { return keyless_error_retryable(handle()); }

    /** Whether the command may have been executed although it failed; false: it certainly was not. */
    bool maybe_executed() const noexcept { return keyless_error_maybe_executed(handle()); }

    /** How long the other side asked to wait before the next attempt; 0 if it did not. */
    std::chrono::milliseconds retry_after() const noexcept {
        return detail::duration(keyless_error_retry_after_ms(handle()));
    }

    /** The handle of C, borrowed. */
    const keyless_error *handle() const noexcept { return error_.get(); }

    /** Throws this error as the class of its group. Without exceptions prints it to nobody and ends the process. */
    [[noreturn]] void raise() const;

    /** The same as what std::make_exception_ptr would give of the class of its group. */
    std::exception_ptr exception_ptr() const;

private:
    std::shared_ptr<const keyless_error> error_;
};

/** The call cannot be done as it is (1xx): an endpoint, option, command or argument that is wrong. */
class InputError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit InputError(const Error &error) : Error(error) {}
};

/** Signing in failed (2xx): no credential, refused by Microsoft Entra ID, no usable token, refused by the cache. */
class AuthError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit AuthError(const Error &error) : Error(error) {}
};

/** There is no connection (3xx and KEYLESS_NOT_CONNECTED): name, TCP, TLS, handshake, or it was lost. */
class ConnectionError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit ConnectionError(const Error &error) : Error(error) {}
};

/** No answer came in time (KEYLESS_TIMEOUT). */
class TimeoutError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit TimeoutError(const Error &error) : Error(error) {}
};

/** Too many commands or bytes wait already (KEYLESS_BACKLOG_FULL), or a subscription was too slow. */
class BacklogError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit BacklogError(const Error &error) : Error(error) {}
};

/** The client, or what belongs to it, was closed (KEYLESS_CLOSED). */
class ClosedError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit ClosedError(const Error &error) : Error(error) {}
};

/** Redis answered with an error (KEYLESS_SERVER): see server_code(). */
class ReplyError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit ReplyError(const Error &error) : Error(error) {}
};

/** The identity's access policy does not allow the command or key (KEYLESS_NO_PERMISSION). */
class PermissionError : public ReplyError {
public:
    using ReplyError::ReplyError;
};

/** The server discarded a transaction (KEYLESS_TRANSACTION_ABORTED). */
class TransactionError : public ReplyError {
public:
    using ReplyError::ReplyError;
};

/** The reply does not have the type that was asked for (KEYLESS_UNEXPECTED_REPLY). The command was executed. */
class UnexpectedReplyError : public Error {
public:
    using Error::Error;
    /** Of an error with a code of this group. */
    explicit UnexpectedReplyError(const Error &error) : Error(error) {}
};

namespace detail {

/** Calls `use` with the error as the class of its group. */
template <typename Use>
decltype(auto) as_class(const Error &error, Use use) {
    switch (error.code()) {
    case KEYLESS_NOT_CONNECTED:
        return use(ConnectionError(error));
    case KEYLESS_BACKLOG_FULL:
        return use(BacklogError(error));
    case KEYLESS_TIMEOUT:
        return use(TimeoutError(error));
    case KEYLESS_CLOSED:
        return use(ClosedError(error));
    case KEYLESS_SERVER:
        return use(ReplyError(error));
    case KEYLESS_NO_PERMISSION:
        return use(PermissionError(error));
    case KEYLESS_TRANSACTION_ABORTED:
        return use(TransactionError(error));
    case KEYLESS_UNEXPECTED_REPLY:
        return use(UnexpectedReplyError(error));
    default:
        break;
    }
    switch (static_cast<int>(error.code()) / 100) {
    case 1:
        return use(InputError(error));
    case 2:
        return use(AuthError(error));
    case 3:
        return use(ConnectionError(error));
    default:
        return use(Error(error));
    }
}

/** Calls `work`; what it throws is given to `failed` as a std::exception_ptr. */
template <typename Work, typename Failed>
void guarded(Work &&work, Failed &&failed) {
#if KEYLESS_EXCEPTIONS
    try {
        std::forward<Work>(work)();
    } catch (...) {
        std::forward<Failed>(failed)(std::current_exception());
    }
#else
    (void)failed;
    std::forward<Work>(work)();
#endif
}

} // namespace detail

inline void Error::raise() const {
#if KEYLESS_EXCEPTIONS
    detail::as_class(*this, [](const auto &error) { throw error; });
#endif
    std::terminate();
}

inline std::exception_ptr Error::exception_ptr() const {
    return detail::as_class(*this, [](const auto &error) { return std::make_exception_ptr(error); });
}

/**
 * A value, or the error why there is none: what every function gives that takes std::nothrow.
 *
 * Such functions throw no keyless::Error; std::bad_alloc only can still leave them.
 */
template <typename T>
class [[nodiscard]] Result {
public:
    /** A success. */
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}

    /** A failure. */
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    /** Whether there is a value. */
    bool has_value() const noexcept { return content_.index() == 0; }

    /** Whether there is a value. */
    explicit operator bool() const noexcept { return has_value(); }

    /** The value; throws the error if there is none. */
    T &value() & {
        require();
        return *std::get_if<0>(&content_);
    }

    /** The value; throws the error if there is none. */
    const T &value() const & {
        require();
        return *std::get_if<0>(&content_);
    }

    /** The value; throws the error if there is none. */
    T &&value() && {
        require();
        return std::move(*std::get_if<0>(&content_));
    }

    /** The value, or `otherwise`. */
    T value_or(T otherwise) && {
        return has_value() ? std::move(*std::get_if<0>(&content_)) : std::move(otherwise);
    }

    /** The value, or a copy of it, or `otherwise`. */
    T value_or(T otherwise) const & { return has_value() ? *std::get_if<0>(&content_) : std::move(otherwise); }

    /** As value(). */
    T &operator*() & { return value(); }
    /** As value(). */
    const T &operator*() const & { return value(); }
    /** As value(). */
    T &&operator*() && { return std::move(*this).value(); }
    /** As value(). */
    T *operator->() { return &value(); }
    /** As value(). */
    const T *operator->() const { return &value(); }

    /** The error. Must not be called when there is a value: that ends the process. */
    const Error &error() const noexcept {
        const Error *error = std::get_if<1>(&content_);
        if (error == nullptr) {
            std::terminate();
        }
        return *error;
    }

    /** The error's number; KEYLESS_OK when there is a value. */
    Code code() const noexcept { return has_value() ? KEYLESS_OK : error().code(); }

private:
    void require() const {
        if (!has_value()) {
            error().raise();
        }
    }

    std::variant<T, Error> content_;
};

/** Success, or the error: of what gives no value. */
template <>
class [[nodiscard]] Result<void> {
public:
    /** A success. */
    Result() = default;

    /** A failure. */
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    /** Whether it is a success. */
    bool has_value() const noexcept { return content_.index() == 0; }

    /** Whether it is a success. */
    explicit operator bool() const noexcept { return has_value(); }

    /** Throws the error if there is one. */
    void value() const {
        if (!has_value()) {
            error().raise();
        }
    }

    /** The error. Must not be called on a success: that ends the process. */
    const Error &error() const noexcept {
        const Error *error = std::get_if<1>(&content_);
        if (error == nullptr) {
            std::terminate();
        }
        return *error;
    }

    /** The error's number; KEYLESS_OK on success. */
    Code code() const noexcept { return has_value() ? KEYLESS_OK : error().code(); }

private:
    std::variant<std::monostate, Error> content_;
};

namespace detail {

/** What a call of C came to, whose error is taken over. */
inline Result<void> outcome(keyless_error *error) {
    return error != nullptr ? Result<void>(Error(error)) : Result<void>();
}

/** A handle of C, which is freed once. */
template <typename T, void (*Free)(T *)>
struct Freed {
    void operator()(T *handle) const noexcept { Free(handle); }
};

/** The one owner of a handle of C. */
template <typename T, void (*Free)(T *)>
using Owned = std::unique_ptr<T, Freed<T, Free>>;

} // namespace detail

} // namespace keyless

#endif
