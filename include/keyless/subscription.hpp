/**
 * @file
 * Subscriptions and their messages.
 */

#ifndef KEYLESS_SUBSCRIPTION_HPP
#define KEYLESS_SUBSCRIPTION_HPP

#include "callback.hpp"

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace keyless {

/** What is delivered, KEYLESS_MESSAGE and so on: see keyless.h. */
using MessageType = keyless_message_type;
/** What kind of name is subscribed to, KEYLESS_CHANNEL and so on: see keyless.h. */
using ChannelType = keyless_channel_type;
/** What happens when messages are taken too slowly, KEYLESS_DROP_OLDEST and so on: see keyless.h. */
using Overflow = keyless_overflow;

/** A view of a message; in a callback valid until that returns. Does not change. */
class MessageView {
public:
    /** A view of a message of C's. */
    explicit MessageView(const keyless_message *message) noexcept : message_(message) {}

    /** A published message, a gap, or that messages were dropped. */
    MessageType type() const noexcept { return keyless_message_get_type(message_); }

    /** What a published message was subscribed by. */
    ChannelType channel_type() const noexcept { return keyless_message_channel_type(message_); }

    /** The channel that a message was published to; empty for anything else. */
    std::string_view channel() const noexcept { return detail::view(keyless_message_channel, message_); }

    /** The pattern that matched; nothing unless the message came by one. */
    std::optional<std::string_view> pattern() const noexcept {
        std::size_t length = 0;
        const char *pattern = keyless_message_pattern(message_, &length);
        return pattern != nullptr ? std::optional(std::string_view(pattern, length)) : std::nullopt;
    }

    /** What was published; empty for anything else. */
    std::string_view payload() const noexcept { return detail::view(keyless_message_payload, message_); }

    /** How long there was no connection, of a gap; 0 for anything else. */
    std::chrono::milliseconds gap() const noexcept { return detail::duration(keyless_message_gap_ms(message_)); }

    /** How many messages were dropped, of a message that says so; 0 for anything else. */
    std::uint64_t dropped() const noexcept { return keyless_message_dropped(message_); }

    /** The handle of C, borrowed. */
    const keyless_message *handle() const noexcept { return message_; }

protected:
    /** What is looked at. */
    const keyless_message *message_;
};

/** A message that is owned. Moves only. */
class Message : public MessageView {
public:
    /** Takes over a message of C's. */
    explicit Message(keyless_message *message) noexcept : MessageView(message), owned_(message) {}

    Message(Message &&other) noexcept : MessageView(other), owned_(std::move(other.owned_)) {
        other.message_ = nullptr;
    }
    Message &operator=(Message &&other) noexcept {
        owned_ = std::move(other.owned_);
        message_ = std::exchange(other.message_, nullptr);
        return *this;
    }

private:
    detail::Owned<keyless_message, keyless_message_free> owned_;
};

/**
 * Receives messages of any number of channels, patterns and shard channels, over the client's own connection.
 *
 * It outlives tokens and connections; after a cut a message of type KEYLESS_MESSAGE_GAP says that others may have been
 * missed. It ends with its client. Messages are taken in one way: by next(), also in an event loop, or by a callback.
 * Any thread may use it. Moves only.
 */
class Subscription {
public:
    /** Takes over a subscription of C's. */
    explicit Subscription(keyless_subscription *subscription) noexcept : handle_(subscription) {}

    /**
     * Subscribes to a channel and waits for the server's confirmation. Throws PermissionError and the like, TimeoutError
     * if none comes (the subscription is made as soon as it can be), or ClosedError.
     */
    void subscribe(std::string_view channel) { subscribe(std::nothrow, KEYLESS_CHANNEL, {channel}).value(); }
    /** Subscribes to channels. */
    void subscribe(std::initializer_list<std::string_view> channels) {
        subscribe(std::nothrow, KEYLESS_CHANNEL, channels).value();
    }
    /** Subscribes to a pattern of channel names. */
    void psubscribe(std::string_view pattern) { subscribe(std::nothrow, KEYLESS_PATTERN, {pattern}).value(); }
    /** Subscribes to patterns of channel names. */
    void psubscribe(std::initializer_list<std::string_view> patterns) {
        subscribe(std::nothrow, KEYLESS_PATTERN, patterns).value();
    }
    /** Subscribes to a shard channel (Redis 7). */
    void ssubscribe(std::string_view channel) { subscribe(std::nothrow, KEYLESS_SHARD_CHANNEL, {channel}).value(); }
    /** Subscribes to shard channels (Redis 7). */
    void ssubscribe(std::initializer_list<std::string_view> channels) {
        subscribe(std::nothrow, KEYLESS_SHARD_CHANNEL, channels).value();
    }

    /** Subscribes to names of any type, without exceptions. */
    Result<void> subscribe(std::nothrow_t, ChannelType type, std::initializer_list<std::string_view> names) {
        return named(keyless_subscription_subscribe, type, names);
    }

    /** Ends the subscription to a channel. Does not wait; messages that wait already are still delivered. */
    void unsubscribe(std::string_view channel) { unsubscribe(std::nothrow, KEYLESS_CHANNEL, {channel}).value(); }
    /** Ends the subscription to a pattern. */
    void punsubscribe(std::string_view pattern) { unsubscribe(std::nothrow, KEYLESS_PATTERN, {pattern}).value(); }
    /** Ends the subscription to a shard channel. */
    void sunsubscribe(std::string_view channel) {
        unsubscribe(std::nothrow, KEYLESS_SHARD_CHANNEL, {channel}).value();
    }

    /** Ends the subscription to names of any type, without exceptions. */
    Result<void> unsubscribe(std::nothrow_t, ChannelType type, std::initializer_list<std::string_view> names) {
        return named(keyless_subscription_unsubscribe, type, names);
    }

    /**
     * The next message, after up to `timeout`; 0 does not wait. Nothing if none came in time. Throws ClosedError when the
     * client was closed, BacklogError when the subscription was cut off for being slow.
     */
    std::optional<Message> next(std::chrono::milliseconds timeout) { return next(std::nothrow, timeout).value(); }

    /** The same, without exceptions. */
    Result<std::optional<Message>> next(std::nothrow_t, std::chrono::milliseconds timeout) {
        keyless_message *message = nullptr;
        keyless_error *error = nullptr;
        keyless_subscription_next(handle(), detail::milliseconds(timeout), &message, &error);
        if (error != nullptr) {
            return Error(error);
        }
        return message != nullptr ? std::optional<Message>(Message(message)) : std::nullopt;
    }

    /**
     * The descriptor that is readable while messages may wait; then call next() with 0 until there is none. Do not read
     * from it and do not close it. -1 where there is no such thing.
     */
    int fd() const noexcept { return keyless_subscription_fd(handle()); }

    /**
     * Has `callback(MessageView)` called for each message from now on, those that wait already included. Once per
     * subscription. On the thread of commands' callbacks; see Client::async().
     */
    template <typename Callback>
    void on_message(Callback &&callback) {
        on_message(std::nothrow, std::forward<Callback>(callback), [](const Error &) {}).value();
    }

    /** The same; `ended(const Error &)` hears, once and last, why no messages come any more. */
    template <typename Callback, typename Ended, typename = std::enable_if_t<std::is_invocable_v<Ended &, Error>>>
    void on_message(Callback &&callback, Ended &&ended) {
        on_message(std::nothrow, std::forward<Callback>(callback), std::forward<Ended>(ended)).value();
    }

    /** The same, without exceptions. */
    template <typename Callback>
    Result<void> on_message(std::nothrow_t, Callback &&callback) {
        return on_message(std::nothrow, std::forward<Callback>(callback), [](const Error &) {});
    }

    /** The same, without exceptions. */
    template <typename Callback, typename Ended>
    Result<void> on_message(std::nothrow_t, Callback &&callback, Ended &&ended) {
        using Both = std::pair<std::decay_t<Callback>, std::decay_t<Ended>>;
        auto owned = std::make_unique<Both>(std::forward<Callback>(callback), std::forward<Ended>(ended));
        keyless_error *error = nullptr;
        keyless_subscription_on_message(handle(), &delivered<Both>, owned.get(), &detail::destroy<Both>, &error);
        if (error == nullptr) {
            owned.release();
        }
        return detail::outcome(error);
    }

    /** How many messages this subscription has lost by being slow. */
    std::uint64_t dropped() const noexcept { return keyless_subscription_dropped(handle()); }

    /** The handle of C, borrowed. */
    keyless_subscription *handle() const noexcept { return handle_.get(); }

private:
    template <typename Function>
    Result<void> named(Function function, ChannelType type, std::initializer_list<std::string_view> names) {
        std::vector<const char *> texts;
        std::vector<std::size_t> lengths;
        for (const std::string_view name : names) {
            texts.push_back(detail::text(name));
            lengths.push_back(name.size());
        }
        keyless_error *error = nullptr;
        function(handle(), static_cast<int>(type), names.size(), texts.data(), lengths.data(), &error);
        return detail::outcome(error);
    }

    template <typename Both>
    static void delivered(const keyless_message *message, const keyless_error *error, void *data) {
        Both &both = *static_cast<Both *>(data);
        detail::shielded([&] {
            if (message != nullptr) {
                both.first(MessageView(message));
            } else {
                both.second(Error::borrowed(error));
            }
        });
    }

    detail::Owned<keyless_subscription, keyless_subscription_free> handle_;
};

} // namespace keyless

#endif
