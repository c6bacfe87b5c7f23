// Events, figures and log lines.

#include "rig.hpp"

TEST_CASE("a cut and its mending as events") {
    keyless::Client client = connect();
    struct Seen {
        keyless::EventMask type;
        std::string name;
        std::string endpoint;
        std::optional<keyless::Error> error;
        std::chrono::milliseconds outage;
        std::uint32_t attempt;
        keyless::TimePoint time;
    };
    Slot<Seen> lost;
    Slot<Seen> restored;
    const auto seen = [](const keyless::Event &event) {
        return Seen{event.type(),   std::string(event.name()), std::string(event.endpoint()), event.error(),
                    event.outage(), event.attempt(),           event.time()};
    };
    const keyless::HandlerId id =
        client.on_event(KEYLESS_EVENT_CONNECTION_LOST | KEYLESS_EVENT_CONNECTION_RESTORED,
                        [&](const keyless::Event &event) {
                            (event.type() == KEYLESS_EVENT_CONNECTION_LOST ? lost : restored).set(seen(event));
                        });
    auto counted = std::make_shared<int>(0);
    const keyless::HandlerId unused = client.on_event(keyless::ALL_EVENTS, [counted](const keyless::Event &) {});
    CHECK(counted.use_count() == 2);
    CHECK(client.remove_handler(unused));
    CHECK(counted.use_count() == 1);
    CHECK_FALSE(client.remove_handler(unused));

    control("/faults", R"({"connections": "reset"})");
    const Seen first = lost.wait();
    CHECK(first.name == "connection_lost");
    CHECK(first.endpoint == client.endpoint());
    REQUIRE(first.error.has_value());
    CHECK_FALSE(first.error->message().empty());
    CHECK(std::chrono::system_clock::now() - first.time < soon);
    const Seen then = restored.wait();
    CHECK(then.name == "connection_restored");
    CHECK(then.attempt >= 1);
    CHECK(then.outage >= 0ms);
    CHECK_FALSE(then.error.has_value());
    CHECK(client.remove_handler(id));
    CHECK(client.is_ready());
    CHECK_FALSE(client.last_error().has_value());
}

TEST_CASE("why there is no connection") {
    keyless::Options nowhere("localhost:1");
    nowhere.tls(false).password("x").connect_timeout(500ms).command_timeout(200ms);
    keyless::Client client(nowhere);
    CHECK_FALSE(client.is_ready());
    REQUIRE(client.last_error().has_value());
    CHECK(client.last_error()->code() == KEYLESS_CONNECT_FAILED);
    const keyless::Error error = *client.last_error();
    CHECK_FALSE(error.advice().empty());
    CHECK(error.endpoint() == client.endpoint());
    CHECK_THROWS_AS(client.get("x"), keyless::Error);
}

TEST_CASE("figures") {
    keyless::Client client = connect();
    for (int index = 0; index < 10; ++index) {
        client.set("k", "v");
    }
    CHECK_THROWS_AS(client.incr("k"), keyless::ReplyError);
    const keyless::Stats stats = client.stats();
    CHECK(stats.commands() >= 12);
    CHECK(stats.errors() == 1);
    CHECK(stats.errors(KEYLESS_SERVER) == 1);
    CHECK(stats.errors(KEYLESS_TIMEOUT) == 0);
    CHECK(stats.queued() + stats.in_flight() == 0);
    CHECK(stats.connections() >= 1);
    CHECK(stats.reconnects() == 0);
    CHECK(stats.reauthentication_failures() == 0);
    CHECK(stats.token_refreshes() >= 1);
    CHECK(stats.token_refresh_failures() == 0);
    REQUIRE(stats.token_remaining().has_value());
    CHECK(*stats.token_remaining() > 0ms);
    CHECK(stats.token_age().has_value());
    CHECK(stats.cache_hits() + stats.cache_misses() + stats.cache_entries() + stats.cache_bytes() == 0);
    CHECK(stats.messages_dropped() + stats.events_dropped() == 0);
    CHECK(stats.latency_count() >= 10);
    CHECK(stats.latency_p50() <= stats.latency_p90());
    CHECK(stats.latency_p90() <= stats.latency_p99());
    CHECK(stats.latency_p99() <= stats.latency_p99_9());
    CHECK(stats.latency_max() > 0us);
    const auto endpoints = stats.endpoints();
    REQUIRE(endpoints.size() == 1);
    CHECK(endpoints[0].name == client.endpoint());
    CHECK(endpoints[0].connected);
    CHECK(endpoints[0].queued + endpoints[0].in_flight == 0);
    CHECK(endpoints[0].last_reply.has_value());
}

TEST_CASE("log lines") {
    Slot<std::string> line;
    keyless::set_log(KEYLESS_LOG_INFO, [&](keyless::LogLevel level, std::string_view target, std::string_view text) {
        CHECK(level <= KEYLESS_LOG_INFO);
        CHECK(target.substr(0, 7) == "keyless");
        line.set(std::string(text));
    });
    keyless::Client client = connect();
    CHECK_FALSE(line.wait().empty());
    keyless::clear_log();
    CHECK(keyless::set_log(std::nothrow, static_cast<keyless::LogLevel>(0), [](auto...) {}));
    CHECK_FALSE(keyless::version().empty());
    CHECK(keyless::is_compatible());
}
