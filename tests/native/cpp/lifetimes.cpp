// Ten lifetimes of a token under load, in every way of waiting: nobody notices. Run with tokens of a few seconds.

#include "rig.hpp"

#include <atomic>
#include <poll.h>

TEST_CASE("ten lifetimes" * doctest::skip()) {
    const auto lifetime = std::chrono::seconds(std::stoi(environment("KEYLESS_TEST_LIFETIME")));
    keyless::Client client(options());
    client.flushdb();
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> commands{0};
    std::atomic<int> failed{0};
    std::atomic<int> refreshed{0};
    std::atomic<int> reauthenticated{0};
    std::atomic<int> lost{0};
    client.on_event(keyless::ALL_EVENTS, [&](const keyless::Event &event) {
        refreshed += event.type() == KEYLESS_EVENT_TOKEN_REFRESHED ? 1 : 0;
        reauthenticated += event.type() == KEYLESS_EVENT_CONNECTION_REAUTHENTICATED ? 1 : 0;
        if (event.type() == KEYLESS_EVENT_CONNECTION_LOST) {
            ++lost;
            MESSAGE("lost: ", std::string(event.error()->what()));
        }
    });
    const auto check = [&](auto &&outcome, auto wanted) {
        ++commands;
        if (!outcome || *outcome != wanted) {
            ++failed;
            MESSAGE("failed: ", std::string(outcome ? "another value" : outcome.error().what()));
        }
    };
    keyless::Subscription subscription = client.subscriber();
    subscription.subscribe("ticks");
    long long published = 0;

    std::vector<std::thread> threads;
    threads.emplace_back([&] { // waits
        for (long long round = 1; !stop; ++round) {
            check(client.with(std::nothrow).incr("waits"), round);
        }
    });
    threads.emplace_back([&] { // futures, fifty at a time
        for (long long round = 1; !stop;) {
            std::vector<std::future<long long>> futures;
            for (int index = 0; index < 50; ++index) {
                futures.push_back(client.async().incr("futures"));
            }
            for (auto &future : futures) {
                try {
                    check(keyless::Result<long long>(future.get()), round++);
                } catch (const keyless::Error &error) {
                    check(keyless::Result<long long>(error), round++);
                }
            }
        }
    });
    threads.emplace_back([&] { // the completion queue, fifty at a time
        long long sent = 0;
        long long received = 0;
        while (!stop || received < sent) {
            while (!stop && sent - received < 50) {
                ++sent;
                client.queue([&](keyless::Result<long long> number) { check(number, ++received); }).incr("queue");
            }
            pollfd watched{client.fd(), POLLIN, 0};
            if (::poll(&watched, 1, static_cast<int>(soon.count())) != 1) {
                ++failed;
                return;
            }
            client.drain();
        }
    });
    threads.emplace_back([&] { // transactions
        keyless::Transaction transaction(std::nothrow);
        for (int round = 1; !stop; ++round) {
            transaction.incr("{t}a").incr("{t}b");
            const auto replies = client.with(std::nothrow).exec(transaction);
            check(client.with(std::nothrow).publish("ticks", "x"), 1);
            ++published;
            if (replies) {
                check(replies->get<int>(std::nothrow, 0), round);
                check(replies->get<int>(std::nothrow, 1), round);
            } else {
                check(keyless::Result<int>(replies.error()), round);
            }
        }
    });
    std::this_thread::sleep_for(10 * lifetime);
    stop = true;
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(failed.load() == 0);
    CHECK(lost.load() == 0);
    CHECK(refreshed.load() >= 10);
    CHECK(reauthenticated.load() >= 10);
    CHECK(commands.load() > 1000);
    // A PING behind all that was published.
    client.ping();
    long long received = 0;
    while (received < published) {
        const std::optional<keyless::Message> message = subscription.next(soon);
        REQUIRE(message.has_value());
        received += message->type() == KEYLESS_MESSAGE ? 1 : static_cast<long long>(message->dropped());
    }
    CHECK(received == published);
    MESSAGE(commands.load(), " commands, ", refreshed.load(), " tokens, ", received, " messages");
}
