// What the tests share: a client of the emulator that the environment names, and the emulator's control endpoint.

#pragma once

#include <keyless.hpp>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

/** How long a test waits for what must happen. */
constexpr std::chrono::milliseconds soon = 20s;

inline std::string environment(const char *name) {
    const char *value = std::getenv(name);
    REQUIRE_MESSAGE(value != nullptr, name, " is not set");
    return value;
}

/** Options for the emulator, with figures that suit tokens of a few seconds. */
inline keyless::Options options() {
    keyless::Options options = keyless::Options::from_env();
    options.token_ca_file(environment("KEYLESS_TEST_CA")).ca_file(environment("KEYLESS_TEST_CA"));
    return options;
}

/** A client of an empty cache. */
inline keyless::Client connect() {
    keyless::Client client(options());
    client.flushdb();
    return client;
}

/** A value that one thread sets and another one waits for. */
template <typename T>
class Slot {
public:
    void set(T value) {
        const std::lock_guard<std::mutex> lock(mutex_);
        value_ = std::move(value);
        changed_.notify_all();
    }
    T wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        REQUIRE(changed_.wait_for(lock, soon, [this] { return value_.has_value(); }));
        T value = std::move(*value_);
        value_.reset();
        return value;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<T> value_;
};

/** Sends a request to the emulator's control endpoint. */
inline void control(const std::string &path, const std::string &json) {
    const std::string url = environment("KEYLESS_TEST_CONTROL");
    const std::size_t colon = url.rfind(':');
    const int port = std::stoi(url.substr(colon + 1));
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
    const std::string request = "POST " + path +
                                " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json"
                                "\r\nContent-Length: " +
                                std::to_string(json.size()) + "\r\n\r\n" + json;
    REQUIRE(::send(socket, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t count; (count = ::recv(socket, buffer, sizeof buffer, 0)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(socket);
    REQUIRE_MESSAGE(answer.find(" 200 ") != std::string::npos, answer);
}

/** While it exists the server's answers do not come. */
class Frozen {
public:
    Frozen() { control("/faults", R"({"data": {"freeze": "both"}})"); }
    ~Frozen() { control("/faults", R"({"data": null})"); }
};
