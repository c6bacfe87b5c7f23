/* Ten lifetimes of tokens under load, in one way of waiting: LIFETIMES_WAY is blocking, callback or drain. */
#include "common.h"

#include <poll.h>

#define WORKERS 4
#define OUTSTANDING 100

static keyless_client *client;
static int stop;
static long commands, failed;

static void count(const keyless_reply *reply, const keyless_error *error)
{
    ADD(commands, 1);
    if (error != NULL || keyless_reply_get_type(reply) != KEYLESS_REPLY_INTEGER) {
        fprintf(stderr, "failed: %s\n", keyless_error_text(error));
        ADD(failed, 1);
    }
}

static void *block(void *data)
{
    (void)data;
    while (!LOOK(stop)) {
        keyless_reply *reply;
        keyless_error *error;
        keyless_client_execute(client, COMMAND("INCR", "blocking"), 0, &reply, &error);
        count(reply, error);
        keyless_reply_free(reply);
        keyless_error_free(error);
    }
    return NULL;
}

static void in_calls(int64_t until)
{
    pthread_t workers[WORKERS];
    for (int worker = 0; worker < WORKERS; worker++) {
        assert_int_equal(pthread_create(&workers[worker], NULL, block, NULL), 0);
    }
    while (now_ms() < until) {
        pause_ms(20);
    }
    SET(stop, 1);
    for (int worker = 0; worker < WORKERS; worker++) {
        pthread_join(workers[worker], NULL);
    }
}

static int under_way;

static void answered(const keyless_reply *reply, const keyless_error *error, void *data)
{
    (void)data;
    count(reply, error);
    if (LOOK(stop) ||
        keyless_client_submit(client, COMMAND("INCR", "callback"), 0, answered, NULL, NULL) != KEYLESS_OK) {
        ADD(under_way, -1);
    }
}

static void by_callbacks(int64_t until)
{
    SET(under_way, OUTSTANDING);
    for (int index = 0; index < OUTSTANDING; index++) {
        OK(keyless_client_submit(client, COMMAND("INCR", "callback"), 0, answered, NULL, &problem));
    }
    while (now_ms() < until) {
        pause_ms(20);
        assert_int_equal(LOOK(under_way), OUTSTANDING);
    }
    SET(stop, 1);
    SOON(LOOK(under_way) == 0);
}

static void by_descriptor(int64_t until)
{
    keyless_completions *room = keyless_completions_new();
    struct pollfd one = {.fd = keyless_client_fd(client), .events = POLLIN};
    int waiting = 0;
    do {
        while (waiting < OUTSTANDING && now_ms() < until) {
            OK(keyless_client_submit(client, COMMAND("INCR", "drain"), 0, NULL, NULL, &problem));
            waiting++;
        }
        const keyless_completion *list;
        size_t found;
        assert_int_equal(poll(&one, 1, SOON_MS), 1);
        OK(keyless_client_drain(client, room, OUTSTANDING, &list, &found, &problem));
        for (size_t index = 0; index < found; index++) {
            count(list[index].reply, list[index].error);
        }
        waiting -= (int)found;
    } while (waiting > 0 || now_ms() < until);
    keyless_completions_free(room);
}

static void nobody_notices_a_refresh(void **state)
{
    (void)state;
    const char *way = getenv("LIFETIMES_WAY");
    const double lifetime = strtod(getenv("LIFETIMES_SECONDS"), NULL);
    client = client_here();
    int64_t begun = now_ms(), until = begun + (int64_t)(lifetime * 10 * 1000) + 500;
    if (strcmp(way, "blocking") == 0) {
        in_calls(until);
    } else if (strcmp(way, "callback") == 0) {
        by_callbacks(until);
    } else {
        by_descriptor(until);
    }
    double took = (double)(now_ms() - begun) / 1000;
    double tokens = counted("tokens", "served");
    SOON(counted("auth", "accepted") == tokens);
    printf("%s: %ld commands in %.1f s, %ld failed, %.0f tokens, %.0f AUTHs accepted, %.0f refused, %.0f connections\n",
           way, commands, took, failed, tokens, counted("auth", "accepted"), counted("auth", "refused"),
           counted("connections", "opened"));
    assert_int_equal(failed, 0);
    assert_true(commands > 1000);
    assert_true(tokens > 10);
    assert_true(counted("auth", "refused") == 0);
    assert_true(counted("connections", "opened") == 1);
    keyless_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_notices_a_refresh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
