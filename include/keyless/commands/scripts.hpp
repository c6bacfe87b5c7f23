/**
 * @file
 * Scripts and functions that run on the server.
 */

#ifndef KEYLESS_COMMANDS_SCRIPTS_HPP
#define KEYLESS_COMMANDS_SCRIPTS_HPP

#include "types.hpp"

namespace keyless {

/** Scripts and functions; see Commands. T is what the script answers. */
template <typename Derived>
class ScriptCommands : detail::CommandGroup<Derived, ScriptCommands> {
    friend detail::CommandGroup<Derived, ScriptCommands>;

public:
    /** Runs a script with ranges of keys and arguments. */
    template <typename T, typename Keys, typename Input, typename = detail::IfIterator<Keys>>
    decltype(auto) eval(std::string_view script, Keys keys_first, Keys keys_last, Input args_first, Input args_last) {
        return called<T>("EVAL", script, keys_first, keys_last, args_first, args_last);
    }

    /** Runs a script with keys and arguments. */
    template <typename T>
    decltype(auto) eval(std::string_view script, std::initializer_list<std::string_view> keys,
                        std::initializer_list<std::string_view> args) {
        return called<T>("EVAL", script, keys.begin(), keys.end(), args.begin(), args.end());
    }

    /** Runs a script whose answer is a list, which is put into `out`. */
    template <typename Output, typename = detail::IfIterator<Output>>
    decltype(auto) eval(std::string_view script, std::initializer_list<std::string_view> keys,
                        std::initializer_list<std::string_view> args, Output out) {
        return this->self().transfer(eval<Reply>(script, keys, args), out);
    }

    /** Runs a script that the server knows by its SHA-1; fails with `NOSCRIPT` if it does not. */
    template <typename T, typename Keys, typename Input, typename = detail::IfIterator<Keys>>
    decltype(auto) evalsha(std::string_view sha, Keys keys_first, Keys keys_last, Input args_first, Input args_last) {
        return called<T>("EVALSHA", sha, keys_first, keys_last, args_first, args_last);
    }

    /** Runs a script that the server knows by its SHA-1; fails with `NOSCRIPT` if it does not. */
    template <typename T>
    decltype(auto) evalsha(std::string_view sha, std::initializer_list<std::string_view> keys,
                           std::initializer_list<std::string_view> args) {
        return called<T>("EVALSHA", sha, keys.begin(), keys.end(), args.begin(), args.end());
    }

    /** Runs a function of a library (Redis 7). */
    template <typename T>
    decltype(auto) fcall(std::string_view function, std::initializer_list<std::string_view> keys,
                         std::initializer_list<std::string_view> args) {
        return called<T>("FCALL", function, keys.begin(), keys.end(), args.begin(), args.end());
    }

    /** Hands a script to the server. Gives its SHA-1 (std::string). */
    decltype(auto) script_load(std::string_view script) {
        return this->template send<std::string>("SCRIPT", "LOAD", script);
    }

    /** Gives which of the scripts the server knows (std::vector<bool>). */
    decltype(auto) script_exists(std::initializer_list<std::string_view> shas) {
        return this->template send_range<std::vector<bool>>(shas.begin(), shas.end(), "SCRIPT", "EXISTS");
    }

private:
    template <typename T, typename Keys, typename Input>
    decltype(auto) called(const char *command, std::string_view what, Keys keys_first, Keys keys_last,
                          Input args_first, Input args_last) {
        Arguments arguments(command, what, std::distance(keys_first, keys_last));
        arguments.range(keys_first, keys_last).range(args_first, args_last);
        return this->self().template run<T>(arguments);
    }
};

} // namespace keyless

#endif
