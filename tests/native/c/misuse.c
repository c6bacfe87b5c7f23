/* Use that nobody means: after close, with strange lengths, far too large, a hundred thousand times. */
#include "common.h"

#include <sys/mman.h>

static const size_t MIB = 1 << 20;

static keyless_client *client;

/* Whether a tool watches, which is slow and has memory of its own. */
static bool watched(void)
{
    return strcmp(getenv("KEYLESS_TEST_UNDER"), "Nothing") != 0;
}

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

/* Address space of so many bytes that reads as zeros and takes no memory. */
static char *zeros(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static void arguments_that_are_too_large(void **state)
{
    (void)state;
    const size_t most = 512 * MIB;
    char *large = zeros(most + 1);
    const char *arguments[] = {"SET", "large", large};
    size_t lengths[] = {3, 5, most + 1};
    keyless_reply *reply;
    keyless_pipeline *pipeline = keyless_pipeline_new();
    long before = memory_kib();
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, 3, arguments, lengths, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_submit(client, 3, arguments, lengths, 0, NULL, NULL, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_pipeline_append(pipeline, 3, arguments, lengths, &problem));
    assert_int_equal(keyless_pipeline_count(pipeline), 0);
    /* As a channel, an option and a message of a failure too. */
    keyless_subscription *subscription;
    const char *name = large;
    OK(keyless_subscription_new(client, 0, KEYLESS_DROP_OLDEST, &subscription, &problem));
    FAILS(KEYLESS_INVALID_COMMAND,
          keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 1, &name, &lengths[2], &problem));
    keyless_subscription_free(subscription);
    assert_true(watched() || memory_kib() - before < 65536);
    tell(client, "PONG", COMMAND("PING"));
    if (soak() && !watched()) {
        /* The largest one goes through. */
        lengths[2] = most;
        OK(keyless_client_execute(client, 3, arguments, lengths, 120000, &reply, &problem));
        keyless_reply_free(reply);
        reply = ask(client, COMMAND("STRLEN", "large"));
        int64_t stored;
        assert_true(keyless_reply_integer(reply, &stored) && (size_t)stored == most);
        keyless_reply_free(reply);
        size_t length;
        OK(keyless_client_execute(client, COMMAND("GET", "large"), 120000, &reply, &problem));
        assert_non_null(keyless_reply_string(reply, &length));
        assert_int_equal(length, most);
        keyless_reply_free(reply);
        tell(client, "OK", COMMAND("FLUSHALL"));
    }
    keyless_pipeline_free(pipeline);
    munmap(large, most + 1);
}

static void a_large_value_leaves_no_memory_behind(void **state)
{
    (void)state;
    const size_t many = 64 * MIB;
    char *large = zeros(many);
    const char *arguments[] = {"SET", "large", large};
    const size_t lengths[] = {3, 5, many};
    size_t length;
    long before = memory_kib();
    OK(keyless_client_execute(client, 3, arguments, lengths, 0, NULL, &problem));
    keyless_reply *reply = ask(client, COMMAND("GET", "large"));
    assert_non_null(keyless_reply_string(reply, &length));
    assert_int_equal(length, many);
    keyless_reply_free(reply);
    tell(client, "OK", COMMAND("FLUSHALL"));
    long kept = memory_kib() - before;
    print_message("%ld KiB kept of 64 MiB\n", kept);
    assert_true(watched() || kept < 16384);
    munmap(large, many);
}

static void too_many_arguments(void **state)
{
    (void)state;
    /* Every argument is the first one: names that are all NULL. */
    const size_t count = 1000;
    const char **arguments = calloc(count, sizeof *arguments);
    size_t *lengths = calloc(count, sizeof *lengths);
    keyless_reply *reply;
    arguments[0] = "DEL";
    lengths[0] = 3;
    OK(keyless_client_execute(client, count, arguments, lengths, 0, &reply, &problem));
    keyless_reply_free(reply);
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_client_execute(client, count, arguments, NULL, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT,
          keyless_client_execute(client, SIZE_MAX / 4, arguments, lengths, 0, &reply, &problem));
    free(arguments);
    free(lengths);
}

static void ignore(const keyless_reply *reply, const keyless_error *error, void *data)
{
    (void)reply, (void)error, (void)data;
}

static void overhear(const keyless_event *event, void *data)
{
    (void)event, (void)data;
}

static void everything_after_close(void **state)
{
    (void)state;
    keyless_client *own = client_here();
    keyless_completions *room = keyless_completions_new();
    keyless_pipeline *pipeline = keyless_pipeline_new();
    keyless_subscription *before, *after = NULL;
    const keyless_completion *list;
    keyless_message *message;
    keyless_reply *reply;
    keyless_stats *stats;
    const char *name = "late";
    size_t count;
    uint64_t id;
    int descriptor = keyless_client_fd(own);
    OK(keyless_subscription_new(own, 0, KEYLESS_DROP_OLDEST, &before, &problem));
    OK(keyless_client_close(own, &problem));
    for (int twice = 0; twice < 2; twice++) {
        FAILS(KEYLESS_CLOSED, keyless_client_execute(own, COMMAND("PING"), 0, &reply, &problem));
        FAILS(KEYLESS_CLOSED, keyless_client_execute(own, COMMAND("BLPOP", "x", "1"), 0, &reply, &problem));
        keyless_pipeline_clear(pipeline);
        OK(keyless_pipeline_append(pipeline, COMMAND("PING"), &problem));
        FAILS(KEYLESS_CLOSED, keyless_client_execute_pipeline(own, pipeline, 0, &reply, &problem));
        FAILS(KEYLESS_CLOSED, keyless_client_submit(own, COMMAND("PING"), 0, ignore, NULL, &problem));
        FAILS(KEYLESS_CLOSED, keyless_client_submit_pipeline(own, pipeline, 0, ignore, NULL, &problem));
        assert_int_equal(keyless_pipeline_count(pipeline), 1);
        OK(keyless_client_drain(own, room, 10, &list, &count, &problem));
        assert_int_equal(count, 0);
        FAILS(KEYLESS_CLOSED, keyless_subscription_next(before, 10, &message, &problem));
        FAILS(KEYLESS_CLOSED, keyless_subscription_subscribe(before, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
        OK(keyless_subscription_unsubscribe(before, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
        OK(keyless_subscription_new(own, 0, KEYLESS_DROP_OLDEST, &after, &problem));
        FAILS(KEYLESS_CLOSED, keyless_subscription_subscribe(after, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
        keyless_subscription_free(after);
        OK(keyless_client_on_event(own, KEYLESS_ALL_EVENTS, overhear, NULL, NULL, &id, &problem));
        assert_true(keyless_client_remove_handler(own, id));
        OK(keyless_client_stats(own, &stats, &problem));
        keyless_stats_free(stats);
        assert_false(keyless_client_is_ready(own));
        assert_int_equal(keyless_client_fd(own), descriptor);
        OK(keyless_client_close(own, &problem));
    }
    keyless_subscription_free(before);
    keyless_pipeline_free(pipeline);
    keyless_completions_free(room);
    keyless_client_free(own);
}

static void refuse(keyless_token_request *request, void *data)
{
    (void)data;
    keyless_token_request_fail(request, "", 0, false, NULL);
}

/* Makes and frees each handle that needs no server. */
static void make_and_free(void)
{
    keyless_options *options, *copy;
    keyless_credential *credential;
    keyless_token_source *source;
    keyless_error *error = NULL;
    keyless_pipeline *pipeline = keyless_pipeline_new_transaction();
    OK(keyless_options_parse(KEYLESS_TEXT("localhost:1,connectRetry=2,password=x"), &options, &problem));
    copy = keyless_options_clone(options);
    keyless_options_free(options);
    keyless_options_free(copy);
    OK(keyless_credential_custom("c", 1, refuse, NULL, NULL, &credential, &problem));
    OK(keyless_token_source_new(NULL, credential, &source, &problem));
    keyless_credential_free(credential);
    keyless_token_source_free(source);
    OK(keyless_credential_new(KEYLESS_TEXT("azure_cli"), &credential, &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("tenant_id"), KEYLESS_TEXT("t"), &problem));
    keyless_credential_free(credential);
    OK(keyless_pipeline_append(pipeline, COMMAND("SET", "key", "value"), &problem));
    keyless_pipeline_free(pipeline);
    keyless_completions_free(keyless_completions_new());
    assert_int_equal(keyless_options_parse("", 0, &options, &error), KEYLESS_INVALID_ENDPOINT);
    keyless_error *clone = keyless_error_clone(error);
    keyless_error_text(clone);
    keyless_error_free(error);
    keyless_error_free(clone);
    keyless_options_parse("", 0, &options, NULL);
}

static void make_and_free_of_a_client(void)
{
    keyless_subscription *subscription;
    keyless_stats *stats;
    uint64_t id;
    keyless_reply *reply = ask(client, COMMAND("PING"));
    keyless_reply *copy = keyless_reply_clone(reply);
    keyless_reply_free(reply);
    keyless_reply_free(copy);
    OK(keyless_subscription_new(client, 1, KEYLESS_DISCONNECT, &subscription, &problem));
    keyless_subscription_free(subscription);
    OK(keyless_client_stats(client, &stats, &problem));
    keyless_stats_free(stats);
    OK(keyless_client_on_event(client, KEYLESS_ALL_EVENTS, overhear, NULL, NULL, &id, &problem));
    assert_true(keyless_client_remove_handler(client, id));
}

/* Runs so many rounds; memory and descriptors must then be as they were after the first tenth of them. */
static void stays_flat(const char *what, int count, void (*round)(void), long most_kib)
{
    long before = 0;
    int open_before = 0;
    if (watched() && count > 1000) {
        count = 1000;
    } else if (watched()) {
        count = 10;
    }
    for (int at = 0; at < count; at++) {
        if (at == count / 10) {
            before = memory_kib();
            open_before = descriptors();
        }
        round();
    }
    /* Connections are closed in the background. A thread that waits in a call has a descriptor of its own for an idle
     * connection, for a while. */
    SOON(descriptors() <= open_before + 2);
    long grown = memory_kib() - before;
    print_message("%d times %s: %ld KiB more, %d descriptors\n", count, what, grown, descriptors());
    assert_true(watched() || grown < most_kib);
}

static void a_hundred_thousand_of_each_handle(void **state)
{
    (void)state;
    stays_flat("every handle that needs no client", 100000, make_and_free, 2048);
    stays_flat("every handle of a client", 100000, make_and_free_of_a_client, 2048);
}

static void connect_use_and_free(void)
{
    keyless_completions *room = keyless_completions_new();
    keyless_subscription *subscription;
    const char *name = "c";
    keyless_client *own = client_here();
    assert_true(keyless_client_fd(own) >= 0);
    OK(keyless_subscription_new(own, 0, KEYLESS_DROP_OLDEST, &subscription, &problem));
    OK(keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
    assert_true(keyless_subscription_fd(subscription) >= 0);
    OK(keyless_client_submit(own, COMMAND("PING"), 0, ignore, NULL, &problem));
    OK(keyless_client_submit(own, COMMAND("PING"), 0, NULL, NULL, &problem));
    tell(own, "PONG", COMMAND("PING"));
    keyless_subscription_free(subscription);
    keyless_client_free(own);
    keyless_completions_free(room);
}

static void many_clients_one_after_another(void **state)
{
    (void)state;
    stays_flat("a client", soak() ? 10000 : 200, connect_use_and_free, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_that_are_too_large),
        cmocka_unit_test(a_large_value_leaves_no_memory_behind),
        cmocka_unit_test(too_many_arguments),
        cmocka_unit_test(everything_after_close),
        cmocka_unit_test(a_hundred_thousand_of_each_handle),
        cmocka_unit_test(many_clients_one_after_another),
    };
    return cmocka_run_group_tests(tests, connected, closed);
}
