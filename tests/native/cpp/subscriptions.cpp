// Subscriptions: by next() and by callback.

#include "rig.hpp"

TEST_CASE("messages by next") {
    keyless::Client client = connect();
    keyless::Subscription subscription = client.subscriber();
    subscription.subscribe("news");
    subscription.subscribe({"weather", "sports"});
    subscription.psubscribe("user:*");
    subscription.psubscribe({"x*", "y*"});
    subscription.ssubscribe("shard");
    subscription.ssubscribe({"shard2"});
    CHECK_FALSE(subscription.next(0ms).has_value());
    const std::string payload("a\0b", 3);
    CHECK(client.publish("news", payload) == 1);
    CHECK(client.publish("user:7", "hello") == 1);
    CHECK(client.spublish("shard", "sharded") == 1);
    const std::optional<keyless::Message> news = subscription.next(soon);
    REQUIRE(news.has_value());
    CHECK(news->type() == KEYLESS_MESSAGE);
    CHECK(news->channel_type() == KEYLESS_CHANNEL);
    CHECK(news->channel() == "news");
    CHECK(news->payload() == payload);
    CHECK_FALSE(news->pattern().has_value());
    CHECK(news->gap() == 0ms);
    CHECK(news->dropped() == 0);
    std::optional<keyless::Message> user = subscription.next(soon);
    REQUIRE(user.has_value());
    CHECK(user->pattern() == "user:*");
    CHECK(user->channel_type() == KEYLESS_PATTERN);
    const keyless::Message moved = std::move(*user);
    CHECK(moved.channel() == "user:7");
    CHECK(user->channel().empty());
    const auto shard = subscription.next(std::nothrow, soon);
    REQUIRE(shard);
    CHECK((*shard)->channel_type() == KEYLESS_SHARD_CHANNEL);

    subscription.unsubscribe("news");
    subscription.punsubscribe("user:*");
    subscription.sunsubscribe("shard");
    CHECK(client.publish("user:7", "nobody") == 0);
    CHECK_FALSE(subscription.subscribe(std::nothrow, KEYLESS_CHANNEL, {}));
    CHECK(subscription.unsubscribe(std::nothrow, KEYLESS_CHANNEL, {"weather"}));
    CHECK(subscription.dropped() == 0);
    CHECK(subscription.fd() >= 0);
    client.close();
    CHECK_THROWS_AS(subscription.next(soon), keyless::ClosedError);
}

TEST_CASE("messages by callback, through a cut") {
    keyless::Client client = connect();
    keyless::Subscription subscription = client.subscriber();
    Slot<std::string> message;
    Slot<std::chrono::milliseconds> gap;
    Slot<keyless::Code> ended;
    subscription.on_message(
        [&](keyless::MessageView heard) {
            if (heard.type() == KEYLESS_MESSAGE_GAP) {
                gap.set(heard.gap());
            } else {
                message.set(std::string(heard.payload()));
            }
        },
        [&](const keyless::Error &error) { ended.set(error.code()); });
    CHECK_THROWS_AS(subscription.on_message([](keyless::MessageView) {}), keyless::InputError);
    subscription.subscribe("news");
    client.publish("news", "one");
    CHECK(message.wait() == "one");
    control("/faults", R"({"connections": "reset"})");
    CHECK(gap.wait() >= 0ms);
    client.publish("news", "two");
    CHECK(message.wait() == "two");
    client.close();
    CHECK(ended.wait() == KEYLESS_CLOSED);
}

TEST_CASE("slow subscriptions") {
    keyless::Client client = connect();
    keyless::Subscription drops = client.subscriber(2);
    keyless::Subscription ends = client.subscriber(2, KEYLESS_DISCONNECT);
    drops.subscribe("flood");
    ends.subscribe("flood");
    for (int index = 0; index < 10; ++index) {
        client.publish("flood", std::to_string(index));
    }
    std::uint64_t missed = 0;
    std::string last;
    while (last != "9") {
        const std::optional<keyless::Message> next = drops.next(soon);
        REQUIRE(next.has_value());
        missed += next->dropped();
        last = next->payload();
    }
    CHECK(missed >= 1);
    CHECK(drops.dropped() == missed);
    const auto drain = [&] {
        while (ends.next(soon)) {
        }
    };
    CHECK_THROWS_AS(drain(), keyless::BacklogError);
    CHECK(client.stats().messages_dropped() >= missed);
}
