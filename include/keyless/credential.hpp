/**
 * @file
 * Who signs in.
 */

#ifndef KEYLESS_CREDENTIAL_HPP
#define KEYLESS_CREDENTIAL_HPP

#include "callback.hpp"

#include <string>
#include <string_view>
#include <type_traits>

namespace keyless {

/** A token that the application brings. */
struct AccessToken {
    /** The token itself, a JWT of Microsoft Entra ID. A secret. */
    std::string token;
    /** When it expires. */
    std::chrono::system_clock::time_point expires_at;
};

/**
 * A token that is wanted of the application: it is answered once, from any thread, now or later.
 *
 * Moves only. One that is destroyed unanswered fails, and is asked again.
 */
class TokenRequest {
public:
    /** Takes over a request of C's. */
    explicit TokenRequest(keyless_token_request *request) noexcept : request_(request) {}

    TokenRequest(TokenRequest &&other) noexcept : request_(std::exchange(other.request_, nullptr)) {}
    TokenRequest &operator=(TokenRequest &&other) noexcept {
        std::swap(request_, other.request_);
        return *this;
    }
    ~TokenRequest() {
        if (request_ != nullptr) {
            fail("it gave no answer");
        }
    }

    /** The scope that the token must have. Lives as long as the request. */
    std::string_view scope() const noexcept { return detail::view(keyless_token_request_scope, request_); }

    /** Whether a token that a cache of the application's still holds must be passed over. */
    bool forced() const noexcept { return keyless_token_request_forced(request_); }

    /** Answers with a token. Throws InputError for a time before 1970, or if it was answered already. */
    void complete(const AccessToken &token) { complete(std::nothrow, token).value(); }

    /** The same, without exceptions. */
    Result<void> complete(std::nothrow_t, const AccessToken &token) {
        keyless_error *error = nullptr;
        const auto expires_at =
            std::chrono::duration_cast<std::chrono::milliseconds>(token.expires_at.time_since_epoch()).count();
        keyless_token_request_complete(std::exchange(request_, nullptr), detail::text(token.token), token.token.size(),
                                       expires_at, &error);
        return detail::outcome(error);
    }

    /**
     * Answers that there is no token. `message` reaches logs, events and errors: it must not hold a secret. `retryable`:
     * whether asking again may help; it is asked again in either case. Of an answered request nothing happens.
     */
    void fail(std::string_view message, bool retryable = true) noexcept {
        keyless_token_request_fail(std::exchange(request_, nullptr), detail::text(message), message.size(), retryable,
                                   nullptr);
    }

private:
    keyless_token_request *request_;
};

/**
 * An identity to sign in with. Clients and token sources copy what they need.
 *
 * Moves only. One thread at a time may use it. Holds secrets, and shows none.
 */
class Credential {
public:
    /** A credential of a kind, such as `managed_identity`; see README.md. Throws InputError for an unknown one. */
    explicit Credential(std::string_view kind) : Credential(of_kind(std::nothrow, kind).value()) {}

    /** The same, without exceptions. */
    static Result<Credential> of_kind(std::nothrow_t, std::string_view kind) {
        keyless_credential *credential = nullptr;
        keyless_error *error = nullptr;
        keyless_credential_new(detail::text(kind), kind.size(), &credential, &error);
        return made(credential, error);
    }

    /** Whatever works first: environment, workload identity, managed identity, the tools that developers sign in with. */
    static Credential default_chain() { return Credential("default"); }

    /** The machine's or app's own identity. */
    static Credential managed_identity() { return Credential("managed_identity"); }

    /** The user-assigned identity with this client id. */
    static Credential managed_identity(std::string_view client_id) {
        Credential credential("managed_identity");
        credential.set("client_id", client_id);
        return credential;
    }

    /** An application with a secret. */
    static Credential client_secret(std::string_view tenant_id, std::string_view client_id, std::string_view secret) {
        Credential credential("client_secret");
        credential.set("tenant_id", tenant_id).set("client_id", client_id).set("client_secret", secret);
        return credential;
    }

    /** `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`. */
    static Credential environment() { return Credential("environment"); }

    /** Whoever is signed in with `az login`. */
    static Credential azure_cli() { return Credential("azure_cli"); }

    /**
     * The application's own source of tokens. `name` is how logs and errors call it.
     *
     * `ask` is called on a thread of its own, which it may block, one call at a time. It either takes a
     * `const TokenRequest &` and gives an AccessToken, and what it throws is why there is none (its what() reaches logs
     * and errors); or it takes a `TokenRequest` by value, gives nothing, and answers it now or later.
     */
    template <typename Ask>
    static Credential custom(std::string_view name, Ask &&ask) {
        return custom(std::nothrow, name, std::forward<Ask>(ask)).value();
    }

    /** The same, without exceptions. */
    template <typename Ask>
    static Result<Credential> custom(std::nothrow_t, std::string_view name, Ask &&ask) {
        return calling(std::forward<Ask>(ask), &asked<std::decay_t<Ask>, AccessToken>,
                       [&](keyless_credential_callback callback, void *data, keyless_destructor free,
                           keyless_credential **credential, keyless_error **error) {
                           keyless_credential_custom(detail::text(name), name.size(), callback, data, free, credential,
                                                     error);
                       });
    }

    /**
     * An application that proves itself with assertions that `ask` makes: signed JWTs, or tokens of another identity that
     * it trusts. Its options (`tenant_id`, `client_id` ...) are set with set().
     *
     * `ask` is called as that of custom(), with an empty scope. It takes a `const TokenRequest &` and gives the assertion
     * (std::string), or takes a `TokenRequest` by value and answers it with the assertion in place of a token, whose end
     * does not matter.
     */
    template <typename Ask>
    static Credential client_assertion(Ask &&ask) {
        return client_assertion(std::nothrow, std::forward<Ask>(ask)).value();
    }

    /** The same, without exceptions. */
    template <typename Ask>
    static Result<Credential> client_assertion(std::nothrow_t, Ask &&ask) {
        return calling(std::forward<Ask>(ask), &asked<std::decay_t<Ask>, std::string>,
                       keyless_credential_client_assertion);
    }

    /** Sets an option of the kind, such as `tenant_id`; the last value counts. Throws InputError for an unknown one. */
    Credential &set(std::string_view name, std::string_view value) {
        set(std::nothrow, name, value).value();
        return *this;
    }

    /** The same, without exceptions. */
    Result<void> set(std::nothrow_t, std::string_view name, std::string_view value) {
        keyless_error *error = nullptr;
        keyless_credential_set(handle(), detail::text(name), name.size(), detail::text(value), value.size(), &error);
        return detail::outcome(error);
    }

    /** Fails if it was moved from: for C a NULL would stand for the options' own. */
    Result<void> check() const {
        keyless_error *error = nullptr;
        if (handle() == nullptr) {
            keyless_credential_set(nullptr, "", 0, "", 0, &error);
        }
        return detail::outcome(error);
    }

    /** The handle of C, borrowed. */
    keyless_credential *handle() const noexcept { return handle_.get(); }

private:
    explicit Credential(keyless_credential *credential) noexcept : handle_(credential) {}

    static Result<Credential> made(keyless_credential *credential, keyless_error *error) {
        return error != nullptr ? Result<Credential>(Error(error)) : Result<Credential>(Credential(credential));
    }

    /** A credential of C's that owns what it calls. */
    template <typename Ask, typename Make>
    static Result<Credential> calling(Ask &&ask, keyless_credential_callback callback, Make make) {
        using Type = std::decay_t<Ask>;
        auto owned = std::make_unique<Type>(std::forward<Ask>(ask));
        keyless_credential *credential = nullptr;
        keyless_error *error = nullptr;
        make(callback, owned.get(), &detail::destroy<Type>, &credential, &error);
        if (error == nullptr) {
            owned.release();
        }
        return made(credential, error);
    }

    static AccessToken token_of(AccessToken token) { return token; }
    static AccessToken token_of(std::string assertion) {
        return {std::move(assertion), std::chrono::system_clock::now()};
    }

    template <typename Ask, typename Answer>
    static void asked(keyless_token_request *handle, void *data) {
        Ask &ask = *static_cast<Ask *>(data);
        if constexpr (std::is_invocable_v<Ask &, const TokenRequest &>) {
            static_assert(std::is_invocable_r_v<Answer, Ask &, const TokenRequest &>,
                          "who takes a const TokenRequest & gives the answer; who answers later takes a TokenRequest");
            TokenRequest request(handle);
            detail::guarded(
                [&] {
                    // What cannot be taken fails the request, which says so.
                    const Result<void> taken =
                        request.complete(std::nothrow, token_of(Answer(ask(std::as_const(request)))));
                    (void)taken.has_value();
                },
                [&](std::exception_ptr exception) { request.fail(text_of(exception)); });
        } else {
            detail::shielded([&] { ask(TokenRequest(handle)); });
        }
    }

    static std::string text_of([[maybe_unused]] const std::exception_ptr &exception) {
#if KEYLESS_EXCEPTIONS
        try {
            std::rethrow_exception(exception);
        } catch (const std::exception &error) {
            return error.what();
        } catch (...) {
        }
#endif
        return "it threw something that is no std::exception";
    }

    detail::Owned<keyless_credential, keyless_credential_free> handle_;
};

} // namespace keyless

#endif
