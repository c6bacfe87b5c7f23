/**
 * @file
 * Options of a client. The typed setters are in option_setters.hpp.
 */

#ifndef KEYLESS_OPTIONS_HPP
#define KEYLESS_OPTIONS_HPP

#include "claims.hpp"
#include "option_setters.hpp"

#include <memory>
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

    /**
     * Lets `choose` name the Redis user of each new token, in place of its object id and of the option `user_name`:
     * `options.user_name_callback([](const keyless::Claims &claims) { return users.at(claims.object_id()); })`.
     *
     * It gives text, or a std::optional of text; without a value the token cannot be used and another one is asked for.
     * Once per token, on the thread `keyless-token`, which it must not block. For what it throws see
     * set_callback_error_handler(); the token cannot be used then. Copies of the options share it.
     */
    template <typename Choose>
    Options &user_name_callback(Choose &&choose) {
        user_name_callback(std::nothrow, std::forward<Choose>(choose)).value();
        return *this;
    }

    /** The same, without exceptions. */
    template <typename Choose>
    Result<void> user_name_callback(std::nothrow_t, Choose &&choose) {
        using Type = std::decay_t<Choose>;
        return calling(std::forward<Choose>(choose), [&](void *data, keyless_destructor free, keyless_error **error) {
            keyless_options_set_user_name_callback(handle(), &detail::on_user_name<Type>, data, free, error);
        });
    }

    /**
     * Lets `decide`, asked so often, say whether a token that was received and expires at these times
     * (std::chrono::system_clock::time_point) is replaced now, in place of the options `refresh_ratio` and
     * `refresh_jitter`. Should it never say true, the token is replaced `refresh_margin` before its end.
     *
     * On the thread `keyless-token`, which it must not block. What it throws counts as false; see
     * set_callback_error_handler(). Copies of the options share it. Throws InputError if `every` is less than 1 ms.
     */
    template <typename Decide>
    Options &should_refresh_callback(std::chrono::milliseconds every, Decide &&decide) {
        should_refresh_callback(std::nothrow, every, std::forward<Decide>(decide)).value();
        return *this;
    }

    /** The same, without exceptions. */
    template <typename Decide>
    Result<void> should_refresh_callback(std::nothrow_t, std::chrono::milliseconds every, Decide &&decide) {
        using Type = std::decay_t<Decide>;
        return calling(std::forward<Decide>(decide), [&](void *data, keyless_destructor free, keyless_error **error) {
            keyless_options_set_should_refresh_callback(handle(), detail::milliseconds(every),
                                                        &detail::on_should_refresh<Type>, data, free, error);
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

    /** Gives a callback to a function of C, which owns it from then on. */
    template <typename Callback, typename Set>
    static Result<void> calling(Callback &&callback, Set set) {
        using Type = std::decay_t<Callback>;
        auto owned = std::make_unique<Type>(std::forward<Callback>(callback));
        keyless_error *error = nullptr;
        set(owned.get(), &detail::destroy<Type>, &error);
        if (error == nullptr) {
            owned.release();
        }
        return detail::outcome(error);
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
