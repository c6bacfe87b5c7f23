/**
 * @file
 * Events: what happens to tokens and connections.
 */

#ifndef KEYLESS_EVENT_HPP
#define KEYLESS_EVENT_HPP

#include "callback.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace keyless {

/** What happened, KEYLESS_EVENT_TOKEN_REFRESHED and so on: see keyless.h. Put together with `|` they are a mask. */
using EventMask = std::uint32_t;

/** The mask of every event, also of those that later versions add. */
constexpr EventMask ALL_EVENTS = KEYLESS_ALL_EVENTS;

/** What remove_handler() takes. */
using HandlerId = std::uint64_t;

/** A moment. */
using TimePoint = std::chrono::system_clock::time_point;

/** Something that happened. A view: it, and what it gives, is valid until the handler returns. */
class Event {
public:
    /** A view of an event of C's. */
    explicit Event(const keyless_event *event) noexcept : event_(event) {}

    /** One of `keyless_event_type`, or a bit that a later version has added. */
    EventMask type() const noexcept { return keyless_event_get_type(event_); }

    /** The event's name, such as `token_refreshed`. */
    std::string_view name() const noexcept { return detail::view(keyless_event_name, event_); }

    /** When it happened. */
    TimePoint time() const noexcept { return detail::moment(keyless_event_time_ms(event_)); }

    /** `host:port` of the connection; empty for events of the token. */
    std::string_view endpoint() const noexcept { return detail::view(keyless_event_endpoint, event_); }

    /** The Redis user of a refreshed token; empty for other events. */
    std::string_view user() const noexcept { return detail::view(keyless_event_user, event_); }

    /** When the token in use expires; nothing where there is none. */
    std::optional<TimePoint> expires_at() const noexcept { return moment(keyless_event_expires_at_ms(event_)); }

    /** When the next refresh is due, of a refreshed token; nothing for other events. */
    std::optional<TimePoint> next_refresh() const noexcept { return moment(keyless_event_next_refresh_ms(event_)); }

    /** Which token of its source it was, counted from 1; 0 for other events. */
    std::uint64_t generation() const noexcept { return keyless_event_generation(event_); }

    /** How many attempts have failed in a row, or how many dials a restored connection took; 0 for other events. */
    std::uint32_t attempt() const noexcept { return keyless_event_attempt(event_); }

    /** How long until the next attempt after one that failed; 0 for other events. */
    std::chrono::milliseconds next_attempt() const noexcept {
        return detail::duration(keyless_event_next_attempt_ms(event_));
    }

    /** How long there was no connection, of a restored connection or a gap; 0 for other events. */
    std::chrono::milliseconds outage() const noexcept { return detail::duration(keyless_event_outage_ms(event_)); }

    /** How many channels, patterns and shard channels had a gap; 0 for other events. */
    std::size_t subscriptions() const noexcept { return keyless_event_subscriptions(event_); }

    /** Why it happened, of events that tell of a failure; a copy, which may be kept. */
    std::optional<Error> error() const {
        const keyless_error *error = keyless_event_error(event_);
        return error != nullptr ? std::optional(Error::borrowed(error)) : std::nullopt;
    }

    /** The handle of C, borrowed. */
    const keyless_event *handle() const noexcept { return event_; }

private:
    static std::optional<TimePoint> moment(std::int64_t milliseconds) noexcept {
        return milliseconds != 0 ? std::optional(detail::moment(milliseconds)) : std::nullopt;
    }

    const keyless_event *event_;
};

namespace detail {

/** What C calls with an event: a handler on the heap. */
template <typename Handler>
void on_event(const keyless_event *event, void *data) {
    shielded([&] { (*static_cast<Handler *>(data))(Event(event)); });
}

/** Registers a handler with a function of C, which owns it from then on. */
template <typename Handler, typename Register>
Result<HandlerId> add_handler(Handler &&handler, Register enter) {
    using Type = std::decay_t<Handler>;
    auto owned = std::make_unique<Type>(std::forward<Handler>(handler));
    HandlerId id = 0;
    keyless_error *error = nullptr;
    enter(owned.get(), &destroy<Type>, &id, &error);
    if (error != nullptr) {
        return Error(error);
    }
    owned.release();
    return id;
}

} // namespace detail

} // namespace keyless

#endif
