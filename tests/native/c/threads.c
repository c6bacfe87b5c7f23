/* Eight threads on one client, with events, subscriptions, cuts and a close in the middle of it. */
#include "common.h"

#define THREADS 8

static keyless_client *client;
static keyless_token_source *source;
static keyless_subscription *subscription;
static int stop;
static long done, refused, wrong, heard, events;
/* Those of each thread that wait for their callback. Not on its stack: how keyless hands the pointer over is not seen. */
static long submitted[THREADS];

static void answered(const keyless_reply *reply, const keyless_error *error, void *data)
{
    long *outstanding = data;
    if ((reply == NULL) == (error == NULL)) {
        ADD(wrong, 1);
    }
    ADD(heard, 1);
    ADD(*outstanding, -1);
}

static void on_event(const keyless_event *event, void *data)
{
    (void)data;
    if (keyless_event_get_type(event) == 0) {
        ADD(wrong, 1);
    }
    ADD(events, 1);
}

static void settle(keyless_status status, keyless_error *error)
{
    if (status == KEYLESS_OK) {
        ADD(done, 1);
    } else {
        /* A cut, or the close. */
        if (status != KEYLESS_CLOSED && status != KEYLESS_CONNECTION_LOST && status != KEYLESS_NOT_CONNECTED) {
            fprintf(stderr, "%d: %s\n", (int)status, keyless_error_text(error));
            ADD(wrong, 1);
        }
        ADD(refused, 1);
    }
    keyless_error_free(error);
}

#define SETTLE(call) (status = (call), settle(status, error), error = NULL)

static void *work(void *data)
{
    int number = *(int *)data;
    long *outstanding = &submitted[number];
    keyless_completions *room = keyless_completions_new();
    keyless_pipeline *pipeline = keyless_pipeline_new();
    for (long round = 0; !LOOK(stop) || round < 20; round++) {
        keyless_error *error = NULL;
        keyless_reply *reply = NULL;
        keyless_status status;
        switch ((round + number) % 8) {
        case 0:
            status = keyless_client_submit(client, COMMAND("PING"), 0, answered, outstanding, &error);
            if (status == KEYLESS_OK) {
                ADD(*outstanding, 1);
            }
            settle(status, error);
            error = NULL;
            break;
        case 1: {
            const keyless_completion *list;
            size_t count;
            SETTLE(keyless_client_submit(client, COMMAND("PING"), 0, NULL, NULL, &error));
            SETTLE(keyless_client_drain(client, room, 10, &list, &count, &error));
            break;
        }
        case 2: {
            uint64_t id = 0;
            status = keyless_client_on_event(client, KEYLESS_ALL_EVENTS, on_event, NULL, NULL, &id, &error);
            settle(status, error);
            error = NULL;
            keyless_client_is_ready(client);
            keyless_error_free(keyless_client_last_error(client));
            keyless_client_remove_handler(client, id);
            break;
        }
        case 3: {
            keyless_stats *stats = NULL;
            SETTLE(keyless_client_stats(client, &stats, &error));
            keyless_stats_free(stats);
            break;
        }
        case 4: {
            const char *name = number % 2 ? "odd" : "even";
            SETTLE(keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 1, &name, NULL, &error));
            break;
        }
        case 5: {
            keyless_message *message = NULL;
            SETTLE(keyless_subscription_next(subscription, 1, &message, &error));
            keyless_message_free(message);
            break;
        }
        case 6: {
            keyless_token *token = NULL;
            SETTLE(keyless_token_source_get(source, SOON_MS, &token, &error));
            keyless_token_free(token);
            break;
        }
        default:
            keyless_pipeline_append(pipeline, COMMAND("PUBLISH", "even", "x"), NULL);
            keyless_pipeline_append(pipeline, COMMAND("PUBLISH", "odd", "x"), NULL);
            SETTLE(keyless_client_execute_pipeline(client, pipeline, 0, &reply, &error));
            keyless_pipeline_clear(pipeline);
            keyless_reply_free(reply);
        }
        SETTLE(keyless_client_execute(client, COMMAND("ECHO", "hello"), 0, &reply, &error));
        if (reply != NULL && !reply_is(reply, "hello")) {
            ADD(wrong, 1);
        }
        keyless_reply_free(reply);
    }
    while (LOOK(*outstanding) != 0) {
        pause_ms(1);
    }
    keyless_completions_free(room);
    keyless_pipeline_free(pipeline);
    return NULL;
}

static void eight_threads_share_a_client_that_is_cut_and_closed(void **state)
{
    (void)state;
    const int rounds = soak() ? 50 : 4;
    for (int round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        int numbers[THREADS];
        keyless_options *options = options_here();
        OK(keyless_token_source_new(options, NULL, &source, &problem));
        OK(keyless_client_connect_with_source(options, source, &client, &problem));
        OK(keyless_client_on_event(client, KEYLESS_ALL_EVENTS, on_event, NULL, NULL, NULL, &problem));
        OK(keyless_subscription_new(client, 100, KEYLESS_DROP_OLDEST, &subscription, &problem));
        SET(stop, 0);
        long before = LOOK(done);
        for (int thread = 0; thread < THREADS; thread++) {
            numbers[thread] = thread;
            assert_int_equal(pthread_create(&threads[thread], NULL, work, &numbers[thread]), 0);
        }
        SOON(LOOK(done) > before + 200);
        fault("{\"connections\":\"reset\"}");
        before = LOOK(done);
        SOON(LOOK(done) > before + 200);
        OK(keyless_client_close(client, &problem));
        SET(stop, 1);
        for (int thread = 0; thread < THREADS; thread++) {
            pthread_join(threads[thread], NULL);
        }
        keyless_subscription_free(subscription);
        keyless_client_free(client);
        keyless_token_source_free(source);
        keyless_options_free(options);
    }
    print_message("%ld calls succeeded, %ld after a cut or the close, %ld callbacks, %ld events\n", LOOK(done),
                  LOOK(refused), LOOK(heard), LOOK(events));
    assert_int_equal(LOOK(wrong), 0);
    assert_true(LOOK(refused) > 0 && LOOK(heard) > 0 && LOOK(events) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eight_threads_share_a_client_that_is_cut_and_closed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
