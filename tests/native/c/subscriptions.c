/* Subscriptions in three ways: asked for the next message, by descriptor, by callback; channels, patterns and shard
 * channels; slow readers; gaps; ends. */
#include "common.h"

#include <poll.h>

static keyless_client *client;

static int connected(void **state)
{
    (void)state;
    client = client_here();
    return 0;
}

static int closed(void **state)
{
    (void)state;
    keyless_client_free(client);
    return 0;
}

static keyless_subscription *subscribed(keyless_channel_type type, const char *name)
{
    keyless_subscription *subscription;
    OK(keyless_subscription_new(client, 0, KEYLESS_DROP_OLDEST, &subscription, &problem));
    OK(keyless_subscription_subscribe(subscription, type, 1, &name, NULL, &problem));
    return subscription;
}

static void publish(const char *command, const char *channel, const char *payload)
{
    keyless_reply_free(ask(client, COMMAND(command, channel, payload)));
}

static void says(const keyless_message *message, keyless_channel_type type, const char *channel, const char *pattern,
                 const char *payload)
{
    size_t length;
    assert_non_null(message);
    assert_int_equal(keyless_message_get_type(message), KEYLESS_MESSAGE);
    assert_int_equal(keyless_message_channel_type(message), type);
    const char *view = keyless_message_channel(message, &length);
    assert_true(is_text(view, length, channel));
    view = keyless_message_pattern(message, &length);
    assert_true(pattern == NULL ? view == NULL && length == 0 : is_text(view, length, pattern));
    view = keyless_message_payload(message, &length);
    assert_true(is_text(view, length, payload));
    assert_int_equal(keyless_message_gap_ms(message) + keyless_message_dropped(message), 0);
}

static keyless_message *next_of(const keyless_subscription *subscription, uint64_t timeout_ms)
{
    keyless_message *message;
    OK(keyless_subscription_next(subscription, timeout_ms, &message, &problem));
    return message;
}

static void the_next_message_of_each_type_of_channel(void **state)
{
    (void)state;
    const struct {
        keyless_channel_type type;
        const char *name, *command, *channel, *pattern;
    } each[] = {
        {KEYLESS_CHANNEL, "news", "PUBLISH", "news", NULL},
        {KEYLESS_PATTERN, "ne?s.*", "PUBLISH", "news.x", "ne?s.*"},
        {KEYLESS_SHARD_CHANNEL, "shard", "SPUBLISH", "shard", NULL},
    };
    for (int which = 0; which < 3; which++) {
        keyless_subscription *subscription = subscribed(each[which].type, each[which].name);
        assert_null(next_of(subscription, 0));
        assert_null(next_of(subscription, 20));
        publish(each[which].command, each[which].channel, "one");
        publish(each[which].command, each[which].channel, "");
        keyless_message *message = next_of(subscription, SOON_MS);
        says(message, each[which].type, each[which].channel, each[which].pattern, "one");
        keyless_message_free(message);
        message = next_of(subscription, SOON_MS);
        says(message, each[which].type, each[which].channel, each[which].pattern, "");
        keyless_message_free(message);
        OK(keyless_subscription_unsubscribe(subscription, each[which].type, 1, &each[which].name, NULL, &problem));
        OK(keyless_subscription_unsubscribe(subscription, each[which].type, 1, &each[which].name, NULL, &problem));
        assert_int_equal(keyless_subscription_dropped(subscription), 0);
        keyless_subscription_free(subscription);
    }
    keyless_message_free(NULL);
    keyless_subscription_free(NULL);
}

static void names_may_be_any_bytes(void **state)
{
    (void)state;
    keyless_subscription *subscription;
    const char *names[] = {"a\0b", "plain"};
    const size_t lengths[] = {3, 5};
    const char *publishing[] = {"PUBLISH", "a\0b", "x\0y"};
    const size_t sizes[] = {7, 3, 3};
    size_t length;
    OK(keyless_subscription_new(client, 0, KEYLESS_DROP_OLDEST, &subscription, &problem));
    OK(keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 2, names, lengths, &problem));
    OK(keyless_client_execute(client, 3, publishing, sizes, 0, NULL, &problem));
    keyless_message *message = next_of(subscription, SOON_MS);
    assert_memory_equal(keyless_message_channel(message, &length), "a\0b", 3);
    assert_int_equal(length, 3);
    assert_memory_equal(keyless_message_payload(message, &length), "x\0y", 3);
    assert_int_equal(length, 3);
    keyless_message_free(message);
    const char *null_inside[] = {NULL};
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_subscribe(subscription, 3, 2, names, lengths, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_subscribe(subscription, -1, 2, names, lengths, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_subscribe(subscription, 0, 0, names, NULL, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_subscribe(subscription, 0, 1, null_inside, NULL, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_unsubscribe(subscription, 0, 0, names, NULL, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_unsubscribe(subscription, 9, 1, names, NULL, &problem));
    keyless_subscription_free(subscription);
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_new(client, 0, 2, &subscription, &problem));
    assert_null(subscription);
}

static bool readable(int descriptor, int timeout_ms)
{
    struct pollfd one = {.fd = descriptor, .events = POLLIN};
    return poll(&one, 1, timeout_ms) == 1;
}

static void by_descriptor(void **state)
{
    (void)state;
    keyless_subscription *subscription = subscribed(KEYLESS_CHANNEL, "polled");
    int descriptor = keyless_subscription_fd(subscription), seen = 0;
    assert_true(descriptor >= 0);
    assert_int_equal(keyless_subscription_fd(subscription), descriptor);
    for (int round = 0; round < 20; round++) {
        for (int index = 0; index < 10; index++) {
            publish("PUBLISH", "polled", "x");
        }
        while (seen < (round + 1) * 10) {
            assert_true(readable(descriptor, SOON_MS));
            for (keyless_message *message; (message = next_of(subscription, 0)) != NULL; seen++) {
                keyless_message_free(message);
            }
        }
        assert_false(readable(descriptor, 0));
    }
    keyless_subscription_free(subscription);
}

struct heard {
    int messages;
    int ends;
    int status;
    int freed;
    int wrong;
    keyless_subscription *own;
    keyless_client *client;
};

static void hear(const keyless_message *message, const keyless_error *error, void *data)
{
    struct heard *heard = data;
    keyless_reply *reply = NULL;
    if (error != NULL) {
        heard->status = (int)keyless_error_code(error);
        ADD(heard->ends, 1);
        return;
    }
    /* Calls are allowed here. */
    if (keyless_message_get_type(message) != KEYLESS_MESSAGE ||
        keyless_client_execute(client, COMMAND("PING"), 0, &reply, NULL) != KEYLESS_OK) {
        heard->wrong++;
    }
    keyless_reply_free(reply);
    ADD(heard->messages, 1);
}

static void freed(void *data)
{
    ADD(((struct heard *)data)->freed, 1);
}

static void by_callback(void **state)
{
    (void)state;
    struct heard heard = {0}, refused = {0};
    keyless_subscription *subscription = subscribed(KEYLESS_CHANNEL, "called");
    publish("PUBLISH", "called", "before");
    OK(keyless_subscription_on_message(subscription, hear, &heard, freed, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_subscription_on_message(subscription, hear, &refused, freed, &problem));
    assert_int_equal(refused.freed, 0);
    for (int index = 0; index < 600; index++) {
        OK(keyless_client_submit(client, COMMAND("PUBLISH", "called", "x"), 0, NULL, NULL, &problem));
    }
    SOON(LOOK(heard.messages) == 601);
    keyless_subscription_free(subscription);
    SOON(LOOK(heard.freed) == 1);
    assert_int_equal(heard.wrong + heard.ends, 0);
}

static void free_itself(const keyless_message *message, const keyless_error *error, void *data)
{
    struct heard *heard = data;
    size_t length = 0;
    (void)error;
    keyless_subscription_free(heard->own);
    keyless_client_free(heard->client);
    /* Borrowed until this returns, whatever was freed. */
    if (message == NULL || keyless_message_payload(message, &length) == NULL) {
        heard->wrong++;
    }
    ADD(heard->messages, 1);
}

static void a_callback_frees_its_subscription_and_its_client(void **state)
{
    (void)state;
    for (int with_client = 0; with_client < 2; with_client++) {
        struct heard heard = {0};
        keyless_client *usual = client;
        if (with_client) {
            client = heard.client = client_here();
        }
        heard.own = subscribed(KEYLESS_CHANNEL, "suicide");
        client = usual;
        OK(keyless_subscription_on_message(heard.own, free_itself, &heard, freed, &problem));
        publish("PUBLISH", "suicide", "x");
        publish("PUBLISH", "suicide", "x");
        SOON(LOOK(heard.freed) == 1);
        assert_int_equal(heard.messages, 1);
        assert_int_equal(heard.wrong, 0);
    }
}

static void slow_readers_lose_messages_or_are_cut_off(void **state)
{
    (void)state;
    keyless_subscription *dropping, *ending;
    const char *name = "fast";
    keyless_message *message;
    keyless_stats *stats;
    OK(keyless_subscription_new(client, 3, KEYLESS_DROP_OLDEST, &dropping, &problem));
    OK(keyless_subscription_new(client, 3, KEYLESS_DISCONNECT, &ending, &problem));
    OK(keyless_subscription_subscribe(dropping, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
    OK(keyless_subscription_subscribe(ending, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
    for (int index = 0; index < 10; index++) {
        publish("PUBLISH", "fast", "x");
    }
    SOON(keyless_subscription_dropped(dropping) == 7);
    message = next_of(dropping, SOON_MS);
    assert_int_equal(keyless_message_get_type(message), KEYLESS_MESSAGE_DROPPED);
    assert_int_equal(keyless_message_dropped(message), 7);
    assert_null(keyless_message_payload(message, NULL));
    keyless_message_free(message);
    for (int index = 0; index < 3; index++) {
        message = next_of(ending, SOON_MS);
        assert_int_equal(keyless_message_get_type(message), KEYLESS_MESSAGE);
        keyless_message_free(message);
    }
    FAILS(KEYLESS_BACKLOG_FULL, keyless_subscription_next(ending, SOON_MS, &message, &problem));
    assert_null(message);
    OK(keyless_client_stats(client, &stats, &problem));
    assert_true(keyless_stats_messages_dropped(stats) >= 7);
    keyless_stats_free(stats);
    keyless_subscription_free(dropping);
    keyless_subscription_free(ending);
}

static void a_cut_is_a_gap(void **state)
{
    (void)state;
    keyless_subscription *subscription = subscribed(KEYLESS_CHANNEL, "cut");
    fault("{\"connections\":\"reset\"}");
    keyless_message *message = next_of(subscription, SOON_MS);
    assert_non_null(message);
    assert_int_equal(keyless_message_get_type(message), KEYLESS_MESSAGE_GAP);
    assert_true(keyless_message_gap_ms(message) < SOON_MS);
    assert_null(keyless_message_channel(message, NULL));
    keyless_message_free(message);
    SOON(keyless_client_is_ready(client));
    publish("PUBLISH", "cut", "after");
    message = next_of(subscription, SOON_MS);
    says(message, KEYLESS_CHANNEL, "cut", NULL, "after");
    keyless_message_free(message);
    keyless_subscription_free(subscription);
}

static void it_ends_with_its_client(void **state)
{
    (void)state;
    struct heard heard = {0};
    keyless_client *usual = client;
    keyless_message *message;
    const char *name = "more";
    client = client_here();
    keyless_client *own = client;
    keyless_subscription *asked = subscribed(KEYLESS_CHANNEL, "end"), *called = subscribed(KEYLESS_CHANNEL, "end");
    client = usual;
    OK(keyless_subscription_on_message(called, hear, &heard, freed, &problem));
    keyless_client_free(own);
    FAILS(KEYLESS_CLOSED, keyless_subscription_next(asked, SOON_MS, &message, &problem));
    FAILS(KEYLESS_CLOSED, keyless_subscription_next(asked, 0, &message, &problem));
    FAILS(KEYLESS_CLOSED, keyless_subscription_subscribe(asked, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
    SOON(LOOK(heard.ends) == 1);
    assert_int_equal(heard.status, KEYLESS_CLOSED);
    keyless_subscription_free(asked);
    keyless_subscription_free(called);
    SOON(LOOK(heard.freed) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_message_of_each_type_of_channel),
        cmocka_unit_test(names_may_be_any_bytes),
        cmocka_unit_test(by_descriptor),
        cmocka_unit_test(by_callback),
        cmocka_unit_test(a_callback_frees_its_subscription_and_its_client),
        cmocka_unit_test(slow_readers_lose_messages_or_are_cut_off),
        cmocka_unit_test(a_cut_is_a_gap),
        cmocka_unit_test(it_ends_with_its_client),
    };
    return cmocka_run_group_tests(tests, connected, closed);
}
