/**
 * @file
 * The token engine alone, to share between clients, and for those who keep another client of Redis.
 */

#ifndef KEYLESS_TOKEN_SOURCE_HPP
#define KEYLESS_TOKEN_SOURCE_HPP

#include "credential.hpp"
#include "event.hpp"
#include "options.hpp"

namespace keyless {

/** A view of a token in use; in a callback valid until that returns. Does not change. */
class TokenView {
public:
    /** A view of a token of C's. */
    explicit TokenView(const keyless_token *token) noexcept : token_(token) {}

    /** The Redis user: the first argument of `AUTH`. */
    std::string_view user() const noexcept { return detail::view(keyless_token_user, token_); }

    /** The access token itself: the second argument of `AUTH`. A secret: keep it out of logs. */
    std::string_view secret() const noexcept { return detail::view(keyless_token_secret, token_); }

    /** When it expires: the server closes connections that stand on it then. */
    TimePoint expires_at() const noexcept { return detail::moment(keyless_token_expires_at_ms(token_)); }

    /** Counts the tokens of one source, from 1. */
    std::uint64_t generation() const noexcept { return keyless_token_generation(token_); }

    /** The handle of C, borrowed. */
    const keyless_token *handle() const noexcept { return token_; }

protected:
    /** What is looked at. */
    const keyless_token *token_;
};

/** A token that is owned; its memory is wiped when the last copy is freed. Moves only. */
class Token : public TokenView {
public:
    /** Takes over a token of C's. */
    explicit Token(keyless_token *token) noexcept : TokenView(token), owned_(token) {}

    Token(Token &&other) noexcept : TokenView(other), owned_(std::move(other.owned_)) { other.token_ = nullptr; }
    Token &operator=(Token &&other) noexcept {
        owned_ = std::move(other.owned_);
        token_ = std::exchange(other.token_, nullptr);
        return *this;
    }

private:
    detail::Owned<keyless_token, keyless_token_free> owned_;
};

/**
 * One identity's token, always fresh. Any thread may use it, any number at a time.
 *
 * Moves only. Clients that were made with it go on when it is destroyed. In a forked child it asks for tokens of its
 * own.
 */
class TokenSource {
public:
    /** Who signs in is what the options say. Nothing is asked for yet. Throws InputError. */
    explicit TokenSource(const Options &options) : TokenSource(create(std::nothrow, options).value()) {}

    /** Who signs in is the credential; scope, user name and figures are the options'. Throws InputError. */
    TokenSource(const Options &options, const Credential &credential)
        : TokenSource(create(std::nothrow, options, credential).value()) {}

    /** Who signs in is the credential. Throws InputError. */
    explicit TokenSource(const Credential &credential) : TokenSource(create(std::nothrow, credential).value()) {}

    /** The same, without exceptions. */
    static Result<TokenSource> create(std::nothrow_t, const Options &options) {
        const Result<void> there = options.check();
        return there ? made(options.handle(), nullptr) : there.error();
    }

    /** The same, without exceptions. */
    static Result<TokenSource> create(std::nothrow_t, const Credential &credential) {
        const Result<void> there = credential.check();
        return there ? made(nullptr, credential.handle()) : there.error();
    }

    /** The same, without exceptions. */
    static Result<TokenSource> create(std::nothrow_t, const Options &options, const Credential &credential) {
        if (const Result<void> there = options.check(); !there) {
            return there.error();
        }
        const Result<void> there = credential.check();
        return there ? made(options.handle(), credential.handle()) : there.error();
    }

    /**
     * A token that has not expired and is not about to; at once while there is one, otherwise after up to `timeout`.
     * From then on it is kept fresh. Throws why the last attempt failed (AuthError), or TimeoutError. Not to be called
     * in a credential's callback.
     */
    Token token(std::chrono::milliseconds timeout = std::chrono::seconds(10)) const {
        return this->token(std::nothrow, timeout).value();
    }

    /** The same, without exceptions. */
    Result<Token> token(std::nothrow_t, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const {
        keyless_token *token = nullptr;
        keyless_error *error = nullptr;
        keyless_token_source_get(handle(), detail::milliseconds(timeout), &token, &error);
        return error != nullptr ? Result<Token>(Error(error)) : Result<Token>(Token(token));
    }

    /**
     * Calls `handler` with a TokenView for each new token from now on, and starts to keep the token fresh. On the thread
     * of events; see Client::on_event().
     */
    template <typename Handler>
    HandlerId subscribe(Handler &&handler) const {
        return subscribe(std::nothrow, std::forward<Handler>(handler)).value();
    }

    /** The same, without exceptions. */
    template <typename Handler>
    Result<HandlerId> subscribe(std::nothrow_t, Handler &&handler) const {
        return detail::add_handler(
            std::forward<Handler>(handler),
            [this](void *data, keyless_destructor free, HandlerId *id, keyless_error **error) {
                keyless_token_source_subscribe(handle(), &on_token<std::decay_t<Handler>>, data, free, id, error);
            });
    }

    /** Calls `handler` with an Event for the source's events in `mask`; see Client::on_event(). */
    template <typename Handler>
    HandlerId on_event(EventMask mask, Handler &&handler) const {
        return on_event(std::nothrow, mask, std::forward<Handler>(handler)).value();
    }

    /** The same, without exceptions. */
    template <typename Handler>
    Result<HandlerId> on_event(std::nothrow_t, EventMask mask, Handler &&handler) const {
        return detail::add_handler(
            std::forward<Handler>(handler),
            [this, mask](void *data, keyless_destructor free, HandlerId *id, keyless_error **error) {
                keyless_token_source_on_event(handle(), mask, &detail::on_event<std::decay_t<Handler>>, data, free, id,
                                              error);
            });
    }

    /** Removes a handler or subscription; false if there is none. A call that runs has ended, unless that is the caller. */
    bool remove_handler(HandlerId id) const noexcept { return keyless_token_source_remove_handler(handle(), id); }

    /** Says that a server refused the token of this generation. Gives whether a fresh one is asked for now. */
    bool reject(std::uint64_t generation) const noexcept { return keyless_token_source_reject(handle(), generation); }

    /** The handle of C, borrowed. */
    keyless_token_source *handle() const noexcept { return handle_.get(); }

private:
    explicit TokenSource(keyless_token_source *source) noexcept : handle_(source) {}

    static Result<TokenSource> made(const keyless_options *options, const keyless_credential *credential) {
        keyless_token_source *source = nullptr;
        keyless_error *error = nullptr;
        keyless_token_source_new(options, credential, &source, &error);
        return error != nullptr ? Result<TokenSource>(Error(error)) : Result<TokenSource>(TokenSource(source));
    }

    template <typename Handler>
    static void on_token(const keyless_token *token, void *data) {
        detail::shielded([&] { (*static_cast<Handler *>(data))(TokenView(token)); });
    }

    detail::Owned<keyless_token_source, keyless_token_source_free> handle_;
};

} // namespace keyless

#endif
