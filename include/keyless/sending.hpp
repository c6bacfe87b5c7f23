/**
 * @file
 * The ways of sending a command: waiting with or without exceptions, a future, a callback, the completion queue.
 */

#ifndef KEYLESS_SENDING_HPP
#define KEYLESS_SENDING_HPP

#include "callback.hpp"
#include "pipeline.hpp"

#include <future>
#include <mutex>

namespace keyless {

namespace detail {

/** Who waits for a reply, on the heap: keyless holds it until it is called. */
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter &) = delete;
    Waiter &operator=(const Waiter &) = delete;
    virtual ~Waiter() = default;
    /** Takes the outcome; either is NULL. May throw what the user's callback throws. */
    virtual void complete(const keyless_reply *reply, const keyless_error *error) = 0;

private:
    friend class Waiters;
    Waiter *before_ = nullptr;
    Waiter *after_ = nullptr;
};

template <typename T>
Result<T> outcome_as(const keyless_reply *reply, const keyless_error *error) {
    static_assert(!IsBorrowed<T>::value, "a view would outlive its reply: ask for std::string or Reply");
    return error != nullptr ? Result<T>(Error::borrowed(error)) : Converter<T>::convert(ReplyView(reply));
}

/** A callback that waits. */
template <typename T, typename Callback>
class CallbackWaiter : public Waiter {
public:
    explicit CallbackWaiter(Callback callback) : callback_(std::move(callback)) {}
    void complete(const keyless_reply *reply, const keyless_error *error) override {
        callback_(outcome_as<T>(reply, error));
    }

private:
    Callback callback_;
};

/** A future that waits. */
template <typename T>
class PromiseWaiter : public Waiter {
public:
    std::future<T> future() { return promise_.get_future(); }
    void complete(const keyless_reply *reply, const keyless_error *error) override {
        Result<T> outcome = outcome_as<T>(reply, error);
        if (!outcome) {
            promise_.set_exception(outcome.error().exception_ptr());
        } else if constexpr (std::is_void_v<T>) {
            promise_.set_value();
        } else {
            promise_.set_value(std::move(*outcome));
        }
    }

private:
    std::promise<T> promise_;
};

/** What C calls with an outcome. */
inline void on_reply(const keyless_reply *reply, const keyless_error *error, void *data) {
    const std::unique_ptr<Waiter> waiter(static_cast<Waiter *>(data));
    shielded([&] { waiter->complete(reply, error); });
}

/** Hands a request over; if that fails the waiter hears of it here and now. */
template <typename Request>
void submit(const keyless_client *client, std::uint64_t timeout, const Request &request,
            std::unique_ptr<Waiter> waiter) {
    Waiter *raw = waiter.release();
    keyless_error *error = nullptr;
    request.submit(client, timeout, on_reply, raw, &error);
    if (error != nullptr) {
        const Error failed(error);
        on_reply(nullptr, failed.handle(), raw);
    }
}

/** The waiters of a client's completion queue: those that are never drained are destroyed with it. */
class Waiters {
public:
    Waiters() = default;
    Waiters(const Waiters &) = delete;
    Waiters &operator=(const Waiters &) = delete;
    ~Waiters() {
        while (first_ != nullptr) {
            take(first_);
        }
    }

    /** Holds a waiter until it is taken. */
    Waiter *add(std::unique_ptr<Waiter> waiter) {
        const std::lock_guard<std::mutex> lock(mutex_);
        waiter->after_ = first_;
        if (first_ != nullptr) {
            first_->before_ = waiter.get();
        }
        return first_ = waiter.release();
    }

    std::unique_ptr<Waiter> take(Waiter *waiter) noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        (waiter->before_ != nullptr ? waiter->before_->after_ : first_) = waiter->after_;
        if (waiter->after_ != nullptr) {
            waiter->after_->before_ = waiter->before_;
        }
        return std::unique_ptr<Waiter>(waiter);
    }

private:
    std::mutex mutex_;
    Waiter *first_ = nullptr;
};

/** Where commands go. */
struct Target {
    const keyless_client *client;
    Waiters *waiters;
    /** In milliseconds; 0 is the option `command_timeout`. */
    std::uint64_t timeout;
};

/** For those who have no reply yet when the call returns. */
class NoTransfer {
public:
    /** Forms with output iterators do not exist here. */
    template <typename Whole, typename Output>
    void transfer(Whole &&, Output) {
        static_assert(never<Whole>, "there is no reply yet: ask for a container, hgetall<std::map<...>>(key)");
    }
    /** Forms with output iterators do not exist here. */
    template <typename Whole, typename Output>
    void transfer_page(Whole &&, Output) {
        static_assert(never<Whole>, "there is no reply yet: ask for a container, scan<std::vector<...>>(cursor)");
    }
};

} // namespace detail

/** Sends commands and waits, without exceptions: gives Result<T>. From `with(std::nothrow)`; its client must outlive it. */
class Nothrow : public Commands<Nothrow> {
public:
    /** To a client. */
    explicit Nothrow(const detail::Target &target) noexcept : target_(target) {}

    /** Sends a command of these arguments. */
    template <typename T>
    Result<T> run(const Arguments &arguments) {
        return detail::execute<T>(target_.client, target_.timeout, detail::CommandRequest{arguments});
    }

    /** Sends a pipeline or transaction; see Pipeline::exec(). */
    Result<Replies> exec(Pipeline &pipeline) {
        return detail::execute<Replies>(target_.client, target_.timeout, pipeline.request());
    }

    /** Puts the parts of a reply into `out`: for forms with output iterators. */
    template <typename Output>
    Result<void> transfer(const Result<Reply> &whole, Output out) {
        return whole ? detail::write(*whole, out) : whole.error();
    }

    /** Puts the parts of a page into `out`: for forms with output iterators. */
    template <typename Output>
    Result<Cursor> transfer_page(const Result<std::pair<Cursor, Reply>> &page, Output out) {
        if (!page) {
            return page.error();
        }
        const Result<void> all = detail::write(page->second, out);
        return all ? Result<Cursor>(page->first) : all.error();
    }

private:
    detail::Target target_;
};

/** Sends commands and gives std::future<T>. From `async()`; its client must outlive it. */
class Async : public Commands<Async>, public detail::NoTransfer {
public:
    /** To a client. */
    explicit Async(const detail::Target &target) noexcept : target_(target) {}

    /** Sends a command of these arguments. */
    template <typename T>
    std::future<T> run(const Arguments &arguments) {
        return send<T>(detail::CommandRequest{arguments});
    }

    /** Sends a pipeline or transaction; see Pipeline::exec(). It is empty afterwards. */
    std::future<Replies> exec(Pipeline &pipeline) { return send<Replies>(pipeline.request()); }

private:
    template <typename T, typename Request>
    std::future<T> send(const Request &request) {
        auto waiter = std::make_unique<detail::PromiseWaiter<T>>();
        std::future<T> future = waiter->future();
        detail::submit(target_.client, target_.timeout, request, std::move(waiter));
        return future;
    }

    detail::Target target_;
};

/** Sends one command whose outcome a callback hears. From `async(callback)`; its client must outlive it. */
template <typename Callback>
class AsyncCallback : public Commands<AsyncCallback<Callback>>, public detail::NoTransfer {
public:
    /** To a client. */
    AsyncCallback(const detail::Target &target, Callback callback)
        : target_(target), callback_(std::move(callback)) {}

    /** Sends a command of these arguments. */
    template <typename T>
    void run(const Arguments &arguments) {
        send<T>(detail::CommandRequest{arguments});
    }

    /** Sends a pipeline or transaction; see Pipeline::exec(). It is empty afterwards. */
    void exec(Pipeline &pipeline) { send<Replies>(pipeline.request()); }

private:
    template <typename T, typename Request>
    void send(const Request &request) {
        detail::submit(target_.client, target_.timeout, request,
                       std::make_unique<detail::CallbackWaiter<T, Callback>>(std::move(callback_)));
    }

    detail::Target target_;
    Callback callback_;
};

/** Sends one command whose outcome drain() gives to a callback. From `queue(callback)`; its client must outlive it. */
template <typename Callback>
class Queued : public Commands<Queued<Callback>>, public detail::NoTransfer {
public:
    /** To a client. */
    Queued(const detail::Target &target, Callback callback) : target_(target), callback_(std::move(callback)) {}

    /** Sends a command of these arguments. */
    template <typename T>
    void run(const Arguments &arguments) {
        send<T>(detail::CommandRequest{arguments});
    }

    /** Sends a pipeline or transaction; see Pipeline::exec(). It is empty afterwards. */
    void exec(Pipeline &pipeline) { send<Replies>(pipeline.request()); }

private:
    template <typename T, typename Request>
    void send(const Request &request) {
        auto waiter = std::make_unique<detail::CallbackWaiter<T, Callback>>(std::move(callback_));
        keyless_error *error = nullptr;
        if (target_.waiters == nullptr) {
            // A client that was moved from: C says so.
            request.submit(nullptr, 0, nullptr, nullptr, &error);
            waiter->complete(nullptr, Error(error).handle());
            return;
        }
        detail::Waiter *held = target_.waiters->add(std::move(waiter));
        request.submit(target_.client, target_.timeout, nullptr, held, &error);
        if (error != nullptr) {
            const Error failed(error);
            target_.waiters->take(held)->complete(nullptr, failed.handle());
        }
    }

    detail::Target target_;
    Callback callback_;
};

namespace detail {

/** Sends commands and waits; throws. What Client and Timed share. */
template <typename Derived>
class Waiting : public Commands<Derived> {
public:
    /** Sends a command of these arguments, and waits. Throws an Error. */
    template <typename T>
    T run(const Arguments &arguments) {
        return execute<T>(target().client, target().timeout, CommandRequest{arguments}).value();
    }

    /** Sends a pipeline or transaction; see Pipeline::exec(). */
    Replies exec(Pipeline &pipeline) {
        return execute<Replies>(target().client, target().timeout, pipeline.request()).value();
    }

    /** Puts the parts of a reply into `out`: for forms with output iterators. */
    template <typename Output>
    void transfer(const Reply &whole, Output out) {
        write(whole, out).value();
    }

    /** Puts the parts of a page into `out`: for forms with output iterators. */
    template <typename Output>
    Cursor transfer_page(const std::pair<Cursor, Reply> &page, Output out) {
        write(page.second, out).value();
        return page.first;
    }

    /** All commands without exceptions: `client.with(std::nothrow).get("key")` gives a Result<OptionalString>. */
    Nothrow with(std::nothrow_t) noexcept { return Nothrow(target()); }

    /**
     * All commands without waiting: `client.async().get("key")` gives a std::future<OptionalString>. Not to be waited for
     * in a callback, whose thread fulfils futures too.
     */
    Async async() noexcept { return Async(target()); }

    /**
     * All commands without waiting: `client.async([](Result<OptionalString> value) { ... }).get("key")`; a lambda may
     * take `auto`. One command for each call.
     *
     * The callback runs once, on the thread `keyless-calls`, one at a time, in the order in which replies came; when the
     * command cannot be handed over, here and now. It may call keyless, also to wait for a reply and to destroy the
     * client; while it blocks, other callbacks wait. For what it throws see set_callback_error_handler().
     */
    template <typename Callback>
    AsyncCallback<std::decay_t<Callback>> async(Callback &&callback) {
        return {target(), std::forward<Callback>(callback)};
    }

    /**
     * All commands for event loops: as async(callback), but the callback runs in Client::drain(), on its thread, which is
     * to be called when Client::fd() is readable.
     */
    template <typename Callback>
    Queued<std::decay_t<Callback>> queue(Callback &&callback) {
        return {target(), std::forward<Callback>(callback)};
    }

private:
    Target target() noexcept { return static_cast<Derived &>(*this).target(); }
};

} // namespace detail

/** Sends commands with a time limit of their own. From Client::within(); its client must outlive it. */
class Timed : public detail::Waiting<Timed> {
public:
    /** To a client. */
    explicit Timed(const detail::Target &target) noexcept : target_(target) {}

    /** Where commands go. */
    detail::Target target() noexcept { return target_; }

private:
    detail::Target target_;
};

namespace detail {

/** One command for one node, ready to be sent. */
struct NodeRequest {
    const std::string &endpoint;
    const Arguments &arguments;

    void execute(const keyless_client *client, std::uint64_t timeout, keyless_reply **reply,
                 keyless_error **error) const {
        keyless_client_execute_on(client, text(endpoint), endpoint.size(), arguments.size(), arguments.data(),
                                  arguments.lengths(), timeout, reply, error);
    }
};

} // namespace detail

/** Sends commands to one node of a cluster and waits; throws. From Client::on(); its client must outlive it. */
class OnNode : public Commands<OnNode> {
public:
    /** To a node of a client. */
    OnNode(const detail::Target &target, std::string_view endpoint) : target_(target), endpoint_(endpoint) {}

    /** Sends a command of these arguments, and waits. Throws an Error. */
    template <typename T>
    T run(const Arguments &arguments) {
        return run<T>(std::nothrow, arguments).value();
    }

    /** The same, without exceptions. */
    template <typename T>
    Result<T> run(std::nothrow_t, const Arguments &arguments) {
        return detail::execute<T>(target_.client, target_.timeout, detail::NodeRequest{endpoint_, arguments});
    }

    /** Puts the parts of a reply into `out`: for forms with output iterators. */
    template <typename Output>
    void transfer(const Reply &whole, Output out) {
        detail::write(whole, out).value();
    }

    /** Puts the parts of a page into `out`: for forms with output iterators. */
    template <typename Output>
    Cursor transfer_page(const std::pair<Cursor, Reply> &page, Output out) {
        detail::write(page.second, out).value();
        return page.first;
    }

private:
    detail::Target target_;
    std::string endpoint_;
};

} // namespace keyless

#endif
