// Failures, with exceptions and without, and what was moved from.

#include "rig.hpp"

TEST_CASE("an error tells code, message, advice and endpoint") {
    keyless::Client client = connect();
    client.set("text", "x");
    try {
        client.lpush("text", "y");
        FAIL("LPUSH on a string");
    } catch (const keyless::ReplyError &error) {
        CHECK(error.code() == KEYLESS_SERVER);
        CHECK(error.name() == "server");
        CHECK(error.server_code() == "WRONGTYPE");
        CHECK(error.message().find("WRONGTYPE") != std::string_view::npos);
        CHECK(std::string_view(error.what()).find(error.message()) != std::string_view::npos);
        CHECK_FALSE(error.retryable());
        CHECK(error.retry_after() == 0ms);
        const keyless::Error copy = error;
        CHECK(copy.message().data() == error.message().data());
    }
    const keyless::Result<long long> failed = client.with(std::nothrow).lpush("text", "y");
    CHECK_FALSE(failed);
    CHECK(failed.code() == KEYLESS_SERVER);
    CHECK(failed.error().server_code() == "WRONGTYPE");
    CHECK(failed.value_or(-5) == -5);
    CHECK_THROWS_AS(failed.value(), keyless::ReplyError);
    CHECK_THROWS_AS(*failed, keyless::ReplyError);
    CHECK_THROWS_AS(client.async().lpush("text", "y").get(), keyless::ReplyError);
}

TEST_CASE("without exceptions") {
    keyless::Client client = connect();
    keyless::Nothrow quiet = client.with(std::nothrow);
    const keyless::Result<bool> set = quiet.set("k", "v", 5s);
    REQUIRE(set);
    CHECK(*set);
    CHECK(set.code() == KEYLESS_OK);
    CHECK(quiet.get("k").value() == "v");
    CHECK(quiet.get("k")->value() == "v");
    CHECK(quiet.hset("h", "f", "v").has_value());
    std::vector<std::pair<std::string, std::string>> all;
    CHECK(quiet.hgetall("h", std::back_inserter(all)));
    CHECK(all.size() == 1);
    CHECK_FALSE(quiet.hgetall("k", std::back_inserter(all)));
    std::vector<int> numbers;
    CHECK(quiet.hkeys("h", std::back_inserter(numbers)).code() == KEYLESS_UNEXPECTED_REPLY);
    std::vector<std::string> keys;
    CHECK(quiet.scan(0, "*", 100, std::back_inserter(keys)).value() == 0);
    CHECK(keys.size() == 2);
    CHECK_FALSE(quiet.sscan("k", 0, "*", 100, std::back_inserter(keys)));
    const keyless::Result<void> nothing = quiet.rename("none", "x");
    CHECK_FALSE(nothing);
    CHECK(nothing.code() == KEYLESS_SERVER);
    CHECK_THROWS_AS(nothing.value(), keyless::ReplyError);
    CHECK(quiet.command<int>("ECHO", "x").code() == KEYLESS_UNEXPECTED_REPLY);

    CHECK(keyless::Options::parse(std::nothrow, "host:99999").code() == KEYLESS_INVALID_ENDPOINT);
    CHECK(keyless::Options::parse(std::nothrow, "host,conectTimeout=1").code() == KEYLESS_INVALID_OPTION);
    CHECK(keyless::Credential::of_kind(std::nothrow, "managed_identiy").code() == KEYLESS_INVALID_OPTION);
    keyless::Options nowhere("localhost:1");
    nowhere.abort_on_connect_fail(true).connect_retry(1).password("x").tls(false);
    CHECK(keyless::Client::connect(std::nothrow, nowhere).code() == KEYLESS_CONNECT_FAILED);
    CHECK_THROWS_AS(keyless::Client{nowhere}, keyless::ConnectionError);
    CHECK(nowhere.connect_retry(std::nothrow, 0).code() == KEYLESS_INVALID_OPTION);
}

TEST_CASE("each group has its class") {
    keyless::Client client = connect();
    CHECK_THROWS_AS(keyless::Options("host,nonsense=1"), keyless::InputError);
    CHECK_THROWS_AS(client.command("MULTI"), keyless::InputError);
    {
        const Frozen frozen;
        try {
            client.within(50ms).set("late", "x");
            FAIL("the server does not answer");
        } catch (const keyless::TimeoutError &error) {
            CHECK(error.code() == KEYLESS_TIMEOUT);
            CHECK(error.retryable());
            CHECK(error.maybe_executed());
        }
    }
    keyless::Credential wrong("client_secret");
    wrong.set("tenant_id", environment("AZURE_TENANT_ID"))
        .set("client_id", environment("AZURE_CLIENT_ID"))
        .set("client_secret", "wrong");
    keyless::Options strict = options();
    strict.abort_on_connect_fail(true).connect_retry(1);
    CHECK_THROWS_AS(keyless::Client(strict, wrong), keyless::AuthError);
    CHECK_THROWS_AS(client.command<int>("ECHO", "x"), keyless::UnexpectedReplyError);
    client.close();
    client.close();
    CHECK_THROWS_AS(client.get("x"), keyless::ClosedError);
    CHECK_THROWS_AS(client.async().get("x").get(), keyless::ClosedError);
    CHECK_FALSE(client.is_ready());
}

TEST_CASE("commands that Azure would refuse by policy") {
    keyless::Client client = connect();
    // ACL rules hold for the connection's user from now on.
    client.command("ACL", "SETUSER", "limited", "on", ">secret", "+@all", "-get", "~*", "&*");
    const keyless::Result<keyless::Reply> dry = client.with(std::nothrow).command("ACL", "DRYRUN", "limited", "GET", "x");
    REQUIRE(dry);
    CHECK(dry->as<std::string>().find("get") != std::string::npos);
    const auto refused = client.with(std::nothrow).eval<keyless::Reply>("return {err='NOPERM not yours'}", {}, {});
    CHECK(refused.code() == KEYLESS_NO_PERMISSION);
    CHECK_THROWS_AS(refused.value(), keyless::PermissionError);
    CHECK_THROWS_AS(refused.value(), keyless::ReplyError);
}

TEST_CASE("what was moved from fails, and does not crash") {
    keyless::Client client = connect();
    keyless::Client other = std::move(client);
    CHECK(other.ping() == "PONG");
    CHECK_THROWS_AS(client.ping(), keyless::InputError);
    CHECK(client.with(std::nothrow).ping().code() == KEYLESS_INVALID_ARGUMENT);
    CHECK_THROWS_AS(client.async().ping().get(), keyless::InputError);
    int heard = 0;
    const auto count = [&](keyless::Result<std::string> outcome) {
        CHECK(outcome.code() == KEYLESS_INVALID_ARGUMENT);
        ++heard;
    };
    client.async(count).ping();
    client.queue(count).ping();
    CHECK(heard == 2);
    CHECK_THROWS_AS(client.drain(), keyless::InputError);
    CHECK_THROWS_AS(client.subscriber(), keyless::InputError);
    CHECK_THROWS_AS(client.stats(), keyless::InputError);
    CHECK_THROWS_AS(client.close(), keyless::InputError);
    CHECK_THROWS_AS(client.on_event(keyless::ALL_EVENTS, [](const keyless::Event &) {}), keyless::InputError);
    CHECK_THROWS_AS(client.pipeline().ping().exec(), keyless::InputError);
    CHECK_FALSE(client.remove_handler(1));
    CHECK_FALSE(client.is_ready());
    CHECK_FALSE(client.last_error().has_value());
    CHECK(client.endpoint().empty());
    CHECK(client.fd() == -1);

    keyless::Options given = options();
    keyless::Options taken = std::move(given);
    CHECK_THROWS_AS(given.tls(true), keyless::InputError);
    CHECK_THROWS_AS(given.value("tls"), keyless::InputError);
    CHECK_THROWS_AS(given.connection_string(), keyless::InputError);
    CHECK(given.warnings().empty());
    CHECK_THROWS_AS(keyless::Client{given}, keyless::InputError);
    CHECK_THROWS_AS(keyless::TokenSource{given}, keyless::InputError);
    keyless::Credential credential = keyless::Credential::environment();
    keyless::Credential gone = std::move(credential);
    CHECK_THROWS_AS(credential.set("client_id", "x"), keyless::InputError);
    CHECK_THROWS_AS(keyless::Client(taken, credential), keyless::InputError);
    CHECK_THROWS_AS(keyless::TokenSource(taken, credential), keyless::InputError);
    CHECK_THROWS_AS(keyless::TokenSource{credential}, keyless::InputError);
    keyless::TokenSource source(taken, gone);
    keyless::TokenSource moved = std::move(source);
    CHECK_THROWS_AS(source.token(), keyless::InputError);
    CHECK_THROWS_AS(source.subscribe([](keyless::TokenView) {}), keyless::InputError);
    CHECK_THROWS_AS(source.on_event(1, [](const keyless::Event &) {}), keyless::InputError);
    CHECK_FALSE(source.reject(1));
    CHECK_THROWS_AS(keyless::Client(taken, source), keyless::InputError);
    keyless::Pipeline pipe = other.pipeline();
    keyless::Pipeline pipe2 = std::move(pipe);
    CHECK_THROWS_AS(pipe.ping(), keyless::InputError);
    CHECK_THROWS_AS(pipe.exec(), keyless::InputError);
    CHECK(pipe.size() == 0);
    CHECK(pipe2.ping().exec().get<std::string>(0) == "PONG");
    keyless::Subscription subscription = other.subscriber();
    keyless::Subscription subscription2 = std::move(subscription);
    CHECK_THROWS_AS(subscription.subscribe("x"), keyless::InputError);
    CHECK_THROWS_AS(subscription.next(0ms), keyless::InputError);
    CHECK_THROWS_AS(subscription.on_message([](keyless::MessageView) {}), keyless::InputError);
    CHECK(subscription.fd() == -1);
    CHECK(subscription.dropped() == 0);

    client = std::move(other);
    CHECK(client.ping() == "PONG");
}

TEST_CASE("options with types") {
    keyless::Options set("mycache.westeurope.redis.azure.net");
    set.connect_timeout(3s).keep_alive(120s).tcp_keep_alive(false).client_name("cpp").refresh_ratio(0.5);
    set.reauth_stagger(250ms).backlog_limit(5).backlog("fail_fast");
    CHECK(set.value("connect_timeout") == "3000");
    CHECK(set.value("keep_alive") == "120");
    CHECK(set.value("tcp_keep_alive") == "false");
    CHECK(set.value("client_name") == "cpp");
    CHECK(set.value("refresh_ratio") == "0.5");
    CHECK(set.value("reauth_stagger") == "250");
    CHECK(set.reauth_stagger(std::nullopt).value("reauth_stagger") == "auto");
    CHECK(set.set("command_timeout", "70").value("command_timeout") == "70");
    CHECK_THROWS_AS(set.set("command_timeout", "soon"), keyless::InputError);
    CHECK_THROWS_AS(set.connect_timeout(-1s), keyless::InputError);
    CHECK_FALSE(set.backlog(std::nothrow, "perhaps"));
    const keyless::Options copy = set.clone();
    set.client_name("other");
    CHECK(copy.value("client_name") == "cpp");
    CHECK(copy.connection_string().find("name=cpp") != std::string::npos);
    CHECK(set.password("hidden").connection_string().find("hidden") == std::string::npos);
    CHECK(keyless::Options("host,checkCertificateRevocation=true").warnings().size() == 1);
    CHECK_THROWS_AS(set.add_endpoint("a:b:c"), keyless::InputError);
}
