// Credentials and the token source.

#include "rig.hpp"

#include <atomic>

TEST_CASE("every way to sign in that the emulator has") {
    const auto works = [](const keyless::Credential &credential) {
        keyless::Options strict = options();
        strict.abort_on_connect_fail(true).connect_retry(1);
        CHECK(keyless::Client(strict, credential).ping() == "PONG");
    };
    works(keyless::Credential::client_secret(environment("AZURE_TENANT_ID"), environment("AZURE_CLIENT_ID"),
                                             environment("AZURE_CLIENT_SECRET"))
              .set("ca_file", environment("KEYLESS_TEST_CA")));
    works(keyless::Credential::environment());
    works(keyless::Credential::default_chain());
    works(keyless::Credential::managed_identity());
    CHECK_NOTHROW(keyless::Credential::azure_cli());
    CHECK_NOTHROW(keyless::Credential::managed_identity("11111111-1111-1111-1111-111111111111"));
    CHECK_THROWS_AS(keyless::Credential("passwort"), keyless::InputError);
    CHECK_THROWS_AS(keyless::Credential::azure_cli().set("client_secret", "x"), keyless::InputError);
}

TEST_CASE("a credential of the program's own") {
    const keyless::TokenSource engine(options());
    std::atomic<int> asked{0};
    const auto ask = [&](const keyless::TokenRequest &request) {
        ++asked;
        CHECK(request.scope().substr(0, 8) == "https://");
        const keyless::Token token = engine.token();
        return keyless::AccessToken{std::string(token.secret()), token.expires_at()};
    };
    keyless::Client client(options(), keyless::Credential::custom("engine", ask));
    CHECK(client.ping() == "PONG");
    CHECK(asked >= 1);

    // Answered later, from another thread.
    std::thread later;
    {
        keyless::Client second(options(), keyless::Credential::custom("later", [&](keyless::TokenRequest request) {
                                   if (later.joinable()) {
                                       later.join();
                                   }
                                   later = std::thread([&engine, wanted = std::move(request)]() mutable {
                                       const keyless::Token token = engine.token();
                                       wanted.complete({std::string(token.secret()), token.expires_at()});
                                   });
                               }));
        CHECK(second.ping() == "PONG");
    }
    later.join();

    // An assertion is asked for as a token is; that the emulator has an application with such a trust is not needed here.
    std::atomic<int> asserted{0};
    keyless::Options impatient = options();
    impatient.abort_on_connect_fail(true).connect_retry(1);
    keyless::Credential assertion = keyless::Credential::client_assertion([&](const keyless::TokenRequest &request) {
        CHECK(request.scope().empty());
        ++asserted;
        return std::string("not signed");
    });
    assertion.set("tenant_id", environment("AZURE_TENANT_ID")).set("client_id", environment("AZURE_CLIENT_ID"));
    CHECK_THROWS_AS(keyless::Client(impatient, assertion), keyless::AuthError);
    CHECK(asserted >= 1);

    // What it throws is why there is no token.
    keyless::Options strict = options();
    strict.abort_on_connect_fail(true).connect_retry(1);
    const auto fails = [](const keyless::TokenRequest &) -> keyless::AccessToken {
        throw std::runtime_error("the vault is closed");
    };
    const auto failed = keyless::Client::connect(std::nothrow, strict, keyless::Credential::custom("vault", fails));
    CHECK(failed.code() == KEYLESS_CREDENTIAL_UNAVAILABLE);
    CHECK(failed.error().message().find("the vault is closed") != std::string_view::npos);
    const auto forgets = [](keyless::TokenRequest) {};
    CHECK(keyless::Client::connect(std::nothrow, strict, keyless::Credential::custom("forgets", forgets)).code() ==
          KEYLESS_CREDENTIAL_UNAVAILABLE);
    const auto nonsense = [](const keyless::TokenRequest &) {
        return keyless::AccessToken{"no token", std::chrono::system_clock::now() + 1h};
    };
    CHECK_THROWS_AS(keyless::Client(strict, keyless::Credential::custom("nonsense", nonsense)), keyless::AuthError);
}

TEST_CASE("a token source that clients share") {
    keyless::TokenSource source(options());
    const keyless::Token token = source.token();
    CHECK_FALSE(token.user().empty());
    CHECK_FALSE(token.secret().empty());
    CHECK(token.expires_at() > std::chrono::system_clock::now());
    CHECK(token.generation() == 1);
    Slot<std::uint64_t> heard;
    Slot<std::string> event;
    const keyless::HandlerId tokens =
        source.subscribe([&](keyless::TokenView fresh) { heard.set(fresh.generation()); });
    const keyless::HandlerId events = source.on_event(
        KEYLESS_EVENT_TOKEN_REFRESHED, [&](const keyless::Event &refreshed) {
            CHECK(refreshed.expires_at().has_value());
            CHECK(refreshed.next_refresh().has_value());
            CHECK(refreshed.endpoint().empty());
            CHECK(refreshed.generation() == 2);
            event.set(std::string(refreshed.user()));
        });
    keyless::Client one(options(), source);
    keyless::Client two(options(), source);
    CHECK(one.ping() == two.ping());
    CHECK(source.reject(1));
    CHECK(heard.wait() == 2);
    CHECK(event.wait() == token.user());
    CHECK(source.remove_handler(tokens));
    CHECK(source.remove_handler(events));
    CHECK_FALSE(source.remove_handler(events));
    keyless::Token fresh = source.token();
    const keyless::Token moved = std::move(fresh);
    CHECK(moved.generation() == 2);
    CHECK(fresh.generation() == 0);
    CHECK(keyless::TokenSource::create(std::nothrow, options(), keyless::Credential::environment()));
    keyless::Options key("localhost:1");
    key.password("key");
    CHECK_THROWS_AS(keyless::TokenSource{key}, keyless::InputError);
}

TEST_CASE("the program chooses the user, and when a token is replaced") {
    std::atomic<int> chosen{0};
    std::atomic<int> asked{0};
    const auto freed = std::make_shared<int>(0);
    std::string oid;
    {
        const keyless::TokenSource plain(options());
        oid = plain.token().user();
        keyless::Options own = options();
        own.user_name_callback([&, freed](const keyless::Claims &claims) {
               CHECK(claims.tenant_id() == environment("AZURE_TENANT_ID"));
               CHECK_FALSE(claims.application_id().empty());
               CHECK_FALSE(claims.audience().empty());
               ++chosen;
               return claims.object_id();
           }).should_refresh_callback(20ms, [&, freed](keyless::TimePoint received, keyless::TimePoint expires) {
            CHECK(received < expires);
            return ++asked == 2;
        });
        Slot<std::uint64_t> second;
        const keyless::TokenSource source(own);
        source.subscribe([&](keyless::TokenView token) {
            if (token.generation() == 2) {
                second.set(2);
            }
        });
        CHECK(source.token().user() == oid);
        CHECK(second.wait() == 2);
        CHECK(chosen == 2);
        CHECK(asked >= 2);
        CHECK(keyless::Client(own.clone()).ping() == "PONG");
        CHECK_THROWS_AS(own.should_refresh_callback(0ms, [](auto, auto) { return false; }), keyless::InputError);
    }
    // The callbacks are destroyed with the last who may call them, on the thread that does.
    const auto begun = std::chrono::steady_clock::now();
    while (freed.use_count() > 1 && std::chrono::steady_clock::now() - begun < soon) {
        std::this_thread::sleep_for(1ms);
    }
    CHECK(freed.use_count() == 1);

    keyless::Options nobody = options();
    nobody.abort_on_connect_fail(true).connect_retry(1);
    nobody.user_name_callback([](const keyless::Claims &) { return std::optional<std::string>(); });
    CHECK(keyless::Client::connect(std::nothrow, nobody).code() == KEYLESS_INVALID_TOKEN);
    // What it throws is heard of, and is no choice.
    std::atomic<int> thrown{0};
    keyless::set_callback_error_handler([&](const std::exception_ptr &) { ++thrown; });
    nobody.user_name_callback([](const keyless::Claims &) -> std::string { throw std::runtime_error("no"); });
    CHECK(keyless::Client::connect(std::nothrow, nobody).code() == KEYLESS_INVALID_TOKEN);
    CHECK(thrown >= 1);
    keyless::set_callback_error_handler({});
}
