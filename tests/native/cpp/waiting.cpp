// Futures, callbacks, the completion queue, and exceptions that leave a callback.

#include "rig.hpp"

#include <atomic>
#include <poll.h>

namespace {

bool readable(int descriptor, std::chrono::milliseconds timeout) {
    pollfd watched{descriptor, POLLIN, 0};
    return ::poll(&watched, 1, static_cast<int>(timeout.count())) == 1;
}

/** Sets the handler while it exists. */
class Failures {
public:
    Failures() {
        keyless::set_callback_error_handler([this](std::exception_ptr exception) {
            try {
                std::rethrow_exception(exception);
            } catch (const std::exception &error) {
                heard_.set(error.what());
            }
        });
    }
    ~Failures() { keyless::set_callback_error_handler({}); }
    std::string wait() { return heard_.wait(); }

private:
    Slot<std::string> heard_;
};

} // namespace

TEST_CASE("futures") {
    keyless::Client client = connect();
    std::future<bool> set = client.async().set("k", "v", 5s);
    std::future<keyless::OptionalString> got = client.async().get("k");
    std::future<void> renamed = client.async().rename("k", "k2");
    std::future<std::unordered_map<std::string, std::string>> all = client.async().hgetall("none");
    std::future<keyless::Reply> any = client.async().command("GET", "k2");
    CHECK(set.get());
    CHECK(got.get() == "v");
    CHECK_NOTHROW(renamed.get());
    CHECK(all.get().empty());
    CHECK(any.get().string() == "v");
    CHECK_THROWS_AS(client.async().incr("k2").get(), keyless::ReplyError);
    CHECK_THROWS_AS(client.async().command("MULTI").get(), keyless::InputError);
    CHECK_THROWS_AS(client.async().command<int>("ECHO", "x").get(), keyless::UnexpectedReplyError);
    {
        const Frozen frozen;
        CHECK_THROWS_AS(client.within(50ms).async().ping().get(), keyless::TimeoutError);
    }
    std::vector<std::future<long long>> many;
    for (int index = 0; index < 1000; ++index) {
        many.push_back(client.async().incr("n"));
    }
    for (std::size_t index = 0; index < many.size(); ++index) {
        CHECK(many[index].get() == static_cast<long long>(index) + 1);
    }
}

TEST_CASE("callbacks") {
    keyless::Client client = connect();
    Slot<std::string> slot;
    client.async([&](keyless::Result<std::string> echoed) { slot.set(std::move(echoed).value()); }).echo("hello");
    CHECK(slot.wait() == "hello");
    client.async([&](auto outcome) { slot.set(std::string(outcome.error().server_code())); })
        .command<int>("NONSENSE");
    CHECK(slot.wait() == "ERR");
    // Before anything is sent: here and now.
    bool now = false;
    client.async([&](auto outcome) { now = outcome.code() == KEYLESS_INVALID_COMMAND; }).command("MULTI");
    CHECK(now);
    // One callback asks for more, and waits for it.
    client.async([&](auto) { slot.set(client.echo("inner")); }).ping();
    CHECK(slot.wait() == "inner");
    // What only moves.
    auto owned = std::make_unique<std::string>("mine");
    client.async([&slot, owned = std::move(owned)](auto) { slot.set(*owned); }).ping();
    CHECK(slot.wait() == "mine");
    const Frozen frozen;
    client.within(50ms).async([&](auto outcome) { slot.set(std::string(outcome.error().name())); }).ping();
    CHECK(slot.wait() == "timeout");
}

TEST_CASE("a callback may destroy its client, and hears of the end") {
    auto client = std::make_unique<keyless::Client>(options());
    Slot<int> slot;
    client
        ->async([&](auto) {
            client.reset();
            slot.set(1);
        })
        .ping();
    CHECK(slot.wait() == 1);

    keyless::Client other = connect();
    std::future<keyless::OptionalStringPair> waiting = other.async().blpop("none");
    std::atomic<int> closed{0};
    other.async([&](auto outcome) { closed += outcome.code() == KEYLESS_CLOSED ? 1 : 0; }).blpop("none2");
    {
        const keyless::Client gone = std::move(other);
    }
    CHECK(closed == 1);
    CHECK_THROWS_AS(waiting.get(), keyless::ClosedError);
}

TEST_CASE("exceptions that leave a callback") {
    Failures failures;
    keyless::Client client = connect();
    client.async([](auto) { throw std::runtime_error("from a reply"); }).ping();
    CHECK(failures.wait() == "from a reply");
    client.on_event(keyless::ALL_EVENTS, [](const keyless::Event &) { throw std::runtime_error("from an event"); });
    keyless::Subscription subscription = client.subscriber();
    subscription.subscribe("throws");
    subscription.on_message([](keyless::MessageView) { throw std::runtime_error("from a message"); });
    client.publish("throws", "x");
    CHECK(failures.wait() == "from a message");
    control("/faults", R"({"connections": "reset"})");
    // The gap is a message too, and may come first.
    std::string said = failures.wait();
    while (said == "from a message")
        said = failures.wait();
    CHECK(said == "from an event");
    // Everything goes on.
    CHECK(client.async().echo("x").get() == "x");
}

TEST_CASE("the completion queue") {
    keyless::Client client = connect();
    const int descriptor = client.fd();
    REQUIRE(descriptor >= 0);
    CHECK_FALSE(readable(descriptor, 0ms));
    CHECK(client.drain() == 0);
    const std::thread::id here = std::this_thread::get_id();
    std::vector<long long> got;
    for (int index = 0; index < 100; ++index) {
        client
            .queue([&](keyless::Result<long long> number) {
                CHECK(std::this_thread::get_id() == here);
                got.push_back(*number);
            })
            .incr("n");
    }
    std::size_t drained = 0;
    while (drained < 100) {
        REQUIRE(readable(descriptor, soon));
        drained += client.drain(7);
    }
    CHECK(got.size() == 100);
    CHECK(got.back() == 100);
    CHECK_FALSE(readable(descriptor, 0ms));

    // A failure is an outcome too; what cannot be sent is heard of at once.
    keyless::Code code = KEYLESS_OK;
    const auto note = [&](auto outcome) { code = outcome.code(); };
    client.queue(note).command<int>("NONSENSE");
    REQUIRE(readable(descriptor, soon));
    CHECK(client.drain() == 1);
    CHECK(code == KEYLESS_SERVER);
    client.queue(note).command("MULTI");
    CHECK(code == KEYLESS_INVALID_COMMAND);

    // What callbacks throw leaves drain() when all have run.
    keyless::Pipeline pipe;
    pipe.ping();
    int ran = 0;
    client.queue([&](auto) { throw std::runtime_error("first"); }).ping();
    client.queue([&](auto) { throw std::runtime_error("second"); }).ping();
    client.queue([&](keyless::Result<keyless::Replies> replies) { ran += static_cast<int>(replies->size()); }).exec(pipe);
    client.async().ping().get();
    std::string thrown;
    while (ran == 0) {
        REQUIRE(readable(descriptor, soon));
        try {
            client.drain();
        } catch (const std::runtime_error &error) {
            thrown += error.what();
        }
    }
    CHECK(thrown.substr(0, 5) == "first");

    // What is never drained is destroyed, and a callback may destroy the client.
    auto counted = std::make_shared<int>(0);
    client.queue([counted](auto) { ++*counted; }).ping();
    client.queue([counted](auto) { ++*counted; }).blpop("none");
    auto owner = std::make_unique<keyless::Client>(std::move(client));
    client = keyless::Client(options());
    owner->queue([&](auto) { owner.reset(); }).ping();
    while (owner) {
        REQUIRE(readable(owner->fd(), soon));
        owner->drain(1);
    }
    CHECK(*counted <= 1);
    CHECK(counted.use_count() == 1);
}

TEST_CASE("many threads share one client") {
    keyless::Client client = connect();
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int thread = 0; thread < 8; ++thread) {
        threads.emplace_back([&client, &wrong, thread] {
            const std::string key = "key:" + std::to_string(thread);
            for (int round = 1; round <= 200; ++round) {
                wrong += client.incr(key) == round ? 0 : 1;
                wrong += client.async().get(key).get() == std::to_string(round) ? 0 : 1;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}
