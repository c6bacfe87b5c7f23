// Replies of every type as values of C++.

#include "rig.hpp"

#include <list>
#include <map>
#include <set>

namespace {

/** A type of the program's own. */
struct Point {
    double x;
    double y;
};

} // namespace

template <>
struct keyless::Converter<Point> {
    static keyless::Result<Point> convert(keyless::ReplyView reply) {
        const auto both = reply.as<std::pair<double, double>>(std::nothrow);
        return both ? keyless::Result<Point>(Point{both->first, both->second}) : both.error();
    }
};

TEST_CASE("values of every type") {
    keyless::Client client = connect();
    const auto lua = [&](std::string_view script) { return client.eval<keyless::Reply>(script, {}, {}); };
    const keyless::Reply number = lua("return 7");
    CHECK(number.type() == KEYLESS_REPLY_INTEGER);
    CHECK(number.integer() == 7);
    CHECK(number.as<int>() == 7);
    CHECK(number.as<unsigned char>() == 7);
    CHECK(number.as<double>() == 7);
    CHECK(number.as<std::optional<long>>() == 7);
    CHECK_FALSE(number.string().has_value());
    CHECK_FALSE(number.floating().has_value());
    CHECK_FALSE(number.boolean().has_value());
    CHECK_FALSE(number.error().has_value());
    CHECK(number.size() == 0);
    CHECK(number.verbatim_format().empty());
    CHECK(lua("return 1").as<bool>());
    CHECK_FALSE(lua("return 0").as<bool>());
    CHECK_THROWS_AS(number.as<bool>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(number.as<std::string>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(number.as<std::vector<int>>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(lua("return 300").as<unsigned char>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(lua("return -1").as<unsigned long long>(), keyless::UnexpectedReplyError);

    const keyless::Reply floating = lua("redis.setresp(3); return {double=0.5}");
    CHECK(floating.type() == KEYLESS_REPLY_DOUBLE);
    CHECK(floating.floating() == 0.5);
    CHECK(floating.as<float>() == 0.5F);
    CHECK_THROWS_AS(floating.as<int>(), keyless::UnexpectedReplyError);

    const keyless::Reply truth = lua("redis.setresp(3); return true");
    CHECK(truth.type() == KEYLESS_REPLY_BOOLEAN);
    CHECK(truth.boolean() == true);
    CHECK(truth.as<bool>());

    const keyless::Reply big = lua("redis.setresp(3); return {big_number='123456789012345678901234567890'}");
    CHECK(big.type() == KEYLESS_REPLY_BIG_NUMBER);
    CHECK(big.as<std::string>() == "123456789012345678901234567890");
    CHECK_THROWS_AS(big.as<long long>(), keyless::UnexpectedReplyError);

    const keyless::Reply verbatim = lua("redis.setresp(3); return {verbatim_string={string='# hi', format='mkd'}}");
    CHECK(verbatim.type() == KEYLESS_REPLY_VERBATIM);
    CHECK(verbatim.verbatim_format() == "mkd");
    CHECK(verbatim.as<std::string_view>() == "# hi");
    CHECK(verbatim.as<std::string_view>(std::nothrow).value() == "# hi");
    CHECK(lua("return 'x'").as<std::string>(std::nothrow).value() == "x");

    const keyless::Reply map = lua("redis.setresp(3); return {map={one=1}}");
    CHECK(map.type() == KEYLESS_REPLY_MAP);
    CHECK(map.size() == 2);
    CHECK(map.as<std::map<std::string, int>>() == std::map<std::string, int>{{"one", 1}});
    CHECK(map[0].as<std::string>() == "one");
    CHECK(map[1].as<int>() == 1);
    CHECK(map[2].handle() == nullptr);
    CHECK(map.as<std::tuple<std::string, int>>() == std::tuple<std::string, int>("one", 1));

    const keyless::Reply set = lua("redis.setresp(3); return {set={a=true,b=true}}");
    CHECK(set.type() == KEYLESS_REPLY_SET);
    CHECK(set.as<std::set<std::string>>() == std::set<std::string>{"a", "b"});

    const keyless::Reply status = lua("return {ok='OK'}");
    CHECK(status.type() == KEYLESS_REPLY_STATUS);
    CHECK(status.as<bool>());
    CHECK_THROWS_AS(lua("return {ok='FINE'}").as<bool>(), keyless::UnexpectedReplyError);
    CHECK_NOTHROW(status.as<void>());

    const keyless::Reply nil = lua("return nil");
    CHECK(nil.is_nil());
    CHECK_FALSE(nil.as<bool>());
    CHECK_FALSE(nil.as<std::optional<std::string>>().has_value());
    CHECK_THROWS_AS(nil.as<std::string>(), keyless::UnexpectedReplyError);

    CHECK(lua("return '12'").as<int>() == 12);
    CHECK(lua("return '-1.5'").as<double>() == -1.5);
    CHECK_THROWS_AS(lua("return '12x'").as<int>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(lua("return ' 1'").as<double>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(lua("return ''").as<int>(), keyless::UnexpectedReplyError);
}

TEST_CASE("lists, pairs, tuples") {
    keyless::Client client = connect();
    const auto lua = [&](std::string_view script) { return client.eval<keyless::Reply>(script, {}, {}); };
    const keyless::Reply list = lua("return {1, 'two', {3, 4}}");
    CHECK(list.size() == 3);
    CHECK(list.as<std::tuple<int, std::string, std::pair<int, int>>>() ==
          std::tuple<int, std::string, std::pair<int, int>>(1, "two", {3, 4}));
    CHECK_THROWS_AS((list.as<std::pair<int, std::string>>()), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(list.as<std::vector<int>>(), keyless::UnexpectedReplyError);
    int parts = 0;
    for (const auto part : list) {
        parts += part.is_nil() ? 0 : 1;
    }
    CHECK(parts == 3);
    CHECK(list[3].is_nil());
    CHECK_THROWS_AS(list[3].as<std::optional<int>>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(list[3].as<bool>(), keyless::UnexpectedReplyError);

    using Pairs = std::vector<std::pair<std::string, int>>;
    CHECK(lua("return {'a', 1, 'b', 2}").as<Pairs>() == Pairs{{"a", 1}, {"b", 2}});
    CHECK(lua("return {{'a', 1}, {'b', 2}}").as<Pairs>() == Pairs{{"a", 1}, {"b", 2}});
    CHECK_THROWS_AS(lua("return {'a', 1, 'b'}").as<Pairs>(), keyless::UnexpectedReplyError);
    CHECK_THROWS_AS(lua("return {{'a', 1}, {'b'}}").as<Pairs>(), keyless::UnexpectedReplyError);
    CHECK(lua("return {}").as<Pairs>().empty());
    CHECK(lua("return {1, 2, 2}").as<std::list<long>>() == std::list<long>{1, 2, 2});
    CHECK(lua("return {1, 2, 2}").as<std::set<long>>() == std::set<long>{1, 2});
    std::string all;
    const keyless::Reply map = lua("redis.setresp(3); return {map={k='v'}}");
    for (const auto [key, value] : map.pairs()) {
        all += key.as<std::string>() + value.as<std::string>();
    }
    CHECK(all == "kv");

    // Views last as long as the reply.
    const keyless::Reply views = lua("return {'x', 'y'}");
    const auto texts = views.as<std::vector<std::string_view>>();
    CHECK(texts[1] == "y");
    const keyless::Reply part = views[0].clone();
    CHECK(part.string() == "x");

    const keyless::Reply failing = lua("return {1, {err='MINE it is'}}");
    CHECK(failing[1].is_error());
    CHECK(failing[1].error()->server_code() == "MINE");
    CHECK_THROWS_AS(failing.as<std::vector<int>>(), keyless::ReplyError);

    const Point point = lua("return {'1.5', 2}").as<Point>();
    CHECK(point.x == 1.5);
    CHECK(point.y == 2);
    CHECK_THROWS_AS(client.eval<Point>("return 'x'", {}, {}), keyless::UnexpectedReplyError);
}

TEST_CASE("a moved reply is a view of nothing") {
    keyless::Client client = connect();
    keyless::Reply reply = client.command("ECHO", "x");
    keyless::Reply other = std::move(reply);
    CHECK(reply.is_nil());
    CHECK(reply.size() == 0);
    CHECK(other.string() == "x");
    reply = std::move(other);
    CHECK(reply.string() == "x");
}
