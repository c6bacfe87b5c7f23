/**
 * @file
 * The client.
 */

#ifndef KEYLESS_CLIENT_HPP
#define KEYLESS_CLIENT_HPP

#include "credential.hpp"
#include "event.hpp"
#include "nodes.hpp"
#include "options.hpp"
#include "scan.hpp"
#include "sending.hpp"
#include "stats.hpp"
#include "subscription.hpp"
#include "token_source.hpp"

namespace keyless {

/**
 * A client of one cache: one connection, or one per node of a cluster, shared by all who use it.
 *
 * Any thread may use it, any number at a time; one moves or destroys it, when no other one uses it. Moves only; a client
 * that was moved from fails with KEYLESS_INVALID_ARGUMENT. What with(), async(), queue(), within(), on(), pipeline() and
 * scan_range() give refers to what it owns, not to the object: it may move meanwhile.
 *
 * When it is destroyed, what is not answered fails with KEYLESS_CLOSED. Callbacks of async() still run before the
 * destructor returns (unless one of them destroys the client: then afterwards); those of queue() that were not drained
 * are destroyed without being called. Subscriptions end.
 *
 * In a forked child it connects anew when it is first used there.
 */
class Client : public detail::Waiting<Client> {
public:
    /**
     * Connects. Who signs in is what the options say: the access key if they hold one, the application's secret if they
     * hold one, otherwise the default chain.
     *
     * Returns when the first attempt has ended. Should it have failed, attempts go on in the background, see
     * last_error(), unless the option `abort_on_connect_fail` is set: then throws AuthError, ConnectionError ...
     */
    explicit Client(const Options &options) : Client(connect(std::nothrow, options).value()) {}

    /** Connects; who signs in is the credential. */
    Client(const Options &options, const Credential &credential)
        : Client(connect(std::nothrow, options, credential).value()) {}

    /** Connects with a token source that others share: one token request per refresh for all of them. */
    Client(const Options &options, const TokenSource &source)
        : Client(connect(std::nothrow, options, source).value()) {}

    /** Connects, with a connection string; see Options. */
    explicit Client(std::string_view connection_string) : Client(Options(connection_string)) {}

    /** The same, without exceptions. */
    static Result<Client> connect(std::nothrow_t, const Options &options) {
        keyless_client *client = nullptr;
        keyless_error *error = nullptr;
        keyless_client_connect(options.handle(), nullptr, &client, &error);
        return made(client, error);
    }

    /** The same, without exceptions. */
    static Result<Client> connect(std::nothrow_t, const Options &options, const Credential &credential) {
        if (const Result<void> there = credential.check(); !there) {
            return there.error();
        }
        keyless_client *client = nullptr;
        keyless_error *error = nullptr;
        keyless_client_connect(options.handle(), credential.handle(), &client, &error);
        return made(client, error);
    }

    /** The same, without exceptions. */
    static Result<Client> connect(std::nothrow_t, const Options &options, const TokenSource &source) {
        keyless_client *client = nullptr;
        keyless_error *error = nullptr;
        keyless_client_connect_with_source(options.handle(), source.handle(), &client, &error);
        return made(client, error);
    }

    /**
     * Takes no more commands, waits for those that were handed over, at the most for the option `command_timeout`, and
     * closes the connection. Every later command throws ClosedError. Not to be called in a callback.
     */
    void close() { close(std::nothrow).value(); }

    /** The same, without exceptions. */
    Result<void> close(std::nothrow_t) {
        keyless_error *error = nullptr;
        keyless_client_close(handle(), &error);
        return detail::outcome(error);
    }

    /** Whether there is a signed-in connection now, or one to every node of a cluster. */
    bool is_ready() const noexcept { return keyless_client_is_ready(handle()); }

    /** Why there is no connection now; nothing while there is one or the first one is being made. */
    std::optional<Error> last_error() const {
        keyless_error *error = keyless_client_last_error(handle());
        return error != nullptr ? std::optional(Error(error)) : std::nullopt;
    }

    /** `host:port` of the cache. Lives as long as the client. */
    std::string_view endpoint() const noexcept { return detail::view(keyless_client_endpoint, handle()); }

    /**
     * All commands with this time limit instead of the option `command_timeout`; less than 1 ms counts as 1 ms. Commands
     * that wait on the server (blpop() ...) have a limit of their own, among their arguments, and keep it.
     */
    Timed within(std::chrono::milliseconds timeout) noexcept {
        detail::Target limited = target();
        limited.timeout = timeout.count() > 0 ? detail::milliseconds(timeout) : 1;
        return Timed(limited);
    }

    /** The nodes that serve keys now: a single server, or a cluster's primaries. Nothing is sent. */
    std::vector<Node> nodes() const { return nodes(std::nothrow).value(); }

    /** The same, without exceptions. */
    Result<std::vector<Node>> nodes(std::nothrow_t) const { return detail::nodes_of(handle()); }

    /**
     * All commands to one node of a cluster, wherever their keys are: `client.on(node.endpoint).info()`. Throws InputError
     * if there is no such node now.
     */
    OnNode on(std::string_view endpoint) { return OnNode(target(), endpoint); }

    /** An empty pipeline of this client. */
    Pipeline pipeline() { return Pipeline(handle(), keyless_pipeline_new(), true); }

    /** The same; adding commands does not throw. */
    Pipeline pipeline(std::nothrow_t) { return Pipeline(handle(), keyless_pipeline_new(), false); }

    /** An empty transaction of this client. */
    Transaction transaction() { return Transaction(handle(), true); }

    /** The same; adding commands does not throw. */
    Transaction transaction(std::nothrow_t) { return Transaction(handle(), false); }

    /**
     * All keys that match, on a cluster those of all nodes; of one type, such as `hash`, if one is given. `count` is about
     * how many are looked at for a page; with 0 the server decides.
     */
    ScanRange<std::string> scan_range(std::string_view pattern = "*", long long count = 100,
                                      std::string_view type = {}) {
        return ScanRange<std::string>(detail::KeyPages(handle(), pattern, count, type));
    }

    /** All fields of a hash that match, with their values. */
    ScanRange<std::pair<std::string, std::string>> hscan_range(std::string_view key, std::string_view pattern = "*",
                                                               long long count = 100) {
        return ScanRange<std::pair<std::string, std::string>>(
            [timed = Timed(target()), of = std::string(key), match = std::string(pattern), count](
                Cursor cursor) mutable { return timed.hscan(of, cursor, match, count); });
    }

    /** All members of a set that match. */
    ScanRange<std::string> sscan_range(std::string_view key, std::string_view pattern = "*", long long count = 100) {
        return ScanRange<std::string>(
            [timed = Timed(target()), of = std::string(key), match = std::string(pattern), count](
                Cursor cursor) mutable { return timed.sscan(of, cursor, match, count); });
    }

    /** All members of a sorted set that match, with their scores. */
    ScanRange<std::pair<std::string, double>> zscan_range(std::string_view key, std::string_view pattern = "*",
                                                          long long count = 100) {
        return ScanRange<std::pair<std::string, double>>(
            [timed = Timed(target()), of = std::string(key), match = std::string(pattern), count](
                Cursor cursor) mutable { return timed.zscan(of, cursor, match, count); });
    }

    /**
     * A subscription, to nothing yet; destroy it before or after the client. `capacity` messages may wait (0: 10,000);
     * `overflow` says what happens when there are more.
     */
    Subscription subscriber(std::size_t capacity = 0, Overflow overflow = KEYLESS_DROP_OLDEST) {
        return subscriber(std::nothrow, capacity, overflow).value();
    }

    /** The same, without exceptions. */
    Result<Subscription> subscriber(std::nothrow_t, std::size_t capacity = 0,
                                    Overflow overflow = KEYLESS_DROP_OLDEST) {
        keyless_subscription *subscription = nullptr;
        keyless_error *error = nullptr;
        keyless_subscription_new(handle(), capacity, static_cast<int>(overflow), &subscription, &error);
        return error != nullptr ? Result<Subscription>(Error(error)) : Result<Subscription>(Subscription(subscription));
    }

    /**
     * Calls `handler` with an Event for the events in `mask` (KEYLESS_EVENT_..., ALL_EVENTS): those of this client's
     * connections and of its token source. It is destroyed when it was removed, or with the client.
     *
     * It runs on the thread `keyless-events`, one call at a time and in order; one that blocks delays other handlers of
     * the process and nothing else. It may call keyless, also to remove itself or to destroy the client. For what it
     * throws see set_callback_error_handler().
     */
    template <typename Handler>
    HandlerId on_event(EventMask mask, Handler &&handler) {
        return on_event(std::nothrow, mask, std::forward<Handler>(handler)).value();
    }

    /** The same, without exceptions. */
    template <typename Handler>
    Result<HandlerId> on_event(std::nothrow_t, EventMask mask, Handler &&handler) {
        return detail::add_handler(
            std::forward<Handler>(handler),
            [this, mask](void *data, keyless_destructor free, HandlerId *id, keyless_error **error) {
                keyless_client_on_event(handle(), mask, &detail::on_event<std::decay_t<Handler>>, data, free, id, error);
            });
    }

    /** Removes a handler; false if there is none. A call that runs has ended, unless that is the caller. */
    bool remove_handler(HandlerId id) noexcept { return keyless_client_remove_handler(handle(), id); }

    /**
     * The descriptor that is readable while completions of queue() wait: for epoll, libuv, libevent. Watch it for reading
     * and call drain(); do not read from it and do not close it. Another one in a forked child. -1 where there is no such
     * thing, and of a client that was moved from.
     */
    int fd() const noexcept { return keyless_client_fd(handle()); }

    /**
     * Calls the callbacks of up to `most` completions of queue(). Never waits. Gives how many there were; fd() stays
     * readable while there are more. Any thread, also several.
     *
     * What a callback throws leaves drain() after the others have run; of several the first one. A callback may destroy
     * the client. Throws InputError of a client that was moved from.
     */
    std::size_t drain(std::size_t most = 1024) { return drain(std::nothrow, most).value(); }

    /** The same; throws only what callbacks throw. */
    Result<std::size_t> drain(std::nothrow_t, std::size_t most = 1024) {
        const detail::Owned<keyless_completions, keyless_completions_free> room(keyless_completions_new());
        const keyless_completion *list = nullptr;
        std::size_t count = 0;
        keyless_error *error = nullptr;
        keyless_client_drain(handle(), room.get(), most, &list, &count, &error);
        if (error != nullptr) {
            return Error(error);
        }
        std::vector<std::unique_ptr<detail::Waiter>> waiting;
        waiting.reserve(count);
        for (std::size_t index = 0; index < count; ++index) {
            waiting.push_back(waiters_->take(static_cast<detail::Waiter *>(list[index].user_data)));
        }
        // From here on nothing of the client is touched.
        std::exception_ptr first;
        for (std::size_t index = 0; index < count; ++index) {
            detail::guarded([&] { waiting[index]->complete(list[index].reply, list[index].error); },
                            [&](std::exception_ptr exception) {
                                if (!first) {
                                    first = std::move(exception);
                                }
                            });
        }
        if (first) {
            std::rethrow_exception(first);
        }
        return count;
    }

    /** The figures of now; taking them costs a few microseconds. */
    Stats stats() const { return stats(std::nothrow).value(); }

    /** The same, without exceptions. */
    Result<Stats> stats(std::nothrow_t) const {
        keyless_stats *stats = nullptr;
        keyless_error *error = nullptr;
        keyless_client_stats(handle(), &stats, &error);
        return error != nullptr ? Result<Stats>(Error(error)) : Result<Stats>(Stats(stats));
    }

    /** Where commands go; for the ways of sending. */
    detail::Target target() noexcept { return {handle(), waiters_.get(), 0}; }

    /** The handle of C, borrowed. */
    keyless_client *handle() const noexcept { return handle_.get(); }

private:
    explicit Client(keyless_client *client) : waiters_(std::make_unique<detail::Waiters>()), handle_(client) {}

    static Result<Client> made(keyless_client *client, keyless_error *error) {
        return error != nullptr ? Result<Client>(Error(error)) : Result<Client>(Client(client));
    }

    // In this order: the client goes first.
    std::unique_ptr<detail::Waiters> waiters_;
    detail::Owned<keyless_client, keyless_client_free> handle_;
};

} // namespace keyless

#endif
