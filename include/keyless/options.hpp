/**
 * @file
 * Options of a client. The typed setters are in option_setters.hpp.
 */

#ifndef KEYLESS_OPTIONS_HPP
#define KEYLESS_OPTIONS_HPP

#include "option_setters.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace keyless {

/**
 * Where the cache is, and how to reach it. Clients copy what they need.
 *
 * Moves only; see clone(). One thread at a time may use it. Options that were moved from fail with
 * KEYLESS_INVALID_ARGUMENT.
 */
class Options : public OptionSetters<Options> {
public:
    /**
     * Reads a connection string as StackExchange.Redis takes it (`host:port,option=value,...`; a host alone is enough)
     * or a URL (`rediss://user:password@host:port`). Throws InputError, which names what cannot be read.
     */
    explicit Options(std::string_view connection_string) : Options(parse(std::nothrow, connection_string).value()) {}

    /** The same, without exceptions. */
    static Result<Options> parse(std::nothrow_t, std::string_view connection_string) {
        return made([&](keyless_options **options, keyless_error **error) {
            keyless_options_parse(detail::text(connection_string), connection_string.size(), options, error);
        });
    }

    /**
     * Reads `REDIS_HOST`, `REDIS_PORT`, `REDIS_ACCESS_KEY` and the `AZURE_...` variables from the environment, which no
     * other thread may change meanwhile. Throws InputError, which names the variable.
     */
    static Options from_env() { return from_env(std::nothrow).value(); }

    /** The same, without exceptions. */
    static Result<Options> from_env(std::nothrow_t) { return made(keyless_options_from_env); }

    /** A copy. */
    Options clone() const { return Options(keyless_options_clone(handle())); }

    /** Sets any option by its name, such as `connect_timeout`, from text in the option's unit. Throws InputError. */
    Options &set(std::string_view name, std::string_view value) {
        set(std::nothrow, name, value).value();
        return *this;
    }

    /** The same, without exceptions. */
    Result<void> set(std::nothrow_t, std::string_view name, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_options_set(handle(), detail::text(name), name.size(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /** An option's value as text, in the option's unit; empty if it is not set, `***` for secrets. Throws InputError. */
    std::string value(std::string_view name) const { return value(std::nothrow, name).value(); }

    /** The same, without exceptions. */
    Result<std::string> value(std::nothrow_t, std::string_view name) const {
        return written([&](char *buffer, std::size_t capacity, std::size_t *length, keyless_error **error) {
            keyless_options_get(handle(), detail::text(name), name.size(), buffer, capacity, length, error);
        });
    }

    /** The options as a connection string; secrets as `***`. */
    std::string connection_string() const { return connection_string(std::nothrow).value(); }

    /** The same, without exceptions. */
    Result<std::string> connection_string(std::nothrow_t) const {
        return written([&](char *buffer, std::size_t capacity, std::size_t *length, keyless_error **error) {
            keyless_options_print(handle(), buffer, capacity, length, error);
        });
    }

    /** What should be told to whoever wrote the options: what has no effect, names that are nearly Azure's. */
    std::vector<std::string> warnings() const {
        std::vector<std::string> all;
        std::size_t length = 0;
        while (const char *warning = keyless_options_warning(handle(), all.size(), &length)) {
            all.emplace_back(warning, length);
        }
        return all;
    }

    /** Fails if they were moved from: for C a NULL would stand for the defaults. */
    Result<void> check() const {
        keyless_error *error = nullptr;
        if (handle() == nullptr) {
            keyless_options_set(nullptr, "", 0, "", 0, &error);
        }
        return detail::outcome(error);
    }

    /** The handle of C, borrowed. */
    keyless_options *handle() const noexcept { return handle_.get(); }

private:
    explicit Options(keyless_options *options) noexcept : handle_(options) {}

    template <typename Make>
    static Result<Options> made(Make make) {
        keyless_options *options = nullptr;
        keyless_error *error = nullptr;
        make(&options, &error);
        return error != nullptr ? Result<Options>(Error(error)) : Result<Options>(Options(options));
    }

    /** Asks for the length first. */
    template <typename Write>
    static Result<std::string> written(Write write) {
        std::size_t length = 0;
        keyless_error *error = nullptr;
        write(nullptr, 0, &length, &error);
        if (error != nullptr) {
            return Error(error);
        }
        // There is always room for the NUL behind a string.
        std::string text(length, '\0');
        write(text.data(), length + 1, &length, &error);
        return error != nullptr ? Result<std::string>(Error(error)) : Result<std::string>(std::move(text));
    }

    detail::Owned<keyless_options, keyless_options_free> handle_;
};

} // namespace keyless

#endif
