// A cluster: run with an emulator that has one.

#include "rig.hpp"

#include <set>

TEST_CASE("a cluster" * doctest::skip()) {
    keyless::Client client(options());
    keyless::Pipeline fill = client.pipeline();
    for (int index = 0; index < 500; ++index) {
        fill.set("key:" + std::to_string(index), "value");
    }
    fill.hset("hash", "field", "value");
    CHECK(fill.exec().size() == 501);

    std::size_t slots = 0;
    long long keys = 0;
    const std::vector<keyless::Node> nodes = client.nodes();
    CHECK(nodes.size() == 3);
    for (const keyless::Node &node : nodes) {
        CHECK(node.ready);
        slots += node.slots.value_or(0);
        const long long here = client.on(node.endpoint).dbsize();
        CHECK(here > 0);
        keys += here;
        CHECK(client.on(node.endpoint).info("cluster").find("cluster_enabled:1") != std::string::npos);
    }
    CHECK(slots == 16384);
    CHECK(keys == 501);
    CHECK_THROWS_AS(client.on("localhost:1").ping(), keyless::InputError);
    CHECK(client.on("localhost:1").run<void>(std::nothrow, keyless::Arguments("PING")).code() ==
          KEYLESS_INVALID_ENDPOINT);

    std::set<std::string> seen;
    for (const std::string &key : client.scan_range()) {
        seen.insert(key);
    }
    CHECK(seen.size() == 501);
    // Each begin is a new walk.
    keyless::ScanRange<std::string> some = client.scan_range("key:1*", 0);
    for (int round = 0; round < 2; ++round) {
        seen.clear();
        seen.insert(some.begin(), some.end());
        CHECK(seen.size() == 111);
    }
    seen.clear();
    for (const std::string &key : client.scan_range("*", 1000, "hash")) {
        seen.insert(key);
    }
    CHECK(seen == std::set<std::string>{"hash"});
}
