// Only compiled, with and without exceptions: every kind of template once, by a program that uses no exceptions itself.

#include <keyless.hpp>

#include <map>

int use() {
    keyless::Result<keyless::Options> options = keyless::Options::from_env(std::nothrow);
    if (!options || !options->connect_timeout(std::nothrow, std::chrono::seconds(5)) ||
        !options->user_name_callback(std::nothrow, [](const keyless::Claims &claims) { return claims.object_id(); }) ||
        !options->should_refresh_callback(std::nothrow, std::chrono::seconds(5),
                                          [](keyless::TimePoint, keyless::TimePoint) { return false; })) {
        return 1;
    }
    keyless::Result<keyless::Client> connected = keyless::Client::connect(std::nothrow, *options);
    if (!connected) {
        return static_cast<int>(connected.code());
    }
    keyless::Client &client = *connected;
    keyless::Nothrow cache = client.with(std::nothrow);
    const std::map<std::string, std::string> map{{"a", "b"}};
    if (!cache.set("key", "value", std::chrono::minutes(1), keyless::UpdateType::NOT_EXIST) ||
        !cache.hset("hash", map.begin(), map.end()) || !cache.mset({{"a", "b"}}) ||
        !cache.zadd("zset", {{"member", 1.0}})) {
        return 2;
    }
    std::map<std::string, double> scores;
    if (!cache.zrange("zset", 0, -1, std::inserter(scores, scores.end())) ||
        !cache.command<std::tuple<int, std::string>>("LRANGE", "list", 0, 1)) {
        return 3;
    }
    client.async([](const keyless::Result<keyless::OptionalString> &value) { (void)value.code(); }).get("key");
    client.queue([](auto value) { (void)value.code(); }).hgetall<std::map<std::string, int>>("hash");
    if (!client.drain(std::nothrow) || !client.nodes(std::nothrow)) {
        return 4;
    }
    const auto replies = client.transaction(std::nothrow).incr("n").get("key").exec(std::nothrow);
    if (!replies || !replies->get<long long>(std::nothrow, 0)) {
        return 5;
    }
    const auto handler = client.on_event(std::nothrow, keyless::ALL_EVENTS, [](const keyless::Event &event) {
        (void)event.name();
    });
    const auto subscription = client.subscriber(std::nothrow);
    const auto credential = keyless::Credential::custom(
        std::nothrow, "mine", [](const keyless::TokenRequest &) { return keyless::AccessToken{}; });
    return handler && subscription && credential ? 0 : 6;
}
