// Connects as the environment says, prints what happens to tokens and connections, and uses the cache in several ways,
// once a second, until the time is over.
//
//     ./quickstart [seconds]
//
// Its result is 0 if no command failed.

#include <keyless.hpp>

#include <cstdlib>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

/** Events come on another thread: one line at a time. */
void print(const std::string &line) {
    static std::mutex mutex;
    const std::lock_guard<std::mutex> lock(mutex);
    std::cout << line << std::endl;
}

std::string seconds(std::chrono::system_clock::duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

void on_event(const keyless::Event &event) {
    std::ostringstream line;
    line << "event: " << event.name();
    if (!event.endpoint().empty()) {
        line << ", " << event.endpoint();
    }
    if (event.type() == KEYLESS_EVENT_TOKEN_REFRESHED && event.expires_at() && event.next_refresh()) {
        line << ", user " << event.user() << ", expires in " << seconds(*event.expires_at() - event.time())
             << ", next one in " << seconds(*event.next_refresh() - event.time());
    }
    if (const std::optional<keyless::Error> error = event.error()) {
        line << ": " << error->what();
    }
    print(line.str());
}

/** A second's work: a value with a time to live, a pipeline, a transaction, futures. */
void work(keyless::Client &client, long long round) {
    client.set("example:cpp:greeting", "hello " + std::to_string(round), std::chrono::minutes(5));
    const keyless::OptionalString greeting = client.get("example:cpp:greeting");

    const keyless::Replies replies = client.pipeline()
                                         .hset("example:cpp:round", {{"number", std::to_string(round)}, {"by", "C++"}})
                                         .hgetall("example:cpp:round")
                                         .exec();
    const auto fields = replies.get<std::unordered_map<std::string, std::string>>(1);

    client.transaction()
        .zadd("example:cpp:rounds", std::to_string(round), static_cast<double>(round))
        .zremrangebyrank("example:cpp:rounds", 0, -11)
        .exec();
    std::vector<std::pair<std::string, double>> last;
    client.zrevrange("example:cpp:rounds", 0, 2, std::back_inserter(last));

    std::vector<std::future<long long>> counters;
    for (int index = 0; index < 100; ++index) {
        counters.push_back(client.async().incr("example:cpp:counter"));
    }
    long long counter = 0;
    for (std::future<long long> &future : counters) {
        counter = future.get();
    }
    print("round " + std::to_string(round) + ": " + greeting.value_or("nothing") + ", " +
          std::to_string(fields.size()) + " fields, " + std::to_string(last.size()) + " of the last rounds, counter " +
          std::to_string(counter));
}

void tell(const keyless::Stats &stats) {
    print(std::to_string(stats.commands()) + " commands, " + std::to_string(stats.errors()) + " errors, " +
          std::to_string(stats.token_refreshes()) + " tokens, " + std::to_string(stats.reauthentications()) +
          " sign-ins of the open connection, half of the replies within " +
          std::to_string(stats.latency_p50().count()) + " us");
}

} // namespace

int main(int argc, char **argv) {
    const auto end = argc > 1 ? Clock::now() + std::chrono::seconds(std::atoi(argv[1])) : Clock::time_point::max();
    int failures = 0;
    try {
        keyless::Client client(keyless::Options::from_env().client_name("example-cpp"));
        client.on_event(keyless::ALL_EVENTS, on_event);
        if (const std::optional<keyless::Error> error = client.last_error()) {
            print(std::string("not connected yet: ") + error->what());
        }
        long long round = 0;
        do {
            try {
                work(client, ++round);
            } catch (const keyless::Error &error) {
                // The connection comes back by itself; the text says what happened, and what to do.
                print(std::string("failed: ") + error.what());
                ++failures;
            }
            std::this_thread::sleep_for(std::chrono::seconds(1));
        } while (Clock::now() < end);
        tell(client.stats());
        client.close();
    } catch (const keyless::Error &error) {
        print(error.what());
        return 1;
    }
    return failures == 0 ? 0 : 1;
}
