// Every named command against a real redis-server.

#include "rig.hpp"

#include <map>
#include <set>

namespace {

using Strings = std::vector<std::string>;
using keyless::UpdateType;

template <typename T>
std::set<std::string> as_set(const T &all) {
    return {all.begin(), all.end()};
}

} // namespace

TEST_CASE("keys") {
    keyless::Client client = connect();
    const Strings three{"a", "b", "c"};
    client.mset({{"a", "1"}, {"b", "2"}, {"c", "3"}});
    CHECK(client.exists("a") == 1);
    CHECK(client.exists({"a", "b", "x"}) == 2);
    CHECK(client.exists(three.begin(), three.end()) == 3);
    CHECK(client.touch("a") == 1);
    CHECK(client.type("a") == "string");
    CHECK(client.ttl("a") == -1);
    CHECK(client.expire("a", 100s));
    CHECK(client.ttl("a") > 90);
    CHECK(client.pexpire("a", 200000ms));
    CHECK(client.pttl("a") > 100000);
    CHECK(client.persist("a"));
    const auto tomorrow = std::chrono::system_clock::now() + 24h;
    CHECK(client.expireat("a", tomorrow));
    CHECK(client.pexpireat("a", tomorrow));
    CHECK(client.ttl("a") > 23 * 3600);
    CHECK_FALSE(client.expire("none", 1s));
    client.rename("a", "{t}a");
    CHECK_FALSE(client.renamenx("{t}a", "b"));
    CHECK(client.renamenx("{t}a", "a"));
    CHECK(client.copy("a", "copied"));
    CHECK(client.randomkey().has_value());
    CHECK(as_set(client.keys("?")) == std::set<std::string>{"a", "b", "c"});
    std::set<std::string> found;
    client.keys("?", std::inserter(found, found.end()));
    CHECK(found.size() == 3);
    CHECK(client.dbsize() == 4);
    CHECK(client.del("copied") == 1);
    CHECK(client.del({"a", "x"}) == 1);
    CHECK(client.del(three.begin(), three.end()) == 2);
    client.mset({{"a", "1"}, {"b", "2"}, {"c", "3"}});
    CHECK(client.unlink("a") == 1);
    CHECK(client.unlink({"b", "x"}) == 1);
    CHECK(client.unlink(three.begin(), three.end()) == 1);
    CHECK_FALSE(client.randomkey().has_value());
    CHECK(client.ping() == "PONG");
    CHECK(client.ping("hello") == "hello");
    CHECK(client.echo("hello") == "hello");
    CHECK(client.info("server").find("redis_version") != std::string::npos);
    CHECK(client.publish("nobody", "hears") == 0);
    CHECK(client.spublish("nobody", "hears") == 0);
    client.set("x", "y");
    client.flushdb(true);
    CHECK(client.dbsize() == 0);
}

TEST_CASE("strings") {
    keyless::Client client = connect();
    CHECK(client.set("key", "value"));
    CHECK(client.get("key") == "value");
    CHECK_FALSE(client.get("none").has_value());
    CHECK(client.set("key", "timed", 100s));
    CHECK(client.ttl("key") > 90);
    CHECK(client.set("key", "kept", true));
    CHECK(client.ttl("key") > 90);
    CHECK(client.set("key", "for ever", false));
    CHECK(client.ttl("key") == -1);
    CHECK_FALSE(client.set("key", "x", 0ms, UpdateType::NOT_EXIST));
    CHECK(client.set("key", "x", 5s, UpdateType::EXIST));
    CHECK_FALSE(client.set("none", "x", 0ms, UpdateType::EXIST));
    CHECK(client.getset("key", "y") == "x");
    CHECK(client.getex("key", 100s) == "y");
    CHECK(client.getdel("key") == "y");
    CHECK_FALSE(client.getdel("key").has_value());
    client.setex("key", 100s, "a");
    client.psetex("key", 100000ms, "b");
    CHECK(client.pttl("key") > 90000);
    CHECK_FALSE(client.setnx("key", "c"));
    CHECK(client.setnx("key2", "c"));

    const std::string bytes("a\0b\r\n\xff", 6);
    client.set(bytes, bytes);
    CHECK(client.get(bytes) == bytes);
    CHECK(client.strlen(bytes) == 6);
    client.set("empty", "");
    CHECK(client.get("empty") == "");
    CHECK(client.set("empty", std::string_view()));

    const Strings names{"key", "none", "key2"};
    const std::vector<keyless::OptionalString> wanted{"b", std::nullopt, "c"};
    CHECK(client.mget({"key", "none", "key2"}) == wanted);
    CHECK(client.mget(names.begin(), names.end()) == wanted);
    std::vector<keyless::OptionalString> got;
    client.mget(names.begin(), names.end(), std::back_inserter(got));
    CHECK(got == wanted);
    got.clear();
    client.mget({"none"}, std::back_inserter(got));
    CHECK(got == std::vector<keyless::OptionalString>{std::nullopt});
    const std::map<std::string, std::string> pairs{{"m1", "1"}, {"m2", "2"}};
    client.mset(pairs.begin(), pairs.end());
    CHECK(client.get("m2") == "2");
    CHECK_FALSE(client.msetnx(pairs.begin(), pairs.end()));
    CHECK(client.msetnx({{"m3", "3"}, {"m4", "4"}}));

    CHECK(client.append("text", "Hello") == 5);
    CHECK(client.append("text", " World") == 11);
    CHECK(client.getrange("text", 6, -1) == "World");
    CHECK(client.setrange("text", 6, "Redis") == 11);
    CHECK(client.get("text") == "Hello Redis");
    CHECK(client.incr("n") == 1);
    CHECK(client.incrby("n", 41) == 42);
    CHECK(client.decr("n") == 41);
    CHECK(client.decrby("n", 50) == -9);
    CHECK(client.incrbyfloat("f", 1.5) == doctest::Approx(1.5));
    CHECK(client.incrbyfloat("f", 0.1) == doctest::Approx(1.6));
    CHECK(client.setbit("bits", 7, 1) == 0);
    CHECK(client.getbit("bits", 7) == 1);
    CHECK(client.bitcount("bits") == 1);
    CHECK(client.pfadd("hll", "a"));
    CHECK_FALSE(client.pfadd("hll", "a"));
    CHECK(client.pfcount("hll") == 1);
}

TEST_CASE("hashes") {
    keyless::Client client = connect();
    using Map = std::unordered_map<std::string, std::string>;
    const Map more{{"c", "3"}, {"d", "4"}};
    CHECK(client.hset("h", "a", "1") == 1);
    CHECK(client.hset("h", {{"a", "1"}, {"b", "2"}}) == 1);
    CHECK(client.hset("h", more.begin(), more.end()) == 2);
    CHECK_FALSE(client.hsetnx("h", "a", "x"));
    CHECK(client.hget("h", "a") == "1");
    CHECK_FALSE(client.hget("h", "x").has_value());
    CHECK(client.hexists("h", "a"));
    CHECK_FALSE(client.hexists("h", "x"));
    CHECK(client.hlen("h") == 4);
    CHECK(client.hstrlen("h", "a") == 1);
    const Map all{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
    CHECK(client.hgetall("h") == all);
    CHECK(client.hgetall<std::map<std::string, int>>("h") == std::map<std::string, int>{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}});
    Map map;
    client.hgetall("h", std::inserter(map, map.end()));
    CHECK(map == all);
    std::vector<std::pair<std::string, std::string>> pairs;
    client.hgetall("h", std::back_inserter(pairs));
    CHECK(pairs.size() == 4);
    CHECK(client.hgetall("none").empty());
    const std::vector<keyless::OptionalString> wanted{"1", std::nullopt};
    const Strings fields{"a", "x"};
    CHECK(client.hmget("h", {"a", "x"}) == wanted);
    CHECK(client.hmget("h", fields.begin(), fields.end()) == wanted);
    std::vector<keyless::OptionalString> got;
    client.hmget("h", fields.begin(), fields.end(), std::back_inserter(got));
    CHECK(got == wanted);
    CHECK(as_set(client.hkeys("h")) == std::set<std::string>{"a", "b", "c", "d"});
    CHECK(as_set(client.hvals("h")) == std::set<std::string>{"1", "2", "3", "4"});
    Strings keys;
    Strings values;
    client.hkeys("h", std::back_inserter(keys));
    client.hvals("h", std::back_inserter(values));
    CHECK(keys.size() == 4);
    CHECK(values.size() == 4);
    CHECK(client.hincrby("h", "a", 9) == 10);
    CHECK(client.hincrbyfloat("h", "a", 0.5) == doctest::Approx(10.5));
    CHECK(client.hdel("h", "a") == 1);
    CHECK(client.hdel("h", {"b", "x"}) == 1);
    const Strings last{"c", "d"};
    CHECK(client.hdel("h", last.begin(), last.end()) == 2);
    CHECK(client.exists("h") == 0);
}

TEST_CASE("lists") {
    keyless::Client client = connect();
    const Strings two{"c", "d"};
    CHECK(client.rpush("l", "a") == 1);
    CHECK(client.rpush("l", {"b"}) == 2);
    CHECK(client.rpush("l", two.begin(), two.end()) == 4);
    CHECK(client.lpush("l", "z") == 5);
    CHECK(client.lpush("l", {"y", "x"}) == 7);
    CHECK(client.lpush("l2", two.begin(), two.end()) == 2);
    CHECK(client.lpushx("none", "a") == 0);
    CHECK(client.rpushx("none", "a") == 0);
    CHECK(client.lrange("l", 0, -1) == Strings{"x", "y", "z", "a", "b", "c", "d"});
    Strings got;
    client.lrange("l", 1, 2, std::back_inserter(got));
    CHECK(got == Strings{"y", "z"});
    CHECK(client.llen("l") == 7);
    CHECK(client.lindex("l", -1) == "d");
    CHECK_FALSE(client.lindex("l", 99).has_value());
    CHECK(client.linsert("l", keyless::InsertPosition::BEFORE, "a", "before") == 8);
    CHECK(client.linsert("l", keyless::InsertPosition::AFTER, "none", "x") == -1);
    client.lset("l", 0, "first");
    CHECK(client.lpop("l") == "first");
    CHECK(client.rpop("l") == "d");
    CHECK(client.lpop("l", 2) == Strings{"y", "z"});
    CHECK(client.rpop("l", 2) == Strings{"c", "b"});
    CHECK_FALSE(client.lpop("none", 2).has_value());
    CHECK(client.lrem("l", 0, "before") == 1);
    client.rpush("l", {"b", "c"});
    client.ltrim("l", 1, -1);
    CHECK(client.lrange("l", 0, -1) == Strings{"b", "c"});
    CHECK(client.rpoplpush("l", "m") == "c");
    CHECK(client.lmove("l", "m", keyless::ListEnd::LEFT, keyless::ListEnd::RIGHT) == "b");
    CHECK(client.blmove("m", "l", keyless::ListEnd::LEFT, keyless::ListEnd::LEFT, 1s) == "c");
    CHECK(client.blpop("l", 1s) == std::pair<std::string, std::string>("l", "c"));
    const Strings keys{"none", "m"};
    CHECK(client.brpop(keys.begin(), keys.end(), 1s) == std::pair<std::string, std::string>("m", "b"));
    CHECK_FALSE(client.blpop(keys.begin(), keys.end(), 50ms).has_value());
    CHECK_FALSE(client.brpop("none", 50ms).has_value());
}

TEST_CASE("sets") {
    keyless::Client client = connect();
    const Strings two{"b", "c"};
    CHECK(client.sadd("s", "a") == 1);
    CHECK(client.sadd("s", {"a", "b"}) == 1);
    CHECK(client.sadd("s", two.begin(), two.end()) == 1);
    client.sadd("t", {"c", "d"});
    CHECK(client.scard("s") == 3);
    CHECK(client.sismember("s", "a"));
    CHECK_FALSE(client.sismember("s", "x"));
    CHECK(as_set(client.smembers("s")) == std::set<std::string>{"a", "b", "c"});
    CHECK(client.smembers<std::set<std::string>>("s").size() == 3);
    std::set<std::string> got;
    client.smembers("s", std::inserter(got, got.end()));
    CHECK(got.size() == 3);
    const Strings keys{"s", "t"};
    CHECK(as_set(client.sdiff({"s", "t"})) == std::set<std::string>{"a", "b"});
    CHECK(client.sinter({"s", "t"}) == Strings{"c"});
    CHECK(client.sunion({"s", "t"}).size() == 4);
    CHECK(client.sdiff(keys.begin(), keys.end()).size() == 2);
    CHECK(client.sinter(keys.begin(), keys.end()).size() == 1);
    CHECK(client.sunion<std::set<std::string>>(keys.begin(), keys.end()).size() == 4);
    Strings all;
    client.sdiff(keys.begin(), keys.end(), std::back_inserter(all));
    client.sinter(keys.begin(), keys.end(), std::back_inserter(all));
    client.sunion(keys.begin(), keys.end(), std::back_inserter(all));
    CHECK(all.size() == 7);
    CHECK(client.smove("s", "t", "a"));
    CHECK(client.srandmember("s").has_value());
    CHECK(client.srem("t", "a") == 1);
    CHECK(client.srem("t", {"c", "x"}) == 1);
    CHECK(client.srem("s", two.begin(), two.end()) == 2);
    CHECK(client.spop("t") == "d");
    CHECK_FALSE(client.spop("t").has_value());
}

TEST_CASE("sorted sets") {
    keyless::Client client = connect();
    using Scored = std::vector<std::pair<std::string, double>>;
    const std::map<std::string, double> more{{"c", 3}, {"d", 4.5}};
    CHECK(client.zadd("z", "a", 1) == 1);
    CHECK(client.zadd("z", {{"b", 2.0}}) == 1);
    CHECK(client.zadd("z", more.begin(), more.end()) == 2);
    CHECK(client.zadd("z", "a", 1.5, UpdateType::NOT_EXIST) == 0);
    CHECK(client.zadd("z", "a", 1.25, UpdateType::EXIST, true) == 1);
    CHECK(client.zscore("z", "a") == 1.25);
    CHECK_FALSE(client.zscore("z", "x").has_value());
    CHECK(client.zincrby("z", -0.25, "a") == 1);
    CHECK(client.zcard("z") == 4);
    CHECK(client.zcount("z", keyless::UnboundedInterval<double>()) == 4);
    CHECK(client.zcount("z", keyless::BoundedInterval<double>(1, 3, keyless::BoundType::CLOSED)) == 3);
    CHECK(client.zcount("z", keyless::BoundedInterval<double>(1, 3, keyless::BoundType::OPEN)) == 1);
    CHECK(client.zcount("z", keyless::BoundedInterval<double>(1, 3, keyless::BoundType::LEFT_OPEN)) == 2);
    CHECK(client.zcount("z", keyless::LeftBoundedInterval<double>(3, keyless::BoundType::RIGHT_OPEN)) == 2);
    CHECK(client.zcount("z", keyless::RightBoundedInterval<double>(3, keyless::BoundType::OPEN)) == 2);
    CHECK(client.zrank("z", "b") == 1);
    CHECK(client.zrevrank("z", "b") == 2);
    CHECK_FALSE(client.zrank("z", "x").has_value());
    CHECK(client.zrange("z", 0, 1) == Strings{"a", "b"});
    CHECK(client.zrange<Scored>("z", 0, 1) == Scored{{"a", 1}, {"b", 2}});
    CHECK(client.zrevrange("z", 0, 0) == Strings{"d"});
    CHECK(client.zrevrange<Scored>("z", 0, 0) == Scored{{"d", 4.5}});
    Scored scored;
    client.zrange("z", 0, 0, std::back_inserter(scored));
    client.zrevrange("z", 0, 0, std::back_inserter(scored));
    CHECK(scored == Scored{{"a", 1}, {"d", 4.5}});
    Strings names;
    client.zrange("z", 0, 0, std::back_inserter(names));
    CHECK(names == Strings{"a"});
    const keyless::LeftBoundedInterval<double> from_two(2, keyless::BoundType::RIGHT_OPEN);
    const keyless::LimitOptions second{1, 1};
    CHECK(client.zrangebyscore("z", from_two) == Strings{"b", "c", "d"});
    CHECK(client.zrangebyscore<Scored>("z", from_two, second) == Scored{{"c", 3}});
    CHECK(client.zrevrangebyscore("z", from_two) == Strings{"d", "c", "b"});
    scored.clear();
    client.zrangebyscore("z", from_two, std::back_inserter(scored));
    client.zrangebyscore("z", from_two, second, std::back_inserter(scored));
    client.zrevrangebyscore("z", from_two, second, std::back_inserter(scored));
    CHECK(scored.size() == 5);
    client.zadd("lex", {{"a", 0.0}, {"b", 0.0}, {"c", 0.0}});
    CHECK(client.zrangebylex("lex", keyless::BoundedInterval<std::string>("a", "c", keyless::BoundType::LEFT_OPEN)) ==
          Strings{"b", "c"});
    CHECK(client.zrem("lex", "a") == 1);
    CHECK(client.zrem("lex", {"b", "x"}) == 1);
    CHECK(client.zrem("lex", names.begin(), names.end()) == 0);
    CHECK(client.zpopmin("z") == Scored{{"a", 1}});
    CHECK(client.zpopmax("z") == Scored{{"d", 4.5}});
    CHECK(client.zremrangebyscore("z", keyless::BoundedInterval<double>(2, 2, keyless::BoundType::CLOSED)) == 1);
    CHECK(client.zremrangebyrank("z", 0, -1) == 1);
    const double infinity = std::numeric_limits<double>::infinity();
    client.zadd("inf", "up", infinity);
    CHECK(client.zscore("inf", "up") == infinity);
}

TEST_CASE("streams") {
    keyless::Client client = connect();
    const std::map<std::string, std::string> fields{{"a", "1"}, {"b", "2"}};
    CHECK(client.xadd("x", "1-1", {{"f", "v"}}) == "1-1");
    CHECK(client.xadd("x", "1-2", fields.begin(), fields.end()) == "1-2");
    CHECK(client.xadd("x", "1-3", fields.begin(), fields.end(), 10, false) == "1-3");
    CHECK(client.xlen("x") == 3);
    const keyless::ItemStream all = client.xrange("x", "-", "+");
    REQUIRE(all.size() == 3);
    CHECK(all[0].first == "1-1");
    CHECK(all[1].second == keyless::Attrs{{"a", "1"}, {"b", "2"}});
    CHECK(client.xrange("x", "-", "+", 1).size() == 1);
    CHECK(client.xrevrange("x", "+", "-")[0].first == "1-3");
    CHECK(client.xrevrange("x", "+", "-", 2).size() == 2);
    const keyless::OptionalStreams read = client.xread("x", "1-1", 10);
    REQUIRE(read.has_value());
    CHECK(read->at("x").size() == 2);
    CHECK_FALSE(client.xread("x", "1-3", 10).has_value());
    CHECK_FALSE(client.xread("x", "$", 50ms, 10).has_value());
    client.xgroup_create("x", "g", "0");
    client.xgroup_create("y", "g", "$", true);
    const keyless::OptionalStreams mine = client.xreadgroup("g", "me", "x", ">", 2);
    REQUIRE(mine.has_value());
    CHECK(mine->at("x").size() == 2);
    CHECK(client.xack("x", "g", "1-1") == 1);
    const Strings ids{"1-2"};
    CHECK(client.xack("x", "g", ids.begin(), ids.end()) == 1);
    CHECK(client.xreadgroup("g", "me", "x", ">", 1s, 2)->at("x")[0].first == "1-3");
    CHECK(client.xdel("x", "1-3") == 1);
    // What was deleted meanwhile has no fields.
    CHECK_FALSE(client.xreadgroup("g", "me", "x", "0", 2)->at("x")[0].second.has_value());
    CHECK(client.xtrim("x", 1, false) == 1);
    CHECK(client.xgroup_destroy("x", "g") == 1);
}

TEST_CASE("scripts") {
    keyless::Client client = connect();
    CHECK(client.eval<long long>("return 42", {}, {}) == 42);
    CHECK(client.eval<Strings>("return {KEYS[1], ARGV[1]}", {"k"}, {"v"}) == Strings{"k", "v"});
    const Strings keys{"k"};
    const Strings args{"v"};
    CHECK(client.eval<std::string>("return KEYS[1]", keys.begin(), keys.end(), args.begin(), args.end()) == "k");
    Strings out;
    client.eval("return {'x', 'y'}", {}, {}, std::back_inserter(out));
    CHECK(out == Strings{"x", "y"});
    const std::string sha = client.script_load("return ARGV[1]");
    CHECK(client.evalsha<std::string>(sha, {}, {"hello"}) == "hello");
    CHECK(client.evalsha<std::string>(sha, keys.begin(), keys.end(), args.begin(), args.end()) == "v");
    CHECK(client.script_exists({sha, "0000000000000000000000000000000000000000"}) == std::vector<bool>{true, false});
    client.command("FUNCTION", "LOAD", "REPLACE",
                   "#!lua name=cpp\nredis.register_function('cpp_add', function(keys, args) return args[1] + 1 end)");
    CHECK(client.fcall<int>("cpp_add", {}, {"41"}) == 42);
}

TEST_CASE("iterations") {
    keyless::Client client = connect();
    keyless::Pipeline fill = client.pipeline();
    for (int index = 0; index < 1000; ++index) {
        const std::string name = std::to_string(index);
        fill.set("key:" + name, name).hset("hash", name, name).sadd("set", name).zadd("zset", name, index + 0.5);
    }
    CHECK(fill.exec().size() == 4000);
    std::set<std::string> keys;
    for (const std::string &key : client.scan_range("key:*")) {
        keys.insert(key);
    }
    CHECK(keys.size() == 1000);
    std::map<std::string, std::string> hash;
    for (const auto &[field, value] : client.hscan_range("hash")) {
        CHECK(field == value);
        hash.emplace(field, value);
    }
    CHECK(hash.size() == 1000);
    std::set<std::string> members;
    for (const std::string &member : client.sscan_range("set", "1*", 10)) {
        members.insert(member);
    }
    CHECK(members.size() == 111);
    double sum = 0;
    std::set<std::string> seen;
    for (const auto &[member, score] : client.zscan_range("zset")) {
        sum += seen.insert(member).second ? score : 0;
    }
    CHECK(sum == doctest::Approx(500000));
    for (const std::string &none : client.scan_range("nothing:*")) {
        FAIL("there is no ", none);
    }
    CHECK_THROWS_AS(client.hscan_range("set").begin(), keyless::ReplyError);
    CHECK(client.nodes().size() == 1);
    CHECK_FALSE(client.nodes()[0].slots.has_value());
    CHECK(client.on(client.nodes()[0].endpoint).dbsize() == 1003);
    keyless::Client moved = std::move(client);
    CHECK_THROWS_AS(client.scan_range().begin(), keyless::InputError);
    CHECK_THROWS_AS(client.nodes(), keyless::InputError);
    client = std::move(moved);

    keys.clear();
    keyless::Cursor cursor = 0;
    do {
        cursor = client.scan(cursor, "key:*", 500, std::inserter(keys, keys.end()));
    } while (cursor != 0);
    CHECK(keys.size() == 1000);
    CHECK(client.scan(0, "key:*").second.size() <= 1000);
    const auto [next, page] = client.hscan<std::map<std::string, int>>("hash", 0, "*", 2000);
    CHECK(next == 0);
    CHECK(page.size() == 1000);
    CHECK(client.sscan("set", 0, "*", 2000).second.size() == 1000);
    CHECK(client.zscan("zset", 0, "*", 2000).second.size() == 1000);
    Strings some;
    std::vector<std::pair<std::string, std::string>> fields;
    std::vector<std::pair<std::string, double>> scores;
    CHECK(client.sscan("set", 0, "*", 2000, std::back_inserter(some)) == 0);
    CHECK(client.hscan("hash", 0, "*", 2000, std::back_inserter(fields)) == 0);
    CHECK(client.zscan("zset", 0, "*", 2000, std::back_inserter(scores)) == 0);
    CHECK(some.size() + fields.size() + scores.size() == 3000);
}

TEST_CASE("any command") {
    keyless::Client client = connect();
    client.command<void>("SET", "k", 42);
    CHECK(client.command<int>("GET", "k") == 42);
    CHECK(client.command<std::string>("GET", std::string("k")) == "42");
    client.command("HSET", "h", std::map<std::string, double>{{"a", 0.1}, {"b", -2.5}});
    CHECK(client.command<std::map<std::string, double>>("HGETALL", "h") ==
          std::map<std::string, double>{{"a", 0.1}, {"b", -2.5}});
    CHECK(client.command<long long>("DEL", std::vector<std::string>{"k", "h", "none"}) == 2);
    CHECK(client.command<long long>("RPUSH", "l", 1, 2U, 3L, 4.5, 'c', "text", std::make_pair("x", 9)) == 8);
    CHECK(client.command<Strings>("LRANGE", "l", 0, -1) == Strings{"1", "2", "3", "4.5", "c", "text", "x", "9"});
    const keyless::Reply nothing = client.command("GET", "none");
    CHECK(nothing.is_nil());
    CHECK(client.within(2s).command<std::string>("ECHO", "hi") == "hi");
    CHECK(client.command<keyless::OptionalString>("CLIENT", "GETNAME").value_or("").empty());
    CHECK(client.command<long long>("CLIENT", "ID") > 0);
}
