/* Three ways of waiting for commands and pipelines: in the call, by callback, by descriptor and queue; commands that wait
 * on the server; transactions; what ends with its client. */
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

/* What callbacks have heard. */
struct heard {
    int replies;
    int errors;
    int last_status;
    int64_t sum;
    int out_of_order;
};

static void hear(const keyless_reply *reply, const keyless_error *error, void *data)
{
    struct heard *heard = data;
    int64_t number;
    if (error != NULL) {
        SET(heard->last_status, (int)keyless_error_code(error));
        ADD(heard->errors, 1);
        return;
    }
    if (keyless_reply_integer(reply, &number)) {
        if (number != heard->sum + 1) {
            heard->out_of_order++;
        }
        heard->sum = number;
    }
    ADD(heard->replies, 1);
}

static void callbacks_come_once_each_and_in_order(void **state)
{
    (void)state;
    struct heard heard = {0};
    tell(client, "OK", COMMAND("SET", "calls", "0"));
    for (int index = 0; index < 500; index++) {
        OK(keyless_client_submit(client, COMMAND("INCR", "calls"), 0, hear, &heard, &problem));
    }
    OK(keyless_client_submit(client, COMMAND("INCR", "calls", "too", "many"), 0, hear, &heard, &problem));
    SOON(LOOK(heard.replies) == 500 && LOOK(heard.errors) == 1);
    assert_int_equal(heard.out_of_order, 0);
    assert_int_equal(heard.sum, 500);
    assert_int_equal(heard.last_status, KEYLESS_SERVER);
}

/* Submits again from its own callback until it has been called often enough. */
struct chain {
    int left;
    int ended;
};

static void again(const keyless_reply *reply, const keyless_error *error, void *data)
{
    struct chain *chain = data;
    keyless_reply *waited = NULL;
    if (reply == NULL || error != NULL) {
        SET(chain->ended, -1);
    } else if (--chain->left == 0) {
        /* Waiting for a reply is allowed here too. */
        int answer = keyless_client_execute(client, COMMAND("PING"), 0, &waited, NULL) == KEYLESS_OK ? 1 : -1;
        keyless_reply_free(waited);
        SET(chain->ended, answer);
    } else if (keyless_client_submit(client, COMMAND("PING"), 0, again, chain, NULL) != KEYLESS_OK) {
        SET(chain->ended, -1);
    }
}

static void a_callback_may_submit_again(void **state)
{
    (void)state;
    struct chain chain = {200, 0};
    OK(keyless_client_submit(client, COMMAND("PING"), 0, again, &chain, &problem));
    SOON(LOOK(chain.ended) != 0);
    assert_int_equal(chain.ended, 1);
}

static bool readable(int descriptor, int timeout_ms)
{
    struct pollfd one = {.fd = descriptor, .events = POLLIN};
    return poll(&one, 1, timeout_ms) == 1 && (one.revents & POLLIN) != 0;
}

static void a_descriptor_wakes_and_the_queue_is_drained(void **state)
{
    (void)state;
    keyless_completions *room = keyless_completions_new();
    const keyless_completion *list;
    size_t count, seen = 0, wakes = 0;
    int marks[300] = {0};
    int descriptor = keyless_client_fd(client);
    assert_true(descriptor >= 0);
    assert_int_equal(keyless_client_fd(client), descriptor);
    OK(keyless_client_drain(client, room, 100, &list, &count, &problem));
    assert_int_equal(count, 0);
    assert_false(readable(descriptor, 0));
    for (int index = 0; index < 300; index++) {
        if (index % 3 == 2) {
            OK(keyless_client_submit(client, COMMAND("NOSUCHCOMMAND"), 0, NULL, &marks[index], &problem));
        } else {
            OK(keyless_client_submit(client, COMMAND("PING"), 0, NULL, &marks[index], &problem));
        }
    }
    while (seen < 300) {
        assert_true(readable(descriptor, SOON_MS));
        wakes++;
        OK(keyless_client_drain(client, room, 100, &list, &count, &problem));
        assert_in_range(count, 1, 100);
        for (size_t index = 0; index < count; index++, seen++) {
            int *mark = list[index].user_data;
            assert_ptr_equal(mark, &marks[seen]);
            if (seen % 3 == 2) {
                assert_null(list[index].reply);
                assert_int_equal(keyless_error_code(list[index].error), KEYLESS_SERVER);
            } else {
                assert_null(list[index].error);
                assert_true(reply_is(list[index].reply, "PONG"));
            }
        }
    }
    print_message("300 completions in %zu wake-ups\n", wakes);
    assert_false(readable(descriptor, 0));
    /* What was drained belongs to the room until the next drain. */
    OK(keyless_client_submit(client, COMMAND("PING"), 0, NULL, NULL, &problem));
    assert_true(readable(descriptor, SOON_MS));
    OK(keyless_client_drain(client, room, 0, &list, &count, &problem));
    assert_int_equal(count, 0);
    assert_true(readable(descriptor, 0));
    OK(keyless_client_drain(client, room, SIZE_MAX, &list, &count, &problem));
    assert_int_equal(count, 1);
    assert_null(list[0].user_data);
    keyless_completions_free(room);
    keyless_completions_free(NULL);
}

static keyless_pipeline *filled(keyless_pipeline *pipeline, const char *counter)
{
    assert_non_null(pipeline);
    OK(keyless_pipeline_append(pipeline, COMMAND("SET", counter, "1"), &problem));
    OK(keyless_pipeline_append(pipeline, COMMAND("LPUSH", counter, "x"), &problem));
    OK(keyless_pipeline_append(pipeline, COMMAND("INCR", counter), &problem));
    assert_int_equal(keyless_pipeline_count(pipeline), 3);
    return pipeline;
}

static void has_the_replies(const keyless_reply *reply)
{
    int64_t number = 0;
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_ARRAY);
    assert_int_equal(keyless_reply_count(reply), 3);
    assert_true(reply_is(keyless_reply_child(reply, 0), "OK"));
    keyless_error *error = keyless_reply_error(keyless_reply_child(reply, 1));
    assert_int_equal(keyless_error_code(error), KEYLESS_SERVER);
    keyless_error_free(error);
    assert_true(keyless_reply_integer(keyless_reply_child(reply, 2), &number));
    assert_int_equal(number, 2);
}

struct pipelined {
    int done;
    keyless_reply *kept;
    int status;
};

static void keep(const keyless_reply *reply, const keyless_error *error, void *data)
{
    struct pipelined *pipelined = data;
    pipelined->kept = keyless_reply_clone(reply);
    pipelined->status = (int)keyless_error_code(error);
    SET(pipelined->done, 1);
}

static void pipelines_and_transactions_in_three_ways(void **state)
{
    (void)state;
    keyless_pipeline *each[] = {keyless_pipeline_new(), keyless_pipeline_new_transaction()};
    keyless_completions *room = keyless_completions_new();
    for (int which = 0; which < 2; which++) {
        keyless_pipeline *pipeline = filled(each[which], "piped");
        keyless_reply *reply;
        OK(keyless_client_execute_pipeline(client, pipeline, 0, &reply, &problem));
        has_the_replies(reply);
        keyless_reply_free(reply);
        assert_int_equal(keyless_pipeline_count(pipeline), 0);
        OK(keyless_client_execute_pipeline(client, filled(pipeline, "piped"), 0, NULL, &problem));

        struct pipelined pipelined = {0};
        OK(keyless_client_submit_pipeline(client, filled(pipeline, "piped"), 0, keep, &pipelined, &problem));
        assert_int_equal(keyless_pipeline_count(pipeline), 0);
        SOON(LOOK(pipelined.done));
        has_the_replies(pipelined.kept);
        keyless_reply_free(pipelined.kept);

        const keyless_completion *list;
        size_t count = 0;
        OK(keyless_client_submit_pipeline(client, filled(pipeline, "piped"), 0, NULL, pipeline, &problem));
        while (count == 0) {
            assert_true(readable(keyless_client_fd(client), SOON_MS));
            OK(keyless_client_drain(client, room, 10, &list, &count, &problem));
        }
        assert_int_equal(count, 1);
        assert_ptr_equal(list[0].user_data, pipeline);
        has_the_replies(list[0].reply);
    }
    keyless_completions_free(room);
    keyless_pipeline_free(each[0]);
    keyless_pipeline_free(each[1]);
}

static void refused_commands_leave_a_pipeline_as_it_was(void **state)
{
    (void)state;
    keyless_reply *reply;
    keyless_pipeline *pipeline = keyless_pipeline_new();
    keyless_pipeline *transaction = keyless_pipeline_new_transaction();
    OK(keyless_pipeline_append(pipeline, COMMAND("PING"), &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_pipeline_append(pipeline, COMMAND("MULTI"), &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_pipeline_append(pipeline, COMMAND("BLPOP", "k", "0"), &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_pipeline_append(pipeline, 0, NULL, NULL, &problem));
    assert_int_equal(keyless_pipeline_count(pipeline), 1);
    OK(keyless_client_execute_pipeline(client, pipeline, 0, &reply, &problem));
    assert_int_equal(keyless_reply_count(reply), 1);
    keyless_reply_free(reply);
    OK(keyless_client_execute_pipeline(client, pipeline, 0, &reply, &problem));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_ARRAY);
    assert_int_equal(keyless_reply_count(reply), 0);
    keyless_reply_free(reply);

    OK(keyless_pipeline_append(transaction, COMMAND("SET", "never", "1"), &problem));
    OK(keyless_pipeline_append(transaction, COMMAND("NOSUCHCOMMAND"), &problem));
    FAILS(KEYLESS_TRANSACTION_ABORTED, keyless_client_execute_pipeline(client, transaction, 0, &reply, &problem));
    assert_null(reply);
    keyless_pipeline_clear(transaction);
    OK(keyless_pipeline_append(transaction, COMMAND("NOSUCHCOMMAND"), &problem));
    struct pipelined pipelined = {0};
    OK(keyless_client_submit_pipeline(client, transaction, 0, keep, &pipelined, &problem));
    SOON(LOOK(pipelined.done));
    assert_null(pipelined.kept);
    assert_int_equal(pipelined.status, KEYLESS_TRANSACTION_ABORTED);
    keyless_reply *none = ask(client, COMMAND("GET", "never"));
    assert_int_equal(keyless_reply_get_type(none), KEYLESS_REPLY_NIL);
    keyless_reply_free(none);
    OK(keyless_pipeline_append(pipeline, COMMAND("PING"), &problem));
    keyless_pipeline_clear(pipeline);
    assert_int_equal(keyless_pipeline_count(pipeline), 0);
    keyless_pipeline_free(pipeline);
    keyless_pipeline_free(transaction);
    keyless_pipeline_free(NULL);
}

static void commands_that_wait_on_the_server(void **state)
{
    (void)state;
    struct heard heard = {0};
    keyless_completions *room = keyless_completions_new();
    const keyless_completion *list;
    size_t count = 0;
    keyless_reply *reply = ask(client, COMMAND("BLPOP", "nothing", "0.05"));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_NIL);
    keyless_reply_free(reply);
    OK(keyless_client_submit(client, COMMAND("BLPOP", "queue", "0"), 0, hear, &heard, &problem));
    OK(keyless_client_submit(client, COMMAND("BLPOP", "queue", "0"), 0, NULL, &heard, &problem));
    tell(client, "PONG", COMMAND("PING"));
    assert_int_equal(LOOK(heard.replies), 0);
    keyless_reply_free(ask(client, COMMAND("RPUSH", "queue", "a", "b")));
    SOON(LOOK(heard.replies) == 1);
    while (count == 0) {
        assert_true(readable(keyless_client_fd(client), SOON_MS));
        OK(keyless_client_drain(client, room, 10, &list, &count, &problem));
    }
    assert_ptr_equal(list[0].user_data, &heard);
    assert_int_equal(keyless_reply_count(list[0].reply), 2);
    keyless_completions_free(room);
}

static void what_is_not_answered_ends_with_its_client(void **state)
{
    (void)state;
    struct heard heard = {0};
    keyless_client *own = client_here();
    for (int index = 0; index < 5; index++) {
        OK(keyless_client_submit(own, COMMAND("BLPOP", "never", "0"), 0, hear, &heard, &problem));
    }
    keyless_client_free(own);
    assert_int_equal(LOOK(heard.errors), 5);
    assert_int_equal(heard.last_status, KEYLESS_CLOSED);

    keyless_completions *room = keyless_completions_new();
    const keyless_completion *list;
    size_t count = 0;
    own = client_here();
    OK(keyless_client_submit(own, COMMAND("PING"), 0, NULL, &heard, &problem));
    OK(keyless_client_close(own, &problem));
    /* What was not drained when it was closed stays. */
    SOON((OK(keyless_client_drain(own, room, 10, &list, &count, &problem)), count == 1));
    assert_ptr_equal(list[0].user_data, &heard);
    OK(keyless_client_submit(client, COMMAND("PING"), 0, NULL, NULL, &problem));
    keyless_client_free(own);
    assert_true(list[0].reply == NULL || reply_is(list[0].reply, "PONG"));
    keyless_completions_free(room);
}

struct suicide {
    keyless_client *client;
    int freed;
    int after;
};

static void free_the_client(const keyless_reply *reply, const keyless_error *error, void *data)
{
    struct suicide *suicide = data;
    (void)error;
    if (suicide->client != NULL) {
        keyless_client_free(suicide->client);
        suicide->client = NULL;
        /* What was borrowed is still there. */
        SET(suicide->freed, reply != NULL && reply_is(reply, "PONG") ? 1 : -1);
    } else {
        ADD(suicide->after, 1);
    }
}

static void a_client_may_be_freed_in_its_own_callback(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        keyless_client *own = client_here();
        struct suicide suicide = {own, 0, 0};
        for (int index = 0; index < 9; index++) {
            OK(keyless_client_submit(own, COMMAND("BLPOP", "never", "0"), 0, free_the_client, &suicide, &problem));
        }
        OK(keyless_client_submit(own, COMMAND("PING"), 0, free_the_client, &suicide, &problem));
        SOON(LOOK(suicide.freed) != 0 && LOOK(suicide.after) == 9);
        assert_int_equal(suicide.freed, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_come_once_each_and_in_order),
        cmocka_unit_test(a_callback_may_submit_again),
        cmocka_unit_test(a_descriptor_wakes_and_the_queue_is_drained),
        cmocka_unit_test(pipelines_and_transactions_in_three_ways),
        cmocka_unit_test(refused_commands_leave_a_pipeline_as_it_was),
        cmocka_unit_test(commands_that_wait_on_the_server),
        cmocka_unit_test(what_is_not_answered_ends_with_its_client),
        cmocka_unit_test(a_client_may_be_freed_in_its_own_callback),
    };
    return cmocka_run_group_tests(tests, connected, closed);
}
