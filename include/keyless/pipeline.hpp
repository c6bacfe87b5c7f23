/**
 * @file
 * Commands that are sent together, also as a transaction, and their replies.
 */

#ifndef KEYLESS_PIPELINE_HPP
#define KEYLESS_PIPELINE_HPP

#include "commands.hpp"

namespace keyless {

/** The replies of a pipeline or transaction, one part per command, in order. Moves only. */
class Replies {
public:
    /** Takes over a list of replies. */
    explicit Replies(Reply replies) noexcept : replies_(std::move(replies)) {}

    /** How many there are. */
    std::size_t size() const noexcept { return replies_.size(); }

    /** The reply of the command with this index, from 0, which may be an error. */
    ReplyView operator[](std::size_t index) const noexcept { return replies_[index]; }

    /** The replies in order. */
    ReplyView::Iterator begin() const noexcept { return replies_.begin(); }
    /** The replies in order. */
    ReplyView::Iterator end() const noexcept { return replies_.end(); }

    /**
     * The value that the command with this index gave. Throws its error (ReplyError ...), or UnexpectedReplyError if it
     * is no T or there is no such command.
     */
    template <typename T>
    T get(std::size_t index) const & {
        return (*this)[index].template as<T>();
    }
    /** The same; views are refused of a temporary. */
    template <typename T>
    T get(std::size_t index) && {
        static_assert(!detail::IsBorrowed<T>::value, "a view would outlive the replies: keep them, or ask for std::string");
        return (*this)[index].template as<T>();
    }

    /** The same, without exceptions. */
    template <typename T>
    Result<T> get(std::nothrow_t, std::size_t index) const & {
        return (*this)[index].template as<T>(std::nothrow);
    }
    /** The same, without exceptions; views are refused of a temporary. */
    template <typename T>
    Result<T> get(std::nothrow_t, std::size_t index) && {
        static_assert(!detail::IsBorrowed<T>::value, "a view would outlive the replies: keep them, or ask for std::string");
        return (*this)[index].template as<T>(std::nothrow);
    }

    /** Puts the list that the command with this index gave into `out`. Throws as handle(). */
    template <typename Output>
    void get(std::size_t index, Output out) const & {
        detail::write((*this)[index], out).value();
    }

private:
    Reply replies_;
};

template <>
struct Converter<Replies> {
    static Result<Replies> convert(ReplyView reply) { return Replies(reply.clone()); }
};

namespace detail {

template <typename T>
constexpr bool never = false;

/** One command, ready to be sent. */
struct CommandRequest {
    const Arguments &arguments;

    void execute(const keyless_client *client, std::uint64_t timeout, keyless_reply **reply,
                 keyless_error **error) const {
        keyless_client_execute(client, arguments.size(), arguments.data(), arguments.lengths(), timeout, reply, error);
    }
    void submit(const keyless_client *client, std::uint64_t timeout, keyless_reply_callback callback, void *data,
                keyless_error **error) const {
        keyless_client_submit(client, arguments.size(), arguments.data(), arguments.lengths(), timeout, callback, data,
                              error);
    }
};

/** A pipeline, ready to be sent. */
struct PipelineRequest {
    keyless_pipeline *pipeline;
    /** What went wrong when it was filled; nothing is sent then. */
    const Error *failed;

    void execute(const keyless_client *client, std::uint64_t timeout, keyless_reply **reply,
                 keyless_error **error) const {
        if (failed != nullptr) {
            *error = keyless_error_clone(failed->handle());
            return;
        }
        keyless_client_execute_pipeline(client, pipeline, timeout, reply, error);
    }
    void submit(const keyless_client *client, std::uint64_t timeout, keyless_reply_callback callback, void *data,
                keyless_error **error) const {
        if (failed != nullptr) {
            *error = keyless_error_clone(failed->handle());
            return;
        }
        keyless_client_submit_pipeline(client, pipeline, timeout, callback, data, error);
    }
};

/** Sends and waits. */
template <typename T, typename Request>
Result<T> execute(const keyless_client *client, std::uint64_t timeout, const Request &request) {
    static_assert(!IsBorrowed<T>::value, "a view would outlive its reply: ask for std::string or Reply");
    keyless_reply *reply = nullptr;
    keyless_error *error = nullptr;
    request.execute(client, timeout, &reply, &error);
    if (error != nullptr) {
        return Error(error);
    }
    Reply owned(reply);
    if constexpr (std::is_same_v<T, Reply>) {
        return owned;
    } else if constexpr (std::is_same_v<T, Replies>) {
        return Replies(std::move(owned));
    } else {
        return Converter<T>::convert(owned);
    }
}

} // namespace detail

/**
 * Commands to be sent together, each of which succeeds or fails for itself. Calls can be chained:
 *
 *     auto replies = client.pipeline().set("key", "value").incr("visits").exec();
 *     auto visits = replies.get<long long>(1);
 *
 * A command that cannot be sent throws InputError when it is added; in a pipeline made with std::nothrow the first such
 * error is what exec() gives. One thread at a time may use it; it can be filled and sent again and again. Moves only.
 */
class Pipeline : public Commands<Pipeline> {
public:
    /** An empty pipeline that belongs to no client yet: send it with Client::exec() or its other forms. */
    Pipeline() : Pipeline(nullptr, keyless_pipeline_new(), true) {}

    /** The same; adding commands does not throw. */
    explicit Pipeline(std::nothrow_t) : Pipeline(nullptr, keyless_pipeline_new(), false) {}

    /** Takes over a pipeline of C's, of a client (may be NULL) that must live as long. */
    Pipeline(const keyless_client *client, keyless_pipeline *pipeline, bool throws) noexcept
        : client_(client), handle_(pipeline), throws_(throws) {}

    /** Adds a command; T does not matter. */
    template <typename T>
    Pipeline &run(const Arguments &arguments) {
        keyless_error *error = nullptr;
        keyless_pipeline_append(handle(), arguments.size(), arguments.data(), arguments.lengths(), &error);
        if (error != nullptr) {
            Error failed(error);
            if (throws_) {
                failed.raise();
            } else if (!failed_) {
                failed_ = std::move(failed);
            }
        }
        return *this;
    }

    /** Forms with output iterators do not exist here. */
    template <typename Whole, typename Output>
    void transfer(Whole &&, Output) {
        static_assert(detail::never<Whole>, "a pipeline has no replies yet: use Replies::get(index, out)");
    }
    /** Forms with output iterators do not exist here. */
    template <typename Whole, typename Output>
    void transfer_page(Whole &&, Output) {
        static_assert(detail::never<Whole>, "a pipeline has no replies yet: use Replies::get(index, out)");
    }

    /**
     * Sends the commands and waits for all replies. A command that failed has an error among them. The pipeline is empty
     * afterwards; if nothing was sent it is as it was. Throws if nothing was sent, and TransactionError if the server
     * refused a transaction.
     */
    Replies exec() { return exec(std::nothrow).value(); }

    /** The same, without exceptions. */
    Result<Replies> exec(std::nothrow_t) { return detail::execute<Replies>(client_, 0, request()); }

    /** How many commands it holds. */
    std::size_t size() const noexcept { return keyless_pipeline_count(handle()); }

    /** Forgets all commands. */
    void clear() noexcept {
        keyless_pipeline_clear(handle());
        failed_.reset();
    }

    /** The handle of C, borrowed. */
    keyless_pipeline *handle() const noexcept { return handle_.get(); }

    /** What is sent; for the ways of sending. */
    detail::PipelineRequest request() const noexcept { return {handle(), failed_ ? &*failed_ : nullptr}; }

private:
    const keyless_client *client_;
    detail::Owned<keyless_pipeline, keyless_pipeline_free> handle_;
    bool throws_;
    std::optional<Error> failed_;
};

/** A pipeline that the server runs with no other command in between, or not at all (`MULTI` ... `EXEC`). */
class Transaction : public Pipeline {
public:
    /** An empty transaction that belongs to no client yet. */
    Transaction() : Transaction(nullptr, true) {}

    /** The same; adding commands does not throw. */
    explicit Transaction(std::nothrow_t) : Transaction(nullptr, false) {}

    /** Of a client that must live as long. */
    Transaction(const keyless_client *client, bool throws)
        : Pipeline(client, keyless_pipeline_new_transaction(), throws) {}
};

} // namespace keyless

#endif
