/**
 * @file
 * What a new token says of itself: for programs that choose the Redis user by it.
 */

#ifndef KEYLESS_CLAIMS_HPP
#define KEYLESS_CLAIMS_HPP

#include "callback.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace keyless {

/** What a new token says of itself. Valid until the callback returns. What the token does not say is empty. */
class Claims {
public:
    /** A view of claims of C's. */
    explicit Claims(const keyless_claims *claims) noexcept : claims_(claims) {}

    /** The object id of the identity (`oid`). */
    std::string_view object_id() const noexcept { return detail::view(keyless_claims_object_id, claims_); }

    /** The tenant (`tid`). */
    std::string_view tenant_id() const noexcept { return detail::view(keyless_claims_tenant_id, claims_); }

    /** The application (`appid`, `azp`). */
    std::string_view application_id() const noexcept { return detail::view(keyless_claims_application_id, claims_); }

    /** Whom the token is for (`aud`). */
    std::string_view audience() const noexcept { return detail::view(keyless_claims_audience, claims_); }

    /** The handle of C, borrowed. */
    const keyless_claims *handle() const noexcept { return claims_; }

private:
    const keyless_claims *claims_;
};

namespace detail {

/** What C calls to have a user chosen. Without a choice, also after an exception, the token cannot be used. */
template <typename Choose>
void on_user_name(keyless_claims *claims, void *data) {
    shielded([&] {
        const std::optional<std::string> user((*static_cast<Choose *>(data))(Claims(claims)));
        if (user) {
            keyless_claims_choose_user(claims, text(*user), user->size(), nullptr);
        }
    });
}

/** What C calls to ask whether a token is replaced. */
template <typename Decide>
bool on_should_refresh(std::int64_t received_at, std::int64_t expires_at, void *data) {
    bool now = false;
    shielded([&] { now = (*static_cast<Decide *>(data))(moment(received_at), moment(expires_at)); });
    return now;
}

} // namespace detail

} // namespace keyless

#endif
