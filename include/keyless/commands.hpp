/**
 * @file
 * All commands, each defined once for every way of sending it.
 */

#ifndef KEYLESS_COMMANDS_HPP
#define KEYLESS_COMMANDS_HPP

#include "commands/hashes.hpp"
#include "commands/keys.hpp"
#include "commands/lists.hpp"
#include "commands/scripts.hpp"
#include "commands/sets.hpp"
#include "commands/sorted_sets.hpp"
#include "commands/streams.hpp"
#include "commands/strings.hpp"

namespace keyless {

/**
 * The named commands, and command() for all others.
 *
 * Whoever inherits them says in `run<T>(arguments)` how they are sent, and thereby what they give. Where the
 * documentation of a command says that it gives a T:
 *
 * | called on | gives | fails |
 * |---|---|---|
 * | Client, Client::within() | T | throws |
 * | `with(std::nothrow)` | Result<T> | in the Result |
 * | `async()` | std::future<T> | in the future |
 * | `async(callback)`, `queue(callback)` | nothing; the callback gets a Result<T> | in the Result |
 * | Pipeline, Transaction | itself, so that calls can be chained; Replies::get<T>() later | there |
 *
 * T can be chosen where it is a parameter: `hgetall<std::map<std::string, std::string>>("key")`. Forms with an output
 * iterator exist for the first two only, since the others have no reply yet. Names and the order of arguments are those
 * of redis-plus-plus. Times are durations; text is borrowed until the call returns.
 */
template <typename Derived>
class Commands : public KeyCommands<Derived>,
                 public StringCommands<Derived>,
                 public HashCommands<Derived>,
                 public ListCommands<Derived>,
                 public SetCommands<Derived>,
                 public SortedSetCommands<Derived>,
                 public StreamCommands<Derived>,
                 public ScriptCommands<Derived> {
public:
    /**
     * Any command: its name, then text, numbers and containers of these (see Arguments):
     * `command<long long>("BITFIELD_RO", "key", ...)`. Gives T.
     *
     * A command that has a second word takes it as an argument: `command("CLIENT", "GETNAME")`.
     */
    template <typename T = Reply, typename... Argument>
    decltype(auto) command(std::string_view name, Argument &&...arguments) {
        return static_cast<Derived &>(*this).template run<T>(Arguments(name, std::forward<Argument>(arguments)...));
    }

protected:
    Commands() = default;
    ~Commands() = default;
    Commands(Commands &&) = default;
    Commands &operator=(Commands &&) = default;
    Commands(const Commands &) = default;
    Commands &operator=(const Commands &) = default;
};

} // namespace keyless

#endif
