// Pipelines and transactions.

#include "rig.hpp"

TEST_CASE("a pipeline, chained") {
    keyless::Client client = connect();
    const keyless::Replies replies = client.pipeline()
                                         .set("k", "v")
                                         .get("k")
                                         .incr("k")
                                         .hset("h", {{"a", "1"}, {"b", "2"}})
                                         .hgetall("h")
                                         .command("ECHO", 42)
                                         .get("none")
                                         .exec();
    REQUIRE(replies.size() == 7);
    CHECK(replies.get<bool>(0));
    CHECK(replies.get<std::string>(1) == "v");
    CHECK_THROWS_AS(replies.get<long long>(2), keyless::ReplyError);
    CHECK(replies[2].is_error());
    CHECK(replies.get<long long>(std::nothrow, 2).code() == KEYLESS_SERVER);
    CHECK(replies.get<long long>(3) == 2);
    CHECK(replies.get<std::unordered_map<std::string, std::string>>(4).at("b") == "2");
    std::vector<std::pair<std::string, std::string>> pairs;
    replies.get(4, std::back_inserter(pairs));
    CHECK(pairs.size() == 2);
    CHECK(replies.get<int>(5) == 42);
    CHECK_FALSE(replies.get<keyless::OptionalString>(6).has_value());
    CHECK_THROWS_AS(replies.get<keyless::OptionalString>(7), keyless::UnexpectedReplyError);
    int errors = 0;
    for (const keyless::ReplyView reply : replies) {
        errors += reply.is_error() ? 1 : 0;
    }
    CHECK(errors == 1);
}

TEST_CASE("a pipeline is filled and sent again, in every way") {
    keyless::Client client = connect();
    keyless::Pipeline pipe;
    CHECK_THROWS_AS(pipe.incr("n").exec(), keyless::InputError);
    CHECK(pipe.size() == 1);
    CHECK(client.exec(pipe).get<int>(0) == 1);
    CHECK(pipe.size() == 0);
    pipe.incr("n").incr("n");
    CHECK(client.with(std::nothrow).exec(pipe)->get<int>(1) == 3);
    pipe.incr("n");
    CHECK(client.async().exec(pipe).get().get<int>(0) == 4);
    pipe.incr("n");
    Slot<int> slot;
    client.async([&](keyless::Result<keyless::Replies> replies) { slot.set(replies->get<int>(0)); }).exec(pipe);
    CHECK(slot.wait() == 5);
    pipe.incr("n");
    CHECK(client.within(5s).exec(pipe).get<int>(0) == 6);
    pipe.ping();
    pipe.clear();
    CHECK(pipe.size() == 0);
    CHECK(client.exec(pipe).size() == 0);

    CHECK_THROWS_AS(pipe.command("MULTI"), keyless::InputError);
    CHECK(pipe.size() == 0);
    keyless::Pipeline quiet = client.pipeline(std::nothrow);
    quiet.ping().command("MULTI").ping();
    CHECK(quiet.exec(std::nothrow).code() == KEYLESS_INVALID_COMMAND);
    CHECK_THROWS_AS(client.exec(quiet), keyless::InputError);
    CHECK_THROWS_AS(client.async().exec(quiet).get(), keyless::InputError);
    quiet.clear();
    CHECK(quiet.ping().exec(std::nothrow)->size() == 1);
}

TEST_CASE("a transaction") {
    keyless::Client client = connect();
    keyless::Transaction transaction = client.transaction();
    const keyless::Replies replies = transaction.set("k", "1").incr("k").get("k").exec();
    CHECK(replies.get<int>(1) == 2);
    CHECK(replies.get<std::string>(2) == "2");
    transaction.lpush("k", "wrong type").incr("k");
    const keyless::Replies mixed = transaction.exec();
    CHECK_THROWS_AS(mixed.get<int>(0), keyless::ReplyError);
    CHECK(mixed.get<int>(1) == 3);
    // The server refuses what it cannot queue, and discards all.
    transaction.incr("k").command("NONSENSE");
    CHECK_THROWS_AS(transaction.exec(), keyless::TransactionError);
    CHECK(client.get("k") == "3");
    keyless::Transaction quiet(std::nothrow);
    quiet.incr("k");
    CHECK(client.with(std::nothrow).exec(quiet)->get<int>(0) == 4);
}
